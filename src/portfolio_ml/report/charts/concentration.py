"""How few customers bring how much: the curve of concentration."""

import altair as alt

from portfolio_ml.report.charts.drawing import FLUID, HEIGHT, Chart, values
from portfolio_ml.report.charts.exhibit import Exhibit, Numbers, missing
from portfolio_ml.report.number import day, percent, plain
from portfolio_ml.report.portfolio_facts import PortfolioFacts
from portfolio_ml.report.portfolio_records import Concentrated, CurvePoint

NAME, TITLE = "concentration", "How few customers bring how much"
TOLD = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)


def concentration(facts: PortfolioFacts, *, currency: str = "") -> Exhibit:
    """The share of the revenue from the largest customers."""
    remarks, now = facts.of("concentration"), facts.concentration
    if now is None or not facts.curve:
        why = remarks.absent or "nobody brought revenue within the last 365 days"
        return missing(NAME, TITLE, why, remarks.notes)
    then = facts.concentration_then
    return Exhibit(
        name=NAME,
        title=TITLE,
        says=_says(now, then, currency),
        how="Customers from the largest to the smallest. Dashed: if all brought the same."
        + ("" if then is None else f" Dotted: on {day(then.day)}."),
        numbers=_numbers(facts),
        chart=_curve(facts, now),
        notes=remarks.notes,
    )


def _says(now: Concentrated, then: Concentrated | None, currency: str) -> str:
    unit = f" {currency}" if currency else ""
    before = "" if then is None else f" ({percent(then.top_share, 0)} on {day(then.day)})"
    return (
        f"The top 20 % of customers bring {percent(now.top_share, 0)} of the revenue{before}; "
        f"{plain(now.core_customers)} of {plain(now.customers)} make up 80 % of "
        f"{plain(now.revenue)}{unit}."
    )


def _curve(facts: PortfolioFacts, now: Concentrated) -> Chart:
    scale = alt.Scale(domain=[0, 1], nice=False)
    axis = alt.Axis(format="%", tickCount=5)
    x = alt.X("customers:Q", scale=scale, axis=axis, title="customers, largest first")
    y = alt.Y("revenue:Q", scale=scale, axis=axis, title="share of the revenue")

    def drawn(points: tuple[CurvePoint, ...]) -> alt.Chart:
        rows = [{"customers": p.customer_share, "revenue": p.largest_hold} for p in points]
        return alt.Chart(values(rows))

    even = alt.Chart(values([{"customers": 0, "revenue": 0}, {"customers": 1, "revenue": 1}]))
    top = {"customers": now.top_customers / now.customers, "revenue": now.top_share}
    says = f"{percent(top['customers'], 0)} bring {percent(now.top_share, 0)}"
    dot = alt.Chart(values([{**top, "told": says}])).encode(x, y)
    told = dot.encode(text="told:N")
    layers = [even.mark_line(style="reference").encode(x, y)]
    if facts.curve_then:
        then = drawn(facts.curve_then).mark_line(style="before")
        layers.append(then.encode(x, y))
    layers += [
        drawn(facts.curve).mark_line().encode(x, y),
        dot.mark_point(size=70),
        told.mark_text(align="left", dx=9, dy=10, style="halo"),
        told.mark_text(align="left", dx=9, dy=10),
    ]
    return alt.layer(*layers).properties(width=FLUID, height=HEIGHT)


def _numbers(facts: PortfolioFacts) -> Numbers:
    then = {round(p.customer_share, 2): p.largest_hold for p in facts.curve_then}
    rows = [
        (percent(p.customer_share, 0), percent(p.largest_hold))
        + ((percent(then.get(round(p.customer_share, 2))),) if then else ())
        for p in facts.curve
        if round(p.customer_share, 2) in TOLD
    ]
    columns = ("Customers, largest first", "Of the revenue", *(("Of that then",) if then else ()))
    return Numbers(columns, tuple(rows))
