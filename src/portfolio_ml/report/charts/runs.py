"""Charts that a run in MLflow has, as PNG: those of the page and some that only the run has."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from portfolio_ml.report import words
from portfolio_ml.report.charts import models
from portfolio_ml.report.charts.drawing import LABELS, WIDTH, Chart, to_png, values
from portfolio_ml.report.charts.sections import segment_shares
from portfolio_ml.report.customers import Group
from portfolio_ml.report.evidence import model_facts
from portfolio_ml.report.number import percent
from portfolio_ml.report.words import INSIDE, LIFT
from portfolio_ml.wording import value_name

SHOWN_FEATURES = 20
LETTER = 6


def plots(judgement: Mapping[str, Any], *, currency: str = "") -> dict[str, bytes]:
    """The charts of a judgement (as given by `Judgement.to_dict`) as PNG, by file name."""
    model = model_facts(judgement)
    charts = models.drawn(model, currency=currency)
    return {
        f"{model.target}_{name}.png": _image(
            chart, words.caption(name, model.measure), words.chart_note(name)
        )
        for name, chart in charts.items()
    }


def segment_plots(segments: Sequence[Group], *, measure: str = "revenue") -> dict[str, bytes]:
    """The profile of the segments as PNG, by file name; empty without segments."""
    told = segment_shares(segments, measure=measure)
    if told.chart is None:
        return {}
    return {"segments_profile.png": _image(told.chart, told.title, told.how, width=2 * WIDTH)}


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
    model = model_facts(judged)
    images: dict[str, bytes] = {}
    if points := model.curves.get("gains"):
        images["lift"] = _image(models.lift(points), LIFT, "Dashed: customers in random order.")
    if points := model.curves.get("lorenz"):
        images["lorenz"] = _image(
            models.lorenz(points), f"Share of {value_name(model.measure)}", "Dashed: random order."
        )
    if tiers := [part for part in models.covered(model) if part.section == "value_tier"]:
        how = f"Line across: the {percent(coverage, 0)} that were meant."
        images["coverage_by_tier"] = _image(models.coverage(tiers, meant=coverage), INSIDE, how)
    return {f"{model.target}_{name}.png": image for name, image in images.items()}


def importance_plots(
    target: str, importances: Mapping[str, Mapping[str, float]]
) -> dict[str, bytes]:
    """Per ensemble its most important features as PNG, by file name."""
    return {
        f"{target}_importance_{part.replace(' ', '_')}.png": to_png(importance(shares))
        for part, shares in importances.items()
        if shares
    }


def _image(chart: Chart, title: str, how: str, *, width: int = WIDTH) -> bytes:
    """The chart as PNG under its title, as nothing else stands beside it in a run."""
    lines = textwrap.wrap(how, width // LETTER)
    above = alt.TitleParams(title, subtitle=lines)
    return to_png(chart.properties(title=above), width=width)
