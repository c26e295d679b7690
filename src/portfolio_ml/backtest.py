"""Refit the recipe at rolling cutoffs and judge it against baselines.

At each cutoff the models see only snapshots whose outcomes were known by then, and predict what
followed. All predictions of a target are then judged on the same customers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.errors import DataError
from portfolio_ml.features.windows import WINDOW_DAYS
from portfolio_ml.metrics import (
    CHURN_METRICS,
    METRICS,
    VALUE_METRICS,
    Difference,
    Metric,
    calibration_curve,
    decile_table,
    gains_curve,
    interval_metrics,
    paired_bootstraps,
)
from portfolio_ml.snapshots import Snapshots
from portfolio_ml.timeline import Span, cutoffs, to_date
from portfolio_ml.train import Candidates, Recipe, all_excluded, fit_candidates

Floats = NDArray[np.float64]
Supervised = Literal["churn", "lifetime_value"]
Population = Literal["all", "active"]

PRIMARY = {"churn": "auroc", "lifetime_value": "normalised_gini"}
CHOSEN_BY = {"churn": "log_loss", "lifetime_value": "normalised_gini"}
LEVEL = 0.9
POPULATIONS: tuple[Population, ...] = ("all", "active")
CURVE_POINTS = 51


@dataclass(frozen=True, slots=True)
class Predictions:
    """What was predicted and what happened, pooled over cutoffs; arrays have shape (rows,).

    Attributes:
        cutoff: The cutoff's day.
        customer: A number per customer.
        is_active: Whether the customer was active at the cutoff.
        actual: Churned (0 or 1), or net spend in currency units.
        candidates: Per candidate, its predictions.
        baselines: Per baseline, its scores; only their order means something.
        intervals: Per candidate, the ends of its intervals, shape (rows, 2); empty for churn.
    """

    cutoff: NDArray[np.int32]
    customer: NDArray[np.int64]
    is_active: NDArray[np.bool_]
    actual: Floats
    candidates: Mapping[str, Floats]
    baselines: Mapping[str, Floats]
    intervals: Mapping[str, Floats] = field(default_factory=dict)


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
    """

    target: Supervised
    cutoffs: tuple[date, ...]
    winner: str
    best_baseline: str
    scores: tuple[Score, ...]
    gains: Mapping[str, Mapping[str, Difference]]
    curves: Mapping[str, list[dict[str, float]]]
    predictions: Predictions

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
        }


def evaluation_days(span: Span, recipe: Recipe, count: int) -> tuple[int, ...]:
    """The cutoffs at which the recipe can be refitted and judged, ascending.

    Raises:
        DataError: There is none; the message says how much history would be needed.
    """
    days = cutoffs(
        span,
        recipe.longest_days,
        count,
        min_history_days=recipe.longest_days + recipe.min_history_days,
        excluded=recipe.excluded,
    )
    days = tuple(day for day in days if recipe.snapshot_days(span.first_day, day))
    if not days:
        needed = 2 * recipe.longest_days + recipe.min_history_days
        if span.days >= needed:
            raise all_excluded("cutoff to judge at that has a snapshot to learn from", recipe)
        fits = min((span.days - 28) // 2, int(span.days / 2.5))
        raise DataError(
            f"the history is too short for a backtest: horizons of {recipe.longest_days} days "
            f"need at least {needed} days",
            saw=f"{span.days} days",
            do=f"set the horizons to {fits} days or fewer"
            if fits >= 7
            else "wait for more history",
        )
    return days


def needed_days(span: Span, recipe: Recipe, evaluated: tuple[int, ...]) -> tuple[int, ...]:
    """Every day at which a backtest and the final fit need a snapshot, ascending."""
    days = {*evaluated, *recipe.snapshot_days(span.first_day, span.last_day)}
    for cutoff in evaluated:
        days |= {*recipe.snapshot_days(span.first_day, cutoff)}
    return tuple(sorted(days))


def backtest(
    snapshots: Snapshots,
    recipe: Recipe,
    *,
    first_day: int,
    evaluated: tuple[int, ...],
    activity_days: Mapping[int, int],
    bootstrap: int,
    progress: Callable[[str], None],
) -> dict[Supervised, Judgement]:
    """The judgement of each supervised target.

    Args:
        snapshots: Labelled rows at all of `needed_days`.
        recipe: What is refitted at each cutoff.
        first_day: The first day of the history.
        evaluated: The cutoffs.
        activity_days: The activity window as known at each cutoff.
        bootstrap: Replicates of the paired bootstrap.
        progress: Told what is being done.
    """
    churn: list[Predictions] = []
    value: list[Predictions] = []
    for cutoff in evaluated:
        progress(f"refitting as of {to_date(cutoff)}")
        learned = snapshots.on(recipe.snapshot_days(first_day, cutoff))
        edges = snapshots.references[cutoff].tier_edges
        candidates = fit_candidates(learned, recipe, tier_edges=edges)
        rows = snapshots.on([cutoff])
        is_active = rows.column("recency_days") < activity_days[cutoff]
        churn.append(_churn_predictions(candidates, rows, recipe, is_active))
        value.append(_value_predictions(candidates, rows, recipe, is_active))
    progress("judging")
    return {
        "churn": judge("churn", _pooled(churn), CHURN_METRICS, n=bootstrap, seed=recipe.seed),
        "lifetime_value": judge(
            "lifetime_value",
            _pooled(value),
            VALUE_METRICS,
            n=bootstrap,
            seed=recipe.seed,
            coverage=recipe.coverage,
        ),
    }


def judge(
    target: Supervised,
    predictions: Predictions,
    metrics: tuple[Metric, ...],
    *,
    n: int,
    seed: int,
    coverage: float | None = None,
) -> Judgement:
    """Every figure of one target, the winner among its candidates, and how sure that is."""
    scores = [
        score
        for population in POPULATIONS
        for score in _scores(predictions, metrics, population, coverage)
    ]
    means = {
        (s.model, s.metric): s.value for s in scores if s.cutoff is None and s.population == "all"
    }
    chosen_by, primary = METRICS[CHOSEN_BY[target]], METRICS[PRIMARY[target]]
    winner = max(
        predictions.candidates, key=lambda c: chosen_by.gain(means[c, chosen_by.name], 0.0)
    )
    best = max(predictions.baselines, key=lambda b: means[b, primary.name])
    opponents = {**predictions.candidates, **predictions.baselines}
    del opponents[winner]
    gains = {
        metric.name: paired_bootstraps(
            metric,
            predictions.actual,
            candidate=predictions.candidates[winner],
            baselines=opponents if metric.by_rank else _only(opponents, predictions.candidates),
            groups=predictions.customer,
            strata=predictions.cutoff,
            seed=seed,
            n=n,
            level=LEVEL,
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
    )


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
        "deciles": [
            {
                "decile": float(d.number),
                "customers": float(d.customers),
                "actual": float(d.actual),
                "predicted": float(d.predicted),
            }
            for d in decile_table(actual, predicted)
        ]
    }


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


def _churn_predictions(
    candidates: Candidates, rows: Snapshots, recipe: Recipe, is_active: NDArray[np.bool_]
) -> Predictions:
    window = _nearest_window(recipe.horizons.churn_days)
    return Predictions(
        cutoff=rows.day,
        customer=rows.customer,
        is_active=is_active,
        actual=rows.churned.astype(np.float64),
        candidates={c: model.predict(rows.features) for c, model in candidates.churn.items()},
        baselines={
            "bg_nbd": rows.column("p_no_purchase").astype(np.float64),
            "recency": rows.column("recency_days").astype(np.float64),
            "persistence": -rows.column(f"purchase_days_{window}d").astype(np.float64),
        },
    )


def _value_predictions(
    candidates: Candidates, rows: Snapshots, recipe: Recipe, is_active: NDArray[np.bool_]
) -> Predictions:
    window = _nearest_window(recipe.horizons.value_days)
    models = candidates.lifetime_value
    return Predictions(
        cutoff=rows.day,
        customer=rows.customer,
        is_active=is_active,
        actual=rows.net,
        candidates={c: model.predict(rows.features) for c, model in models.items()},
        intervals={
            c: np.column_stack(model.interval(rows.features)) for c, model in models.items()
        },
        baselines={
            "bg_nbd_gamma_gamma": rows.column("expected_spend").astype(np.float64),
            "past_spend": rows.column("net_spend").astype(np.float64),
            "persistence": rows.column(f"spend_{window}d").astype(np.float64),
        },
    )


def _nearest_window(horizon_days: int) -> int:
    return min(WINDOW_DAYS, key=lambda window: abs(window - horizon_days))


def _pooled(parts: list[Predictions]) -> Predictions:
    """The cutoffs' predictions in one; candidates that one cutoff could not fit are left out."""
    shared = [c for c in parts[0].candidates if all(c in part.candidates for part in parts)]
    if not shared:
        raise DataError("no candidate could be fitted at every cutoff")

    def stacked(name: str, keys: list[str]) -> dict[str, Floats]:
        return {k: np.concatenate([getattr(part, name)[k] for part in parts]) for k in keys}

    return Predictions(
        cutoff=np.concatenate([p.cutoff for p in parts]),
        customer=np.concatenate([p.customer for p in parts]),
        is_active=np.concatenate([p.is_active for p in parts]),
        actual=np.concatenate([p.actual for p in parts]),
        candidates=stacked("candidates", shared),
        baselines=stacked("baselines", list(parts[0].baselines)),
        intervals=stacked("intervals", shared) if parts[0].intervals else {},
    )
