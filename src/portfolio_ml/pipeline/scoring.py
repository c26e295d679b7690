"""Score a portfolio with the champions in force, and deliver the rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from portfolio_ml import delivering
from portfolio_ml.champions import champions_in_force, source_of_champions
from portfolio_ml.delivering import Deliveries, Rehearsal
from portfolio_ml.engine import SparkEngine, workers_of
from portfolio_ml.errors import DataError, PortfolioError
from portfolio_ml.judgement import PRIMARY
from portfolio_ml.opening import Opened, Say
from portfolio_ml.pipeline.by_workers import (
    carried_for_figures,
    dates_by_workers,
    demand_one_process,
    found_by_workers,
)
from portfolio_ml.reckoned import with_portfolio
from portfolio_ml.report.facts import Facts
from portfolio_ml.report.gathered import gather, history_facts
from portfolio_ml.report.summed import with_sums
from portfolio_ml.scored import Clock, Scored, scored, scored_dates
from portfolio_ml.scored_by_workers import ScoredByWorkers
from portfolio_ml.scoring import Champions
from portfolio_ml.sinks.order import Rows
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.suppression import suppression
from portfolio_ml.snapshots import matrix
from portfolio_ml.steps import told
from portfolio_ml.timeline import to_date, to_day
from portfolio_ml.wording import counted


@dataclass(frozen=True, slots=True)
class ScoringResult:
    """What a scoring did.

    Attributes:
        as_of: The last day of the history it saw.
        customers: How many were scored, without those who were erased.
        receipts: What became of their rows, per target.
        facts: The same, for the report.
        rows: The customer rows; None where Spark's workers scored: nobody holds them all, and
            they are read where they were delivered.
        faults: What was wrong at targets that did not take the rows.
    """

    as_of: date
    customers: int
    receipts: tuple[Receipt, ...]
    facts: Facts
    rows: pa.Table | None = None
    faults: tuple[PortfolioError, ...] = ()


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
    settings, some = portfolio.settings, customers is not None
    champions, judgements = champions_in_force(settings, say)
    workers = workers_of(portfolio.engine)
    if workers is not None:
        parts, run = _found_by_workers(portfolio, champions, customers, workers, now=now, say=say)
        done = delivering.deliver(parts.rows, settings, run, some=some, say=say)
        facts = _facts_of_parts(portfolio, parts, champions, judgements, now)
        count = parts.tally.handed - parts.tally.erased
        return ScoringResult(portfolio.as_of, count, done.receipts, facts, faults=done.faults)
    found = _scored(portfolio, champions, customers, now=now, say=say)
    found, run = delivering.allowed(found, portfolio, champions, now=now)
    done = delivering.deliver(found.rows, settings, run, some=some, say=say)
    facts = facts_of(portfolio, found, champions, judgements, now)
    count = found.rows.num_rows
    return ScoringResult(portfolio.as_of, count, done.receipts, facts, found.rows, done.faults)


def rehearse_score(
    portfolio: Opened, *, now: Clock, say: Say, customers: Sequence[str] | None = None
) -> tuple[Rehearsal, ...]:
    """What `score` would write, per target; nothing is written.

    Raises:
        DataError: As for `score`.
    """
    settings, some = portfolio.settings, customers is not None
    champions, _ = champions_in_force(settings, say)
    workers = workers_of(portfolio.engine)
    rows: Rows
    if workers is not None:
        parts, run = _found_by_workers(portfolio, champions, customers, workers, now=now, say=say)
        rows = parts.rows
    else:
        found = _scored(portfolio, champions, customers, now=now, say=say)
        found, run = delivering.allowed(found, portfolio, champions, now=now)
        rows = found.rows
    say("rehearsing")
    return delivering.rehearse(rows, settings, run, some=some)


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
    workers = workers_of(portfolio.engine)
    if workers is not None:
        for parts, run in dates_by_workers(portfolio, champions, workers, first, now=now, say=say):
            yield run.as_of, delivering.deliver(parts.rows, settings, run)
        return
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
            found = with_portfolio(found, portfolio, champions, erased=suppression(settings))  # noqa: PLW2901 - the same, fuller
        kept, run = delivering.allowed(found, portfolio, champions, now=now)
        yield found.as_of, delivering.deliver(kept.rows, settings, run)


def contributions(portfolio: Opened, customers: Sequence[str] | None, *, say: Say) -> pa.Table:
    """What each feature adds to the churn champion's log-odds, against those who stay.

    Args:
        portfolio: The history.
        customers: Whose; None for everybody's.
        say: Told what is being done.

    Raises:
        ConfigError: Everybody's are asked for on Spark.
        DataError: There is no champion, or it has no trees.
    """
    champions, _ = champions_in_force(portfolio.settings, say)
    model = champions.churn
    if model.trees is None:
        raise DataError(
            "the churn champion is the customer-base model, whose score no feature adds to",
            where=f"version {champions.versions['churn']}",
        )
    if customers is None:
        demand_one_process(portfolio, "contributions of everybody")
    inputs = portfolio.inputs if customers is None else portfolio.inputs.only(customers)
    rows = champions.frozen["churn"].table(inputs, portfolio.as_of_day).rows
    added = model.contributions(matrix(rows, model.names))
    columns = dict(zip(model.names, added.T, strict=True))
    return pa.table({"customer_id": rows["customer_id"], **columns})


def facts_of(
    portfolio: Opened,
    scored: Scored,
    champions: Champions,
    judged: Mapping[str, dict[str, Any]],
    now: Clock,
) -> Facts:
    """What a report says of scores, before the portfolio's own figures.

    Args:
        portfolio: The history.
        scored: Its customers, scored.
        champions: The models that scored them.
        judged: Per target, how its champion was judged.
        now: The wall clock.
    """
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


def _facts_of_parts(
    portfolio: Opened,
    found: ScoredByWorkers,
    champions: Champions,
    judged: Mapping[str, dict[str, Any]],
    now: Clock,
) -> Facts:
    """The same of rows in parts: of those with most to lose, with the sums of all."""
    rows, features = found.tally.few()
    few = Scored(found.as_of, rows, features, found.run_id)
    facts = facts_of(portfolio, few, champions, judged, now)
    return with_sums(facts, found.tally.sections, found.tally.sample)


def _scored(
    portfolio: Opened,
    champions: Champions,
    customers: Sequence[str] | None,
    *,
    now: Clock,
    say: Say,
) -> Scored:
    settings = portfolio.settings
    chosen = _chosen(portfolio, customers, say)
    bands_before = delivering.bands_before(settings)
    if not settings.scoring.portfolio:
        return scored(chosen, champions, bands_before=bands_before, now=now, say=say)
    found = scored(portfolio, champions, bands_before=bands_before, now=now, say=say)
    say("computing the portfolio's figures")
    found = with_portfolio(found, portfolio, champions, erased=suppression(settings))
    return found if customers is None else found.only(customers)


def _found_by_workers(
    portfolio: Opened,
    champions: Champions,
    customers: Sequence[str] | None,
    workers: SparkEngine,
    *,
    now: Clock,
    say: Say,
) -> tuple[ScoredByWorkers, Run]:
    chosen = _chosen(portfolio, customers, say)
    return found_by_workers(
        chosen,
        champions,
        workers,
        everybody=carried_for_figures(portfolio, workers),
        as_of=portfolio.as_of,
        now=now,
        say=say,
    )


def _chosen(portfolio: Opened, customers: Sequence[str] | None, say: Say) -> Opened:
    """The portfolio with the customers that are to be scored."""
    if customers is None:
        return portfolio
    chosen = portfolio.only(customers)
    if lacking := len({*customers}) - chosen.inputs.count():
        say(f"{counted(lacking, 'customer')} of the file not in the history")
    return chosen
