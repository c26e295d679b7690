"""The facts of a report and the figures behind them, gathered here or by a worker of Spark's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from portfolio_ml import watching
from portfolio_ml.champions import source_of_champions
from portfolio_ml.circumstances import Circumstances
from portfolio_ml.engine import SparkEngine
from portfolio_ml.opening import Opened
from portfolio_ml.pipeline.scoring import facts_of
from portfolio_ml.reckoned import Reckoned, compared_with, surveyed
from portfolio_ml.reckoned_by_a_worker import (
    Files,
    Luggage,
    files_of,
    found_in,
    luggage,
    write_figures,
)
from portfolio_ml.report.champion_facts import champion_facts
from portfolio_ml.report.drift_facts import drift_facts
from portfolio_ml.report.facts import Facts
from portfolio_ml.report.gathered import history_facts, with_figures
from portfolio_ml.report.purchases import purchases_of
from portfolio_ml.scored import Clock, tables_of
from portfolio_ml.scoring import Champions

Judgements = Mapping[str, dict[str, Any]]
_FACTS = "facts.json"


def survey(
    portfolio: Opened,
    champions: Champions,
    judgements: Judgements,
    circumstances: Circumstances,
) -> tuple[Facts, Reckoned]:
    """What a report says, from fresh scores and all figures; and those figures.

    Args:
        portfolio: The history.
        champions: The models in force.
        judgements: Per target, how its champion was judged.
        circumstances: What else it goes by.

    Raises:
        DataError: Nobody had bought by the date.
    """
    seen = surveyed(portfolio, champions, circumstances)
    drifts, unknown = watching.drift_today(
        portfolio, champions, partial(tables_of, portfolio, champions, [portfolio.as_of_day])
    )
    circumstances.say("drawing the report")
    found = seen.scored
    facts = with_figures(
        facts_of(portfolio, found, champions, judgements, circumstances.now),
        seen.reckoned.figures,
        rows=found.rows,
        features=found.features,
        then=seen.then,
        day_then=seen.day_then,
        representatives=seen.representatives,
        purchases=partial(purchases_of, portfolio.inputs, as_of=portfolio.as_of),
        most=portfolio.settings.report.customers,
        drift=drift_facts(drifts, as_of=portfolio.as_of, unknown=unknown),
        champions=champion_facts(champions),
    )
    return facts, seen.reckoned


def survey_by_a_worker(
    portfolio: Opened,
    champions: Champions,
    judgements: Judgements,
    workers: SparkEngine,
    *,
    now: Clock,
) -> tuple[Facts, Reckoned]:
    """The same by a worker, who leaves the figures in files.

    Args:
        portfolio: The history.
        champions: The models in force.
        judgements: Per target, how its champion was judged.
        workers: Of whom one gathers.
        now: The wall clock.

    Raises:
        DataError: Nobody had bought by the date.
        ServiceUnavailableError: Spark gave the work up, as where the memory did not do.
    """
    settings = portfolio.settings
    days = [compared_with(portfolio), portfolio.as_of]
    work = _Survey(
        luggage=luggage(portfolio, days, workers, now=now),
        champions=files_of(champions),
        judgements=judgements,
        is_delivered=bool(settings.portfolio.delivery),
    )
    folder = Path(workers.once(work))
    facts = Facts.from_json((folder / _FACTS).read_bytes())
    # A worker knows neither what was refused nor where the champions were found.
    here = replace(
        facts,
        history=history_facts(portfolio.history),
        lineage=replace(facts.lineage, tracking=source_of_champions(settings)),
    )
    return here, found_in(folder, workers)


@dataclass(frozen=True, slots=True)
class _Survey:
    """What the worker does, into a folder."""

    luggage: Luggage
    champions: Files
    judgements: Judgements
    is_delivered: bool

    def __call__(self) -> str:
        """The folder."""
        champions = self.champions.read()
        with self.luggage.opened() as (portfolio, circumstances):
            facts, figures = survey(portfolio, champions, self.judgements, circumstances)
        folder = self.luggage.new_folder()
        write_figures(figures, folder, is_delivered=self.is_delivered)
        (folder / _FACTS).write_bytes(facts.to_json())
        return str(folder)
