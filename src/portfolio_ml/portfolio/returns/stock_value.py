"""What a stock of customers was worth at some dates, and what became of it in between.

Two things happen to the value of a stock: customers are recruited, which is money put in and no
performance, and the customers who were there are worth more or less than before, those who are
lost included. What they earned meanwhile is performance too, and is taken out of the stock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Worth:
    """What each customer of a stock is expected to bring, at a date.

    Attributes:
        as_of: The date.
        customers: Their numbers, each once.
        value: What each is expected to bring, currency units, shape (customers,).
    """

    as_of: date
    customers: NDArray[np.int64]
    value: Floats


@dataclass(frozen=True, slots=True)
class StockPeriod:
    """What became of the value of a stock from one date to the next; currency units.

    Attributes:
        since: The date at its start.
        until: The date at its end.
        customers: Customers at the start.
        recruits: Customers at the end who were not there at the start.
        value_before: The value at the start.
        value_kept: The value at the end of those who were there at the start.
        value_recruited: The value at the end of the recruits.
        earned: What those who were there at the start brought.
        recruits_earned: What the recruits brought.
    """

    since: date
    until: date
    customers: int
    recruits: int
    value_before: float
    value_kept: float
    value_recruited: float
    earned: float
    recruits_earned: float

    @property
    def value_after(self) -> float:
        """The value at the end."""
        return self.value_kept + self.value_recruited

    @property
    def cash_flow(self) -> float:
        """What was put in at the end: the recruits' value, minus what was earned and taken out."""
        return self.value_recruited - self.earned


def stock_periods(worths: Sequence[Worth], earned: Sequence[Floats]) -> list[StockPeriod]:
    """What became of a stock's value in each of the periods between some dates.

    Args:
        worths: The stock at each of the dates, ascending; all valued alike, by one model version.
        earned: Per period, what each customer of the stock at its end brought in it.

    Example:
        >>> then = Worth(date(2023, 12, 31), np.array([1, 2]), np.array([60.0, 40.0]))
        >>> now = Worth(date(2024, 12, 31), np.array([1, 2, 3]), np.array([70.0, 10.0, 30.0]))
        >>> [year] = stock_periods([then, now], [np.array([25.0, 0.0, 5.0])])
        >>> year.value_before, year.value_kept, year.earned, year.cash_flow
        (100.0, 80.0, 25.0, 5.0)
    """
    found = []
    for (before, after), brought in zip(pairwise(worths), earned, strict=True):
        was_there = np.isin(after.customers, before.customers, kind="sort")
        period = StockPeriod(
            since=before.as_of,
            until=after.as_of,
            customers=before.customers.size,
            recruits=int(np.count_nonzero(~was_there)),
            value_before=float(before.value.sum()),
            value_kept=float(after.value[was_there].sum()),
            value_recruited=float(after.value[~was_there].sum()),
            earned=float(brought[was_there].sum()),
            recruits_earned=float(brought[~was_there].sum()),
        )
        found.append(period)
    return found
