"""A portfolio's data as a run would read them: nothing is written, the quarantine neither."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from portfolio_ml import engine as engines
from portfolio_ml.backtesting import evaluation_days, is_enough_unjudged, judgeable
from portfolio_ml.checkup.check import Check, fault, tried, warning, well
from portfolio_ml.config import Settings
from portfolio_ml.datasets import DATASETS
from portfolio_ml.engine import Reader
from portfolio_ml.errors import HistoryTooShortError, PortfolioError
from portfolio_ml.freshness import chosen_as_of
from portfolio_ml.schema import (
    CONTACTS,
    CUSTOMERS,
    INTERACTIONS,
    OPPORTUNITIES,
    POINTS,
    PROSPECTS,
    VALUATIONS,
)
from portfolio_ml.steps import Say
from portfolio_ml.tables import Tables, beside, load_all, unlisted_customers
from portfolio_ml.timeline import Span, to_date, to_day
from portfolio_ml.training import Recipe
from portfolio_ml.wording import counted

BESIDE = (CUSTOMERS, INTERACTIONS, CONTACTS, OPPORTUNITIES, POINTS, PROSPECTS, VALUATIONS)

OLD_DAYS = 31
"""Without data.max_staleness_days, a last line that is older than this is told."""
NEAR = 0.5
"""Which share of the rows that may be refused is told."""


def data(settings: Settings, *, today: date, say: Say) -> Iterator[Check]:
    """The engine, then every table: readable, how much is refused, how fresh, long enough."""
    with engines.reading(settings.engine) as reader:
        yield from tried("engine", settings.engine.kind, lambda: _engine(settings, reader))
        try:
            tables = load_all(_alone(settings), reader, today=today, say=say)
        except PortfolioError as error:
            yield fault("data", "transactions", error)
            return
        for of, load in beside(settings, reader, today=today):
            if getattr(settings.data, of.name) is not None:
                say(f"loading and validating {of.name}")
                try:
                    rows: dict[str, Any] = {of.name: load()}
                    tables = replace(tables, **rows)
                except PortfolioError as error:
                    yield fault("data", of.name, error)
        for name, table in {"transactions": tables.history, **tables.others}.items():
            yield _refused(settings, name, table.kept, table.quarantined)
        yield from tried("data", "freshness", lambda: _fresh(settings, tables, today=today))
        yield from tried("data", "customers", lambda: _unlisted(tables, reader))
        yield from tried(
            "data", "history", lambda: _long_enough(settings, tables, reader, today=today)
        )


def _alone(settings: Settings) -> Settings:
    """The settings without the tables beside the transactions, but the merges."""
    others = dict.fromkeys(of.name for of in BESIDE)
    return settings.model_copy(update={"data": settings.data.model_copy(update=others)})


def _engine(settings: Settings, reader: Reader) -> Iterator[Check]:
    with engines.computing(settings.engine, reader):
        yield well("engine", settings.engine.kind, "starts")


def _refused(settings: Settings, name: str, kept: int, refused: int) -> Check:
    read, most = kept + refused, settings.data.max_quarantined_share
    if not refused:
        return well("data", name, f"{counted(kept, 'row')}, none refused")
    saw = f"{kept:,} of {counted(read, 'row')} kept, {refused / read:.1%} refused"
    if refused / read <= NEAR * most:
        return well("data", name, saw)
    return warning(
        "data", name, f"{saw}, where {most:.1%} may be", do="look at them: portfolio-ml validate"
    )


def _fresh(settings: Settings, tables: Tables, *, today: date) -> Iterator[Check]:
    most = settings.data.max_staleness_days
    last = chosen_as_of(tables.history, today=today, given=None, max_staleness_days=most)
    age = (today - last).days
    saw = f"the last complete day is {last}, {counted(age, 'day')} ago"
    if most is None and age > OLD_DAYS and settings.data.transactions.source not in DATASETS:
        do = "load newer data; with data.max_staleness_days, runs refuse a stale load"
        yield warning("data", "freshness", saw, do=do)
    else:
        yield well("data", "freshness", saw)


def _unlisted(tables: Tables, reader: Reader) -> Iterator[Check]:
    if missing := unlisted_customers(tables, reader):
        saw = f"{counted(missing, 'customer')} with transactions missing from the table"
        yield warning("data", "customers", saw, do="export the table anew, or mend its ids")


def _long_enough(
    settings: Settings, tables: Tables, reader: Reader, *, today: date
) -> Iterator[Check]:
    history = tables.history
    last = chosen_as_of(history, today=today, given=None, max_staleness_days=None)
    span, wanted = Span(history.known_from(reader), to_day(last)), settings.backtest.cutoffs
    recipe = judgeable(span, Recipe.of(settings), wanted)
    try:
        found = len(evaluation_days(span, recipe, wanted))
    except HistoryTooShortError as error:
        if not is_enough_unjudged(span, recipe):
            yield fault("data", "history", error)
            return
        saw = f"{error.what}, so models are trained that nothing judges"
        yield warning("data", "history", saw, do=error.do)
        return
    saw = f"{to_date(span.first_day)} to {last}: {counted(found, 'backtest cutoff')}"
    if found < wanted:
        do = "wait for more history, or set shorter horizons"
        yield warning("data", "history", f"{saw}, where {wanted} are asked for", do=do)
    else:
        yield well("data", "history", saw)
