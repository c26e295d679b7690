"""Predictions of one target, judged: every figure, the winner, and how sure that is.

All predictions are judged on the same customers, cutoff by cutoff, by the metrics that they allow.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from portfolio_ml.judgement import (
    BLEND,
    CHOSEN_BY,
    CURVE_POINTS,
    LEVEL,
    POPULATIONS,
    PRIMARY,
    Floats,
    Judgement,
    Population,
    Predictions,
    Score,
    SectionScore,
    Supervised,
)
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
