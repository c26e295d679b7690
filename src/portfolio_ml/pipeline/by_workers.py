"""Score a portfolio by Spark's workers, where nobody holds all customers."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from portfolio_ml import delivering
from portfolio_ml.engine import Moved, SparkEngine, workers_of
from portfolio_ml.errors import ConfigError
from portfolio_ml.opening import Opened, Say
from portfolio_ml.reckoned_by_a_worker import carried, columns_by_a_worker
from portfolio_ml.scored import Clock
from portfolio_ml.scored_by_workers import ScoredByWorkers, scored_by_workers
from portfolio_ml.scoring import Champions
from portfolio_ml.sinks.past_sql import BANDS
from portfolio_ml.sinks.receipts import Run
from portfolio_ml.sinks.suppression import suppression
from portfolio_ml.timeline import to_date, to_day

BY_A_WORKER = "computing the portfolio's figures on one of Spark's workers"


def demand_one_process(portfolio: Opened, what: str) -> None:
    """Refuse what would hold all customers in this process, where the engine is Spark.

    Raises:
        ConfigError: It is.
    """
    if workers_of(portfolio.engine) is not None:
        raise ConfigError(
            f"{what} would hold all customers in one process, which Spark is there to avoid",
            where="engine.kind",
            saw="spark",
            do="ask for some customers at a time, or run it with engine: {kind: duckdb} and a "
            "temp_directory",
        )


def worker_for_figures(portfolio: Opened, say: Say) -> SparkEngine | None:
    """Spark's workers, of whom one is to reckon, which is said; None where this process does."""
    workers = workers_of(portfolio.engine)
    if workers is not None:
        say(BY_A_WORKER)
    return workers


def carried_for_figures(portfolio: Opened, workers: SparkEngine) -> Moved[Opened] | None:
    """The portfolio as a worker takes it for its figures; None where the rows tell of none."""
    return carried(portfolio, workers) if portfolio.settings.scoring.portfolio else None


def found_by_workers(
    portfolio: Opened,
    champions: Champions,
    workers: SparkEngine,
    *,
    everybody: Moved[Opened] | None,
    as_of: date,
    now: Clock,
    say: Say,
) -> tuple[ScoredByWorkers, Run]:
    """The customers of a date who were not erased, and the run that delivers them.

    Args:
        portfolio: The history of those who are scored.
        champions: The models in force.
        workers: Who scores.
        everybody: The whole history, as `carried_for_figures` gives it.
        as_of: The date.
        now: The wall clock.
        say: Told what is being done.
    """
    settings = portfolio.settings
    bands, erased = (
        workers.passed(delivering.bands_in_batches(settings, as_of), BANDS),
        suppression(settings),
    )
    columns = None
    if everybody is not None:
        say(BY_A_WORKER)
        columns = columns_by_a_worker(
            everybody,
            champions,
            workers,
            as_of=as_of,
            bands_before=bands,
            erased=erased,
            now=now,
        )
        workers.adopt(columns.parent)
    found = scored_by_workers(
        portfolio,
        champions,
        workers,
        as_of=as_of,
        bands_before=bands,
        figures=None if columns is None else workers.written([columns]),
        erased=erased,
        now=now,
        say=say,
    )
    run = Run(
        run_id=found.run_id,
        as_of=as_of,
        model_versions=champions.versions,
        now=now,
        suppressed=found.tally.erased,
        retired=delivering.retired(portfolio),
    )
    return found, run


def dates_by_workers(
    portfolio: Opened,
    champions: Champions,
    workers: SparkEngine,
    first: date,
    *,
    now: Clock,
    say: Say,
) -> Iterator[tuple[ScoredByWorkers, Run]]:
    """The same for every date from the first to the portfolio's on which somebody had bought.

    The rows of one date are there until the next is asked for: a year's would fill the disk.
    """
    everybody = carried_for_figures(portfolio, workers)
    for day in range(to_day(first), portfolio.as_of_day + 1):
        with workers.scope() as briefly:
            inputs = replace(portfolio.inputs, engine=briefly)
            found, run = found_by_workers(
                replace(portfolio, inputs=inputs),
                champions,
                briefly,
                everybody=everybody,
                as_of=to_date(day),
                now=now,
                say=say,
            )
            if found.tally.handed:
                yield found, run
