"""The chain of purchase weeks: how likely each state is to buy in the next week, and what follows.

A state is a class of paces and the weeks since the last purchase week. The chance to buy, and the
pace after it, are those of the last year; where few were seen they lean on those of all. They are
drawn from their posterior (beta, Dirichlet), with a shock to all chances at once as large as the
quarters of the last year differed.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.portfolio.flow.purchase_weeks import (
    CLASSES,
    OLDEST,
    YEAR_WEEKS,
    PurchaseWeeks,
)

BAND_STARTS = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 52, OLDEST])
"""From which week since the last purchase week on a chance of its own is estimated."""
BANDS = BAND_STARTS.size
SUPPORT = 5.0
"""The weight of what is usual over all states, in customer-weeks or purchases."""
BLOCK_WEEKS = 13

Floats = NDArray[np.float64]
Short = NDArray[np.float32]
"""Half as wide: there are many of them."""
_BAND = np.searchsorted(BAND_STARTS, np.arange(OLDEST + 1), side="right") - 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What a year of weeks showed, by class of paces and band of weeks since the last purchase.

    Attributes:
        exposed: Customer-weeks that began in that state, shape (classes, bands).
        bought: Of them, those with a purchase.
        moved: Of these, by the class of the pace after it, shape (classes, bands, classes).
        spread: How much a quarter's purchases differed from the year's, as a standard deviation
            relative to it, beyond chance.
    """

    exposed: Floats
    bought: Floats
    moved: Floats
    spread: float

    @classmethod
    def before(cls, of: PurchaseWeeks, origin: int) -> Self:
        """What the last year up to a week's end showed, or the whole history if that is less."""
        oldest = min(origin + YEAR_WEEKS, of.weeks) - 1
        exposed, moved = _seen(of, origin, oldest)
        bought = moved.sum(axis=2)
        chance = np.divide(bought, exposed, out=np.zeros_like(exposed), where=exposed > 0)
        ratios, noise = [], []
        for newest in range(origin, oldest - BLOCK_WEEKS + 2, BLOCK_WEEKS):
            weeks, purchases = _seen(of, newest, newest + BLOCK_WEEKS - 1)
            expected = (weeks * chance).sum()
            if expected > 0:
                ratios.append(purchases.sum() / expected)
                noise.append(1 / expected)
        beyond = np.var(ratios, ddof=1) - np.mean(noise) if len(ratios) > 1 else 0.0
        return cls(exposed, bought, moved, float(np.sqrt(max(beyond, 0.0))))

    def drawn(self, rng: np.random.Generator, draws: int) -> "Chances":
        """Draws of the chances; the first of them is their mean."""
        of_all = _of_all(self.exposed.sum(axis=0), self.bought.sum(axis=0))
        yes = self.bought + SUPPORT * of_all
        no = self.exposed - self.bought + SUPPORT * (1 - of_all)
        drawn = rng.beta(yes, no, size=(draws, *yes.shape))
        drawn[0] = yes / (yes + no)
        shock = np.exp(self.spread * rng.standard_normal(draws))
        shock[0] = 1.0
        odds = drawn / np.maximum(1 - drawn, 1e-9) * shock[:, None, None]
        of_class = self.moved.sum(axis=1) + np.eye(CLASSES)  # who was never seen to buy stays
        usual = of_class / of_class.sum(axis=1, keepdims=True)
        weight = self.moved + SUPPORT * usual[:, None, :]
        to = rng.standard_gamma(weight, size=(draws, *weight.shape))
        to[0] = weight
        return Chances(odds / (1 + odds), to / to.sum(axis=3, keepdims=True))


@dataclass(frozen=True, slots=True)
class Chances:
    """Draws of what happens in a week.

    Attributes:
        bought: The chance to buy, shape (draws, classes, bands).
        moved: The chance of each class of paces after it, shape (draws, classes, bands, classes).
    """

    bought: Floats
    moved: Floats


def _of_all(exposed: Floats, bought: Floats) -> Floats:
    """The chance of each band over all classes; it leans on that of the band before.

    Nobody may have been seen so long after a purchase: then it is that of those seen the longest.
    """
    found = np.empty(exposed.size)
    leant_on = (bought.sum() + 0.5) / (exposed.sum() + 1.0)
    for band in range(exposed.size):
        leant_on = (bought[band] + SUPPORT * leant_on) / (exposed[band] + SUPPORT)
        found[band] = leant_on
    return found


def _seen(of: PurchaseWeeks, newest: int, oldest: int) -> tuple[Floats, Floats]:
    """The customer-weeks of some weeks by state, and the purchases by state and pace after."""
    rows = np.flatnonzero(of.week > newest)
    after = np.maximum(of.after[rows], newest)
    begins = np.maximum(of.week[rows] - 1 - oldest, 0)
    ends = of.week[rows] - 1 - after
    kept = begins <= ends
    rows, begins, ends = rows[kept], begins[kept], ends[kept]
    steps = np.zeros((CLASSES, of.weeks + 3))
    np.add.at(steps, (of.pace[rows], begins), 1.0)
    np.add.at(steps, (of.pace[rows], ends + 1), -1.0)
    exposed = np.cumsum(steps, axis=1)
    band = _BAND[np.minimum(np.arange(exposed.shape[1]), OLDEST)]
    weeks = np.stack([exposed[:, band == b].sum(axis=1) for b in range(BANDS)], axis=1)
    has_after = of.after[rows] >= newest
    buys, since = rows[has_after], np.minimum(ends[has_after], OLDEST)
    moved = np.zeros((CLASSES, BANDS, CLASSES))
    np.add.at(moved, (of.pace[buys], _BAND[since], of.pace[buys + 1]), 1.0)
    return weeks, moved


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is to be expected of one customer in each state, so many weeks ahead.

    Arrays have shape (weeks + 1, draws, classes, OLDEST + 1); the first axis is weeks ahead.

    Attributes:
        active: The chance to be active then.
        purchases: Purchase weeks until then, expected.
        squares: The square of their number, expected.
    """

    active: Short
    purchases: Short
    squares: Short


def ahead(chances: Chances, active_weight: Floats, weeks: int) -> Ahead:
    """What follows from the chances, by backward recursion over the weeks.

    Args:
        chances: What happens in a week.
        active_weight: The chance to be active by weeks since, shape (OLDEST + 1,).
        weeks: How far to look.
    """
    draws = chances.bought.shape[0]
    active, purchases, squares = (
        np.zeros((weeks + 1, draws, CLASSES, OLDEST + 1), np.float32) for _ in range(3)
    )
    active[0] = active_weight
    buys = chances.bought[:, :, _BAND]
    older = np.minimum(np.arange(OLDEST + 1) + 1, OLDEST)

    def renewed(of: Short) -> Floats:
        """What is ahead after a purchase, by the state before it."""
        after = np.einsum("dcbe,de->dcb", chances.moved, of[:, :, 0].astype(np.float64))
        return np.asarray(after[:, :, _BAND])

    for k in range(weeks):
        now, bought, squared = active[k], purchases[k], squares[k]
        again = renewed(bought)
        active[k + 1] = buys * renewed(now) + (1 - buys) * now[:, :, older]
        purchases[k + 1] = buys * (1 + again) + (1 - buys) * bought[:, :, older]
        more = 1 + 2 * again + renewed(squared)
        squares[k + 1] = buys * more + (1 - buys) * squared[:, :, older]
    return Ahead(active, purchases, squares)
