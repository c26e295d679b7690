"""One customer removed from what the package wrote into SQL databases."""

from dataclasses import dataclass
from pathlib import Path

from portfolio_ml.config import SqlTarget
from portfolio_ml.databases import (
    RowRefusedError,
    Writer,
    redacted,
    takes_many_writers,
    there_are,
    writing,
)
from portfolio_ml.sinks.brought import drop_left
from portfolio_ml.sinks.crm_table import CrmTable
from portfolio_ml.sinks.ledger import escaped, ledger_names
from portfolio_ml.sinks.order import history_name


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed at one place.

    Attributes:
        place: The table or file, without secrets.
        rows: How many rows, or in the CRM's own table cleared rows.
    """

    place: str
    rows: int


def erase(target: SqlTarget, customer_id: str, *, base: Path) -> tuple[Erased, ...]:
    """Remove a customer's scores, history and rejected rows, in one transaction.

    In the CRM's own table the row stays, and the figures that the package writes become null
    where they may. Columns that may not be null keep their value. What killed deliveries had
    brought and left goes, too.

    Raises:
        ConfigError: The CRM's table does not fit the config.
        DataError: A constraint or a trigger keeps a row; then nothing is removed there.
        ServiceUnavailableError: The database cannot be opened or written.
        TryAgainLaterError: It is locked.
    """
    if not there_are(target.url, (), base=base):
        return ()
    with writing(target.url, base=base) as database:
        database.forget()
        if takes_many_writers(target.url):
            drop_left(target.table, database)
        _, rejects, _ = ledger_names(target.table, has_schemas=database.has_schemas)
        history = history_name(target.table, is_crms_own=target.is_crms_own)
        own = [history, rejects] if target.is_crms_own else [target.table, history, rejects]
        done = [_removed(table, customer_id, database, target) for table in own]
        if target.is_crms_own:
            table = CrmTable.opened(target, database, where=redacted(target.url))
            done.insert(0, Erased(_named(target, target.table), table.clear(customer_id)))
    return tuple(done)


def _removed(table: str, customer_id: str, database: Writer, target: SqlTarget) -> Erased:
    rows = _deleted(table, customer_id, database) if database.columns(table) else 0
    return Erased(_named(target, table), rows)


def _deleted(table: str, customer_id: str, database: Writer) -> int:
    theirs, held = f"FROM {database.quote_table(table)} WHERE customer_id = ?", customer_id
    try:
        with database.attempt():
            database.ask(f"SELECT 1 {theirs} LIMIT 1", customer_id)
    except RowRefusedError:  # the database cannot hold this id: rejected rows have it in ASCII
        held = escaped(customer_id)
    return database.run(f"DELETE {theirs}", held)


def _named(target: SqlTarget, table: str) -> str:
    return f"{redacted(target.url)} {table}"
