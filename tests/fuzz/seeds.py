"""What fuzzing begins from: the inputs of the tests' tables, as bytes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz import promises
from tests.hostile_inputs import configs, csv_dialects, encodings, files, parquet_types
from tests.hostile_inputs.case import CONFIG, Case, lay_out

LARGEST = 20_000


def seeds(part: str) -> list[bytes]:
    """The seeds of a part, each once; large ones are left out."""
    found = {seed for seed in _OF[part]() if len(seed) <= LARGEST}
    return sorted(found, key=lambda seed: (len(seed), seed))


def _laid_out(cases: list[Case], pattern: str) -> Iterator[bytes]:
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            try:
                lay_out(case, Path(folder))
            except OSError:  # what this disk cannot hold
                continue
            yield from (f.read_bytes() for f in Path(folder).glob(pattern) if f.is_file())


def _of_models() -> Iterator[bytes]:
    for number, (target, name) in enumerate(promises.model_files()):
        yield bytes([number]) + promises.good(target, name)


_OF = {
    "config": lambda: _laid_out(configs.CASES, CONFIG),
    "csv": lambda: _laid_out([*csv_dialects.CASES, *encodings.CASES, *files.CASES], "*.csv"),
    "parquet": lambda: _laid_out(parquet_types.CASES, "**/*.parquet"),
    "models": _of_models,
}
