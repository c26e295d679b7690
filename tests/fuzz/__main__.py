"""`python -m tests.fuzz [PART ...] [--seconds N] [--findings FOLDER] [--write]`.

Each part gets its share of the seconds. What breaks a promise is kept in the folder with its
traceback, and tried again by `python -m tests.fuzz PART --replay FILE`.
"""

# ruff: noqa: T201 - a command, which prints what it did

import argparse
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from benchmarks.machine import machine
from tests.fuzz.page import Fuzzed, table, written
from tests.fuzz.promises import PARTS
from tests.fuzz.seeds import seeds

PAGE = Path("docs/reference/hardening.md")


def main() -> int:
    """Fuzz and tell; gives 1 where there was a finding."""
    asked = _asked()
    if asked.replay:
        PARTS[asked.parts[0]](asked.replay.read_bytes())
        print("it holds")
        return 0
    share = max(1, asked.seconds // len(asked.parts))
    begun = {part: {*_inputs(asked.findings / part)} for part in asked.parts}
    fuzzed = [_fuzzed(part, asked.findings, share) for part in asked.parts]
    print(table(fuzzed))
    for part in asked.parts:
        for file in sorted({*_inputs(asked.findings / part)} - begun[part]):
            print(f"finding: python -m tests.fuzz {part} --replay {file}")
    if asked.write:
        where = ", ".join(machine(("atheris", "duckdb", "pyarrow")))
        PAGE.write_text(written(PAGE.read_text(), fuzzed, PARTS, where))
    return 1 if any(one.findings for one in fuzzed) else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--write", action="store_true", help=f"write the figures into {PAGE}")
    asked = parser.parse_args()
    asked.parts = asked.parts or [*PARTS]
    if unknown := {*asked.parts} - {*PARTS}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return asked


def _fuzzed(part: str, findings: Path, seconds: int) -> Fuzzed:
    """What became of a part; a worker that dies of an input is begun anew, without that one."""
    folder = findings / part
    folder.mkdir(parents=True, exist_ok=True)
    before, begun, begun_cpu, tried = {*_inputs(folder)}, monotonic(), _cpu(), 0
    with tempfile.TemporaryDirectory() as corpus:
        given = seeds(part)
        for number, seed in enumerate(given):
            (Path(corpus) / f"seed-{number:04}").write_bytes(seed)
        while (left := seconds - int(monotonic() - begun)) > 0:
            command = [sys.executable, "-m", "tests.fuzz.worker", part, str(findings), str(left)]
            told = subprocess.run([*command, corpus], capture_output=True, text=True, check=False)
            counts = re.findall(r"^#(\d+)\t|executed_units: (\d+)", told.stderr, re.MULTILINE)
            tried += max((int(a or b) for a, b in counts), default=0)
            fatal = {file.read_bytes() for file in {*_inputs(folder)} - before}
            for file in Path(corpus).iterdir():
                if file.read_bytes() in fatal:
                    file.unlink()
            if told.returncode and "ERROR: libFuzzer" not in told.stderr:
                print(told.stderr[-3_000:], file=sys.stderr)
                break
    return Fuzzed(
        part,
        seeds=len(given),
        tried=tried,
        seconds=monotonic() - begun,
        cpu=_cpu() - begun_cpu,
        findings=len({*_inputs(folder)} - before),
        day=datetime.now(tz=UTC).date(),
    )


def _cpu() -> float:
    """The seconds of a processor that the processes that have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _inputs(folder: Path) -> Iterable[Path]:
    """The inputs among the findings of a part; tracebacks lie beside them."""
    return (file for file in folder.glob("*") if file.suffix != ".txt")


if __name__ == "__main__":
    sys.exit(main())
