"""Retention: of those who first bought in the same months, how many bought in each period after."""

from collections.abc import Sequence

import altair as alt

from portfolio_ml.report.charts.drawing import FLUID, Chart, values
from portfolio_ml.report.charts.exhibit import Exhibit, Numbers, missing
from portfolio_ml.report.number import percent, plain, share
from portfolio_ml.report.portfolio_facts import PortfolioFacts
from portfolio_ml.report.portfolio_records import CohortPeriod

NAME, TITLE = "cohorts", "Who still buys: cohorts by first purchase"
MOST_COHORTS, MOST_PERIODS = 16, 12
ROW = 26
STRONG = 0.75
"""From this part of the darkest colour on, numbers in a cell are set in the paper's colour."""


def cohorts(facts: PortfolioFacts) -> Exhibit:
    """The retention triangle of the latest cohorts, over their first periods."""
    remarks = facts.of("cohorts")
    shown = _shown(facts.cohorts)
    if not any(c.share is not None for c in shown):
        why = remarks.absent or "no cohort's first period is over yet"
        return missing(NAME, TITLE, why, remarks.notes)
    names = list(dict.fromkeys(c.cohort for c in shown))
    left_out = len({c.cohort for c in facts.cohorts}) - len(names)
    return Exhibit(
        name=NAME,
        title=TITLE,
        says=_says(shown),
        how="A cell: the percentage of a cohort's customers who bought in those 90 days after "
        "their first purchase; the stronger the colour, the more. Empty: not over yet for everyone."
        + (f" Drawn: the {len(names)} latest cohorts." if left_out else ""),
        numbers=_numbers(shown, names),
        chart=_triangle(shown, names),
        notes=remarks.notes,
    )


def _shown(cells: Sequence[CohortPeriod]) -> tuple[CohortPeriod, ...]:
    latest = {*list(dict.fromkeys(c.cohort for c in cells))[-MOST_COHORTS:]}
    first = {*sorted({c.period for c in cells})[:MOST_PERIODS]}
    return tuple(c for c in cells if c.cohort in latest and c.period in first)


def _says(shown: Sequence[CohortPeriod]) -> str:
    """The first period of all cohorts against the last that several cohorts, or one, know."""
    periods = sorted({c.period for c in shown if c.share is not None})
    first, last = _rate(shown, periods[0]), _rate(shown, periods[-1])
    opening = (
        f"{percent(first, 0)} of the customers bought again within 90 days of their first purchase"
    )
    if len(periods) == 1:
        return f"{opening}."
    return (
        f"{opening}; in the {len(periods)}th period of 90 days {percent(last, 0)} of those who are "
        "old enough did."
        if len(periods) > 3
        else f"{opening}; in the last period shown, {percent(last, 0)} did."
    )


def _rate(shown: Sequence[CohortPeriod], period: str) -> float | None:
    told = [c for c in shown if c.period == period and c.bought is not None]
    return share(sum(c.bought or 0 for c in told), sum(c.customers for c in told))


def _triangle(shown: Sequence[CohortPeriod], names: Sequence[str]) -> Chart:
    cells = [
        {"cohort": c.cohort, "days": _last_day(c), "share": c.share,
         "told": f"{100 * (c.share or 0):.0f}"}
        for c in shown
        if c.share is not None
    ]  # fmt: skip
    most = max(float(c.share or 0) for c in shown) or 1.0
    count = len({c["days"] for c in cells})
    base = alt.Chart(values(cells)).encode(
        alt.X(
            "days:O",
            axis=alt.Axis(labelAngle=0, orient="top", labelOverlap=True, grid=False),
            title="up to so many days after the first purchase",
        ),
        alt.Y("cohort:N", sort=[*names], axis=alt.Axis(grid=False), title=None),
    )
    color = alt.Color("share:Q", scale=alt.Scale(domain=[0, most]), legend=None)
    small = alt.ExprRef(f"clamp(width / {count} / 2.6, 7, 12)")
    text = base.mark_text(fontSize=small, baseline="middle").encode(text="told:N")
    strong = STRONG * most
    return alt.layer(
        base.mark_rect(style="cell").encode(color),
        text.transform_filter(alt.datum.share < strong),
        base.mark_text(fontSize=small, baseline="middle", style="reversed")
        .encode(text="told:N")
        .transform_filter(alt.datum.share >= strong),
    ).properties(width=FLUID, height=ROW * len(names))


def _last_day(cell: CohortPeriod) -> int:
    return int(cell.period.rpartition("-")[2])


def _numbers(shown: Sequence[CohortPeriod], names: Sequence[str]) -> Numbers:
    periods = sorted({c.period for c in shown})
    found = {(c.cohort, c.period): c for c in shown}
    size = {c.cohort: c.customers for c in shown}
    rows = tuple(
        (
            name,
            plain(size[name]),
            *(percent(c.share, 0) if (c := found.get((name, p))) else "" for p in periods),
        )
        for name in names
    )
    days = (f"{int(p[:4])} to {int(p.rpartition('-')[2])} days" for p in periods)
    return Numbers(("First purchase", "Customers", *days), rows)
