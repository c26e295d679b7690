"""One order carried out in one transaction: rows, their history, rejected rows and the receipt."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

from portfolio_ml.config import SqlTarget
from portfolio_ml.databases import Writer
from portfolio_ml.schema import Table
from portfolio_ml.sinks.accepted import Accepted, Write, accepted
from portfolio_ml.sinks.crm_table import CrmTable
from portfolio_ml.sinks.ledger import Ledger, Settled, as_date
from portfolio_ml.sinks.order import Order
from portfolio_ml.sinks.parts import Parts
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.sinks.rows import Reject
from portfolio_ml.sinks.staging import number, unstage
from portfolio_ml.sinks.tables import create_or_check, demand_name
from portfolio_ml.sinks.upsert import Upsert

Look = Callable[[Writer, int, int], int]
"""Looks at some staged rows beside those that are there, before anything is written."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of the staged rows."""

    accepted: Accepted
    is_late: bool
    absent: int = 0
    retired: int = 0


def carry_out(
    order: Order, database: Writer, *, target: SqlTarget | None = None, look: Look | None = None
) -> Receipt:
    """Bring the rows, and leave the receipt.

    Args:
        order: What is to be delivered.
        database: The transaction.
        target: The target of the config, whose table may be the CRM's own; None where it is one
            of the package's.
        look: Looks at the staged rows.

    Raises:
        ConfigError: As for `open_tables`.
    """
    if target is not None and target.is_crms_own:
        return _into_crm_table(order, target, database, look=look)
    return _into_own_table(order, database, look=look)


def open_tables(order: Order, database: Writer, *, target: SqlTarget | None = None) -> None:
    """Create the tables that are missing, as every delivery begins; no row is looked at.

    Raises:
        ConfigError: The table's name is too long, or the tables there have other columns; or the
            CRM's table or one of its columns is missing, or cannot hold what goes into it.
    """
    if target is not None and target.is_crms_own:
        _crm_table(order, target, database)
    else:
        _own_table(order, database)


def _own_table(order: Order, database: Writer) -> Ledger:
    demand_name(order.history.name, database, where=order.target)
    ledger = Ledger(order.current.name, database, where=order.target)
    create_or_check((order.current, order.history), database, where=order.target)
    return ledger


def _crm_table(order: Order, target: SqlTarget, database: Writer) -> tuple[CrmTable, Ledger]:
    demand_name(order.history.name, database, where=order.target)
    table = CrmTable.opened(target, database, where=order.target)
    ledger = Ledger(order.current.name, database, where=order.target)
    create_or_check((order.history,), database, where=order.target)
    return table, ledger


def _into_own_table(order: Order, database: Writer, *, look: Look | None = None) -> Receipt:
    ledger = _own_table(order, database)
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
    order: Order, target: SqlTarget, database: Writer, *, look: Look | None = None
) -> Receipt:
    table, ledger = _crm_table(order, target, database)
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


def _is_again(order: Order, ledger: Ledger, upsert: Upsert) -> bool:
    """Whether the rows delivered last were these, and are all there still."""
    delivery = order.delivery
    if isinstance(delivery, Parts) or delivery.rejects or order.run.retired:
        return False
    return ledger.newest_digest() == delivery.digest and upsert.holds(delivery.rows)


def _look(order: Order, database: Writer, look: Look | None) -> None:
    """Look at all rows but those whose values the table cannot hold."""
    if look is not None:
        accepted(database, partial(look, database), last=order.delivery.count)


def _written(order: Order, database: Writer, write: Write, staged: Accepted) -> Accepted:
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
    order: Order, ledger: Ledger, outcome: _Outcome, *, settled: Settled = "staged"
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
