"""One transaction that writes to a SQL database, and what a table looks like in SQL.

`Writer` is what SQLite and all databases share; PostgreSQL has one of its own, and so have those
that SQLAlchemy alone leads to. Where databases write a statement differently, it is a method here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import pyarrow as pa
import sqlalchemy as sa

from portfolio_ml.databases.faults import RowRefusedError, refusal
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

_DEFAULTS = {
    "TEXT": "''",
    "BOOLEAN": "FALSE",
    "SMALLINT": "0",
    "INTEGER": "0",
    "BIGINT": "0",
    "DOUBLE PRECISION": "0",
    "DATE": "'1970-01-01'",
    "TIMESTAMP WITH TIME ZONE": "'1970-01-01 00:00:00.000000Z'",
}


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """A column as a database has it; `key` is its place in the primary key, from 1, or 0."""

    name: str
    type: str
    nullable: bool
    key: int


class Writer:
    """One transaction on one database: SQL as text, names through `quote`, values bound to `?`.

    Attributes:
        differs: The operator like `<>` for which null equals null.
        longest_name: The bytes that a name may have; None for any number.
        temporary: What a table is called that ends with the connection.
        temporary_end: What is said at the end of its definition.
        for_update: What locks the rows of a query until the end of the transaction.
        has_schemas: Whether a table's name may have its schema before a point.
        has_fast_except: Whether EXCEPT finds what has no partner without an index.
        has_booleans: Whether true is something else than 1.
        name_or_mark: Finds quoted names, and the `?` outside of them that the driver calls `%s`;
            None where it calls them `?`.
    """

    differs: ClassVar[str] = "IS NOT"  # SQLite before 3.39 does not know IS DISTINCT FROM
    longest_name: ClassVar[int | None] = None
    temporary: ClassVar[str] = "TEMP TABLE"
    temporary_end: ClassVar[str] = ""
    for_update: ClassVar[str] = ""  # the file as a whole is locked
    has_schemas: ClassVar[bool] = False
    has_fast_except: ClassVar[bool] = True
    has_booleans: ClassVar[bool] = False
    name_or_mark: ClassVar[re.Pattern[str] | None] = None

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def quote(self, name: str) -> str:
        """The name as an identifier, whatever its characters."""
        return self._connection.dialect.identifier_preparer.quote_identifier(name)

    def quote_table(self, name: str) -> str:
        """The same for a table's name, which names its schema where the database has schemas."""
        return self.quote(name)

    def run(self, sql: str, *values: object) -> int:
        """Run a statement; gives the number of rows that it wrote."""
        return self._connection.exec_driver_sql(self._marked(sql), _bound(values)).rowcount

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query; gives its rows."""
        found = self._connection.exec_driver_sql(self._marked(sql), _bound(values))
        return [tuple(row) for row in found]

    def columns(self, table: str) -> tuple[SqlColumn, ...]:
        """The table's columns; none where there is no such table."""
        found = self.ask('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', table)
        return tuple(SqlColumn(name, kind, not must, key) for name, kind, must, key in found)

    def tables(self, schema_of: str) -> tuple[str, ...]:
        """The tables and views beside a table, for messages."""
        del schema_of
        found = self.ask("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        return tuple(sorted(name for (name,) in found))

    def expected(self, table: Table) -> tuple[SqlColumn, ...]:
        """The columns that this database should have for the table, as `columns` tells them."""
        return expected_columns(table)

    def create(self, table: Table, *, kind: str = "TABLE", indexed: Sequence[str] = ()) -> None:
        """Create the table; one of kind `temporary` ends with the transaction.

        Args:
            table: The table.
            kind: What is created.
            indexed: Columns that rows are found by, where the database cannot be told so later
                and makes no index of its own for a query.
        """
        del indexed
        parts = [
            f"{self.quote(column.name)} {column.type}{'' if column.nullable else ' NOT NULL'}"
            for column in expected_columns(table)
        ]
        if table.key:
            parts.append(f"PRIMARY KEY ({', '.join(map(self.quote, table.key))})")
        end = self.temporary_end if kind == self.temporary else ""
        self.run(f"CREATE {kind} {self.quote_table(table.name)} ({', '.join(parts)}){end}")

    def add_column(self, table: str, column: SqlColumn) -> None:
        """Add a column to a table; where it may not be null, its rows get 0 or the like.

        That is an empty text, false, or the day that times are counted from.
        """
        filled = "" if column.nullable else f" NOT NULL DEFAULT {_DEFAULTS[column.type]}"
        self.run(
            f"ALTER TABLE {self.quote_table(table)}"
            f" ADD COLUMN {self.quote(column.name)} {column.type}{filled}"
        )

    def index(self, table: str, column: str) -> None:
        """Let rows of a temporary table be found by a column from now on."""
        self.run(f"CREATE INDEX portfolio_places ON {table} ({column})")

    def forget(self) -> None:
        """Let what is deleted from now on be overwritten in the file, where there is one."""
        self.run("PRAGMA secure_delete = ON")

    def load(self, table: str, rows: pa.Table) -> None:
        """Insert the rows; dates and times go in as ISO 8601 text."""
        names = ", ".join(map(self.quote, rows.column_names))
        marks = ", ".join("?" * rows.num_columns)
        insert = self._marked(
            f"INSERT INTO {self.quote_table(table)} ({names}) VALUES ({marks})"  # noqa: S608 - the names are quoted
        )
        for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
            columns = [_values(column) for column in batch.columns]
            self._connection.exec_driver_sql(insert, list(zip(*columns, strict=True)))

    def fetch(self, query: str, schema: pa.Schema) -> pa.Table | None:
        """The rows of a query as an Arrow table; None where the database has no fast way to it."""
        del query, schema
        return None

    def upsert(self, table: Table, query: str, *values: object) -> int:
        """Insert the rows of a query, or put them in the place of those with their keys.

        Args:
            table: The table.
            query: Gives all of its columns, in its order.
            values: What is bound in the query.

        Returns:
            The number of rows inserted or replaced.
        """
        others = map(self.quote, (name for name in table.names if name not in table.key))
        changes = ", ".join(f"{name} = excluded.{name}" for name in others)
        key, names = (", ".join(map(self.quote, part)) for part in (table.key, table.names))
        # The table goes by an alias: it could itself be called excluded.
        return self.run(
            f"INSERT INTO {self.quote_table(table.name)} AS kept ({names}) {query}"
            f" ON CONFLICT ({key}) DO UPDATE SET {changes}",
            *values,
        )

    def insert_new(self, table: Table, query: str, *values: object) -> int:
        """The same, but rows whose keys are there stay as they are."""
        key = ", ".join(map(self.quote, table.key))
        return self.run(f"{self._insert(table)} {query} ON CONFLICT ({key}) DO NOTHING", *values)

    def update_from(
        self, held: str, fresh: str, changes: Mapping[str, str], condition: str, *values: object
    ) -> int:
        """Update the rows of one table by those of another for which a condition holds.

        Args:
            held: The table that is updated, called `held` in the condition.
            fresh: The other one, called `fresh`.
            changes: Quoted column -> expression.
            condition: Which rows belong together.
            values: What is bound in the condition.

        Returns:
            The number of rows updated.
        """
        changed = ", ".join(f"{name} = {value}" for name, value in changes.items())
        return self.run(
            f"UPDATE {held} AS held SET {changed} FROM {fresh} AS fresh WHERE {condition}",  # noqa: S608 - quoted by the caller
            *values,
        )

    def unmatched(self, held: str, condition: str, *, fresh: str, place: str) -> str:
        """The condition that a row of `fresh` has no partner in `held`.

        Args:
            held: The table that is searched, called `held` in the condition.
            condition: Which rows belong together.
            fresh: The other table, with the name that it has in the condition.
            place: The column that numbers its rows, with the table's name before it.
        """
        del fresh, place
        return f"NOT EXISTS (SELECT 1 FROM {held} AS held WHERE {condition})"  # noqa: S608 - quoted by the caller

    def _marked(self, sql: str) -> str:
        """The statement with the driver's own marks for bound values."""
        if self.name_or_mark is None:
            return sql
        return self.name_or_mark.sub(lambda found: "%s" if found[0] == "?" else found[0], sql)

    def _insert(self, table: Table) -> str:
        names = ", ".join(map(self.quote, table.names))
        return f"INSERT INTO {self.quote_table(table.name)} ({names})"

    def settle(self, table: str, columns: Sequence[str]) -> None:
        """Let the database learn of columns of a freshly loaded table, where that helps it plan."""

    def differ(self, left: str, right: str) -> str:
        """That two values differ, where null equals null."""
        return f"{left} {self.differs} {right}"

    def as_type(self, expression: str, sql_type: str) -> str:
        """The expression as a column of this type will hold it, to compare it with what it holds.

        SQLite compares by the column's affinity, and keeps what it is given.
        """
        del sql_type
        return expression

    def as_text(self, expression: str) -> str:
        """The expression as text."""
        return f"CAST({expression} AS TEXT)"

    def same_text(self, key: str, sql_type: str, text: str) -> str:
        """That a key, of this type, has this text.

        SQLite finds a number by its index where the text is compared with it as it is; that 7 is
        not 007 is told by its own text. A column without a type compares nothing with a text.
        """
        own = f"{self.as_text(key)} = {text}"
        is_typed = sql_type.strip() and "BLOB" not in sql_type.upper()
        return f"{key} = {text} AND {own}" if is_typed else own

    def lock(self, name: str) -> None:
        """Wait until no other transaction holds this name; SQLite's holds the whole database."""

    def is_free(self, name: str) -> bool:
        """Whether no other transaction holds this name; then this one does."""
        del name
        return True

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """What the block does is undone where the database refuses a row, and only that.

        Raises:
            RowRefusedError: A constraint, a trigger or a type refuses a row.
        """
        nested = self._connection.begin_nested()
        try:
            yield
        except sa.exc.DBAPIError as error:
            reason = refusal(error)
            if reason is None:
                raise
            try:
                nested.rollback()
            except sa.exc.DBAPIError:  # RAISE(ROLLBACK) of a trigger has ended the transaction
                raise error from None
            raise RowRefusedError(reason) from None  # the cause may show a customer's values
        nested.commit()


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


def _bound(values: Sequence[object]) -> tuple[object, ...]:
    return tuple(value.isoformat() if isinstance(value, date) else value for value in values)


def _values(column: pa.Array) -> list[Any]:
    text = column.cast(pa.string()) if pa.types.is_temporal(column.type) else column
    values: list[Any] = text.to_pylist()
    return values
