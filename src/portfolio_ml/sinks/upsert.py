"""The statements that bring staged rows into a table and its history.

The *figures* of a row are its columns without key, `as_of` and lineage: a row is written where
they differ. So `as_of` in the current table says since when the figures have been these, and the
history has a row for every as-of date on which they changed.
"""
# ruff: noqa: S608 - every identifier is quoted by the dialect, every value is bound

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa

from portfolio_ml.databases import Writer
from portfolio_ml.schema import Table

STAGING = "portfolio_staging"


@dataclass(frozen=True, slots=True)
class Upsert:
    """Rows of one as-of date on their way into a table and its history.

    Attributes:
        current: The table with a row a key.
        history: The table with a row a key and as-of date.
        database: The transaction.
    """

    current: Table
    history: Table
    database: Writer

    def stage(self, rows: pa.Table) -> None:
        """Load the rows into a table that only this connection sees."""
        self.database.create(replace(self.current, name=STAGING, key=()), kind="TEMP TABLE")
        self.database.load(STAGING, rows)

    def update_current(self) -> int:
        """Insert new keys, update changed rows; gives the number of rows written."""
        names = self._listed(self.current.names)
        return self.database.run(
            f"INSERT INTO {self._quoted(self.current)} AS held ({names})"
            f" SELECT {names} FROM {STAGING} WHERE 1 = 1"
            f" {self._on_conflict_update(self.current)}"
            f" WHERE {self._figures_differ('held', 'excluded')}"
        )

    def add_to_history(self) -> int:
        """Add the rows that differ from the newest before them; gives the number of rows written.

        A row of the same as-of date is replaced.
        """
        names = self.history.names
        return self.database.run(
            f"INSERT INTO {self._quoted(self.history)} ({self._listed(names)})"
            f" SELECT {self._listed(names, of='fresh')} {self._fresh_and_held()}"
            f" WHERE held.as_of IS NULL OR {self._figures_differ('held', 'fresh')}"
            f" {self._on_conflict_update(self.history)}"
        )

    def repeat_on(self, following: date) -> None:
        """Before late rows come in, repeat on the next delivered date what they would hide.

        The history is silent where nothing changed: without this, the late figures would seem to
        last until the next change.
        """
        names = self.history.names
        values = ", ".join("?" if n == "as_of" else self._listed([n], of="held") for n in names)
        self.database.run(
            f"INSERT INTO {self._quoted(self.history)} ({self._listed(names)})"
            f" SELECT {values} {self._fresh_and_held()}"
            f" WHERE held.as_of IS NOT NULL AND ({self._figures_differ('held', 'fresh')})"
            f" ON CONFLICT ({self._listed(self.history.key)}) DO NOTHING",
            following,
        )

    def _fresh_and_held(self) -> str:
        """Each staged row beside the newest row of the history at or before its as-of date."""
        history, key = self._quoted(self.history), self.current.key
        return (
            f"FROM {STAGING} AS fresh LEFT JOIN {history} AS held"
            f" ON {self._equal(key, 'held', 'fresh')} AND held.as_of = ("
            f"SELECT MAX(past.as_of) FROM {history} AS past"
            f" WHERE {self._equal(key, 'past', 'fresh')} AND past.as_of <= fresh.as_of)"
        )

    def _on_conflict_update(self, table: Table) -> str:
        others = map(self.database.quote, (n for n in table.names if n not in table.key))
        changes = ", ".join(f"{name} = excluded.{name}" for name in others)
        return f"ON CONFLICT ({self._listed(table.key)}) DO UPDATE SET {changes}"

    def _figures_differ(self, left: str, right: str) -> str:
        figures = (
            self.database.quote(column.name)
            for column in self.current.columns
            if not column.lineage and column.name not in self.history.key
        )
        differs = self.database.differs
        return " OR ".join(f"{left}.{name} {differs} {right}.{name}" for name in figures)

    def _equal(self, names: Iterable[str], left: str, right: str) -> str:
        quoted = map(self.database.quote, names)
        return " AND ".join(f"{left}.{name} = {right}.{name}" for name in quoted)

    def _listed(self, names: Iterable[str], *, of: str = "") -> str:
        prefix = f"{of}." if of else ""
        return ", ".join(prefix + self.database.quote(name) for name in names)

    def _quoted(self, table: Table) -> str:
        return self.database.quote(table.name)
