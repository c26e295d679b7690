"""How far churn probabilities can be taken at their word.

`y` is 1 where the customer churned and 0 where not, `p` the predicted probability. `weight` counts
rows: an integer weight equals repeated rows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from portfolio_ml.metrics.inputs import CLIP, Array, probabilities, weights
from portfolio_ml.metrics.ranking import Ranking


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationCurve:
    """Predicted against observed churn in bins of the prediction, lowest first.

    Attributes:
        predicted: The bin's mean probability.
        observed: The bin's churn rate.
        rows: How many rows the bin holds; no bin is empty.
    """

    predicted: Array
    observed: Array
    rows: Array


def calibration_curve(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    *,
    bins: int = 10,
    weight: npt.ArrayLike | None = None,
    ranking: Ranking | None = None,
) -> CalibrationCurve:
    """Predicted against observed churn in up to `bins` bins of equal mass.

    Rows of equal probability stay together, in the bin in which their middle lies, so the bins
    depend on the probabilities alone. Without rows there are no bins.

    Example:
        >>> curve = calibration_curve([0, 0, 0, 1], [0.1, 0.3, 0.6, 0.8], bins=2)
        >>> curve.predicted.round(6).tolist(), curve.observed.tolist()
        ([0.2, 0.7], [0.0, 0.5])
    """
    happened, probability = probabilities(y, p)
    mass = weights(weight, len(happened))
    by_score = Ranking.of(probability) if ranking is None else ranking
    group_rows = by_score.sums(mass)
    from_below = np.cumsum(group_rows[::-1])[::-1] - group_rows / 2
    total = float(mass.sum()) or 1.0
    bin_of_group = np.minimum((bins * from_below / total).astype(np.intp), bins - 1)

    def by_bin(values: Array) -> Array:
        sums = np.bincount(bin_of_group, weights=by_score.sums(mass * values), minlength=bins)
        return sums.astype(np.float64)  # of no rows, NumPy makes integers

    rows = by_bin(np.ones_like(mass))
    filled = rows > 0
    rows, predicted, observed = (
        column[filled] for column in (rows, by_bin(probability), by_bin(happened))
    )
    return CalibrationCurve(predicted / rows, observed / rows, rows)


def calibration_error(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    *,
    bins: int = 15,
    weight: npt.ArrayLike | None = None,
    ranking: Ranking | None = None,
) -> float:
    """The root mean squared gap between predicted and observed churn, without its sampling noise.

    The bins are those of `calibration_curve`. What chance alone adds to a bin's squared gap, the
    variance of its churn rate, is subtracted; the sum is floored at 0 before the root: the
    debiased L2 estimator of Kumar, Liang & Ma (2019). A bin of fewer than two rows shows no
    variance and is left out; NaN where none is left.

    Example:
        >>> calibration_error([1] * 9 + [0], [0.5] * 10) > 0.38
        True
        >>> calibration_error([1, 0], [0.5, 0.5])
        0.0
    """
    curve = calibration_curve(y, p, bins=bins, weight=weight, ranking=ranking)
    has_variance = curve.rows >= 2
    rows, observed = curve.rows[has_variance], curve.observed[has_variance]
    if not rows.size:
        return float("nan")
    gap = (observed - curve.predicted[has_variance]) ** 2
    noise = observed * (1 - observed) / (rows - 1)
    return float(np.sqrt(max(0.0, rows @ (gap - noise) / rows.sum())))


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """logit P(churn) = intercept + slope x logit(p); a calibrated model has 0 and 1.

    A slope below 1 means too extreme probabilities, above 1 too timid ones. Cox (1958).
    """

    intercept: float
    slope: float


def calibration_line(
    y: npt.ArrayLike, p: npt.ArrayLike, *, weight: npt.ArrayLike | None = None
) -> CalibrationLine:
    """The logistic regression of the outcome on the clipped logit of the probability.

    Both are NaN where no finite maximum of the likelihood exists: one class only, one probability
    only, or a probability that parts the classes.

    Example:
        >>> calibration_line([0, 1], [0.1, 0.9]).slope
        nan
    """
    happened, probability = probabilities(y, p)
    mass = weights(weight, len(happened))
    present = mass > 0
    happened, mass = happened[present], mass[present]
    x = logit(np.clip(probability[present], CLIP, 1 - CLIP))
    stayed, left = x[happened == 0], x[happened == 1]
    if not (len(stayed) and len(left)) or stayed.max() <= left.min() or left.max() <= stayed.min():
        return CalibrationLine(float("nan"), float("nan"))
    return CalibrationLine(*_logistic_fit(x, happened, mass))


def calibration_slope(
    y: npt.ArrayLike, p: npt.ArrayLike, *, weight: npt.ArrayLike | None = None
) -> float:
    """How far the log-odds of churn follow those predicted: 1 is calibrated, below 1 too extreme.

    The slope of `calibration_line`, the logistic regression of the outcome on the logit of the
    probability; above 1 probabilities are too timid. NaN where there is only one class or one
    probability, or a probability that parts the classes. Cox (1958).

    Example:
        >>> y = [1, 1, 1, 0, 1, 0, 0, 0]
        >>> round(calibration_slope(y, [0.9] * 4 + [0.1] * 4), 6)
        0.5
    """
    return calibration_line(y, p, weight=weight).slope


def calibration_intercept(
    y: npt.ArrayLike, p: npt.ArrayLike, *, weight: npt.ArrayLike | None = None
) -> float:
    """The intercept of `calibration_line`, fitted along with the slope; NaN where it is.

    Example:
        >>> y = [1, 1, 1, 0, 1, 0, 0, 0]
        >>> abs(round(calibration_intercept(y, [0.9] * 4 + [0.1] * 4), 6))
        0.0
    """
    return calibration_line(y, p, weight=weight).intercept


def _logistic_fit(x: Array, y: Array, mass: Array) -> tuple[float, float]:
    """Intercept and slope of largest likelihood, by Newton steps halved until they climb.

    The caller sees to it that the classes overlap, so that the maximum exists and is unique.
    """
    shift, scale = x.min(), np.ptp(x)  # x from 0 to 1 keeps the curvature well conditioned
    design = np.stack([np.ones_like(x), (x - shift) / scale])

    def loss(line: Array) -> float:
        margin = line @ design
        softplus = np.maximum(margin, 0) + np.log1p(np.exp(-np.abs(margin)))
        return float(mass @ (softplus - y * margin))

    line = np.zeros(2)
    before = loss(line)
    for _ in range(100):
        fitted = expit(line @ design)
        gradient = design @ (mass * (y - fitted))
        curvature = (design * (mass * fitted * (1 - fitted))) @ design.T
        step = np.linalg.lstsq(curvature, gradient)[0]
        while (after := loss(line + step)) > before * (1 + 1e-12):
            step = step / 2
        line, before = line + step, after
        if np.abs(step).max() <= 1e-6 * (1 + np.abs(line).max()):
            break  # the error left is of the order of the step squared
    return float(line[0] - line[1] * shift / scale), float(line[1] / scale)
