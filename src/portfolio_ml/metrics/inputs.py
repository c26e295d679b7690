"""What every metric takes: vectors of finite floats, one entry a row, and the rows' weights.

A fault here is a bug of the caller, not of the data: it raises ValueError and keeps its traceback.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

Weighted = Callable[[Array], float]
"""A metric of known outcomes and scores: the rows' weights, as `weights` gives them -> its value.

What the weights do not change is computed before, so that many of them cost little.
"""

CLIP = float(np.finfo(np.float64).eps)
"""Probabilities are kept this far from 0 and 1 before a logarithm is taken."""


def vectors(*columns: npt.ArrayLike) -> tuple[Array, ...]:
    """The columns as float vectors.

    Raises:
        ValueError: A column is not one-dimensional, holds NaN or infinity, or differs in length.

    Example:
        >>> [column.tolist() for column in vectors([0, 1], [0.2, 0.9])]
        [[0.0, 1.0], [0.2, 0.9]]
    """
    arrays = tuple(np.asarray(column, dtype=np.float64) for column in columns)
    shapes = [array.shape for array in arrays]
    if any(len(shape) != 1 or shape != shapes[0] for shape in shapes):
        raise ValueError(f"metrics take vectors of one length: saw shapes {shapes}")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("metrics take finite numbers: saw NaN or infinity")
    return arrays


def outcomes(y: npt.ArrayLike, p: npt.ArrayLike) -> tuple[Array, Array]:
    """Binary outcomes and their scores as float vectors.

    Raises:
        ValueError: An outcome is neither 0 nor 1, or `vectors` refuses the columns.

    Example:
        >>> outcomes([False, True], [0.2, 0.9])[0].tolist()
        [0.0, 1.0]
    """
    happened, score = vectors(y, p)
    if not ((happened == 0) | (happened == 1)).all():
        raise ValueError("outcomes are 0 or 1: saw other values")
    return happened, score


def probabilities(y: npt.ArrayLike, p: npt.ArrayLike) -> tuple[Array, Array]:
    """Binary outcomes and their probabilities as float vectors.

    Raises:
        ValueError: A probability lies outside [0, 1], or `outcomes` refuses the columns.

    Example:
        >>> probabilities([0, 1], [0.2, 0.9])[1].tolist()
        [0.2, 0.9]
    """
    happened, probability = outcomes(y, p)
    if probability.size and (probability.min() < 0 or probability.max() > 1):
        raise ValueError("probabilities lie in [0, 1]: saw values outside")
    return happened, probability


def weights(weight: npt.ArrayLike | None, rows: int) -> Array:
    """The rows' multiplicities: a weight of 2 counts a row twice; None counts every row once.

    Raises:
        ValueError: There is not one weight a row, or one is negative or not finite.

    Example:
        >>> weights(None, 3).tolist()
        [1.0, 1.0, 1.0]
    """
    if weight is None:
        return np.ones(rows)
    array = np.asarray(weight, dtype=np.float64)
    if array.shape != (rows,):
        raise ValueError(f"metrics take one weight a row: saw {array.shape} for {rows} rows")
    if not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError("weights are finite and not negative: saw other values")
    return array


def mean(values: Array, weight: Array) -> float:
    """The weighted mean; NaN where the weights sum to 0.

    Example:
        >>> mean(np.array([1.0, 4.0]), np.array([2.0, 1.0]))
        2.0
    """
    total = weight.sum()
    return float(weight @ values / total) if total > 0 else float("nan")
