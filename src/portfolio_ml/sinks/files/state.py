"""Receipts and refused rows of file targets, in the state database.

One transaction spans the writing of a file: it says before the file is touched whether the
database can be written, and makes deliveries to the same file wait for each other. The file is
renamed before it commits, so a receipt never speaks of rows that are not there.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from portfolio_ml.config import Settings
from portfolio_ml.databases import Writer, redacted, writing
from portfolio_ml.errors import PortfolioError
from portfolio_ml.schema import Table
from portfolio_ml.sinks.receipts import REJECTS, RUNS, Receipt
from portfolio_ml.sinks.tables import create_or_check

Open = Callable[..., AbstractContextManager[Writer]]


@dataclass(frozen=True, slots=True)
class State:
    """The state database within one transaction.

    Attributes:
        database: The transaction.
    """

    database: Writer

    def newest_as_of(self, target: str) -> date | None:
        """The newest as-of date that was delivered to a target; None before the first."""
        found = self.database.ask(
            f"SELECT MAX(as_of) FROM {RUNS.name} WHERE target = ? AND status = ?",  # noqa: S608 - a constant
            target,
            "delivered",
        )
        newest = found[0][0]
        if newest is None or isinstance(newest, date):
            return newest
        return date.fromisoformat(str(newest))

    def record(self, receipt: Receipt, rejects: pa.Table) -> None:
        """Leave the receipt and the refused rows, in place of those of an earlier attempt."""
        attempt = {
            "run_id": receipt.run_id,
            "table_name": receipt.table,
            "as_of": receipt.as_of,
        }
        self._remove(REJECTS, attempt)
        self._remove(RUNS, attempt)
        self.database.load(REJECTS.name, rejects)
        self.database.load(RUNS.name, receipt.as_table())

    def forget(self, customer_id: str, table: str) -> int:
        """Remove a customer's refused rows of a target; gives how many there were."""
        return self._remove(REJECTS, {"table_name": table, "customer_id": customer_id})

    def _remove(self, table: Table, where: Mapping[str, object]) -> int:
        matches = " AND ".join(f"{self.database.quote(name)} = ?" for name in where)
        return self.database.run(f"DELETE FROM {table.name} WHERE {matches}", *where.values())  # noqa: S608 - a constant, quoted and bound


@contextmanager
def state_of(settings: Settings, *, opened: Open = writing) -> Iterator[State]:
    """The state database in a transaction, with its tables; errors say which database it is.

    Args:
        settings: The portfolio's settings.
        opened: `databases.writing`, or `databases.rehearsing`, which keeps nothing.

    Raises:
        ConfigError: The URL is wrong, or the tables there have other columns.
        ServiceUnavailableError: The database cannot be opened or written.
        TryAgainLaterError: It is locked.
    """
    url = settings.state.url
    with _named(redacted(url)), opened(url, base=settings.base) as database:
        create_or_check((RUNS, REJECTS), database, where=redacted(url))
        # SQLite lets a transaction begin that may not write, and says so at the first statement.
        database.run(f"DELETE FROM {RUNS.name} WHERE 1 = 0")  # noqa: S608 - a constant
        yield State(database)


@contextmanager
def _named(place: str) -> Iterator[None]:
    try:
        yield
    except PortfolioError as error:
        if error.where != place:  # it is about a file
            raise
        where = f"{place}, state.url of the config"
        raise type(error)(error.what, where=where, saw=error.saw, do=error.do) from error
