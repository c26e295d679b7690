"""Signs that a customer is leaving: what is otherwise than it used to be with that customer.

Each compares an active customer with that customer's own past, at any date.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.config import Satisfaction
from portfolio_ml.features.cut import KEYS, seen_at
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.keeping.habits import Habits, habits_of, habits_today
from portfolio_ml.portfolio.keeping.talks import Talks, talks_of, talks_today
from portfolio_ml.portfolio.stock import Stock

FLAGGED_CYCLES = 2
OWN_PERCENTILE = 0.9
LATE_FROM = 1.25
"""So many typical gaps have passed: a day more than usual is not late, however regular they are."""

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Sign(NamedTuple):
    """A sign: its code, and what it is."""

    code: str
    meaning: str


MISSED = Sign(
    "missed_cycles", "two cycles missed or more, and away for longer than in 9 gaps of 10"
)
LATE = Sign("late", "a quarter longer away than usual, and longer than in 9 gaps of 10")
SMALLER = Sign("smaller_orders", "the last three purchase days were smaller than usual")
LARGER = Sign("larger_orders", "the last three purchase days were larger than usual")
NARROWER = Sign("fewer_lines", "the last three purchase days had fewer lines than usual")
WIDER = Sign("more_lines", "the last three purchase days had more lines than usual")
UNSATISFIED = Sign("less_satisfied", "satisfaction of the last 180 days fell below the usual")
QUIETER = Sign("fewer_interactions", "fewer interactions in 180 days than usual")
ANY = Sign("any_sign", "at least one of the signs")


@dataclass(frozen=True, slots=True)
class Signs:
    """The signs of a stock's customers; every array has shape (customers,).

    Attributes:
        stock: The customers.
        found: Who shows which sign; only active customers show any.
        told: In whom it could be told at all, those who show it included: for most signs, enough
            purchase days are needed.
        gap_90_days: The 90th percentile of the own gaps; NaN for those who are not away for
            longer than usual, or have fewer than three purchase days.
        habits: How they bought.
        talks: What interactions say; None where there are none.
    """

    stock: Stock
    found: Mapping[Sign, Flags]
    told: Mapping[Sign, Flags]
    gap_90_days: Floats
    habits: Habits
    talks: Talks | None


def signs_today(book: Book) -> Signs:
    """The signs of today's customers."""
    habits, talks = book.once(habits_today), book.once(talks_today)
    return _signs(book.now, habits, talks, _gaps(book.inputs, book.now))


def signs_of(inputs: Inputs, stock: Stock, *, settings: Satisfaction) -> Signs:
    """The signs of a stock's customers, as they were on its day.

    Args:
        inputs: What the stock is of.
        stock: The customers.
        settings: Which interactions tell satisfaction.
    """
    day = stock.as_of_day
    talks = talks_of(inputs, [stock], settings=settings).get(day)
    return _signs(stock, habits_of(inputs, [stock])[day], talks, _gaps(inputs, stock))


def _signs(stock: Stock, habits: Habits, talks: Talks | None, gap_90: Floats) -> Signs:
    with np.errstate(invalid="ignore"):
        is_late = stock.column("recency_days") > gap_90
        is_due = stock.column("recency_days") >= LATE_FROM * stock.column("typical_gap_days")
        is_missed = stock.column("missed_cycles") >= FLAGGED_CYCLES
    ticket, lines = habits.ticket, habits.lines
    has_rhythm = np.isfinite(stock.column("missed_cycles"))
    found = {
        MISSED: (is_late & is_missed, has_rhythm),
        LATE: (is_late & is_due & ~is_missed, has_rhythm & ~(is_late & is_missed)),
        SMALLER: (ticket.is_less, np.isfinite(ticket.earlier)),
        LARGER: (ticket.is_more, np.isfinite(ticket.earlier)),
        NARROWER: (lines.is_less, np.isfinite(lines.earlier)),
        WIDER: (lines.is_more, np.isfinite(lines.earlier)),
    }
    if talks is not None:
        both = np.isfinite(talks.satisfaction_recent + talks.satisfaction_earlier)
        found |= {
            UNSATISFIED: (talks.is_less_satisfied, both),
            QUIETER: (talks.is_quieter, np.isfinite(talks.expected)),
        }
    return Signs(
        stock=stock,
        found={sign: shown & stock.is_active for sign, (shown, _) in found.items()},
        told={sign: told & stock.is_active for sign, (_, told) in found.items()},
        gap_90_days=gap_90,
        habits=habits,
        talks=talks,
    )


def _gaps(inputs: Inputs, stock: Stock) -> Floats:
    """The 90th percentile of the gaps of those who are away for longer than usual, else NaN."""
    away = stock.rows.filter(pa.array(_is_away(stock))).select(["customer"])
    seen = seen_at(inputs, [stock.as_of_day]).filter(~nw.col("gap_days").is_null())
    theirs = seen.join(inputs.engine.from_arrow(away), on="customer", how="semi")
    gap = nw.col("gap_days").cast(nw.Float64).quantile(OWN_PERCENTILE, interpolation="linear")
    found = inputs.engine.collect(theirs.group_by(*KEYS).agg(gap=gap))
    return stock.beside(found)["gap"]


def _is_away(stock: Stock) -> Flags:
    """Who is active and away for longer than usual, and has a rhythm to tell by."""
    longer = stock.column("recency_days") > stock.column("typical_gap_days")
    return stock.is_active & longer & np.isfinite(stock.column("missed_cycles"))


def in_words(sign: Sign, signs: Signs, where: NDArray[np.int64]) -> list[str]:
    """A sign in words, for the customers at some places.

    Example:
        >>> _change("orders of", np.array([90.0]), np.array([150.0]))
        ['orders of 90 instead of 150']
    """
    habits, talks, stock = signs.habits, signs.talks, signs.stock
    if sign in (MISSED, LATE):
        days, gap = stock.column("recency_days")[where], stock.column("typical_gap_days")[where]
        return [f"away for {a:.0f} days, usually {g:.0f}" for a, g in zip(days, gap, strict=True)]
    if sign in (SMALLER, LARGER):
        return _change("purchases of", habits.ticket.recent[where], habits.ticket.earlier[where])
    if sign in (NARROWER, WIDER):
        return _change("lines a purchase:", habits.lines.recent[where], habits.lines.earlier[where])
    if talks is None:
        return [sign.meaning] * where.size
    if sign == UNSATISFIED:
        now, before = talks.satisfaction_recent[where], talks.satisfaction_earlier[where]
        return _change("satisfaction of", now, before)
    return _change("interactions in 180 days:", talks.recent[where], talks.expected[where])


def _change(what: str, now: Floats, before: Floats) -> list[str]:
    return [f"{what} {_shown(a)} instead of {_shown(b)}" for a, b in zip(now, before, strict=True)]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
