"""What the backtest says of a model: how it did, and how sure that is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from portfolio_ml.acting import Advice
from portfolio_ml.metrics import METRICS, Metric, interval_metrics
from portfolio_ml.report.number import finite

Points = tuple[Mapping[str, float], ...]


@dataclass(frozen=True, slots=True)
class Gain:
    """By how much the winner is better, with its 90 % interval; below 0 is worse."""

    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Opponent:
    """What the winner was measured against.

    Attributes:
        name: A baseline's or another candidate's key.
        is_baseline: Whether it is a baseline.
        mean: Its primary metric, the mean over cutoffs.
        by_cutoff: Its primary metric at each cutoff.
        gain: The winner's gain over it in the primary metric.
    """

    name: str
    is_baseline: bool
    mean: float | None
    by_cutoff: tuple[float | None, ...]
    gain: Gain


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric, the mean over cutoffs.

    Attributes:
        metric: Its key.
        label: Its name for people.
        better: `higher`, `lower`, or `nearer` to the ideal.
        ideal: The value of a perfect prediction; None where it depends on the data.
        of_all: The winner's, over all customers.
        of_active: The winner's, over customers active at the cutoff.
        of_baseline: The best baseline's, over all customers; None where only its order counts.
    """

    metric: str
    label: str
    better: str
    ideal: float | None
    of_all: float | None
    of_active: float | None
    of_baseline: float | None


@dataclass(frozen=True, slots=True)
class PartFacts:
    """How the winner did on a part of the customers, pooled over cutoffs.

    Attributes:
        section: How the customers are divided, such as `value_tier`.
        part: The part, such as `A`.
        rows: Its customers, counted at each cutoff.
        actual: The mean outcome.
        predicted: The mean prediction.
        coverage: The share of outcomes inside the intervals; None without intervals.
    """

    section: str
    part: str
    rows: int
    actual: float | None
    predicted: float | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """How the model of one target did at past cutoffs.

    Attributes:
        target: `churn` or `lifetime_value`.
        winner: The candidate that is used.
        best_baseline: The baseline with the best primary metric.
        primary: The metric that the opponents are compared by.
        primary_label: Its name for people.
        chosen_by_label: The metric by which the winner was chosen among the candidates.
        cutoffs: The past dates, ascending.
        mean: The winner's primary metric, the mean over cutoffs.
        by_cutoff: The winner's primary metric at each cutoff.
        opponents: Baselines, then other candidates, best first.
        figures: Every metric.
        curves: Points for drawing, by name.
        measure: What value is.
        acting: Whom to act on; None where no cost of acting is known, or for other targets.
        parts: How the winner did on parts of the customers.
    """

    target: str
    winner: str
    best_baseline: str
    primary: str
    primary_label: str
    chosen_by_label: str
    cutoffs: tuple[date, ...]
    mean: float | None
    by_cutoff: tuple[float | None, ...]
    opponents: tuple[Opponent, ...]
    figures: tuple[Figure, ...]
    curves: Mapping[str, Points]
    measure: str = "revenue"
    acting: Advice | None = None
    parts: tuple[PartFacts, ...] = ()

    def figure(self, metric: str) -> Figure | None:
        """One of the figures, or None."""
        return next((f for f in self.figures if f.metric == metric), None)

    def opponent(self, name: str) -> Opponent | None:
        """One of the opponents, or None."""
        return next((o for o in self.opponents if o.name == name), None)


def model_facts(judgement: Mapping[str, Any], *, coverage: float | None = None) -> ModelFacts:
    """The facts in a judgement, as given by `Judgement.to_dict`.

    Args:
        judgement: Plain JSON values; NaN and null are undefined.
        coverage: The nominal coverage of value intervals; None leaves their figures out.
    """
    scores = _scores(judgement)
    winner, primary, gains = judgement["winner"], judgement["primary"], judgement["gains"]
    return ModelFacts(
        target=judgement["target"],
        winner=winner,
        best_baseline=judgement["best_baseline"],
        primary=primary,
        primary_label=METRICS[primary].label,
        chosen_by_label=METRICS[next((m for m in gains if m != primary), primary)].label,
        cutoffs=tuple(date.fromisoformat(cutoff) for cutoff in judgement["cutoffs"]),
        mean=scores.get((winner, primary, "all", None)),
        by_cutoff=_by_cutoff(judgement, scores, winner),
        opponents=_opponents(judgement, scores),
        figures=tuple(_figures(judgement, scores, coverage)),
        curves={name: _defined(points) for name, points in judgement["curves"].items()},
        measure=judgement.get("measure", "revenue"),
        acting=Advice.from_dict(judgement["acting"]) if "acting" in judgement else None,
        parts=tuple(_part(section) for section in judgement.get("sections", ())),
    )


_Scores = Mapping[tuple[str, str, str, str | None], float | None]


def _scores(judgement: Mapping[str, Any]) -> _Scores:
    return {
        (s["model"], s["metric"], s["population"], s["cutoff"]): finite(s["value"])
        for s in judgement["scores"]
    }


def _by_cutoff(
    judgement: Mapping[str, Any], scores: _Scores, model: str
) -> tuple[float | None, ...]:
    primary = judgement["primary"]
    return tuple(scores.get((model, primary, "all", day)) for day in judgement["cutoffs"])


def _part(section: Mapping[str, Any]) -> PartFacts:
    return PartFacts(
        section=section["section"],
        part=section["part"],
        rows=section["rows"],
        actual=finite(section["actual"]),
        predicted=finite(section["predicted"]),
        coverage=finite(section["coverage"]),
    )


def _opponents(judgement: Mapping[str, Any], scores: _Scores) -> tuple[Opponent, ...]:
    primary = judgement["primary"]
    by_rank = {metric.name for metric in METRICS.values() if metric.by_rank}
    # a baseline's scores are no probabilities or amounts, so only rank metrics judge it
    candidates = {model for model, metric, _, _ in scores if metric not in by_rank}
    found = [
        Opponent(
            name=name,
            is_baseline=name not in candidates,
            mean=scores.get((name, primary, "all", None)),
            by_cutoff=_by_cutoff(judgement, scores, name),
            gain=Gain(*(finite(gain[end]) for end in ("estimate", "low", "high"))),
        )
        for name, gain in judgement["gains"][primary].items()
    ]
    return tuple(sorted(found, key=lambda o: (not o.is_baseline, -(o.mean or 0.0), o.name)))


def _figures(
    judgement: Mapping[str, Any], scores: _Scores, coverage: float | None
) -> Iterable[Figure]:
    metrics = dict(METRICS)
    if coverage is not None:
        metrics |= {metric.name: metric for metric in interval_metrics(coverage)}
    judged = {metric for _, metric, _, _ in scores}
    for metric in metrics.values():
        if metric.name in judged:
            yield _figure(metric, judgement["winner"], judgement["best_baseline"], scores)


def _figure(metric: Metric, winner: str, baseline: str, scores: _Scores) -> Figure:
    return Figure(
        metric=metric.name,
        label=metric.label,
        better=metric.better,
        ideal=finite(metric.ideal),
        of_all=scores.get((winner, metric.name, "all", None)),
        of_active=scores.get((winner, metric.name, "active", None)),
        of_baseline=scores.get((baseline, metric.name, "all", None)),
    )


def _defined(points: Iterable[Mapping[str, float | None]]) -> Points:
    """The points of a curve whose every coordinate is a number."""
    numbers = [{name: finite(value) for name, value in point.items()} for point in points]
    return tuple(
        {name: value for name, value in point.items() if value is not None}
        for point in numbers
        if None not in point.values()
    )
