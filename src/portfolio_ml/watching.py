"""A training, as it is remembered, and today's champions, watched: drift, outcomes, the verdict."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from portfolio_ml import registry
from portfolio_ml.features.table import Horizons
from portfolio_ml.learning import Learned
from portfolio_ml.matured import Past, matured_scores
from portfolio_ml.monitoring.distribution import Counts
from portfolio_ml.monitoring.drift import FEWEST_DATES, Drift, Family, drifts
from portfolio_ml.monitoring.mix import mixes
from portfolio_ml.monitoring.outcomes import Matured, judge_matured, promises_of
from portfolio_ml.monitoring.profile import Profile, Seen, counts_of, still_filling, ticket_change
from portfolio_ml.monitoring.verdict import Monitoring, verdict
from portfolio_ml.opening import Opened, Say
from portfolio_ml.scoring import Champions, predict
from portfolio_ml.snapshots import Matrix, matrix
from portfolio_ml.timeline import to_date
from portfolio_ml.wording import counted

WATCHED = "monitor.json"
TARGETS = ("churn", "lifetime_value", "segments")


def seen(portfolio: Opened, learned: Learned, today: Matrix) -> Seen:
    """What a training's models learnt from, and today, of which they keep the counts.

    Args:
        portfolio: The history that they learn from.
        learned: Its labelled rows, if there are any.
        today: Today's features, shape (customers, features).
    """
    inputs, rows = portfolio.inputs, learned.snapshots
    past = None if rows is None else rows.at_most(portfolio.recipe.max_rows, portfolio.recipe.seed)
    now = np.full(len(today), portfolio.as_of_day, np.int32)
    day = now if past is None else np.concatenate([past.day, now])
    return Seen(
        names=inputs.catalogue.model_inputs,
        features=today if past is None else np.vstack([past.features, today]),
        day=day,
        mix=mixes(inputs, [int(d) for d in np.unique(day)]),
        filling=still_filling(
            inputs.catalogue.features, history_days=int(day.min()) - inputs.span.first_day + 1
        ),
    )


def watched(
    portfolio: Opened,
    champions: Champions,
    judgements: Mapping[str, Mapping[str, Any]],
    tables: Mapping[str, pa.Table],
    past: Past,
    *,
    say: Say,
) -> Monitoring:
    """What today's portfolio and the outcomes of delivered scores say of the champions.

    Args:
        portfolio: The history, up to today.
        champions: The models in force.
        judgements: Per target, how its champion was judged when it was trained.
        tables: Per target, today's features under its champion's frozen portfolio.
        past: What was delivered.
        say: Told what is being done.
    """
    say("comparing with training")
    found = _drifts(portfolio, champions, tables)
    say("judging the scores that have matured")
    matured = _matured(portfolio, champions, judgements, past)
    return Monitoring(
        as_of=portfolio.as_of,
        versions=champions.versions,
        known_until=to_date(champions.frozen["churn"].reference.day),
        drifts=found,
        matured=matured,
        verdict=verdict(
            found,
            matured,
            versions=champions.versions,
            unknown=None if found else _no_drift(portfolio, champions),
        ),
    )


def horizons_of(champions: Champions) -> Horizons:
    """How far the champions' scores look ahead."""
    return Horizons(
        churn_days=champions.churn.horizon_days,
        value_days=champions.lifetime_value.predicted_days,
    )


def drift_today(
    portfolio: Opened, champions: Champions, tables: Callable[[], Mapping[str, pa.Table]]
) -> tuple[tuple[Drift, ...], str | None]:
    """Every column, today against training; or none, and why they cannot be told.

    Args:
        portfolio: The history, up to today.
        champions: The models in force.
        tables: Gives, per target, today's features under its champion's frozen portfolio; asked
            only where there is something to compare.
    """
    if not _is_comparable(portfolio, champions):
        return (), _no_drift(portfolio, champions)
    return _drifts(portfolio, champions, tables()), None


def logged(found: Monitoring, store: registry.Store) -> None:
    """Log what was seen as a run of its own: the verdict, figures by column, all of it as JSON."""
    figures = [
        registry.Figure(f"{kind}.{drift.family}.{drift.name}", value)
        for drift in found.drifts
        for kind, value in (("psi", drift.psi), ("shift", drift.shift))
    ]
    figures += [
        registry.Figure(f"matured.{of.target}.{of.version}.{of.group}.{metric}", estimate.value)
        for of in found.matured
        for metric, estimate in of.figures.items()
    ]
    figures.append(registry.Figure("drifted", float(sum(d.has_drifted for d in found.drifts))))
    with store.run(f"monitor {found.as_of}") as run_id:
        store.log(
            run_id,
            params={"as_of": found.as_of, "known_until": found.known_until},
            figures=figures,
            tags={
                "verdict": found.verdict.level,
                **{f"version.{target}": number for target, number in found.versions.items()},
            },
            files={WATCHED: json.dumps(found.to_dict(), indent=1, default=str).encode()},
        )


def _drifts(
    portfolio: Opened, champions: Champions, tables: Mapping[str, pa.Table]
) -> tuple[Drift, ...]:
    """Every column, each compared once: champions of one training share their features."""
    said = predict(champions, tables, reasons=0)
    scores = {"churn": ("p_churn",), "lifetime_value": ("ltv",), "segments": ("segment_id",)}
    bought = mixes(portfolio.inputs, [portfolio.as_of_day])
    found: dict[tuple[str, str], Drift] = {}
    for target in TARGETS:
        profile = champions.profiles.get(target)
        if profile is None:
            continue
        today: dict[Family, dict[str, Counts]] = {
            "features": _features(profile, tables[target]),
            "scores": {
                n: counts_of(profile.scores[n], getattr(said, n))
                for n in scores[target]
                if n in profile.scores
            },
            "behaviour": _behaviour(profile, tables[target]),
            "mix": {
                n: profile.mix[n].of_counts(counts[0])
                for n, counts in bought.items()
                if n in profile.mix
            },
        }
        for drift in drifts(profile, today, as_of_day=portfolio.as_of_day):
            found.setdefault((drift.family, drift.name), drift)
    return tuple(found.values())


def _features(profile: Profile, table: pa.Table) -> dict[str, Counts]:
    names = [name for name in profile.features if name in table.column_names]
    values = matrix(table, names)
    return {name: profile.features[name].of(values[:, k]) for k, name in enumerate(names)}


def _behaviour(profile: Profile, table: pa.Table) -> dict[str, Counts]:
    names = tuple(name for name in profile.features if name in table.column_names)
    change = ticket_change(names, matrix(table, names))
    if change is None:
        return {}
    known = change[np.isfinite(change)]
    return {name: distribution.of(known) for name, distribution in profile.behaviour.items()}


def _is_comparable(portfolio: Opened, champions: Champions) -> bool:
    return any(
        len(profile.days) >= FEWEST_DATES and portfolio.as_of_day > profile.days[-1]
        for profile in champions.profiles.values()
    )


def _no_drift(portfolio: Opened, champions: Champions) -> str:
    """Why there is no drift to tell, in a sentence."""
    profiles = champions.profiles.values()
    if not profiles:
        return "the champions keep nothing of their training to compare with: retrain once"
    newest = max(profile.days[-1] for profile in profiles)
    if portfolio.as_of_day <= newest:
        return f"the champions know all up to {to_date(newest)}: there is nothing newer to compare"
    dates = counted(max(len(profile.days) for profile in profiles), "date")
    return (
        f"the champions learnt from {dates}, and drift can be told from ageing "
        f"from {FEWEST_DATES} dates on"
    )


def _matured(
    portfolio: Opened,
    champions: Champions,
    judgements: Mapping[str, Mapping[str, Any]],
    past: Past,
) -> tuple[Matured, ...]:
    value, settings = champions.lifetime_value, portfolio.settings
    horizons = horizons_of(champions)
    found: list[Matured] = []
    for scores in matured_scores(portfolio, past, horizons=horizons, measure=value.measure):
        is_champion = scores.version == champions.versions[scores.target]
        found += judge_matured(
            scores,
            promises_of(judgements[scores.target]) if is_champion else {},
            coverage=value.intervals.coverage,
            to_date={int(day): to_date(day) for day in np.unique(scores.as_of)},
            seed=portfolio.recipe.seed,
            n=settings.backtest.bootstrap,
        )
    return tuple(found)
