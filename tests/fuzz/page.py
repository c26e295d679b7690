"""What fuzzing found, as a table, and its section of docs/reference/hardening.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from tests.told_anew import Place, told_anew

_HEAD = """\
| part | seeds | inputs tried | seconds | CPU seconds | findings | day |
|---|---:|---:|---:|---:|---:|---|
"""
PLACE = Place("fuzz", "make fuzz", _HEAD)


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What became of a part.

    Attributes:
        part: What was fuzzed.
        seeds: How many known inputs it began from.
        tried: The inputs, seeds too.
        seconds: How long, with the start of its processes.
        cpu: What these took of a processor, in seconds; less where others used it too.
        findings: How many inputs broke a promise.
        day: When.
    """

    part: str
    seeds: int
    tried: int
    seconds: float
    cpu: float
    findings: int
    day: date

    @property
    def row(self) -> str:
        """Its row of the table."""
        figures = f"{self.seeds:,} | {self.tried:,} | {self.seconds:,.0f} | {self.cpu:,.0f}"
        return f"| {self.part} | {figures} | {self.findings} | {self.day} |\n"


def table(fuzzed: Iterable[Fuzzed]) -> str:
    """The parts as a Markdown table."""
    return _HEAD + "".join(one.row for one in fuzzed)


def written(page: str, fuzzed: Sequence[Fuzzed], parts: Iterable[str], machine: str) -> str:
    """The page with these rows; those of the other parts, all in their order, stay."""
    rows = {one.part: one.row for one in fuzzed}
    return told_anew(page, PLACE, rows=rows, parts=parts, measured=f"Measured on {machine}.")
