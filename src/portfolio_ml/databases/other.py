"""Writing to databases that SQLAlchemy alone leads to.

Written to, and tested against real servers, are SQLite, PostgreSQL and MariaDB; MySQL is written to
by the same statements as MariaDB, and is not tested. Of others nothing is known that they would do
with a half-written delivery, so that they are refused before a connection is opened.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from portfolio_ml.databases.writer import SqlColumn, Writer
from portfolio_ml.schema import Column, Table

_TYPES: dict[pa.DataType, TypeEngine[Any]] = {
    pa.string(): sa.Text(),
    pa.bool_(): sa.Boolean(),
    pa.int8(): sa.SmallInteger(),
    pa.int16(): sa.SmallInteger(),
    pa.int32(): sa.Integer(),
    pa.int64(): sa.BigInteger(),
    pa.float64(): sa.Double(),
    pa.date32(): sa.Date(),
    pa.timestamp("us", tz="UTC"): sa.DateTime(),
}


class OtherWriter(Writer):
    """One transaction on a server: types as its dialect spells them, tables as it reflects them.

    Args:
        connection: The open connection.
        is_rehearsal: Whether nothing may stay: tables are then created as temporary ones, since
            such servers keep a table that a transaction created and rolled back.
    """

    temporary: ClassVar[str] = "TEMPORARY TABLE"
    for_update: ClassVar[str] = " FOR UPDATE"
    has_schemas: ClassVar[bool] = True
    table_options: ClassVar[str] = ""

    def __init__(self, connection: sa.Connection, *, is_rehearsal: bool) -> None:
        super().__init__(connection)
        self._is_rehearsal = is_rehearsal

    def quote_table(self, name: str) -> str:
        """The table's name as an identifier; before a point stands its schema."""
        schema, _, table = name.rpartition(".")
        return f"{self.quote(schema)}.{self.quote(table)}" if schema else self.quote(table)

    def columns(self, table: str) -> tuple[SqlColumn, ...]:
        """The table's columns; none where there is no such table."""
        schema, _, name = table.rpartition(".")
        there = sa.inspect(self._connection)
        try:
            found = there.get_columns(name, schema=schema or None)
            key = there.get_pk_constraint(name, schema=schema or None)["constrained_columns"]
        except sa.exc.NoSuchTableError:
            return ()
        places = {column: place for place, column in enumerate(key, start=1)}
        spelt = self.spelt(name, schema)
        return tuple(
            SqlColumn(c["name"], spelt[c["name"]], c["nullable"], places.get(c["name"], 0))
            for c in found
        )

    def spelt(self, table: str, schema: str) -> dict[str, str]:
        """Each column's type as `expected` would spell it."""
        found = sa.inspect(self._connection).get_columns(table, schema=schema or None)
        return {column["name"]: self._compiled(column["type"]) for column in found}

    def tables(self, schema_of: str) -> tuple[str, ...]:
        """The tables and views beside a table, for messages."""
        schema = schema_of.rpartition(".")[0]
        there = sa.inspect(self._connection)
        names = there.get_table_names(schema or None) + there.get_view_names(schema or None)
        return tuple(sorted(f"{schema}.{name}" if schema else name for name in names))

    def expected(self, table: Table) -> tuple[SqlColumn, ...]:
        """The columns that this database should have for the table, as `columns` tells them."""
        places = {name: place for place, name in enumerate(table.key, start=1)}
        return tuple(
            SqlColumn(
                column.name,
                self._compiled(self.type_of(column, is_key=column.name in places)),
                bool(column.null),
                places.get(column.name, 0),
            )
            for column in table.columns
        )

    def type_of(self, column: Column, *, is_key: bool) -> TypeEngine[Any]:
        """The type that a column has; one of a primary key may need bounds."""
        del is_key
        return _TYPES[column.type]

    def _compiled(self, sql_type: TypeEngine[Any]) -> str:
        return sql_type.compile(dialect=self._connection.dialect)

    def create(self, table: Table, *, kind: str = "TABLE", indexed: Sequence[str] = ()) -> None:
        """Create the table; one of kind `temporary` ends with the connection."""
        columns = self.expected(table)
        parts = [
            f"{self.quote(c.name)} {c.type}{' NULL' if c.nullable else ' NOT NULL'}"
            for c in columns
        ]
        if table.key:
            parts.append(f"PRIMARY KEY ({', '.join(map(self.quote, table.key))})")
        parts += [self.index_part(c) for c in columns if c.name in indexed]
        if self._is_rehearsal:
            kind = self.temporary
        self.run(
            f"CREATE {kind} {self.quote_table(table.name)} ({', '.join(parts)}){self.table_options}"
        )

    def index_part(self, column: SqlColumn) -> str:
        """An index within the definition of a temporary table."""
        return f"INDEX ({self.quote(column.name)})"

    def index(self, table: str, column: str) -> None:
        """Nothing: the table was created with its indexes."""

    def forget(self) -> None:
        """Nothing: the server itself overwrites what is deleted."""

    def load(self, table: str, rows: pa.Table) -> None:
        """Insert the rows; times go in as UTC, without saying so."""
        for place, field in enumerate(rows.schema):
            if pa.types.is_timestamp(field.type):
                naive = rows.column(place).cast(pa.timestamp("us"))
                rows = rows.set_column(place, field.name, naive)
        super().load(table, rows)


def plain_type(spelling: str) -> str:
    """A type's name without its bounds.

    Example:
        >>> plain_type("DECIMAL(5,4) unsigned"), plain_type("LONGTEXT COLLATE utf8mb4_bin")
        ('decimal', 'longtext')
    """
    return re.split(r"[\s(]", spelling.lower(), maxsplit=1)[0]
