"""Refit the recipe at rolling cutoffs and judge it against baselines.

At each cutoff the models see only snapshots whose outcomes were known by then, and predict what
followed.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.errors import DataError, HistoryTooShortError
from portfolio_ml.features.windows import WINDOW_DAYS
from portfolio_ml.judgement import Judgement, Predictions, Supervised
from portfolio_ml.judging import judge
from portfolio_ml.metrics import CHURN_METRICS, VALUE_METRICS
from portfolio_ml.models.seasonality import seasonality_of
from portfolio_ml.season import Season
from portfolio_ml.snapshots import Snapshots
from portfolio_ml.standing import value_tiers
from portfolio_ml.steps import numbered
from portfolio_ml.timeline import Span, cutoffs, to_date
from portfolio_ml.training import (
    Candidates,
    Recipe,
    all_excluded,
    fit_candidates,
    history_to_judge,
    remedy,
)
from portfolio_ml.wording import counted

Floats = NDArray[np.float64]
Sections = Mapping[str, NDArray[np.str_]]


SHORTEST_LEARNED_DAYS = 28
FARTHEST = 3
"""No model is asked for more than so many times the days that were seen."""


def judgeable(span: Span, recipe: Recipe, count: int) -> Recipe:
    """The recipe with the longest value horizon, up to its own, that leaves a cutoff to judge at.

    A shorter one than its own is marked as extended. Where no horizon from 28 days on leaves a
    cutoff, or the one asked for is beyond three times the history, the recipe stays as it is.

    Example:
        >>> from portfolio_ml.config import settings_from
        >>> settings = settings_from({"name": "shop", "data": {"transactions": {"source": "x.csv"}},
        ...                           "targets": {"lifetime_value": {"horizon_days": 365}}})
        >>> recipe = judgeable(Span(1, 546), Recipe.of(settings), 3)
        >>> recipe.horizons.value_days, recipe.extended_days
        (218, 365)
    """
    asked = recipe.horizons.value_days
    if _cutoffs(span, recipe, count) or asked > FARTHEST * span.days:
        return recipe
    for days in range(min(asked - 1, span.days), SHORTEST_LEARNED_DAYS - 1, -1):
        horizons = replace(recipe.horizons, value_days=days)
        shorter = replace(recipe, horizons=horizons, extended_days=asked)
        if _cutoffs(span, shorter, count):
            return shorter
    return recipe


def is_enough_unjudged(span: Span, recipe: Recipe) -> bool:
    """Whether the customer-base model alone may speak: 28 days seen, and a third of any horizon.

    Example:
        >>> from portfolio_ml.config import settings_from
        >>> recipe = Recipe.of(settings_from(
        ...     {"name": "shop", "data": {"transactions": {"source": "x.csv"}}}))
        >>> is_enough_unjudged(Span(1, 42), recipe), is_enough_unjudged(Span(1, 29), recipe)
        (True, False)
    """
    return span.days >= SHORTEST_LEARNED_DAYS and recipe.longest_days <= FARTHEST * span.days


def evaluation_days(span: Span, recipe: Recipe, count: int) -> tuple[int, ...]:
    """The cutoffs at which the recipe can be refitted and judged, ascending.

    Raises:
        DataError: There is none; the message says how much history would be needed.
    """
    days = _cutoffs(span, recipe, count)
    if not days:
        needed = history_to_judge(recipe.longest_days)
        if span.days >= needed:
            raise all_excluded("cutoff to judge at that has a snapshot to learn from", recipe)
        raise HistoryTooShortError(
            f"the history is too short for a backtest: horizons of {recipe.longest_days} days "
            f"need at least {needed} days",
            saw=counted(span.days, "day"),
            do=remedy(span),
        )
    return days


def _cutoffs(span: Span, recipe: Recipe, count: int) -> tuple[int, ...]:
    days = cutoffs(
        span,
        recipe.longest_days,
        count,
        min_history_days=recipe.longest_days + recipe.min_history_days,
        excluded=recipe.excluded,
    )
    return tuple(day for day in days if recipe.snapshot_days(span.first_day, day))


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
    seasons: Mapping[int, Season],
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
        seasons: The season as known at each cutoff at which there is one.
        bootstrap: Replicates of the paired bootstrap.
        progress: Told what is being done.
    """
    churn: list[Predictions] = []
    value: list[Predictions] = []
    for place, cutoff in enumerate(evaluated, start=1):
        text = f"refitting as of {to_date(cutoff)}"
        progress(numbered(text, place, len(evaluated), work="backtest"))
        learned = snapshots.on(recipe.snapshot_days(first_day, cutoff))
        reference = snapshots.references[cutoff]
        candidates = fit_candidates(
            learned,
            recipe,
            tier_edges=reference.tier_edges,
            seasonality=seasonality_of(seasons.get(cutoff), reference.purchase_model),
        )
        rows = snapshots.on([cutoff])
        is_active = rows.column("recency_days") < activity_days[cutoff]
        sections = {
            "activity": np.where(is_active, "active", "inactive"),
            "value_tier": value_tiers(rows.column("net_spend"), reference.tier_edges),
        }
        churn.append(_churn_predictions(candidates, rows, recipe, is_active, sections))
        value.append(_value_predictions(candidates, rows, recipe, is_active, sections))
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
            measure=recipe.measure,
        ),
    }


def _churn_predictions(
    candidates: Candidates,
    rows: Snapshots,
    recipe: Recipe,
    is_active: NDArray[np.bool_],
    sections: Sections,
) -> Predictions:
    window = _nearest_window(recipe.horizons.churn_days)
    return Predictions(
        cutoff=rows.day,
        customer=rows.customer,
        is_active=is_active,
        sections=sections,
        actual=rows.churned.astype(np.float64),
        candidates={
            c: model.predict(rows.inputs(model.names)) for c, model in candidates.churn.items()
        },
        baselines={
            "pareto_nbd": rows.column("p_no_purchase").astype(np.float64),
            "recency": rows.column("recency_days").astype(np.float64),
            "persistence": -rows.column(f"purchase_days_{window}d").astype(np.float64),
        },
    )


def _value_predictions(
    candidates: Candidates,
    rows: Snapshots,
    recipe: Recipe,
    is_active: NDArray[np.bool_],
    sections: Sections,
) -> Predictions:
    window = _nearest_window(recipe.horizons.value_days)
    models = candidates.lifetime_value
    forecasts = {c: model.forecast(rows.inputs(model.names)) for c, model in models.items()}
    past = "past_spend" if recipe.measure == "revenue" else "past_margin"
    column = "net_spend" if recipe.measure == "revenue" else "margin"
    return Predictions(
        cutoff=rows.day,
        customer=rows.customer,
        is_active=is_active,
        sections=sections,
        actual=rows.value,
        candidates={c: value for c, (value, _, _) in forecasts.items()},
        intervals={c: np.column_stack(ends) for c, (_, *ends) in forecasts.items()},
        baselines={
            "pareto_nbd_gamma_gamma": rows.column("expected_spend").astype(np.float64),
            past: rows.column(column).astype(np.float64),
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
        sections={
            name: np.concatenate([part.sections[name] for part in parts])
            for name in parts[0].sections
        },
    )
