"""The first time each customer bought each category: what cross-selling is learnt from.

A day here is the day from which a purchase was known, so that nothing that was recorded later can
be seen from a day in the history.
"""

from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.selling.category_days import category_days

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


def first_purchases(book: Book) -> FirstPurchases:
    """The first purchase of each category by each customer, of a book whose lines tell it."""
    bought = category_days(book)
    firsts = bought.days.group_by("customer", "code").agg(day=nw.col("known_day").min())
    rows = book.inputs.engine.collect(firsts)
    numbers, codes = rows["customer"].to_numpy(), rows["code"].to_numpy()
    # Codes are in the order of names, which breaks ties.
    ranked = np.argsort(-np.bincount(codes, minlength=len(bought.categories)), kind="stable")
    chosen, left_out = ranked[:MOST_CATEGORIES], ranked[MOST_CATEGORIES:].size
    place = np.full(ranked.size, -1)
    place[chosen] = np.arange(chosen.size)
    is_chosen = place[codes] >= 0
    row = np.full(1 + numbers.max(initial=-1), -1)
    row[numbers[is_chosen]] = 0
    customers = np.flatnonzero(row == 0)
    row[customers] = np.arange(customers.size)
    days = np.full((customers.size, chosen.size), NEVER, np.int32)
    of, at = row[numbers[is_chosen]], place[codes[is_chosen]]
    days[of, at] = rows["day"].to_numpy()[is_chosen]
    names = tuple(bought.categories[code] for code in chosen)
    return FirstPurchases(names, customers, days, left_out)


def first_amounts(book: Book, numbers: NDArray[np.int64]) -> pa.Table:
    """What some customers' first purchase day of each category came to.

    One row per customer and category, sorted: customer, category, amount (1/10,000 unit).

    Args:
        book: The portfolio; its lines tell their category.
        numbers: The customers' numbers in its inputs.
    """
    engine, bought = book.inputs.engine, category_days(book)
    some = engine.from_arrow(pa.table({"customer": pa.array(numbers, pa.int32())}))
    keys, day = ("customer", "code"), nw.col("known_day")
    days = bought.days.join(some, on="customer", how="semi").group_by(*keys, "known_day")
    spent = days.agg(amount=nw.col("amount").sum())
    first = spent.filter(day == day.min().over(*keys)).select(*keys, "amount")
    rows = engine.collect(first.sort(*keys))
    category = pa.array(bought.categories, pa.string()).take(rows["code"].combine_chunks())
    return pa.table(
        [rows["customer"], category, rows["amount"]], ["customer", "category", "amount"]
    )
