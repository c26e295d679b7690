"""Predictions of all contenders beside what followed, as figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.models_opponents import Contender
from portfolio_ml.judgement import PRIMARY, Population, Supervised
from portfolio_ml.metrics import METRICS, Metric, interval_metrics, paired_bootstraps
from portfolio_ml.standing import TIER_NAMES

Floats = NDArray[np.float64]
Figures = dict[str, float]

TARGETS: tuple[Supervised, ...] = ("churn", "lifetime_value")
OF_TARGET = {
    "churn": ("auroc", "log_loss", "calibration_slope", "calibration_error"),
    "lifetime_value": ("normalised_gini", "total_bias"),
}
LEVEL = 0.9
RESIDUALS = "training residuals"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What followed, per customer; arrays have shape (customers,).

    Attributes:
        actual: Per target, churned (0 or 1) or net spend in currency units.
        is_active: Whether the customer was active on the as-of day.
        tier: The value tier on that day.
    """

    actual: Mapping[Supervised, Floats]
    is_active: NDArray[np.bool_]
    tier: NDArray[np.str_]

    def populations(self) -> dict[Population, NDArray[np.bool_]]:
        """The rows of each population."""
        return {"all": np.ones_like(self.is_active), "active": self.is_active}


@dataclass(frozen=True, slots=True)
class Gain:
    """By how much the package's winner is better, with the ends of its 90 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tier:
    """How many customers a value tier has, and how many of them ended in their interval."""

    customers: int
    coverage: float


def figures(
    contenders: Sequence[Contender], outcomes: Outcomes, target: Supervised
) -> dict[Population, dict[str, Figures]]:
    """Per population and contender, every figure that its predictions allow."""
    metrics = [METRICS[name] for name in OF_TARGET[target]]
    return {
        population: {
            c.name: {
                m.name: m.value(outcomes.actual[target][rows], c.of(target)[rows])
                for m in metrics
                if m.by_rank or c.kind != "rule"
            }
            for c in contenders
        }
        for population, rows in outcomes.populations().items()
    }


def gains(
    winner: Floats,
    opponents: Iterable[Contender],
    outcomes: Outcomes,
    target: Supervised,
    *,
    seed: int,
    n: int,
) -> dict[Population, dict[str, Gain]]:
    """Per population and opponent, the winner's gain in the target's measure."""
    metric, others = METRICS[PRIMARY[target]], list(opponents)
    return {
        population: _gains(
            metric,
            outcomes.actual[target][rows],
            winner[rows],
            {c.name: c.of(target)[rows] for c in others},
            seed=seed,
            n=n,
        )
        for population, rows in outcomes.populations().items()
    }


def _gains(
    metric: Metric,
    actual: Floats,
    winner: Floats,
    others: Mapping[str, Floats],
    *,
    seed: int,
    n: int,
) -> dict[str, Gain]:
    found = paired_bootstraps(
        metric,
        actual,
        candidate=winner,
        baselines=others,
        groups=np.arange(len(actual)),
        seed=seed,
        n=n,
        level=LEVEL,
    )
    return {name: Gain(d.estimate, d.low, d.high) for name, d in found.items()}


def interval_figures(
    intervals: Mapping[str, Floats], actual: Floats, *, coverage: float
) -> dict[str, Figures]:
    """Coverage, width and interval score of intervals, by name; each of shape (customers, 2)."""
    return {
        name: {metric.name: metric.value(actual, ends) for metric in interval_metrics(coverage)}
        for name, ends in intervals.items()
    }


def plain_interval(predicted: Floats, residuals: Floats, *, coverage: float) -> Floats:
    """The same residuals' quantiles around everybody's prediction, shape (customers, 2).

    Example:
        >>> plain_interval(np.array([10.0]), np.array([-1.0, 0.0, 3.0]), coverage=1.0).tolist()
        [[9.0, 13.0]]
    """
    tail = (1 - coverage) / 2
    around: Floats = predicted[:, None] + np.quantile(residuals, [tail, 1 - tail])[None, :]
    return around


def tiers(interval: Floats, outcomes: Outcomes) -> dict[str, Tier]:
    """The coverage of each value tier, the most valuable first."""
    actual = outcomes.actual["lifetime_value"]
    inside = (interval[:, 0] <= actual) & (actual <= interval[:, 1])
    return {
        name: Tier(int(rows.sum()), float(inside[rows].mean()))
        for name in reversed(TIER_NAMES)
        if (rows := outcomes.tier == name).any()
    }
