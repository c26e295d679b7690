"""The rows of a delivery in a table that only its transaction sees."""
# ruff: noqa: S608 - every identifier is quoted by the dialect, every value is bound

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import pyarrow as pa

from portfolio_ml.databases import Writer
from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.accepted import Accepted, accepted

STAGING = "portfolio_staging"
PLACE = "portfolio_place"
"""The column of the staging table that numbers its rows, from 1."""


@dataclass(frozen=True, slots=True)
class Names:
    """Lists of identifiers as SQL."""

    database: Writer

    def listed(self, names: Iterable[str], *, of: str = "") -> str:
        """The names with commas between them, each of the table `of`."""
        prefix = f"{of}." if of else ""
        return ", ".join(prefix + self.database.quote(name) for name in names)

    def equal(self, names: Iterable[str], left: str, right: str) -> str:
        """That two tables have the same values in these columns."""
        quoted = map(self.database.quote, names)
        return " AND ".join(f"{left}.{name} = {right}.{name}" for name in quoted)


class Batched(Protocol):
    """Rows that come a batch at a time."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, in their order."""


def stage(delivery: Batched, contract: Table, database: Writer) -> Accepted:
    """Load the rows into the staging table, numbered in their order.

    Rows with a text that the database cannot hold, such as one with a NUL or with letters that its
    encoding lacks, stay outside.
    """
    begin(contract, database)
    found, place = Accepted(), 1
    for batch in delivery.batches():
        places = pa.array(range(place, place + batch.num_rows))
        rows = pa.Table.from_batches([batch]).add_column(0, PLACE, places)
        these = loaded(rows, STAGING, database)
        found.written += these.written
        found.refused |= {place - 1 + number: why for number, why in these.refused.items()}
        place += batch.num_rows
    database.settle(STAGING, contract.key)
    return found


def begin(contract: Table, database: Writer) -> None:
    """Create the staging table, empty."""
    place = Column(PLACE, pa.int64(), "the row's place in the delivery, from 1")
    table = replace(contract, name=STAGING, key=(), columns=(place, *contract.columns))
    database.create(table, kind=database.temporary, indexed=(PLACE, *contract.key))


def loaded(rows: pa.Table, table: str, database: Writer) -> Accepted:
    """Load the rows into a table but those that the database refuses."""

    def load(first: int, last: int) -> int:
        database.load(table, rows.slice(first - 1, last - first + 1))
        return last - first + 1

    return accepted(database, load, last=rows.num_rows)


def load_values(values: pa.Array, column: Column, table: str, database: Writer) -> None:
    """Create a table that ends with the transaction, of one column with these values.

    Those that the database cannot hold are in none of its rows, and are left out.
    """
    one = Table(name=table, grain="one value", key=(), columns=(column,))
    database.create(one, kind=database.temporary, indexed=(column.name,))
    loaded(pa.table([values], names=[column.name]), table, database)
    database.settle(table, (column.name,))


def number(database: Writer) -> None:
    """Let single rows be found by their places, where it comes to that."""
    database.index(STAGING, PLACE)


def unstage(places: Collection[int], database: Writer) -> None:
    """Take rows out of the staging table."""
    column = Column(PLACE, pa.int64(), "the place of a row to take out")
    load_values(pa.array(places, pa.int64()), column, "portfolio_unstaged", database)
    database.run(f"DELETE FROM {STAGING} WHERE {PLACE} IN (SELECT {PLACE} FROM portfolio_unstaged)")
