"""The facts of a report and the figures behind them, gathered here or by a worker of Spark's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from portfolio_ml import watching
from portfolio_ml.champions import source_of_champions
from portfolio_ml.engine import Moved, SparkEngine
from portfolio_ml.opening import Opened, Say
from portfolio_ml.pipeline.scoring import facts_of
from portfolio_ml.reckoned import Reckoned, compared_with, surveyed
from portfolio_ml.reckoned_by_a_worker import (
    Bands,
    Files,
    bands_in_files,
    carried,
    files_of,
    found_in,
    new_folder,
    write_figures,
)
from portfolio_ml.report.champion_facts import champion_facts
from portfolio_ml.report.drift_facts import drift_facts
from portfolio_ml.report.facts import Facts
from portfolio_ml.report.gathered import history_facts, with_figures
from portfolio_ml.report.purchases import purchases_of
from portfolio_ml.scored import BandsBefore, Clock, tables_of
from portfolio_ml.scoring import Champions
from portfolio_ml.sinks.suppression import Suppression, suppression
from portfolio_ml.steps import unheard

Judgements = Mapping[str, dict[str, Any]]
_FACTS = "facts.json"


def survey(
    portfolio: Opened,
    champions: Champions,
    judgements: Judgements,
    *,
    bands_before: BandsBefore,
    erased: Suppression,
    now: Clock,
    say: Say,
) -> tuple[Facts, Reckoned]:
    """What a report says, from fresh scores and all figures; and those figures.

    Args:
        portfolio: The history.
        champions: The models in force.
        judgements: Per target, how its champion was judged.
        bands_before: What was delivered before.
        erased: Who was erased.
        now: The wall clock.
        say: Told what is being done.

    Raises:
        DataError: Nobody had bought by the date.
    """
    seen = surveyed(
        portfolio, champions, bands_before=bands_before, erased=erased, now=now, say=say
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
        portfolio=carried(portfolio, workers),
        champions=files_of(champions),
        judgements=judgements,
        bands=bands_in_files(settings, days, workers),
        erased=suppression(settings),
        at=now(),
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
    """What the worker does, in a folder that is this attempt's alone."""

    portfolio: Moved[Opened]
    champions: Files
    judgements: Judgements
    bands: Bands
    erased: Suppression
    at: datetime
    is_delivered: bool

    def __call__(self) -> str:
        """The folder."""
        with self.portfolio.opened() as portfolio:
            facts, figures = survey(
                portfolio,
                self.champions.read(),
                self.judgements,
                bands_before=lambda day: pq.read_table(self.bands[day]),
                erased=self.erased,
                now=lambda: self.at,
                say=unheard,
            )
        folder = new_folder(self.portfolio.folder)
        write_figures(figures, folder, is_delivered=self.is_delivered)
        (folder / _FACTS).write_bytes(facts.to_json())
        return str(folder)
