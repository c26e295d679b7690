"""The figures as a table, and their section of docs/reference/hardening.md."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.mutants.subjects import ROOT

PAGE = ROOT / "docs" / "reference" / "hardening.md"
MEASURED = re.compile(
    r"(?<=<!-- mutants: made by `make mutants` -->\n).*?(?=<!-- /mutants -->)", re.DOTALL
)


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
    """

    name: str
    of: int
    tried: int
    killed: int
    timeouts: int
    equivalent: int
    survived: int

    @property
    def score(self) -> str:
        """The share that was noticed, of those that can be; a dash where none was tried."""
        can_be = self.tried - self.equivalent
        return f"{(self.killed + self.timeouts) / can_be:.1%}" if can_be else "–"


def table(figures: Sequence[Figures]) -> str:
    """The figures as a Markdown table."""
    head = "| part | mutants | tried | killed | timeouts | equivalent | survived | score |"
    rule = "|---|---:|---:|---:|---:|---:|---:|---:|"
    rows = [
        f"| {f.name} | {f.of:,} | {f.tried} | {f.killed} | {f.timeouts} | {f.equivalent} "
        f"| {f.survived} | {f.score} |"
        for f in figures
    ]
    return "\n".join((head, rule, *rows))


def write(figures: Sequence[Figures]) -> None:
    """The figures into the page, with the machine and the day."""
    day = datetime.now(tz=UTC).date().isoformat()
    measured = (
        f"\n{table(figures)}\n\nMeasured on {day}: {_processor()}, {os.cpu_count()} cores.\n\n"
    )
    PAGE.write_text(MEASURED.sub(lambda _: measured, PAGE.read_text()))


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    text = known.read_text() if known.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else "a processor that does not tell its name"
