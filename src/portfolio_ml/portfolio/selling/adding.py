"""How likely a customer is to add a category within a period, by what became of others like it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.features.cut import KEYS, seen_at
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.portfolio.selling.first_purchases import FirstPurchases
from portfolio_ml.portfolio.stock import Stock

_OWNED_FROM = (2, 3, 4, 6, 11)
_DAYS_FROM = (2, 4, 10)
_PRIOR_CUSTOMERS = 20.0
"""A group's share is shrunk to that of all as if so many further customers were in it."""


@dataclass(frozen=True, slots=True)
class Active:
    """The active customers at a day who own a category.

    Attributes:
        rows: Their rows among the first purchases.
        owned: What they own, shape (customers, categories).
        late: What of it they began with of late, likewise.
        purchase_days: On how many days they had bought.
    """

    rows: NDArray[np.int64]
    owned: NDArray[np.bool_]
    late: NDArray[np.bool_]
    purchase_days: NDArray[np.float64]

    @property
    def group(self) -> NDArray[np.int64]:
        """By how many categories they own and on how many days they bought."""
        by_owned = np.searchsorted(_OWNED_FROM, self.owned.sum(axis=1), side="right")
        by_days = np.searchsorted(_DAYS_FROM, self.purchase_days, side="right")
        return np.asarray(by_owned * (len(_DAYS_FROM) + 1) + by_days, np.int64)


@dataclass(frozen=True, slots=True)
class Chance:
    """What became of groups of customers.

    Attributes:
        share: The share of each group that added a category within the period.
        added: How many categories those who added some did add, on average.
        correction: How many recommended categories were added over how many were expected to be;
            who adds several does not draw them independently.
    """

    share: NDArray[np.float64]
    added: float
    correction: float = 1.0

    def of(self, customers: Active, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability that each adds a category which is so large a share of what is added."""
        told = np.minimum(self.added * share, 1) * self.correction
        found: NDArray[np.float64] = np.minimum(self.share[customers.group] * told, 1)
        return found


def active_at(
    inputs: Inputs, firsts: FirstPurchases, days: Sequence[int], *, activity_days: int
) -> Mapping[int, Active]:
    """The active customers at each of some days who own a category, of those in `firsts`."""
    if not days:
        return {}
    seen = seen_at(inputs, days).filter(nw.col("is_purchase"))
    counted = seen.group_by(*KEYS).agg(
        recency_days=nw.col("age_days").min(), purchase_days=nw.len().cast(nw.Float64)
    )
    is_active = nw.col("recency_days") < activity_days
    table = inputs.engine.collect(counted.filter(is_active).sort("as_of", "customer"))
    return {day: _of(table.filter(pc.equal(table["as_of"], day)), firsts, day) for day in days}


def active_of(stock: Stock, firsts: FirstPurchases) -> Active:
    """The active customers of today's stock who own a category."""
    rows = stock.rows.filter(pa.array(stock.is_active)).select(["customer", "purchase_days"])
    return _of(rows, firsts, stock.as_of_day)


def _of(table: pa.Table, firsts: FirstPurchases, day: int) -> Active:
    numbers = table["customer"].to_numpy()
    _, place, rows = np.intersect1d(numbers, firsts.customers, return_indices=True)
    owned = firsts.owned_by(day)[rows]
    late = firsts.begun_by(day)[rows]
    has = owned.any(axis=1)
    purchase_days = table["purchase_days"].to_numpy()[place][has].astype(np.float64)
    return Active(rows[has], owned[has], late[has], purchase_days)


def chance_of_adding(
    firsts: FirstPurchases, at: Mapping[int, Active], *, horizon_days: int
) -> Chance:
    """The chance to add a category, from what became of the active customers at some days.

    Args:
        firsts: Who bought what first when, a period after the last of the days included.
        at: The active customers at days in the history.
        horizon_days: How long the period is.
    """
    size = (len(_OWNED_FROM) + 1) * (len(_DAYS_FROM) + 1)
    count, adders, categories = np.zeros(size), np.zeros(size), 0.0
    for day, customers in at.items():
        new = ~customers.owned & firsts.owned_by(day + horizon_days)[customers.rows]
        count += np.bincount(customers.group, minlength=size)
        adders += np.bincount(customers.group[new.any(axis=1)], minlength=size)
        categories += float(new.sum())
    overall = adders.sum() / count.sum() if count.sum() else 0.0
    share = (adders + _PRIOR_CUSTOMERS * overall) / (count + _PRIOR_CUSTOMERS)
    return Chance(share, categories / adders.sum() if adders.sum() else 0.0)
