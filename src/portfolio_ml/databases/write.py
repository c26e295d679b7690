"""One transaction that writes to a database, and what a table looks like in SQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from portfolio_ml.databases.connections import Place, connection, place
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import Table

BATCH_ROWS = 20_000

# The standard's names, which SQLite and PostgreSQL share.
_SQL_TYPES = {
    pa.string(): "TEXT",
    pa.bool_(): "BOOLEAN",
    pa.int8(): "SMALLINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE PRECISION",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """A column as a database has it; `key` is its place in the primary key, from 1, or 0."""

    name: str
    type: str
    nullable: bool
    key: int


class Writer:
    """One transaction on one database: SQL as text, names through `quote`, values bound.

    Attributes:
        differs: The operator like `<>` for which null equals null.
    """

    differs = "IS NOT"  # SQLite before 3.39 does not know IS DISTINCT FROM

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def quote(self, name: str) -> str:
        """The name as an identifier, whatever its characters."""
        return self._connection.dialect.identifier_preparer.quote_identifier(name)

    def run(self, sql: str, *values: object) -> int:
        """Run a statement; gives the number of rows that it wrote."""
        return self._connection.exec_driver_sql(sql, _bound(values)).rowcount

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query; gives its rows."""
        return [tuple(row) for row in self._connection.exec_driver_sql(sql, _bound(values))]

    def columns(self, table: str) -> tuple[SqlColumn, ...]:
        """The table's columns; none where there is no such table."""
        found = self.ask('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', table)
        return tuple(SqlColumn(name, kind, not must, key) for name, kind, must, key in found)

    def create(self, table: Table, *, kind: str = "TABLE") -> None:
        """Create the table; one of kind `TEMP TABLE` ends with the connection."""
        parts = [
            f"{self.quote(column.name)} {column.type}{'' if column.nullable else ' NOT NULL'}"
            for column in expected_columns(table)
        ]
        if table.key:
            parts.append(f"PRIMARY KEY ({', '.join(map(self.quote, table.key))})")
        self.run(f"CREATE {kind} {self.quote(table.name)} ({', '.join(parts)})")

    def load(self, table: str, rows: pa.Table) -> None:
        """Insert the rows; dates and times go in as ISO 8601 text."""
        names = ", ".join(map(self.quote, rows.column_names))
        marks = ", ".join("?" * rows.num_columns)
        insert = f"INSERT INTO {self.quote(table)} ({names}) VALUES ({marks})"  # noqa: S608 - the names are quoted
        for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
            columns = [_values(column) for column in batch.columns]
            self._connection.exec_driver_sql(insert, list(zip(*columns, strict=True)))


@contextmanager
def writing(url: str, *, base: Path) -> Iterator[Writer]:
    """A transaction that holds the database's write lock from its first moment.

    Committed at the end; any error rolls everything back, created tables included. A SQLite file
    that is missing is created.

    Args:
        url: A `sqlite:///` URL.
        base: The folder that a relative file is relative to.

    Raises:
        ConfigError: The URL is wrong, or names a database that cannot be written to.
        ServiceUnavailableError: The database cannot be opened or written.
        TryAgainLaterError: It is locked.
    """
    with connection(_writable(url, base), begin="BEGIN IMMEDIATE") as opened, opened.begin():
        yield Writer(opened)


@contextmanager
def rehearsing(url: str, *, base: Path) -> Iterator[Writer]:
    """Like `writing`, but nothing is kept at the end, and a missing file stays missing."""
    to = _writable(url, base)
    if to.file and to.file.parent.is_dir() and not to.file.exists():
        to = replace(to, url=sa.URL.create("sqlite+pysqlite", database=":memory:"))
    with connection(to, begin="BEGIN IMMEDIATE") as opened:
        yield Writer(opened)


def expected_columns(table: Table) -> tuple[SqlColumn, ...]:
    """The columns that a database should have for the table.

    Example:
        >>> from portfolio_ml.schema import CUSTOMER_ROWS
        >>> expected_columns(CUSTOMER_ROWS)[0]
        SqlColumn(name='customer_id', type='TEXT', nullable=False, key=1)
    """
    place_in_key = {name: number for number, name in enumerate(table.key, start=1)}
    return tuple(
        SqlColumn(c.name, _SQL_TYPES[c.type], bool(c.null), place_in_key.get(c.name, 0))
        for c in table.columns
    )


def _writable(url: str, base: Path) -> Place:
    to = place(url, base=base)
    if to.file is None:
        raise ConfigError(
            "this kind of database cannot be written to", where=to.name, do="write sqlite:///FILE"
        )
    return to


def _bound(values: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(value.isoformat() if isinstance(value, date) else value for value in values)


def _values(column: pa.Array) -> list[Any]:
    text = column.cast(pa.string()) if pa.types.is_temporal(column.type) else column
    values: list[Any] = text.to_pylist()
    return values
