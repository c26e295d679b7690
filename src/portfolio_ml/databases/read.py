"""Tables and queries of a database -> Arrow tables."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from portfolio_ml.databases.connections import Place, connection, place, redacted
from portfolio_ml.databases.dialects import MYSQL
from portfolio_ml.databases.faults import first_line, is_beyond_python, is_query_fault
from portfolio_ml.errors import ConfigError, ServiceUnavailableError, nearest

BATCH_ROWS = 50_000
_LARGEST_WHOLE = 2**53

OnDisk = Callable[[Iterable[pa.RecordBatch], pa.Schema], pa.Table]
"""Writes batches to a file, and gives the table that maps it."""


Read = Callable[[bool], pa.Table]
"""Reads a table, with dates and times as the database writes them where that is asked for."""


def read_table(url: str, table: str, *, base: Path, on_disk: OnDisk | None = None) -> pa.Table:
    """All rows of a table or view; `schema.table` works too. All else is as in `read_query`.

    Raises:
        ConfigError: There is no such table; the message lists those that are there.
        ServiceUnavailableError: The database is not there or cannot be used.
        TryAgainLaterError: It is locked.
    """

    def read(dates_as_text: bool) -> pa.Table:
        with _reading(url, base, dates_as_text=dates_as_text) as opened:
            try:
                schema, name = _found(opened, table, where=redacted(url))
            except sa.exc.DBAPIError as error:
                if not is_query_fault(error):
                    raise
                raise ConfigError(  # a view of a table that is gone
                    f"table {table!r} cannot be read", where=redacted(url), saw=first_line(error)
                ) from error
            rows = sa.select(sa.text("*")).select_from(sa.table(name, schema=schema))
            with opened.execute(rows) as result:
                return _arrow(result, on_disk, where=f"table {table!r}")

    return _with_all_dates(read)


def read_query(url: str, query: str, *, base: Path, on_disk: OnDisk | None = None) -> pa.Table:
    """The rows of a query, read in batches; nothing that it changes is kept.

    Types are those of the values. A column whose values have no common type, which SQLite allows,
    becomes text, so that the rules for rows can judge it value by value. So do dates and times
    where PostgreSQL holds one that Python has none for, such as `infinity`.

    Args:
        url: The database.
        query: What is asked of it.
        base: The folder that a relative path is seen from.
        on_disk: Where each batch is put once it is read; without it, all are held in memory.

    Raises:
        ConfigError: The query does not fit the database; the message lists its tables.
        ServiceUnavailableError: The database is not there or cannot be used.
        TryAgainLaterError: It is locked.
    """

    def read(dates_as_text: bool) -> pa.Table:
        with _asked(url, query, base, dates_as_text=dates_as_text) as result:
            return _arrow(result, on_disk, where="the query")

    return _with_all_dates(read)


def read_batches(
    url: str, query: str, schema: pa.Schema, *, base: Path
) -> Iterator[pa.RecordBatch]:
    """The rows of a query a batch at a time, with the types of a schema; errors as `read_query`."""
    with _asked(url, query, base) as result:
        for rows in result.partitions(BATCH_ROWS):
            columns = zip(*rows, strict=True)
            arrays = [
                _array(values).cast(f.type) for values, f in zip(columns, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _with_all_dates(read: Read) -> pa.Table:
    try:
        return read(False)
    except sa.exc.DBAPIError as error:
        if not is_beyond_python(error):
            raise
    return read(True)


@contextmanager
def _asked(
    url: str, query: str, base: Path, *, dates_as_text: bool = False
) -> Iterator[sa.CursorResult[Any]]:
    with _reading(url, base, dates_as_text=dates_as_text) as opened:
        try:
            result = opened.exec_driver_sql(query, execution_options={"no_parameters": True})
        except sa.exc.DBAPIError as error:
            if not is_query_fault(error):
                raise
            opened.rollback()
            raise ConfigError(
                "the query cannot be run",
                where=redacted(url),
                saw=first_line(error),
                do=f"the tables there are {_tables(opened, query)}",
            ) from error
        with result:
            if not result.returns_rows:
                raise ConfigError(
                    "the query gives no rows", where=redacted(url), do="write a SELECT"
                )
            yield result


def table_names(to: Place) -> frozenset[str]:
    """The tables of a database; none where an SQLite file is not there yet.

    Raises:
        ServiceUnavailableError: The database cannot be used.
        TryAgainLaterError: It is locked.
    """
    if to.is_missing:
        return frozenset()
    with connection(to) as opened:
        return frozenset(sa.inspect(opened).get_table_names())


def there_are(url: str, tables: Collection[str], *, base: Path) -> bool:
    """Whether a database has all these tables; False where an SQLite file is not there yet.

    Raises:
        ConfigError: The URL is wrong.
        ServiceUnavailableError: The database cannot be used.
        TryAgainLaterError: It is locked.
    """
    to = place(url, base=base)
    if to.is_missing:
        return False
    with connection(to) as opened:
        there = sa.inspect(opened)
        return all(there.has_table(name, schema=schema) for schema, name in map(to.parts, tables))


def written_table(url: str, table: str) -> str:
    """A table's name as SQL; on a server, a schema may stand before a point.

    Example:
        >>> written_table("postgresql://db/crm", "sales.scores")
        '"sales"."scores"'
    """
    to = place(url, base=Path())
    mark = "`" if to.url.get_backend_name() in MYSQL else '"'
    return ".".join(mark + part.replace(mark, 2 * mark) + mark for part in to.parts(table) if part)


@contextmanager
def _reading(url: str, base: Path, *, dates_as_text: bool = False) -> Iterator[sa.Connection]:
    to = place(url, base=base)
    if to.is_missing or (to.file is not None and not to.file.is_file()):
        raise ServiceUnavailableError(
            "the database is not there", where=to.name, saw=f"no file {to.file}", do="check the URL"
        )
    with connection(to, dates_as_text=dates_as_text) as opened:
        yield opened.execution_options(stream_results=True, max_row_buffer=BATCH_ROWS)


def _tables(opened: sa.Connection, query: str) -> str:
    """The tables and views of the database, with the columns of those that the query names."""
    there = sa.inspect(opened)
    told = []
    for name in sorted(there.get_table_names() + there.get_view_names()):
        columns: list[str] = []
        if name.casefold() in query.casefold():
            with suppress(sa.exc.DBAPIError):  # a view of a table that is gone
                columns = [column["name"] for column in there.get_columns(name)]
        told.append(name + (f" ({', '.join(columns)})" if columns else ""))
    return ", ".join(told) or "none"


def _found(opened: sa.Connection, table: str, *, where: str) -> tuple[str | None, str]:
    """The table's schema, where it has one, and its name."""
    there = sa.inspect(opened)
    if there.has_table(table):
        return None, table
    schema, _, name = table.rpartition(".")
    if schema and there.has_table(name, schema=schema):
        return schema, name
    names = sorted(there.get_table_names() + there.get_view_names())
    guess = nearest(table, names)
    raise ConfigError(
        f"table {table!r} is missing",
        where=where,
        saw=f"tables {', '.join(map(repr, names))}" if names else "no tables",
        do=f"did you mean {guess!r}?" if guess else "check the table's name",
    )


def _arrow(result: sa.CursorResult[Any], on_disk: OnDisk | None, *, where: str) -> pa.Table:
    names = list(result.keys())
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"column {twice[0]!r} is there twice", where=where, do="name the columns apart"
        )
    chunks: list[list[pa.ChunkedArray]] = [[pa.chunked_array([], pa.null())] for _ in names]
    for rows in result.partitions(BATCH_ROWS):
        part = pa.table([_array(values) for values in zip(*rows, strict=True)], names=names)
        if on_disk is not None:
            part = on_disk(part.to_batches(), part.schema)
        for held, column in zip(chunks, part.columns, strict=True):
            held.append(column)
    return pa.table([_joined(held) for held in chunks], names=names)


def _array(values: Sequence[object]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError):  # the last of a decimal that is none
        return pa.array(map(_text, values), pa.string())


def _text(value: object) -> str | None:
    """A value of a column of text; a whole number is the same text, whatever number holds it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE:
        value = int(value)
    return None if value is None else str(value)


def _joined(chunks: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    tables = [pa.table([chunk], names=["value"]) for chunk in chunks]
    try:
        return pa.concat_tables(tables, promote_options="permissive").column(0)
    except pa.ArrowException:
        return pa.chunked_array(
            [_texts(part) for chunk in chunks for part in chunk.chunks], pa.string()
        )


def _texts(values: pa.Array) -> pa.Array:
    """What `_array` would have made of them beside a text."""
    if pa.types.is_string(values.type):
        return values
    return pa.array(map(_text, values.to_pylist()), pa.string())
