"""The walk on one page: train, score and what lies on the way, step by step.

Each function opens the engine, walks downstream, and gives a frozen result. Nothing here prints;
`say` is told what is being done. The wall clock comes in as `Clock`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml import delivering, learning, provenance, registry, search, tuning, watching
from portfolio_ml.champions import champions_in_force, segments_in_force, source_of_champions
from portfolio_ml.config import Settings
from portfolio_ml.delivering import Deliveries, Rehearsal
from portfolio_ml.errors import DataError, PortfolioError
from portfolio_ml.features.table import FeatureTable, at
from portfolio_ml.figure_delivery import deliver_figures
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
from portfolio_ml.portfolio.catalogue import demand_known
from portfolio_ml.publish import Training, models_as_files, publish
from portfolio_ml.reckoned import Reckoned, contacts_brought, reckoned, surveyed, with_portfolio
from portfolio_ml.report.champion_facts import champion_facts
from portfolio_ml.report.drift_facts import drift_facts
from portfolio_ml.report.facts import Facts
from portfolio_ml.report.gathered import gather, history_facts, with_figures
from portfolio_ml.report.page import data_beside
from portfolio_ml.report.page import write as write_page
from portfolio_ml.report.purchases import purchases_of
from portfolio_ml.scored import Scored, scored, scored_dates, tables_of
from portfolio_ml.scoring import Champions
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.snapshots import labelled, matrix
from portfolio_ml.steps import told
from portfolio_ml.timeline import to_date, to_day
from portfolio_ml.training import fit_candidates, unlabelled_candidates
from portfolio_ml.tuning import Budget, Tuned
from portfolio_ml.wording import counted

Clock = Callable[[], datetime]

__all__ = [
    "Budget",
    "Deliveries",
    "Opened",
    "Reckoned",
    "Reported",
    "ScoringResult",
    "TrainingResult",
    "Tuned",
    "Validation",
    "backtest",
    "contributions",
    "delivered_figures",
    "features",
    "fill",
    "monitor",
    "opened",
    "portfolio_figures",
    "rehearse_score",
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
        faults: What was wrong at targets that did not take the rows.
    """

    as_of: date
    rows: pa.Table
    receipts: tuple[Receipt, ...]
    facts: Facts
    faults: tuple[PortfolioError, ...] = ()


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report is.

    Attributes:
        page: The HTML file.
        data: The facts beside it, as JSON.
        facts: What the page is made of.
        reckoned: The portfolio's figures behind them.
    """

    page: Path
    data: Path
    facts: Facts
    reckoned: Reckoned


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
    text = f"computing features and outcomes at {counted(len(days), 'date')}, {dates}"
    return tuning.tune(
        labelled(
            portfolio.inputs,
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


def score(
    portfolio: Opened, *, now: Clock, say: Say, customers: Sequence[str] | None = None
) -> ScoringResult:
    """Score customers with the champions and deliver the rows.

    Args:
        portfolio: The history to score.
        now: The wall clock.
        say: Told what is being done.
        customers: Whom to score; None for everybody. A customer's row is the same either way.

    Raises:
        DataError: There is no champion, or its files are not the registered ones; or none of the
            customers bought anything.
    """
    found, champions, judgements = _scored(portfolio, customers, now=now, say=say)
    found, run = delivering.allowed(found, portfolio, champions, now=now)
    some = customers is not None
    done = delivering.deliver(found.rows, portfolio.settings, run, some=some, say=say)
    facts = _facts(portfolio, found, champions, judgements, now)
    return ScoringResult(portfolio.as_of, found.rows, done.receipts, facts, done.faults)


def rehearse_score(
    portfolio: Opened, *, now: Clock, say: Say, customers: Sequence[str] | None = None
) -> tuple[Rehearsal, ...]:
    """What `score` would write, per target; nothing is written.

    Raises:
        DataError: As for `score`.
    """
    found, champions, _ = _scored(portfolio, customers, now=now, say=say)
    found, run = delivering.allowed(found, portfolio, champions, now=now)
    say("rehearsing")
    return delivering.rehearse(found.rows, portfolio.settings, run, some=customers is not None)


def fill(
    portfolio: Opened, first: date, *, now: Clock, say: Say
) -> Iterator[tuple[date, Deliveries]]:
    """Score every date from the first to the portfolio's, and deliver them in that order.

    Dates before the newest delivered one go into the history alone. What one date delivered is
    what the next stays steady by.

    Raises:
        DataError: There is no champion, or its files are not the registered ones.
    """
    settings = portfolio.settings
    champions, _ = champions_in_force(settings, say)
    days = [to_date(day) for day in range(to_day(first), portfolio.as_of_day + 1)]
    progress = told(say, f"scoring and delivering {counted(len(days), 'date')}")
    for found in scored_dates(
        portfolio,
        champions,
        days,
        bands_before=delivering.bands_before(settings),
        now=now,
        progress=progress,
    ):
        if settings.scoring.portfolio:
            found = with_portfolio(found, portfolio, champions)  # noqa: PLW2901 - the same, fuller
        kept, run = delivering.allowed(found, portfolio, champions, now=now)
        yield found.as_of, delivering.deliver(kept.rows, settings, run)


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


def portfolio_figures(
    portfolio: Opened, *, now: Clock, say: Say, names: Collection[str] = (), write: bool = True
) -> tuple[Reckoned, Deliveries]:
    """The portfolio's own figures, and what became of them where the config wants them.

    Without champions, the figures that rest on scores are absent, with that reason.

    Args:
        portfolio: The history.
        now: The wall clock.
        say: Told what is being done.
        names: Which figures; all of them where none is named.
        write: Whether they are delivered.

    Raises:
        ConfigError: There is no figure of a name.
        DataError: A champion cannot be used.
    """
    demand_known(names)
    settings = portfolio.settings
    bands = delivering.bands_before(settings)
    found = reckoned(portfolio, bands_before=bands, names=names, now=now, say=say)
    if not write:
        return found, Deliveries(())
    return found, delivered_figures(found, settings, now=now, say=say)


def delivered_figures(found: Reckoned, settings: Settings, *, now: Clock, say: Say) -> Deliveries:
    """What became of figures that were computed where the config wants them, if it does."""
    if not settings.portfolio.delivery:
        return Deliveries(())
    progress = told(say, "delivering the figures")
    return deliver_figures(found, settings, now=now, progress=progress)


def monitor(portfolio: Opened, *, say: Say) -> Monitoring:
    """Hold today's features and scores against training, and delivered scores against outcomes.

    Customers who were contacted are compared with those who were held out. What is seen is logged
    as a run of its own.

    Args:
        portfolio: The history, up to today.
        say: Told what is being done.

    Raises:
        DataError: There is no champion, or its files are not the registered ones.
    """
    settings = portfolio.settings
    champions, judgements = champions_in_force(settings, say)
    tables = tables_of(portfolio, champions, [portfolio.as_of_day])
    found = watching.watched(portfolio, champions, judgements, tables, say=say)
    found = replace(found, contacts=contacts_brought(portfolio, champions))
    with registry.opened(settings) as store:
        watching.logged(found, store)
    return found


def report(portfolio: Opened, *, now: Clock, say: Say) -> Reported:
    """Write the report page and its facts, from fresh scores and all figures; deliver nothing.

    Args:
        portfolio: The history.
        now: The wall clock.
        say: Told what is being done.

    Raises:
        DataError: There is no champion, or its files are not the registered ones.
        ConfigError: The page's path is none to write to.
    """
    settings = portfolio.settings
    champions, judgements = champions_in_force(settings, say)
    bands = delivering.bands_before(settings)
    seen = surveyed(portfolio, champions, bands_before=bands, now=now, say=say)
    drifts, unknown = watching.drift_today(
        portfolio, champions, partial(tables_of, portfolio, champions, [portfolio.as_of_day])
    )
    say("drawing the report")
    found = seen.scored
    facts = with_figures(
        _facts(portfolio, found, champions, judgements, now),
        seen.reckoned.figures,
        rows=found.rows,
        features=found.features,
        then=seen.then,
        day_then=seen.day_then,
        representatives=seen.representatives,
        purchases=partial(purchases_of, portfolio.inputs, as_of=portfolio.as_of),
        most=settings.report.customers,
        drift=drift_facts(drifts, as_of=portfolio.as_of, unknown=unknown),
        champions=champion_facts(champions),
    )
    page = write_report(facts, settings)
    return Reported(page, data_beside(page), facts, seen.reckoned)


def write_report(facts: Facts, settings: Settings) -> Path:
    """Write the page that the facts make, and the facts beside it; gives the page's path.

    Raises:
        ConfigError: The page's path is none to write to.
        ServiceUnavailableError: Its folder may not be written or is full.
    """
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


def _scored(
    portfolio: Opened, customers: Sequence[str] | None, *, now: Clock, say: Say
) -> tuple[Scored, Champions, Mapping[str, dict[str, Any]]]:
    settings = portfolio.settings
    champions, judgements = champions_in_force(settings, say)
    chosen = portfolio
    if customers is not None:
        chosen = portfolio.only(customers)
        if lacking := len({*customers}) - chosen.inputs.count():
            say(f"{counted(lacking, 'customer')} of the file not in the history")
    bands_before = delivering.bands_before(settings)
    if not settings.scoring.portfolio:
        found = scored(chosen, champions, bands_before=bands_before, now=now, say=say)
        return found, champions, judgements
    found = scored(portfolio, champions, bands_before=bands_before, now=now, say=say)
    say("computing the portfolio's figures")
    found = with_portfolio(found, portfolio, champions)
    return (found if customers is None else found.only(customers)), champions, judgements


def _facts(
    portfolio: Opened,
    scored: Scored,
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
        new_days=settings.lifecycle.new_days,
        history=history_facts(portfolio.history),
        judgements={t: judged[t] for t in PRIMARY if judged[t]["cutoffs"]},
        decisions=None,
        versions=champions.versions,
        tracking=source_of_champions(settings),
        now=now(),
    )
