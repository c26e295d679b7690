"""How one column is spread over bins on each of some dates: counts, never rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

BINS = 10
OTHERS = "(others)"
MOST_LABELS = 40
_MOST = 10**12


@dataclass(frozen=True, slots=True)
class Distribution:
    """A column's rows per date and bin.

    Attributes:
        edges: Of a number: the upper ends of all bins but the last, which has none, ascending;
            after those bins comes that of null. Empty for labels.
        labels: Of a category: what its bins are called. Empty for numbers.
        counts: Rows per date and bin, shape (dates, bins).
    """

    edges: tuple[float, ...]
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        bins = len(self.labels) or len(self.edges) + 2
        if any(len(counts) != bins for counts in self.counts):
            raise ValueError(f"each date of a distribution over {bins} bins needs as many counts")
        if any(not 0 <= count <= _MOST for counts in self.counts for count in counts):
            raise ValueError(f"a count lies between 0 and {_MOST:,}")
        if not np.isfinite(self.edges).all() or (np.diff(self.edges) <= 0).any():
            raise ValueError("the edges of a distribution must ascend")

    @classmethod
    def of_numbers(cls, values: NDArray[Any], day: NDArray[np.int32]) -> "Distribution":
        """The distribution of a number on each day, ascending, over its own deciles.

        Args:
            values: Shape (rows,); NaN is null.
            day: The rows' days.
        """
        known = values[np.isfinite(values)].astype(np.float64)
        shares = np.arange(1, BINS) / BINS
        found = np.quantile(known, shares, method="inverted_cdf") if known.size else []
        edges = tuple(map(float, np.unique(found)))
        counts = (tuple(map(int, _binned(values[day == d], edges))) for d in np.unique(day))
        return cls(edges, (), tuple(counts))

    @classmethod
    def of_labels(cls, counts: Sequence[Mapping[str, int]]) -> "Distribution":
        """The distribution of a category on each date; the rarest labels share a bin.

        Example:
            >>> Distribution.of_labels([{"toys": 2, "food": 3}, {"food": 1}]).counts
            ((3, 2, 0), (1, 0, 0))
        """
        totals: dict[str, int] = {}
        for on_date in counts:
            for label, count in on_date.items():
                totals[label] = totals.get(label, 0) + count
        ranked = sorted(totals, key=lambda label: (-totals[label], label))[:MOST_LABELS]
        labels = (*ranked, OTHERS)
        return cls((), labels, tuple(_labelled(on_date, labels) for on_date in counts))

    def of(self, values: NDArray[Any]) -> Counts:
        """Other numbers' counts, over the same bins."""
        return _binned(values, self.edges)

    def of_counts(self, counts: Mapping[str, int]) -> Counts:
        """Other labels' counts, over the same bins; a new label is one of the others."""
        return np.array(_labelled(counts, self.labels), np.int64)

    def to_dict(self) -> dict[str, Any]:
        """The distribution as plain JSON values."""
        names = {"labels": list(self.labels)} if self.labels else {"edges": list(self.edges)}
        return {**names, "counts": [list(counts) for counts in self.counts]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Distribution":
        """The distribution that `to_dict` gave.

        Raises:
            ValueError: It is none.
        """
        return cls(
            tuple(float(edge) for edge in values.get("edges", ())),
            tuple(str(label) for label in values.get("labels", ())),
            tuple(tuple(int(count) for count in counts) for counts in values["counts"]),
        )


def _binned(values: NDArray[Any], edges: tuple[float, ...]) -> Counts:
    known = values[np.isfinite(values)].astype(np.float64)
    place = np.searchsorted(np.asarray(edges), known, side="left")
    return np.append(np.bincount(place, minlength=len(edges) + 1), values.size - known.size)


def _labelled(counts: Mapping[str, int], labels: tuple[str, ...]) -> tuple[int, ...]:
    named = [counts.get(label, 0) for label in labels[:-1]]
    return (*named, sum(counts.values()) - sum(named))
