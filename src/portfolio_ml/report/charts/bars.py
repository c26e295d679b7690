"""Bars with their names above them: as readable on a phone as on a wide page."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from portfolio_ml.report.charts.drawing import FLUID, Chart, amounts, values

STEP, THICK, DOWN = 40, 11, 8
LETTER = 7
"""About as wide, in pixels, is a letter."""
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
        part: How much of it is strong, for a part of the whole; None where all of it is.
        start: Where it begins.
        is_less: Whether it is something that went: it has the other colour.
    """

    name: str
    length: float
    told: str
    mark: float | None = None
    part: float | None = None
    start: float = 0.0
    is_less: bool = False


def named_bars(bars: Sequence[Bar], *, title: str, is_share: bool = True) -> Chart:
    """The bars from above to below.

    Args:
        bars: At most some dozens.
        title: Of the axis.
        is_share: Whether lengths are shares of a whole; else they are amounts.
    """
    rows = [
        {"row": n, "name": b.name, "start": b.start, "end": b.start + b.length, "told": b.told,
         "mark": b.mark, "strong": b.start + (b.length if b.part is None else b.part),
         "less": b.is_less}
        for n, b in enumerate(bars)
    ]  # fmt: skip
    base = alt.Chart(values(rows)).encode(_ROWS)
    axis = alt.Axis(format="%", tickCount=4) if is_share else amounts(tickCount=4)
    bar = base.mark_bar(height=THICK, yOffset=DOWN)
    strong = bar.encode(alt.X("strong:Q", axis=axis, title=title), alt.X2("start:Q"))
    layers: list[alt.Chart] = [strong]
    if any(b.part is not None for b in bars):
        faint = base.mark_bar(height=THICK, yOffset=DOWN, opacity=0.35)
        layers.insert(0, faint.encode(alt.X("end:Q", axis=axis, title=title), alt.X2("start:Q")))
    if any(b.is_less for b in bars):
        went = strong.transform_filter(alt.datum.less)
        layers = [
            strong.transform_filter(~alt.datum.less),
            went.mark_bar(height=THICK, yOffset=DOWN, style="other"),
        ]
    if any(b.mark is not None for b in bars):
        line = base.mark_tick(style="mark", orient="vertical", size=15, thickness=3, yOffset=DOWN)
        layers.append(line.encode(alt.X("mark:Q")))
    layers += _texts(base, bars)
    return alt.layer(*layers).properties(width=FLUID, height=STEP * len(bars))


@dataclass(frozen=True, slots=True)
class Span:
    """An estimate with its interval.

    Attributes:
        name: What it is of.
        low: The lower end.
        estimate: The estimate.
        high: The upper end.
        told: What stands at the right.
        is_main: Whether it is of the main kind: a full dot, where others have an empty one.
    """

    name: str
    low: float
    estimate: float
    high: float
    told: str
    is_main: bool


def named_spans(spans: Sequence[Span], *, title: str) -> Chart:
    """Estimates with their intervals from above to below, and a dashed line at zero."""
    rows = [
        {"row": n, "name": s.name, "low": s.low, "estimate": s.estimate, "high": s.high,
         "told": s.told, "main": s.is_main}
        for n, s in enumerate(spans)
    ]  # fmt: skip
    base = alt.Chart(values(rows)).encode(_ROWS)
    signs = "datum.value == 0 ? '0' : format(datum.value, '+.3~f')"
    axis = alt.Axis(tickCount=4, labelExpr=signs, labelOverlap="greedy", labelSeparation=6)
    zero = alt.Chart(values([{"at": 0.0}])).mark_rule(style="reference").encode(alt.X("at:Q"))
    rules = base.mark_rule(style="span", yOffset=DOWN).encode(
        alt.X("low:Q", axis=axis, title=title), alt.X2("high:Q")
    )
    dots = base.encode(alt.X("estimate:Q"))
    full = dots.transform_filter(alt.datum.main).mark_point(size=80, yOffset=DOWN)
    empty = dots.transform_filter(~alt.datum.main).mark_point(size=80, yOffset=DOWN, filled=False)
    return alt.layer(zero, rules, full, empty, *_texts(base, spans)).properties(
        width=FLUID, height=STEP * len(spans)
    )


_ROWS = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))


def _texts(base: alt.Chart, told: Sequence[Bar | Span]) -> list[alt.Chart]:
    """The name at the left and what is told at the right, which is short of room last."""
    room = LETTER * (max(len(row.told) for row in told) + 1)
    limit = alt.ExprRef(f"max(width - {room}, width / 2)")
    names = base.mark_text(align="left", dy=-7, limit=limit)
    ends = base.mark_text(align="right", dy=-7, style="quiet", limit=alt.ExprRef("width / 2"))
    return [
        names.encode(x=alt.value(0), text="name:N"),
        ends.encode(x=alt.value("width"), text="told:N"),
    ]
