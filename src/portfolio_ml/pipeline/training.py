"""Learn from a history: features, backtest, tuning, training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from portfolio_ml import every_row, learning, provenance, registry, search, tuning, watching
from portfolio_ml.champions import segments_in_force
from portfolio_ml.features.table import FeatureTable, at
from portfolio_ml.frozen import Frozen
from portfolio_ml.gate import Decision
from portfolio_ml.incumbent import gains_over_champions
from portfolio_ml.judgement import Judgement, Supervised
from portfolio_ml.models.seasonality import seasonality_of
from portfolio_ml.models.segment_fitting import fit_segments
from portfolio_ml.models.segment_identity import Migration, migration
from portfolio_ml.monitoring.profile import with_profiles
from portfolio_ml.opening import Opened, Say
from portfolio_ml.publish import Training, models_as_files, publish
from portfolio_ml.snapshots import labelled, matrix
from portfolio_ml.steps import told
from portfolio_ml.timeline import to_date
from portfolio_ml.training import Candidates, fit_candidates, unlabelled_candidates
from portfolio_ml.tuning import Budget, Tuned
from portfolio_ml.wording import counted


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


def features(portfolio: Opened, *, say: Say) -> FeatureTable:
    """The feature table at the as-of date."""
    say(f"computing features as of {portfolio.as_of}")
    return at(portfolio.inputs, [portfolio.as_of_day], horizons=portfolio.recipe.horizons)


def backtest(portfolio: Opened, *, say: Say) -> dict[Supervised, Judgement]:
    """How the recipe would have done at rolling cutoffs, against baselines."""
    judgements, *_ = learning.judged(learning.judgeable(portfolio, say), say)
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
    text = f"computing features and outcomes at {counted(len(days), 'date')}, {dates}"
    return tuning.tune(
        labelled(
            learning.drawn_for(portfolio, days, say).inputs,
            days,
            horizons=recipe.horizons,
            measure=recipe.measure,
            progress=told(say, text),
        ),
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
    every_row.demand_workers(portfolio)
    portfolio = learning.judgeable(portfolio, say)
    settings, recipe = portfolio.settings, portfolio.recipe
    learned = learning.learned(portfolio, say)
    judgements = learned.judgements
    say("fitting the final models")
    today = learning.today(portfolio, learned)
    table = features(replace(portfolio, inputs=today.inputs), say=say)
    frozen = _frozen(portfolio, table)
    names = portfolio.inputs.catalogue.model_inputs
    inputs = matrix(table.rows, names)
    candidates, notes = _candidates(portfolio, learned, frozen, inputs, say=say)
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
        judgements,
        candidates,
        segments,
        frozen,
        table.rows,
        extended_days=recipe.extended_days,
        weight=today.weight,
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
                params=provenance.parameters(portfolio, learned.sample),
                tags=provenance.tags(portfolio),
                dataset=provenance.dataset(portfolio),
                documents=provenance.documents(settings),
                unjudged=learned.unjudged,
                notes={**notes, "segments": [today.note]} if today.note else notes,
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


def _candidates(
    portfolio: Opened,
    learned: learning.Learned,
    frozen: Frozen,
    inputs: NDArray[np.float32],
    *,
    say: Say,
) -> tuple[Candidates, Mapping[str, Sequence[str]]]:
    """Every candidate, and per target what to know of it."""
    recipe = portfolio.recipe
    if learned.snapshots is None:
        names = portfolio.inputs.catalogue.model_inputs
        return unlabelled_candidates(inputs, names, recipe), learned.notes
    with every_row.grower(portfolio, learned, say=say) as grower:
        candidates = fit_candidates(
            learned.snapshots,
            recipe,
            tier_edges=frozen.reference.tier_edges,
            seasonality=seasonality_of(learned.season, frozen.reference.purchase_model),
            grow=None if grower is None else grower.grow,
        )
    return candidates, every_row.with_note(learned.notes, grower, max_rows=recipe.max_rows)


def _frozen(portfolio: Opened, table: FeatureTable) -> Frozen:
    day = portfolio.as_of_day
    return Frozen(
        reference=table.references[day],
        activity_days=learning.activity_days(portfolio, [day])[day],
        horizons=portfolio.recipe.horizons,
        features=portfolio.inputs.catalogue.names,
        features_hash=table.hash,
    )
