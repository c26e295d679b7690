"""Rows in the order of a score, sorted once and summed under many weights."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from portfolio_ml.metrics.inputs import Array, vectors


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Rows by score, highest first; rows of equal score form one tie group.

    Sorting is the expensive part of every rank metric and does not depend on the weights: a
    bootstrap sorts once and then needs only sums, O(rows) a replicate.

    Attributes:
        order: Row numbers, highest score first.
        starts: The positions in `order` at which the tie groups begin.

    Example:
        >>> ranking = Ranking.of([0.5, 0.9, 0.5])
        >>> ranking.sums(np.array([1.0, 10.0, 100.0])).tolist()
        [10.0, 101.0]
    """

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, score: npt.ArrayLike) -> Self:
        """The ranking of a score."""
        (values,) = vectors(score)
        order = np.argsort(-values, kind="stable")
        ranked = values[order]
        is_new = np.ones(len(ranked), dtype=bool)
        is_new[1:] = ranked[1:] != ranked[:-1]
        return cls(order, np.flatnonzero(is_new))

    def sums(self, values: Array) -> Array:
        """The sum of the rows' values in each tie group, highest score first."""
        ranked = values[self.order]
        has_ties = len(self.starts) < len(ranked)
        return np.add.reduceat(ranked, self.starts) if has_ties else ranked

    def cumulative(self, values: Array) -> Array:
        """The sums of the tie groups added up from the top, beginning with 0."""
        return np.concatenate([[0.0], np.cumsum(self.sums(values))])

    def ranks(self, weight: Array) -> Array:
        """Each row's average rank under the weights; the highest score has the first rank.

        A row of weight 2 takes up two ranks, as if it stood there twice.
        """
        mass = self.sums(weight)
        middle = np.cumsum(mass) - mass / 2 + 0.5
        sizes = np.diff(self.starts, append=len(self.order))
        ranks = np.empty(len(self.order))
        ranks[self.order] = np.repeat(middle, sizes)
        return ranks


@dataclass(frozen=True, slots=True, eq=False)
class Below:
    """How much ranks below each of some rows, half of what ties with it included.

    Attributes:
        order: The numbers of the rows that are counted, lowest score first.
        low: Per judged row, how many of them score lower.
        high: How many score lower or tie.

    Example:
        >>> below = Below.of(np.array([0.5, 0.9]), np.array([0.1, 0.5, 0.9]))
        >>> below(np.array([1.0, 10.0, 100.0])).tolist()
        [6.0, 61.0]
    """

    order: npt.NDArray[np.intp]
    low: npt.NDArray[np.intp]
    high: npt.NDArray[np.intp]

    @classmethod
    def of(cls, judged: Array, counted: Array) -> Self:
        """For rows of these scores, among rows of those."""
        order = np.argsort(counted, kind="stable")
        ascending = counted[order]
        low, high = (np.searchsorted(ascending, judged, side) for side in ("left", "right"))
        return cls(order, low, high)

    def __call__(self, weight: Array) -> Array:
        """The weight below each judged row; `weight` is that of the counted rows."""
        total = np.zeros(len(self.order) + 1)
        np.cumsum(weight[self.order], out=total[1:])
        return np.asarray((total[self.low] + total[self.high]) / 2)
