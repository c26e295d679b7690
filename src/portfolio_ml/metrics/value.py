"""How good predictions of value are: their order, their size, their sum.

`actual` is what the customers spent over the horizon, `predicted` the forecast, in one currency
unit. `weight` counts rows: an integer weight equals repeated rows. `ranking` is the ranking of
the prediction and `actual_ranking` that of the outcome, where they are already known. None of
them should be read alone: on sparse data predicting zero wins the mean absolute error.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from portfolio_ml.metrics.curves import lorenz_curve
from portfolio_ml.metrics.inputs import Array, Weighted, mean, vectors, weights
from portfolio_ml.metrics.ranking import Below, Ranking


def gini(amount: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> float:
    """How concentrated amounts are: 0 where all are equal, near 1 where one customer holds all.

    Amounts are floored at 0. NaN where none is above 0. Gini (1912), without small-sample
    correction.

    Example:
        >>> gini([3, 1])
        0.25
    """
    return 1 - 2 * lorenz_curve(amount, weight=weight).area


def normalised_gini(
    actual: npt.ArrayLike, predicted: npt.ArrayLike, *, weight: npt.ArrayLike | None = None
) -> float:
    """The Gini of the outcome in the order of the prediction, over that in its own order.

    1 is the perfect order, 0 a random one, -1 the reverse. Outcomes are floored at 0; rows of
    equal prediction count with their expected value over all orders. NaN where no outcome is
    above 0 or all are equal. Frees, Meyers & Cummings (2011).

    Example:
        >>> normalised_gini([30, 0, 10, 0], [4, 3, 2, 1])
        0.8
    """
    return normalised_gini_under(actual, predicted)(weights(weight, len(np.asarray(actual))))


def normalised_gini_under(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Weighted:
    """`normalised_gini`, of any weights.

    The area below a gains curve is the mean share of customers who rank below one's own place,
    over the amounts.
    """
    outcome, forecast = vectors(actual, predicted)
    spenders = np.flatnonzero(outcome > 0)
    amount = outcome[spenders]
    below, below_at_best = Below.of(forecast[spenders], forecast), Below.of(amount, amount)

    def value(weight: Array) -> float:
        spending, rows = weight[spenders], weight.sum()
        total = spending @ amount
        if not total > 0:
            return float("nan")
        share, others = spending * amount / total, rows - spending.sum()
        reached = share @ below(weight) / rows
        reachable = share @ (others + below_at_best(spending)) / rows
        return float((reached - 0.5) / (reachable - 0.5)) if reachable > 0.5 + 1e-12 else np.nan

    return value


def spearman(
    actual: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    ranking: Ranking | None = None,
    actual_ranking: Ranking | None = None,
) -> float:
    """The correlation of the ranks; equal values share their average rank.

    NaN where all outcomes or all predictions are equal. Spearman (1904).

    Example:
        >>> spearman([1, 2, 3], [10, 30, 20])
        0.5
    """
    outcome, forecast = vectors(actual, predicted)
    mass = weights(weight, len(outcome))
    by_outcome = Ranking.of(outcome) if actual_ranking is None else actual_ranking
    by_forecast = Ranking.of(forecast) if ranking is None else ranking
    a, b = by_outcome.ranks(mass), by_forecast.ranks(mass)
    a, b = a - mean(a, mass), b - mean(b, mass)
    spread = float(np.sqrt((mass @ a**2) * (mass @ b**2)))
    return float(mass @ (a * b)) / spread if spread > 0 else float("nan")


def mae(
    actual: npt.ArrayLike, predicted: npt.ArrayLike, *, weight: npt.ArrayLike | None = None
) -> float:
    """The mean absolute error, in currency units. NaN without rows.

    Example:
        >>> mae([10, 0], [7, 1])
        2.0
    """
    outcome, forecast = vectors(actual, predicted)
    return mean(np.abs(forecast - outcome), weights(weight, len(outcome)))


def rmse(
    actual: npt.ArrayLike, predicted: npt.ArrayLike, *, weight: npt.ArrayLike | None = None
) -> float:
    """The root of the mean squared error, in currency units. NaN without rows.

    Example:
        >>> rmse([10, 0], [3, 1])
        5.0
    """
    outcome, forecast = vectors(actual, predicted)
    return float(np.sqrt(mean((forecast - outcome) ** 2, weights(weight, len(outcome)))))


def total_bias(
    actual: npt.ArrayLike, predicted: npt.ArrayLike, *, weight: npt.ArrayLike | None = None
) -> float:
    """The predicted sum over the actual sum, less 1: above 0 is too much, below too little.

    NaN where the actual sum is not above 0.

    Example:
        >>> total_bias([10, 0], [7, 1])
        -0.2
    """
    outcome, forecast = vectors(actual, predicted)
    mass = weights(weight, len(outcome))
    total = float(mass @ outcome)
    return float(mass @ (forecast - outcome)) / total if total > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the customers by prediction.

    Attributes:
        number: 1 for the highest predictions, 10 for the lowest.
        customers: How many rows it holds; a row on a border is shared out.
        actual: What they spent.
        predicted: What was forecast.
    """

    number: int
    customers: float
    actual: float
    predicted: float


def decile_table(
    actual: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    ranking: Ranking | None = None,
) -> tuple[Decile, ...]:
    """The customers in ten parts of equal mass by prediction, highest first.

    Rows of equal prediction that a border divides are shared out evenly: the expected value over
    all their orders. Without rows, all ten parts are empty.

    Example:
        >>> decile_table(range(20), range(20))[0]
        Decile(number=1, customers=2.0, actual=37.0, predicted=37.0)
    """
    outcome, forecast = vectors(actual, predicted)
    mass = weights(weight, len(outcome))
    by_forecast = Ranking.of(forecast) if ranking is None else ranking
    position = by_forecast.cumulative(mass)
    borders = position[-1] * np.arange(11) / 10
    columns = (
        np.diff(np.interp(borders, position, by_forecast.cumulative(mass * column)))
        for column in (np.ones_like(mass), outcome, forecast)
    )
    return tuple(
        Decile(number, *map(float, row)) for number, row in enumerate(zip(*columns, strict=True), 1)
    )


def decile_mape(
    actual: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    ranking: Ranking | None = None,
) -> float:
    """The deciles' absolute percentage errors, averaged with the deciles' actual sums as weights.

    This is the sum over the deciles of |predicted - actual|, over the actual sum. The unweighted
    mean (Wang, Liu & Miao 2019) is ruled by deciles that spend next to nothing, and undefined
    where one spends nothing; here such a decile counts with the money it is wrong by. NaN where
    the actual sum is not above 0.

    Example:
        >>> decile_mape([10] * 10 + [0] * 10, [8] * 10 + [1] * 10)
        0.3
    """
    deciles = decile_table(actual, predicted, weight=weight, ranking=ranking)
    total = sum(decile.actual for decile in deciles)
    wrong_by = sum(abs(decile.predicted - decile.actual) for decile in deciles)
    return wrong_by / total if total > 0 else float("nan")
