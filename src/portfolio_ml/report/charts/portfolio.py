"""The exhibits of the portfolio, in the order in which people read them."""

from collections.abc import Sequence

from portfolio_ml.report.charts.bridge import bridge
from portfolio_ml.report.charts.cohorts import cohorts
from portfolio_ml.report.charts.concentration import concentration
from portfolio_ml.report.charts.exhibit import Exhibit
from portfolio_ml.report.charts.projection import MEASURES, projection
from portfolio_ml.report.charts.sections import potential, revenue_of, risk_of, segment_shares
from portfolio_ml.report.charts.segment_map import segment_map
from portfolio_ml.report.charts.stream import months, stream
from portfolio_ml.report.customers import Group, Profile
from portfolio_ml.report.portfolio_facts import PortfolioFacts


def course(facts: PortfolioFacts, *, currency: str = "") -> tuple[Exhibit, ...]:
    """How the portfolio moves: the stream, months, cohorts, value, and what it becomes."""
    ahead = (projection(facts, measure, currency=currency) for measure in MEASURES)
    value = bridge(facts, currency=currency)
    return (stream(facts), months(facts), cohorts(facts), value, *ahead)


def parts(facts: PortfolioFacts, *, currency: str = "") -> tuple[Exhibit, ...]:
    """What its parts bring: concentration, sections with what is at risk in them, potential."""
    sections = [
        exhibit
        for dimension in facts.dimensions
        for exhibit in (
            revenue_of(dimension, currency=currency),
            *([] if dimension.value_at_risk is None else [risk_of(dimension, currency=currency)]),
        )
    ]
    return (
        concentration(facts, currency=currency),
        *sections,
        potential(facts, currency=currency),
    )


def segments(
    groups: Sequence[Group],
    profiles: Sequence[Profile],
    *,
    currency: str = "",
    measure: str = "revenue",
) -> tuple[Exhibit, ...]:
    """The map of the segments, and what each brings."""
    return (
        segment_map(groups, profiles, currency=currency),
        segment_shares(groups, measure=measure),
    )
