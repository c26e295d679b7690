"""Find segments: k-means and Gaussian mixtures, each with several numbers of segments.

The winner is chosen by stability (the adjusted Rand index between fits on bootstrap samples) and
separation (the silhouette), among those whose segments a business can use. Of several that are as
good, the champion's stays, so that retraining does not move customers for nothing; without one,
the finest tells the most.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal, get_args

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from portfolio_ml.models.segment_identity import with_identities
from portfolio_ml.models.segment_names import Portrait, segment_names
from portfolio_ml.models.segments import (
    INPUTS,
    LOWEST_STABILITY,
    SMALLEST_SHARE,
    Candidate,
    Scaling,
    SegmentModel,
    nearest,
)

Floats = NDArray[np.float64]

COUNTS = range(3, 13)
BOOTSTRAPS = 4
TIE = 0.05  # of stability + separation: what chance makes of 4 bootstraps
KEEP = 0.1  # how much better another number of segments must be than the champion's
SEARCH_ROWS = 5000
SILHOUETTE_ROWS = 2000
FIT_ROWS = 50_000
SMALLEST_VARIANCE = 0.05  # added to a mixture's, for whole numbers pile up on single points


def fit_segments(
    features: NDArray[np.float32],
    *,
    names: tuple[str, ...],
    count: int | Literal["auto"],
    seed: int,
    before: SegmentModel | None = None,
    highest_id: int = 0,
) -> SegmentModel:
    """Segments of the customers in `features`, shape (customers, len(names)).

    Args:
        features: At least one customer.
        names: The features; `INPUTS` are among them.
        count: How many segments; a number is kept however small they are, unless fewer customers
            than that differ.
        seed: Makes it reproducible.
        before: The champion, whose ids and names pass on to the segments that continue its own.
        highest_id: The highest id that any segment ever had; new ones lie above it.
    """
    values = features[:, [names.index(name) for name in INPUTS]]
    generator = np.random.default_rng(seed)
    fitting = _sampled(values, FIT_ROWS, generator)
    scaling = Scaling.of(fitting)
    fitting = scaling.points(fitting)
    with (
        threadpool_limits(1),  # small chunks: threads only wait for each other
        warnings.catch_warnings(),
    ):
        # a bootstrap sample may hold too few distinct points, a mixture converge slowly: the
        # segments are then less stable, which counts
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = _chosen(fitting, count, before, seed, generator)
    order = np.argsort(-found.centres[:, INPUTS.index("purchase_days")], kind="stable")
    nameless = SegmentModel(
        names=names,
        inputs=INPUTS,
        scaling=scaling,
        candidate=found.candidate,
        centres=found.centres[order],
        precision=found.precision[order],
        bias=found.bias[order],
        ids=tuple(range(highest_id + 1, highest_id + len(order) + 1)),
        labels=tuple(map(str, order)),
        highest_id=highest_id + len(order),
        smallest_share=0.0,
        stability=found.stability,
        separation=found.separation,
    )
    customers = np.bincount(nameless.predict(features), minlength=len(order))
    model = replace(nameless, smallest_share=float(customers.min() / len(features)))
    if before is not None:
        known = replace(before, highest_id=max(before.highest_id, highest_id))
        model = with_identities(model, features, known)
    return replace(model, labels=segment_names(_portraits(model, features, before)))


def _portraits(
    model: SegmentModel, features: NDArray[np.float32], before: SegmentModel | None
) -> list[Portrait]:
    place = model.predict(features)
    named = {} if before is None else dict(zip(before.ids, before.labels, strict=True))
    return [
        Portrait(
            place=dict(zip(model.inputs, model.centres[k].tolist(), strict=True)),
            median_purchase_days=_median(features, model, "purchase_days", place == k),
            median_overdue_ratio=_median(features, model, "overdue_ratio", place == k),
            name_before=named.get(identity, ""),
        )
        for k, identity in enumerate(model.ids)
    ]


def _median(
    features: NDArray[np.float32], model: SegmentModel, name: str, among: NDArray[np.bool_]
) -> float:
    values = features[among, model.names.index(name)]
    return float(np.median(np.nan_to_num(values))) if among.any() else 0.0


@dataclass(frozen=True, slots=True)
class _Fit:
    """Segments found on scaled points, as `SegmentModel` holds them."""

    candidate: Candidate
    centres: Floats
    precision: Floats
    bias: Floats
    labels: NDArray[np.int64]
    smallest_share: float
    stability: float = 1.0
    separation: float = 0.0

    @property
    def merit(self) -> float:
        return self.stability + self.separation

    @property
    def is_usable(self) -> bool:
        return self.smallest_share >= SMALLEST_SHARE and self.stability >= LOWEST_STABILITY

    def continues(self, before: SegmentModel | None) -> bool:
        """Whether it is of the champion's kind."""
        return before is not None and (self.candidate, len(self.centres)) == (
            before.candidate,
            len(before.ids),
        )


def _sampled(rows: NDArray[Any], most: int, generator: np.random.Generator) -> NDArray[Any]:
    if len(rows) <= most:
        return rows
    return rows[np.sort(generator.choice(len(rows), most, replace=False))]


def _chosen(
    points: Floats,
    count: int | Literal["auto"],
    before: SegmentModel | None,
    seed: int,
    generator: np.random.Generator,
) -> _Fit:
    """The winner on a sample, fitted on all points; it must be usable there, too."""
    sample = _sampled(points, SEARCH_ROWS, generator)
    distinct = len(np.unique(sample, axis=0))
    counts = [*COUNTS] if count == "auto" else [count]
    counts = [k for k in counts if k <= distinct] or [distinct]
    tried = Parallel(n_jobs=2, prefer="threads")(
        delayed(_tried)(sample, candidate, k, seed)
        for k, candidate in product(reversed(counts), get_args(Candidate))
        if k > 1 or candidate == "k_means"
    )
    for found in _by_merit(tried, before):
        if count == "auto" and not found.is_usable:
            continue
        refitted = _refitted(points, found, seed)
        if refitted.smallest_share >= (SMALLEST_SHARE if count == "auto" else 1 / len(points)):
            return refitted
    k = min(2, distinct) if count == "auto" else counts[0]
    pair = _refitted(points, _tried(sample, "k_means", k, seed), seed)
    return pair if pair.is_usable or count != "auto" else _fitted(points, "k_means", 1, seed)


def _by_merit(tried: list[_Fit], before: SegmentModel | None) -> Iterator[_Fit]:
    """The best first; among those that are as good, the champion's kind, or the finest."""
    waiting = sorted(tried, key=lambda fit: (not fit.is_usable, -fit.merit))
    best = waiting[0]
    rivals = [fit for fit in waiting if fit.is_usable == best.is_usable]
    same = [fit for fit in rivals if fit.merit >= best.merit - KEEP and fit.continues(before)]
    tied = [fit for fit in rivals if fit.merit >= best.merit - TIE]
    first = same or sorted(tied, key=lambda fit: (-len(fit.centres), -fit.merit))
    yield from first
    yield from (fit for fit in waiting if all(fit is not other for other in first))


def _tried(sample: Floats, candidate: Candidate, count: int, seed: int) -> _Fit:
    """A fit with its stability and separation."""
    generator = np.random.default_rng(seed)
    fit = _fitted(sample, candidate, count, seed)
    agreements = []
    for k in range(BOOTSTRAPS):
        drawn = sample[generator.integers(0, len(sample), len(sample))]
        other = _fitted(drawn, candidate, count, seed + k + 1)
        again = nearest(sample, other.centres, other.precision, other.bias)
        agreements.append(adjusted_rand_score(fit.labels, again))
    some = generator.permutation(len(sample))[:SILHOUETTE_ROWS]
    labels = fit.labels[some]
    separable = 1 < len(np.unique(labels)) < len(labels)
    return replace(
        fit,
        stability=float(np.mean(agreements)),
        separation=float(silhouette_score(sample[some], labels)) if separable else 0.0,
    )


def _refitted(points: Floats, found: _Fit, seed: int) -> _Fit:
    fit = _fitted(points, found.candidate, len(found.centres), seed)
    return replace(fit, stability=found.stability, separation=found.separation)


def _fitted(points: Floats, candidate: Candidate, count: int, seed: int) -> _Fit:
    if candidate == "k_means":
        means = KMeans(count, n_init=5, random_state=seed).fit(points)
        centres = means.cluster_centers_.astype(np.float64)
        precision, bias = np.ones_like(centres), np.zeros(count)
    else:
        mixture = GaussianMixture(
            count,
            covariance_type="diag",
            reg_covar=SMALLEST_VARIANCE,
            random_state=seed,
        ).fit(points)
        centres, precision = mixture.means_, mixture.precisions_cholesky_
        bias = np.log(mixture.weights_) + np.log(precision).sum(axis=1)
    labels = nearest(points, centres, precision, bias)
    share = np.bincount(labels, minlength=count).min() / len(points)
    return _Fit(candidate, centres, precision, bias, labels, float(share))
