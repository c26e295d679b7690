"""A transaction that writes, for the length of a `with` block: kept, or only rehearsed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from portfolio_ml.databases.connections import Place, connection, place
from portfolio_ml.databases.writer import Writer


@contextmanager
def writing(url: str, *, base: Path) -> Iterator[Writer]:
    """A transaction on a database, committed at the end; any error rolls everything back.

    On SQLite it holds the file's write lock from its first moment, and creates a file that is
    missing. Tables that the block creates are rolled back too.

    Args:
        url: The database.
        base: The folder that a relative file is relative to.

    Raises:
        ConfigError: The URL is wrong.
        ServiceUnavailableError: The database cannot be opened or written.
        TryAgainLaterError: It is locked.
    """
    to = place(url, base=base)
    with connection(to, begin="BEGIN IMMEDIATE") as opened, opened.begin():
        yield _writer(to, opened)


@contextmanager
def rehearsing(url: str, *, base: Path) -> Iterator[Writer]:
    """Like `writing`, but nothing is kept at the end, and a missing file stays missing."""
    to = place(url, base=base)
    if to.file and to.file.parent.is_dir() and not to.file.exists():
        to = replace(to, url=sa.URL.create("sqlite+pysqlite", database=":memory:"))
    with connection(to, begin="BEGIN IMMEDIATE") as opened:
        yield _writer(to, opened)


def _writer(to: Place, opened: sa.Connection) -> Writer:
    if to.file is not None:
        return Writer(opened)
    from portfolio_ml.databases.postgresql import PostgresWriter  # noqa: PLC0415 - an extra

    writer = PostgresWriter(opened)
    writer.begin()
    return writer
