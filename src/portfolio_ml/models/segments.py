"""Segments as data: centres in the space of scaled, de-skewed inputs, each with its id and name.

Every input is a logarithm, so a doubling counts the same in each, cut off at the portfolio's
outer half percent, so that no giant stretches the space, and divided by its spread. One in which
customers hardly differ keeps its small spread: it cannot part them.

K-means and Gaussian mixtures with diagonal covariance are one form: a customer belongs to the
segment with the highest `bias - |(point - centre) * precision|^2 / 2`, which for k-means, of no
bias and precision 1, is the nearest centre.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.models.files import (
    DESCRIPTION,
    ModelFiles,
    described,
    description,
    texts,
    understood,
)

Floats = NDArray[np.float64]
Candidate = Literal["k_means", "gaussian_mixture"]

KIND = "segments"
INPUTS = ("recency_days", "tenure_days", "purchase_days", "monetary", "overdue_ratio")
SMALLEST_SHARE = 0.02
MOST_SEGMENTS = 100
MOST_PRECISE = 1e6  # a spread of a millionth of a logarithm
LARGEST = 1e12
LOWEST_STABILITY = 0.5
CUT_SHARE = 0.005
SMALLEST_SCALE = 0.5  # of a logarithm: customers between half and twice the usual
CHUNK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Scaling:
    """How raw inputs become points; all are logarithms, shape (inputs,).

    Attributes:
        low: What lies below counts as this.
        high: What lies above counts as this.
        mean: Where points are 0.
        scale: How much is a step of 1.
    """

    low: Floats
    high: Floats
    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> "Scaling":
        """The scaling that fits raw inputs, shape (customers, inputs)."""
        logs = _logarithms(values)
        low, high = np.quantile(logs, [CUT_SHARE, 1 - CUT_SHARE], axis=0)
        cut = logs.clip(low, high)
        return cls(low, high, cut.mean(axis=0), np.maximum(cut.std(axis=0), SMALLEST_SCALE))

    def points(self, values: NDArray[np.float32]) -> Floats:
        """Raw inputs as points, shape (customers, inputs); null and negative count as 0."""
        scaled: Floats = (_logarithms(values).clip(self.low, self.high) - self.mean) / self.scale
        return scaled


@dataclass(frozen=True, slots=True)
class SegmentModel:
    """Segments as centres in the space of scaled inputs; k of them, of d inputs.

    Attributes:
        names: The features it expects, in order.
        inputs: Those among them that it looks at.
        scaling: How they become points.
        candidate: How the segments were found.
        centres: Their centres, shape (k, d).
        precision: Per centre and input, the reciprocal of the spread, shape (k, d).
        bias: Per centre, what is added to its customers' scores, shape (k,).
        ids: Per segment, its identity, which outlives retraining.
        labels: Per segment, its name.
        highest_id: The highest id that any segment of this portfolio ever had.
        smallest_share: The smallest segment's share of the customers it was fitted on.
        stability: Mean adjusted Rand index between fits on bootstrap samples.
        separation: Silhouette of the fit.
    """

    names: tuple[str, ...]
    inputs: tuple[str, ...]
    scaling: Scaling
    candidate: Candidate
    centres: Floats
    precision: Floats
    bias: Floats
    ids: tuple[int, ...]
    labels: tuple[str, ...]
    highest_id: int
    smallest_share: float
    stability: float
    separation: float

    def __post_init__(self) -> None:
        count, width = len(self.ids), len(self.inputs)
        scaling = (self.scaling.low, self.scaling.high, self.scaling.mean, self.scaling.scale)
        shapes = {self.centres.shape, self.precision.shape, (count, width)}
        if not count or len(shapes) > 1 or self.bias.shape != (count,):
            raise ValueError(f"{count} segments with centres {self.centres.shape}")
        if count > MOST_SEGMENTS:
            raise ValueError(f"{count} segments, at most {MOST_SEGMENTS} are assigned")
        if (
            any(part.shape != (width,) for part in scaling)
            or not (self.scaling.scale * MOST_PRECISE > 1).all()
        ):
            raise ValueError(f"a scaling that does not fit {width} inputs")
        if not {*self.inputs}.issubset(self.names):
            raise ValueError("an input of the segments is not among the features")
        if not ((self.precision > 0) & (self.precision < MOST_PRECISE)).all():
            raise ValueError("a centre without a spread")
        if len({*self.ids}) < count or not 0 < min(self.ids) <= max(self.ids) <= self.highest_id:
            raise ValueError(f"the ids {self.ids} with {self.highest_id} as the highest")
        if len({*self.labels}) != count or len(self.labels) != count:
            raise ValueError(f"{count} segments with the names {self.labels}")

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Each customer's segment by its place among `ids`, shape (rows,)."""
        columns = [self.names.index(name) for name in self.inputs]
        place = np.empty(len(features), dtype=np.int64)
        for rows in chunks(len(features)):
            points = self.scaling.points(features[rows][:, columns])
            place[rows] = nearest(points, self.centres, self.precision, self.bias)
        return place

    def assigned(self, features: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
        """Each customer's segment by its id, and by its name."""
        place = self.predict(features)
        return np.array(self.ids, dtype=np.int64)[place], np.array(self.labels)[place]

    def to_files(self) -> ModelFiles:
        """The model as data."""
        values = {
            "names": self.names,
            "inputs": self.inputs,
            "low": self.scaling.low.tolist(),
            "high": self.scaling.high.tolist(),
            "mean": self.scaling.mean.tolist(),
            "scale": self.scaling.scale.tolist(),
            "candidate": self.candidate,
            "centres": self.centres.tolist(),
            "precision": self.precision.tolist(),
            "bias": self.bias.tolist(),
            "ids": self.ids,
            "labels": self.labels,
            "highest_id": self.highest_id,
            "smallest_share": self.smallest_share,
            "stability": self.stability,
            "separation": self.separation,
        }
        return {DESCRIPTION: described(KIND, values)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "SegmentModel":
        """The model in files that `to_files` gave.

        Raises:
            DataError: They are no segment model of this format.
        """
        values: dict[str, Any] = description(files, KIND)
        with understood():
            return cls(
                names=texts(values["names"]),
                inputs=texts(values["inputs"]),
                scaling=Scaling(
                    *(_finite(values[part]) for part in ("low", "high", "mean", "scale"))
                ),
                candidate=values["candidate"],
                centres=_finite(values["centres"]),
                precision=_finite(values["precision"]),
                bias=_finite(values["bias"]),
                ids=tuple(map(int, values["ids"])),
                labels=texts(values["labels"]),
                highest_id=int(values["highest_id"]),
                smallest_share=float(values["smallest_share"]),
                stability=float(values["stability"]),
                separation=float(values["separation"]),
            )


def nearest(points: Floats, centres: Floats, precision: Floats, bias: Floats) -> NDArray[np.int64]:
    """The place of each scaled point's segment, shape (rows,); the first of several alike.

    Example:
        >>> points, centres = np.array([[0.2], [0.9]]), np.array([[1.0], [0.0]])
        >>> nearest(points, centres, np.ones((2, 1)), np.zeros(2))
        array([1, 0])
    """
    scores = np.empty((len(centres), len(points)))
    for k, centre in enumerate(centres):
        scores[k] = bias[k] - (((points - centre) * precision[k]) ** 2).sum(axis=1) / 2
    best: NDArray[np.int64] = scores.argmax(axis=0)
    return best


def chunks(rows: int) -> Iterator[slice]:
    """The rows in ranges that bound the memory they take.

    Example:
        >>> [part.stop for part in chunks(100_000)]
        [65536, 131072]
    """
    for start in range(0, rows, CHUNK_ROWS):
        yield slice(start, start + CHUNK_ROWS)


def _logarithms(values: NDArray[np.float32]) -> Floats:
    return np.log1p(np.maximum(0.0, np.nan_to_num(values.astype(np.float64))))


def _finite(values: object) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if not (np.abs(found) < LARGEST).all():
        raise ValueError("a number is not finite, or too large")
    return found
