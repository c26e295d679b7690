"""One part, fuzzed by Atheris in a process of its own, which a crash or a hang ends.

`python -m tests.fuzz.worker PART FINDINGS SECONDS [OPTIONS OF LIBFUZZER]`
"""

import hashlib
import sys
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["portfolio_ml"]):
    from tests.fuzz import promises

LONGEST_INPUT_SECONDS = 30
MOST_MEMORY_MB = 3_000


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
    told = [f"-artifact_prefix={findings / part}/", "-print_final_stats=1", "-max_len=30000"]
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", *limits, *told, *options], one)
    atheris.Fuzz()


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
