"""The rows of a delivery in a table that only its transaction sees."""
# ruff: noqa: S608 - every identifier is quoted by the dialect, every value is bound

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa

from portfolio_ml.databases import Writer
from portfolio_ml.schema import Column, Table

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


def stage(rows: pa.Table, contract: Table, database: Writer) -> None:
    """Load the rows into the staging table, numbered in their order."""
    place = Column(PLACE, pa.int64(), "the row's place in the delivery, from 1")
    table = replace(contract, name=STAGING, key=(), columns=(place, *contract.columns))
    database.create(table, kind=database.temporary)
    database.load(STAGING, rows.add_column(0, PLACE, pa.array(range(1, rows.num_rows + 1))))
    database.settle(STAGING, contract.key)


def number(database: Writer) -> None:
    """Let single rows be found by their places, where it comes to that."""
    database.run(f"CREATE INDEX portfolio_places ON {STAGING} ({PLACE})")


def unstage(places: Iterable[int], database: Writer) -> None:
    """Take rows out of the staging table."""
    for place in places:
        database.run(f"DELETE FROM {STAGING} WHERE {PLACE} = ?", place)
