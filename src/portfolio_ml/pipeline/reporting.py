"""Write the report of a portfolio: fresh scores and all figures on one page."""

from dataclasses import dataclass
from pathlib import Path

from portfolio_ml import delivering
from portfolio_ml.champions import champions_in_force
from portfolio_ml.config import Settings
from portfolio_ml.opening import Opened, Say
from portfolio_ml.pipeline.by_workers import worker_for_figures
from portfolio_ml.pipeline.surveying import survey, survey_by_a_worker
from portfolio_ml.reckoned import Reckoned
from portfolio_ml.report.facts import Facts
from portfolio_ml.report.page import data_beside
from portfolio_ml.report.page import write as write_page
from portfolio_ml.scored import Clock


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
        ConfigError: The page's path is none to write to.
        ServiceUnavailableError: Its folder may not be written or is full, or Spark gave the work
            up.
    """
    settings = portfolio.settings
    champions, judgements = champions_in_force(settings, say)
    if (workers := worker_for_figures(portfolio, say)) is None:
        circumstances = delivering.circumstances(settings, now=now, say=say)
        facts, figures = survey(portfolio, champions, judgements, circumstances)
    else:
        facts, figures = survey_by_a_worker(portfolio, champions, judgements, workers, now=now)
    page = write_report(facts, settings)
    return Reported(page, data_beside(page), facts, figures)


def write_report(facts: Facts, settings: Settings) -> Path:
    """Write the page that the facts make, and the facts beside it; gives the page's path.

    Raises:
        ConfigError: The page's path is none to write to.
        ServiceUnavailableError: Its folder may not be written or is full.
    """
    path = settings.resolve(settings.report.path)
    write_page(facts, path)
    return path
