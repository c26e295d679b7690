"""The targets of deliveries as a delivery would meet them, with no row and nothing kept."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import pyarrow as pa

from portfolio_ml.checkup.check import Check, tried, warning, well
from portfolio_ml.config import (
    FiguresInParquet,
    HubSpotTarget,
    SalesforceTarget,
    Settings,
    SqlTarget,
    Target,
)
from portfolio_ml.databases import redacted, rehearsing
from portfolio_ml.delivering import crm_of, name_of, rehearsed
from portfolio_ml.errors import ConfigError
from portfolio_ml.figure_delivery import sql_tables
from portfolio_ml.schema import CUSTOMER_ROWS, Column, Table
from portfolio_ml.sinks.migration import lacking
from portfolio_ml.sinks.receipts import Run
from portfolio_ml.sinks.rehearsal import look
from portfolio_ml.wording import command, counted

_TRIED = Table("portfolio_checkup", "nothing", (), (Column("one", pa.int64(), "nothing"),))


def delivery(settings: Settings, *, now: datetime) -> Iterator[Check]:
    """Every target: reached, of the right shape, and open to what a delivery does there."""
    for target in settings.delivery:
        check = partial(_target, target, settings, now=now)
        yield from tried("delivery", name_of(target), check)
    if not settings.delivery:
        yield warning("delivery", "targets", "the config names none", do="add one under delivery")


def figures(settings: Settings) -> Iterator[Check]:
    """Where the portfolio's figures go."""
    for target in settings.portfolio.delivery:
        if isinstance(target, FiguresInParquet):
            yield well("figures", str(target.path), "a folder, made where it is missing")
    by_url: dict[str, tuple[str, ...]] = {}
    for table, contract in sql_tables(settings):
        url = redacted(table.url)
        missing = lacking(table, base=settings.base, contract=contract)
        by_url[url] = (*by_url.get(url, ()), *missing)
    for url, missing in by_url.items():
        if missing:
            raise _old(missing, settings, where=url)
        yield well("figures", url, "reached, and its tables have this version's shape")


def state(settings: Settings) -> Iterator[Check]:
    """The state database: whether a transaction may write there."""
    with rehearsing(settings.state.url, base=settings.base) as database:
        database.create(_TRIED)
    yield well("state", redacted(settings.state.url), "may be written")


def _target(target: Target, settings: Settings, *, now: datetime) -> Iterator[Check]:
    if isinstance(target, SqlTarget) and (missing := lacking(target, base=settings.base)):
        raise _old(missing, settings, where=redacted(target.url))
    run = Run(run_id=uuid.uuid4().hex, as_of=now.date(), model_versions={}, now=lambda: now)
    rehearsed(CUSTOMER_ROWS.arrow.empty_table(), target, settings, run)
    if isinstance(target, HubSpotTarget | SalesforceTarget):
        look(crm_of(target, settings), now=lambda: now)
        yield well("delivery", name_of(target), "answers, and knows the object and its key")
    else:
        yield well("delivery", name_of(target), "reached, and open to a delivery")


def _old(missing: tuple[str, ...], settings: Settings, *, where: str) -> ConfigError:
    return ConfigError(
        f"tables of an earlier version lack {counted(len(missing), 'column')}",
        where=where,
        saw=", ".join(missing[:3]) + (" and more" if len(missing) > 3 else "") + " missing",
        do=f"bring them up to date: {command('migrate', settings.file or 'CONFIG')}",
    )
