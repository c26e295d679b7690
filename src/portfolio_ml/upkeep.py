"""What is done to targets beside delivering fresh scores: replayed, migrated, erased."""

import json
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from portfolio_ml.config import (
    CsvTarget,
    HubSpotTarget,
    ParquetTarget,
    SalesforceTarget,
    Settings,
    SqlTarget,
    Target,
)
from portfolio_ml.databases import redacted
from portfolio_ml.delivering import Deliveries, crm_of, each, taken
from portfolio_ml.errors import PortfolioError
from portfolio_ml.figure_delivery import erase_from_figures, sql_tables
from portfolio_ml.schema import CUSTOMER_ROWS, QUARANTINE
from portfolio_ml.sinks import erasure, files, migration, sql
from portfolio_ml.sinks.erasure import Erased
from portfolio_ml.sinks.files import holds_table, write_parquet
from portfolio_ml.sinks.http import erase_http, has_left, last_delivery, retry_http
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.suppression import suppress, suppression

Clock = Callable[[], datetime]


def retry(settings: Settings, *, now: Clock) -> Deliveries:
    """Deliver again what targets rejected, and settle what is unknown; nothing is scored.

    A row that is accepted now leaves `portfolio_rejects`; one that is rejected again stays with
    its new reason. Rows that a later delivery has settled are not among them.

    Returns:
        What became of them, per target that had any.
    """
    return each(settings.delivery, lambda target: _retried(target, settings, now=now))


def migrate(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Bring the package's own tables in every target to this version's shape.

    Returns:
        Per delivered table, the columns that were added; tables with nothing to do are left out.
    """
    scores = [(each, CUSTOMER_ROWS) for each in settings.delivery if isinstance(each, SqlTarget)]
    found: dict[str, tuple[str, ...]] = {}
    for target, contract in (*scores, *sql_tables(settings)):
        added = migration.migrate(target, base=settings.base, contract=contract)
        if added:  # tables of one name may stand in several databases
            found[target.table] = tuple(dict.fromkeys((*found.get(target.table, ()), *added)))
    return found


def erase(settings: Settings, customer_id: str, *, now: Clock) -> tuple[tuple[Erased, ...], bool]:
    """Remove one customer from everything that the package wrote, and from all runs to come.

    The customer is put on the suppression list first, so that a run at the same moment, or one
    after a crash half-way, writes nothing of them; the same call again finishes.

    Returns:
        What was removed where, and whether the customer was not on the list before.

    Raises:
        PortfolioError: The first place that could not be served; all others were.
    """
    is_new = suppress(settings, customer_id, now=now())
    places: list[Callable[[], Iterable[Erased]]] = [
        *(partial(_erased, each, settings, customer_id, now=now) for each in settings.delivery),
        *(
            partial(erase_from_figures, each, settings, customer_id)
            for each in settings.portfolio.delivery
        ),
        partial(_erased_from_quarantine, settings, customer_id),
    ]
    done: list[Erased] = []
    faults: list[PortfolioError] = []
    for erased in places:
        try:
            done += erased()
        except PortfolioError as error:
            faults.append(error)
    if faults:
        raise faults[0]
    return tuple(done), is_new


def _retried(target: Target, settings: Settings, *, now: Clock) -> Receipt | None:
    """Replay what is left at a target; None where nothing is."""
    match target:
        case SqlTarget():
            return _replayed(target, settings, now=now)
        case HubSpotTarget() | SalesforceTarget():
            crm = crm_of(target, settings)
            if not has_left(crm):
                return None
            as_of, versions = last_delivery(crm)
            run = Run(run_id=uuid.uuid4().hex, as_of=as_of, model_versions=versions, now=now)
            return taken(retry_http(crm, run=run))
        case ParquetTarget() | CsvTarget():
            return None  # only fresh scores mend a row that a file cannot take


def _replayed(target: SqlTarget, settings: Settings, *, now: Clock) -> Receipt | None:
    """Deliver a target's rejected rows, date by date; gives the receipt of the newest date."""
    found = sql.rejected(target, base=settings.base)
    erased = suppression(settings)
    receipts = []
    for as_of, group in groupby(found, key=lambda each: each[0]):
        rows = erased.without(rows_from([row for _, row in group]))
        run = Run(run_id=uuid.uuid4().hex, as_of=as_of, model_versions=_versions(rows), now=now)
        receipts.append(sql.deliver_to_target(rows, target, base=settings.base, run=run))
    return receipts[-1] if receipts else None


def rows_from(texts: Sequence[str]) -> pa.Table:
    """Customer rows from the JSON that rejected rows are kept as; what they lack is null."""
    found = [json.loads(text) for text in texts]
    return pa.table(
        [
            _column([row.get(column.name) for row in found], column.type)
            for column in CUSTOMER_ROWS.columns
        ],
        names=CUSTOMER_ROWS.names,
    )


def _column(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """Values of a column: JSON has no dates and no infinity, which are texts there."""
    if pa.types.is_temporal(kind) or pa.types.is_floating(kind):
        return pa.array([None if v is None else str(v) for v in values], pa.string()).cast(kind)
    return pa.array(values, kind)


def _versions(rows: pa.Table) -> dict[str, str]:
    names = {"churn": "churn", "lifetime_value": "ltv", "segments": "segment"}
    first = rows.slice(0, 1).to_pylist()
    return {t: first[0][f"{n}_model_version"] for t, n in names.items()} if first else {}


def _erased(
    target: Target, settings: Settings, customer_id: str, *, now: Clock
) -> tuple[Erased, ...]:
    match target:
        case SqlTarget():
            return erasure.erase(target, customer_id, base=settings.base)
        case ParquetTarget() | CsvTarget():
            removed = files.erase(customer_id, target, settings=settings)
            return tuple(Erased(place, rows) for place, rows in removed.items())
        case HubSpotTarget() | SalesforceTarget():
            crm = crm_of(target, settings)
            rows = erase_http(customer_id, crm, now=now)
            return (Erased(f"{redacted(crm.url)} {crm.table} and its outbox", rows),)


def _erased_from_quarantine(settings: Settings, customer_id: str) -> list[Erased]:
    path = settings.resolve(settings.data.quarantine)
    if not holds_table(path, QUARANTINE):
        return []
    with pq.ParquetFile(path) as file:
        held = file.read()
    kept = held.filter(pc.invert(_names(held, customer_id)))
    if kept.num_rows < held.num_rows:
        write_parquet(kept, path)
    return [Erased(str(path), held.num_rows - kept.num_rows)]


def _names(quarantine: pa.Table, customer_id: str) -> pa.ChunkedArray:
    """Whether each refused row shows the customer's id: alone, or among the values of a line."""
    value = quarantine["value"]
    apart = f"(?:^|[^\\pL\\pN]){re.escape(customer_id)}(?:$|[^\\pL\\pN])"
    is_in_line = pc.and_(
        pc.equal(quarantine["column"], "line"), pc.match_substring_regex(value, apart)
    )
    return pc.fill_null(pc.or_(pc.equal(value, customer_id), is_in_line), fill_value=False)
