"""Predictions of one target, judged: every figure, the winner, and how sure that is.

All predictions are judged on the same customers, cutoff by cutoff, by the metrics that they allow.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from portfolio_ml.acting import Advice
from portfolio_ml.metrics import (
    METRICS,
    Difference,
    Metric,
    calibration_curve,
    coverage,
    decile_table,
    gains_curve,
    interval_metrics,
    paired_bootstraps,
)
from portfolio_ml.schema import Measure
from portfolio_ml.timeline import to_date

Floats = NDArray[np.float64]
Supervised = Literal["churn", "lifetime_value"]
Population = Literal["all", "active"]

PRIMARY = {"churn": "auroc", "lifetime_value": "normalised_gini"}
CHOSEN_BY = {"churn": "log_loss", "lifetime_value": "normalised_gini"}
LEVEL = 0.9
BLEND = "blend"
POPULATIONS: tuple[Population, ...] = ("all", "active")
CURVE_POINTS = 51


@dataclass(frozen=True, slots=True)
class Predictions:
    """What was predicted and what happened, pooled over cutoffs; arrays have shape (rows,).

    Attributes:
        cutoff: The cutoff's day.
        customer: A number per customer.
        is_active: Whether the customer was active at the cutoff.
        actual: Churned (0 or 1), or net spend or margin in currency units.
        candidates: Per candidate, its predictions.
        baselines: Per baseline, its scores; only their order means something.
        intervals: Per candidate, the ends of its intervals, shape (rows, 2); empty for churn.
        sections: Per way of dividing the customers (`value_tier`, ...), each one's part.
    """

    cutoff: NDArray[np.int32]
    customer: NDArray[np.int64]
    is_active: NDArray[np.bool_]
    actual: Floats
    candidates: Mapping[str, Floats]
    baselines: Mapping[str, Floats]
    intervals: Mapping[str, Floats] = field(default_factory=dict)
    sections: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SectionScore:
    """How the winner did on a part of the customers, pooled over cutoffs.

    Attributes:
        section: How the customers are divided, such as `value_tier`.
        part: The part, such as `A`.
        rows: Its customers, counted at each cutoff.
        actual: The mean outcome.
        predicted: The mean prediction.
        primary: The primary metric; None where it is not defined.
        coverage: The share of outcomes inside the intervals; None without intervals.
    """

    section: str
    part: str
    rows: int
    actual: float
    predicted: float
    primary: float | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """One figure: a model, judged by a metric on a population at a cutoff (None: the mean)."""

    model: str
    metric: str
    population: Population
    cutoff: date | None
    value: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """How the candidates of one target did.

    Attributes:
        target: `churn` or `lifetime_value`.
        cutoffs: The evaluation cutoffs, ascending.
        winner: The candidate that is used from here on.
        best_baseline: The baseline with the best primary metric.
        scores: Every figure.
        gains: Per metric and opponent (baselines and other candidates), the winner's gain.
        curves: The winner's calibration and gains (churn) or deciles (value), for drawing.
        predictions: What was judged.
        measure: What value is.
        acting: Whom to act on, for churn; None where the settings do not say what acting costs.
        sections: How the winner did on each part of the customers.
    """

    target: Supervised
    cutoffs: tuple[date, ...]
    winner: str
    best_baseline: str
    scores: tuple[Score, ...]
    gains: Mapping[str, Mapping[str, Difference]]
    curves: Mapping[str, list[dict[str, float]]]
    predictions: Predictions
    measure: Measure = "revenue"
    acting: Advice | None = None
    sections: tuple[SectionScore, ...] = ()

    @property
    def primary(self) -> str:
        """The metric that decides."""
        return PRIMARY[self.target]

    def value(
        self,
        model: str,
        metric: str,
        *,
        population: Population = "all",
        cutoff: date | None = None,
    ) -> float:
        """One of the figures; NaN where it does not exist."""
        wanted = (model, metric, population, cutoff)
        for score in self.scores:
            if (score.model, score.metric, score.population, score.cutoff) == wanted:
                return score.value
        return float("nan")

    def to_dict(self) -> dict[str, Any]:
        """The judgement as plain JSON values, without the predictions."""
        return {
            "target": self.target,
            "cutoffs": [day.isoformat() for day in self.cutoffs],
            "winner": self.winner,
            "best_baseline": self.best_baseline,
            "primary": self.primary,
            "scores": [
                {
                    "model": s.model,
                    "metric": s.metric,
                    "population": s.population,
                    "cutoff": s.cutoff.isoformat() if s.cutoff else None,
                    "value": s.value,
                }
                for s in self.scores
            ],
            "gains": {
                metric: {
                    opponent: {"estimate": d.estimate, "low": d.low, "high": d.high}
                    for opponent, d in gains.items()
                }
                for metric, gains in self.gains.items()
            },
            "curves": {name: list(points) for name, points in self.curves.items()},
            "sections": [asdict(section) for section in self.sections],
            **({} if self.measure == "revenue" else {"measure": self.measure}),
            **({} if self.acting is None else {"acting": self.acting.to_dict()}),
        }


def unjudged(target: str) -> dict[str, Any]:
    """What stands instead of `Judgement.to_dict` where no outcome could judge: nothing but names.

    Example:
        >>> unjudged("churn")["cutoffs"]
        []
    """
    return {
        "target": target,
        "cutoffs": [],
        "winner": "customer_base",
        "best_baseline": None,
        "primary": PRIMARY[target],
        "scores": [],
        "gains": {},
        "curves": {},
        "sections": [],
    }


def judge(
    target: Supervised,
    predictions: Predictions,
    metrics: tuple[Metric, ...],
    *,
    n: int,
    seed: int,
    coverage: float | None = None,
    measure: Measure = "revenue",
) -> Judgement:
    """Every figure of one target, the winner among its candidates, and how sure that is.

    The winner is the best candidate where it is ahead of the blend beyond the paired interval, and
    otherwise the blend: few cutoffs, or a single one, are too little to leave it.
    """
    with threadpool_limits(1, user_api="blas"):  # short sums: threads only wait for each other
        scores = [
            score
            for population in POPULATIONS
            for score in _scores(predictions, metrics, population, coverage)
        ]
    means = {
        (s.model, s.metric): s.value for s in scores if s.cutoff is None and s.population == "all"
    }
    chosen_by, primary = METRICS[CHOSEN_BY[target]], METRICS[PRIMARY[target]]
    gained = {c: chosen_by.gain(means[c, chosen_by.name], 0.0) for c in predictions.candidates}

    def ahead(name: str, others: Mapping[str, Floats], metric: Metric) -> dict[str, Difference]:
        return paired_bootstraps(
            metric,
            predictions.actual,
            candidate=predictions.candidates[name],
            baselines=others,
            groups=predictions.customer,
            strata=predictions.cutoff,
            seed=seed,
            n=n,
            level=LEVEL,
        )

    winner = _best(gained, otherwise="customer_base")
    if winner != BLEND and not np.isnan(gained.get(BLEND, np.nan)):
        blend = {BLEND: predictions.candidates[BLEND]}
        winner = winner if ahead(winner, blend, chosen_by)[BLEND].low > 0 else BLEND
    ranked = {b: means[b, primary.name] for b in predictions.baselines}
    best = _best(ranked, otherwise=next(iter(ranked)))
    opponents = {**predictions.candidates, **predictions.baselines}
    del opponents[winner]
    gains = {
        metric.name: ahead(
            winner,
            opponents if metric.by_rank else _only(opponents, predictions.candidates),
            metric,
        )
        for metric in {primary.name: primary, chosen_by.name: chosen_by}.values()
    }
    return Judgement(
        target=target,
        cutoffs=tuple(to_date(day) for day in np.unique(predictions.cutoff)),
        winner=winner,
        best_baseline=best,
        scores=tuple(scores),
        gains=gains,
        curves=_curves(target, predictions.actual, predictions.candidates[winner]),
        predictions=predictions,
        measure=measure,
        sections=tuple(_sections(predictions, winner, primary)),
    )


def _sections(predictions: Predictions, winner: str, primary: Metric) -> Iterator[SectionScore]:
    actual, predicted = predictions.actual, predictions.candidates[winner]
    intervals = predictions.intervals.get(winner)
    for section, parts in predictions.sections.items():
        for part in np.unique(parts):
            rows = parts == part
            measured = primary.value(actual[rows], predicted[rows])
            yield SectionScore(
                section=section,
                part=str(part),
                rows=int(rows.sum()),
                actual=float(actual[rows].mean()),
                predicted=float(predicted[rows].mean()),
                primary=None if np.isnan(measured) else measured,
                coverage=None if intervals is None else coverage(actual[rows], *intervals[rows].T),
            )


def _best(values: Mapping[str, float], *, otherwise: str) -> str:
    """The name of the highest value; `otherwise` where none is defined and it is among them."""
    defined = {name: value for name, value in values.items() if not np.isnan(value)}
    if defined:
        return max(defined, key=lambda name: defined[name])
    return otherwise if otherwise in values else next(iter(values))


def _curves(
    target: Supervised, actual: Floats, predicted: Floats
) -> dict[str, list[dict[str, float]]]:
    """What a chart of the winner needs, pooled over cutoffs."""
    if target == "churn":
        bins, gains = calibration_curve(actual, predicted), gains_curve(actual, predicted)
        shares = np.linspace(0, 1, CURVE_POINTS)
        return {
            "calibration": [
                {"predicted": float(p), "observed": float(o), "rows": float(n)}
                for p, o, n in zip(bins.predicted, bins.observed, bins.rows, strict=True)
            ],
            "gains": [
                {"share": float(s), "found": float(v)}
                for s, v in zip(shares, gains.at(shares), strict=True)
            ],
        }
    return {
        "lorenz": _lorenz(actual, predicted),
        "deciles": [
            {
                "decile": float(d.number),
                "customers": float(d.customers),
                "actual": float(d.actual),
                "predicted": float(d.predicted),
            }
            for d in decile_table(actual, predicted)
        ],
    }


def _lorenz(actual: Floats, predicted: Floats) -> list[dict[str, float]]:
    """The share of all value that the best customers hold: by prediction, and by hindsight."""
    floored, shares = np.maximum(actual, 0), np.linspace(0, 1, CURVE_POINTS)
    found, held = (gains_curve(floored, order).at(shares) for order in (predicted, floored))
    return [
        {"share": float(s), "found": float(f), "held": float(h)}
        for s, f, h in zip(shares, found, held, strict=True)
    ]


def _only(scores: Mapping[str, Floats], among: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name: score for name, score in scores.items() if name in among}


def _scores(
    predictions: Predictions,
    metrics: tuple[Metric, ...],
    population: Population,
    coverage: float | None,
) -> list[Score]:
    chosen = (
        predictions.is_active if population == "active" else np.ones_like(predictions.is_active)
    )
    if not chosen.any():
        return []
    judged = [(c, m, s) for m in metrics for c, s in predictions.candidates.items()]
    judged += [(b, m, s) for m in metrics if m.by_rank for b, s in predictions.baselines.items()]
    if coverage is not None:
        judged += [
            (c, m, s) for m in interval_metrics(coverage) for c, s in predictions.intervals.items()
        ]
    found = []
    for model, metric, score in judged:
        values = [
            (day, metric.value(predictions.actual[rows], score[rows]))
            for day in np.unique(predictions.cutoff)
            if (rows := chosen & (predictions.cutoff == day)).any()
        ]
        found += [Score(model, metric.name, population, to_date(d), v) for d, v in values]
        defined = [v for _, v in values if not np.isnan(v)]
        mean = float(np.mean(defined)) if defined else float("nan")
        found.append(Score(model, metric.name, population, None, mean))
    return found
