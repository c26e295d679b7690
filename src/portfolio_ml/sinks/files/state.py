"""Receipts and refused rows of file targets, in the state database.

One transaction spans the writing of a file: it says before the file is touched whether the
database can be written, and makes deliveries to the same file wait for each other. The file is
renamed before it commits, so a receipt never speaks of rows that are not there.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from portfolio_ml.config import Settings
from portfolio_ml.databases import Writer, redacted, writing
from portfolio_ml.errors import PortfolioError
from portfolio_ml.sinks.ledger import Ledger

Open = Callable[..., AbstractContextManager[Writer]]


@contextmanager
def state_of(settings: Settings, table: str, *, opened: Open = writing) -> Iterator[Ledger]:
    """What is kept of the deliveries to a file, in a transaction; errors say where that is.

    Args:
        settings: The portfolio's settings.
        table: What the file's deliveries are called there.
        opened: `databases.writing`, or `databases.rehearsing`, which keeps nothing.

    Raises:
        ConfigError: The URL is wrong, or the tables there have other columns.
        ServiceUnavailableError: The database cannot be opened or written.
        TryAgainLaterError: It is locked.
    """
    url = settings.state.url
    with _named(redacted(url)), opened(url, base=settings.base) as database:
        ledger = Ledger(table, database, where=redacted(url))
        # SQLite lets a transaction begin that may not write, and says so at the first statement.
        ledger.forget("")
        yield ledger


@contextmanager
def _named(place: str) -> Iterator[None]:
    try:
        yield
    except PortfolioError as error:
        if error.where != place:  # it is about a file
            raise
        where = f"{place}, state.url of the config"
        raise type(error)(error.what, where=where, saw=error.saw, do=error.do) from error
