"""Where tables are computed: DuckDB, in this process and out of core.

Steps speak Narwhals; this is the only module that knows the engine behind it.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import duckdb
import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import DuckDB
from portfolio_ml.errors import DataError

Frame = nw.LazyFrame["duckdb.DuckDBPyRelation"]
Kind = Literal["text", "number", "day"]

_BATCH_ROWS = 100_000
_LOCAL_TIME_TYPES = {"DATE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"}


@dataclass(frozen=True, slots=True)
class Reading:
    """A column to be read as `kind` under a new name; a `day` counts from 1970-01-01."""

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
        """The frame with a column more per reading; what cannot be read is null."""

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
        """The rows of CSV or Parquet files, as text, with their source and row number.

        Raises:
            DataError: A file cannot be read as what its name says.
        """
        names = [str(file) for file in files]
        try:
            if files[0].suffix.lower() == ".parquet":
                return self._scan_parquet(names)
            return self._scan_csv(names)
        except duckdb.Error as error:
            first = str(error).splitlines()[0]
            raise DataError("the file cannot be read", where=", ".join(names), saw=first) from None

    def parsed(self, frame: Frame, readings: Sequence[Reading], *, timezone: str) -> Frame:
        """The frame with a column more per reading; what cannot be read is null."""
        relation = nw.to_native(frame)
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        read = (
            f"{_read_as(r.kind, r.column, types[r.column], timezone)} AS {_quoted(r.name)}"
            for r in readings
        )
        return nw.from_native(relation.project(", ".join(["*", *read])))

    def keep(self, frame: Frame) -> Frame:
        """The frame, written once to a temporary table."""
        name = next(self._names)
        nw.to_native(frame).create(name)
        return nw.from_native(self._connection.table(name))

    def collect(self, frame: Frame) -> pa.Table:
        """The frame's rows as one Arrow table."""
        return nw.to_native(frame).to_arrow_table()

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """The frame's rows, streamed."""
        yield from nw.to_native(frame).to_arrow_reader(_BATCH_ROWS)

    def _scan_parquet(self, names: list[str]) -> Frame:
        return nw.from_native(
            self._connection.read_parquet(names, filename=True, file_row_number=True).project(
                "* EXCLUDE (filename, file_row_number), filename AS _source, "
                "file_row_number + 1 AS _row"
            )
        )

    def _scan_csv(self, names: list[str]) -> Frame:
        # The stub knows one file name only; the function takes several.
        rows = self._connection.read_csv(
            names,  # type: ignore[arg-type]
            all_varchar=True,
            header=True,
            filename=True,
        )
        numbered = rows.project(
            "* EXCLUDE (filename), filename AS _source, row_number() OVER () AS _row"
        )
        if len(names) == 1:
            return nw.from_native(numbered)
        return nw.from_native(
            numbered.project("* REPLACE (_row - min(_row) OVER (PARTITION BY _source) + 1 AS _row)")
        )


@contextmanager
def opened(settings: DuckDB | None = None) -> Iterator[DuckDBEngine]:
    """An engine for the length of a `with` block; its temporary tables end with it."""
    options = settings or DuckDB()
    config: dict[str, str | int] = {}
    if options.threads:
        config["threads"] = options.threads
    if options.memory_limit:
        config["memory_limit"] = options.memory_limit
    if options.temp_directory:
        config["temp_directory"] = str(options.temp_directory)
    connection = duckdb.connect(":memory:", config=config)  # type: ignore[arg-type]  # stub: str
    try:
        yield DuckDBEngine(connection)
    finally:
        connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _read_as(kind: Kind, name: str, type_name: str, timezone: str) -> str:
    column = _quoted(name)
    if kind == "text":
        return f"NULLIF(TRIM(CAST({column} AS VARCHAR)), '')"
    if kind == "number":
        return f"TRY_CAST({column} AS DOUBLE)"
    if type_name == "TIMESTAMP WITH TIME ZONE":
        local = f"{column} AT TIME ZONE '{timezone}'"
    elif type_name in _LOCAL_TIME_TYPES:
        local = column
    else:
        text = f"TRIM(CAST({column} AS VARCHAR))"
        local = f"COALESCE(TRY_STRPTIME({text}, '%Y%m%d'), TRY_CAST({text} AS TIMESTAMP))"
    return f"CAST(date_diff('day', DATE '1970-01-01', CAST({local} AS DATE)) AS INTEGER)"
