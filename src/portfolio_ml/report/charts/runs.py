"""Charts that a run in MLflow has, as PNG: those of the page and some that only the run has."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from portfolio_ml.report.charts.drawing import HEIGHT, LABELS, WIDTH, Chart, to_png, values
from portfolio_ml.report.charts.models import drawn
from portfolio_ml.report.customers import Group
from portfolio_ml.report.evidence import model_facts
from portfolio_ml.wording import value_name

Points = Sequence[Mapping[str, float]]

SHOWN_FEATURES = 20
_SIZE = {"width": WIDTH, "height": HEIGHT}


def plots(judgement: Mapping[str, Any], *, currency: str = "") -> dict[str, bytes]:
    """The charts of a judgement (as given by `Judgement.to_dict`) as PNG, by file name."""
    model = model_facts(judgement)
    charts = drawn(model, currency=currency)
    return {f"{model.target}_{name}.png": to_png(chart) for name, chart in charts.items()}


def segment_plots(segments: Sequence[Group], *, measure: str = "revenue") -> dict[str, bytes]:
    """The profile of the segments as PNG, by file name; empty without segments."""
    return {"segments_profile.png": to_png(profile(segments, measure=measure))} if segments else {}


def profile(groups: Sequence[Group], *, measure: str = "revenue") -> Chart:
    """Each group's share of the customers beside its share of the expected value."""
    rows = [
        {"group": g.name, "of": of, "share": value}
        for g in groups
        for of, value in (
            ("customers", g.customer_share),
            (f"expected {value_name(measure)}", g.ltv_share),
        )
        if value is not None
    ]
    bars = alt.Chart(values(rows)).mark_bar()
    bars = bars.encode(
        alt.Y(
            "group:N",
            sort=[g.name for g in groups],
            axis=alt.Axis(grid=False, title=None, labelLimit=2 * LABELS),
        ),
        alt.X("share:Q", axis=alt.Axis(format="%", tickCount=5), title="share of the whole"),
        alt.YOffset("of:N"),
        alt.Color("of:N"),
    )
    chart: alt.Chart = bars.properties(height=alt.Step(16))
    return chart


def lift(points: Points) -> Chart:
    """How many times as many churners as in a random draw, by the share of customers taken.

    Args:
        points: The gains curve: `share` of customers, `found` of churners.
    """
    rows = [{"share": p["share"], "lift": p["found"] / p["share"]} for p in points if p["share"]]
    curve = (
        alt.Chart(values(rows))
        .mark_line()
        .encode(
            alt.X(
                "share:Q",
                axis=alt.Axis(format="%", tickCount=5),
                title="customers, highest risk first",
            ),
            alt.Y("lift:Q", scale=alt.Scale(zero=True), title="times as many churners"),
        )
    )
    even = alt.Chart(values([{"at": 1.0}])).mark_rule(style="reference").encode(alt.Y("at:Q"))
    return alt.layer(even, curve).properties(**_SIZE)


def lorenz(points: Points) -> Chart:
    """The share of all value that the best customers hold: as predicted, and by hindsight."""
    rows = [
        {"share": p["share"], "of": name, "value": p[key]}
        for p in points
        for name, key in (("by prediction", "found"), ("by what followed", "held"))
    ]
    axis = alt.Axis(format="%", tickCount=5)
    scale = alt.Scale(domain=[0, 1], nice=False)
    curves = (
        alt.Chart(values(rows))
        .mark_line()
        .encode(
            alt.X("share:Q", axis=axis, scale=scale, title="customers, highest value first"),
            alt.Y("value:Q", axis=axis, scale=scale, title="share of all value"),
            # the theme's own colour of lines would win over that of their kind
            alt.Color("of:N", scale=alt.Scale(domain=["by prediction", "by what followed"])),
            alt.StrokeDash("of:N", legend=None),
        )
    )
    ends = alt.Chart(values([{"at": 0.0}, {"at": 1.0}])).mark_line(style="reference")
    return alt.layer(ends.encode(alt.X("at:Q"), alt.Y("at:Q")), curves).properties(**_SIZE)


def coverage_by_tier(sections: Sequence[Mapping[str, Any]], *, coverage: float) -> Chart:
    """The share of outcomes inside the intervals, by value tier, and the share that was meant."""
    rows = [
        {"tier": s["part"], "coverage": s["coverage"]}
        for s in sections
        if s["section"] == "value_tier" and s["coverage"] is not None
    ]
    bars = (
        alt.Chart(values(rows))
        .mark_bar(width=28)
        .encode(
            alt.X("tier:N", axis=alt.Axis(labelAngle=0, grid=False), title="value tier"),
            alt.Y(
                "coverage:Q",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format="%", tickCount=5),
                title="outcomes inside the interval",
            ),
        )
    )
    meant = alt.Chart(values([{"at": coverage}])).mark_rule(style="reference")
    return alt.layer(bars, meant.encode(alt.Y("at:Q"))).properties(**_SIZE)


def importance(shares: Mapping[str, float]) -> Chart:
    """The features that the trees gain most from, with their share of the gain."""
    names = [*shares][:SHOWN_FEATURES]
    rows = [{"feature": name, "share": shares[name]} for name in names]
    bars = alt.Chart(values(rows)).mark_bar()
    bars = bars.encode(
        alt.Y(
            "feature:N",
            sort=names,
            axis=alt.Axis(grid=False, title=None, labelLimit=2 * LABELS),
        ),
        alt.X("share:Q", axis=alt.Axis(format="%", tickCount=5), title="share of the gain"),
    )
    chart: alt.Chart = bars.properties(height=alt.Step(14))
    return chart


def judgement_plots(judged: Mapping[str, Any], *, coverage: float) -> dict[str, bytes]:
    """The charts of a judgement (as given by `Judgement.to_dict`) as PNG, by file name."""
    target, curves, sections = judged["target"], judged["curves"], judged["sections"]
    charts: dict[str, Chart] = {}
    if points := curves.get("gains"):
        charts["lift"] = lift(points)
    if points := curves.get("lorenz"):
        charts["lorenz"] = lorenz(points)
    if any(s["section"] == "value_tier" and s["coverage"] is not None for s in sections):
        charts["coverage_by_tier"] = coverage_by_tier(sections, coverage=coverage)
    return {f"{target}_{name}.png": to_png(chart) for name, chart in charts.items()}


def importance_plots(
    target: str, importances: Mapping[str, Mapping[str, float]]
) -> dict[str, bytes]:
    """Per ensemble its most important features as PNG, by file name."""
    return {
        f"{target}_importance_{part.replace(' ', '_')}.png": to_png(importance(shares))
        for part, shares in importances.items()
        if shares
    }
