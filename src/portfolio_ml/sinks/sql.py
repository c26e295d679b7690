"""Delivery into a SQL database: current rows, their history and the receipt, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from portfolio_ml.databases import Writer, redacted, rehearsing, writing
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import CUSTOMER_ROWS, Table
from portfolio_ml.sinks.receipts import REJECTS, RUNS, SCHEMA_VERSION, WATERMARKS, Receipt, Run
from portfolio_ml.sinks.rows import Delivery, prepare
from portfolio_ml.sinks.tables import create_or_check
from portfolio_ml.sinks.upsert import STAGING, Upsert

_OWN = {RUNS.name, REJECTS.name, WATERMARKS.name, STAGING}


def deliver_sql(
    rows: pa.Table, *, url: str, table: str, base: Path, run: Run, contract: Table = CUSTOMER_ROWS
) -> Receipt:
    """Upsert the rows into `table` and add what changed to `TABLE_history`; gives the receipt.

    All or nothing, the receipt in `portfolio_runs` and rejected rows in `portfolio_rejects`
    included. Where the table already has a newer as-of date, only the history takes the rows.
    Missing tables are created; those that are there must have the contract's columns.

    Args:
        rows: Rows of the contract, all of the run's as-of date.
        url: The database, as `sqlite:///FILE`.
        table: The name of the table there.
        base: The folder that a relative file is relative to.
        run: The scoring run.
        contract: The table that the rows follow.

    Raises:
        ConfigError: The URL or the table's name is wrong, or the tables there have other columns.
        DataError: A rule of the CRM's own, such as a trigger, refuses a row.
        ServiceUnavailableError: The database cannot be opened or written, or the disk is full.
        TryAgainLaterError: It is locked.
    """
    order = _order(rows, contract, url=url, table=table, run=run)
    with writing(url, base=base) as database:
        return _carry_out(order, database)


def rehearse_sql(
    rows: pa.Table, *, url: str, table: str, base: Path, run: Run, contract: Table = CUSTOMER_ROWS
) -> Receipt:
    """The receipt that `deliver_sql` would give; the database stays as it is."""
    order = _order(rows, contract, url=url, table=table, run=run)
    with rehearsing(url, base=base) as database:
        return _carry_out(order, database)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be delivered, and where to."""

    delivery: Delivery
    current: Table
    history: Table
    target: str
    run: Run
    started_at: datetime


def _order(rows: pa.Table, contract: Table, *, url: str, table: str, run: Run) -> _Order:
    lower = table.casefold()
    if not table or "\0" in table or lower in _OWN or lower.startswith("sqlite_"):
        raise ConfigError(
            "the table cannot have this name",
            where=redacted(url),
            saw=repr(table),
            do="choose another, such as customer_scores",
        )
    started_at = run.now()
    return _Order(
        delivery=prepare(rows, contract, as_of=run.as_of),
        current=replace(contract, name=table),
        history=replace(contract, name=f"{table}_history", key=(*contract.key, "as_of")),
        target=redacted(url),
        run=run,
        started_at=started_at,
    )


def _carry_out(order: _Order, database: Writer) -> Receipt:
    _open_tables(order, database)
    newest = _newest_as_of(order, database)
    upsert = Upsert(order.current, order.history, database)
    upsert.stage(order.delivery.rows)
    late = newest is not None and order.run.as_of < newest
    if newest is not None and late:
        upsert.repeat_on(_next_as_of(order, database, newest=newest))
        sent = upsert.add_to_history()
    else:
        sent = upsert.update_current()
        upsert.add_to_history()
        _mark(order, database)
    return _sign(order, database, sent=sent, late=late)


def _open_tables(order: _Order, database: Writer) -> None:
    create_or_check((WATERMARKS,), database, where=order.target)
    others = database.ask(
        "SELECT table_name, schema_version FROM portfolio_tables WHERE schema_version <> ?",
        SCHEMA_VERSION,
    )
    for table, version in others:
        raise ConfigError(
            f"table {table!r} was written by another version of portfolio-ml",
            where=order.target,
            saw=f"version {version} of its tables, where this one writes {SCHEMA_VERSION}",
            do="use the version that wrote it, or another database",
        )
    create_or_check((order.current, order.history, RUNS, REJECTS), database, where=order.target)


def _newest_as_of(order: _Order, database: Writer) -> date | None:
    """The newest as-of date delivered to the current table; None before the first delivery."""
    name = order.current.name
    marks = database.ask("SELECT newest_as_of FROM portfolio_tables WHERE table_name = ?", name)
    if not marks:  # the first delivery, or somebody removed the mark: the rows know more
        marks = database.ask(f"SELECT MAX(as_of) FROM {database.quote(name)}")  # noqa: S608 - quoted
    return date.fromisoformat(marks[0][0]) if marks[0][0] else None


def _next_as_of(order: _Order, database: Writer, *, newest: date) -> date:
    """The first as-of date delivered after the one at hand."""
    found = database.ask(
        "SELECT MIN(as_of) FROM portfolio_runs WHERE table_name = ? AND as_of > ?",
        order.current.name,
        order.run.as_of,
    )
    return date.fromisoformat(found[0][0]) if found[0][0] else newest


def _mark(order: _Order, database: Writer) -> None:
    """Note how far the current table has come."""
    name = order.current.name
    mark = {
        "table_name": name,
        "schema_version": SCHEMA_VERSION,
        "newest_as_of": order.run.as_of,
    }
    rows = pa.Table.from_pylist([mark], schema=WATERMARKS.arrow)
    _put(rows, WATERMARKS, database, where={"table_name": name})


def _sign(order: _Order, database: Writer, *, sent: int, late: bool) -> Receipt:
    """Leave the rejected rows and the receipt."""
    delivery, run, table = order.delivery, order.run, order.current.name
    count, rejected = delivery.rows.num_rows, len(delivery.rejects)
    same = {"run_id": run.run_id, "table_name": table, "as_of": run.as_of}
    _put(delivery.rejected_rows(run=run, table=table), REJECTS, database, where=same)
    receipt = Receipt(
        run_id=run.run_id,
        target=order.target,
        table=table,
        as_of=run.as_of,
        mode="upsert",
        rows=count + rejected,
        sent=sent,
        unchanged=count - sent,
        rejected=rejected,
        unknown=0,
        digest=delivery.digest,
        status="history_only" if late else "delivered",
        started_at=order.started_at,
        finished_at=run.now(),
        model_versions=run.model_versions,
    )
    _put(receipt.as_table(), RUNS, database, where=same)
    return receipt


def _put(rows: pa.Table, table: Table, database: Writer, *, where: Mapping[str, object]) -> None:
    """Replace the table's rows that have these values."""
    matches = " AND ".join(f"{database.quote(name)} = ?" for name in where)
    database.run(f"DELETE FROM {database.quote(table.name)} WHERE {matches}", *where.values())  # noqa: S608 - quoted and bound
    database.load(table.name, rows)
