"""`python -m tests.fuzz [PART ...] [--seconds N] [--findings FOLDER] [--write]`.

Each part gets its share of the seconds. What breaks a promise is kept in the folder with its
traceback, and tried again by `python -m tests.fuzz PART --replay FILE`.
"""

# ruff: noqa: T201 - a command, which prints what it did

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic

from tests.fuzz.promises import PARTS
from tests.fuzz.seeds import seeds

PAGE = Path("docs/reference/hardening.md")
BEGIN, END = "<!-- fuzz: begin -->", "<!-- fuzz: end -->"


def main() -> int:
    """Fuzz and tell; gives 1 where there was a finding."""
    asked = _asked()
    if asked.replay:
        PARTS[asked.parts[0]](asked.replay.read_bytes())
        print("it holds")
        return 0
    share = max(1, asked.seconds // len(asked.parts))
    rows = [(part, *_fuzzed(part, asked.findings, share)) for part in asked.parts]
    table = ["| part | seeds | inputs tried | seconds | findings |", "|---|---:|---:|---:|---:|"]
    table += [f"| {p} | {s:,} | {n:,} | {t:,.0f} | {len(f)} |" for p, s, n, t, f in rows]
    print("\n".join(table))
    found = [(part, file) for part, *_, files in rows for file in files]
    for part, file in found:
        print(f"finding: python -m tests.fuzz {part} --replay {file}")
    if asked.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(before + "\n".join([BEGIN, "", *table, "", END]) + after)
    return 1 if found else 0


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


def _fuzzed(part: str, findings: Path, seconds: int) -> tuple[int, int, float, list[Path]]:
    """Seeds, inputs tried, seconds and findings; a worker that dies of one is begun anew."""
    folder = findings / part
    folder.mkdir(parents=True, exist_ok=True)
    before, begun, tried = {*folder.iterdir()}, monotonic(), 0
    with tempfile.TemporaryDirectory() as corpus:
        given = seeds(part)
        for number, seed in enumerate(given):
            (Path(corpus) / f"seed-{number:04}").write_bytes(seed)
        while (left := seconds - int(monotonic() - begun)) > 0:
            command = [sys.executable, "-m", "tests.fuzz.worker", part, str(findings), str(left)]
            told = subprocess.run([*command, corpus], capture_output=True, text=True, check=False)
            counts = re.findall(r"^#(\d+)\t|executed_units: (\d+)", told.stderr, re.MULTILINE)
            tried += max((int(a or b) for a, b in counts), default=0)
            if told.returncode and not re.search("ERROR: libFuzzer", told.stderr):
                print(told.stderr[-3_000:], file=sys.stderr)
                break
    new = sorted(f for f in {*folder.iterdir()} - before if f.suffix != ".txt")
    return len(given), tried, monotonic() - begun, new


if __name__ == "__main__":
    sys.exit(main())
