"""What the portfolio becomes within a year, with the interval and two plain guesses."""

from collections.abc import Sequence

import altair as alt

from portfolio_ml.report.charts.drawing import FLUID, Chart, amounts, values
from portfolio_ml.report.charts.exhibit import Exhibit, Numbers, missing
from portfolio_ml.report.number import day, plain
from portfolio_ml.report.portfolio_facts import PortfolioFacts
from portfolio_ml.report.portfolio_records import Projected

MEASURES = ("active", "revenue")
_TITLES = {"active": "Active customers, within a year", "revenue": "Revenue to come, within a year"}
HEIGHT = 230
MONTHS_BEFORE = 18


def projection(facts: PortfolioFacts, measure: str, *, currency: str = "") -> Exhibit:
    """The projection of one of `MEASURES`; that of active customers follows on their past."""
    remarks = facts.of("projection")
    name, title = f"projection-{measure}", _TITLES[measure]
    ahead = [p for p in facts.projection if p.measure == measure]
    if not ahead:
        return missing(name, title, remarks.absent or "nothing is projected", remarks.notes)
    last = ahead[-1]
    unit = f" {currency}" if currency and measure == "revenue" else ""
    what = "customers are expected to be active" if measure == "active" else "of revenue"
    until = f"on {day(last.day)}" if measure == "active" else f"are expected by {day(last.day)}"
    between = f"80 % interval {plain(last.low)} to {plain(last.high)}"
    return Exhibit(
        name=name,
        title=title,
        says=f"{plain(last.expected)}{unit} {what} {until} ({between}).",
        how="Solid: expected; shaded: its 80 % interval. Triangles: if all stayed as it is."
        + (" Squares: if the last year were repeated." if _has_repeated(ahead) else ""),
        numbers=_numbers(ahead, currency if measure == "revenue" else ""),
        chart=_fan(facts, ahead, currency),
        notes=tuple(n for n in remarks.notes if n.startswith(measure) or not _of_one(n)),
    )


def _of_one(note: str) -> bool:
    return note.startswith(MEASURES)


def _has_repeated(ahead: Sequence[Projected]) -> bool:
    return any(p.if_repeated is not None for p in ahead)


def _fan(facts: PortfolioFacts, ahead: Sequence[Projected], currency: str) -> Chart:
    measure = ahead[0].measure
    past = facts.months[-MONTHS_BEFORE:] if measure == "active" else ()
    now = past[-1].active_end if past else (0.0 if measure == "revenue" else None)
    rows = [
        {"day": p.day.isoformat(), "expected": p.expected, "low": p.low, "high": p.high,
         "same": p.if_unchanged, "repeated": p.if_repeated}
        for p in ahead
    ]  # fmt: skip
    if now is not None:  # the fan opens where the past ends
        start = {"day": facts.as_of.isoformat(), "expected": now, "low": now, "high": now}
        rows.insert(0, {**start, "same": None, "repeated": None})
    title = "active customers" if measure == "active" else f"revenue from {day(facts.as_of)} on"
    title += f" ({currency})" if currency and measure == "revenue" else ""
    axis = alt.Axis(format="%b %y", tickCount=5, grid=False, labelOverlap=True)
    x = alt.X("day:T", axis=axis, title=None)
    scale = alt.Scale(zero=True)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=scale, axis=amounts(), title=title)

    base = alt.Chart(values(rows)).encode(x)
    layers: list[alt.Chart] = [
        base.mark_area(style="band").encode(y("low"), alt.Y2("high:Q")),
        base.mark_line(strokeDash=[1, 0]).encode(y("expected")),
        base.mark_point(size=40).encode(y("expected")),
    ]
    if past:
        before = [{"day": m.last_day.isoformat(), "seen": m.active_end} for m in past]
        layers.insert(0, alt.Chart(values(before)).mark_line(style="past").encode(x, y("seen")))
    shapes = [("same", "triangle-up"), ("repeated", "square")]
    for field, shape in shapes:
        told = [row for row in rows if row[field] is not None]
        if told:
            marks = alt.Chart(values(told)).mark_point(shape=shape, style="guess", filled=False)
            layers.append(marks.encode(x, y(field)))
    return alt.layer(*layers).properties(width=FLUID, height=HEIGHT)


def _numbers(ahead: Sequence[Projected], currency: str) -> Numbers:
    unit = f" ({currency})" if currency else ""
    has_repeated = _has_repeated(ahead)
    rows = tuple(
        (day(p.day), plain(p.expected), plain(p.low), plain(p.high), plain(p.if_unchanged))
        + ((plain(p.if_repeated),) if has_repeated else ())
        for p in ahead
    )
    columns = ("Day", f"Expected{unit}", "Low", "High", "If all stayed as it is")
    return Numbers(columns + (("If the last year is repeated",) if has_repeated else ()), rows)
