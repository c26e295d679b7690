"""Which reorders are due, today and on days in the history, where it is known what became of them.

A cycle is *due* from a week before its due date on, and *overdue* after it, until 90 % of the
customer's own gaps are exceeded. It is *regular* or *irregular* by how far its gaps scatter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.samples import sample
from portfolio_ml.portfolio.selling.cycles import ANYTHING, Cycles, cycles_at, purchase_gaps

DUE_WITHIN_DAYS = 7
SOON_DAYS = 14
REGULAR_UP_TO = 0.4
"""The spread up to which a cycle is regular: the next gap of 80 % is within 60 to 167 % of it."""
CYCLE_UP_TO = 1.0
"""With a larger spread there is no cycle to speak of: 80 % within 28 to 360 % of it."""
LOOKED_BACK_DAYS = (365, 270, 180)
STATES = ("due", "overdue", "not listed")
_PRIOR_CYCLES = 20.0

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reordering:
    """The cycles of today and of days in the history.

    Attributes:
        now: Today's.
        looks: Those of days in the history, ascending; their `next_day` tells what became of them.
        notes: What to say of whose they are.
    """

    now: Cycles
    looks: tuple[Cycles, ...]
    notes: tuple[str, ...] = ()

    def soon(self, cycles: Cycles) -> NDArray[np.float64]:
        """The share of such cycles that was bought within two weeks; NaN without a history.

        Such are those in the same state, as regular, and likewise of a category or of anything;
        the share is shrunk to that of all due and overdue ones.
        """
        kinds, came = (
            np.concatenate([_kind(look) for look in self.looks] or [np.empty(0, np.int64)]),
            np.concatenate([_is_soon(look) for look in self.looks] or [np.empty(0, np.bool_)]),
        )
        is_listed = kinds >= 0
        if not is_listed.any():
            return np.full(cycles.customer.size, np.nan)
        kinds, came = kinds[is_listed], came[is_listed]
        count = np.bincount(kinds, minlength=8)
        hits = np.bincount(kinds[came], minlength=8)
        share = (hits + _PRIOR_CYCLES * came.mean()) / (count + _PRIOR_CYCLES)
        found: NDArray[np.float64] = share[_kind(cycles)]
        return found


def reordering(book: Book) -> Reordering:
    """The cycles of today, and of up to three days within the last year."""
    today, first, engine = book.as_of_day, book.inputs.span.first_day, book.inputs.engine
    days: Sequence[int] = [d for d in (today - back for back in LOOKED_BACK_DAYS) if d > first]
    gaps, some = purchase_gaps(book), book.once(sample)
    of_some = gaps if some.is_all or not days else gaps.of(some.numbers, engine)
    looks = tuple(cycles_at(of_some, day, engine) for day in days)
    return Reordering(cycles_at(gaps, today, engine), looks, tuple(some.notes))


def is_in(cycles: Cycles, state: str) -> Flags:
    """Which cycles are in one of `STATES`."""
    is_near = cycles.due_day <= cycles.day + DUE_WITHIN_DAYS
    is_listed = (
        is_near & (cycles.waited_days <= cycles.longest_days) & (cycles.spread <= CYCLE_UP_TO)
    )
    if state == "not listed":
        return np.asarray(~is_listed)
    is_overdue = cycles.due_day < cycles.day
    return np.asarray(is_listed & (is_overdue == (state == "overdue")))


def is_regular(cycles: Cycles) -> Flags:
    """Which cycles scatter little."""
    return np.asarray(cycles.spread <= REGULAR_UP_TO)


def _is_soon(look: Cycles) -> Flags:
    return np.asarray(look.next_day - look.day <= SOON_DAYS)


def _kind(cycles: Cycles) -> NDArray[np.int64]:
    """0 to 7 by state, regularity and what it is of; -1 where it is not listed."""
    is_all = cycles.category == ANYTHING
    kind = 4 * is_in(cycles, "overdue") + 2 * is_regular(cycles) + is_all
    return np.where(is_in(cycles, "not listed"), -1, kind).astype(np.int64)
