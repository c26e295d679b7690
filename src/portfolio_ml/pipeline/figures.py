"""Reckon the portfolio's own figures, and watch over its champions."""

from collections.abc import Collection
from dataclasses import replace

from portfolio_ml import delivering, registry, watching
from portfolio_ml.champions import champions_if_any, champions_in_force
from portfolio_ml.config import Settings
from portfolio_ml.delivering import Deliveries
from portfolio_ml.engine import workers_of
from portfolio_ml.figure_delivery import deliver_figures
from portfolio_ml.monitoring.verdict import Monitoring
from portfolio_ml.opening import Opened, Say
from portfolio_ml.pipeline.by_workers import BY_A_WORKER, demand_one_process
from portfolio_ml.portfolio.catalogue import demand_known
from portfolio_ml.reckoned import Reckoned, contacts_brought, reckoned
from portfolio_ml.reckoned_by_a_worker import reckoned_by_a_worker
from portfolio_ml.scored import Clock, tables_of
from portfolio_ml.sinks.suppression import suppression
from portfolio_ml.steps import told


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
        ServiceUnavailableError: Spark gave the work up.
    """
    demand_known(names)
    settings = portfolio.settings
    champions = champions_if_any(settings, say)
    workers = workers_of(portfolio.engine)
    if workers is None:
        found = reckoned(
            portfolio,
            champions,
            bands_before=delivering.bands_before(settings),
            erased=suppression(settings),
            names=names,
            now=now,
            say=say,
        )
    else:
        say(BY_A_WORKER)
        found = reckoned_by_a_worker(portfolio, champions, workers, names=names, now=now)
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
        ConfigError: The engine is Spark.
        DataError: There is no champion, or its files are not the registered ones.
    """
    demand_one_process(portfolio, "monitor")
    settings = portfolio.settings
    champions, judgements = champions_in_force(settings, say)
    tables = tables_of(portfolio, champions, [portfolio.as_of_day])
    found = watching.watched(portfolio, champions, judgements, tables, say=say)
    found = replace(
        found, contacts=contacts_brought(portfolio, champions, erased=suppression(settings))
    )
    with registry.opened(settings) as store:
        watching.logged(found, store)
    return found
