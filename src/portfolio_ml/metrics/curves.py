"""Curves of a cumulated outcome over the customers: gains, lift and Lorenz.

Rows of equal score share a straight segment: the expected value over all orders they could have.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from portfolio_ml.metrics.inputs import Array, vectors, weights
from portfolio_ml.metrics.ranking import Ranking


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Points of a piecewise linear curve.

    Attributes:
        share: Share of the customers, ascending, from 0 to 1.
        value: The curve's height there; NaN throughout where it is undefined.
    """

    share: Array
    value: Array

    @property
    def area(self) -> float:
        """The area below the curve."""
        return float(np.trapezoid(self.value, self.share))

    def at(self, share: npt.ArrayLike) -> Array:
        """The curve's height at any shares, such as a hundred for a chart."""
        return np.asarray(np.interp(np.asarray(share, dtype=np.float64), self.share, self.value))


def gains_curve(
    actual: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    ranking: Ranking | None = None,
) -> Curve:
    """The share of the outcome captured by the customers of the highest score.

    Negative outcomes bend the curve down, so it may pass 1 on the way. Undefined (NaN) where the
    outcomes do not sum to more than 0. `ranking` is that of the score, if it is known.

    Example:
        >>> gains_curve([30, 0, 10, 0], [4, 3, 2, 1]).value.tolist()
        [0.0, 0.75, 0.75, 1.0, 1.0]
    """
    outcome, predicted = vectors(actual, score)
    mass = weights(weight, len(outcome))
    by_score = Ranking.of(predicted) if ranking is None else ranking
    share, value = by_score.cumulative(mass), by_score.cumulative(mass * outcome)
    if not value[-1] > 0:
        return Curve(np.array([0.0, 1.0]), np.full(2, np.nan))
    return Curve(share / share[-1], value / value[-1])


def lift_curve(
    actual: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    points: int = 100,
    weight: npt.ArrayLike | None = None,
) -> Curve:
    """How many times the average the customers of the highest score hold, at equal steps of share.

    Undefined (NaN) where `gains_curve` is.

    Example:
        >>> lift_curve([30, 0, 10, 0], [4, 3, 2, 1], points=2).value.tolist()
        [1.5, 1.0]
    """
    share = np.arange(1, points + 1) / points
    return Curve(share, gains_curve(actual, score, weight=weight).at(share) / share)


def lorenz_curve(amount: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> Curve:
    """The share of the total held by the customers of the smallest amounts, floored at 0.

    Undefined (NaN) where no amount is above 0. Lorenz (1905).

    Example:
        >>> lorenz_curve([3, 1]).value.tolist()
        [0.0, 0.25, 1.0]
    """
    (values,) = vectors(amount)
    floored = np.maximum(values, 0)
    return gains_curve(floored, -floored, weight=weight)
