"""Delivery to a CRM over HTTP, as reconciliation of what it should hold with what it has taken.

What the CRM should hold is a table of the package's own in the state database, delivered by
`deliver_sql`: its rows, history, watermark and rejected rows. The outbox beside it says what the
CRM has acknowledged; the difference is sent. A plain re-run finishes whatever an earlier one left,
and sends nothing where nothing changed.

The receipt in `portfolio_runs` speaks of the CRM: `deliver_sql` leaves one of the table, which is
replaced by an unfinished one before anything is sent, and by the true one at the end.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import uuid4

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.databases import redacted, there_are, writing
from portfolio_ml.errors import NothingToDoError, PortfolioError
from portfolio_ml.sinks.accounts import Account, Handed, leave
from portfolio_ml.sinks.crm import Crm, opened
from portfolio_ml.sinks.desired import desired_in_sql
from portfolio_ml.sinks.lease import LEASES, leased
from portfolio_ml.sinks.ledger import as_date
from portfolio_ml.sinks.order import Rows
from portfolio_ml.sinks.outbox import Outbox
from portfolio_ml.sinks.outbox_rows import OUTBOX
from portfolio_ml.sinks.parts import ROWS_AT_ONCE, Parts
from portfolio_ml.sinks.receipts import REJECTS, RUNS, Receipt, Run
from portfolio_ml.sinks.reconciling import send, settle
from portfolio_ml.sinks.sql import deliver_sql
from portfolio_ml.sinks.tables import create_or_check
from portfolio_ml.sinks.vendors.vendor import Vendor

_ABSENT = ("absent",)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What became of a delivery to a CRM.

    Attributes:
        receipt: The counts; it stands in `portfolio_runs`.
        stopped: Why the delivery ended with rows pending or unknown, which a later run finishes;
            to be raised once other targets are served. None where everything is decided.
    """

    receipt: Receipt
    stopped: PortfolioError | None


def deliver_http(rows: Rows, to: Crm, *, run: Run) -> Reconciled:
    """Bring the CRM to what the rows say; gives the receipt.

    Where the table already has a newer as-of date, only its history takes the rows, and nothing
    is sent.

    Args:
        rows: Customer rows, all of the run's as-of date; the receipt counts their customers.
        to: The CRM.
        run: The scoring run.

    Raises:
        ConfigError: The address, the token or the state database's URL cannot be right.
        DataError: The state database refuses a row.
        ServiceUnavailableError: The state database cannot be opened or written.
        TryAgainLaterError: It is locked, or another run is delivering to the CRM.
    """
    with _begun(to, run) as delivery:
        stop = settle(delivery.vendor, delivery.outbox)
        # Rows in parts were scored without those who were erased.
        kept, suppressed = (rows, 0) if isinstance(rows, Parts) else to.without_suppressed(rows)
        held = deliver_sql(kept, url=to.url, table=to.table, base=to.base, run=run)
        if held.status == "history_only":
            return Reconciled(_of_history(delivery, held, suppressed=suppressed), None)
        mode, name = to.target.mode, delivery.vendor.name
        first = replace(held, target=name, mode=mode, suppressed=run.suppressed + suppressed)
        account = Account(delivery.outbox, first, _handed(kept), run.now)
        # Where the mode is now `upsert`, who was absent is added.
        return _reconcile(delivery, account, stop=stop, again=_ABSENT if mode == "upsert" else ())


def retry_http(to: Crm, *, run: Run) -> Reconciled:
    """Reconcile again without new rows, those that were rejected or absent included.

    The receipt counts all customers of the table.

    Raises:
        NothingToDoError: Nothing was ever delivered there.
        ConfigError: The address, the token or the state database's URL cannot be right.
        ServiceUnavailableError: The state database cannot be opened or written.
        TryAgainLaterError: It is locked, or another run is delivering to the CRM.
    """
    with _begun(to, run) as delivery:
        digest = _last_digest(delivery)
        stop = settle(delivery.vendor, delivery.outbox)
        first = Receipt(
            run_id=run.run_id,
            target=delivery.vendor.name,
            table=to.table,
            as_of=run.as_of,
            mode=to.target.mode,
            rows=0,
            sent=0,
            unchanged=0,
            rejected=0,
            unknown=0,
            digest=digest,
            status="unfinished",
            started_at=run.now(),
            finished_at=run.now(),
            model_versions=run.model_versions,
        )
        account = Account(delivery.outbox, first, None, run.now)
        return _reconcile(delivery, account, stop=stop, again=("rejected", *_ABSENT))


def has_left(to: Crm) -> bool:
    """Whether rows are pending, unknown or rejected, so that a retry has something to do.

    Raises:
        ServiceUnavailableError: The state database cannot be used.
        TryAgainLaterError: It is locked.
    """
    if not there_are(to.url, (OUTBOX.name,), base=to.base):
        return False
    with writing(to.url, base=to.base) as database:
        left = database.ask(
            "SELECT 1 FROM portfolio_outbox WHERE target = ? AND state NOT IN ('sent', 'absent')"
            " LIMIT 1",
            to.table,
        )
    return bool(left)


def last_delivery(to: Crm) -> tuple[date, dict[str, str]]:
    """The as-of date and the model versions of the newest rows delivered.

    Raises:
        NothingToDoError: Nothing was ever delivered there.
    """
    with writing(to.url, base=to.base) as database:
        found = database.ask(
            "SELECT as_of, model_versions FROM portfolio_runs WHERE table_name = ?"
            " ORDER BY as_of DESC, finished_at DESC LIMIT 1",
            to.table,
        )
    if not found:
        raise NothingToDoError("nothing was delivered yet", where=redacted(to.url))
    return as_date(found[0][0]), json.loads(found[0][1])


def erase_http(customer_id: str, to: Crm, *, now: Callable[[], datetime]) -> int:
    """Remove a customer from what the package keeps for the CRM; the CRM's record stays.

    Returns:
        The number of rows removed: current, history, outbox and rejected.

    Raises:
        ServiceUnavailableError: The state database cannot be opened or written.
        TryAgainLaterError: It is locked, or a run is delivering to the CRM.
    """
    _open_tables(to)
    with leased(to.table, url=to.url, base=to.base, now=now) as lease, lease.writing() as database:
        database.forget()
        removed = Outbox(lease, "").forget(customer_id, database)
        for table in (to.table, f"{to.table}_history"):
            if database.columns(table):
                removed += database.run(
                    f"DELETE FROM {database.quote(table)} WHERE customer_id = ?",  # noqa: S608 - quoted
                    customer_id,
                )
        return removed + database.run(
            "DELETE FROM portfolio_rejects WHERE table_name = ? AND customer_id = ?",
            to.table,
            customer_id,
        )


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A delivery that has the lease."""

    to: Crm
    vendor: Vendor
    outbox: Outbox
    run: Run


@contextmanager
def _begun(to: Crm, run: Run) -> Iterator[_Delivery]:
    _open_tables(to)
    with (
        leased(to.table, url=to.url, base=to.base, now=run.now) as lease,
        closing(opened(to, sleep=lease.sleeping(to.clock.sleep), now=run.now)) as vendor,
    ):
        outbox = Outbox(lease, uuid4().hex)
        outbox.move_to(vendor.place)
        yield _Delivery(to, vendor, outbox, run)


def _open_tables(to: Crm) -> None:
    with writing(to.url, base=to.base) as database:
        create_or_check((LEASES, OUTBOX, RUNS, REJECTS), database, where=redacted(to.url))


def _reconcile(
    delivery: _Delivery, account: Account, *, stop: PortfolioError | None, again: Collection[str]
) -> Reconciled:
    to, outbox = delivery.to, delivery.outbox
    with outbox.lease.writing() as database:
        wanted = desired_in_sql(
            to.table, database, columns=to.target.columns, suppressed=to.suppressed
        )
        outbox.plan(wanted, again=again, database=database)
        outbox.drop(to.suppressed, database)
        account.receipt(database)
    stop = stop or send(delivery.vendor, outbox, to.progress)
    with outbox.lease.writing() as database:
        receipt = account.receipt(database)
        account.keep_rejected(database)
    return Reconciled(receipt, stop)


def _handed(rows: Rows) -> Handed:
    """What gives the customers of the rows, who need not be all of the table."""
    if isinstance(rows, Parts):
        return rows.customers
    ids = rows.select(["customer_id"]).cast(pa.schema([("customer_id", pa.string())]))

    def customers() -> Iterator[tuple[pa.Array, NDArray[np.int64]]]:
        place = 1
        for batch in ids.to_batches(max_chunksize=ROWS_AT_ONCE):
            yield batch.column(0), np.arange(place, place + batch.num_rows)
            place += batch.num_rows

    return customers


def _of_history(delivery: _Delivery, held: Receipt, *, suppressed: int) -> Receipt:
    """The receipt of rows that went to the history only."""
    receipt = replace(held, suppressed=held.suppressed + suppressed, rows=held.rows + suppressed)
    with delivery.outbox.lease.writing() as database:
        return leave(receipt, database)


def _last_digest(delivery: _Delivery) -> str:
    with delivery.outbox.lease.writing() as database:
        found = database.ask(
            "SELECT digest FROM portfolio_runs WHERE table_name = ?"
            " ORDER BY as_of DESC, finished_at DESC LIMIT 1",
            delivery.to.table,
        )
    if not found:
        raise NothingToDoError("nothing was delivered yet", where=delivery.vendor.name)
    return str(found[0][0])
