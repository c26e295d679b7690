"""How good prediction intervals are: they should hold what they promise, and be narrow.

An interval includes both its ends. `weight` counts rows: an integer weight equals repeated rows.
"""

import numpy as np
import numpy.typing as npt

from portfolio_ml.metrics.inputs import Array, mean, vectors, weights


def coverage(
    actual: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
) -> float:
    """The share of outcomes within their interval. NaN without rows.

    Example:
        >>> coverage([1, 5], [0, 0], [2, 4])
        0.5
    """
    outcome, bottom, top = _intervals(actual, low, high)
    inside = (bottom <= outcome) & (outcome <= top)
    return mean(inside.astype(np.float64), weights(weight, len(outcome)))


def mean_width(
    low: npt.ArrayLike, high: npt.ArrayLike, *, weight: npt.ArrayLike | None = None
) -> float:
    """The mean width, in the outcome's unit. NaN without rows.

    Example:
        >>> mean_width([0, 0], [2, 4])
        3.0
    """
    _, bottom, top = _intervals(low, low, high)
    return mean(top - bottom, weights(weight, len(top)))


def interval_score(
    actual: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    coverage: float,
    weight: npt.ArrayLike | None = None,
) -> float:
    """The mean width plus 2 / (1 - coverage) times what outcomes stick out; lower is better.

    In the outcome's unit. Its expectation is least for the true central interval of that
    coverage. NaN without rows. Gneiting & Raftery (2007), equation 43.

    Example:
        >>> round(interval_score([1, 5], [0, 0], [2, 4], coverage=0.8), 6)
        8.0
    """
    if not 0 < coverage < 1:
        raise ValueError(f"a coverage lies in (0, 1): saw {coverage}")
    outcome, bottom, top = _intervals(actual, low, high)
    outside = np.maximum(bottom - outcome, 0) + np.maximum(outcome - top, 0)
    return mean(top - bottom + 2 / (1 - coverage) * outside, weights(weight, len(outcome)))


def _intervals(
    actual: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike
) -> tuple[Array, Array, Array]:
    outcome, bottom, top = vectors(actual, low, high)
    if (bottom > top).any():
        raise ValueError(f"an interval's low is above its high in {(bottom > top).sum()} rows")
    return outcome, bottom, top
