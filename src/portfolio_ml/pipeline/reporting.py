"""Write the report of a portfolio: fresh scores and all figures on one page."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from portfolio_ml import delivering, watching
from portfolio_ml.champions import champions_in_force
from portfolio_ml.config import Settings
from portfolio_ml.opening import Opened, Say
from portfolio_ml.pipeline.by_workers import demand_one_process
from portfolio_ml.pipeline.scoring import facts_of
from portfolio_ml.reckoned import Reckoned, surveyed
from portfolio_ml.report.champion_facts import champion_facts
from portfolio_ml.report.drift_facts import drift_facts
from portfolio_ml.report.facts import Facts
from portfolio_ml.report.gathered import with_figures
from portfolio_ml.report.page import data_beside
from portfolio_ml.report.page import write as write_page
from portfolio_ml.report.purchases import purchases_of
from portfolio_ml.scored import Clock, tables_of
from portfolio_ml.sinks.suppression import suppression


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


def report(portfolio: Opened, *, now: Clock, say: Say) -> Reported:
    """Write the report page and its facts, from fresh scores and all figures; deliver nothing.

    Args:
        portfolio: The history.
        now: The wall clock.
        say: Told what is being done.

    Raises:
        DataError: There is no champion, or its files are not the registered ones.
        ConfigError: The page's path is none to write to, or the engine is Spark.
    """
    demand_one_process(portfolio, "report")
    settings = portfolio.settings
    champions, judgements = champions_in_force(settings, say)
    bands = delivering.bands_before(settings)
    seen = surveyed(
        portfolio,
        champions,
        bands_before=bands,
        erased=suppression(settings),
        now=now,
        say=say,
    )
    drifts, unknown = watching.drift_today(
        portfolio, champions, partial(tables_of, portfolio, champions, [portfolio.as_of_day])
    )
    say("drawing the report")
    found = seen.scored
    facts = with_figures(
        facts_of(portfolio, found, champions, judgements, now),
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
