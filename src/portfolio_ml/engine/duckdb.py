"""DuckDB, in this process and out of core."""

import copy
import functools
import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

import duckdb
import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml import scratch
from portfolio_ml.config import CsvFormat, DuckDB
from portfolio_ml.engine import faults
from portfolio_ml.engine.duckdb_files import Files
from portfolio_ml.engine.frames import LINEAGE, PLAIN, Frame, Plan, Reading, Told, beside, distinct
from portfolio_ml.engine.plans import planned
from portfolio_ml.engine.readings import bare_text, literal, quoted, read_as
from portfolio_ml.engine.spool import spooled
from portfolio_ml.errors import ConfigError

Computed = TypeVar("Computed")

_BATCH_ROWS = 100_000
_BYTES_OF_ROW = 10_000  # of a wide result while it is computed: some hundred sums with their state

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
        self._names = (f"kept_{n}" for n in itertools.count())
        self._files = Files(connection, folder, self._names)
        self._kept: list[str] = []
        self._read_by = WeakKeyDictionary[duckdb.DuckDBPyRelation, object]()
        self.rows_at_once: int | None = max(_memory(connection) // _BYTES_OF_ROW, 1)

    def numbered(self, ids: Frame) -> Frame:
        """Distinct `customer_id`s with their number `customer` in ascending order, from 0."""
        rows = ids.with_row_index("customer", order_by="customer_id")
        return rows.with_columns(nw.col("customer").cast(nw.Int32))

    def from_arrow(self, table: pa.Table) -> Frame:
        """A frame over an Arrow table, without a copy."""
        # Not by `register`: a change of the catalogue has all relations bound anew.
        return nw.from_native(self._connection.from_arrow(table))

    def taken(self, frame: Frame) -> Frame:
        """The frame itself: it is this engine's."""
        return frame

    def scan(
        self, files: Sequence[Path], written: CsvFormat = PLAIN, told: Told | None = None
    ) -> Frame:
        """The rows of CSV or Parquet files, with their source and row number.

        CSV has a header; its values are text, quoted where need be and separated by comma,
        semicolon, tab or bar, unless `written` says otherwise. All files have the same columns,
        in any order. What is not UTF-8 is read from a copy that lives as long as the engine, and
        so is a file with lines that hold too few or too many values, or text after a closed quote:
        such a line is a row without values whose text is in `_line`, null for all others.

        Args:
            files: The files, of one kind.
            written: How CSV files are written.
            told: What their folders tell.

        Raises:
            DataError: A file cannot be read as what its name says, or its columns are other ones.
        """
        rows = nw.from_native(self._files.scanned(files, written))
        return self._with_told(rows, files, beside(told or {}, rows.columns))

    def listed(self, table: pa.Table, source: str) -> Frame:
        """The rows of a table in memory, with what it is called and their number."""
        theirs = [name for name in table.column_names if name.casefold() not in LINEAGE]
        numbers = pa.array(np.arange(1, table.num_rows + 1))
        rows = self._connection.from_arrow(table.select(theirs).append_column("_row", numbers))
        return nw.from_native(rows.project(f"*, {literal(source)} AS _source"))

    def types(self, frame: Frame) -> nw.Schema:
        """The columns of what `scan` or `listed` gave, with the types that the source has."""
        return frame.collect_schema()

    def parsed(
        self,
        frame: Frame,
        readings: Sequence[Reading],
        *,
        timezone: str,
        written: CsvFormat = PLAIN,
    ) -> Frame:
        """The frame's lineage and one column per reading; the unreadable is null."""
        relation: duckdb.DuckDBPyRelation = nw.to_native(frame)
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        columns = dict.fromkeys(column for r in readings for column in r.columns)
        texts = {column for column in columns if types[column] == "VARCHAR"}
        # Each text is stripped once, by itself: a date looks at its text eight times, and DuckDB
        # compiles each pattern that it meets, at every step that is added.
        bare = (
            f"{bare_text(quoted(c))} AS {quoted(c)}" if c in texts else quoted(c) for c in columns
        )
        read = functools.partial(
            read_as, types=types, timezone=timezone, written=written, bare=texts
        )
        values = (f"{read(r)} AS {quoted(r.name)}" for r in readings)
        lineage = [name for name in LINEAGE if name in types]
        stripped = relation.project(", ".join([*lineage, *bare]))
        return nw.from_native(stripped.project(", ".join([*lineage, *values])))

    def values(
        self,
        frame: Frame,
        readings: Sequence[Reading],
        *,
        timezone: str,
        written: CsvFormat = PLAIN,
    ) -> Frame:
        """The distinct rows of what `parsed` gives, without their lineage."""
        # Values that differ are fewer than rows, and reading one costs more than telling it apart.
        columns = dict.fromkeys(column for r in readings for column in r.columns)
        found = distinct(frame.select(*columns))
        return distinct(self.parsed(found, readings, timezone=timezone, written=written))

    def planned(self, plan: Plan, frames: Mapping[str, Frame], *told: Hashable) -> Frame:
        """`plan(frames, *told)`, gone through once for all frames that have the same columns."""
        tables = {name: nw.to_native(frame) for name, frame in frames.items()}
        relation = self._connection.sql(planned(plan, tables, told))
        self._read_by[relation] = tables  # Arrow tables live as long as who reads them by name
        return nw.from_native(relation)

    def keep(self, frame: Frame) -> Frame:
        """The frame, written once to a temporary table.

        Raises:
            DataError: A file behind it cannot be read to its end.
            ServiceUnavailableError: Memory or disk do not suffice.
        """
        name = next(self._names)
        self._computed(lambda: nw.to_native(frame).create(name))
        self._kept.append(name)
        return nw.from_native(self._connection.table(name))

    def keep_each(self, frames: Iterable[Frame]) -> Frame:
        """The rows of frames, in a table where those of one lie together; errors as of `keep`."""
        name = next(self._names)
        for place, frame in enumerate(frames):
            relation: duckdb.DuckDBPyRelation = nw.to_native(frame)
            write = relation.insert_into if place else relation.create
            self._computed(functools.partial(write, name))
        self._kept.append(name)
        return nw.from_native(self._connection.table(name))

    def together(self, frame: Frame, column: str, *, size: int) -> Frame:
        """The frame in Parquet files, one or more for each range; errors are those of `keep`."""
        relation: duckdb.DuckDBPyRelation = nw.to_native(frame)
        folder = self._folder / next(self._names)
        parted = relation.project(f"*, {quoted(column)} // {size} AS _range")
        self._computed(lambda: parted.write_parquet(str(folder), partition_by=["_range"]))
        files = str(folder / "*" / "*.parquet")
        return nw.from_native(self._connection.read_parquet(files, hive_partitioning=False))

    @contextmanager
    def scope(self) -> Iterator["DuckDBEngine"]:
        """The same engine for a `with` block, at whose end the tables that it kept are dropped.

        Example:
            >>> with opened() as engine:
            ...     with engine.scope() as briefly:
            ...         kept = briefly.keep(engine.from_arrow(pa.table({"amount": [1, 2]})))
            ...         found = briefly.collect(kept)
            ...     found["amount"].to_pylist()
            [1, 2]
        """
        own, kept = copy.copy(self), list[str]()
        own._kept = kept  # noqa: SLF001 - one of this class
        try:
            yield own
        finally:
            # Where the engine is closed, or rows are read no further, they end with the engine.
            with suppress(duckdb.Error):
                for name in kept:
                    self._connection.execute(f"DROP TABLE {quoted(name)}")

    def collect(self, frame: Frame) -> pa.Table:
        """The frame's rows as one Arrow table; errors are those of `keep`."""
        return self._computed(lambda: nw.to_native(frame).to_arrow_table())

    def with_digest(self, frame: Frame, column: str, *, salt: str) -> Frame:
        """The frame with `digest`: MD5 of the salt and a text, 32 hexadecimal digits."""
        relation: duckdb.DuckDBPyRelation = nw.to_native(frame)
        digest = f"md5(concat({literal(salt)}, {quoted(column)})) AS digest"
        return nw.from_native(relation.project(f"*, {digest}"))

    def spooled(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
        """The batches as a table that lies in a file; errors are those of `keep`."""
        with self._computing():
            return spooled(batches, schema, self._folder / f"{next(self._names)}.arrow")

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """The frame's rows, streamed; errors are those of `keep`."""
        rows = self._computed(lambda: nw.to_native(frame).to_arrow_reader(_BATCH_ROWS))
        with self._computing():
            yield from rows

    def through_file(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """The frame's rows, streamed from a file: broken lines are found before the first row."""
        file = self._folder / f"{next(self._names)}.parquet"
        self.write(frame, file)
        with pq.ParquetFile(file) as opened_file:
            yield from opened_file.iter_batches(_BATCH_ROWS)
        file.unlink()

    def stored(self, frame: Frame, schema: pa.Schema) -> pa.Table:
        """The frame's rows in order, in a file that the table maps; errors are those of `keep`."""
        return self.spooled((batch.cast(schema) for batch in self.batches(frame)), schema)

    def written(self, files: Sequence[Path]) -> Frame:
        """The rows of Parquet files of our own, in order, as they were written."""
        return nw.from_native(self._files.written(files))

    def write(self, frame: Frame, file: Path) -> None:
        """Stream the frame's rows into a Parquet file; errors are those of `keep`."""
        self._computed(lambda: nw.to_native(frame).write_parquet(str(file)))

    def _with_told(self, rows: Frame, files: Sequence[Path], told: Told) -> Frame:
        if not told:
            return rows
        texts = {name: pa.array(values, pa.string()) for name, values in told.items()}
        by_file = self.from_arrow(pa.table({"_source": [*map(str, files)], **texts}))
        return rows.join(by_file, on="_source", how="left")

    def _computed(self, compute: Callable[[], Computed]) -> Computed:
        """What it computes, once the files with broken lines are mended; errors are the tree's."""
        with self._computing():
            try:
                return compute()
            except duckdb.InvalidInputException as error:
                if not self._files.mend(error):
                    raise
        return self._computed(compute)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Faults of files, memory and disk come out of the block as errors of the tree."""
        try:
            yield
        except (duckdb.Error, OSError) as error:
            known = self._files.meaning(error)
            if known is None:
                raise
            raise known from None


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
        raise ConfigError(
            "the engine does not start", where="engine", saw=faults.told(error)
        ) from None
    try:
        connection.execute("SET TimeZone = 'UTC'")  # the machine's zone changes no result
        spill = options.temp_directory if _is_folder(options.temp_directory) else None
        with scratch.folder(spill) as folder:
            if spill == options.temp_directory:  # else the first who spills tells what is wrong
                connection.execute(f"SET temp_directory = {literal(str(folder))}")
            yield DuckDBEngine(connection, folder)
    finally:
        connection.close()


def _memory(connection: duckdb.DuckDBPyConnection) -> int:
    """The memory that the engine may use, in bytes."""
    [[told]] = connection.sql("SELECT current_setting('memory_limit')").fetchall()
    number, unit = told.split()
    return int(float(number) * 1024 ** ("bytes", "KiB", "MiB", "GiB", "TiB").index(unit))


def _is_folder(path: Path | None) -> bool:
    """Whether a folder is named and there; it is made where it is missing."""
    if path is None:
        return False
    with suppress(OSError):
        path.mkdir(parents=True, exist_ok=True)
    return path.is_dir()
