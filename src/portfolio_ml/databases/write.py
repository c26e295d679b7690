"""A transaction that writes, for the length of a `with` block: kept, or only rehearsed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from portfolio_ml.databases.connections import Place, connection, place
from portfolio_ml.databases.dialects import MYSQL
from portfolio_ml.databases.mysql import MySqlWriter
from portfolio_ml.databases.writer import Writer
from portfolio_ml.errors import ConfigError


@contextmanager
def writing(url: str, *, base: Path) -> Iterator[Writer]:
    """A transaction on a database, committed at the end; any error rolls everything back.

    On SQLite it holds the file's write lock from its first moment, and creates a file that is
    missing. Tables that the block creates are rolled back too, but on MariaDB and MySQL, where they
    stay behind empty.

    Args:
        url: The database.
        base: The folder that a relative file is relative to.

    Raises:
        ConfigError: The URL is wrong, or of a kind of database that can only be read from.
        ServiceUnavailableError: The database cannot be opened or written.
        TryAgainLaterError: It is locked.
    """
    to = _writable(url, base)
    with connection(to, begin="BEGIN IMMEDIATE") as opened, opened.begin():
        yield _writer(to, opened, is_rehearsal=False)


@contextmanager
def rehearsing(url: str, *, base: Path) -> Iterator[Writer]:
    """Like `writing`, but nothing is kept at the end, and a missing file stays missing."""
    to = _writable(url, base)
    if to.is_missing and to.file is not None and to.file.parent.is_dir():
        to = replace(to, url=sa.URL.create("sqlite+pysqlite", database=":memory:"))
    with connection(to, begin="BEGIN IMMEDIATE") as opened:
        yield _writer(to, opened, is_rehearsal=True)


def _writable(url: str, base: Path) -> Place:
    to = place(url, base=base)
    kind = to.url.get_backend_name()
    if kind not in {"sqlite", "postgresql", *MYSQL}:
        raise ConfigError(
            "this kind of database can be read from, but not written to",
            where=to.name,
            saw=kind,
            do="deliver to SQLite, PostgreSQL, MariaDB or MySQL, or to a file",
        )
    return to


def _writer(to: Place, opened: sa.Connection, *, is_rehearsal: bool) -> Writer:
    if to.file is not None:
        return Writer(opened)
    if to.url.get_backend_name() in MYSQL:
        theirs = MySqlWriter(opened, is_rehearsal=is_rehearsal)
        theirs.begin()
        return theirs
    from portfolio_ml.databases.postgresql import PostgresWriter  # noqa: PLC0415 - an extra

    writer = PostgresWriter(opened)
    writer.begin()
    return writer
