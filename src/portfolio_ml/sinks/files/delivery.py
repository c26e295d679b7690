"""Delivery into a file: whole under its name, or not at all, with a receipt."""

import os
from dataclasses import dataclass
from datetime import date, datetime
from errno import EACCES, EISDIR, ENOENT, ENOTDIR
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.config import Settings
from portfolio_ml.databases import rehearsing
from portfolio_ml.replacing import make_folder, remove_unfinished, replace_file
from portfolio_ml.schema import CUSTOMER_ROWS, Table
from portfolio_ml.sinks.files.kept import keep_scores, keeps
from portfolio_ml.sinks.files.places import FileTarget, Place, place_of, rows_in
from portfolio_ml.sinks.files.state import state_of
from portfolio_ml.sinks.files.streamed import (
    StreamedForm,
    keep_streamed,
    keeps_streamed,
    seen_in,
    streamed_form,
)
from portfolio_ml.sinks.files.writing import told
from portfolio_ml.sinks.ledger import Ledger
from portfolio_ml.sinks.parts import Parts, nullable
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.rows import Delivery, digest, prepare


def deliver_file(
    rows: pa.Table | Parts,
    target: FileTarget,
    *,
    settings: Settings,
    run: Run,
    contract: Table = CUSTOMER_ROWS,
) -> Receipt:
    """Write the rows to a file that replaces the one before; gives the receipt.

    The file is written beside its name, flushed to the disk and renamed, so that a reader finds
    the old rows or the new ones. Sorted by key, equal rows give equal bytes. Where the file holds
    the same rows already (lineage aside) it is left alone. A file with rows of a newer date is
    left alone, too: only the history beside it takes the rows. Where the file cannot be read, the
    receipts tell how far it had come; where it is missing, it is written.

    A folder by date gets a file of its own for the date, so any date may come.

    Args:
        rows: Rows of the contract, all of the run's as-of date; those in parts are written and
            compared a batch at a time.
        target: One of the settings' targets.
        settings: The portfolio's settings; `state.url` takes the receipt and the refused rows.
        run: The scoring run.
        contract: The table that the rows follow.

    Raises:
        ConfigError: The state database's URL is wrong, or its tables have other columns.
        ServiceUnavailableError: The folder is missing, may not be written or is full; or the
            state database cannot be opened or written. Where the file was not written, nothing
            is; where it was, the next run finds it.
        TryAgainLaterError: The state database is locked; the file is as it was.
    """
    order = _order(rows, contract, target=target, settings=settings, run=run)
    with state_of(settings, order.place.table) as ledger:
        decision = _decided(order, ledger)
        with told(order.file):
            _carry_out(order, decision)
        receipt = _receipt(order, decision)
        ledger.reject(order.delivery.rejects, run=run, settled="everybody")
        return ledger.sign(receipt)


def rehearse_file(
    rows: pa.Table | Parts,
    target: FileTarget,
    *,
    settings: Settings,
    run: Run,
    contract: Table = CUSTOMER_ROWS,
) -> Receipt:
    """The receipt that `deliver_file` would give; nothing is written. Errors are the same."""
    order = _order(rows, contract, target=target, settings=settings, run=run)
    with state_of(settings, order.place.table, opened=rehearsing) as ledger:
        with told(order.file):
            _demand_writable(order.place)
        return _receipt(order, _decided(order, ledger))


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be delivered, and where to."""

    delivery: Delivery | Parts
    form: StreamedForm
    place: Place
    run: Run
    started_at: datetime

    @property
    def file(self) -> Path:
        return self.place.file(self.run.as_of)


@dataclass(frozen=True, slots=True)
class _Decision:
    """What the delivery has to do.

    Attributes:
        is_late: Whether the file has rows of a newer date.
        replaces: Whether the file is written.
        keeps: Whether the history beside it is written.
    """

    is_late: bool
    replaces: bool
    keeps: bool


def _order(
    rows: pa.Table | Parts, contract: Table, *, target: FileTarget, settings: Settings, run: Run
) -> _Order:
    started_at = run.now()
    return _Order(
        delivery=rows if isinstance(rows, Parts) else prepare(rows, contract, as_of=run.as_of),
        form=streamed_form(target),
        place=place_of(target, settings, contract=contract),
        run=run,
        started_at=started_at,
    )


def _decided(order: _Order, ledger: Ledger) -> _Decision:
    place, delivery, as_of = order.place, order.delivery, order.run.as_of
    history = place.history
    if isinstance(delivery, Parts):
        seen = seen_in(order.file, order.form, delivery.contract)
        newest, holds = (
            (None, False) if seen is None else (seen.newest, seen.digest == delivery.digest)
        )
        kept = history is None or keeps_streamed(delivery, history, as_of=as_of)
    else:
        found = rows_in(order.file, place, delivery.contract)
        newest, holds = _newest_of(found), _holds(found, delivery)
        kept = history is None or keeps(delivery.rows, history, as_of=as_of)
    is_late = not place.by_date and _is_late(order, newest, ledger)
    return _Decision(is_late=is_late, replaces=not is_late and not holds, keeps=not kept)


def _is_late(order: _Order, found: date | None, ledger: Ledger) -> bool:
    if not order.file.exists():
        return False
    newest = found or ledger.newest_receipt(str(order.place.path))
    return newest is not None and order.run.as_of < newest


def _newest_of(found: pa.Table | None) -> date | None:
    """The newest date among the file's rows; None where they tell none."""
    if found is None or "as_of" not in found.column_names:
        return None
    if not pa.types.is_date32(found["as_of"].type):
        return None
    newest: date | None = pc.max(found["as_of"]).as_py()
    return newest


def _holds(found: pa.Table | None, delivery: Delivery) -> bool:
    """Whether these are the delivered rows, lineage aside."""
    if found is None or not found.schema.equals(delivery.rows.schema):
        return False
    return digest(found, delivery.contract) == delivery.digest


def _carry_out(order: _Order, decision: _Decision) -> None:
    place, file = order.place, order.file
    remove_unfinished(file.parent, file.name)
    if decision.replaces:
        if place.by_date:
            make_folder(place.path)
            make_folder(file.parent)
        replace_file(file, partial(_write, order))
    if place.history is not None:
        remove_unfinished(place.history)
        if decision.keeps:
            _keep(order, place.history)


def _write(order: _Order, file: BinaryIO) -> None:
    delivery = order.delivery
    if isinstance(delivery, Parts):
        order.form.write(delivery.batches(), nullable(delivery.contract), file)
    else:
        order.place.form.write(delivery.rows, file)


def _keep(order: _Order, history: Path) -> None:
    delivery, as_of = order.delivery, order.run.as_of
    if isinstance(delivery, Parts):
        keep_streamed(delivery, history, as_of=as_of)
    else:
        keep_scores(delivery.rows, history, as_of=as_of)


def _demand_writable(place: Place) -> None:
    """What a delivery would run into.

    Raises:
        OSError: The folder is missing or may not be written, or something else has the name.
    """
    path, folder = place.path, place.path.parent
    fault = None
    if not folder.is_dir():
        fault = ENOENT
    elif path.is_dir() and not place.by_date:
        fault = EISDIR
    elif path.exists() and not path.is_dir() and place.by_date:
        fault = ENOTDIR
    elif not os.access(path if path.is_dir() else folder, os.W_OK | os.X_OK):
        fault = EACCES
    if fault is not None:
        raise OSError(fault, os.strerror(fault))


def _receipt(order: _Order, decision: _Decision) -> Receipt:
    """The receipt; rows that neither the file nor the history takes count as unchanged."""
    delivery, run, place = order.delivery, order.run, order.place
    count, rejected = delivery.count, len(delivery.rejects)
    is_sent = decision.keeps if decision.is_late else decision.replaces
    return Receipt(
        run_id=run.run_id,
        target=str(place.path),
        table=place.table,
        as_of=run.as_of,
        mode="replace",
        rows=count + rejected + run.suppressed,
        sent=count if is_sent else 0,
        unchanged=0 if is_sent else count,
        rejected=rejected,
        unknown=0,
        digest=delivery.digest,
        status="history_only" if decision.is_late else "delivered",
        started_at=order.started_at,
        finished_at=run.now(),
        model_versions=run.model_versions,
        suppressed=run.suppressed,
    )
