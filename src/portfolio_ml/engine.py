"""Where tables are computed: DuckDB, in this process and out of core.

Steps speak Narwhals; this is the only module that knows the engine behind it.
"""

import csv
import functools
import glob
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import duckdb
import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.config import DuckDB
from portfolio_ml.errors import ConfigError, DataError, ServiceUnavailableError

Frame = nw.LazyFrame["duckdb.DuckDBPyRelation"]
Kind = Literal["text", "number", "day"]

_BATCH_ROWS = 100_000
_LOCAL_TIME_TYPES = {"DATE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"}
_INSTANT_TYPES = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"}
_FLOATS = {"FLOAT", "DOUBLE"}
_BLANKS = r"[\x09-\x0d\x1c-\x20\x{85}\p{Z}]+"

_FILE = "portfolio_ml: file"
_DELIMITERS = (",", ";", "\t", "|")
_LINE_ENDS = {  # a lone carriage return is found without being told
    "\r\n": duckdb.CSVLineTerminator.CARRIAGE_RETURN_LINE_FEED,
    "\n": duckdb.CSVLineTerminator.LINE_FEED,
}
_LONGEST_HEADER = 1_000_000
_CSV_REASONS = ("Expected Number", "Value with unterminated", "Invalid unicode", "Maximum line")

# Nothing is fetched from the network, and `row_number()` follows the order of the file.
_FIXED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "preserve_insertion_order": "true",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A column to be read as `kind` under a new name; a `day` counts from 1970-01-01.

    Blanks around a text are no part of it, and a text of blanks is null. A time that says its
    zone is an instant, and its day is the one in the portfolio's zone.
    """

    name: str
    column: str
    kind: Kind


class Engine(Protocol):
    """What the steps ask of an engine."""

    def from_arrow(self, table: pa.Table) -> Frame:
        """A frame over an Arrow table."""

    def scan(self, files: Sequence[Path]) -> Frame:
        """The rows of CSV or Parquet files, with `_source` and `_row` (from 1, per file)."""

    def parsed(self, frame: Frame, readings: Sequence[Reading], *, timezone: str) -> Frame:
        """The frame's `_source`, `_row` and one column per reading; the unreadable is null."""

    def keep(self, frame: Frame) -> Frame:
        """The frame, computed once, for those who read it more than once."""

    def collect(self, frame: Frame) -> pa.Table:
        """The frame's rows."""

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """The frame's rows, a batch at a time."""


class DuckDBEngine:
    """Frames are DuckDB relations on one connection of this process."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._names = (f"kept_{n}" for n in itertools.count())

    def from_arrow(self, table: pa.Table) -> Frame:
        """A frame over an Arrow table, without a copy."""
        name = next(self._names)
        self._connection.register(name, table)
        return nw.from_native(self._connection.table(name))

    def scan(self, files: Sequence[Path]) -> Frame:
        """The rows of CSV or Parquet files, with their source and row number.

        CSV is UTF-8 with a header; its values are text, quoted by `"` where need be and separated
        by comma, semicolon, tab or bar. All files have the same columns, in any order.

        Raises:
            DataError: A file cannot be read as what its name says, or its columns are other ones.
        """
        is_parquet = files[0].suffix.lower() == ".parquet"
        layouts = {file: (_parquet_layout if is_parquet else _csv_layout)(file) for file in files}
        names = [n for n in _common_columns(layouts) if n.casefold() not in ("_source", "_row")]
        columns = ", ".join([*map(_quoted, names), f"{_quoted(_FILE)} AS _source"])
        try:
            rows = self._parquet(files, columns) if is_parquet else self._csv(layouts, columns)
        except duckdb.Error as error:
            where = ", ".join(map(str, files))
            raise DataError("the file cannot be read", where=where, saw=_told(error)) from None
        return nw.from_native(rows)

    def parsed(self, frame: Frame, readings: Sequence[Reading], *, timezone: str) -> Frame:
        """The frame's `_source`, `_row` and one column per reading; the unreadable is null."""
        relation = nw.to_native(frame)
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        read = (
            f"{_read_as(r.kind, r.column, types[r.column], timezone)} AS {_quoted(r.name)}"
            for r in readings
        )
        return nw.from_native(relation.project(", ".join(["_source", "_row", *read])))

    def keep(self, frame: Frame) -> Frame:
        """The frame, written once to a temporary table.

        Raises:
            DataError: A file behind it cannot be read to its end.
            ServiceUnavailableError: Memory or disk do not suffice.
        """
        name = next(self._names)
        with _computing():
            nw.to_native(frame).create(name)
        return nw.from_native(self._connection.table(name))

    def collect(self, frame: Frame) -> pa.Table:
        """The frame's rows as one Arrow table; errors are those of `keep`."""
        with _computing():
            return nw.to_native(frame).to_arrow_table()

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """The frame's rows, streamed; errors are those of `keep`."""
        with _computing():
            yield from nw.to_native(frame).to_arrow_reader(_BATCH_ROWS)

    def _parquet(self, files: Sequence[Path], columns: str) -> duckdb.DuckDBPyRelation:
        names = ", ".join(_literal(glob.escape(str(file))) for file in files)
        return self._connection.sql(
            f"SELECT {columns}, file_row_number + 1 AS _row "  # noqa: S608 - quoted by us
            f"FROM read_parquet([{names}], filename = {_literal(_FILE)}, "
            "file_row_number = true, union_by_name = true)"
        )

    def _csv(self, layouts: Mapping[Path, "_Layout"], columns: str) -> duckdb.DuckDBPyRelation:
        alike = [
            self._csv_alike([f for f in layouts if layouts[f] == layout], layout, columns)
            for layout in dict.fromkeys(layouts.values())
        ]
        return functools.reduce(duckdb.DuckDBPyRelation.union, alike)

    def _csv_alike(
        self, files: Sequence[Path], layout: "_Layout", columns: str
    ) -> duckdb.DuckDBPyRelation:
        # Nothing is sniffed: a guess would hang on which rows happen to be broken.
        rows = self._connection.read_csv(
            [glob.escape(str(file)) for file in files],  # type: ignore[arg-type]  # stub: one name
            columns=dict.fromkeys(layout.columns, "VARCHAR"),
            header=True,
            auto_detect=False,
            sep=layout.delimiter,
            quotechar='"',
            escapechar='"',
            lineterminator=layout.line_end,
            filename=_FILE,
        )
        numbered = rows.project(f"{columns}, row_number() OVER () AS _row")
        if len(files) == 1:
            return numbered
        return numbered.project(
            "* REPLACE (_row - min(_row) OVER (PARTITION BY _source) + 1 AS _row)"
        )


@contextmanager
def opened(settings: DuckDB | None = None) -> Iterator[DuckDBEngine]:
    """An engine for the length of a `with` block; its temporary tables end with it.

    Raises:
        ConfigError: The engine does not start with these settings.

    Example:
        >>> with opened() as engine:
        ...     frame = engine.from_arrow(pa.table({"amount": [1, 2]}))
        ...     engine.collect(frame.filter(nw.col("amount") > 1))["amount"].to_pylist()
        [2]
    """
    options = settings or DuckDB()
    config: dict[str, str | int] = {**_FIXED}
    if options.threads:
        config["threads"] = options.threads
    if options.memory_limit:
        config["memory_limit"] = options.memory_limit
    if options.temp_directory:
        config["temp_directory"] = str(options.temp_directory)
    try:
        connection = duckdb.connect(":memory:", config=config)  # type: ignore[arg-type]  # stub: str
    except duckdb.Error as error:
        raise ConfigError("the engine does not start", where="engine", saw=_told(error)) from None
    try:
        connection.execute("SET TimeZone = 'UTC'")  # the machine's zone changes no result
        yield DuckDBEngine(connection)
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class _Layout:
    """The columns of a file, in order, and for CSV how its text is parted."""

    columns: tuple[str, ...]
    delimiter: str = ""
    line_end: duckdb.CSVLineTerminator | None = None


def _parquet_layout(file: Path) -> _Layout:
    try:
        return _Layout(tuple(pq.read_schema(file).names))
    except (OSError, pa.ArrowException) as error:
        raise DataError("the file is no readable Parquet file", where=str(file)) from error


def _csv_layout(file: Path) -> _Layout:
    try:
        header = _header(file)
        unquoted = re.sub(r'"[^"]*"', "", header)
        delimiter = max(_DELIMITERS, key=unquoted.count)
        names = next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter))
    except UnicodeDecodeError as error:
        raise DataError(
            "the file is not UTF-8", where=str(file), saw=str(error), do="save it as UTF-8"
        ) from None
    except (OSError, csv.Error) as error:
        raise DataError("the file cannot be read", where=str(file), saw=str(error)) from None
    return _Layout(
        columns=tuple(name or f"column{n}" for n, name in enumerate(names)),
        delimiter=delimiter,
        line_end=next((_LINE_ENDS[end] for end in _LINE_ENDS if header.endswith(end)), None),
    )


def _header(file: Path) -> str:
    """The first line, with those that a quoted name runs on to."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        header = text.readline(_LONGEST_HEADER)
        while header.count('"') % 2 and len(header) < _LONGEST_HEADER:
            more = text.readline(_LONGEST_HEADER)
            if not more:
                break
            header += more
    if not header.strip():
        saw = "a blank first line" if header else "an empty file"
        raise DataError("there is no header", where=str(file), saw=saw, do="export it again")
    return header


def _common_columns(layouts: Mapping[Path, _Layout]) -> tuple[str, ...]:
    """The columns that all files have."""
    (first, expected), *_ = layouts.items()
    for file, layout in layouts.items():
        names = [name.casefold() for name in layout.columns]
        if twice := next((n for n in layout.columns if names.count(n.casefold()) > 1), None):
            raise DataError(
                f"column {twice!r} is there twice", where=str(file), do="name the columns apart"
            )
        if differing := sorted(set(layout.columns) ^ set(expected.columns)):
            raise DataError(
                f"the columns are not those of {first}",
                where=str(file),
                saw=f"a difference in {', '.join(map(repr, differing))}",
                do="export the files alike",
            )
    return expected.columns


@contextmanager
def _computing() -> Iterator[None]:
    """Faults of files, memory and disk come out of the block as errors of the tree."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise ServiceUnavailableError(
            "memory or disk do not suffice",
            saw=_told(error),
            do="raise engine.memory_limit, or set engine.temp_directory to a roomier disk",
        ) from None
    except duckdb.InvalidInputException as error:
        file = re.search(r"""(?:file = |file ["'])([^"'\n]+)""", str(error))
        if file is None:
            raise
        raise DataError("the file cannot be read", where=file[1], saw=_told(error)) from None


def _told(error: duckdb.Error) -> str:
    """What was wrong and on which line, without the line itself."""
    first, *others = str(error).splitlines()
    reasons = [line for line in others if line.startswith(_CSV_REASONS)]
    first = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", first)
    return ": ".join([first.rstrip(":"), *reasons[:1]]).rstrip(".")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _read_as(kind: Kind, name: str, type_name: str, timezone: str) -> str:
    column = _quoted(name)
    text = (
        f"NULLIF(regexp_replace(CAST({column} AS VARCHAR), '^{_BLANKS}|{_BLANKS}$', '', 'g'), '')"
    )
    if kind == "number":
        return f"TRY_CAST({text if type_name == 'VARCHAR' else column} AS DOUBLE)"
    if kind == "text":
        return f"CASE WHEN NOT isnan({column}) THEN {text} END" if type_name in _FLOATS else text
    if type_name in _LOCAL_TIME_TYPES:
        local = column
    elif type_name in _INSTANT_TYPES:
        local = f"TRY({column} AT TIME ZONE {_literal(timezone)})"
    else:
        local = _local_time(text, timezone)
    return f"CAST(date_diff('day', DATE '1970-01-01', CAST({local} AS DATE)) AS INTEGER)"


def _local_time(text: str, timezone: str) -> str:
    """The time that a text tells: a date, a local time, or an instant with its zone."""
    zoned = f"regexp_replace({text}, ' +([-+][0-9:]+|Z)$', '\\1')"
    return f"""CASE
        WHEN regexp_full_match({text}, '[0-9]{{8}}') THEN TRY_STRPTIME({text}, '%Y%m%d')
        WHEN regexp_matches({text}, ':[0-9.]+ *[^0-9.: ]')
        THEN TRY(TRY_CAST({zoned} AS TIMESTAMPTZ) AT TIME ZONE {_literal(timezone)})
        WHEN regexp_matches({text}, '^[0-9]') THEN TRY_CAST({text} AS TIMESTAMP)
    END"""
