"""Customers' habits: what a purchase day of theirs usually is, and how the last three differ.

A change is told only where a customer's own scatter does not explain it: the mean logarithm of the
last three purchase days against that of all earlier ones, by a one-sided t-test on the spread of
the earlier ones. Logarithms, because a purchase ten times as large shall not speak for ten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from portfolio_ml.engine import Frame
from portfolio_ml.features.cut import KEYS, seen_at
from portfolio_ml.features.days import RECENT_PURCHASE_DAYS
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.stock import Stock
from portfolio_ml.portfolio.sums import ratio
from portfolio_ml.schema import MONEY_SCALE

FEWEST_EARLIER = 3
"""So many earlier purchase days are needed to tell a customer's habit."""
CHANCE = 0.05
"""A change that chance brings about so often, or less, is told."""
SMALLEST_CHANGE = 0.2
"""A change of less than a fifth is not worth a word, however sure."""
LEAST_SPREAD = 0.05
"""What always was the same to the cent may still change by this much by chance (a log)."""
LOG_SCALE = 10_000.0
# Logarithms are added up in whole 1/10,000, so that the sum does not depend on the order of rows.

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Change:
    """A habit, the last three purchase days against all earlier ones; shape (customers,).

    Attributes:
        recent: The usual (geometric mean) of the last three.
        earlier: The usual of the earlier ones; NaN with fewer than three of them.
        is_less: Whether it fell, by a fifth at least and by more than scatter explains.
        is_more: Whether it rose so.
    """

    recent: Floats
    earlier: Floats
    is_less: Flags
    is_more: Flags

    @property
    def ratio(self) -> Floats:
        """Recent / earlier, minus 1; NaN with fewer than three earlier ones."""
        return np.asarray(self.recent / self.earlier - 1, np.float64)


@dataclass(frozen=True, slots=True)
class Habits:
    """How the customers of a stock bought by its date; every array has shape (customers,).

    Attributes:
        ticket: Spend of a purchase day, currency units.
        lines: Lines of a purchase day.
        gap_recent_days: Mean of the last three gaps; NaN without a gap.
        gap_earlier_days: Mean of the gaps before; NaN without one.
        irregularity: Standard deviation of the gaps / their mean; NaN under three purchase days.
        discount_recent: Discounts / (spend + discounts) of the last three purchase days; NaN where
            no discount is mapped or nothing cost anything.
        discount_earlier: The same of all earlier ones.
        returned_last: Whether something was returned on the last purchase day or later.
    """

    ticket: Change
    lines: Change
    gap_recent_days: Floats
    gap_earlier_days: Floats
    irregularity: Floats
    discount_recent: Floats
    discount_earlier: Floats
    returned_last: Flags


def habits_of(inputs: Inputs, stocks: Sequence[Stock]) -> Mapping[int, Habits]:
    """The habits of the customers of some stocks, by their day, in one query."""
    sums = inputs.engine.collect(_sums(inputs, [stock.as_of_day for stock in stocks]))
    return {stock.as_of_day: _habits(stock.beside(sums)) for stock in stocks}


def habits_today(book: Book) -> Habits:
    """The habits of today's customers; ask for them by `Book.once`."""
    return habits_of(book.inputs, [book.now])[book.as_of_day]


def _sums(inputs: Inputs, days: Sequence[int]) -> Frame:
    is_recent, is_purchase = nw.col("is_recent"), nw.col("is_purchase")
    parts = {"recent": is_recent, "earlier": is_purchase & ~is_recent}
    gap = nw.col("gap_days").cast(nw.Float64)
    sums: dict[str, nw.Expr] = {
        "gaps": gap.count(),
        "gap_sum": gap.sum(),
        "gap_squares": (gap * gap).sum(),
        "recency": nw.when(is_purchase).then(nw.col("age_days")).min(),
        "returned_age": nw.when(nw.col("returned") > 0).then(nw.col("age_days")).min(),
    }
    for part, where in parts.items():
        for name in ("spend", "lines"):
            is_told = where & (nw.col(name) > 0)
            # A logarithm of 0 is an error in DuckDB, even in a branch that is not taken.
            some = nw.when(is_told).then(nw.col(name))
            log = (some.log() * LOG_SCALE).round()
            sums |= {
                f"{name}_{part}_count": some.count(),
                f"{name}_{part}_sum": log.sum(),
                f"{name}_{part}_squares": (log * log).sum(),
            }
        sums |= {
            f"gap_{part}_count": nw.when(where).then(gap).count(),
            f"gap_{part}_sum": nw.when(where).then(gap).sum(),
        }
        if "discount" in inputs.columns:
            taken = nw.when(where).then(nw.col("discount")).otherwise(0).sum()
            sums[f"discount_{part}"] = taken
            sums[f"net_{part}"] = nw.when(where).then(nw.col("spend")).otherwise(0).sum()
    return seen_at(inputs, days).group_by(*KEYS).agg(**sums).sort(*KEYS)


def _habits(sums: Mapping[str, Floats]) -> Habits:
    unknown = np.full(sums["gaps"].shape, np.nan)

    def discount(part: str) -> Floats:
        if f"discount_{part}" not in sums:
            return unknown
        taken = sums[f"discount_{part}"]
        return ratio(taken, taken + sums[f"net_{part}"])

    return Habits(
        ticket=_change(sums, "spend", unit=MONEY_SCALE),
        lines=_change(sums, "lines", unit=1),
        gap_recent_days=ratio(sums["gap_recent_sum"], sums["gap_recent_count"]),
        gap_earlier_days=ratio(sums["gap_earlier_sum"], sums["gap_earlier_count"]),
        irregularity=_irregularity(sums["gaps"], sums["gap_sum"], sums["gap_squares"]),
        discount_recent=discount("recent"),
        discount_earlier=discount("earlier"),
        returned_last=sums["returned_age"] <= sums["recency"],
    )


def _change(sums: Mapping[str, Floats], name: str, *, unit: float) -> Change:
    """The last three purchase days against the earlier ones."""
    recent_count, count = sums[f"{name}_recent_count"], sums[f"{name}_earlier_count"]
    is_told = (recent_count == RECENT_PURCHASE_DAYS) & (count >= FEWEST_EARLIER)
    recent = ratio(sums[f"{name}_recent_sum"], recent_count) / LOG_SCALE
    total, squares = sums[f"{name}_earlier_sum"], sums[f"{name}_earlier_squares"]
    earlier = np.where(is_told, ratio(total, count) / LOG_SCALE, np.nan)
    spread = np.maximum(_deviation(count, total, squares) / LOG_SCALE, LEAST_SPREAD)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (recent - earlier) / (spread * np.sqrt(1 / recent_count + 1 / count))
    freedom = np.nan_to_num(np.maximum(count - 1, 1), nan=1.0).astype(np.int64)
    by_freedom = np.asarray(stats.t.isf(CHANCE, np.arange(1, freedom.max(initial=1) + 1)))
    needed = by_freedom[freedom - 1]
    change = np.exp(recent - earlier) - 1
    return Change(
        recent=np.exp(recent) / unit,
        earlier=np.exp(earlier) / unit,
        is_less=is_told & (t <= -needed) & (change <= -SMALLEST_CHANGE),
        is_more=is_told & (t >= needed) & (change >= SMALLEST_CHANGE),
    )


def _irregularity(count: Floats, total: Floats, squares: Floats) -> Floats:
    return ratio(_deviation(count, total, squares), ratio(total, count))


def _deviation(count: Floats, total: Floats, squares: Floats) -> Floats:
    """The standard deviation (n - 1); NaN of fewer than two."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spare = np.maximum(squares - total * total / count, 0.0)
        return np.where(count > 1, np.sqrt(spare / (count - 1)), np.nan)
