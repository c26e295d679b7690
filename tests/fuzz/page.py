"""What fuzzing found, as a table, and its section of docs/reference/hardening.md."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

BEGIN, END = "<!-- fuzz: made by `make fuzz` -->\n", "<!-- /fuzz -->"
_HEAD = """\
| part | seeds | inputs tried | seconds | CPU seconds | findings | day |
|---|---:|---:|---:|---:|---:|---|
"""


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


def told_anew(page: str, fuzzed: Sequence[Fuzzed], parts: Iterable[str], machine: str) -> str:
    """The page with these rows; those of the other parts stay.

    Args:
        page: Its text.
        fuzzed: What was fuzzed now.
        parts: All parts, in the order of the rows.
        machine: What it ran on.

    Raises:
        ValueError: It has no place for the table.
    """
    before, is_there, rest = page.partition(BEGIN)
    old, is_ended, after = rest.partition(END)
    if not (is_there and is_ended):
        raise ValueError("the page has no place for the table")
    rows = dict(re.findall(r"^(?=\| (\w+) \| [\d,])(.*\n)", old, re.MULTILINE))
    rows |= {one.part: one.row for one in fuzzed}
    told = "".join(rows[part] for part in parts if part in rows)
    return f"{before}{BEGIN}\n{_HEAD}{told}\nMeasured on {machine}.\n\n{END}{after}"
