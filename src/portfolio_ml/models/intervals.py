"""Conformal intervals for value, by tier of past spend.

Held-out outcomes are compared with their predictions as ratios, one row a customer. Within a tier
customers are grouped by predicted value, and the ratio's quantiles of a group become its interval
(split-conformal quantiles: Lei et al. 2018). Small groups borrow from their whole tier.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.models.files import ascending, listed

Floats = NDArray[np.float64]

GROUPS_PER_TIER = 8
SMALLEST_GROUP = 50
_FLOOR = 1e-9


@dataclass(frozen=True, slots=True)
class Intervals:
    """The ratio of outcome to prediction that bounds each group.

    Attributes:
        coverage: The share of outcomes meant to lie inside.
        tier_edges: Net spend that parts the tiers, ascending, shape (tiers - 1,).
        value_edges: Per tier, predicted value that parts its groups, ascending.
        low: Per tier and group, the lower ratio.
        high: Per tier and group, the upper ratio.
    """

    coverage: float
    tier_edges: tuple[float, ...]
    value_edges: tuple[tuple[float, ...], ...]
    low: tuple[tuple[float, ...], ...]
    high: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        tiers, groups = len(self.tier_edges) + 1, [len(edges) + 1 for edges in self.value_edges]
        if len(groups) != tiers or any([*map(len, r)] != groups for r in (self.low, self.high)):
            raise ValueError(f"intervals of {tiers} tiers need the bounds of each of their groups")

    def around(self, predicted: Floats, net_spend: Floats) -> tuple[Floats, Floats]:
        """The interval's ends, each of shape (rows,), widened to contain the prediction.

        Args:
            predicted: Predicted value, currency units.
            net_spend: Net spend so far, currency units; it decides the tier.
        """
        low, high = np.empty(len(predicted)), np.empty(len(predicted))
        tier = np.searchsorted(self.tier_edges, net_spend, side="left")
        for number, edges in enumerate(self.value_edges):
            rows = tier == number
            group = np.searchsorted(edges, predicted[rows], side="left")
            low[rows] = np.asarray(self.low[number])[group] * predicted[rows]
            high[rows] = np.asarray(self.high[number])[group] * predicted[rows]
        return np.minimum(low, predicted), np.maximum(high, predicted)

    def to_dict(self) -> dict[str, Any]:
        """The intervals as plain JSON values; an edge below everybody is null."""
        return {
            "coverage": self.coverage,
            "tier_edges": [edge if isfinite(edge) else None for edge in self.tier_edges],
            "value_edges": self.value_edges,
            "low": self.low,
            "high": self.high,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Intervals":
        """The intervals that `to_dict` gave."""
        return cls(
            coverage=float(values["coverage"]),
            tier_edges=ascending([-inf if e is None else e for e in values["tier_edges"]]),
            value_edges=tuple(map(ascending, values["value_edges"])),
            low=tuple(map(listed, values["low"])),
            high=tuple(map(listed, values["high"])),
        )


def fit_intervals(
    predicted: Floats,
    actual: Floats,
    net_spend: Floats,
    *,
    tier_edges: tuple[float, ...],
    coverage: float,
) -> Intervals:
    """Intervals from held-out predictions, one row a customer.

    Args:
        predicted: Held-out predictions, at least 0, currency units, shape (customers,).
        actual: What happened, currency units, shape (customers,).
        net_spend: Net spend at the time of the prediction, shape (customers,).
        tier_edges: Net spend that parts the tiers, ascending.
        coverage: The share of outcomes meant to lie inside.

    Example:
        >>> predicted, actual = np.full(3, 10.0), np.array([0.0, 10.0, 30.0])
        >>> fitted = fit_intervals(predicted, actual, np.zeros(3), tier_edges=(), coverage=0.8)
        >>> fitted.around(np.array([20.0]), np.zeros(1))
        (array([0.]), array([60.]))
    """
    counted = predicted > _FLOOR  # next to nothing, a prediction would make any ratio endless
    predicted, actual, net_spend = predicted[counted], actual[counted], net_spend[counted]
    tier = np.searchsorted(tier_edges, net_spend, side="left")
    ratio = actual / predicted
    everyone = _bounds(ratio, coverage)
    tiers = [
        _tier(predicted[tier == number], ratio[tier == number], coverage, everyone)
        for number in range(len(tier_edges) + 1)
    ]
    return Intervals(
        coverage=coverage,
        tier_edges=tier_edges,
        value_edges=tuple(edges for edges, _, _ in tiers),
        low=tuple(low for _, low, _ in tiers),
        high=tuple(high for _, _, high in tiers),
    )


def _tier(
    predicted: Floats, ratio: Floats, coverage: float, everyone: tuple[float, float]
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    groups = min(GROUPS_PER_TIER, len(predicted) // SMALLEST_GROUP)
    if groups < 1:
        return (), (everyone[0],), (everyone[1],)
    shares = np.arange(1, groups) / groups
    edges = np.unique(np.quantile(predicted, shares)) if groups > 1 else np.empty(0)
    group = np.searchsorted(edges, predicted, side="left")
    bounds = [
        _bounds(chosen, coverage) if (chosen := ratio[group == k]).size else everyone
        for k in range(len(edges) + 1)
    ]
    return tuple(edges.tolist()), tuple(b[0] for b in bounds), tuple(b[1] for b in bounds)


def _bounds(ratio: Floats, coverage: float) -> tuple[float, float]:
    """The conformal quantiles of both tails; what few rows cannot bound ends at the extremes."""
    if not ratio.size:
        return 0.0, 1.0
    ordered, n, tail = np.sort(ratio), ratio.size, (1 - coverage) / 2
    below = floor((n + 1) * tail) - 1
    above = ceil((n + 1) * (1 - tail)) - 1
    return float(ordered[max(0, below)]), float(ordered[min(n - 1, above)])
