"""How sure a difference between two predictions is: the paired bootstrap over customers.

A replicate draws as many customers as there are, with replacement; a drawn customer comes with
all of their rows. All predictions are judged on the same draws, so what they share cancels out.
A draw is a vector of multiplicities: nothing is copied or sorted again (Efron & Tibshirani 1993).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from portfolio_ml.metrics.inputs import Array, Weighted
from portfolio_ml.metrics.metric import Metric, mean_of_defined, rows_of


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much a candidate is better than a baseline, in the metric's unit; below 0 is worse.

    Attributes:
        estimate: The difference on the rows as they are; NaN where the metric is undefined.
        low: Lower end of the central percentile interval; (1 - level) / 2 of the draws lie below.
        high: Upper end. Both are NaN where fewer than half of the draws define the metric.
        level: The interval's nominal coverage, such as 0.9.
        n: The draws that define the metric.
    """

    estimate: float
    low: float
    high: float
    level: float
    n: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value and its interval over customers.

    Attributes:
        value: On the rows as they are; NaN where the metric is undefined.
        low: Lower end of the basic bootstrap interval, which takes off again what drawing adds to
            such as a calibration error (Davison & Hinkley 1997, section 5.2).
        high: Upper end. Both are NaN where fewer than half of the draws define the metric.
        level: The interval's nominal coverage, such as 0.9.
    """

    value: float
    low: float
    high: float
    level: float


def bootstrap(
    metric: Metric,
    actual: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    groups: npt.ArrayLike,
    seed: int,
    strata: npt.ArrayLike | None = None,
    n: int = 500,
    level: float = 0.9,
) -> Estimate:
    """How sure one prediction's metric is, by drawing customers with all their rows.

    Args:
        metric: What is computed, within each stratum and then averaged.
        actual: The outcomes, one a row.
        score: The prediction, one a row; of an interval metric its two ends.
        groups: Each row's customer, as a number or text.
        seed: Makes the draws reproducible.
        strata: Each row's as-of date or cutoff; None is one stratum.
        n: Number of draws.
        level: Nominal coverage of the interval.

    Example:
        >>> from portfolio_ml.metrics.metric import METRICS
        >>> bootstrap(METRICS["mae"], [1, 2], [2, 3], groups=["a", "b"], seed=7, n=20)
        Estimate(value=1.0, low=1.0, high=1.0, level=0.9)
    """
    outcome, predicted = np.asarray(actual, np.float64), np.asarray(score, np.float64)
    customers, customer_of_row = np.unique(np.asarray(groups), return_inverse=True)
    cutoffs = [
        _Cutoff(customer_of_row[rows], [metric.prepare(outcome[rows], predicted[rows])])
        for rows in rows_of(strata, len(outcome))
    ]

    def value(multiplicity: Array) -> float:
        values = np.array([cutoff.values(multiplicity)[0] for cutoff in cutoffs])
        return float(mean_of_defined(values))

    drawn = np.array([value(draw) for draw in draws(len(customers), n, seed)])
    found = _difference(value(np.ones(len(customers))), drawn, level)
    twice = 2 * found.estimate
    return Estimate(found.estimate, twice - found.high, twice - found.low, level)


def paired_bootstrap(
    metric: Metric,
    actual: npt.ArrayLike,
    *,
    candidate: npt.ArrayLike,
    baseline: npt.ArrayLike,
    groups: npt.ArrayLike,
    seed: int,
    strata: npt.ArrayLike | None = None,
    n: int = 500,
    level: float = 0.9,
) -> Difference:
    """The candidate's gain over one baseline; see `paired_bootstraps`.

    Example:
        >>> from portfolio_ml.metrics.metric import METRICS
        >>> paired_bootstrap(
        ...     METRICS["mae"], [1, 2, 3], candidate=[1, 2, 3], baseline=[2, 3, 4],
        ...     groups=["a", "b", "c"], seed=7, n=20,
        ... )
        Difference(estimate=1.0, low=1.0, high=1.0, level=0.9, n=20)
    """
    return paired_bootstraps(
        metric,
        actual,
        candidate=candidate,
        baselines={"baseline": baseline},
        groups=groups,
        seed=seed,
        strata=strata,
        n=n,
        level=level,
    )["baseline"]


def paired_bootstraps(
    metric: Metric,
    actual: npt.ArrayLike,
    *,
    candidate: npt.ArrayLike,
    baselines: Mapping[str, npt.ArrayLike],
    groups: npt.ArrayLike,
    seed: int,
    strata: npt.ArrayLike | None = None,
    n: int = 500,
    level: float = 0.9,
) -> dict[str, Difference]:
    """The candidate's gain over each baseline, all on the same draws.

    Args:
        metric: What is compared; its `gain` says which way is better.
        actual: The outcomes, one a row.
        candidate: The candidate's predictions, one a row.
        baselines: The baselines' predictions by name.
        groups: Each row's customer, as a number or text.
        seed: Two calls of one seed and the same customers draw the same, whatever the metric.
        strata: Each row's cutoff; the gain is computed within each and averaged, those left out
            in which it is undefined. None computes it over all rows at once.
        n: Number of draws.
        level: Nominal coverage of the intervals.

    Raises:
        ValueError: The columns differ in length, or `level` lies outside (0, 1).

    Example:
        >>> from portfolio_ml.metrics.metric import METRICS
        >>> gains = paired_bootstraps(
        ...     METRICS["mae"], [1, 2], candidate=[1, 2], groups=[7, 8], seed=7,
        ...     baselines={"zero": [0, 0], "one more": [2, 3]},
        ... )
        >>> gains["zero"].estimate, gains["one more"].estimate
        (1.5, 1.0)
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies in (0, 1): saw {level}")
    outcome = np.asarray(actual, np.float64)
    scores = [np.asarray(score, np.float64) for score in (candidate, *baselines.values())]
    lengths = [len(column) for column in (outcome, *scores, np.asarray(groups))]
    if len(set(lengths)) > 1:
        raise ValueError(f"a bootstrap takes columns of one length: saw {lengths}")
    customers, customer_of_row = np.unique(np.asarray(groups), return_inverse=True)
    cutoffs = [
        _Cutoff(customer_of_row[rows], [metric.prepare(outcome[rows], s[rows]) for s in scores])
        for rows in rows_of(strata, len(outcome))
    ]

    def gains(multiplicity: Array) -> Array:
        values = np.array([cutoff.values(multiplicity) for cutoff in cutoffs])
        return mean_of_defined(metric.gain(values[:, :1], values[:, 1:]).T)

    estimates = gains(np.ones(len(customers)))
    with threadpool_limits(1, user_api="blas"):  # short sums: threads only wait for each other
        drawn = np.array([gains(draw) for draw in draws(len(customers), n, seed)])
    return {
        name: _difference(float(estimates[k]), drawn[:, k], level)
        for k, name in enumerate(baselines)
    }


@dataclass(frozen=True, slots=True)
class _Cutoff:
    """The rows of one cutoff: whose they are, and the metric of each prediction, prepared."""

    customer_of_row: npt.NDArray[np.intp]
    metrics: list[Weighted]

    def values(self, multiplicity: Array) -> list[float]:
        """The metric of each prediction when each customer counts that often."""
        weight = multiplicity[self.customer_of_row]
        return [value_under(weight) for value_under in self.metrics]


def draws(customers: int, n: int, seed: int) -> Iterator[Array]:
    """How often each customer is drawn, for each of n draws; each has shape (customers,).

    Example:
        >>> [draw.sum() for draw in draws(4, 2, seed=7)]
        [np.float64(4.0), np.float64(4.0)]
    """
    rng = np.random.default_rng(seed)
    for _ in range(n):
        drawn = rng.integers(customers, size=customers)
        yield np.bincount(drawn, minlength=customers).astype(np.float64)


def _difference(estimate: float, draws: Array, level: float) -> Difference:
    defined = draws[~np.isnan(draws)]
    if not defined.size or 2 * defined.size < draws.size:
        return Difference(estimate, np.nan, np.nan, level, defined.size)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Difference(estimate, float(low), float(high), level, defined.size)
