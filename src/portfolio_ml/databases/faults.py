"""What a driver says, in the error tree's terms.

Messages of the driver are shown only where they speak of the connection or the query: others may
hold a customer's values.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from portfolio_ml.databases import mysql_faults
from portfolio_ml.databases.meanings import (
    CANCELLED,
    CROWDED,
    FULL,
    LOCKED,
    OVERTAKEN,
    SILENT,
    UNFIT,
)
from portfolio_ml.errors import (
    ConfigError,
    DataError,
    PortfolioError,
    ServiceUnavailableError,
    TryAgainLaterError,
)

_GENERATED = ("a column is computed by the database", "map another column")
_REFUSES = ("a constraint refuses a row", "look at the table's own rules")

# SQLite's error names and PostgreSQL's SQLSTATE codes; the first prefix that fits counts.
_KNOWN: tuple[tuple[str, type[PortfolioError], str, str], ...] = (
    ("SQLITE_BUSY", TryAgainLaterError, "the database is locked", "run again later"),
    ("SQLITE_LOCKED", TryAgainLaterError, "the database is locked", "run again later"),
    (
        "SQLITE_CANTOPEN",
        ServiceUnavailableError,
        "the database cannot be opened",
        "check that its folder exists and that the file may be read and written",
    ),
    (
        "SQLITE_READONLY",
        ServiceUnavailableError,
        "the database may not be written",
        "check the permissions of the file and its folder",
    ),
    ("SQLITE_FULL", *FULL),
    ("SQLITE_IOERR", ServiceUnavailableError, "the disk cannot be used", "check the disk"),
    ("SQLITE_CORRUPT", ServiceUnavailableError, "the database is damaged", "restore a backup"),
    ("SQLITE_NOTADB", ConfigError, "the file is no SQLite database", "check the URL"),
    ("SQLITE_CONSTRAINT", DataError, *_REFUSES),
    ("25006", ServiceUnavailableError, "the database may not be written", "look at its settings"),
    ("25P03", TryAgainLaterError, "the database ended an idle transaction", "run again later"),
    ("22", DataError, "the database cannot compute a value", "look at the query and its data"),
    ("23", DataError, *_REFUSES),
    ("40", *OVERTAKEN),
    ("44", DataError, *_REFUSES),
    ("3F", ConfigError, "the schema is missing", "create it, or name another before the point"),
    ("42501", ServiceUnavailableError, "the database denies access", "grant it to the user"),
    ("42804", *UNFIT),
    ("42846", *UNFIT),
    ("42883", *UNFIT),
    ("428C9", ConfigError, *_GENERATED),
    ("53100", *FULL),
    ("533", *CROWDED),
    ("53", ServiceUnavailableError, "the database lacks resources", "raise its limits"),
    ("55000", ConfigError, "the table cannot be written", "name one, or a view that can"),
    ("55P03", *LOCKED),
    ("57014", *CANCELLED),
    ("58", ServiceUnavailableError, "the database's disk cannot be used", "check the disk"),
    ("P0001", DataError, "a trigger refuses a row", "look at the table's own rules"),
)

# Where the driver gives no code: what it says.
_SAID: tuple[tuple[str, type[PortfolioError], str, str], ...] = (
    ("because it is a view", ConfigError, "the table cannot be written", "name a table"),
    ("decode to UTF-8", DataError, "a text is not UTF-8", "repair it at its source"),
    ("connect_timeout", ConfigError, "connect_timeout is no number of seconds", "write 10"),
    ("too many connections", *CROWDED),
    ("too many clients", *CROWDED),
    ("connection slots", *CROWDED),
    ("the database system is", TryAgainLaterError, "the database starts or stops", "run later"),
)

# Codes whose messages speak of tables, columns and settings, and of no customer's values.
_SPEAKING = ("25006", "3F", "42501", "42804", "42846", "42883", "428C9", "53", "55000", "58")

# SQLSTATE classes of values that a column cannot hold, of constraints, of views with a check, of
# keys too long for their index, and of triggers that raise; SQLite knows constraints, and values
# beyond its numbers.
_OF_A_ROW = (
    *("22", "23", "44", "45", "54000", "P0"),
    *("SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_TOOBIG"),
)

# What psycopg says of dates that Python has none for, infinite ones among them.
_BEYOND_PYTHON = ("(before year 1)", "(after year 10K)")

# SQLSTATE classes of connections, users, databases, resources and shutdowns; "" is libpq's own.
_NO_ANSWER = {"", "08", "28", "3D", "53", "57"}


_ONE_STATEMENT = "one statement at a time"


class RowRefusedError(Exception):
    """The database refuses a row among those of a statement; the text is what `refusal` gives."""


@contextmanager
def told(where: str, secrets: Collection[str] = ()) -> Iterator[None]:
    """Expected failures of the driver come out of the block as errors of the tree.

    Args:
        where: The database's readable name.
        secrets: Texts that no message may have.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        expected = _expected(error, where)
        if expected is None:
            raise
        if any(secret in str(error) for secret in secrets):
            raise _without(secrets, expected) from None  # the cause says them too
        raise expected from error


def meaning(cause: BaseException | None, where: str) -> PortfolioError | None:
    """What a driver's failure means; None where it is none, or means nothing that is expected.

    For those who catch what another library has wrapped.
    """
    return _expected(cause, where) if isinstance(cause, sa.exc.DBAPIError) else None


def refusal(error: sa.exc.DBAPIError) -> str | None:
    """What the database says of a row that it refuses; None where something else is wrong.

    It may name the row's values: keep it where the row is kept, and show it nowhere else.
    """
    if mysql_number(error) in mysql_faults.REFUSED:
        return first_line(error)
    is_unsendable = isinstance(error, sa.exc.DataError) and not _code(error)
    if not is_unsendable and not _code(error).startswith(_OF_A_ROW):
        return None
    diagnosis = getattr(error.orig, "diag", None)
    return str(getattr(diagnosis, "message_primary", None) or first_line(error))


def is_query_fault(error: sa.exc.DBAPIError) -> bool:
    """Whether the SQL itself is wrong: its syntax, or a table or column that is not there."""
    if number := mysql_number(error):
        return number in mysql_faults.OF_THE_QUERY
    code = _code(error)
    if _ONE_STATEMENT in str(error.orig):  # the driver itself refuses two, without a code
        return True
    return code == "SQLITE_ERROR" or (code.startswith("42") and code != "42501")


def is_beyond_python(error: sa.exc.DBAPIError) -> bool:
    """Whether a date of the database is none for Python: infinite, or beyond its years."""
    return any(words in str(error.orig) for words in _BEYOND_PYTHON)


def first_line(error: sa.exc.DBAPIError) -> str:
    """The driver's message without the SQL and values that follow it."""
    text = error.orig.args[-1] if error.orig and mysql_number(error) else error.orig
    return str(text).partition("\n")[0]


def mysql_number(error: sa.exc.DBAPIError) -> int | None:
    """The number that a driver of MySQL or MariaDB gives; None from drivers of others."""
    if hasattr(error.orig, "sqlite_errorname") or hasattr(error.orig, "diag"):
        return None
    number = getattr(error.orig, "errno", None) or next(iter(getattr(error.orig, "args", ())), None)
    return number if isinstance(number, int) else None


def _expected(error: sa.exc.DBAPIError, where: str) -> PortfolioError | None:
    if number := mysql_number(error):
        return _of_mysql(number, error, where)
    code = _code(error)
    for prefix, kind, what, do in _KNOWN:
        if code.startswith(prefix):
            saw = first_line(error) if code.startswith(_SPEAKING) else None
            return kind(what, where=where, saw=saw, do=do)
    for words, kind, what, do in _SAID:
        if words in str(error.orig):
            return kind(what, where=where, do=do)
    if "invalid connection option" in str(error.orig):
        return ConfigError(
            "the URL has an unknown option", where=where, saw=first_line(error), do="remove it"
        )
    if isinstance(error, sa.exc.OperationalError) and code[:2] in _NO_ANSWER:
        kind, what, do = SILENT
        return kind(what, where=where, saw=first_line(error), do=do)
    return None


def _without(secrets: Collection[str], error: PortfolioError) -> PortfolioError:
    """The same error without the secrets."""
    saw = error.saw or ""
    for secret in sorted(secrets, key=len, reverse=True):
        saw = saw.replace(secret, "***")
    return type(error)(error.what, where=error.where, saw=saw or None, do=error.do)


def _of_mysql(number: int, error: sa.exc.DBAPIError, where: str) -> PortfolioError | None:
    if number not in mysql_faults.MEANINGS:
        return None
    kind, what, do = mysql_faults.MEANINGS[number]
    saw = first_line(error) if number in mysql_faults.SPOKEN else None
    return kind(what, where=where, saw=saw, do=do)


def _code(error: sa.exc.DBAPIError) -> str:
    """SQLite's error name or PostgreSQL's SQLSTATE; empty where the driver gives none."""
    name = getattr(error.orig, "sqlite_errorname", None)
    return str(name or getattr(error.orig, "sqlstate", None) or "")
