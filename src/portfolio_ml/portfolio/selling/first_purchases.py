"""The first time each customer bought each category: what cross-selling is learnt from.

A day here is the day from which a purchase was known, so that nothing that was recorded later can
be seen from a day in the history.
"""

from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.engine import Frame
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.timeline import in_history

NO_CATEGORY = "lines tell no category: map data.transactions.columns.category"
MOST_CATEGORIES = 100
"""So many of the categories are looked at, those with the most customers."""
LATE_DAYS = 182
"""What was begun no longer ago than this was begun of late."""
NEVER = np.iinfo(np.int32).max
"""The day of what has not been bought."""


@dataclass(frozen=True, slots=True)
class FirstPurchases:
    """Who bought which category first on which day.

    Attributes:
        categories: The names of the categories, the most customers first.
        customers: The customers' numbers in the inputs, ascending.
        days: The day of each customer's first purchase of each category, `NEVER` where there is
            none, shape (customers, categories).
        left_out: How many categories there are beside them, with fewer customers.
    """

    categories: tuple[str, ...]
    customers: NDArray[np.int64]
    days: NDArray[np.int32]
    left_out: int = 0

    def of(self, numbers: NDArray[np.int64]) -> "FirstPurchases":
        """The same for some of the customers."""
        chosen = np.isin(self.customers, numbers)
        return FirstPurchases(
            self.categories, self.customers[chosen], self.days[chosen], self.left_out
        )

    def owned_by(self, day: int) -> NDArray[np.bool_]:
        """What each customer had bought on a day, shape (customers, categories)."""
        return self.days <= day

    def begun_by(self, day: int) -> NDArray[np.bool_]:
        """What each customer had begun to buy within half a year, likewise."""
        return (self.days <= day) & (day - self.beginnings < LATE_DAYS)

    @property
    def beginnings(self) -> NDArray[np.int32]:
        """The day on which each customer began to buy each category, shape as of `days`.

        That of the first purchase; but who was there within the first half year of the history may
        have been a customer before it: what its first day brought was begun too long ago.
        """
        if not self.days.size:
            return self.days
        start = self.days.min(axis=1, keepdims=True)
        first = self.days.min()
        may_be_old = (self.days == start) & (start - first < LATE_DAYS)
        return np.where(may_be_old, first - LATE_DAYS, self.days).astype(np.int32)


def first_purchases(inputs: Inputs, as_of_day: int) -> FirstPurchases:
    """The first purchase of each category by each customer, in history at a day.

    Args:
        inputs: The portfolio's tables; lines have a category.
        as_of_day: The last day to see.
    """
    engine = inputs.engine
    firsts = engine.keep(_firsts(inputs, as_of_day))
    counted = firsts.group_by("category").agg(customers=nw.len()).sort("category")
    names, left_out = _largest(engine.collect(counted))
    places = {"category": pa.array(names, pa.string()), "place": np.arange(len(names))}
    # Places instead of names: many millions of texts are much to carry over.
    placed = firsts.join(engine.from_arrow(pa.table(places)), on="category", how="inner")
    rows = engine.collect(placed.select("customer", "place", "day"))
    numbers = rows["customer"].to_numpy()
    row = np.full(1 + numbers.max(initial=-1), -1)
    row[numbers] = 0
    customers = np.flatnonzero(row == 0)
    row[customers] = np.arange(customers.size)
    days = np.full((customers.size, len(names)), NEVER, np.int32)
    days[row[numbers], rows["place"].to_numpy()] = rows["day"].to_numpy()
    return FirstPurchases(names, customers, days, left_out)


def first_amounts(inputs: Inputs, as_of_day: int) -> pa.Table:
    """What each customer's first purchase day of each category came to.

    One row per customer and category, sorted: customer, category, amount (1/10,000 unit).

    Args:
        inputs: The portfolio's tables; lines have a category.
        as_of_day: The last day to see.
    """
    keys = ("customer", "category")
    days = _bought(inputs, as_of_day).group_by(*keys, "day")
    spent = days.agg(amount=nw.col("amount").cast(nw.Float64).sum())
    first = nw.col("day").min().over(*keys)
    found = spent.filter(nw.col("day") == first).select(*keys, "amount")
    return inputs.engine.collect(found.sort(*keys))


def _firsts(inputs: Inputs, as_of_day: int) -> Frame:
    """One row per customer and category: the first day."""
    keys = ("customer", "category")
    return _bought(inputs, as_of_day).group_by(*keys).agg(day=nw.col("day").min())


def _bought(inputs: Inputs, as_of_day: int) -> Frame:
    """The purchases in history of which the category is told, by the day they were known from."""
    known = nw.col("known_day") if "known_day" in inputs.columns else nw.col("day")
    is_told = (nw.col("amount") >= 0) & ~nw.col("category").is_null()
    return inputs.lines.filter(in_history(known, as_of_day) & is_told).select(
        "customer", "category", "amount", day=known
    )


def _largest(counted: pa.Table) -> tuple[tuple[str, ...], int]:
    """The names of the categories with the most customers, and how many others there are."""
    order = [("customers", "descending"), ("category", "ascending")]
    names = counted.sort_by(order)["category"].to_pylist()
    return tuple(names[:MOST_CATEGORIES]), len(names[MOST_CATEGORIES:])
