"""Log, register and promote what a training made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pyarrow as pa

from portfolio_ml import registry
from portfolio_ml.config import Settings
from portfolio_ml.frozen import FILE, Frozen
from portfolio_ml.gate import Decision, decide, decide_segments, decide_unjudged
from portfolio_ml.judgement import PRIMARY, Judgement, Supervised, unjudged
from portfolio_ml.metrics import Difference
from portfolio_ml.models.extension import Extension
from portfolio_ml.models.files import DESCRIPTION, ModelFiles
from portfolio_ml.models.importance import importance
from portfolio_ml.models.segment_identity import Migration
from portfolio_ml.models.segment_profiles import profiles
from portfolio_ml.models.segments import SegmentModel
from portfolio_ml.report.card import CardFacts, card
from portfolio_ml.report.charts.runs import (
    importance_plots,
    judgement_plots,
    plots,
    segment_plots,
)
from portfolio_ml.report.customers import segment_groups
from portfolio_ml.snapshots import matrix
from portfolio_ml.training import Candidates

JUDGEMENT = "judgement.json"
MIGRATION = "migration.json"
CARD = "model_card.md"

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
        dataset: What it learnt from, without a row.
        documents: What the parent run keeps beside, by file name: the config, the environment.
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
    dataset: registry.Dataset | None = None
    documents: Mapping[str, bytes] = field(default_factory=dict)
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unjudged: str | None = None
    over_champions: Mapping[Supervised, Mapping[str, Difference]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a training's models: per target the decision and the version.

    Attributes:
        decisions: What the gate decided.
        versions: What was registered.
        run_id: The parent run.
        tidied: What was cleaned up of trainings that died.
    """

    decisions: Mapping[str, Decision]
    versions: Mapping[str, str]
    run_id: str
    tidied: registry.Tidied


def publish(
    models: Mapping[str, ModelFiles],
    training: Training,
    store: registry.Store,
    *,
    settings: Settings,
    promote: bool,
) -> Published:
    """One parent run with a child per target; each model registered; aliases set at the end.

    A crash before the end leaves the champions as they were, and the next call cleans up. Where
    another training has changed the champion meanwhile, the decision on it is void.

    Args:
        models: Per target, the model as data.
        training: How they were made and judged.
        store: The MLflow store.
        settings: The gate's thresholds.
        promote: Whether accepted challengers become champions.
    """
    store.prepare()
    champions = {target: store.champion(target) for target in models}
    decisions = _decisions(training, champions, settings)
    with store.run(f"train {training.params['as_of']}") as run_id:
        tidied = store.tidy(run_id)
        store.log(
            run_id,
            params=training.params,
            tags=training.tags,
            files=training.documents,
            dataset=training.dataset,
        )
        store.keep_highest_segment_id(training.segments.highest_id)
        beside = _beside(training.migration)
        versions = {
            target: _logged(
                files,
                decisions[target],
                store,
                training=training,
                champion=champions[target],
                parent=run_id,
                settings=settings,
                beside=beside.get(target, {}),
            )
            for target, files in models.items()
        }
    decided = {
        target: _carried_out(
            decision, store, versions[target], champions[target], promote=promote, run_id=run_id
        )
        for target, decision in decisions.items()
    }
    return Published(decisions=decided, versions=versions, run_id=run_id, tidied=tidied)


def models_as_files(
    judgements: Mapping[Supervised, Judgement],
    candidates: Candidates,
    segments: SegmentModel,
    frozen: Frozen,
    rows: pa.Table,
    *,
    extended_days: int | None = None,
    weight: float = 1.0,
) -> dict[str, ModelFiles]:
    """The winners as data, each with the portfolio that it froze and how it was judged.

    Args:
        judgements: Per supervised target, how the recipe did.
        candidates: The models, fitted on all that is known.
        segments: The segments.
        frozen: The portfolio as of today.
        rows: Today's features, one row per customer.
        weight: How many customers each of the rows stands for.
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
            segments,
            matrix(rows, segments.names),
            ltv=value.predict(matrix(rows, value.names)),
            p_churn=churn.predict(matrix(rows, churn.names)),
            weight=weight,
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


def _carried_out(
    decision: Decision,
    store: registry.Store,
    version: str,
    champion: registry.Registered | None,
    *,
    promote: bool,
    run_id: str,
) -> Decision:
    """Set the alias that a decision leads to; gives it, refused where it came too late."""
    target = decision.target
    if not (decision.is_promoted and promote):
        store.challenge(target, version)
        return decision
    try:
        store.promote(
            target,
            version,
            reason="; ".join(decision.reasons),
            run_id=run_id,
            instead_of=None if champion is None else champion.version,
        )
    except registry.ChampionChangedError as late:
        store.challenge(target, version)
        return Decision(target, False, (*decision.reasons, str(late)))
    return decision


def _decisions(
    training: Training,
    champions: Mapping[str, registry.Registered | None],
    settings: Settings,
) -> dict[str, Decision]:
    decisions: dict[str, Decision] = {
        target: decide(
            judgement,
            champion=_candidate(champions[target]),
            max_loss=settings.gate.max_loss,
            coverage=settings.targets.lifetime_value.coverage,
            over_champion=training.over_champions.get(target),
        )
        for target, judgement in training.judgements.items()
    }
    if training.unjudged is not None:
        decisions = {
            target: decide_unjudged(
                target, champion=_candidate(champions[target]), why=training.unjudged
            )
            for target in PRIMARY
        }
    segments = decide_segments(
        training.segments,
        count=settings.targets.segments.count,
        has_champion=champions["segments"] is not None,
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
    training: Training,
    champion: registry.Registered | None,
    parent: str,
    settings: Settings,
    beside: ModelFiles,
) -> str:
    """Log one target's run and register its model; gives the version."""
    target, judged = decision.target, json.loads(files[JUDGEMENT])
    drawn = _plots(target, judged, files, settings)
    told = card(
        CardFacts(
            portfolio=settings.name,
            target=target,
            judgement=judged,
            importance=importance(files),
            params=training.params,
            tags=training.tags,
            decision=decision,
            currency=settings.currency,
            coverage=settings.targets.lifetime_value.coverage,
        )
    )
    with store.run(target, parent=parent) as run_id:
        store.log(
            run_id,
            params={"candidate": json.loads(files[DESCRIPTION])["candidate"]},
            tags={
                "gate": "accepted" if decision.is_promoted else "refused",
                "champion_version": "none" if champion is None else champion.version,
            },
            files={
                JUDGEMENT: files[JUDGEMENT],
                "gate.json": _as_json(decision.to_dict()),
                CARD: told.encode(),
                **beside,
                **{f"plots/{name}": png for name, png in drawn.items()},
            },
        )
        figures = registry.figures_of(target, judged, champion=_candidate(champion))
        return store.register(target, run_id, files, figures=figures)


def _plots(
    target: str, judged: Mapping[str, Any], files: ModelFiles, settings: Settings
) -> dict[str, bytes]:
    value = settings.targets.lifetime_value
    if target not in PRIMARY:
        return segment_plots(segment_groups(judged["profiles"]), measure=value.measure)
    drawn = importance_plots(target, importance(files))
    if judged["cutoffs"]:
        drawn |= plots(judged, currency=settings.currency)
        drawn |= judgement_plots(judged, coverage=value.coverage)
    return drawn


def _as_json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, indent=1).encode()
