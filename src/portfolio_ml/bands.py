"""Churn probabilities as low, medium or high, steady from one delivery to the next."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.config import Bands

NAMES = ("low", "medium", "high")


def churn_bands(p_churn: pa.Array, before: pa.Array, bands: Bands) -> pa.Array:
    """The band of each customer, who keeps the one before while near its edges.

    A customer without a band before, or with an unknown one, gets the band that the probability
    lies in. Another keeps theirs while the probability lies in it widened by the margin at both
    ends, and else gets the one that it lies in.

    Args:
        p_churn: Probabilities, shape (customers,); null for inactive customers.
        before: The bands delivered last before the as-of date, likewise; null where there is none.
        bands: The edges and the margin.

    Returns:
        `low`, `medium` or `high`; null where the probability is.

    Example:
        >>> edges = Bands(medium=0.4, high=0.7, margin=0.03)
        >>> churn_bands(pa.array([0.41, 0.41, 0.44]), pa.array(["low", None, "low"]), edges)
        <pyarrow.lib.StringArray object at ...>
        [
          "low",
          "medium",
          "medium"
        ]
    """
    is_known = np.asarray(p_churn.is_valid())
    chance = np.asarray(pc.fill_null(p_churn, 0.0), np.float64)
    edges = np.array([bands.medium, bands.high])
    fresh = np.searchsorted(edges, chance, side="right")
    places = pc.fill_null(pc.index_in(before, pa.array(NAMES)), -1)
    held: NDArray[np.int64] = np.asarray(places, np.int64)
    lowest = np.concatenate([[-np.inf], edges - bands.margin])[np.maximum(held, 0)]
    highest = np.concatenate([edges + bands.margin, [np.inf]])[np.maximum(held, 0)]
    is_kept = (held >= 0) & (chance >= lowest) & (chance < highest)
    return pa.array(np.array(NAMES)[np.where(is_kept, held, fresh)], mask=~is_known)
