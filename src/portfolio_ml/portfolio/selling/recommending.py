"""Which category a customer may add next: by popularity, or by what similar customers added.

*Popularity* is how often a category is added by those who could. What similar customers added
tilts it: by the mean of the logarithms of the lifts from what the customer owns, and by the sum of
those from what it began with of late, each times a strength. What the customer owns already is
never recommended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.portfolio.selling.additions import Additions, Numbers
from portfolio_ml.portfolio.selling.first_purchases import FirstPurchases


class Strength(NamedTuple):
    """How strongly what similar customers added counts."""

    owned: float
    """What they added to what they owned at all."""
    late: float
    """What they added to what they had begun of late."""


STRENGTHS = (
    Strength(0.0, 1.0),
    Strength(1.0, 0.0),
    Strength(2.0, 1.0),
    Strength(4.0, 0.0),
    Strength(4.0, 1.0),
)
"""How strongly it may count; the history chooses."""
PRICE = 3.0
"""So much the logarithm of the likelihood must gain before what was begun of late counts."""
NOTHING = Strength(0.0, 0.0)
SIMILAR, MOST_ADDED, MOST_BOUGHT = "similar customers", "most added", "most bought"
METHODS = (SIMILAR, MOST_ADDED, MOST_BOUGHT)
LOOKS = (1, 3)
"""How many categories are recommended where methods are judged."""
FEWEST_ADDERS = 30
"""With fewer customers who added a category after a cutoff, nothing is judged."""
YEAR_DAYS = 365
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Judged:
    """How often a method's first k categories had one that was added within the period.

    Attributes:
        method: One of `METHODS`.
        k: How many were recommended.
        customers: Customers who added a category, counted once per cutoff.
        hit_rate: The share of them who added one of the recommended.
        hit_rate_low: The lower end of its 95 % interval; customers are drawn, not cutoffs.
        hit_rate_high: The upper end.
        gain: The method's hit rate minus that of the better popularity, for the same customers;
            None for that popularity itself.
        gain_low: The lower end of its 95 % interval.
        gain_high: The upper end.
    """

    method: str
    k: int
    customers: int
    hit_rate: float
    hit_rate_low: float
    hit_rate_high: float
    gain: float | None
    gain_low: float | None
    gain_high: float | None


@dataclass(frozen=True, slots=True)
class Choice:
    """How categories are recommended, and what spoke for it.

    Attributes:
        method: One of `METHODS`; a popularity where similar customers were not shown to be better.
        strength: How strongly similar customers count; not at all where it is a popularity.
        judged: How each method did; empty where the history is too short to tell.
        cutoffs: The days from which the methods looked ahead.
    """

    method: str
    strength: Strength
    judged: tuple[Judged, ...] = ()
    cutoffs: tuple[int, ...] = ()


def shares(
    owned: NDArray[np.bool_],
    late: NDArray[np.bool_],
    found: Additions,
    *,
    day: int,
    method: str,
    strength: Strength = NOTHING,
) -> Numbers:
    """What each customer would add at a day, shape of `owned`: rows add up to 1, or to 0.

    Args:
        owned: What each customer owns on the day, shape (customers, categories).
        late: What of it it began with of late.
        found: What was added to what; what ended after the day is not looked at.
        day: The day, the end of a period.
        method: One of `METHODS`.
        strength: How strongly similar customers count.
    """
    if method == MOST_BOUGHT:
        return _shared(owned, owned.sum(axis=0).astype(np.float64))
    rate = _rate(found, day)
    if method == MOST_ADDED:
        return _shared(owned, rate)
    return _shared(owned, rate * _tilts(owned, late, found, day).by(strength))


def _rate(found: Additions, day: int) -> Numbers:
    """How often each category was added in the year before a day, where it could be."""
    period_days = found.ends[1] - found.ends[0] if len(found.ends) > 1 else YEAR_DAYS
    return found.rate(day, max(YEAR_DAYS // period_days, 1))


@dataclass(frozen=True, slots=True)
class _Tilts:
    """By how much similar customers tilt popularity, as logarithms; shape (customers, categories).

    Attributes:
        owned: By what each customer owns.
        late: By what of it it began with of late.
    """

    owned: Numbers
    late: Numbers

    def by(self, strength: Strength) -> Numbers:
        """How many times as much, if they count so strongly."""
        found: Numbers = np.exp(strength.owned * self.owned + strength.late * self.late)
        return found


def _tilts(owned: NDArray[np.bool_], late: NDArray[np.bool_], found: Additions, day: int) -> _Tilts:
    has = owned.astype(np.float64)
    count = np.maximum(has.sum(axis=1, keepdims=True), 1)
    of_owned = has @ np.log(found.until(day).lift) / count
    of_late = late.astype(np.float64) @ np.log(found.late_until(day).lift)
    return _Tilts(of_owned, of_late)


def _shared(owned: NDArray[np.bool_], weight: Numbers) -> Numbers:
    """The share of each category's weight among those that the customer does not own."""
    weight = np.where(owned, 0.0, weight)
    whole = weight.sum(axis=1, keepdims=True)
    part = np.divide(weight, whole, out=np.zeros(weight.shape), where=whole > 0)
    return np.asarray(part, np.float64)


def chosen(
    firsts: FirstPurchases, found: Additions, cutoffs: Sequence[int], *, horizon_days: int
) -> Choice:
    """How to recommend, by what each method would have said at the cutoffs in the history.

    At each cutoff but the first, the strength is the one that did best at the cutoffs before it;
    so nothing is judged by what chose it. Similar customers are chosen where the interval of their
    gain over the better popularity lies above 0, for one category recommended.

    Args:
        firsts: Who bought what first when.
        found: What was added to what.
        cutoffs: The days, ascending, ends of periods, each a horizon or more before the last day.
        horizon_days: How far ahead a category counts as added.
    """
    fits: list[list[float]] = []
    hits: dict[str, list[NDArray[np.bool_]]] = {method: [] for method in METHODS}
    who = []
    for day in cutoffs:
        adders = _adders(firsts, day, horizon_days)
        if fits:
            who.append(adders.rows)
            for method in METHODS:
                share = adders.shares(found, day, method=method, strength=_strongest(fits))
                hits[method].append(_hits(share, adders.new))
        fits.append(_fits(adders, found, day))
    if sum(map(len, who)) < FEWEST_ADDERS:
        return Choice(MOST_ADDED, NOTHING)
    together = {method: np.concatenate(found) for method, found in hits.items()}
    popular = max((MOST_ADDED, MOST_BOUGHT), key=lambda method: together[method][:, 0].mean())
    judged = _judged(together, np.concatenate(who), popular)
    best = next(each for each in judged if each.method == SIMILAR and each.k == 1)
    if best.gain_low is not None and best.gain_low > 0:
        return Choice(SIMILAR, _strongest(fits), judged, tuple(cutoffs[1:]))
    return Choice(popular, NOTHING, judged, tuple(cutoffs[1:]))


@dataclass(frozen=True, slots=True)
class _Adders:
    """Those who added something after a day: what they had on it, what they added, their rows."""

    owned: NDArray[np.bool_]
    late: NDArray[np.bool_]
    new: NDArray[np.bool_]
    rows: NDArray[np.int64]

    def shares(self, found: Additions, day: int, *, method: str, strength: Strength) -> Numbers:
        return shares(self.owned, self.late, found, day=day, method=method, strength=strength)


def _strongest(fits: Sequence[Sequence[float]]) -> Strength:
    """The strength that did best over some cutoffs; what was begun of late has to earn its part."""
    price = [PRICE * (strength.late > 0) for strength in STRENGTHS]
    return STRENGTHS[int(np.argmax(np.sum(fits, axis=0) - price))]


def _adders(firsts: FirstPurchases, day: int, horizon_days: int) -> _Adders:
    owned = firsts.owned_by(day)
    new = ~owned & firsts.owned_by(day + horizon_days)
    rows = np.flatnonzero(owned.any(axis=1) & new.any(axis=1))
    late = firsts.begun_by(day)
    return _Adders(owned[rows], late[rows], new[rows], rows)


def _hits(share: Numbers, new: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether one of the first k was added, shape (customers, looks)."""
    order = np.argsort(-share, axis=1, kind="stable")
    is_new = np.take_along_axis(new & (share > 0), order, axis=1)
    return np.stack([is_new[:, :k].any(axis=1) for k in LOOKS], axis=1)


def _fits(adders: _Adders, found: Additions, day: int) -> list[float]:
    """Per strength the logarithm of the share that was given to what was added, over customers."""
    rate = _rate(found, day)
    tilts = _tilts(adders.owned, adders.late, found, day)
    count = adders.new.sum(axis=1)
    fits = []
    for strength in STRENGTHS:
        share = _shared(adders.owned, rate * tilts.by(strength))
        told = np.where(adders.new, share, 0).sum(axis=1) / count
        fits.append(float(np.log(np.maximum(told, 1e-6)).sum()))
    return fits


def _judged(
    hits: Mapping[str, NDArray[np.bool_]], customers: NDArray[np.int64], popular: str
) -> tuple[Judged, ...]:
    found = []
    for place, k in enumerate(LOOKS):
        for method in METHODS:
            hit = hits[method][:, place].astype(np.float64)
            rate, low, high = interval(hit, customers)
            gain: tuple[float | None, float | None, float | None] = (None, None, None)
            if method != popular:
                gain = interval(hit - hits[popular][:, place], customers)
            found.append(Judged(method, k, hit.size, rate, max(low, 0), min(high, 1), *gain))
    return tuple(found)


def interval(values: Numbers, customers: NDArray[np.int64]) -> tuple[float, float, float]:
    """The mean and its 95 % interval, where the values of one customer are not independent.

    Source: the cluster-robust variance of a mean (Liang and Zeger, 1986).

    Example:
        >>> mean, low, high = interval(np.array([1.0, 1.0, 0.0, 0.0]), np.array([1, 1, 2, 2]))
        >>> mean, round(high - mean, 2)
        (0.5, 0.69)
    """
    mean = float(values.mean())
    _, place = np.unique(customers, return_inverse=True)
    sums = np.bincount(place, weights=values - mean)
    error = float(np.sqrt((sums**2).sum()) / values.size)
    return mean, mean - _Z * error, mean + _Z * error
