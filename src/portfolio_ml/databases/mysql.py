"""Writing to MariaDB and MySQL.

Three things set them apart. A statement that creates a table ends the transaction: all tables are
created before anything is written, so that a delivery that breaks off leaves empty ones at most.
`ON DUPLICATE KEY UPDATE` follows any unique index, and would overwrite one customer by another
where the CRM has added one: rows are updated and inserted by two statements. And texts are compared
without regard to case and trailing blanks: the package's own columns have a collation that has.
"""
# ruff: noqa: S608 - every identifier is quoted, every value is bound

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pyarrow as pa
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from portfolio_ml.databases.other import OtherWriter, plain_type
from portfolio_ml.databases.writer import SqlColumn
from portfolio_ml.errors import ConfigError, TryAgainLaterError
from portfolio_ml.schema import Column, Table

LOCK_WAIT_SECONDS = 600
"""How long another delivery to the same table is waited for."""
KEY_CHARACTERS = 255
CHANGED = "portfolio_changed"
"""Rows on their way into a table, gathered first: a table cannot be read and updated at once."""
MATCHED = "portfolio_matched"
"""The places of staged rows that have a partner in the CRM's table."""

_MODE = (
    "STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION"
)
_QUOTES = "IF(FIND_IN_SET('ANSI_QUOTES', @@sql_mode), ',ANSI_QUOTES', '')"
"""Stays where it is: SQLAlchemy has seen it, and quotes by it."""
_SETTINGS = (
    f"SET SESSION sql_mode = CONCAT('{_MODE}', {_QUOTES})",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}",
    f"SET SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}",
    "SET SESSION sql_safe_updates = 0, SESSION sql_select_limit = DEFAULT",
)
_SPELLINGS = """
SELECT column_name, column_type, collation_name FROM information_schema.columns
WHERE table_schema = COALESCE(NULLIF(%s, ''), DATABASE())
AND table_name = CONVERT(%s USING utf8mb3)
"""
_ENGINE = """
SELECT t.engine FROM information_schema.tables AS t
JOIN information_schema.engines AS e ON e.engine = t.engine
WHERE t.table_schema = COALESCE(NULLIF(%s, ''), DATABASE())
AND t.table_name = CONVERT(%s USING utf8mb3) AND e.transactions = 'NO'
"""
_INTEGERS = {"tinyint", "smallint", "mediumint", "integer", "bigint"}
_TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}


class MySqlWriter(OtherWriter):
    """One transaction on MariaDB or MySQL."""

    has_fast_except: ClassVar[bool] = False
    name_or_mark = re.compile(r"`[^`]*`|\?")
    longest_name: ClassVar[int | None] = 64
    table_options: ClassVar[str] = " ENGINE = InnoDB"

    def begin(self) -> None:
        """Settle what would else depend on the server's or the user's own settings.

        Values that a column cannot hold are refused instead of cut, and what others commit while
        this transaction waits for its lock is seen.
        """
        for statement in _SETTINGS:
            self.run(statement)
        self._gathered: set[str] = set()

    @property
    def collation(self) -> str:
        """The collation that tells all texts apart, by case, accents and trailing blanks."""
        is_mariadb = getattr(self._connection.dialect, "is_mariadb", False)
        return "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"

    def quote(self, name: str) -> str:
        """The name as an identifier, whatever its characters and the server's SQL mode."""
        return "`" + name.replace("`", "``").replace("%", "%%") + "`"

    def columns(self, table: str) -> tuple[SqlColumn, ...]:
        """The table's columns; none where there is no such table.

        Raises:
            ConfigError: The table's engine has no transactions, so that a delivery that breaks off
                would leave half of its rows.
        """
        schema, _, name = table.rpartition(".")
        if found := self.ask(_ENGINE, schema, name):
            raise ConfigError(
                f"table {table!r} has no transactions",
                saw=f"engine {found[0][0]}",
                do=f"ALTER TABLE {table} ENGINE = InnoDB",
            )
        return super().columns(table)

    def spelt(self, table: str, schema: str) -> dict[str, str]:
        """Each column's type as `expected` would spell it."""
        found = self.ask(_SPELLINGS, schema, table)
        return {name: _spelt(kind, collation) for name, kind, collation in found}

    def type_of(self, column: Column, *, is_key: bool) -> TypeEngine[Any]:
        """The type that a column has: a text of a key has an end, any other has none."""
        if column.type == pa.string():
            if is_key:
                return mysql.VARCHAR(KEY_CHARACTERS, collation=self.collation)
            return mysql.LONGTEXT(collation=self.collation)
        if pa.types.is_timestamp(column.type):
            return mysql.DATETIME(fsp=6)
        return super().type_of(column, is_key=is_key)

    def index_part(self, column: SqlColumn) -> str:
        """An index within the definition of a temporary table; of a long text it has the start."""
        length = f"({KEY_CHARACTERS})" if plain_type(column.type) in _TEXTS else ""
        return f"INDEX ({self.quote(column.name)}{length})"

    def add_column(self, table: str, column: SqlColumn) -> None:
        """Add a column to a table; where it may not be null, its rows get 0 or an empty text."""
        null = "NULL" if column.nullable else "NOT NULL"
        self.run(
            f"ALTER TABLE {self.quote_table(table)}"
            f" ADD COLUMN {self.quote(column.name)} {column.type} {null}"
        )

    def upsert(self, table: Table, query: str, *values: object) -> int:
        """Insert the rows of a query, or put them in the place of those with their keys."""
        self._gather(table, query, *values)
        others = map(self.quote, (name for name in table.names if name not in table.key))
        updated = self.update_from(
            self.quote_table(table.name),
            CHANGED,
            {name: f"fresh.{name}" for name in others},
            self._same_key(table),
        )
        return updated + self._insert_gathered(table)

    def insert_new(self, table: Table, query: str, *values: object) -> int:
        """The same, but rows whose keys are there stay as they are."""
        self._gather(table, query, *values)
        return self._insert_gathered(table)

    def update_from(
        self, held: str, fresh: str, changes: Mapping[str, str], condition: str, *values: object
    ) -> int:
        """Update the rows of one table by those of another for which a condition holds."""
        changed = ", ".join(f"held.{name} = {value}" for name, value in changes.items())
        return self.run(
            f"UPDATE {held} AS held JOIN {fresh} AS fresh ON {condition} SET {changed}", *values
        )

    def unmatched(self, held: str, condition: str, *, fresh: str, place: str) -> str:
        """The condition that a row of `fresh` has no partner in `held`.

        The partners are looked up from the other side first, since only `fresh` surely has an
        index for it.
        """
        self._create_once(
            Table(MATCHED, "one match", (), (Column("place", pa.int64(), "its place"),)),
            indexed=("place",),
        )
        self.run(f"DELETE FROM {MATCHED}")
        self.run(
            f"INSERT INTO {MATCHED} (place)"
            f" SELECT {place} FROM {held} AS held JOIN {fresh} ON {condition}"
        )
        return f"{place} NOT IN (SELECT place FROM {MATCHED})"

    def _gather(self, table: Table, query: str, *values: object) -> None:
        self._create_once(replace(table, name=CHANGED, key=()), indexed=table.key)
        self.run(f"DELETE FROM {CHANGED}")
        self.run(f"{self._insert(replace(table, name=CHANGED))} {query}", *values)

    def _insert_gathered(self, table: Table) -> int:
        names = ", ".join(f"fresh.{self.quote(name)}" for name in table.names)
        return self.run(
            f"{self._insert(table)} SELECT {names} FROM {CHANGED} AS fresh"
            f" LEFT JOIN {self.quote_table(table.name)} AS held ON {self._same_key(table)}"
            f" WHERE held.{self.quote(table.key[0])} IS NULL"
        )

    def _same_key(self, table: Table) -> str:
        return " AND ".join(f"held.{name} = fresh.{name}" for name in map(self.quote, table.key))

    def _create_once(self, table: Table, *, indexed: tuple[str, ...]) -> None:
        if table.name not in self._gathered:
            self.create(table, kind=self.temporary, indexed=indexed)
            self._gathered.add(table.name)  # no rollback removes it

    def differ(self, left: str, right: str) -> str:
        """That two values differ, where null equals null."""
        return f"NOT ({left} <=> {right})"

    def as_type(self, expression: str, sql_type: str) -> str:
        """The expression as a column of this type will hold it; texts keep their length."""
        plain = plain_type(sql_type)
        if plain in _TEXTS:
            text = self.as_text(expression)
            return f"TRIM(TRAILING ' ' FROM {text})" if plain == "char" else text
        if plain in _INTEGERS:
            return f"CAST({expression} AS SIGNED)"
        if plain in {"datetime", "timestamp"}:
            digits = re.search(r"\(\d\)", sql_type)
            return f"CAST({expression} AS DATETIME{digits[0] if digits else ''})"
        if plain == "decimal":
            return f"CAST({expression} AS {sql_type.partition(')')[0]}))"
        return f"CAST({expression} AS {plain})" if plain in {"float", "date"} else expression

    def same_text(self, key: str, sql_type: str, text: str) -> str:
        """That a key has this text."""
        del sql_type
        return f"{self.as_text(key)} = {text}"

    def as_text(self, expression: str) -> str:
        """The expression as text, told apart from all others."""
        return f"CAST({expression} AS CHAR CHARACTER SET utf8mb4) COLLATE {self.collation}"

    def lock(self, name: str) -> None:
        """Wait until no other connection holds this name; it is let go when the connection ends.

        Raises:
            TryAgainLaterError: The other one holds it for long.
        """
        [[database]] = self.ask("SELECT DATABASE()")
        short = hashlib.sha256(f"{database} {name}".encode()).hexdigest()[:48]
        [[is_ours]] = self.ask("SELECT GET_LOCK(%s, %s)", short, LOCK_WAIT_SECONDS)
        if is_ours != 1:
            raise TryAgainLaterError("another delivery holds the table", do="run again later")


def _spelt(column_type: str, collation: str | None) -> str:
    """A type as the server tells it, spelt as it is when a table is created.

    Example:
        >>> _spelt("tinyint(1)", None), _spelt("int(11)", None), _spelt("datetime(6)", None)
        ('BOOL', 'INTEGER', 'DATETIME(6)')
        >>> _spelt("varchar(9)", "latin1_bin"), _spelt("enum('a','b')", "latin1_bin")
        ('VARCHAR(9) COLLATE latin1_bin', 'ENUM')
    """
    if column_type == "tinyint(1)":
        return "BOOL"
    plain, upper = plain_type(column_type), column_type.upper()
    if plain in {"enum", "set"}:
        return plain.upper()
    if plain in _TEXTS:
        return f"{upper} COLLATE {collation}"
    if plain == "int" or plain in _INTEGERS:
        upper = re.sub(r"\(\d+\)", "", upper)
        return re.sub(r"^INT\b", "INTEGER", upper)
    return upper
