"""Shares that were counted, how sure they are, and how two of them differ.

Intervals hold with 90 % confidence, and stay honest for small counts and for shares of 0 or 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from scipy import stats

CONFIDENCE = 0.9


@dataclass(frozen=True, slots=True)
class Proportion:
    """How many of how many.

    Example:
        >>> Proportion(3, 4).share
        0.75
        >>> [round(bound, 3) for bound in Proportion(0, 10).interval]
        [0.0, 0.213]
    """

    part: int
    whole: int

    @property
    def share(self) -> float:
        """The part of the whole; NaN of none."""
        return self.part / self.whole if self.whole else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's (1927) score interval; from 0 to 1 of none."""
        if not self.whole:
            return 0.0, 1.0
        # In closed form: SciPy's binomtest computes an exact test first, at many times the cost.
        z, n = NormalDist().inv_cdf((1 + CONFIDENCE) / 2), self.whole
        middle = self.part + z**2 / 2
        half = z * sqrt(self.part * (n - self.part) / n + z**2 / 4)
        low = (middle - half) / (n + z**2) if self.part else 0.0
        high = (middle + half) / (n + z**2) if self.part < n else 1.0
        return low, high


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value that lies between two bounds; NaN where nothing can be said."""

    value: float
    low: float
    high: float


UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def lift(of: Proportion, over: Proportion) -> Estimate:
    """How many times as large one share is as another.

    The interval is that of Katz et al. (1978), on the logarithm. Unknown where one of the groups
    is empty or the share to compare with is 0.

    Example:
        >>> found = lift(Proportion(30, 100), Proportion(10, 100))
        >>> [round(value, 2) for value in (found.value, found.low, found.high)]
        [3.0, 1.72, 5.22]
    """
    if not of.whole or not over.part:
        return UNKNOWN
    ratio = stats.contingency.relative_risk(of.part, of.whole, over.part, over.whole)
    bounds = ratio.confidence_interval(CONFIDENCE)
    return Estimate(float(ratio.relative_risk), float(bounds.low), float(bounds.high))


def difference(strata: Sequence[tuple[Proportion, Proportion]]) -> Estimate:
    """By how much the first share of each pair exceeds the second, over all pairs.

    Each pair weighs as in Mantel & Haenszel (1959), with n1 x n2 / (n1 + n2), so that a pair where
    one side is small says little, and one where it is empty nothing. The interval of a pair is
    Newcombe's (1998, method 10); those of several are joined as in Zou & Donner (2008). Unknown
    where no pair has both sides.

    Example:
        >>> found = difference([(Proportion(56, 70), Proportion(48, 80))])
        >>> [round(value, 4) for value in (found.value, found.low, found.high)]
        [0.2, 0.0766, 0.3136]
    """
    pairs = [(a, b) for a, b in strata if a.whole and b.whole]
    if not pairs:
        return UNKNOWN
    weights = [a.whole * b.whole / (a.whole + b.whole) for a, b in pairs]
    value, below, above = 0.0, 0.0, 0.0
    for (a, b), weight in zip(pairs, weights, strict=True):
        part = weight / sum(weights)
        (a_low, a_high), (b_low, b_high) = a.interval, b.interval
        value += part * (a.share - b.share)
        below += part**2 * ((a.share - a_low) ** 2 + (b_high - b.share) ** 2)
        above += part**2 * ((a_high - a.share) ** 2 + (b.share - b_low) ** 2)
    return Estimate(value, value - sqrt(below), value + sqrt(above))
