"""The statements that bring staged rows into a table of the package's own and its history.

The *figures* of a row are its columns without key, `as_of` and lineage: a row is written where
they differ. So `as_of` in the current table says since when the figures have been these, and the
history has a row for every as-of date on which they changed.
"""
# ruff: noqa: S608 - every identifier is quoted by the dialect, every value is bound

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from portfolio_ml.databases import Writer
from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.staging import PLACE, STAGING, Names, load_values


@dataclass(frozen=True, slots=True)
class Upsert:
    """Staged rows of one as-of date on their way into a table and its history.

    Attributes:
        current: The table with a row a key.
        history: The table with a row a key and as-of date.
        database: The transaction.
    """

    current: Table
    history: Table
    database: Writer

    @property
    def _names(self) -> Names:
        return Names(self.database)

    def write(self, first: int, last: int) -> int:
        """Bring staged rows into both tables; gives how many the current table took.

        What changes is told by the current table, which has the newest row of the history for
        every key, so the history is written first.
        """
        listed = self._names.listed
        changed = (
            f"FROM {STAGING} AS fresh LEFT JOIN {self._table(self.current)} AS held"
            f" ON {self._names.equal(self.current.key, 'held', 'fresh')}"
            f" WHERE fresh.{PLACE} BETWEEN ? AND ?"
            f" AND (held.as_of IS NULL OR {self._figures_differ('held', 'fresh')})"
        )
        for table in (self.history, self.current):
            names = listed(table.names, of="fresh")
            written = self.database.upsert(table, f"SELECT {names} {changed}", first, last)
            if not written:
                break
        return written

    def holds(self, rows: pa.Table) -> bool:
        """Whether the current table has just these figures, where that can be seen fast."""
        names = [*self.current.key, *(column.name for column in self._figures)]
        held = self.database.fetch(
            f"SELECT {self._names.listed(names)} FROM {self._table(self.current)}",
            pa.schema([self.current.arrow.field(name).with_nullable(True) for name in names]),
        )
        if held is None or held.num_rows != rows.num_rows:
            return False
        fresh = rows.select(names).cast(held.schema)
        order = [(name, "ascending") for name in self.current.key]
        return bool(held.sort_by(order).equals(fresh))

    def write_to_history(self, first: int, last: int) -> int:
        """Add staged rows that differ from the newest before them to the history alone.

        Gives the number of rows written. A row of the same as-of date is replaced.
        """
        return self.database.upsert(
            self.history,
            f"SELECT {self._names.listed(self.history.names, of='fresh')} {self._fresh_and_held()}"
            f" WHERE fresh.{PLACE} BETWEEN ? AND ?"
            f" AND (held.as_of IS NULL OR {self._figures_differ('held', 'fresh')})",
            first,
            last,
        )

    def repeat_on(self, following: date) -> None:
        """Before late rows come in, repeat on the next delivered date what they would hide.

        The history is silent where nothing changed: without this, the late figures would seem to
        last until the next change.
        """
        names, listed = self.history.names, self._names.listed
        values = ", ".join("?" if n == "as_of" else listed([n], of="held") for n in names)
        self.database.insert_new(
            self.history,
            f"SELECT {values} {self._fresh_and_held()}"
            f" WHERE held.as_of IS NOT NULL AND ({self._figures_differ('held', 'fresh')})",
            following,
        )

    def retire(self, customers: Collection[str]) -> int:
        """Remove the current rows of these customers; gives how many there were."""
        if not customers:
            return 0
        [column] = [c for c in self.current.columns if c.name in self.current.key]
        ids = pa.array(sorted(customers), pa.string())
        load_values(ids, column, "portfolio_retired", self.database)
        key = self._names.listed(self.current.key)
        return self.database.run(
            f"DELETE FROM {self._table(self.current)}"
            f" WHERE {key} IN (SELECT {key} FROM portfolio_retired)"
        )

    def retire_vanished(self) -> int:
        """Remove the current rows whose keys are not staged; gives how many there were."""
        current, key = self._table(self.current), self.current.key
        return self.database.run(
            f"DELETE FROM {current} WHERE NOT EXISTS (SELECT 1 FROM {STAGING} AS fresh"
            f" WHERE {self._names.equal(key, current, 'fresh')})"
        )

    def _fresh_and_held(self) -> str:
        """Each staged row beside the newest row of the history at or before its as-of date."""
        history, key = self._table(self.history), self.current.key
        return (
            f"FROM {STAGING} AS fresh LEFT JOIN {history} AS held"
            f" ON {self._names.equal(key, 'held', 'fresh')} AND held.as_of = ("
            f"SELECT MAX(past.as_of) FROM {history} AS past"
            f" WHERE {self._names.equal(key, 'past', 'fresh')} AND past.as_of <= fresh.as_of)"
        )

    def _figures_differ(self, left: str, right: str) -> str:
        figures = (self.database.quote(column.name) for column in self._figures)
        differ = self.database.differ
        return " OR ".join(differ(f"{left}.{name}", f"{right}.{name}") for name in figures)

    @property
    def _figures(self) -> tuple[Column, ...]:
        others = self.history.key
        return tuple(c for c in self.current.columns if not c.lineage and c.name not in others)

    def _table(self, table: Table) -> str:
        return self.database.quote_table(table.name)
