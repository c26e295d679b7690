"""The package's own tables around a delivered one: watermarks, receipts, rejected rows.

They stand beside the delivered table, in the same schema of the same database, so that one
transaction carries all of them.
"""
# ruff: noqa: S608 - every identifier is quoted by the dialect, every value is bound

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Literal

import pyarrow as pa

from portfolio_ml.databases import Writer
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import Table
from portfolio_ml.sinks.receipts import (
    REJECTS,
    RUNS,
    SCHEMA_VERSION,
    WATERMARKS,
    Receipt,
    Run,
)
from portfolio_ml.sinks.rows import Reject, rejected_rows
from portfolio_ml.sinks.staging import STAGING, Names, loaded
from portfolio_ml.sinks.tables import create_or_check

Settled = Literal["staged", "everybody"]

REJECTED = "portfolio_rejected"
"""The rejected rows of a delivery, in a table that only its transaction sees."""
TABLES = (RUNS, REJECTS, WATERMARKS)


def ledger_names(table: str, *, has_schemas: bool) -> tuple[str, str, str]:
    """What the tables around a delivered one are called: receipts, rejected rows, watermarks.

    Example:
        >>> ledger_names("sales.scores", has_schemas=True)[0]
        'sales.portfolio_runs'
    """
    schema = table.rpartition(".")[0] if has_schemas else ""
    prefix = f"{schema}." if schema else ""
    return prefix + RUNS.name, prefix + REJECTS.name, prefix + WATERMARKS.name


class Ledger:
    """What is kept of the deliveries to one table, within one transaction.

    Args:
        table: The delivered table's name.
        database: The transaction.
        where: The database's readable name.
        is_table: Whether the delivered thing is a table there, whose schema the ledger is in;
            a file is none.

    Raises:
        ConfigError: The ledger there is of another version, or has other columns.
    """

    def __init__(self, table: str, database: Writer, *, where: str, is_table: bool = True) -> None:
        self._table, self._database = table, database
        names = ledger_names(table, has_schemas=is_table and database.has_schemas)
        self._runs, self._rejects, self._marks = (
            replace(own, name=name) for own, name in zip(TABLES, names, strict=True)
        )
        database.lock(f"portfolio-ml {table}")  # there is no mark to lock before the first delivery
        create_or_check((self._marks,), database, where=where)
        self._demand_version(where)
        create_or_check((self._runs, self._rejects), database, where=where)

    def newest_as_of(self) -> date | None:
        """The newest as-of date delivered to the table; its row is locked until the end.

        None before the first delivery, or where somebody removed the mark.
        """
        marks = self._database.ask(
            f"SELECT newest_as_of FROM {self._quoted(self._marks)} WHERE table_name = ?"
            f"{self._database.for_update}",
            self._table,
        )
        return as_date(marks[0][0]) if marks else None

    def next_as_of(self, after: date) -> date | None:
        """The first as-of date delivered after another; None for none."""
        found = self._database.ask(
            f"SELECT MIN(as_of) FROM {self._quoted(self._runs)} WHERE table_name = ? AND as_of > ?",
            self._table,
            after,
        )
        return as_date(found[0][0]) if found[0][0] else None

    def newest_digest(self) -> str | None:
        """The digest of the rows delivered last; None before the first delivery."""
        found = self._database.ask(
            f"SELECT digest FROM {self._quoted(self._runs)}"
            f" WHERE table_name = ? ORDER BY finished_at DESC",
            self._table,
        )
        return found[0][0] if found else None

    def set_newest(self, as_of: date) -> None:
        """Note how far the table has come."""
        values = {
            "table_name": self._table,
            "schema_version": SCHEMA_VERSION,
            "newest_as_of": as_of,
        }
        self._put(self._marks, values, ("table_name",))

    def reject(self, rejects: Sequence[Reject], *, run: Run, settled: Settled) -> None:
        """Keep the rejected rows, instead of what was kept of the same customers before.

        Args:
            rejects: The rows with their reasons.
            run: The run that they are of.
            settled: Whose older rejected rows the delivery has settled beside: of those whose rows
                are staged, or of everybody.
        """
        whose = {
            "staged": f" OR customer_id IN (SELECT customer_id FROM {STAGING})",
            "everybody": " OR 1 = 1",
        }[settled]
        self._settle(f"(customer_id IS NULL{whose})", run)
        if not rejects:
            return
        fresh, database = replace(REJECTS, name=REJECTED, key=()), self._database
        database.create(fresh, kind=database.temporary, indexed=("customer_id",))
        rows = rejected_rows(rejects, run=run, table=self._table)
        refused = loaded(rows, REJECTED, database).refused
        database.load(REJECTED, _escaped(rows.take(pa.array([n - 1 for n in refused], pa.int64()))))
        database.settle(REJECTED, ("customer_id",))
        self._settle(f"customer_id IN (SELECT customer_id FROM {REJECTED})", run)
        names = Names(database).listed(REJECTS.names)
        database.run(
            f"INSERT INTO {self._quoted(self._rejects)} ({names}) SELECT {names} FROM {REJECTED}"
        )

    def _settle(self, whose: str, run: Run) -> None:
        """Remove what was kept until a run of the customers for whom a condition holds."""
        self._database.run(
            f"DELETE FROM {self._quoted(self._rejects)}"
            f" WHERE table_name = ? AND as_of <= ? AND {whose}",
            self._table,
            run.as_of,
        )

    def rejected(self) -> list[tuple[date, str]]:
        """The rejected rows of the table, as date and JSON, oldest first."""
        found = self._database.ask(
            f"SELECT as_of, {self._database.quote('row')} FROM {self._quoted(self._rejects)}"
            f" WHERE table_name = ?"
            f" ORDER BY as_of, {self._database.quote('row_number')}",
            self._table,
        )
        return [(as_date(day), row) for day, row in found]

    def forget(self, customer_id: str) -> int:
        """Remove a customer's rejected rows for good; gives how many there were."""
        self._database.forget()
        return self._database.run(
            f"DELETE FROM {self._quoted(self._rejects)} WHERE table_name = ? AND customer_id = ?",
            self._table,
            customer_id,
        )

    def newest_receipt(self, target: str) -> date | None:
        """The newest as-of date that a receipt calls delivered to a target; None for none."""
        found = self._database.ask(
            f"SELECT MAX(as_of) FROM {self._quoted(self._runs)} WHERE target = ? AND status = ?",
            target,
            "delivered",
        )
        return as_date(found[0][0]) if found[0][0] else None

    def sign(self, receipt: Receipt) -> Receipt:
        """Leave the receipt as the newest of the table; gives it as it was left."""
        signed = receipt.after(last_finished(receipt, self._database, runs=self._runs.name))
        self._put(self._runs, signed.as_row(), RUNS.key)
        return signed

    def _put(self, table: Table, values: dict[str, Any], key: Iterable[str]) -> None:
        """Replace the row of a key."""
        matches = " AND ".join(f"{self._database.quote(n)} = ?" for n in key)
        own = [values[name] for name in key]
        self._database.run(f"DELETE FROM {self._quoted(table)} WHERE {matches}", *own)
        self._database.load(table.name, pa.Table.from_pylist([values], schema=table.arrow))

    def _demand_version(self, where: str) -> None:
        others = self._database.ask(
            f"SELECT table_name, schema_version FROM {self._quoted(self._marks)}"
            f" WHERE schema_version <> ?",
            SCHEMA_VERSION,
        )
        for table, version in others:
            is_older = version < SCHEMA_VERSION
            raise ConfigError(
                f"table {table!r} was written by {'an older' if is_older else 'a newer'} version"
                " of portfolio-ml",
                where=where,
                saw=f"version {version} of its tables, where this one writes {SCHEMA_VERSION}",
                do="bring it to this version's shape with portfolio-ml migrate"
                if is_older
                else "use the version that wrote it, or another database",
            )

    def _quoted(self, table: Table) -> str:
        return self._database.quote_table(table.name)


def last_finished(receipt: Receipt, database: Writer, *, runs: str) -> datetime | None:
    """When the newest other delivery to a receipt's table was finished; None without one.

    Args:
        receipt: It; what was left of the same delivery before is passed over.
        database: The transaction.
        runs: The table of the receipts.
    """
    [[found]] = database.ask(
        f"SELECT MAX(finished_at) FROM {database.quote_table(runs)}"
        f" WHERE table_name = ? AND NOT (run_id = ? AND as_of = ?)",
        receipt.table,
        receipt.run_id,
        receipt.as_of,
    )
    return None if found is None else as_moment(found)


def escaped(text: str) -> str:
    r"""A text as any database can hold it: in ASCII, with escapes as in JSON.

    Example:
        >>> escaped("café")
        'caf\\u00e9'
    """
    return json.dumps(text)[1:-1]


def _escaped(rejects: pa.Table) -> pa.Table:
    """Rejected rows whose customers' ids the database cannot hold, with the ids in ASCII."""
    ids = [None if text is None else escaped(text) for text in rejects["customer_id"].to_pylist()]
    place = rejects.schema.get_field_index("customer_id")
    return rejects.set_column(place, rejects.schema.field(place), pa.array(ids, pa.string()))


def as_date(value: Any) -> date:  # noqa: ANN401 - text in SQLite, a date elsewhere
    """A date as any database gives it."""
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def as_moment(value: Any) -> datetime:  # noqa: ANN401 - text in SQLite, a time elsewhere
    """A time in UTC as any database gives it; MariaDB's times have no zone."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
