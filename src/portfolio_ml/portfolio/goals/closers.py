"""Who would close the gap of a goal: customers and what each would add, the most first."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import NO_SCORES, Book
from portfolio_ml.portfolio.goals.attained import Attained
from portfolio_ml.portfolio.stock import Stock
from portfolio_ml.portfolio.sums import grouped
from portfolio_ml.schema import MONEY_SCALE

POTENTIAL = 0.75
"""A customer could bring what the customer at this quantile of its section brings."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Closers:
    """Customers who together would close a gap.

    Attributes:
        place: Which customers of today's stock, in their order.
        adds: What each would add to the goal's figure; for revenue shares, after those before it.
        reaches: What would be attained with it and all before it.
        reasons: In words.
        closes: Whether they close the gap.
        why: Why there are none, or not enough; else empty.
    """

    place: NDArray[np.int64]
    adds: Floats
    reaches: Floats
    reasons: tuple[str, ...]
    closes: bool
    why: str = ""


def closers(book: Book, found: Attained) -> Closers:
    """Whose return or growth would close the gap of a goal: as few as do, those who add most first.

    For `customers` they are inactive ones, each counted with its probability to return (of its own
    accord, within the churn horizon); for `average_ticket`, those who order for less than the
    median of their peers (of the goal's customers in the same section, see
    `portfolio.representatives.section`), each brought up to it; for `revenue_share`, active ones
    of the section below the 75th percentile of its revenue, each brought up to that. All that could
    be added where that is not enough; nobody where the goal is reached, or its day has passed.
    """
    if not found.is_open:
        return _none(closes=found.gap == 0, why=found.why)
    if found.goal.figure == "customers":
        if not book.has_scores:
            return _none(closes=False, why=f"who may return is not known: {NO_SCORES}")
        return _returning(book.now, found)
    if found.goal.figure == "average_ticket":
        return _ordering_more(book, found)
    return _growing(book.now, found)


def _returning(now: Stock, found: Attained) -> Closers:
    chance = np.nan_to_num(now.column("p_return"))
    add = np.where(found.among & ~now.is_active, chance, 0.0)
    place = _ranked(add)
    percent = np.rint(chance * 100).astype(np.int64).tolist()
    recency = now.column("recency_days").astype(np.int64).tolist()  # quicker to word
    return _enough(
        found,
        place,
        found.now + np.cumsum(add[place]),
        lambda n: f"returns with a probability of {percent[n]}%; last bought {recency[n]} days ago",
    )


def _ordering_more(book: Book, found: Attained) -> Closers:
    now = book.now
    orders = now.money("orders_365d")
    revenue = now.money("revenue") / MONEY_SCALE
    is_told = found.among & (orders > 0)
    ticket = np.divide(revenue, orders, out=np.full(now.count, np.nan), where=is_told)
    section = book.settings.representatives.section
    labels = now.section(section) if now.has(section) else np.full(now.count, "all", object)
    usual = np.full(now.count, np.nan)
    names, group = grouped(labels[is_told])
    own = ticket[is_told]
    medians = np.array([np.median(own[group == n]) for n in range(names.size)])
    usual[is_told] = medians[group]
    add = np.where(is_told, np.maximum(usual - ticket, 0) * orders, 0.0)
    add = np.nan_to_num(add) / max(float(orders[is_told].sum()), 1.0)
    place = _ranked(add)
    whose = f" of {section} " if now.has(section) else ""
    return _enough(
        found,
        place,
        found.now + np.cumsum(add[place]),
        lambda n: (
            f"{orders[n]} orders at {ticket[n]:,.2f}; {usual[n]:,.2f} is usual among its peers"
            + (f"{whose}{labels[n]}" if whose else "")
        ),
    )


def _growing(now: Stock, found: Attained) -> Closers:
    revenue = now.money("revenue") / MONEY_SCALE
    among = found.among & now.is_active
    if not among.any():
        return _none(closes=False, why="no customer of the section is active")
    could = float(np.quantile(revenue[among], POTENTIAL))
    add = np.where(among, np.maximum(could - revenue, 0), 0.0)
    place = _ranked(add)
    more = np.cumsum(add[place])
    section, whole = float(revenue[found.among].sum()), float(revenue.sum())
    return _enough(
        found,
        place,
        (section + more) / (whole + more),
        lambda n: f"brings {revenue[n]:,.2f} a year; a quarter of its section bring {could:,.2f}",
    )


def _enough(
    found: Attained, place: NDArray[np.int64], reaches: Floats, reason: Callable[[int], str]
) -> Closers:
    """The first of them with whom the target is reached; all, where it is not."""
    if not place.size:
        return _none(closes=False, why="there is nobody who could add to it")
    slack = 1e-9 * found.goal.target
    closes = bool(reaches[-1] >= found.goal.target - slack)
    count = int(np.argmax(reaches >= found.goal.target - slack)) + 1 if closes else place.size
    taken = place[:count]
    why = ""
    if not closes:
        why = f"all {count} together would bring it to {reaches[-1]:,.4g}, which is not enough"
    return Closers(
        place=taken,
        adds=np.diff(reaches[:count], prepend=found.now),
        reaches=reaches[:count],
        reasons=tuple(map(reason, taken.tolist())),
        closes=closes,
        why=why,
    )


def _ranked(add: Floats) -> NDArray[np.int64]:
    """Who adds anything, the most first; of equals the one whose id comes first."""
    order = np.argsort(-add, kind="stable")
    return order[: np.count_nonzero(add > 0)]


def _none(*, closes: bool, why: str) -> Closers:
    empty = np.zeros(0)
    return Closers(np.zeros(0, np.int64), empty, empty, (), closes=closes, why=why)
