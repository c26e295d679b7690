"""The metrics by name: what each is called, which way is better, and how it is computed.

A metric is computed in two steps. `prepare(actual, score)` does what the weights do not change,
above all sorting; the function it gives takes the rows' weights and gives the value. A bootstrap
prepares once and calls that function with each replicate's weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from portfolio_ml.metrics import calibration, classification, intervals, value
from portfolio_ml.metrics.inputs import Array, Weighted, weights
from portfolio_ml.metrics.ranking import Ranking

Better = Literal["higher", "lower", "nearer"]
Prepare = Callable[[Array, Array], Weighted]
Values = TypeVar("Values", float, Array)

CURRENCY = "currency units"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, for computing and for showing.

    Attributes:
        name: Its key in tables and runs.
        label: Its name for people.
        better: Whether higher is better, lower, or nearer to `ideal`.
        ideal: The value of a perfect prediction; infinite where it depends on the data.
        prepare: (actual, score) -> (weights -> value); the score of an interval metric has two
            columns, low and high.
        by_rank: Whether only the order of the scores counts, so that it can judge any score.
        unit: What a value of 1 is.
        low: The lowest value it can have.
        high: The highest.

    Example:
        >>> METRICS["auroc"].value([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
        0.75
    """

    name: str
    label: str
    better: Better
    ideal: float
    prepare: Prepare
    by_rank: bool = False
    unit: str = CURRENCY
    low: float = 0.0
    high: float = np.inf

    def value(
        self,
        actual: npt.ArrayLike,
        score: npt.ArrayLike,
        *,
        weight: npt.ArrayLike | None = None,
        strata: npt.ArrayLike | None = None,
    ) -> float:
        """The metric; with strata (such as the rows' cutoffs), its plain mean over them.

        A stratum in which the metric is undefined is left out; NaN where none is left.
        """
        outcome, predicted = np.asarray(actual, np.float64), np.asarray(score, np.float64)
        mass = weights(weight, len(outcome))
        within = [
            self.prepare(outcome[rows], predicted[rows])(mass[rows])
            for rows in rows_of(strata, len(outcome))
        ]
        return float(mean_of_defined(np.array(within)))

    def gain(self, candidate: Values, baseline: Values) -> Values:
        """By how much the candidate's value is better than the baseline's; below 0 is worse.

        Example:
            >>> METRICS["mae"].gain(8.0, 10.0)
            2.0
            >>> METRICS["calibration_slope"].gain(1.5, 0.75)
            -0.25
        """
        if self.better == "higher":
            return candidate - baseline
        if self.better == "lower":
            return baseline - candidate
        return abs(baseline - self.ideal) - abs(candidate - self.ideal)


def rows_of(strata: npt.ArrayLike | None, rows: int) -> list[npt.NDArray[np.intp]]:
    """The row numbers of each stratum, in the order of the strata; None is one stratum.

    Raises:
        ValueError: There is not one stratum a row.

    Example:
        >>> [rows.tolist() for rows in rows_of(["b", "a", "b"], 3)]
        [[1], [0, 2]]
    """
    if strata is None:
        return [np.arange(rows)]
    labels = np.asarray(strata)
    if labels.shape != (rows,):
        raise ValueError(f"metrics take one stratum a row: saw {labels.shape} for {rows} rows")
    present, codes = np.unique(labels, return_inverse=True)
    return [np.flatnonzero(codes == code) for code in range(len(present))]


def mean_of_defined(values: Array) -> Array:
    """The mean over the last axis of what is not NaN; NaN where nothing is.

    Example:
        >>> mean_of_defined(np.array([[1.0, 3.0], [1.0, np.nan]])).tolist()
        [2.0, 1.0]
    """
    defined = ~np.isnan(values)
    count = defined.sum(axis=-1)
    total = np.where(defined, values, 0.0).sum(axis=-1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _plain(function: Callable[..., float]) -> Prepare:
    """Prepares a metric that sorts nothing."""
    return lambda actual, score: lambda weight: function(actual, score, weight=weight)


def _ranked(function: Callable[..., float]) -> Prepare:
    """Prepares a metric that sorts by the score."""

    def prepare(actual: Array, score: Array) -> Weighted:
        ranking = Ranking.of(score)
        return lambda weight: function(actual, score, weight=weight, ranking=ranking)

    return prepare


def _ranked_twice(function: Callable[..., float]) -> Prepare:
    """Prepares a metric that sorts by the score and by the outcome."""

    def prepare(actual: Array, score: Array) -> Weighted:
        own, by_score = Ranking.of(actual), Ranking.of(score)
        return lambda weight: function(
            actual, score, weight=weight, ranking=by_score, actual_ranking=own
        )

    return prepare


def _two_columns(function: Callable[..., float]) -> Prepare:
    """Prepares a metric of the outcome and an interval."""
    return lambda actual, score: lambda weight: function(actual, *score.T, weight=weight)


def _width(_actual: Array, score: Array) -> Weighted:
    return lambda weight: intervals.mean_width(*score.T, weight=weight)


CHURN_METRICS = (
    Metric(
        "auroc",
        "AUROC",
        "higher",
        1.0,
        classification.auroc_under,
        by_rank=True,
        unit="probability",
        high=1.0,
    ),
    Metric(
        "average_precision",
        "Average precision",
        "higher",
        1.0,
        _ranked(classification.average_precision),
        by_rank=True,
        unit="share",
        high=1.0,
    ),
    Metric("log_loss", "Log loss", "lower", 0.0, classification.log_loss_under, unit="nats"),
    Metric(
        "brier",
        "Brier score",
        "lower",
        0.0,
        _plain(classification.brier),
        unit="squared probability",
        high=1.0,
    ),
    Metric(
        "calibration_slope",
        "Calibration slope",
        "nearer",
        1.0,
        _plain(calibration.calibration_slope),
        unit="ratio",
        low=-np.inf,
    ),
    Metric(
        "calibration_error",
        "Calibration error (debiased)",
        "lower",
        0.0,
        _ranked(calibration.calibration_error),
        unit="probability",
        high=1.0,
    ),
    Metric(
        "lift_at_10pct",
        "Lift at 10 %",
        "higher",
        np.inf,
        _ranked(classification.lift_at),
        by_rank=True,
        unit="ratio",
        high=10.0,
    ),
)
"""How churn probabilities are judged: outcome 0 or 1, score a probability."""

VALUE_METRICS = (
    Metric(
        "normalised_gini",
        "Normalised Gini",
        "higher",
        1.0,
        value.normalised_gini_under,
        by_rank=True,
        unit="ratio",
        low=-1.0,
        high=1.0,
    ),
    Metric(
        "spearman",
        "Spearman correlation",
        "higher",
        1.0,
        _ranked_twice(value.spearman),
        by_rank=True,
        unit="correlation",
        low=-1.0,
        high=1.0,
    ),
    Metric("mae", "Mean absolute error", "lower", 0.0, _plain(value.mae)),
    Metric("rmse", "Root mean squared error", "lower", 0.0, _plain(value.rmse)),
    Metric("decile_mape", "Decile MAPE", "lower", 0.0, _ranked(value.decile_mape), unit="ratio"),
    Metric(
        "total_bias",
        "Total bias",
        "nearer",
        0.0,
        _plain(value.total_bias),
        unit="ratio",
        low=-np.inf,
    ),
)
"""How predictions of value are judged: outcome and score in currency units."""

METRICS = {metric.name: metric for metric in (*CHURN_METRICS, *VALUE_METRICS)}
"""The metrics of one prediction a row, by name."""


def interval_metrics(coverage: float) -> tuple[Metric, ...]:
    """How intervals of a nominal coverage are judged; the score's columns are low and high.

    Example:
        >>> share, width, score = interval_metrics(0.8)
        >>> share.value([1, 5], [[0, 2], [0, 4]])
        0.5
    """
    score_at = partial(intervals.interval_score, coverage=coverage)
    return (
        Metric(
            "coverage",
            "Coverage",
            "nearer",
            coverage,
            _two_columns(intervals.coverage),
            unit="share",
            high=1.0,
        ),
        Metric("mean_width", "Mean width", "lower", 0.0, _width),
        Metric("interval_score", "Interval score", "lower", 0.0, _two_columns(score_at)),
    )
