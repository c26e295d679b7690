"""What a champion keeps of its training, to be compared with later: counts per bin and date."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio_ml.errors import DataError
from portfolio_ml.features.feature import Feature
from portfolio_ml.models.files import ModelFiles
from portfolio_ml.models.seasonality import AS_OF
from portfolio_ml.models.serving import outputs
from portfolio_ml.monitoring.distribution import Counts, Distribution

FILE = "training_profile.json"
SCORES = ("p_churn", "ltv", "segment_id")
TICKET_CHANGE = "ticket_against_own_past"
"""Spend a purchase day in the last 60 days / that of the same customer before, in logarithms."""

_TWO_YEARS = 730
_MOST_DAYS = 1_000_000
MIXED = "segment_id"
Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Profile:
    """How everything that a champion saw and said was distributed on each of its dates.

    Attributes:
        days: The snapshot days that it learnt from, and the last day that it knew, ascending.
        features: Its inputs, by name.
        scores: What it said, by name.
        behaviour: What recent buyers did against their own past, by name.
        mix: Customers by what they had bought in the 30 days before, by column.
        filling: The features whose windows reach back further than the history did: they change
            as it grows.
    """

    days: tuple[int, ...]
    features: Mapping[str, Distribution]
    scores: Mapping[str, Distribution]
    behaviour: Mapping[str, Distribution] = field(default_factory=dict)
    mix: Mapping[str, Distribution] = field(default_factory=dict)
    filling: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        families = (self.features, self.scores, self.behaviour, self.mix)
        wrong = [n for f in families for n, d in f.items() if len(d.counts) != len(self.days)]
        days = [*self.days]
        if (
            wrong
            or not days
            or days != sorted({*days})
            or not 0 <= days[0] <= days[-1] < _MOST_DAYS
        ):
            raise ValueError(f"a profile has counts for each of its days: {wrong or self.days}")

    def to_json(self) -> bytes:
        """The profile as JSON; keys are sorted."""
        values = {
            "days": list(self.days),
            "filling": sorted(self.filling),
            **{
                family: {name: d.to_dict() for name, d in getattr(self, family).items()}
                for family in _FAMILIES
            },
        }
        return json.dumps(values, sort_keys=True, allow_nan=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Profile":
        """The profile that `to_json` gave.

        Raises:
            DataError: It cannot be read.
        """
        try:
            values = json.loads(content)
            families: dict[str, Any] = {
                family: {str(n): Distribution.from_dict(d) for n, d in values[family].items()}
                for family in _FAMILIES
            }
            return cls(
                days=tuple(int(day) for day in values["days"]),
                filling=frozenset(map(str, values["filling"])),
                **families,
            )
        except (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError):
            raise DataError(
                "what the champion keeps of its training cannot be read",
                where=FILE,
                do="retrain with portfolio-ml train",
            ) from None


_FAMILIES = ("features", "scores", "behaviour", "mix")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a training saw, row by row: of this, a profile keeps the counts.

    Attributes:
        names: The model inputs, in order.
        features: Their values on every snapshot and on the last day known; NaN is null.
        day: The rows' days.
        mix: Per column and day, customers by what they bought in the 30 days before.
        filling: The features whose windows reach back further than the history did.
    """

    names: tuple[str, ...]
    features: Matrix
    day: NDArray[np.int32]
    mix: Mapping[str, Sequence[Mapping[str, int]]]
    filling: frozenset[str]


def with_profiles(models: Mapping[str, ModelFiles], seen: Seen) -> dict[str, ModelFiles]:
    """The models' files, each with the profile of what it saw and says in `FILE`."""
    table = pd.DataFrame(seen.features, columns=list(seen.names), copy=False)
    table[AS_OF] = seen.day  # what a model that follows the season is asked with
    columns = dict(zip(seen.names, seen.features.T, strict=True))
    shared = Profile(
        days=tuple(map(int, np.unique(seen.day))),
        features={n: Distribution.of_numbers(v, seen.day) for n, v in columns.items()},
        scores={},
        behaviour=behaviour_of(seen.names, seen.features, seen.day),
        mix={n: Distribution.of_labels(counts) for n, counts in seen.mix.items()},
        filling=seen.filling,
    )
    return {
        target: files | {FILE: _with_scores(shared, files, table, seen.day).to_json()}
        for target, files in models.items()
    }


def _with_scores(
    shared: Profile, files: ModelFiles, table: pd.DataFrame, day: NDArray[np.int32]
) -> Profile:
    said = {name: v for name, v in outputs(files, table).items() if name in SCORES}
    scores = {
        name: Distribution.of_labels([label_counts(v[day == d]) for d in shared.days])
        if name == MIXED
        else Distribution.of_numbers(v, day)
        for name, v in said.items()
    }
    return Profile(
        shared.days, shared.features, scores, shared.behaviour, shared.mix, shared.filling
    )


def label_counts(values: NDArray[Any]) -> dict[str, int]:
    """How often each value is there.

    Example:
        >>> label_counts(np.array([3, 1, 3]))
        {'1': 1, '3': 2}
    """
    found, counts = np.unique(values, return_counts=True)
    return {str(value): int(count) for value, count in zip(found, counts, strict=True)}


def behaviour_of(
    names: tuple[str, ...], features: Matrix, day: NDArray[np.int32]
) -> dict[str, Distribution]:
    """What recent buyers did against their own past; empty without the features that it needs."""
    change = ticket_change(names, features)
    if change is None:
        return {}
    known = np.isfinite(change)
    if set(day[known]) != set(day):
        return {}
    return {TICKET_CHANGE: Distribution.of_numbers(change[known], day[known])}


def ticket_change(names: tuple[str, ...], features: Matrix) -> NDArray[np.float64] | None:
    """The logarithm of spend a purchase day in the last 60 days over that before, by customer.

    NaN for who did not buy in both; None where a feature that it needs is left out.
    """
    needed = ("spend", "spend_60d", "purchase_days", "purchase_days_60d")
    if any(name not in names for name in needed):
        return None
    columns = (features[:, names.index(name)].astype(np.float64) for name in needed)
    spend, recent_spend, days, recent_days = columns
    before, days_before = spend - recent_spend, days - recent_days
    is_known = (recent_days > 0) & (days_before > 0) & (recent_spend > 0) & (before > 0.005)
    change = np.full(len(features), np.nan)
    change[is_known] = np.log(
        (recent_spend[is_known] / recent_days[is_known])
        / (before[is_known] / days_before[is_known])
    )
    return change


def still_filling(features: Sequence[Feature], *, history_days: int) -> frozenset[str]:
    """The features whose windows reach back further than a history of so many days."""
    return frozenset(f.name for f in features if _reach_days(f.window) > history_days)


def _reach_days(window: str) -> int:
    """How far back a window reaches; one that is told in years compares seasons."""
    if "years" in window:
        return _TWO_YEARS
    return max(map(int, re.findall(r"\d+", window)), default=0)


def counts_of(distribution: Distribution, values: NDArray[Any]) -> Counts:
    """Values over a score's bins, whether those are numbers or labels."""
    if distribution.labels:
        return distribution.of_counts(label_counts(values))
    return distribution.of(values)
