"""Likeness: what the best customers have in common that the worst have not, trait by trait.

Each attribute is parted into levels: its common values, or five ranges of a number. A level weighs
the logarithm of how much commoner it is among the best than among the worst (the weight of
evidence of Good, 1950), shrunk to 0 where few have it; weights add up as if attributes were
independent (naive Bayes), and one slope, fitted on customers that were left out, takes back what
attributes tell twice. What is not known of somebody, or too rare to judge, weighs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

from portfolio_ml.metrics.calibration import calibration_line

FEWEST_WITH_LEVEL = 10
"""A value that fewer customers have is no level."""
LEAST_IN_LEVELS = 0.5
"""An attribute of which fewer of the known values are in a level, such as a name, is left out."""
RANGES = 5
NUMERIC_SHARE = 0.95
MORE_NUMBERS_THAN = 10
"""A text is a number where nearly all values are, and so many are different."""
DISTINCT_SHARE = 0.9
"""A text of whole numbers is an id where so many are different."""
FOLDS = 5
SHUFFLES = 199
SIGNIFICANT = 0.025
MOST_JUDGED = 2_000
"""So many of the best and of the worst are judged at most, drawn with a fixed seed."""
_PRIOR_CUSTOMERS = 30.0
_SEED = 8
_Z = 1.959964

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trait:
    """One attribute in levels.

    Attributes:
        name: The attribute.
        levels: What its levels are called.
        customers: The level of each customer, -1 for none.
        prospects: The level of each prospect, likewise.
    """

    name: str
    levels: tuple[str, ...]
    customers: Codes
    prospects: Codes


@dataclass(frozen=True, slots=True)
class Likeness:
    """What tells the best from the worst, and how well.

    Attributes:
        weights: The weight of each level, per trait.
        intercept: What is added to the sum of the weights ...
        slope: ... times this: the logarithm of the odds to be among the best.
        auroc: How often one of the best has a larger sum than one of the worst, of customers that
            were left out.
        auroc_low: The lower end of its 95 % interval.
        auroc_high: The upper end.
        p_value: How often shuffled customers are told apart as well; 1 where that was not asked.
    """

    weights: tuple[Numbers, ...]
    intercept: float
    slope: float
    auroc: float
    auroc_low: float
    auroc_high: float
    p_value: float

    @property
    def tells(self) -> bool:
        """Whether it tells the best from the worst better than chance."""
        return self.auroc_low > 0.5 and self.slope > 0 and self.p_value <= SIGNIFICANT


def trait(name: str, customers: pa.Array, prospects: pa.Array, *, judged: Codes) -> Trait | None:
    """An attribute in levels; None where it cannot tell customers apart.

    Args:
        name: The attribute.
        customers: Its values of the customers.
        prospects: Its values of the prospects.
        judged: Which customers are among the best or the worst: levels are theirs.
    """
    of_customers, of_prospects = _series(customers), _series(prospects)
    is_text = not pa.types.is_floating(customers.type)
    if is_text and _numbers_people(of_customers):
        return None
    if _is_number(of_customers):
        return _ranges(name, _numbers(of_customers), _numbers(of_prospects), judged)
    counts = of_customers.iloc[judged].value_counts()
    levels = sorted(counts.index[counts >= FEWEST_WITH_LEVEL].astype(str))
    is_common = counts[counts >= FEWEST_WITH_LEVEL].sum() >= LEAST_IN_LEVELS * counts.sum()
    if len(levels) < 2 or not is_common:
        return None
    known = pd.Index(levels)
    of, to = (known.get_indexer_for(some) for some in (of_customers, of_prospects))
    return Trait(name, tuple(levels), np.asarray(of, np.int64), np.asarray(to, np.int64))


def likeness(traits: Sequence[Trait], *, best: Codes, worst: Codes) -> Likeness:
    """What tells the best customers from the worst, judged by those left out of five folds.

    Folds share most of the customers that they learn from, so that an interval alone would claim
    too often; so the same is done with the best and the worst shuffled, again and again.

    Args:
        traits: The attributes.
        best: Which customers are the best, by their places.
        worst: Which are the worst.
    """
    rng = np.random.default_rng(_SEED)
    drawn = [rng.permutation(some)[:MOST_JUDGED] for some in (best, worst)]
    levels = [each.customers[np.concatenate(drawn)] for each in traits]
    sizes = [len(each.levels) for each in traits]
    is_best = np.arange(levels[0].size) < drawn[0].size
    left_out = _left_out(levels, sizes, is_best, rng)
    auroc, low, high = auroc_interval(left_out[is_best], left_out[~is_best])
    as_good = 0
    for _ in range(SHUFFLES if low > 0.5 else 0):
        of = rng.permutation(is_best)
        shuffled = _left_out(levels, sizes, of, rng)
        as_good += auroc_interval(shuffled[of], shuffled[~of])[0] >= auroc
    line = calibration_line(is_best, expit(left_out))
    # Where the sums part the best from the worst without exception, no slope is the likeliest.
    slope, intercept = (1.0, 0.0) if np.isnan(line.slope) else (line.slope, line.intercept)
    rows = np.concatenate([best, worst])
    whole = _weights(
        [each.customers[rows] for each in traits], sizes, np.arange(rows.size) < best.size
    )
    p_value = (1 + as_good) / (1 + SHUFFLES) if low > 0.5 else 1.0
    return Likeness(whole, intercept, slope, auroc, low, high, p_value)


def _left_out(
    levels: Sequence[Codes],
    sizes: Sequence[int],
    is_best: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Numbers:
    """The sum of each customer's weights, learnt from the folds that it is not in."""
    fold = np.empty(is_best.size, np.int64)
    for of in (is_best, ~is_best):  # as many of both in each fold
        fold[of] = rng.permutation(int(of.sum())) % FOLDS
    found = np.zeros(is_best.size)
    for number in range(FOLDS):
        out = fold == number
        weights = _weights([some[~out] for some in levels], sizes, is_best[~out])
        for weight, some in zip(weights, levels, strict=True):
            found[out] += weighed(weight, some[out])
    return found


def evidence(traits: Sequence[Trait], weights: Sequence[Numbers]) -> tuple[Numbers, Numbers]:
    """The sums of the weights of all customers, and of all prospects."""
    sums = []
    for side in ("customers", "prospects"):
        parts = [
            weighed(weight, getattr(each, side))
            for each, weight in zip(traits, weights, strict=True)
        ]
        sums.append(np.sum(parts, axis=0))
    return sums[0], sums[1]


def weighed(weights: Numbers, levels: Codes) -> Numbers:
    """The weight of each one's level; 0 without one.

    Example:
        >>> weighed(np.array([0.5, -0.25]), np.array([1, -1, 0])).tolist()
        [-0.25, 0.0, 0.5]
    """
    return np.append(weights, 0.0)[levels]


def auroc_interval(best: Numbers, worst: Numbers) -> tuple[float, float, float]:
    """How often one of the best has the larger value, with its 95 % interval.

    Source: DeLong, DeLong and Clarke-Pearson (1988), by midranks.

    Example:
        >>> auroc_interval(np.array([3.0, 2.0, 1.0]), np.array([0.0, 1.0]))[0]
        0.9166666666666666
    """
    ranks = rankdata(np.concatenate([best, worst]))
    of_best = (ranks[: best.size] - rankdata(best)) / worst.size
    of_worst = 1 - (ranks[best.size :] - rankdata(worst)) / best.size
    auroc = float(of_best.mean())
    error = np.sqrt(of_best.var(ddof=1) / best.size + of_worst.var(ddof=1) / worst.size)
    return auroc, float(auroc - _Z * error), float(auroc + _Z * error)


def _weights(
    levels: Sequence[Codes], sizes: Sequence[int], is_best: NDArray[np.bool_]
) -> tuple[Numbers, ...]:
    """The weight of each level of each trait, by the levels of customers who are judged."""
    found = []
    for some, size in zip(levels, sizes, strict=True):
        of_best, of_worst = (
            np.bincount(some[of & (some >= 0)], minlength=size).astype(np.float64)
            for of in (is_best, ~is_best)
        )
        share = (of_best + of_worst) / max(of_best.sum() + of_worst.sum(), 1)
        prior = _PRIOR_CUSTOMERS * np.maximum(share, 1e-9)
        odds = [(count + prior) / (count.sum() + _PRIOR_CUSTOMERS) for count in (of_best, of_worst)]
        found.append(np.log(odds[0]) - np.log(odds[1]))
    return tuple(found)


def _series(values: pa.Array) -> "pd.Series[Any]":
    found: pd.Series[Any] = values.to_pandas()
    return found


def _is_number(values: "pd.Series[Any]") -> bool:
    counts = values.value_counts()  # each different value is read once
    numbers = _numbers(counts.index.to_series())
    known = counts.to_numpy()
    share = known[~np.isnan(numbers)].sum() / known.sum() if known.size else 0.0
    return bool(share >= NUMERIC_SHARE and np.unique(numbers).size > MORE_NUMBERS_THAN)


def _numbers_people(values: "pd.Series[Any]") -> bool:
    """Whether whole numbers written as text are of one customer each, as ids and phones are."""
    counts = values.value_counts()
    known = counts.to_numpy()
    is_whole = counts.index.astype(str).str.fullmatch(r"\d+")
    share = known[is_whole].sum() / known.sum() if known.size else 0.0
    return bool(share >= NUMERIC_SHARE and known.size > DISTINCT_SHARE * known.sum())


def _numbers(values: "pd.Series[Any]") -> Numbers:
    return np.asarray(pd.to_numeric(values, errors="coerce"), np.float64)


def _ranges(name: str, customers: Numbers, prospects: Numbers, judged: Codes) -> Trait | None:
    known = customers[judged][~np.isnan(customers[judged])]
    if known.size < RANGES * FEWEST_WITH_LEVEL:
        return None
    edges = np.unique(np.quantile(known, np.arange(1, RANGES) / RANGES, method="nearest"))
    edges = edges[edges < known.max()]
    if not edges.size:
        return None
    said = [f"{edge:.6g}" for edge in edges]
    levels = (
        f"up to {said[0]}",
        *(f"above {low}, up to {high}" for low, high in pairwise(said)),
        f"above {said[-1]}",
    )

    def of(values: Numbers) -> Codes:
        return np.where(np.isnan(values), -1, np.searchsorted(edges, values)).astype(np.int64)

    return Trait(name, levels, of(customers), of(prospects))
