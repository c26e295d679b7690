"""Delivery into a SQL database: rows, their history and the receipt, in one transaction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from portfolio_ml.config import SqlTarget
from portfolio_ml.databases import (
    Writer,
    has_schemas,
    redacted,
    rehearsing,
    takes_many_writers,
    there_are,
    writing,
)
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import CUSTOMER_ROWS, Table
from portfolio_ml.sinks.accepted import Accepted, Write, accepted
from portfolio_ml.sinks.brought import brought
from portfolio_ml.sinks.crm_table import CrmTable
from portfolio_ml.sinks.differences import Change, in_crm_table, in_own_table
from portfolio_ml.sinks.ledger import OWN, Ledger, Settled, as_date, ledger_names
from portfolio_ml.sinks.parts import Parts
from portfolio_ml.sinks.receipts import Mode, Receipt, Run
from portfolio_ml.sinks.rows import Delivery, Reject, prepare
from portfolio_ml.sinks.staging import number, stage, unstage
from portfolio_ml.sinks.tables import create_or_check, demand_name
from portfolio_ml.sinks.upsert import Upsert

Rows: TypeAlias = "pa.Table | Parts"
"""The rows of a delivery, in this process or in parts."""


def deliver_sql(
    rows: Rows,
    *,
    url: str,
    table: str,
    base: Path,
    run: Run,
    contract: Table = CUSTOMER_ROWS,
    whole: bool = False,
) -> Receipt:
    """Upsert the rows into a table of the package's own, and what changed into `TABLE_history`.

    All or nothing, the receipt in `portfolio_runs` and rejected rows in `portfolio_rejects`
    included: rows that break a rule of the contract or of the database, which stop no other.
    Where the table already has a newer as-of date, only the history takes the rows. Missing tables
    are created; those that are there must have the contract's columns.

    Args:
        rows: Rows of the contract, all of the run's as-of date; those in parts are brought by
            workers where the database takes many writers.
        url: The database, as `sqlite:///FILE`, or as `postgresql://USER:PASSWORD@HOST/NAME` or
            `mariadb://` alike.
        table: The name of the table there; on a server it may name its schema.
        base: The folder that a relative file is relative to.
        run: The scoring run.
        contract: The table that the rows follow.
        whole: Whether the rows are all that there are: a key that is not among them leaves the
            table, while its history keeps what it was.

    Raises:
        ConfigError: The URL or the table's name is wrong, or the tables there have other columns.
        ServiceUnavailableError: The database cannot be opened or written, or the disk is full.
        TryAgainLaterError: It is locked.
    """
    order = replace(_order(rows, contract, url=url, table=table, run=run), whole=whole)
    with _brought(order, url, base) as order, writing(url, base=base) as database:
        return _into_own_table(order, database)


def rehearse_sql(
    rows: Rows, *, url: str, table: str, base: Path, run: Run, contract: Table = CUSTOMER_ROWS
) -> Receipt:
    """The receipt that `deliver_sql` would give; the database stays as it is."""
    order = _order(rows, contract, url=url, table=table, run=run)
    with rehearsing(url, base=base) as database:
        return _into_own_table(order, database)


def deliver_to_target(rows: Rows, target: SqlTarget, *, base: Path, run: Run) -> Receipt:
    """Deliver to a SQL target of the config, be its table the package's own or the CRM's.

    Into the CRM's own table go the figures that the config maps, where they differ at the precision
    that the table's columns have, and only into rows that are there (`mode: update`), or into new
    ones too (`mode: upsert`). The history stands beside it, as `portfolio_TABLE_history`.

    Raises:
        ConfigError: As for `deliver_sql`; or the CRM's table or one of its columns is missing,
            cannot hold what goes into it, or its key is not unique.
        ServiceUnavailableError: As for `deliver_sql`.
        TryAgainLaterError: As for `deliver_sql`.
    """
    order = _order_of(rows, target, run)
    with _brought(order, target.url, base) as order, writing(target.url, base=base) as database:
        return _carry_out(order, target, database)


def rejected(target: SqlTarget, *, base: Path) -> tuple[tuple[date, str], ...]:
    """The rows that the target rejected and that no later delivery settled, as date and JSON.

    Raises:
        ServiceUnavailableError: The database cannot be used.
        TryAgainLaterError: It is locked.
    """
    names = ledger_names(target.table, has_schemas=has_schemas(target.url))
    if not there_are(target.url, names, base=base):
        return ()
    with writing(target.url, base=base) as database:
        return tuple(Ledger(target.table, database, where=redacted(target.url)).rejected())


def rehearse(
    rows: Rows, target: SqlTarget, *, base: Path, run: Run, sample: int = 5
) -> tuple[Receipt, tuple[Change, ...]]:
    """The receipt that a delivery would give, and some of what would change; nothing is kept."""
    order = _order_of(rows, target, run)
    changes: list[Change] = []

    def look(database: Writer, first: int, last: int) -> int:
        most = sample - len(changes)
        found = (
            in_crm_table(target, database, most=most, first=first, last=last)
            if target.is_crms_own
            else in_own_table(order.current, database, most=most, first=first, last=last)
        )
        changes.extend(found)
        return len(found)

    with rehearsing(target.url, base=base) as database:
        receipt = _carry_out(order, target, database, look=look)
    return receipt, tuple(changes)


Look = Callable[[Writer, int, int], int]
"""Looks at some staged rows beside those that are there, before anything is written."""


Stage = Callable[[Table, Writer], Accepted]
"""Brings the rows into the staging table."""


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be delivered, and where to."""

    delivery: Delivery | Parts
    stage: Stage
    current: Table
    history: Table
    target: str
    mode: Mode
    run: Run
    started_at: datetime
    whole: bool = False


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of the staged rows."""

    accepted: Accepted
    is_late: bool
    absent: int = 0
    retired: int = 0


def _order_of(rows: Rows, target: SqlTarget, run: Run) -> _Order:
    order = _order(rows, CUSTOMER_ROWS, url=target.url, table=target.table, run=run)
    if not target.is_crms_own:
        return order
    history = replace(order.history, name=history_name(target.table, is_crms_own=True))
    return replace(order, history=history, mode=target.mode or "update")


def history_name(table: str, *, is_crms_own: bool) -> str:
    """What the history of a delivered table is called; beside the CRM's own it says whose it is.

    Example:
        >>> history_name("sales.accounts", is_crms_own=True)
        'sales.portfolio_accounts_history'
    """
    schema, point, name = table.rpartition(".")
    return f"{schema}{point}portfolio_{name}_history" if is_crms_own else f"{table}_history"


def _order(rows: Rows, contract: Table, *, url: str, table: str, run: Run) -> _Order:
    if not _is_possible(table, has_schemas=has_schemas(url)):
        raise ConfigError(
            "the table cannot have this name",
            where=redacted(url),
            saw=repr(table),
            do="choose another, such as customer_scores",
        )
    started_at = run.now()
    delivery = rows if isinstance(rows, Parts) else prepare(rows, contract, as_of=run.as_of)
    return _Order(
        delivery=delivery,
        stage=partial(stage, delivery),
        current=replace(contract, name=table),
        history=replace(contract, name=f"{table}_history", key=(*contract.key, "as_of")),
        target=redacted(url),
        mode="upsert",
        run=run,
        started_at=started_at,
    )


@contextmanager
def _brought(order: _Order, url: str, base: Path) -> Iterator[_Order]:
    """The order, its rows brought by workers where there are any and the database takes many.

    Else they are streamed to it by this process.
    """
    if not isinstance(order.delivery, Parts) or not takes_many_writers(url):
        yield order
        return
    with brought(order.delivery, order.current, url=url, base=base) as found:
        yield replace(order, stage=found.stage)


def _is_possible(table: str, *, has_schemas: bool) -> bool:
    """Whether a table can have this name, which is no other of the package's."""
    lower = table.casefold()
    name = lower.rpartition(".")[2]
    is_empty = not name if has_schemas else not table
    return not (is_empty or "\0" in table or name in OWN or lower.startswith("sqlite_"))


def _carry_out(
    order: _Order, target: SqlTarget, database: Writer, *, look: Look | None = None
) -> Receipt:
    if target.is_crms_own:
        return _into_crm_table(order, target, database, look=look)
    return _into_own_table(order, database, look=look)


def _into_own_table(order: _Order, database: Writer, *, look: Look | None = None) -> Receipt:
    demand_name(order.history.name, database, where=order.target)
    ledger = Ledger(order.current.name, database, where=order.target)
    create_or_check((order.current, order.history), database, where=order.target)
    newest = ledger.newest_as_of() or _newest_row(order.current, database)
    upsert = Upsert(order.current, order.history, database)
    if newest == order.run.as_of and _is_again(order, ledger, upsert):
        return _sign(order, ledger, _Outcome(Accepted(), is_late=False), settled="everybody")
    staged = order.stage(order.current, database)
    _look(order, database, look)
    if newest is not None and order.run.as_of < newest:
        upsert.repeat_on(ledger.next_as_of(order.run.as_of) or newest)
        found = _written(order, database, upsert.write_to_history, staged)
        return _sign(order, ledger, _Outcome(found, is_late=True))
    found = _written(order, database, upsert.write, staged)
    retired = upsert.retire(order.run.retired)
    if order.whole:
        retired += upsert.retire_vanished()
    ledger.set_newest(order.run.as_of)
    return _sign(order, ledger, _Outcome(found, is_late=False, retired=retired))


def _into_crm_table(
    order: _Order, target: SqlTarget, database: Writer, *, look: Look | None = None
) -> Receipt:
    demand_name(order.history.name, database, where=order.target)
    table = CrmTable.opened(target, database, where=order.target)
    ledger = Ledger(order.current.name, database, where=order.target)
    create_or_check((order.history,), database, where=order.target)
    newest = ledger.newest_as_of()
    staged = order.stage(order.current, database)
    absent = 0 if order.mode == "upsert" else table.leave_out_absent()
    _look(order, database, look)
    upsert = Upsert(order.current, order.history, database)
    late = newest is not None and order.run.as_of < newest
    if newest is not None and late:
        upsert.repeat_on(ledger.next_as_of(order.run.as_of) or newest)
        found = _written(order, database, upsert.write_to_history, staged)
    else:
        into_table = table.upsert if order.mode == "upsert" else table.update

        def write(first: int, last: int) -> int:
            written = into_table(first, last)
            upsert.write_to_history(first, last)
            return written

        found = _written(order, database, write, staged)
        ledger.set_newest(order.run.as_of)
    return _sign(order, ledger, _Outcome(found, is_late=late, absent=absent))


def _is_again(order: _Order, ledger: Ledger, upsert: Upsert) -> bool:
    """Whether the rows delivered last were these, and are all there still."""
    delivery = order.delivery
    if isinstance(delivery, Parts) or delivery.rejects or order.run.retired:
        return False
    return ledger.newest_digest() == delivery.digest and upsert.holds(delivery.rows)


def _look(order: _Order, database: Writer, look: Look | None) -> None:
    """Look at all rows but those whose values the table cannot hold."""
    if look is not None:
        accepted(database, partial(look, database), last=order.delivery.count)


def _written(order: _Order, database: Writer, write: Write, staged: Accepted) -> Accepted:
    """Write the staged rows; what is refused now or was while staging is staged no more."""
    last = order.delivery.count
    found = accepted(database, write, last=last, before_parting=lambda: number(database))
    if found.refused:
        unstage(found.refused, database)
    return Accepted(found.written, staged.refused | found.refused)


def _newest_row(current: Table, database: Writer) -> date | None:
    """The newest as-of date of the rows, which tell it where somebody removed the mark."""
    from_rows = database.ask(f"SELECT MAX(as_of) FROM {database.quote_table(current.name)}")  # noqa: S608 - quoted
    return as_date(from_rows[0][0]) if from_rows[0][0] else None


def _sign(
    order: _Order, ledger: Ledger, outcome: _Outcome, *, settled: Settled = "staged"
) -> Receipt:
    """Leave the rejected rows and the receipt."""
    delivery, run = order.delivery, order.run
    rejects: tuple[Reject, ...] = (*delivery.rejects, *delivery.refused(outcome.accepted.refused))
    ledger.reject(rejects, run=run, settled=settled)
    count, sent = delivery.count, outcome.accepted.written
    receipt = Receipt(
        run_id=run.run_id,
        target=order.target,
        table=order.current.name,
        as_of=run.as_of,
        mode=order.mode,
        rows=count + len(delivery.rejects) + run.suppressed,
        sent=sent,
        unchanged=count - sent - len(outcome.accepted.refused) - outcome.absent,
        rejected=len(rejects),
        unknown=0,
        digest=delivery.digest,
        status="history_only" if outcome.is_late else "delivered",
        started_at=order.started_at,
        finished_at=run.now(),
        model_versions=run.model_versions,
        absent=outcome.absent,
        suppressed=run.suppressed,
        retired=outcome.retired,
    )
    return ledger.sign(receipt)
