"""Which charts stand in which part of the page."""

from collections.abc import Mapping

from portfolio_ml.report.charts import portfolio
from portfolio_ml.report.charts.drift import drift
from portfolio_ml.report.charts.exhibit import Exhibit
from portfolio_ml.report.charts.model_exhibits import model_exhibits
from portfolio_ml.report.facts import Facts

Exhibits = Mapping[str, tuple[Exhibit, ...]]


def exhibits(facts: Facts) -> Exhibits:
    """The charts by the part of the page: course, parts, segments, each judged target, drift."""
    currency, own = facts.currency, facts.portfolio
    segments = portfolio.segments(
        facts.segments, facts.segment_profiles, currency=currency, measure=facts.measure
    )
    return {
        "course": () if own is None else portfolio.course(own, currency=currency),
        "parts": () if own is None else _paired(portfolio.parts(own, currency=currency)),
        "segments": segments if facts.segments else (),
        **{model.target: model_exhibits(model, currency=currency) for model in facts.models},
        "drift": () if facts.drift is None else (drift(facts.drift),),
    }


def _paired(parts: tuple[Exhibit, ...]) -> tuple[Exhibit, ...]:
    """The same with the last one beside the first, so that what is told in pairs stays together."""
    return (parts[0], parts[-1], *parts[1:-1])
