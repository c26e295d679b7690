"""From a URL to an open connection.

SQLite: the file's journal mode is left as it is, since the database belongs to the CRM.
`isolation_level = None` takes transactions away from Python's driver, which begins them late and
leaves the creation of tables outside; each transaction begins here, in words.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from portfolio_ml.databases import dialects
from portfolio_ml.databases.faults import told
from portfolio_ml.errors import ConfigError, ServiceUnavailableError

LOCK_WAIT_SECONDS = 10.0

_SERVER_OPTIONS = {
    "client_encoding": "UTF8",  # what rows are sent in, whatever the database keeps
    "connect_timeout": dialects.CONNECT_WAIT_SECONDS,
    "keepalives_idle": 60,  # a silent network is noticed within minutes, not hours
    "keepalives_interval": 10,
    "keepalives_count": 6,
}
_SHOWN_OPTIONS = {"host", "hostaddr", "port", "user", "dbname", "sslmode"}
_SECRET_CHARACTERS = 4
"""Shorter texts are not hidden in messages: they would be found in any word."""
_MISPLACED = set("@;&#=")
"""What stands in a host or a database's name only where a password or an option went astray."""

_FORMS = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME, or mariadb://... alike"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads.

    Attributes:
        name: The URL as it may be shown.
        url: The URL for the driver.
        options: The driver's options.
        file: SQLite's file; None for a server.
        secrets: Texts of the URL that no message may have.
        greeting: What is said at the start of every connection.
    """

    name: str
    url: sa.URL = field(repr=False)
    options: Mapping[str, Any]
    file: Path | None
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    greeting: tuple[str, ...] = ()

    def parts(self, table: str) -> tuple[str | None, str]:
        """The schema, where the table's name has one before a point and the database has schemas.

        Also gives the name without it.
        """
        schema, _, name = table.rpartition(".")
        return (None, table) if self.file is not None or not schema else (schema, name)

    @property
    def is_missing(self) -> bool:
        """Whether it is a file of SQLite's that is not there.

        Raises:
            ServiceUnavailableError: Nobody may look there, or no file can have that name.
        """
        try:
            return self.file is not None and not self.file.exists()
        except OSError as error:
            raise ServiceUnavailableError(
                "the database cannot be opened",
                where=self.name,
                saw=error.strerror,
                do="check its path, and that its folder may be read",
            ) from None


def has_schemas(url: str) -> bool:
    """Whether a table's name may have its schema before a point, as on a server.

    Raises:
        ConfigError: The URL cannot be read, or its kind of database is unknown.
    """
    return place(url, base=Path()).file is None


def takes_many_writers(url: str) -> bool:
    """Whether several processes may bring rows to the database at once, each on its own.

    Raises:
        ConfigError: The URL cannot be read, or its kind of database is unknown.

    Example:
        >>> takes_many_writers("postgresql://db/crm"), takes_many_writers("sqlite:///crm.db")
        (True, False)
    """
    return place(url, base=Path()).url.get_backend_name() == "postgresql"


def redacted(url: str) -> str:
    """The URL as it may be shown: without password and options; nothing of one that is broken.

    Example:
        >>> redacted("postgresql://ann:secret@db.example/crm?sslpassword=other")
        'postgresql://ann:***@db.example/crm'
    """
    try:
        return _parsed(url).set(query={}).render_as_string(hide_password=True)
    except (sa.exc.ArgumentError, ValueError):
        return "an unreadable URL"


def place(url: str, *, base: Path) -> Place:
    """Where the URL leads; a relative SQLite file is relative to `base`.

    Raises:
        ConfigError: The URL cannot be read, or its kind of database or an option is unknown.
    """
    try:
        parsed = _parsed(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(
            "the database URL cannot be read",
            do=f"write {_FORMS}; in a password, write @ : / as %40 %3A %2F",
        ) from None  # the cause may show a part of the password
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed, redacted(url), base)
        case "postgresql" | "postgres":
            given = parsed.set(drivername="postgresql+psycopg")
            asked = set(given.query) - {"client_encoding"}
            options = {n: value for n, value in _SERVER_OPTIONS.items() if n not in asked}
            return Place(redacted(url), given, options, None, _secrets(given))
        case _:
            dialects.demand_dialect(parsed, where=redacted(url))
            given, greeting = dialects.driver_url(parsed), dialects.greeting(parsed)
            own = dialects.options(given)
            return Place(redacted(url), given, own, None, _secrets(given), greeting)


@contextmanager
def connection(
    to: Place, *, begin: str = "BEGIN", dates_as_text: bool = False
) -> Iterator[sa.Connection]:
    """An open connection; what is not committed in the block is rolled back at its end.

    Args:
        to: The database.
        begin: How a transaction begins on SQLite.
        dates_as_text: Whether dates and times of PostgreSQL come as it writes them.
    """
    with told(to.name, to.secrets):
        engine = _engine(to)
        if to.file is not None:
            event.listen(engine, "connect", _leave_transactions_to_us)
            event.listen(engine, "begin", lambda opened: opened.exec_driver_sql(begin))
        elif to.url.get_backend_name() == "postgresql":
            event.listen(engine, "connect", _tell_dates_as_iso)
            if dates_as_text:
                event.listen(engine, "connect", _leave_dates_text)
        try:
            with _opened(engine, to) as opened:
                for statement in to.greeting:
                    opened.exec_driver_sql(statement)
                    opened.rollback()  # each word begins a transaction of SQLAlchemy's
                yield opened
        finally:
            engine.dispose()


def _parsed(url: str) -> sa.URL:
    """The URL in its parts.

    Raises:
        ValueError: It has none, or a piece of a password or an option stands where it is shown.
    """
    parsed = sa.make_url(url)
    shown = (parsed.host or "") + (parsed.database or "")
    is_file = parsed.get_backend_name() == "sqlite"
    if not is_file and (_MISPLACED & set(shown) or ":" in (parsed.username or "")):
        raise ValueError("a piece of the URL is not where it belongs")
    return parsed


def _secrets(url: sa.URL) -> frozenset[str]:
    """The password, and the values of options with their pieces."""
    hidden = [str(value) for name, value in url.query.items() if name not in _SHOWN_OPTIONS]
    texts = [str(url.password or ""), *hidden]
    pieces = {piece for text in texts for piece in (text, *re.split(r"[\s=]+", text))}
    return frozenset(piece for piece in pieces if len(piece) >= _SECRET_CHARACTERS)


def _sqlite(parsed: sa.URL, name: str, base: Path) -> Place:
    if not parsed.database or parsed.database.startswith((":memory:", "file:")):
        raise ConfigError("the URL names no file", where=name, do="write sqlite:///FILE")
    if unknown := sorted(set(parsed.query) - {"timeout"}):
        raise ConfigError(
            "the URL has an unknown option", where=name, saw=unknown[0], do="only timeout is known"
        )
    given = parsed.query.get("timeout", str(LOCK_WAIT_SECONDS))
    try:
        wait = float(str(given))
    except ValueError:
        raise ConfigError(
            "timeout is no number of seconds", where=name, saw=str(given), do="write timeout=10"
        ) from None
    file = base / parsed.database
    url = sa.URL.create("sqlite+pysqlite", database=str(file))
    return Place(name, url, {"timeout": wait}, file)


def _engine(to: Place) -> sa.Engine:
    try:
        return sa.create_engine(
            to.url, poolclass=NullPool, hide_parameters=True, connect_args=dict(to.options)
        )
    except ImportError as missing:
        raise dialects.without_driver(to.url, missing, where=to.name) from None


def _opened(engine: sa.Engine, to: Place) -> sa.Connection:
    try:
        return engine.connect()
    except TypeError as error:  # the driver's own function takes the options
        if "keyword argument" not in str(error):
            raise
        raise ConfigError(
            "the URL has an unknown option", where=to.name, saw=str(error), do="remove it"
        ) from None
    except RuntimeError as error:  # of PyMySQL, for passwords as MySQL 8 keeps them
        if "cryptography" not in str(error):
            raise
        raise ConfigError(
            "the driver cannot log in without a further package",
            where=to.name,
            do="pip install cryptography",
        ) from None


def _tell_dates_as_iso(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver is an extra
    """Have times told in the one style that the driver reads, whatever the server's own is."""
    connection.autocommit = True  # a setting of a transaction would end with it
    connection.execute("SET DateStyle = 'ISO, YMD'")
    connection.autocommit = False


def _leave_dates_text(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver is an extra
    from psycopg.types.string import TextLoader  # noqa: PLC0415 - an extra

    for kind in ("date", "timestamp", "timestamptz"):
        connection.adapters.register_loader(kind, TextLoader)


def _leave_transactions_to_us(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
