"""Delivered scores, judged against what happened once their horizon had passed.

A contact changes the outcome: customers whom somebody called or wrote to within the horizon are
judged apart from those who were held out for comparison and those whom nobody contacted. Whether
the model keeps its promise is asked of the latter two alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.judgement import LEVEL, Supervised
from portfolio_ml.metrics import METRICS, Estimate, Metric, bootstrap, interval_metrics

Floats = NDArray[np.float64]
Group = Literal["all", "uncontacted", "held_out", "contacted"]

GROUPS: tuple[Group, ...] = ("all", "uncontacted", "held_out", "contacted")
FEWEST_ROWS = 50
FEWEST_OF_EACH = 10
CHURN = ("auroc", "calibration_error")
VALUE = ("normalised_gini", "total_bias")
COVERAGE = "coverage"

# How much worse than at the backtest's worst cutoff a figure may surely be.
ALLOWANCE = {"auroc": 0.03, "calibration_error": 0.03, "total_bias": 0.1, "coverage": 0.05}


@dataclass(frozen=True, slots=True)
class MaturedScores:
    """Scores of one model version whose horizon has passed, and what happened; shape (rows,).

    Attributes:
        target: What they predict.
        version: The registered version that gave them.
        as_of: Their as-of day.
        customer: A number per customer.
        is_contacted: Whether somebody contacted the customer within the horizon.
        is_held_out: Whether the customer was kept from a contact for comparison, and not
            contacted.
        actual: Churned (0 or 1), or value in currency units.
        predicted: The probability, or the expected value.
        interval: The ends of the value interval, shape (rows, 2); None for churn.
    """

    target: Supervised
    version: str
    as_of: NDArray[np.int32]
    customer: NDArray[np.int64]
    is_contacted: NDArray[np.bool_]
    is_held_out: NDArray[np.bool_]
    actual: Floats
    predicted: Floats
    interval: Floats | None = None

    def of_group(self, group: Group) -> NDArray[np.bool_]:
        """Which rows belong to a group."""
        if group == "contacted":
            return self.is_contacted
        if group == "held_out":
            return self.is_held_out
        if group == "uncontacted":
            return ~self.is_contacted
        return np.ones_like(self.is_contacted)


@dataclass(frozen=True, slots=True)
class Promise:
    """What the backtest saw of a figure: its worst and best cutoff, and their mean."""

    lowest: float
    mean: float
    highest: float


@dataclass(frozen=True, slots=True)
class Matured:
    """How one version's scores did on one group of customers.

    Attributes:
        target: What they predict.
        version: The registered version.
        group: Which customers: all, the uncontacted, of these the held out, and the contacted.
        first: The first as-of date judged.
        last: The last.
        rows: How many scores.
        figures: Per metric its value, with a 90 % interval over customers.
        promises: Per metric what the version's backtest saw; empty where it is not known.
    """

    target: Supervised
    version: str
    group: Group
    first: date
    last: date
    rows: int
    figures: Mapping[str, Estimate]
    promises: Mapping[str, Promise]

    def broken(self) -> Iterator[str]:
        """The metrics that are surely worse than promised, beyond an allowance."""
        for metric, promise in self.promises.items():
            seen, allowed = self.figures.get(metric), ALLOWANCE.get(metric)
            if seen is None or allowed is None or np.isnan([seen.low, promise.lowest]).any():
                continue
            is_low = seen.high < promise.lowest - allowed
            is_high = seen.low > promise.highest + allowed
            wrong = {"auroc": is_low, "calibration_error": is_high, "coverage": is_low}
            if wrong.get(metric, is_low or is_high):
                yield metric

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON values."""
        return {
            "target": self.target,
            "version": self.version,
            "group": self.group,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "rows": self.rows,
            "figures": {
                name: {"value": seen.value, "low": seen.low, "high": seen.high}
                for name, seen in self.figures.items()
            },
            "promises": {
                name: {"lowest": p.lowest, "mean": p.mean, "highest": p.highest}
                for name, p in self.promises.items()
            },
            "broken": list(self.broken()),
        }


def promises_of(judged: Mapping[str, Any]) -> dict[str, Promise]:
    """What a version's backtest saw of its winner, from `Judgement.to_dict`."""
    values: dict[str, list[float]] = {}
    for score in judged.get("scores", ()):
        is_winner = score["model"] == judged["winner"] and score["population"] == "all"
        if is_winner and score["cutoff"] is not None and score["value"] == score["value"]:
            values.setdefault(score["metric"], []).append(float(score["value"]))
    kept = (*CHURN, *VALUE, COVERAGE)
    return {
        metric: Promise(min(seen), float(np.mean(seen)), max(seen))
        for metric, seen in values.items()
        if metric in kept
    }


def judge_matured(
    scores: MaturedScores,
    promises: Mapping[str, Promise],
    *,
    coverage: float,
    to_date: Mapping[int, date],
    seed: int,
    n: int,
) -> tuple[Matured, ...]:
    """How the scores did, group by group; a group that is too small is left out.

    Args:
        scores: Of one version.
        promises: What its backtest saw.
        coverage: The nominal coverage of its intervals.
        to_date: The as-of days as dates.
        seed: Of the bootstrap.
        n: Its draws.
    """
    found = []
    for group in GROUPS:
        rows = scores.of_group(group)
        if group == "uncontacted" and not scores.is_contacted.any():
            continue  # they are all
        if rows.sum() < FEWEST_ROWS:
            continue
        days = np.unique(scores.as_of[rows])
        found.append(
            Matured(
                target=scores.target,
                version=scores.version,
                group=group,
                first=to_date[int(days[0])],
                last=to_date[int(days[-1])],
                rows=int(rows.sum()),
                figures={
                    metric.name: bootstrap(
                        metric,
                        scores.actual[rows],
                        score[rows],
                        groups=scores.customer[rows],
                        strata=scores.as_of[rows],
                        seed=seed,
                        n=n,
                        level=LEVEL,
                    )
                    for metric, score in _judged_by(scores, rows, coverage)
                },
                promises=promises,
            )
        )
    return tuple(found)


def decisive(matured: Sequence[Matured]) -> tuple[Matured, ...]:
    """Those whose promise counts: of each target and version the uncontacted, or else all."""
    uncontacted = {(m.target, m.version) for m in matured if m.group == "uncontacted"}
    with_contacts = {(m.target, m.version) for m in matured if m.group == "contacted"}
    return tuple(
        m
        for m in matured
        if m.group == "uncontacted"
        or (
            m.group == "all"
            and (m.target, m.version) not in uncontacted
            and (m.target, m.version) not in with_contacts
        )
    )


def _judged_by(
    scores: MaturedScores, rows: NDArray[np.bool_], coverage: float
) -> Iterator[tuple[Metric, Floats]]:
    if scores.target == "churn":
        churned = scores.actual[rows]
        if min(churned.sum(), (1 - churned).sum()) >= FEWEST_OF_EACH:
            for name in CHURN:
                yield METRICS[name], scores.predicted
        return
    for name in VALUE:
        yield METRICS[name], scores.predicted
    if scores.interval is not None:
        yield interval_metrics(coverage)[0], scores.interval
