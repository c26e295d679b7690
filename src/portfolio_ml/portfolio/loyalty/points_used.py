"""Which points were used: of those that a customer has, the ones that expire first.

Where all points expire after the same time, sums are enough (`points_balance`). Where they do not,
such as a bonus for a month beside points for two years, it matters which points there were on the
day of each use, and entries are followed one after the other: the first of every customer at once,
then the second, and so on.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

NEVER = np.int64(2**31)
"""The expiry of points that do not expire."""
_AT_ONCE = 2_000_000


def left_over(customer: Ints, day: Ints, points: Ints, expires: Ints) -> Ints:
    """What is left of the points of each entry after all uses, expired or not, shape (entries,).

    Points can be used from the day on which they are earned until the one on which they expire,
    both included. What is used beyond what there is, is owed, and taken from the points that are
    earned next.

    Args:
        customer: Whose entry it is. Entries are sorted by customer, day, what is earned before
            what is used, and expiry.
        day: When.
        points: Earned; below 0 where used, whose part in the result is 0.
        expires: The last day on which they count; `NEVER` for ever.

    Example:
        >>> ones = np.ones(3, np.int64)
        >>> left_over(ones, np.array([0, 5, 6]), np.array([100, 50, -70]),
        ...           np.array([NEVER, 20, NEVER])).tolist()
        [80, 0, 0]
    """
    left = np.zeros(customer.size, np.int64)
    for part in _whole_customers(customer):
        left[part] = _left_over(customer[part], day[part], points[part], expires[part])
    return left


def _whole_customers(customer: Ints) -> Iterator[slice]:
    """Parts of ascending customers, each of whole customers and of some two million entries."""
    begin = 0
    while begin < customer.size:
        last = customer[min(begin + _AT_ONCE, customer.size) - 1]
        end = int(np.searchsorted(customer, last, side="right"))
        yield slice(begin, end)
        begin = end


def _left_over(customer: Ints, day: Ints, points: Ints, expires: Ints) -> Ints:
    """`left_over` of some whole customers."""
    starts = np.flatnonzero(np.r_[True, customer[1:] != customer[:-1]])
    counts = np.diff(np.r_[starts, customer.size])
    # Each customer's entries by expiry, so that what is used goes along them; uses hold nothing.
    number = np.repeat(np.arange(starts.size), counts)
    by_expiry = np.argsort((number << 33) + (expires - expires.min()), kind="stable")
    place = np.empty(customer.size, np.int64)
    place[by_expiry] = np.arange(customer.size)
    until, held = expires[by_expiry], np.zeros(customer.size, np.int64)
    owed = np.zeros(starts.size, np.int64)
    busiest = np.argsort(-counts, kind="stable")
    for nth in range(int(counts.max())):
        who = busiest[: np.searchsorted(-counts[busiest], -nth, side="left")]
        entry = starts[who] + nth
        is_use = points[entry] < 0
        earner, earned = who[~is_use], entry[~is_use]
        settled = np.minimum(owed[earner], points[earned])
        owed[earner] -= settled
        held[place[earned]] = points[earned] - settled
        user, use = who[is_use], entry[is_use]
        owed[user] += _use(
            held, until, starts=starts[user], counts=counts[user], day=day[use], wanted=-points[use]
        )
    return held[place]


def _use(held: Ints, until: Ints, *, starts: Ints, counts: Ints, day: Ints, wanted: Ints) -> Ints:
    """Take from what some customers hold, first what expires first; gives what was lacking.

    Args:
        held: What is held, by customer and expiry; changed in place.
        until: Its expiry.
        starts: Where each of the customers begins in it.
        counts: How many places each has.
        day: The day of the use.
        wanted: How much is used.
    """
    if not starts.size:
        return wanted
    firsts = np.cumsum(counts) - counts
    at = np.repeat(starts - firsts, counts) + np.arange(counts.sum())
    usable = np.where(until[at] >= np.repeat(day, counts), held[at], 0)
    before = np.cumsum(usable) - usable
    before -= np.repeat(before[firsts], counts)
    taken = np.clip(np.repeat(wanted, counts) - before, 0, usable)
    held[at] -= taken
    lacking: Ints = wanted - np.add.reduceat(taken, firsts)
    return lacking
