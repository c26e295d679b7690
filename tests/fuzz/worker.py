"""One part, fuzzed by Atheris in a process of its own, which a crash or a hang ends.

`python -m tests.fuzz.worker PART FINDINGS SECONDS [OPTIONS OF LIBFUZZER]`
"""

import hashlib
import random
import re
import sys
import traceback
from pathlib import Path

import atheris

# What reads the part's inputs. Elsewhere, counting what is reached costs time and tells nothing.
_READERS = {
    "config": ["config", "untrusted"],
    "csv": ["engine", "sources", "transactions", "validation"],
    "parquet": ["engine", "sources", "transactions", "validation"],
    "models": ["bundles", "frozen", "models", "monitoring", "packing", "untrusted"],
}
with atheris.instrument_imports([f"portfolio_ml.{name}" for name in _READERS[sys.argv[1]]]):
    from tests.fuzz import promises
    from tests.fuzz.seeds import LARGEST
    from tests.fuzz.tables import FORMATS

LONGEST_INPUT_SECONDS = 30
MOST_MEMORY_MB = 3_000
WHOLE_IN = 5


def main(part: str, findings: Path, seconds: int, *options: str) -> None:
    """Fuzz, and keep what breaks a promise."""
    known: set[str] = set()

    @atheris.instrument_func
    def one(data: bytes) -> None:
        try:
            promises.PARTS[part](data)
        except Exception as error:  # noqa: BLE001 - whatever comes out is a finding
            _keep(error, data, findings / part, known)

    limits = [f"-timeout={LONGEST_INPUT_SECONDS}", f"-rss_limit_mb={MOST_MEMORY_MB}"]
    told = [f"-artifact_prefix={findings / part}/", "-print_final_stats=1"]
    lengths = [f"-max_len={LARGEST[part]}", "-len_control=0"]
    arguments = [sys.argv[0], f"-max_total_time={seconds}", *limits, *told, *lengths, *options]
    if part == "csv":
        atheris.Setup(arguments, one, custom_mutator=_below_the_header)
    else:
        atheris.Setup(arguments, one)
    atheris.Fuzz()


def _below_the_header(data: bytes, most: int, seed: int) -> bytes:
    """A CSV file of another body; now and then of another header, with which few are read."""
    written = FORMATS[data[0] % len(FORMATS)] if data else {}
    lines = written.get("skip_lines", 0) + 1
    header = re.match(rb"(?s)(?:[^\r\n]*(?:\r\n|\r|\n)){%d}" % lines, data)
    if header is None or header.end() >= most or not random.Random(seed).randrange(WHOLE_IN):
        return atheris.Mutate(data, most)
    kept = header.end()
    return data[:kept] + atheris.Mutate(data[kept:], most - kept)


def _keep(error: Exception, data: bytes, folder: Path, known: set[str]) -> None:
    """Write the input and its traceback; one for each place that an error comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{type(error).__name__} {frames[-1].filename}:{frames[-1].lineno} {len(frames)}"
    if place in known:
        return
    known.add(place)
    name = hashlib.sha256(place.encode()).hexdigest()[:12]
    (folder / f"finding-{name}").write_bytes(data)
    (folder / f"finding-{name}.txt").write_text(
        "".join(traceback.format_exception(error)), encoding="utf-8", errors="backslashreplace"
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
