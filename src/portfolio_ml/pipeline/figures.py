"""Reckon the portfolio's own figures, and watch over its champions."""

from collections.abc import Collection
from dataclasses import replace

from portfolio_ml import delivering
from portfolio_ml.champions import champions_if_any
from portfolio_ml.config import Settings
from portfolio_ml.delivering import Deliveries
from portfolio_ml.figure_delivery import deliver_figures
from portfolio_ml.opening import Opened, Say
from portfolio_ml.pipeline.by_workers import worker_for_figures
from portfolio_ml.portfolio.catalogue import demand_known
from portfolio_ml.reckoned import Reckoned, reckoned
from portfolio_ml.reckoned_by_a_worker import reckoned_by_a_worker
from portfolio_ml.scored import Clock
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
        names: Which figures; all of them where none is named. Where some are, the delivered table
            that lists all figures is left alone.
        write: Whether they are delivered.

    Raises:
        ConfigError: There is no figure of a name.
        DataError: A champion cannot be used.
        ServiceUnavailableError: Spark gave the work up.
    """
    demand_known(names)
    settings = portfolio.settings
    champions = champions_if_any(settings, say)
    if (workers := worker_for_figures(portfolio, say)) is None:
        circumstances = delivering.circumstances(settings, now=now, say=say)
        found = reckoned(portfolio, champions, circumstances, names=names)
    else:
        found = reckoned_by_a_worker(portfolio, champions, workers, names=names, now=now)
    if not write:
        return found, Deliveries(())
    # Some of the figures are not all: the table that lists them stays as it was.
    brought = replace(found, figures=found.figures[:-1]) if names else found
    return found, delivered_figures(brought, settings, now=now, say=say)


def delivered_figures(found: Reckoned, settings: Settings, *, now: Clock, say: Say) -> Deliveries:
    """What became of figures that were computed where the config wants them, if it does."""
    if not settings.portfolio.delivery:
        return Deliveries(())
    progress = told(say, "delivering the figures")
    return deliver_figures(found, settings, now=now, progress=progress)
