"""Every figure of the portfolio, in the order in which people read them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from threadpoolctl import threadpool_limits

from portfolio_ml.errors import ConfigError, nearest
from portfolio_ml.portfolio import (
    concentration,
    sections,
)
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.contact import (
    decision_times,
    engagement,
    touches,
)
from portfolio_ml.portfolio.figure import Figure, contract_of, present
from portfolio_ml.portfolio.flow import (
    cohorts,
    flow,
    health,
    lifecycle,
    monthly_flow,
    projection,
)
from portfolio_ml.portfolio.goals import (
    goals,
)
from portfolio_ml.portfolio.keeping import (
    advocates,
    leaving,
    potential,
    pre_churn,
    release,
    response,
    winback,
)
from portfolio_ml.portfolio.loyalty import (
    loyalty,
    members,
)
from portfolio_ml.portfolio.representatives import (
    handover,
    matches,
    representatives,
)
from portfolio_ml.portfolio.representatives.matching import matching
from portfolio_ml.portfolio.returns import (
    profitability,
)
from portfolio_ml.portfolio.selling import (
    cross_sell_pairs,
    cross_selling,
    key_dates,
    next_category,
    next_category_evidence,
    prospects,
    reorder_evidence,
    reorders,
)
from portfolio_ml.portfolio.selling.reordering import reordering
from portfolio_ml.portfolio.today import (
    daily_list,
)
from portfolio_ml.schema import Column, Table
from portfolio_ml.steps import Progress, unheard

Found = Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that are computed together.

    Attributes:
        contracts: Their tables, in the order in which `compute` gives the figures.
        compute: Computes them from the book, and from the figures that `needs` names.
        needs: Figures of other groups.
    """

    contracts: tuple[Table, ...]
    compute: Callable[[Book, Found], Sequence[Figure]]
    needs: tuple[str, ...] = ()


def _alone(contract: Table, compute: Callable[[Book], Figure]) -> Group:
    return Group((contract,), lambda book, _: (compute(book),))


def _next_category(book: Book, _: Found) -> tuple[Figure, ...]:
    # Its matrices are small: more threads of the algebra would only wait for each other.
    with threadpool_limits(1, user_api="blas"):
        learnt = cross_selling.cross_selling(book)
        told = next_category.next_category(book, learnt)
    return (
        told,
        next_category_evidence.next_category_evidence(book, learnt),
        cross_sell_pairs.cross_sell_pairs(book, learnt),
    )


def _prospects(book: Book, _: Found) -> tuple[Figure, ...]:
    fit = prospects.fit_of(book)
    return prospects.prospect_fit(book, fit), prospects.prospect_traits(book, fit)


def _reorders(book: Book, _: Found) -> tuple[Figure, ...]:
    learnt = reordering(book)
    return reorders.reorders(book, learnt), reorder_evidence.reorder_evidence(book, learnt)


def _representatives(book: Book, _: Found) -> tuple[Figure, ...]:
    deals = book.deals()
    return (
        representatives.representatives(book, deals),
        representatives.representatives_by_section(book, deals),
    )


def _matches(book: Book, _: Found) -> tuple[Figure, ...]:
    found = matching(book, book.deals())
    return matches.matches(book, found), matches.workloads(book, found)


def _handovers(book: Book, _: Found) -> tuple[Figure, ...]:
    found = handover.handovers(book, book.deals())
    return found, handover.handovers_by_pair(book, found)


def _goals(book: Book, _: Found) -> tuple[Figure, ...]:
    progress = goals.progress(book)
    return goals.goals(book, progress), goals.goal_customers(book, progress)


GROUPS: tuple[Group, ...] = (
    Group(
        (daily_list.DAILY_LIST,),
        lambda book, found: (daily_list.daily_list(book, found),),
        needs=daily_list.NEEDS,
    ),
    _alone(sections.SECTIONS, sections.sections),
    _alone(concentration.CONCENTRATION, concentration.concentration),
    _alone(concentration.LORENZ, concentration.lorenz),
    _alone(concentration.CORE_CUSTOMERS, concentration.core_customers),
    _alone(lifecycle.LIFECYCLE, lifecycle.lifecycle),
    _alone(lifecycle.TRANSITIONS, lifecycle.transitions),
    _alone(flow.FLOW, flow.flow),
    _alone(monthly_flow.MONTHLY_FLOW, monthly_flow.monthly_flow),
    _alone(cohorts.COHORTS, cohorts.cohorts),
    _alone(health.HEALTH, health.health),
    Group(
        (projection.PROJECTION, projection.PROJECTION_CHECK),
        lambda book, _: projection.projections(book),
    ),
    Group((pre_churn.PRE_CHURN, pre_churn.QUALITY), lambda book, _: pre_churn.pre_churn(book)),
    Group((potential.POTENTIAL, potential.REACH), lambda book, _: potential.potential(book)),
    _alone(response.RESPONSE, lambda book: book.once(response.response)),
    _alone(winback.WINBACK, winback.winback),
    _alone(leaving.LEAVING, leaving.leaving),
    _alone(release.RELEASE, release.release),
    _alone(advocates.ADVOCATES, advocates.advocates),
    Group(
        (
            next_category.NEXT_CATEGORY,
            next_category_evidence.NEXT_CATEGORY_EVIDENCE,
            cross_sell_pairs.CROSS_SELL_PAIRS,
        ),
        _next_category,
    ),
    Group((reorders.REORDERS, reorder_evidence.REORDER_EVIDENCE), _reorders),
    _alone(key_dates.KEY_DATES, key_dates.key_dates),
    Group((prospects.PROSPECT_FIT, prospects.PROSPECT_TRAITS), _prospects),
    _alone(engagement.ENGAGEMENT, engagement.engagement),
    _alone(touches.TOUCHES, touches.touches),
    _alone(decision_times.DECISION_TIMES, decision_times.decision_times),
    Group((representatives.REPRESENTATIVES, representatives.BY_SECTION), _representatives),
    Group((matches.MATCHES, matches.WORKLOADS), _matches),
    Group((handover.HANDOVERS, handover.BY_PAIR), _handovers),
    Group((goals.GOALS, goals.GOAL_CUSTOMERS), _goals),
    _alone(profitability.VALUATION_RETURNS, profitability.valuation_returns),
    _alone(profitability.STOCK_RETURNS, profitability.stock_returns),
    Group(
        (loyalty.LOYALTY_BALANCES, loyalty.LOYALTY_PROGRAMME, loyalty.LOYALTY_TIERS),
        lambda book, _: loyalty.loyalty(book, book.points),
    ),
    _alone(members.LOYALTY_MEMBERS, lambda book: members.members(book, book.points)),
)
"""The figures in the order in which people read them, those that share a computation together."""

CONTENTS = contract_of(
    "figures",
    grain="one figure",
    key=("figure",),
    columns=(
        Column("figure", pa.string(), "what it is called: the name of its table"),
        Column("title", pa.string(), "what it tells"),
        Column("row_count", pa.int64(), "rows of its table"),
        Column("absent", pa.string(), "why it could not be computed", null="it was"),
        Column("notes", pa.string(), "what to know of it, in sentences", null="nothing"),
    ),
)


def contracts() -> tuple[Table, ...]:
    """The tables of all figures, in their order."""
    return (*(contract for group in GROUPS for contract in group.contracts), CONTENTS)


def demand_known(names: Collection[str]) -> None:
    """Refuse names of figures that there are not.

    Raises:
        ConfigError: One of them is no figure; the message lists those there are.
    """
    known = [contract.name for contract in contracts() if contract is not CONTENTS]
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            raise ConfigError(
                f"there is no figure {name!r}",
                do=f"did you mean {guess!r}?" if guess else f"choose from {', '.join(known)}",
            )


def figures(
    book: Book, names: Collection[str] = (), *, progress: Progress = unheard
) -> list[Figure]:
    """The figures, in the order in which people read them.

    Args:
        book: What they are computed from.
        names: Which ones; all of them where none is named.
        progress: Told which share of them is done.
    """
    groups = {contract.name: group for group in GROUPS for contract in group.contracts}
    wanted = [name for name in groups if not names or name in names]
    found: dict[str, Figure] = {}
    for done, name in enumerate(wanted, start=1):
        _compute(name, groups, book, found)
        progress(done / len(wanted))
    return [found[name] for name in wanted]


def _compute(
    name: str, groups: Mapping[str, Group], book: Book, found: dict[str, Figure]
) -> Figure:
    """A figure, computed now with those of its group and those that it needs, if it was not yet."""
    if name not in found:
        group = groups[name]
        needs = {need: _compute(need, groups, book, found) for need in group.needs}
        found.update({figure.name: figure for figure in group.compute(book, needs)})
    return found[name]


def contents(found: Collection[Figure], book: Book) -> Figure:
    """What figures there are, and why others are absent."""
    columns = {
        "figure": [figure.name for figure in found],
        "title": [figure.title for figure in found],
        "row_count": [figure.rows.num_rows for figure in found],
        "absent": [figure.absent or None for figure in found],
        "notes": ["; ".join(figure.notes) or None for figure in found],
    }
    return present(CONTENTS, "The figures", columns, as_of=book.as_of)
