"""What customers who had one category added next, against what chance would have had them add.

An *addition* is a day, after the customer's first, on which it bought something of a category
that it had never bought before. Only what was owned before that day can have led to it, so pairs
are causal in time; both may still have a third cause.

What was owned is looked at in two ways. Owned at all tells of taste: who has the one likes the
other. Begun of late, within half a year, tells of the next step: a need that has just come up
brings another with it, and years of owning the one since would only hide that.

Chance is a customer who picks among the categories it does not own by how popular they are to add
in that period. Lift is what was observed over what chance expects. Periods keep apart what was
only sold late; picking among what is left keeps customers who own much from lifting everything.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.portfolio.selling.first_purchases import LATE_DAYS, NEVER, FirstPurchases

AT_ONCE = 50_000
"""Additions that are looked at together, so that memory stays small."""
PRIOR_CUSTOMERS = 5.0
"""A lift is shrunk to 1 as if so many further additions had been expected, and been seen."""

Numbers = NDArray[np.float64]
Days = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Additions:
    """What was added to what, by period.

    Attributes:
        ends: The last day of each period, ascending.
        owned: What was added to what was owned at all; every array has the shape (periods, owned,
            added).
        late: What was added to what had been begun of late, likewise.
        added: Additions of each category, shape (periods, categories).
        could: Additions of anything by customers who did not own it.
    """

    ends: tuple[int, ...]
    owned: "Pairs"
    late: "Pairs"
    added: Numbers
    could: Numbers

    def until(self, day: int) -> "Pairs":
        """The pairs of what was owned at all, over the periods that end by a day."""
        return self.owned.of_first(sum(end <= day for end in self.ends))

    def late_until(self, day: int) -> "Pairs":
        """The pairs of what had been begun of late, likewise."""
        return self.late.of_first(sum(end <= day for end in self.ends))

    def rate(self, day: int, periods: int) -> Numbers:
        """How often each category is added where it can be, over the last periods up to a day."""
        known = sum(end <= day for end in self.ends)
        recent = slice(max(known - periods, 0), known)
        added, could = self.added[recent].sum(axis=0), self.could[recent].sum(axis=0)
        return np.where(added > 0, added / np.maximum(could, 1), 0.0)


@dataclass(frozen=True, slots=True)
class Pairs:
    """What was added to what, shape (owned, added) each.

    Attributes:
        observed: Additions of a category by customers who owned another.
        expected: How many chance would have brought.
        had: Additions of anything by customers who owned the one and not yet the other.
    """

    observed: Numbers
    expected: Numbers
    had: Numbers

    def of_first(self, periods: int) -> "Pairs":
        """The sum over the first periods, where the arrays begin with an axis of them."""
        return Pairs(
            observed=self.observed[:periods].sum(axis=0),
            expected=self.expected[:periods].sum(axis=0),
            had=self.had[:periods].sum(axis=0),
        )

    @property
    def lift(self) -> Numbers:
        """Observed over expected, shrunk to 1 by support.

        Example:
            >>> one = np.ones((1, 1))
            >>> Pairs(observed=15 * one, expected=5 * one, had=20 * one).lift.tolist()
            [[2.0]]
        """
        return (self.observed + PRIOR_CUSTOMERS) / (self.expected + PRIOR_CUSTOMERS)


def additions(firsts: FirstPurchases, *, as_of_day: int, period_days: int) -> Additions:
    """What was added to what in each period up to a day; periods are counted back from it.

    Args:
        firsts: Who bought what first when, none of it after the day.
        as_of_day: The last day.
        period_days: How long a period is.
    """
    ends = _ends(firsts, as_of_day, period_days)
    size = (len(ends), len(firsts.categories))
    added, could = np.zeros(size), np.zeros(size)
    for period, days, _, on in _by_period(firsts, ends):
        added[period] += (days == on).sum(axis=0)
        could[period] += (days >= on).sum(axis=0)
    rate = np.where(added > 0, added / np.maximum(could, 1), 0.0)
    pairs = np.zeros((2, 3, *size, size[1]))
    alone = np.zeros(size)
    for period, days, begun, on in _by_period(firsts, ends):
        owned, new = (days < on).astype(np.float32), (days == on).astype(np.float32)
        late = owned * (on - begun <= LATE_DAYS)
        chance = _chance(owned, rate[period].astype(np.float32)) * new.sum(axis=1, keepdims=True)
        alone[period] += chance.sum(axis=0)
        for sense, has in enumerate((owned, late)):
            for place, part in enumerate((new, chance, 1 - owned)):
                pairs[sense, place, period] += has.T @ part
    scale = np.divide(added, alone, out=np.ones(size), where=alone > 0)
    pairs[:, 1] *= scale[:, None, :]
    return Additions(ends, Pairs(*pairs[0]), Pairs(*pairs[1]), added, could)


def _chance(owned: NDArray[np.float32], rate: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of each category among what is added by chance, shape of `owned`."""
    weight = (1 - owned) * rate
    whole = weight.sum(axis=1, keepdims=True)
    part = np.divide(weight, whole, out=np.zeros_like(weight), where=whole > 0)
    return np.asarray(part, np.float32)


def _ends(firsts: FirstPurchases, as_of_day: int, period_days: int) -> tuple[int, ...]:
    first = int(firsts.days.min()) if firsts.days.size else as_of_day
    count = max(-(-(as_of_day - first + 1) // period_days), 1)
    return tuple(as_of_day - n * period_days for n in reversed(range(count)))


def _by_period(
    firsts: FirstPurchases, ends: tuple[int, ...]
) -> Iterator[tuple[int, Days, Days, Days]]:
    """The additions of each period in parts: its first purchases, beginnings, and its own day."""
    row, day = _addition_days(firsts)
    beginnings = firsts.beginnings
    period = np.searchsorted(np.asarray(ends), day)
    order = np.argsort(period, kind="stable")
    row, day, period = row[order], day[order], period[order]
    for number in range(len(ends)):
        first, end = np.searchsorted(period, [number, number + 1])
        for start in range(first, end, AT_ONCE):
            part = slice(start, min(start + AT_ONCE, end))
            yield number, firsts.days[row[part]], beginnings[row[part]], day[part, None]


def _addition_days(firsts: FirstPurchases) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Customer (its row) and day of each addition."""
    start = firsts.days.min(axis=1, initial=NEVER)
    row, column = np.nonzero((firsts.days > start[:, None]) & (firsts.days < NEVER))
    if not row.size:
        return row, np.empty(0, np.int32)
    first = int(start.min())
    span = np.int64(firsts.days[row, column].max()) - first + 1
    pair = np.unique(row * span + firsts.days[row, column] - first)  # as one number: much quicker
    return pair // span, (pair % span + first).astype(np.int32)
