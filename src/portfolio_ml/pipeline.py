"""The walk on one page: train, score and what lies on the way, step by step.

Each function opens the engine, walks downstream, and gives a frozen result. Nothing here prints;
`say` is told what is being done. The wall clock comes in as `Clock`.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml import learning, provenance, registry, search, tuning, watching
from portfolio_ml.champions import champions_in_force, segments_in_force, source_of_champions
from portfolio_ml.config import CsvTarget, ParquetTarget, Settings, SqlTarget, Target
from portfolio_ml.customer_rows import Lineage, customer_rows
from portfolio_ml.errors import DataError
from portfolio_ml.features.table import FeatureTable, at
from portfolio_ml.frozen import Frozen
from portfolio_ml.gate import Decision
from portfolio_ml.incumbent import gains_over_champions
from portfolio_ml.judgement import PRIMARY, Judgement, Supervised
from portfolio_ml.models.seasonality import seasonality_of
from portfolio_ml.models.segment_fitting import fit_segments
from portfolio_ml.models.segment_identity import Migration, migration
from portfolio_ml.monitoring.profile import with_profiles
from portfolio_ml.monitoring.verdict import Monitoring
from portfolio_ml.opening import Opened, Say, Validation, opened, validate
from portfolio_ml.publish import Training, models_as_files, publish
from portfolio_ml.report.facts import Facts, gather, history_facts
from portfolio_ml.report.page import write as write_page
from portfolio_ml.scoring import Champions, predict
from portfolio_ml.sinks.files import deliver_file
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.sql import deliver_sql
from portfolio_ml.snapshots import labelled, matrix
from portfolio_ml.standing import standing_of
from portfolio_ml.timeline import to_date
from portfolio_ml.training import fit_candidates, unlabelled_candidates
from portfolio_ml.tuning import Budget, Tuned
from portfolio_ml.wording import counted

Clock = Callable[[], datetime]

__all__ = [
    "Budget",
    "Opened",
    "ScoringResult",
    "TrainingResult",
    "Tuned",
    "Validation",
    "backtest",
    "contributions",
    "features",
    "monitor",
    "opened",
    "report",
    "score",
    "train",
    "tune",
    "validate",
    "write_report",
]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a training did.

    Attributes:
        as_of: The last day of the history it learnt from.
        judgements: How the recipe did in the backtest, per supervised target.
        decisions: What the gate decided, per target.
        versions: The registered version, per target.
        run_id: The parent run in MLflow.
        migration: Where the customers of the champion's segments went; None where there was no
            champion, or its segments cannot be found any more.
    """

    as_of: date
    judgements: Mapping[Supervised, Judgement]
    decisions: Mapping[str, Decision]
    versions: Mapping[str, str]
    run_id: str
    migration: Migration | None = None


@dataclass(frozen=True, slots=True)
class ScoringResult:
    """What a scoring did.

    Attributes:
        as_of: The last day of the history it saw.
        rows: The customer rows.
        receipts: What became of them, per target.
        facts: The same, for the report.
    """

    as_of: date
    rows: pa.Table
    receipts: tuple[Receipt, ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class _Scored:
    """The customer rows, and the churn model's features of the same customers, in that order."""

    rows: pa.Table
    features: pa.Table


def features(portfolio: Opened, *, say: Say) -> FeatureTable:
    """The feature table at the as-of date."""
    say(f"computing features as of {portfolio.as_of}")
    return at(portfolio.inputs, [portfolio.as_of_day], horizons=portfolio.recipe.horizons)


def backtest(portfolio: Opened, *, say: Say) -> dict[Supervised, Judgement]:
    """How the recipe would have done at rolling cutoffs, against baselines."""
    judgements, _ = learning.judged(learning.judgeable(portfolio, say), say)
    return judgements


def tune(
    portfolio: Opened, *, targets: Sequence[Supervised], budget: Budget, say: Say
) -> tuple[Tuned, ...]:
    """Search for better tree parameters, on snapshots that lie before every evaluation.

    Args:
        portfolio: The history.
        targets: What to tune for.
        budget: How long to search.
        say: Told what is being done.

    Raises:
        ConfigError: Optuna is not installed, or `tuning.url` names another tool's database.
        DataError: The history is too short.
    """
    search.demand_optuna()
    portfolio = learning.judgeable(portfolio, say)
    settings, recipe, span = portfolio.settings, portfolio.recipe, portfolio.span
    days = tuning.tuning_days(span, recipe, settings.backtest.cutoffs)
    dates = f"{to_date(days[0])} to {to_date(days[-1])}"
    say(f"computing features and outcomes at {counted(len(days), 'date')}, {dates}")
    return tuning.tune(
        labelled(portfolio.inputs, days, horizons=recipe.horizons, measure=recipe.measure),
        recipe,
        targets=targets,
        budget=budget,
        bootstrap=settings.backtest.bootstrap,
        opened=lambda question: search.opened(
            settings.tuning.url,
            f"{settings.name} {question.target} {question.digest}",
            base=settings.base,
            space=question.space,
            seed=question.seed,
        ),
        say=say,
    )


def train(portfolio: Opened, *, promote: bool, say: Say) -> TrainingResult:
    """Backtest, fit, log, register, and pass the gate.

    Args:
        portfolio: The history to learn from.
        promote: Whether accepted challengers become champions.
        say: Told what is being done.
    """
    portfolio = learning.judgeable(portfolio, say)
    settings, recipe = portfolio.settings, portfolio.recipe
    learned = learning.learned(portfolio, say)
    judgements = learned.judgements
    say("fitting the final models")
    table = features(portfolio, say=say)
    frozen = _frozen(portfolio, table)
    names = portfolio.inputs.catalogue.model_inputs
    inputs = matrix(table.rows, names)
    if learned.snapshots is None:
        candidates = unlabelled_candidates(inputs, names, recipe)
    else:
        candidates = fit_candidates(
            learned.snapshots,
            recipe,
            tier_edges=frozen.reference.tier_edges,
            seasonality=seasonality_of(learned.season, frozen.reference.purchase_model),
        )
    before, highest_id = segments_in_force(settings)
    segments = fit_segments(
        inputs,
        names=names,
        count=recipe.segments,
        seed=recipe.seed,
        before=before,
        highest_id=highest_id,
    )
    moved = None if before is None else migration(before, segments, inputs)
    models = models_as_files(
        judgements, candidates, segments, frozen, table.rows, extended_days=recipe.extended_days
    )
    models = with_profiles(models, watching.seen(portfolio, learned, inputs))
    say("logging to MLflow and passing the gate")
    with registry.opened(settings) as store:
        published = publish(
            models,
            Training(
                judgements=judgements,
                segments=segments,
                migration=moved,
                params=provenance.parameters(portfolio),
                tags=provenance.tags(portfolio),
                dataset=provenance.dataset(portfolio),
                documents=provenance.documents(settings),
                unjudged=learned.unjudged,
                notes=learned.notes,
                over_champions=gains_over_champions(
                    settings, judgements, learned.evaluated, horizons=recipe.horizons
                ),
            ),
            store,
            settings=settings,
            promote=promote,
        )
    if published.tidied:
        say(f"cleaned up after a training that ended early: {published.tidied}")
    return TrainingResult(
        as_of=portfolio.as_of,
        judgements=judgements,
        decisions=published.decisions,
        versions=published.versions,
        run_id=published.run_id,
        migration=moved,
    )


def score(portfolio: Opened, *, now: Clock, say: Say) -> ScoringResult:
    """Score every customer with the champions and deliver the rows.

    Args:
        portfolio: The history to score.
        now: The wall clock.
        say: Told what is being done.

    Raises:
        DataError: There is no champion, or its files are not the registered ones.
    """
    settings = portfolio.settings
    champions, judgements = champions_in_force(settings, say)
    scored = _scored(portfolio, champions, now=now, say=say)
    rows = scored.rows
    run = Run(
        run_id=rows["run_id"][0].as_py(),
        as_of=portfolio.as_of,
        model_versions=champions.versions,
        now=now,
    )
    say("delivering")
    receipts = tuple(_delivered(rows, target, settings, run) for target in settings.delivery)
    facts = _facts(portfolio, scored, champions, judgements, now)
    return ScoringResult(as_of=portfolio.as_of, rows=rows, receipts=receipts, facts=facts)


def contributions(portfolio: Opened, customers: Sequence[str] | None, *, say: Say) -> pa.Table:
    """What each feature adds to the churn champion's log-odds, against those who stay.

    Args:
        portfolio: The history.
        customers: Whose; None for everybody's.
        say: Told what is being done.

    Raises:
        DataError: There is no champion, or it has no trees.
    """
    champions, _ = champions_in_force(portfolio.settings, say)
    model = champions.churn
    if model.trees is None:
        raise DataError(
            "the churn champion is the customer-base model, whose score no feature adds to",
            where=f"version {champions.versions['churn']}",
        )
    rows = champions.frozen["churn"].table(portfolio.inputs, portfolio.as_of_day).rows
    if customers is not None:
        rows = rows.filter(pc.is_in(rows["customer_id"], pa.array(customers, pa.string())))
    added = model.contributions(matrix(rows, model.names))
    columns = dict(zip(model.names, added.T, strict=True))
    return pa.table({"customer_id": rows["customer_id"], **columns})


def monitor(portfolio: Opened, *, say: Say) -> Monitoring:
    """Hold today's features and scores against training, and delivered scores against outcomes.

    What is seen is logged as a run of its own.

    Args:
        portfolio: The history, up to today.
        say: Told what is being done.

    Raises:
        DataError: There is no champion, or its files are not the registered ones.
    """
    settings = portfolio.settings
    champions, judgements = champions_in_force(settings, say)
    tables = _tables(portfolio, champions, say)
    found = watching.watched(portfolio, champions, judgements, tables, say=say)
    with registry.opened(settings) as store:
        watching.logged(found, store)
    return found


def report(portfolio: Opened, *, now: Clock, say: Say) -> Path:
    """Write the report page from fresh scores, delivering nothing; gives its path."""
    settings = portfolio.settings
    champions, judgements = champions_in_force(settings, say)
    scored = _scored(portfolio, champions, now=now, say=say)
    say("drawing the report")
    return write_report(_facts(portfolio, scored, champions, judgements, now), settings)


def write_report(facts: Facts, settings: Settings) -> Path:
    """Write the page that the facts make; gives its path."""
    path = settings.resolve(settings.report.path)
    write_page(facts, path)
    return path


def _frozen(portfolio: Opened, table: FeatureTable) -> Frozen:
    day = portfolio.as_of_day
    return Frozen(
        reference=table.references[day],
        activity_days=learning.activity_days(portfolio, [day])[day],
        horizons=portfolio.recipe.horizons,
        features=portfolio.inputs.catalogue.names,
        features_hash=table.hash,
    )


def _scored(portfolio: Opened, champions: Champions, *, now: Clock, say: Say) -> _Scored:
    frozen = champions.frozen["churn"]
    rows = _tables(portfolio, champions, say)
    scores = customer_rows(
        rows["churn"],
        predict(champions, rows, reasons=portfolio.settings.scoring.reasons),
        standing_of(
            rows["churn"],
            activity_days=frozen.activity_days,
            tier_edges=frozen.reference.tier_edges,
        ),
        as_of=portfolio.as_of,
        lineage=Lineage(
            versions=champions.versions,
            features_hash=frozen.features_hash,
            run_id=uuid.uuid4().hex,
            scored_at=now(),
        ),
    )
    return _Scored(scores, rows["churn"])


def _tables(portfolio: Opened, champions: Champions, say: Say) -> dict[str, pa.Table]:
    """Per target, today's features under its champion's frozen portfolio."""
    say(f"scoring as of {portfolio.as_of}")
    tables: dict[bytes, pa.Table] = {}  # champions of one training froze the same portfolio
    for own in champions.frozen.values():
        if own.to_json() not in tables:
            tables[own.to_json()] = own.table(portfolio.inputs, portfolio.as_of_day).rows
    return {target: tables[own.to_json()] for target, own in champions.frozen.items()}


def _delivered(rows: pa.Table, target: Target, settings: Settings, run: Run) -> Receipt:
    if isinstance(target, ParquetTarget | CsvTarget):
        return deliver_file(rows, target, settings=settings, run=run)
    if isinstance(target, SqlTarget):
        return deliver_sql(rows, url=target.url, table=target.table, base=settings.base, run=run)
    raise NotImplementedError(target.kind)


def _facts(
    portfolio: Opened,
    scored: _Scored,
    champions: Champions,
    judged: Mapping[str, dict[str, Any]],
    now: Clock,
) -> Facts:
    settings, value = portfolio.settings, champions.lifetime_value
    return gather(
        scored.rows,
        scored.features,
        name=settings.name,
        currency=portfolio.history.currency,
        as_of=portfolio.as_of,
        churn_days=champions.churn.horizon_days,
        value_days=value.predicted_days,
        learned_value_days=value.horizon_days,
        pace_ahead=value.pace_ahead(portfolio.as_of_day),
        coverage=value.intervals.coverage,
        measure=value.measure,
        history=history_facts(portfolio.history),
        judgements={t: judged[t] for t in PRIMARY if judged[t]["cutoffs"]},
        decisions=None,
        versions=champions.versions,
        tracking=source_of_champions(settings),
        now=now(),
    )
