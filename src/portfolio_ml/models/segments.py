"""Segments: k-means on de-skewed features, with names that say what they are.

Every input is a logarithm, so a doubling counts the same in each, and one in which customers
hardly differ cannot part them, as it would if all were scaled to one spread.

The number of segments is chosen among those whose smallest one a business can still use, by
stability (the adjusted Rand index between fits on bootstrap samples) and separation (silhouette).
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from portfolio_ml.models.files import (
    DESCRIPTION,
    ModelFiles,
    described,
    description,
    understood,
)

Floats = NDArray[np.float64]

KIND = "segments"
INPUTS = ("recency_days", "tenure_days", "purchase_days", "monetary", "overdue_ratio")
COUNTS = range(4, 9)
SMALLEST_SHARE = 0.02
BOOTSTRAPS = 4
SAMPLE_ROWS = 5000
FIT_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class SegmentModel:
    """Segments as centres in the space of transformed inputs.

    Attributes:
        names: The features it expects, in order; `INPUTS` are among them.
        centroids: Per segment, its centre, shape (segments, inputs).
        labels: Per segment, its name.
        smallest_share: The smallest segment's share of the customers it was fitted on.
        stability: Mean adjusted Rand index between fits on bootstrap samples.
        separation: Silhouette of the fit.
    """

    names: tuple[str, ...]
    centroids: Floats
    labels: tuple[str, ...]
    smallest_share: float
    stability: float
    separation: float

    def __post_init__(self) -> None:
        if not self.labels or self.centroids.shape != (len(self.labels), len(INPUTS)):
            raise ValueError(f"{len(self.labels)} segments with centres {self.centroids.shape}")
        if not {*INPUTS}.issubset(self.names):
            raise ValueError("an input of the segments is not among the features")

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Each customer's segment, in [0, segments), shape (rows,)."""
        points = _transformed(features, self.names)
        distance = ((points[:, None, :] - self.centroids[None, :, :]) ** 2).sum(axis=2)
        nearest: NDArray[np.int64] = distance.argmin(axis=1)
        return nearest

    def profiles(self, features: NDArray[np.float32], ltv: Floats) -> list[dict[str, Any]]:
        """Per segment its name, customers and expected net spend, in a portfolio's features."""
        number, count = self.predict(features), len(self.labels)
        customers = np.bincount(number, minlength=count)
        value = np.bincount(number, weights=ltv, minlength=count)
        return [
            {"name": name, "customers": int(customers[k]), "ltv": float(value[k])}
            for k, name in enumerate(self.labels)
        ]

    def to_files(self) -> ModelFiles:
        """The model as data."""
        values = {
            "names": self.names,
            "centroids": self.centroids.tolist(),
            "labels": self.labels,
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
                names=tuple(values["names"]),
                centroids=np.asarray(values["centroids"], dtype=np.float64),
                labels=tuple(values["labels"]),
                smallest_share=float(values["smallest_share"]),
                stability=float(values["stability"]),
                separation=float(values["separation"]),
            )


def fit_segments(
    features: NDArray[np.float32],
    *,
    names: tuple[str, ...],
    count: int | Literal["auto"],
    seed: int,
) -> SegmentModel:
    """Segments of the customers in `features`, shape (customers, len(names))."""
    generator = np.random.default_rng(seed)
    points = _transformed(features, names)
    if len(points) > FIT_ROWS:
        points = points[generator.choice(len(points), FIT_ROWS, replace=False)]
    distinct = len(np.unique(points, axis=0))
    counts = [k for k in (COUNTS if count == "auto" else [count]) if k <= distinct]
    with threadpool_limits(1):  # small chunks: threads only wait for each other
        tried = [_tried(points, k, seed) for k in counts or [distinct]]
    usable = [t for t in tried if t.smallest_share >= SMALLEST_SHARE] or tried
    best = max(usable, key=lambda t: t.stability + t.separation)
    order = np.argsort(-best.centroids[:, INPUTS.index("purchase_days")], kind="stable")
    centroids = best.centroids[order]
    spread = np.maximum(points.std(axis=0), 1e-9)
    return SegmentModel(
        names=names,
        centroids=centroids,
        labels=segment_names((centroids - points.mean(axis=0)) / spread),
        smallest_share=best.smallest_share,
        stability=best.stability,
        separation=best.separation,
    )


def segment_names(centroids: Floats) -> tuple[str, ...]:
    """A name per centroid, in plain words, from what sets it apart; no two alike.

    Args:
        centroids: Centres as standard deviations from the portfolio's mean, shape
            (segments, len(INPUTS)).

    Example:
        >>> segment_names(np.array([[-2.0, 0.0, 1.0, 1.0, -1.0], [0.0, 0.0, -1.0, 0.0, 1.0]]))
        ('frequent big spenders, here lately', 'rare buyers, long gone')
    """
    named: list[str] = []
    for centroid in centroids:
        place = dict(zip(INPUTS, centroid, strict=True))
        named.append(f"{_buying(place)} {_spending(place)}, {_presence(place)}")
    return tuple(
        name if named.count(name) == 1 else f"{name} ({named[: k + 1].count(name)})"
        for k, name in enumerate(named)
    )


@dataclass(frozen=True, slots=True)
class _Tried:
    centroids: Floats
    smallest_share: float
    stability: float
    separation: float


def _tried(points: Floats, count: int, seed: int) -> _Tried:
    generator = np.random.default_rng(seed)
    rows = len(points)
    fitted = KMeans(count, n_init=5, random_state=seed).fit(points)
    sample = generator.choice(rows, min(rows, SAMPLE_ROWS), replace=False)
    labels = fitted.labels_[sample]
    agreements = []
    for k in range(BOOTSTRAPS):
        drawn = points[generator.integers(0, rows, rows)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a bootstrap sample may hold too few distinct points
            other = KMeans(count, n_init=2, random_state=seed + k + 1).fit(drawn)
        agreements.append(adjusted_rand_score(labels, other.predict(points[sample])))
    separable = 1 < len(np.unique(labels)) < len(sample)
    return _Tried(
        centroids=fitted.cluster_centers_.astype(np.float64),
        smallest_share=float(np.bincount(fitted.labels_, minlength=count).min() / rows),
        stability=float(np.mean(agreements)),
        separation=float(silhouette_score(points[sample], labels)) if separable else 0.0,
    )


def _transformed(features: NDArray[np.float32], names: tuple[str, ...]) -> Floats:
    columns = [features[:, names.index(name)].astype(np.float64) for name in INPUTS]
    return np.log1p(np.maximum(0.0, np.nan_to_num(np.column_stack(columns))))


def _buying(place: Mapping[str, float]) -> str:
    if place["purchase_days"] > 0.7:
        return "frequent"
    return "rare" if place["purchase_days"] < -0.4 else "occasional"


def _spending(place: Mapping[str, float]) -> str:
    if place["monetary"] > 0.6:
        return "big spenders"
    return "small spenders" if place["monetary"] < -0.6 else "buyers"


def _presence(place: Mapping[str, float]) -> str:
    if place["overdue_ratio"] > 0.4:
        return "long gone"
    if place["recency_days"] < -1:
        return "here lately"
    return "cooling" if place["recency_days"] < 0 else "quiet"
