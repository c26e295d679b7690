"""DuckDB, in this process and out of core."""

import functools
import glob
import itertools
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import CsvFormat, DuckDB
from portfolio_ml.engine.files import (
    Layout,
    common_columns,
    copy_as_utf8,
    csv_layout,
    parquet_layout,
)
from portfolio_ml.engine.frames import PLAIN, Frame, Reading
from portfolio_ml.engine.readings import literal, quoted, read_as
from portfolio_ml.errors import ConfigError, DataError, ServiceUnavailableError

_BATCH_ROWS = 100_000
_FILE = "portfolio_ml: file"
_LINE_ENDS = {
    "\r\n": duckdb.CSVLineTerminator.CARRIAGE_RETURN_LINE_FEED,
    "\n": duckdb.CSVLineTerminator.LINE_FEED,
}
_CSV_REASONS = ("Expected Number", "Value with unterminated", "Invalid unicode", "Maximum line")

# Nothing is fetched from the network, and `row_number()` follows the order of the file.
_FIXED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "preserve_insertion_order": "true",
}


class DuckDBEngine:
    """Frames are DuckDB relations on one connection of this process."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._originals: dict[str, str] = {}
        self._names = (f"kept_{n}" for n in itertools.count())

    def from_arrow(self, table: pa.Table) -> Frame:
        """A frame over an Arrow table, without a copy."""
        name = next(self._names)
        self._connection.register(name, table)
        return nw.from_native(self._connection.table(name))

    def scan(self, files: Sequence[Path], written: CsvFormat = PLAIN) -> Frame:
        """The rows of CSV or Parquet files, with their source and row number.

        CSV has a header; its values are text, quoted where need be and separated by comma,
        semicolon, tab or bar, unless `written` says otherwise. All files have the same columns,
        in any order. What is not UTF-8 is read from a copy that lives as long as the engine.

        Raises:
            DataError: A file cannot be read as what its name says, or its columns are other ones.
        """
        is_parquet = files[0].suffix.lower() == ".parquet"
        layouts = {f: parquet_layout(f) if is_parquet else csv_layout(f, written) for f in files}
        names = [n for n in common_columns(layouts) if n.casefold() not in ("_source", "_row")]
        columns = ", ".join(map(quoted, names))
        try:
            if is_parquet:
                rows = self._parquet(files, columns)
            else:
                rows = self._csv(layouts, columns, written)
        except duckdb.Error as error:
            where = ", ".join(map(str, files))
            raise DataError("the file cannot be read", where=where, saw=_told(error)) from None
        return nw.from_native(rows)

    def parsed(
        self,
        frame: Frame,
        readings: Sequence[Reading],
        *,
        timezone: str,
        written: CsvFormat = PLAIN,
    ) -> Frame:
        """The frame's `_source`, `_row` and one column per reading; the unreadable is null."""
        relation = nw.to_native(frame)
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        read = (
            f"{read_as(r, types, timezone=timezone, written=written)} AS {quoted(r.name)}"
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
        with _computing(self._originals):
            nw.to_native(frame).create(name)
        return nw.from_native(self._connection.table(name))

    def collect(self, frame: Frame) -> pa.Table:
        """The frame's rows as one Arrow table; errors are those of `keep`."""
        with _computing(self._originals):
            return nw.to_native(frame).to_arrow_table()

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """The frame's rows, streamed; errors are those of `keep`."""
        with _computing(self._originals):
            yield from nw.to_native(frame).to_arrow_reader(_BATCH_ROWS)

    def _parquet(self, files: Sequence[Path], columns: str) -> duckdb.DuckDBPyRelation:
        names = ", ".join(literal(glob.escape(str(file))) for file in files)
        return self._connection.sql(
            f"SELECT {columns}, {quoted(_FILE)} AS _source, "  # noqa: S608 - quoted by us
            "file_row_number + 1 AS _row "
            f"FROM read_parquet([{names}], filename = {literal(_FILE)}, "
            "file_row_number = true, union_by_name = true, hive_partitioning = false)"
        )

    def _csv(
        self, layouts: Mapping[Path, Layout], columns: str, written: CsvFormat
    ) -> duckdb.DuckDBPyRelation:
        alike = [
            self._csv_alike([f for f in layouts if layouts[f] == layout], layout, columns, written)
            for layout in dict.fromkeys(layouts.values())
        ]
        return functools.reduce(duckdb.DuckDBPyRelation.union, alike)

    def _csv_alike(
        self, files: Sequence[Path], layout: Layout, columns: str, written: CsvFormat
    ) -> duckdb.DuckDBPyRelation:
        read = [self._in_utf8(file, written.encoding) for file in files]
        # Nothing is sniffed: a guess would hang on which rows happen to be broken.
        rows = self._connection.read_csv(
            [glob.escape(str(file)) for file in read],  # type: ignore[arg-type]  # stub: one name
            columns=dict.fromkeys(layout.columns, "VARCHAR"),
            header=True,
            auto_detect=False,
            sep=layout.delimiter,
            quotechar=written.quote,
            escapechar=written.quote,
            lineterminator=_LINE_ENDS.get(layout.line_end or ""),
            skiprows=written.skip_lines or None,
            filename=_FILE,
            hive_partitioning=False,
        )
        source = _renamed(quoted(_FILE), {str(r): str(f) for r, f in zip(read, files, strict=True)})
        numbered = rows.project(f"{columns}, {source} AS _source, row_number() OVER () AS _row")
        if len(files) == 1:
            return numbered
        return numbered.project(
            "* REPLACE (_row - min(_row) OVER (PARTITION BY _source) + 1 AS _row)"
        )

    def _in_utf8(self, file: Path, encoding: str) -> Path:
        """The file, or a copy of it in UTF-8."""
        if encoding == "utf-8":
            return file
        copy = self._folder / f"{next(self._names)}.csv"
        copy_as_utf8(file, copy, encoding)
        self._originals[str(copy)] = str(file)
        return copy


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
        spill = options.temp_directory if _is_folder(options.temp_directory) else None
        with tempfile.TemporaryDirectory(prefix="portfolio-ml-", dir=spill) as folder:
            yield DuckDBEngine(connection, Path(folder))
    finally:
        connection.close()


@contextmanager
def _computing(originals: Mapping[str, str]) -> Iterator[None]:
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
        where, saw = originals.get(file[1], file[1]), _told(error)
        raise DataError(
            "the file cannot be read",
            where=where,
            saw=saw,
            do="repair it there, or export it again",
        ) from None


def _told(error: duckdb.Error) -> str:
    """What was wrong and on which line, without the line itself."""
    first, *others = str(error).splitlines()
    reasons = [line for line in others if line.startswith(_CSV_REASONS)]
    first = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", first)
    return ": ".join([first.rstrip(":"), *reasons[:1]]).rstrip(".")


def _renamed(column: str, names: Mapping[str, str]) -> str:
    """The column with each value that has another name under that name."""
    cases = [f"WHEN {literal(k)} THEN {literal(v)}" for k, v in names.items() if k != v]
    return f"CASE {column} {' '.join(cases)} ELSE {column} END" if cases else column


def _is_folder(path: Path | None) -> bool:
    return path is not None and path.is_dir()
