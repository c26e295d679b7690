"""Purchase weeks: the history as a chain of weeks in which customers bought, seen from any week.

Weeks are counted back from the as-of day: week 0 is the last seven days. A customer's state at a
week's end is how long the last purchase week lies back, and the pace: the mean of the last gaps
between purchase weeks. Those who buy every week are other people than those who buy every quarter.
"""

from dataclasses import dataclass

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from portfolio_ml.features.cut import seen_at
from portfolio_ml.portfolio.book import Book
from portfolio_ml.timeline import Span

WEEK_DAYS = 7
YEAR_WEEKS = 52
OLDEST = 104
"""Weeks since the last purchase week from which on they are not told apart any more."""
MOST_ROWS = 1_000_000
PACE_GAPS = 26
"""Of so many last gaps the pace is the mean."""
PACE_ENDS = np.array([1.2, 1.6, 2.2, 3.2, 5.0, 8.0, 13.0, 24.0])
"""The longest mean gap of each class of paces but the slowest, in weeks."""
FIRST = PACE_ENDS.size + 1
"""The class of those who bought in one week only."""
CLASSES = FIRST + 1


@dataclass(frozen=True, slots=True)
class PurchaseWeeks:
    """The purchase weeks of the customers, or of a part of them that stands for all.

    Rows are sorted by customer and time; arrays have shape (rows,), but for `first_day`.

    Attributes:
        place: Which of the customers, from 0.
        week: How many weeks before the as-of day.
        after: The purchase week after it; -1 for the last.
        pace: The class of the customer's pace, that week included.
        net: Net revenue of the week, in 1/10,000 unit.
        first_day: The day number of each customer's first purchase, shape (customers,).
        all_net: Net revenue of each week of the history, those without purchases included, shape
            (weeks,).
        weeks: How many whole weeks the history holds.
        window: The activity window in weeks, not always a whole number.
        every: One of how many customers is in it.
    """

    place: NDArray[np.int64]
    week: NDArray[np.int64]
    after: NDArray[np.int64]
    pace: NDArray[np.int64]
    net: NDArray[np.float64]
    first_day: NDArray[np.int64]
    all_net: NDArray[np.float64]
    weeks: int
    window: float
    every: int

    def active_weight(self, weeks_since: NDArray[np.int64]) -> NDArray[np.float64]:
        """The chance to be active so many weeks after the last purchase week."""
        return np.clip(self.window - weeks_since, 0.0, 1.0)

    def last_rows(self, origin: int) -> NDArray[np.intp]:
        """The last purchase week of each customer who had bought by the end of a week."""
        return np.flatnonzero((self.week >= origin) & ((self.after < origin) | (self.after < 0)))

    def has_purchases(self, origin: int) -> bool:
        """Whether anybody bought within the year up to the end of a week."""
        return bool(((self.week >= origin) & (self.week < origin + YEAR_WEEKS)).any())

    def active(self, origin: int) -> float:
        """How many were active at the end of a week."""
        return float(self.active_weight(self.week[self.last_rows(origin)] - origin).sum())

    def revenue(self, newest: int, oldest: int) -> float:
        """The net revenue of some weeks, both included."""
        return float(self.all_net[newest : oldest + 1].sum())


def paces(week: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of the pace at each purchase week.

    Args:
        week: How many weeks back, each customer's purchase weeks from the earliest on.
        rank: How many purchase weeks of the customer came before.

    Example:
        >>> paces(np.array([9, 8, 4, 5]), np.array([0, 1, 2, 0])).tolist()
        [9, 0, 3, 9]
    """
    gaps = np.minimum(rank, PACE_GAPS)
    mean = (week[np.arange(week.size) - gaps] - week) / np.maximum(gaps, 1)
    return np.where(gaps == 0, FIRST, np.searchsorted(PACE_ENDS, mean, side="left"))


def purchase_weeks(book: Book) -> PurchaseWeeks:
    """The purchase weeks up to the as-of date; of part of the customers where they are many."""
    engine = book.inputs.engine
    weeks = Span(book.inputs.span.first_day, book.as_of_day).days // WEEK_DAYS
    seen = seen_at(book.inputs, [book.as_of_day])
    rows = engine.collect(seen.select(rows=nw.len()))["rows"][0].as_py()
    every = -(-rows // MOST_ROWS)
    some = seen.filter(nw.col("customer") % every == 0)
    week = (nw.col("age_days") // WEEK_DAYS).alias("week")
    per_week = (
        some.select(
            "customer", week, "is_purchase", "day", net=nw.col("spend") - nw.col("returned")
        )
        .group_by("customer", "week")
        .agg(
            has_bought=nw.col("is_purchase").any(),
            first_day=nw.when(nw.col("is_purchase")).then(nw.col("day")).min(),
            net=nw.col("net").sum(),
        )
    )
    found = engine.collect(per_week.sort("customer", "week", descending=[False, True]))
    has_bought = found["has_bought"].to_numpy().astype(bool)
    all_week, all_net = (found[name].to_numpy() for name in ("week", "net"))
    customer = found["customer"].to_numpy()[has_bought]
    on = all_week[has_bought].astype(np.int64)
    _, start, place = np.unique(customer, return_index=True, return_inverse=True)
    is_start = np.zeros(on.size, bool)
    is_start[start] = True
    is_end = np.append(is_start[1:], True)[: on.size]
    return PurchaseWeeks(
        place=place.astype(np.int64),
        week=on,
        after=np.where(is_end, -1, np.roll(on, -1)),
        pace=paces(on, np.arange(on.size) - start[place]),
        net=all_net[has_bought],
        first_day=found["first_day"].to_numpy()[has_bought][start].astype(np.int64),
        all_net=np.bincount(all_week, weights=all_net, minlength=weeks + 1).astype(np.float64),
        weeks=weeks,
        window=book.frozen.activity_days / WEEK_DAYS,
        every=every,
    )
