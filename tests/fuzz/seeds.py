"""What fuzzing begins from: the inputs of the tests' tables, as bytes."""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz import promises
from tests.fuzz.tables import FORMATS
from tests.hostile_inputs import configs, csv_dialects, encodings, files, parquet_types
from tests.hostile_inputs.case import Case, lay_out
from tests.laid_out import CONFIG

LARGEST = {"config": 20_000, "csv": 2_000, "parquet": 4_000, "models": 20_000}
DRAWN_TABLES = 40


def seeds(part: str) -> list[bytes]:
    """The seeds of a part, each once; large ones are left out."""
    found = {seed for seed in _OF[part]() if len(seed) <= LARGEST[part]}
    return sorted(found, key=lambda seed: (len(seed), seed))


def _laid_out(cases: list[Case], pattern: str) -> Iterator[tuple[Case, bytes]]:
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            try:
                lay_out(case, Path(folder))
            except OSError:  # what this disk cannot hold
                continue
            found = [f.read_bytes() for f in Path(folder).glob(pattern) if f.is_file()]
        yield from ((case, data) for data in found)


def _of_config() -> Iterator[bytes]:
    yield from (data for _, data in _laid_out(configs.CASES, CONFIG))


def _of_csv() -> Iterator[bytes]:
    cases = [*csv_dialects.CASES, *encodings.CASES, *files.CASES]
    for case, data in _laid_out(cases, "*.csv"):
        is_text = isinstance(case.config, str | bytes)
        written = {} if is_text else case.config.get("data.transactions.format", {})
        yield bytes([FORMATS.index(written) if written in FORMATS else 0]) + data


def _of_parquet() -> Iterator[bytes]:
    yield from (b"\0" + data for _, data in _laid_out(parquet_types.CASES, "**/*.parquet"))
    for number in range(DRAWN_TABLES):
        yield b"\1" + hashlib.shake_128(bytes([number])).digest(64 + number)


def _of_models() -> Iterator[bytes]:
    for number, (target, name) in enumerate(promises.model_files()):
        yield bytes([number]) + promises.good(target, name)


_OF = {"config": _of_config, "csv": _of_csv, "parquet": _of_parquet, "models": _of_models}
