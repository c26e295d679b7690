"""A chart with what a reader needs beside it: a title, what it shows, and its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portfolio_ml.report.charts.drawing import Chart, spec


@dataclass(frozen=True, slots=True)
class Numbers:
    """A chart's numbers as a table: texts as people read them, the first of a row names it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


NO_NUMBERS = Numbers((), ())


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A chart, or the reason why there is none.

    Attributes:
        name: Its key on the page, such as `sections-region`.
        title: What it is of.
        says: What it shows here, in a sentence; empty where there is no chart.
        how: How to read it, in a line.
        numbers: What is drawn.
        chart: The chart; None where there is nothing to draw.
        absent: Why there is none, in words; empty where there is one.
        notes: What is to be known of the figure, in sentences.
    """

    name: str
    title: str
    says: str
    how: str
    numbers: Numbers
    chart: Chart | None
    absent: str = ""
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What it shows, for those who do not see it."""
        return f"{self.title}. {self.says} {self.how} The table has its numbers."

    @property
    def spec(self) -> dict[str, Any] | None:
        """What the page's script draws: plain JSON values; None without a chart."""
        return None if self.chart is None else {**spec(self.chart), "description": self.text}


def missing(name: str, title: str, why: str, notes: Sequence[str] = ()) -> Exhibit:
    """An exhibit without a chart."""
    return Exhibit(name, title, "", "", NO_NUMBERS, None, absent=why, notes=tuple(notes))
