"""Texts by customer: some have one, some have several, some have none."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Texts = NDArray[np.object_]


def only(texts: Texts, where: NDArray[np.bool_]) -> Texts:
    """The texts where something is so, None elsewhere.

    Example:
        >>> only(np.array(["a", "b"], object), np.array([True, False])).tolist()
        ['a', None]
    """
    found = np.full(texts.shape, None, object)
    found[where] = texts[where]
    return found


def joined(parts: Sequence[Texts], by: str) -> Texts:
    """Per row the texts that it has, joined; None where it has none.

    Example:
        >>> some = [np.array(["a", None, "b"], object), np.array(["c", None, None], object)]
        >>> joined(some, ", ").tolist()
        ['a, c', None, 'b']
    """
    # Arrow drops a row of nulls alone, so that those are left out beforehand.
    found = np.full(parts[0].shape, None, object)
    has_one = np.any([pa.array(part, pa.string()).is_valid() for part in parts], axis=0)
    texts = [pa.array(part[has_one], pa.string()) for part in parts]
    whole = pc.binary_join_element_wise(*texts, by, null_handling="skip")
    found[has_one] = whole.to_numpy(zero_copy_only=False)
    return found
