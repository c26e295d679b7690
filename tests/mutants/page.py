"""The figures as a table, and their section of docs/reference/hardening.md."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.told_anew import Place, told_anew

_HEAD = """\
| part | mutants | tried | killed | timeouts | equivalent | survived | score | day |
|---|---:|---:|---:|---:|---:|---:|---:|---|
"""
PLACE = Place("mutants", "make mutants", _HEAD)


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of a subject's mutants, counted.

    Attributes:
        name: The subject.
        of: All mutants that there are.
        tried: Those of the sample.
        killed: Noticed by a test.
        timeouts: Noticed because the tests did not end.
        equivalent: Explained in `equivalent.toml`, and not run.
        survived: Noticed by nobody.
        day: When the last of them was tried; "" where none was.
    """

    name: str
    of: int
    tried: int
    killed: int
    timeouts: int
    equivalent: int
    survived: int
    day: str = ""

    @property
    def score(self) -> str:
        """The share that was noticed, of those that can be; a dash where none was tried."""
        can_be = self.tried - self.equivalent
        return f"{(self.killed + self.timeouts) / can_be:.1%}" if can_be else "–"

    @property
    def row(self) -> str:
        """Its row of the table."""
        counts = f"{self.of:,} | {self.tried:,} | {self.killed:,} | {self.timeouts}"
        left = f"{self.equivalent} | {self.survived} | {self.score} | {self.day or '–'}"
        return f"| {self.name} | {counts} | {left} |\n"


def table(figures: Iterable[Figures]) -> str:
    """The figures as a Markdown table."""
    return _HEAD + "".join(each.row for each in figures)


def written(page: str, figures: Sequence[Figures], parts: Iterable[str]) -> str:
    """The page with the rows of what was tried; those of the other parts, all in order, stay."""
    rows = {each.name: each.row for each in figures if each.day}
    measured = f"Measured on {_processor()}, {os.cpu_count()} cores."
    return told_anew(page, PLACE, rows=rows, parts=parts, measured=measured)


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    text = known.read_text() if known.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else "a processor that does not tell its name"
