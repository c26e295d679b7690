"""Watch over a portfolio's champions, here or by a worker of Spark's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from portfolio_ml import registry, watching
from portfolio_ml.champions import champions_in_force
from portfolio_ml.engine import Moved, SparkEngine
from portfolio_ml.matured import Past, past_of, ripe_of
from portfolio_ml.monitoring.verdict import Monitoring
from portfolio_ml.opening import Opened, Say
from portfolio_ml.pipeline.by_workers import worker_for_figures
from portfolio_ml.pipeline.surveying import Judgements
from portfolio_ml.reckoned import contacts_brought
from portfolio_ml.reckoned_by_a_worker import Files, carried, files_of
from portfolio_ml.scored import tables_of
from portfolio_ml.scoring import Champions
from portfolio_ml.sinks.delivered import PAST, Delivered
from portfolio_ml.sinks.suppression import Suppression, suppression
from portfolio_ml.steps import unheard


def monitor(portfolio: Opened, *, say: Say) -> Monitoring:
    """Hold today's features and scores against training, and delivered scores against outcomes.

    Customers who were contacted are compared with those who were held out. What is seen is logged
    as a run of its own.

    Args:
        portfolio: The history, up to today.
        say: Told what is being done.

    Raises:
        DataError: There is no champion, or its files are not the registered ones.
        ServiceUnavailableError: Spark gave the work up.
    """
    settings = portfolio.settings
    champions, judgements = champions_in_force(settings, say)
    past, erased = past_of(settings), suppression(settings)
    if (workers := worker_for_figures(portfolio, say)) is None:
        found = _seen(portfolio, champions, judgements, past, erased=erased, say=say)
    else:
        found = _seen_by_a_worker(portfolio, champions, judgements, past, workers, erased=erased)
    with registry.opened(settings) as store:
        watching.logged(found, store)
    return found


def _seen(
    portfolio: Opened,
    champions: Champions,
    judgements: Judgements,
    past: Past,
    *,
    erased: Suppression,
    say: Say,
) -> Monitoring:
    tables = tables_of(portfolio, champions, [portfolio.as_of_day])
    found = watching.watched(portfolio, champions, judgements, tables, past, say=say)
    return replace(found, contacts=contacts_brought(portfolio, champions, erased=erased))


def _seen_by_a_worker(
    portfolio: Opened,
    champions: Champions,
    judgements: Judgements,
    past: Past,
    workers: SparkEngine,
    *,
    erased: Suppression,
) -> Monitoring:
    """The same by a worker, to whom what was delivered is brought a batch at a time."""
    ripe = ripe_of(portfolio, past, watching.horizons_of(champions))
    days = {delivered.as_of for of in ripe for delivered in of.deliveries}
    work = _Watch(
        portfolio=carried(portfolio, workers),
        champions=files_of(champions),
        judgements=judgements,
        deliveries=past.deliveries,
        scores={day: workers.passed(past.batches(day), PAST) for day in sorted(days)},
        erased=erased,
    )
    return Monitoring.from_json(workers.once(work))


@dataclass(frozen=True, slots=True)
class _Watch:
    """What the worker does: what it saw is small, and comes home with the task itself."""

    portfolio: Moved[Opened]
    champions: Files
    judgements: Judgements
    deliveries: tuple[Delivered, ...]
    scores: Mapping[date, Path]
    erased: Suppression

    def __call__(self) -> str:
        """What it saw, as JSON."""
        past = Past(self.deliveries, lambda day: pq.ParquetFile(self.scores[day]).iter_batches())
        with self.portfolio.opened() as portfolio:
            found = _seen(
                portfolio,
                self.champions.read(),
                self.judgements,
                past,
                erased=self.erased,
                say=unheard,
            )
        return found.to_json().decode()
