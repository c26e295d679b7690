"""Which charts stand in which part of the page."""

from collections.abc import Mapping

from portfolio_ml.report import words
from portfolio_ml.report.charts import models, portfolio
from portfolio_ml.report.charts.exhibit import NO_NUMBERS, Exhibit
from portfolio_ml.report.evidence import ModelFacts
from portfolio_ml.report.facts import Facts

Exhibits = Mapping[str, tuple[Exhibit, ...]]


def exhibits(facts: Facts) -> Exhibits:
    """The charts by the part of the page: course, parts, segments, and each judged target."""
    currency, own = facts.currency, facts.portfolio
    segments = portfolio.segments(
        facts.segments, facts.segment_profiles, currency=currency, measure=facts.measure
    )
    return {
        "course": () if own is None else portfolio.course(own, currency=currency),
        "parts": () if own is None else _paired(portfolio.parts(own, currency=currency)),
        "segments": segments if facts.segments else (),
        **{model.target: _of_model(model, currency) for model in facts.models},
    }


def _paired(parts: tuple[Exhibit, ...]) -> tuple[Exhibit, ...]:
    """The same with the last one beside the first, so that what is told in pairs stays together."""
    return (parts[0], parts[-1], *parts[1:-1])


def _of_model(model: ModelFacts, currency: str) -> tuple[Exhibit, ...]:
    return tuple(
        Exhibit(
            name=f"{model.target.replace('_', '-')}-{name.replace('_', '-')}",
            title=words.caption(name, model.measure),
            says="",
            how=words.chart_note(name),
            numbers=NO_NUMBERS,
            chart=chart,
        )
        for name, chart in models.drawn(model, currency=currency).items()
    )
