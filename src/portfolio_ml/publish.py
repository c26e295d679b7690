"""Log, register and promote what a training made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from portfolio_ml import registry
from portfolio_ml.config import Settings
from portfolio_ml.frozen import FILE, Frozen
from portfolio_ml.gate import Decision, decide, decide_segments, decide_unjudged
from portfolio_ml.judgement import PRIMARY, Judgement, Supervised, unjudged
from portfolio_ml.metrics import Difference
from portfolio_ml.models.extension import Extension
from portfolio_ml.models.files import DESCRIPTION, ModelFiles
from portfolio_ml.models.segment_identity import Migration
from portfolio_ml.models.segment_profiles import profiles
from portfolio_ml.models.segments import SegmentModel
from portfolio_ml.report.charts import plots, segment_plots
from portfolio_ml.report.customers import segment_groups
from portfolio_ml.schema import Measure
from portfolio_ml.training import Candidates

JUDGEMENT = "judgement.json"
MIGRATION = "migration.json"

Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class Training:
    """What is told of a training beside its models.

    Attributes:
        judgements: How the recipe did in the backtest, per supervised target.
        segments: The segments, for the gate.
        migration: Where the customers of the champion's segments went, if those can be found.
        params: What the parent run is told of the data and the recipe.
        tags: Its digests and versions.
        notes: Per target, what its model rests on where history says too little, in sentences.
        unjudged: Why there are no judgements, in a sentence; None where there are.
        over_champions: Per target and metric, the winner's gain over the champion as it stands,
            where that could be judged.
    """

    judgements: Mapping[Supervised, Judgement]
    segments: SegmentModel
    migration: Migration | None
    params: Mapping[str, object]
    tags: Mapping[str, str]
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unjudged: str | None = None
    over_champions: Mapping[Supervised, Mapping[str, Difference]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a training's models: per target the decision and the version."""

    decisions: Mapping[str, Decision]
    versions: Mapping[str, str]
    run_id: str


def publish(
    models: Mapping[str, ModelFiles],
    training: Training,
    store: registry.Store,
    *,
    settings: Settings,
    promote: bool,
) -> Published:
    """One parent run with a child per target; each model registered; aliases set at the end.

    A crash before the end leaves the champions as they were.

    Args:
        models: Per target, the model as data.
        training: How they were made and judged.
        store: The MLflow store.
        settings: The gate's thresholds.
        promote: Whether accepted challengers become champions.
    """
    store.prepare()
    decisions = _decisions(training, store, settings)
    with store.run(f"train {training.params['as_of']}") as run_id:
        store.log(run_id, params=training.params, tags=training.tags)
        beside = _beside(training.migration)
        versions = {
            target: _logged(
                files,
                decisions[target],
                store,
                parent=run_id,
                settings=settings,
                beside=beside.get(target, {}),
            )
            for target, files in models.items()
        }
    for target, decision in decisions.items():
        if decision.is_promoted and promote:
            store.promote(target, versions[target])
        else:
            store.challenge(target, versions[target])
    return Published(decisions=decisions, versions=versions, run_id=run_id)


def models_as_files(
    judgements: Mapping[Supervised, Judgement],
    candidates: Candidates,
    segments: SegmentModel,
    frozen: Frozen,
    inputs: NDArray[np.float32],
    *,
    extended_days: int | None = None,
) -> dict[str, ModelFiles]:
    """The winners as data, each with the portfolio that it froze and how it was judged.

    Args:
        judgements: Per supervised target, how the recipe did.
        candidates: The models, fitted on all that is known.
        segments: The segments.
        frozen: The portfolio as of today.
        inputs: Today's features, shape (customers, features).
        extended_days: The value horizon to stretch to, where a shorter one was learnt.
    """
    churn = _winner(candidates.churn, judgements.get("churn"))
    value = _winner(candidates.lifetime_value, judgements.get("lifetime_value"))
    if extended_days is not None:
        value = replace(value, extension=Extension(extended_days, frozen.reference.purchase_model))
    models: dict[str, ModelFiles] = {
        "churn": churn.to_files(),
        "lifetime_value": value.to_files(),
        "segments": segments.to_files(),
    }
    judged = {t: unjudged(t) for t in PRIMARY} | {t: j.to_dict() for t, j in judgements.items()}
    judged["segments"] = {
        "stability": segments.stability,
        "separation": segments.separation,
        "candidate": segments.candidate,
        "profiles": profiles(
            segments, inputs, ltv=value.predict(inputs), p_churn=churn.predict(inputs)
        ),
    }
    return {
        target: files | {FILE: frozen.to_json(), JUDGEMENT: _as_json(judged[target])}
        for target, files in models.items()
    }


def _winner(candidates: Mapping[str, Model], judgement: Judgement | None) -> Model:
    """The backtest's winner, or the customer-base model where it cannot be fitted any more."""
    winner = "customer_base" if judgement is None else judgement.winner
    return candidates.get(winner) or candidates["customer_base"]


def _decisions(
    training: Training, store: registry.Store, settings: Settings
) -> dict[str, Decision]:
    decisions: dict[str, Decision] = {
        target: decide(
            judgement,
            champion=_candidate(store.champion(target)),
            max_loss=settings.gate.max_loss,
            coverage=settings.targets.lifetime_value.coverage,
            over_champion=training.over_champions.get(target),
        )
        for target, judgement in training.judgements.items()
    }
    if training.unjudged is not None:
        decisions = {
            target: decide_unjudged(
                target, champion=_candidate(store.champion(target)), why=training.unjudged
            )
            for target in PRIMARY
        }
    segments = decide_segments(
        training.segments,
        count=settings.targets.segments.count,
        has_champion=store.champion("segments") is not None,
        migration=training.migration,
    )
    return {
        target: replace(decision, reasons=(*decision.reasons, *training.notes.get(target, ())))
        for target, decision in {**decisions, "segments": segments}.items()
    }


def _beside(migration: Migration | None) -> dict[str, ModelFiles]:
    """Per target, what its run keeps beside the judgement and the gate's decision."""
    return {} if migration is None else {"segments": {MIGRATION: _as_json(migration.to_dict())}}


def _candidate(champion: registry.Registered | None) -> str | None:
    return None if champion is None else json.loads(champion.files[DESCRIPTION])["candidate"]


def _logged(
    files: ModelFiles,
    decision: Decision,
    store: registry.Store,
    *,
    parent: str,
    settings: Settings,
    beside: ModelFiles,
) -> str:
    """Log one target's run and register its model; gives the version."""
    target, judged = decision.target, json.loads(files[JUDGEMENT])
    measure = settings.targets.lifetime_value.measure
    drawn = _plots(target, judged, currency=settings.currency, measure=measure)
    with store.run(target, parent=parent) as run_id:
        store.log(
            run_id,
            params={"candidate": judged["winner" if target in PRIMARY else "candidate"]},
            figures=registry.figures_of(target, judged),
            tags={"gate": "accepted" if decision.is_promoted else "refused"},
            files={
                JUDGEMENT: files[JUDGEMENT],
                "gate.json": _as_json(decision.to_dict()),
                **beside,
                **{f"plots/{name}": png for name, png in drawn.items()},
            },
        )
        return store.register(target, run_id, files)


def _plots(
    target: str, judged: Mapping[str, Any], *, currency: str, measure: Measure
) -> dict[str, bytes]:
    if target in PRIMARY:
        if not judged["cutoffs"]:
            return {}
        return plots(judged, currency=currency)
    return segment_plots(segment_groups(judged["profiles"]), measure=measure)


def _as_json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, indent=1).encode()
