"""How good churn probabilities are: rank and likelihood.

`y` is 1 where the customer churned and 0 where not, `p` the predicted probability (rank metrics
take any score). `weight` counts rows: an integer weight equals repeated rows. `ranking` is the
ranking of `p` where it is already known. Every function gives NaN where it says so.
"""

import numpy as np
import numpy.typing as npt

from portfolio_ml.metrics.curves import gains_curve
from portfolio_ml.metrics.inputs import (
    CLIP,
    Array,
    Weighted,
    mean,
    outcomes,
    probabilities,
    weights,
)
from portfolio_ml.metrics.ranking import Below, Ranking


def auroc(y: npt.ArrayLike, p: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> float:
    """The chance that a random churner scores above a random stayer; a tie counts half.

    NaN unless both classes are present. Mann & Whitney (1947).

    Example:
        >>> auroc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
        0.75
    """
    return auroc_under(y, p)(weights(weight, len(np.asarray(y))))


def auroc_under(y: npt.ArrayLike, p: npt.ArrayLike) -> Weighted:
    """`auroc`, of any weights."""
    happened, score = outcomes(y, p)
    churners, stayers = np.flatnonzero(happened == 1), np.flatnonzero(happened == 0)
    below = Below.of(score[stayers], score[churners])  # stayers are the fewer, as a rule

    def value(weight: Array) -> float:
        left, stayed = weight[churners], weight[stayers]
        pairs = left.sum() * stayed.sum()
        return float(1 - stayed @ below(left) / pairs) if pairs > 0 else float("nan")

    return value


def average_precision(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    ranking: Ranking | None = None,
) -> float:
    """Precision averaged over the churners, each at the threshold that just includes them.

    Rows of equal score come in together. NaN without churners.

    Example:
        >>> round(average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), 4)
        0.8333
    """
    happened, score = outcomes(y, p)
    mass = weights(weight, len(happened))
    by_score = Ranking.of(score) if ranking is None else ranking
    churners = by_score.sums(mass * happened)
    found, looked_at = np.cumsum(churners), np.cumsum(by_score.sums(mass))
    precision = np.divide(found, looked_at, out=np.zeros_like(found), where=looked_at > 0)
    return mean(precision, churners)


def lift_at(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    *,
    share: float = 0.1,
    weight: npt.ArrayLike | None = None,
    ranking: Ranking | None = None,
) -> float:
    """The churn rate among the `share` of customers of the highest score, over the overall rate.

    Rows of equal score at the border count with the part of them that fits: the expected value
    over all their orders. NaN without churners.

    Example:
        >>> lift_at([1, 0, 0, 0], [0.9, 0.3, 0.2, 0.1], share=0.5)
        2.0
        >>> lift_at([1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], share=0.5)
        1.0
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share lies in (0, 1]: saw {share}")
    happened, score = outcomes(y, p)
    gains = gains_curve(happened, score, weight=weight, ranking=ranking)
    return float(gains.at(share)) / share


def log_loss(y: npt.ArrayLike, p: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> float:
    """The mean negative log likelihood, in nats.

    Probabilities are kept 2.2e-16 (`CLIP`) away from 0 and 1. NaN without rows.

    Example:
        >>> round(log_loss([1, 0], [0.8, 0.2]), 4)
        0.2231
    """
    return log_loss_under(y, p)(weights(weight, len(np.asarray(y))))


def log_loss_under(y: npt.ArrayLike, p: npt.ArrayLike) -> Weighted:
    """`log_loss`, of any weights."""
    happened, probability = probabilities(y, p)
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    loss = -np.log(np.where(happened == 1, clipped, 1 - clipped))
    return lambda weight: mean(loss, weight)


def brier(y: npt.ArrayLike, p: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> float:
    """The mean squared error of the probabilities. NaN without rows. Brier (1950).

    Example:
        >>> round(brier([1, 0], [0.8, 0.4]), 4)
        0.1
    """
    happened, probability = probabilities(y, p)
    return mean((happened - probability) ** 2, weights(weight, len(happened)))
