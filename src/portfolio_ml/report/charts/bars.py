"""Bars with their names above them: as readable on a phone as on a wide page."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from portfolio_ml.report.charts.drawing import FLUID, Chart, amounts, values

STEP, THICK, DOWN = 40, 11, 8
SHOWN = 12
"""More bars than that are no picture any more: the table has the others."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        name: What it is of.
        length: How long it is.
        told: What stands at its right end.
        mark: Where a line across it stands, for comparison; None for none.
        part: How much of it is dark, for a part of the whole; None where all of it is.
    """

    name: str
    length: float
    told: str
    mark: float | None = None
    part: float | None = None


def named_bars(bars: Sequence[Bar], *, title: str, is_share: bool = True) -> Chart:
    """The bars from above to below.

    Args:
        bars: At most some dozens.
        title: Of the axis.
        is_share: Whether lengths are shares of a whole; else they are amounts.
    """
    rows = [
        {"row": n, "name": b.name, "length": b.length, "told": b.told, "mark": b.mark,
         "part": b.length if b.part is None else b.part}
        for n, b in enumerate(bars)
    ]  # fmt: skip
    base = alt.Chart(values(rows)).encode(
        alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    )
    axis = alt.Axis(format="%", tickCount=4) if is_share else amounts(tickCount=4)
    layers: list[alt.Chart] = [
        base.mark_bar(height=THICK, yOffset=DOWN).encode(alt.X("part:Q", axis=axis, title=title))
    ]
    if any(b.part is not None for b in bars):
        layers.insert(
            0,
            base.mark_bar(height=THICK, yOffset=DOWN, opacity=0.35).encode(
                alt.X("length:Q", axis=axis)
            ),
        )
    if any(b.mark is not None for b in bars):
        line = base.mark_tick(style="mark", orient="vertical", size=15, thickness=3, yOffset=DOWN)
        layers.append(line.encode(alt.X("mark:Q")))
    names = base.mark_text(align="left", dy=-7, limit=alt.ExprRef("width * 0.55"))
    told = base.mark_text(align="right", dy=-7, style="quiet", limit=alt.ExprRef("width * 0.45"))
    layers += [
        names.encode(x=alt.value(0), text="name:N"),
        told.encode(x=alt.value("width"), text="told:N"),
    ]
    return alt.layer(*layers).properties(width=FLUID, height=STEP * len(bars))
