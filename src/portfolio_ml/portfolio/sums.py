"""Sums by section: which rows are alike, what they add up to, and parts of a whole."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def grouped(texts: NDArray[np.object_]) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """The different texts, sorted, and the place of each row's among them.

    The same as of `numpy.unique`, which sorts all rows: millions of texts take it seconds.

    Args:
        texts: One text per row, none of them missing; shape (rows,).

    Example:
        >>> names, place = grouped(np.array(["South", "North", "South"], object))
        >>> names.tolist(), place.tolist()
        (['North', 'South'], [1, 0, 1])
    """
    encoded = pa.array(texts, pa.string()).dictionary_encode()
    names, place = np.unique(np.array(encoded.dictionary.to_pylist(), str), return_inverse=True)
    return names, np.asarray(place[encoded.indices.to_numpy()], np.int64)


def summed(values: NDArray[np.int64], place: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The sums of whole numbers by place, exact; shape (size,).

    Example:
        >>> summed(np.array([5, 7, 1]), np.array([0, 2, 0]), 3).tolist()
        [6, 0, 7]
    """
    sums = np.zeros(size, np.int64)
    np.add.at(sums, place, values)
    return sums


def ratio(part: NDArray[np.generic], whole: NDArray[np.generic]) -> NDArray[np.float64]:
    """The part of the whole; NaN where the whole is not above 0.

    Example:
        >>> ratio(np.array([1, 1]), np.array([4, 0])).tolist()
        [0.25, nan]
    """
    some = np.asarray(whole, np.float64)
    found = np.full(some.shape, np.nan)
    np.divide(np.asarray(part, np.float64), some, out=found, where=some > 0)
    return found
