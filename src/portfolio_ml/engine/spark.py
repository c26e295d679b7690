"""Spark, on one machine or many.

Files are read by Spark's tasks, through the same DuckDB that reads them where Spark is not, and all
else is computed from there by Spark: no table of rows is ever held in this process, which sees
headers and footers of files, aggregates and samples.

Tables pass through the folder `engine.temp_directory`, those that are kept and those that come from
a database or from memory, so all of its workers must see it. Files cut a kept table from what it
was computed from, and a lost worker loses nothing of it.
"""

import copy
import itertools
import shutil
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml import scratch
from portfolio_ml.config import CsvFormat, Spark
from portfolio_ml.engine.duckdb import DuckDBEngine
from portfolio_ml.engine.frames import PLAIN, Frame, Plan, Reading, Told, distinct
from portfolio_ml.engine.sessions import session
from portfolio_ml.engine.spark_faults import computing, quiet
from portfolio_ml.engine.spark_files import SparkFiles, framed
from portfolio_ml.engine.spool import spooled
from portfolio_ml.engine.work import Each, Sent, Work
from portfolio_ml.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_BATCH_ROWS = 100_000


class SparkEngine:
    """Frames are Spark dataframes of one session.

    Args:
        session: The session.
        reader: What looks at files in this process, and streams tables that are in it.
        folder: What tables pass through; this process and Spark's workers see it.

    Attributes:
        folder: The same.
    """

    rows_at_once: int | None = None

    def __init__(self, session: "SparkSession", reader: DuckDBEngine, folder: Path) -> None:
        self._session = session
        self._reader = reader
        self.folder = folder
        self._names = (f"kept_{n}.parquet" for n in itertools.count())
        self._kept: list[Path] = []
        self._files = SparkFiles(session, reader, folder)

    def numbered(self, ids: Frame) -> Frame:
        """Distinct `customer_id`s with their number `customer` in ascending order, from 0.

        The ids are sorted into files, each of which begins where the one before it ends.
        """
        folder = self._written(ids.select("customer_id").sort("customer_id"))
        counts = {f.name: pq.read_metadata(f).num_rows for f in sorted(folder.glob("part-*"))}
        starts = itertools.accumulate(counts.values(), initial=0)
        firsts = pa.table({"_file": [*counts], "_first": pa.array([*starts][:-1], pa.int64())})
        with computing():
            read = self._session.read.parquet(folder.as_uri())
            row = ("_metadata.file_name AS _file", "_metadata.row_index AS _index")
            rows = framed(read.selectExpr("customer_id", *row))
        number = (nw.col("_first") + nw.col("_index")).cast(nw.Int32)
        joined = rows.join(self.from_arrow(firsts), on="_file", how="inner")
        return joined.select(number.alias("customer"), "customer_id")

    def scan(
        self, files: Sequence[Path], written: CsvFormat = PLAIN, told: Told | None = None
    ) -> Frame:
        """The rows of CSV or Parquet files as text, with their source and row number.

        What Spark reads of a file is what DuckDB would, broken lines included: see
        `DuckDBEngine.scan`. A CSV file is read whole by one task; a Parquet file by several, if it
        has several row groups. A dataframe is only read through `parsed` and `values`.

        Raises:
            DataError: A file is not what its name says, or its columns are other ones.
        """
        return self._files.scanned(files, written, told or {})

    def listed(self, table: pa.Table, source: str) -> Frame:
        """The rows of a table in memory, through a file, with what it is called and their number.

        Raises:
            DataError: A type of the table cannot be written down.
        """
        return self._files.listed(table, source, through=self.folder / next(self._names))

    def types(self, frame: Frame) -> nw.Schema:
        """The columns of what `scan` or `listed` gave, with the types that the source has."""
        return self._files.types(frame)

    def parsed(
        self,
        frame: Frame,
        readings: Sequence[Reading],
        *,
        timezone: str,
        written: CsvFormat = PLAIN,
    ) -> Frame:
        """The lineage of what `scan` or `listed` gave, and one column per reading.

        The frame must be theirs itself, not one that was made of it: tasks read files.
        """
        return self._files.parsed(frame, readings, timezone=timezone, written=written)

    def values(
        self,
        frame: Frame,
        readings: Sequence[Reading],
        *,
        timezone: str,
        written: CsvFormat = PLAIN,
    ) -> Frame:
        """The distinct rows of what `parsed` gives, without their lineage."""
        rows = self.parsed(frame, readings, timezone=timezone, written=written)
        return distinct(rows.select(*(reading.name for reading in readings)))

    def from_arrow(self, table: pa.Table) -> Frame:
        """A frame over a copy of an Arrow table, which should be small."""
        with computing():
            return framed(self._session.createDataFrame(table))

    def taken(self, frame: Frame) -> Frame:
        """A frame of the engine that reads, streamed to Spark through a file.

        One of Spark's own is given back as it is.

        Raises:
            ConfigError: Spark does not see the folder that it passes through.
        """
        if not isinstance(nw.to_native(frame), duckdb.DuckDBPyRelation):
            return frame
        file = self._new()
        self._reader.write(frame, file)
        return self.written([file])

    def planned(self, plan: Plan, frames: Mapping[str, Frame], *told: Hashable) -> Frame:
        """`plan(frames, *told)`."""
        return plan(frames, *told)

    def keep(self, frame: Frame) -> Frame:
        """The frame, written once to Parquet files.

        Raises:
            ServiceUnavailableError: Spark gave the work up.
        """
        return self.written([self._written(frame)])

    def keep_each(self, frames: Iterable[Frame]) -> Frame:
        """The rows of frames, which Spark parts by itself; errors are those of `keep`."""
        return self.keep(nw.concat([*frames]))

    def together(self, frame: Frame, column: str, *, size: int) -> Frame:  # noqa: ARG002 - as of `Engine`
        """The frame itself: Spark shuffles by what a query asks for."""
        return frame

    @contextmanager
    def scope(self) -> Iterator["SparkEngine"]:
        """The same engine for a `with` block, at whose end go the files that it wrote in there.

        Those that `files` gave are among them.
        """
        own, kept = copy.copy(self), list[Path]()
        own._kept = kept  # noqa: SLF001 - one of this class
        try:
            yield own
        finally:
            for path in kept:
                _remove(path)

    def adopt(self, path: Path) -> None:
        """Let what a worker left in the folder end with this engine, or with the scope it is."""
        self._kept.append(path)

    def collect(self, frame: Frame) -> pa.Table:
        """The frame's rows as one Arrow table; errors are those of `keep`."""
        with computing():
            rows: pa.Table = nw.to_native(frame).toArrow()
        return pa.table(rows.columns, rows.column_names)  # Spark marks columns that have no null

    def with_digest(self, frame: Frame, column: str, *, salt: str) -> Frame:
        """The frame with `digest`: MD5 of the salt and a text, 32 hexadecimal digits."""
        salted = frame.with_columns(_salted=nw.concat_str(nw.lit(salt), nw.col(column)))
        with computing():  # as text: functions of Spark's and of Spark Connect's are other ones
            digested = nw.to_native(salted).selectExpr("*", "md5(_salted) AS digest")
            return framed(digested.drop("_salted"))

    def spooled(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
        """The batches as a table that lies in a file; errors are those of `keep`."""
        with computing():
            return spooled(batches, schema, self.folder / f"{next(self._names)}.arrow")

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """The frame's rows in order, streamed from files; errors are those of `keep`."""
        folder = self._written(frame)
        try:
            for file in sorted(folder.glob("part-*.parquet")):
                with pq.ParquetFile(file) as opened_file:
                    yield from opened_file.iter_batches(_BATCH_ROWS)
        finally:
            _remove(folder)

    def stored(self, frame: Frame, schema: pa.Schema) -> pa.Table:
        """The frame's rows in order, in a file that this process maps.

        Errors are those of `keep`.
        """
        return self.spooled((batch.cast(schema) for batch in self.batches(frame)), schema)

    def written(self, files: Sequence[Path]) -> Frame:
        """The rows of Parquet files of our own, in this engine's folder.

        Raises:
            ConfigError: Spark does not see the folder.
        """
        with computing():
            return framed(self._session.read.parquet(*(file.as_uri() for file in files)))

    def passed(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Path:
        """A Parquet file of rows that come a batch at a time, which the workers see."""
        file = self._new()
        with pq.ParquetWriter(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return file

    def mapped(self, frame: Frame, work: Work, schema: pa.Schema) -> Frame:
        """The frame's rows through a function that Spark's workers run, a batch at a time.

        A worker that dies has its rows done anew by another; so the function only computes.

        Args:
            frame: The rows.
            work: Takes the batches of a part of them, and gives those with the columns of the
                schema. It goes to the workers with all that it holds.
            schema: What comes back.
        """
        from pyspark.sql.pandas.types import from_arrow_schema  # noqa: PLC0415 - slow to load

        with quiet(), computing():
            types = from_arrow_schema(schema)
            return framed(nw.to_native(frame).mapInArrow(Sent(work), types))

    def files(self, frame: Frame) -> tuple[Path, ...]:
        """Parquet files with the frame's rows in order, which end with the engine or its scope.

        Of parts that Spark tried more than once, only the attempt that it took is among them;
        errors are those of `keep`.
        """
        return tuple(sorted(self._written(frame).glob("part-*.parquet")))

    def each(self, count: int, work: Callable[[int], str]) -> list[str]:
        """What a function that Spark's workers run gives for every number below `count`.

        A number whose worker dies, or is slow, may be tried again by another, even at the same
        time: a function that leaves something behind gives what tells its own from others', and
        only what it gives here was taken.

        Raises:
            ServiceUnavailableError: Spark gave the work up.
        """
        if not count:
            return []
        with quiet(), computing():
            numbers = self._session.range(0, count, 1, count)
            done = numbers.mapInArrow(Sent(Each(work)), "number long, told string").toArrow()
        told = dict(zip(done["number"].to_pylist(), done["told"].to_pylist(), strict=True))
        return [told[number] for number in range(count)]

    def once(self, work: Callable[[], str]) -> str:
        """What a function gives that one of Spark's workers runs; all else is as of `each`."""
        [told] = self.each(1, lambda _: work())
        return told

    def _written(self, frame: Frame) -> Path:
        folder = self._new()
        with computing():
            nw.to_native(frame).write.parquet(str(folder))
        return folder

    def _new(self) -> Path:
        """A name in the folder for what ends with the engine, or with the scope that it is."""
        self._kept.append(self.folder / next(self._names))
        return self._kept[-1]


@contextmanager
def opened(settings: Spark, reader: DuckDBEngine) -> Iterator[SparkEngine]:
    """An engine for the length of a `with` block.

    The session that is active goes on after it; one that was started here is stopped.

    Args:
        settings: Where Spark is.
        reader: What looks at files in this process, and whose tables it takes over.

    Raises:
        ConfigError: Spark or its Java is not installed, or another master's session is active.
        ServiceUnavailableError: Spark does not answer, or does not start.
    """
    shared = settings.temp_directory
    if shared is not None and not shared.is_dir():
        raise ConfigError(
            "the folder that tables pass through is not there",
            where="engine.temp_directory",
            saw=str(shared),
            do="make it, where this process and all of Spark's workers see it",
        )
    with scratch.folder(shared and shared.resolve()) as folder, session(settings, folder) as own:
        yield SparkEngine(own, reader, folder)


def _remove(path: Path) -> None:
    """Remove a file or a folder, as far as they are there."""
    with suppress(OSError):
        path.unlink() if path.is_file() else shutil.rmtree(path)
