"""Writing to PostgreSQL: rows through COPY, locks by name, types as the server spells them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv
import sqlalchemy as sa

from portfolio_ml.databases.writer import SqlColumn, Writer
from portfolio_ml.schema import Table

COPY_ROWS = 50_000
BLOCK_BYTES = 8_000_000
LOCK_WAIT = "10min"
"""How long another delivery to the same table is waited for."""

# A domain is told as the type that it is of: a cast to the domain would cut a text silently.
_COLUMNS = """
WITH RECURSIVE col (num, name, nullable, key, type, mod) AS (
    SELECT a.attnum, a.attname, NOT a.attnotnull,
        COALESCE(array_position(i.indkey::int2[], a.attnum) + 1, 0), a.atttypid, a.atttypmod
    FROM pg_attribute AS a
    LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT num, name, nullable AND NOT t.typnotnull, key, t.typbasetype, t.typtypmod
    FROM col JOIN pg_type AS t ON t.oid = col.type AND t.typtype = 'd'
)
SELECT name, format_type(type, mod), nullable, key
FROM col JOIN pg_type AS t ON t.oid = col.type AND t.typtype <> 'd'
ORDER BY num
"""
_TABLES = """
SELECT CASE WHEN table_schema = current_schema() THEN table_name
    ELSE table_schema || '.' || table_name END
FROM information_schema.tables WHERE table_schema = COALESCE(?, current_schema())
ORDER BY 1
"""


class PostgresWriter(Writer):
    """One transaction on PostgreSQL."""

    differs: ClassVar[str] = "IS DISTINCT FROM"
    longest_name: ClassVar[int | None] = 63
    for_update: ClassVar[str] = " FOR UPDATE"
    has_schemas: ClassVar[bool] = True
    has_booleans: ClassVar[bool] = True
    name_or_mark = re.compile(r'"[^"]*"|\?')
    temporary_end: ClassVar[str] = " ON COMMIT DROP"  # a pooled connection outlives its transaction

    def begin(self) -> None:
        """Settle what would else depend on the server's or the user's own settings.

        What others commit while this transaction waits for its lock is seen. Times are told in UTC,
        numbers with all their digits and types without quotes; a lock is waited for `LOCK_WAIT`;
        and constraints speak at once, so that the row that breaks one can be told from the others.
        """
        self.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self.run("SET LOCAL TIME ZONE 'UTC'")
        self.run("SET LOCAL extra_float_digits = 1")
        self.run("SET LOCAL quote_all_identifiers = off")
        self.run("SELECT set_config('lock_timeout', ?, true)", LOCK_WAIT)
        self.run("SET CONSTRAINTS ALL IMMEDIATE")

    def quote_table(self, name: str) -> str:
        """The table's name as an identifier; before a point stands its schema."""
        schema, _, table = name.rpartition(".")
        return f"{self.quote(schema)}.{self.quote(table)}" if schema else self.quote(table)

    def columns(self, table: str) -> tuple[SqlColumn, ...]:
        """The table's columns; none where there is no such table."""
        name = self.quote_table(table).replace("%%", "%")  # bound, so no percent sign is doubled
        return tuple(SqlColumn(*found) for found in self.ask(_COLUMNS, name))

    def tables(self, schema_of: str) -> tuple[str, ...]:
        """The tables and views beside a table, for messages."""
        return tuple(name for (name,) in self.ask(_TABLES, schema_of.rpartition(".")[0] or None))

    def create(self, table: Table, *, kind: str = "TABLE", indexed: Sequence[str] = ()) -> None:
        """Create the table, with what it and its columns hold as comments."""
        super().create(table, kind=kind, indexed=indexed)
        if kind != "TABLE":
            return
        name = self.quote_table(table.name)
        self.run(f"COMMENT ON TABLE {name} IS {_literal(f'One row: {table.grain}')}")
        for column in table.columns:
            meaning = (
                f"{column.description}; null: {column.null}" if column.null else column.description
            )
            self.run(f"COMMENT ON COLUMN {name}.{self.quote(column.name)} IS {_literal(meaning)}")

    def load(self, table: str, rows: pa.Table) -> None:
        """Copy the rows into the table, as CSV that Arrow writes."""
        names = ", ".join(map(self.quote, rows.column_names))
        options = pacsv.WriteOptions(include_header=False)
        statement = f"COPY {self.quote_table(table)} ({names}) FROM STDIN (FORMAT csv)"
        with self._copying(statement) as copy:
            for batch in rows.to_batches(max_chunksize=COPY_ROWS):
                sink = pa.BufferOutputStream()
                pacsv.write_csv(pa.Table.from_batches([batch]), sink, options)
                copy.write(sink.getvalue())

    def fetch(self, query: str, schema: pa.Schema) -> pa.Table:
        """The rows of a query as an Arrow table, through CSV that Arrow reads."""
        sink = pa.BufferOutputStream()
        with self._copying(f"COPY ({query}) TO STDOUT (FORMAT csv)") as copy:
            for part in copy:
                sink.write(part)
        text = sink.getvalue()
        if not text.size:
            return schema.empty_table()
        return pacsv.read_csv(
            pa.BufferReader(text),
            read_options=pacsv.ReadOptions(column_names=schema.names, block_size=BLOCK_BYTES),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=schema,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
                true_values=["t"],
                false_values=["f"],
            ),
        )

    @contextmanager
    def _copying(self, statement: str) -> Iterator[psycopg.Copy]:
        driver: psycopg.Connection[Any] = self._connection.connection.dbapi_connection  # type: ignore[assignment]  # its own
        try:
            with driver.cursor() as cursor, cursor.copy(_plain(statement)) as copy:
                yield copy
        except psycopg.Error as error:
            raise sa.exc.DBAPIError.instance(
                statement, None, error, psycopg.Error, hide_parameters=True
            ) from error

    def settle(self, table: str, columns: Sequence[str]) -> None:
        """Let the server see how many rows a freshly loaded table has, and how many values."""
        self.run(f"ANALYZE {self.quote_table(table)} ({', '.join(map(self.quote, columns))})")

    def forget(self) -> None:
        """Nothing: the server's own vacuum overwrites what is deleted."""

    def as_type(self, expression: str, sql_type: str) -> str:
        """The expression as a column of this type will hold it.

        Texts keep their length: a cast to `varchar(5)` would cut silently what an assignment
        refuses. `bpchar`, like `char(5)`, ignores blanks at the end.
        """
        text = f"CAST({expression} AS text)"
        if sql_type == "text" or sql_type.startswith("character varying"):
            return text
        if sql_type.startswith("character"):
            return f"CAST({text} AS bpchar)"
        return f"CAST({expression} AS {sql_type.replace('%', '%%')})"

    def same_text(self, key: str, sql_type: str, text: str) -> str:
        """That a key, of this type, has this text."""
        is_text = sql_type == "text" or sql_type.startswith("character")
        return f"{key if is_text else self.as_text(key)} = {text}"

    def lock(self, name: str) -> None:
        """Wait until no other transaction holds this name."""
        self.run("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", name)

    def is_free(self, name: str) -> bool:
        """Whether no other transaction holds this name; then this one does."""
        [[taken]] = self.ask("SELECT pg_try_advisory_xact_lock(hashtextextended(?, 0))", name)
        return bool(taken)


def _plain(statement: str) -> bytes:
    """A statement without bound values, whose percent signs are therefore not doubled."""
    return statement.replace("%%", "%").encode()


def _literal(text: str) -> str:
    """A text of the package's own as SQL, where no value can be bound."""
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"
