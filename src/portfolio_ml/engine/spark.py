"""Spark, on one machine or many.

Files are read and their rows validated in this process, and Spark takes the validated tables over
as Parquet files: what one machine cannot load, Spark does not see either. What it computes may be
larger than that: many as-of dates of a long history.

Tables pass through the folder `engine.temp_directory`, both those that Spark takes over and those
that it keeps, so all of its workers must see it. Files cut a kept table from what it was computed
from, and a lost worker loses nothing of it.
"""

import itertools
import re
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb
import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.config import Spark
from portfolio_ml.engine.duckdb import DuckDBEngine
from portfolio_ml.engine.frames import Frame
from portfolio_ml.errors import (
    ConfigError,
    DataError,
    PortfolioError,
    ServiceUnavailableError,
    TryAgainLaterError,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_BATCH_ROWS = 100_000
_PATIENCE_SECONDS = 10
_INSTALL = "run pip install 'portfolio-ml[spark]'"
_LOG = "spark.log"
_TELLING = re.compile(r"Exception: |^Error: |^Invalid |JAVA_HOME|: No such file|not found$")
_UNTOLD = re.compile(r"^(?:Exception in thread \S+ )?[\w.$]+(?:Exception|Error): ")

# The machine's zone changes no result; a sum that overflows is an error, as it is in DuckDB.
_FIXED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
}
_RAISED = (ConfigError, DataError, ServiceUnavailableError, TryAgainLaterError)
"""What workers raise that is no bug."""
_QUIET = {
    "spark.python.sql.dataFrameDebugging.enabled": "false",  # it doubles the calls to Java
    "spark.app.name": "portfolio-ml",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""What a worker does with the batches that it is given."""


@dataclass(frozen=True, slots=True)
class _Each:
    """A function of one number, as workers are given it: batches of numbers."""

    work: Callable[[int], str]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            numbers = batch[0].to_pylist()
            told = [self.work(number) for number in numbers]
            yield pa.RecordBatch.from_pydict(
                {"number": numbers, "told": pa.array(told, pa.string())}
            )


class SparkEngine:
    """Frames are Spark dataframes of one session."""

    rows_at_once: int | None = None

    def __init__(self, session: "SparkSession", reader: DuckDBEngine, folder: Path) -> None:
        self._session = session
        self._reader = reader
        self._folder = folder
        self._names = (f"kept_{n}.parquet" for n in itertools.count())

    def from_arrow(self, table: pa.Table) -> Frame:
        """A frame over a copy of an Arrow table, which should be small."""
        with _computing():
            return _framed(self._session.createDataFrame(table))

    def taken(self, frame: Frame) -> Frame:
        """A frame of the engine that reads, streamed to Spark through a file.

        One of Spark's own is given back as it is.

        Raises:
            ConfigError: Spark does not see the folder that it passes through.
        """
        if not isinstance(nw.to_native(frame), duckdb.DuckDBPyRelation):
            return frame
        file = self._folder / next(self._names)
        self._reader.write(frame, file)
        return self._read(file)

    def keep(self, frame: Frame) -> Frame:
        """The frame, written once to Parquet files.

        Raises:
            ServiceUnavailableError: Spark gave the work up.
        """
        return self._read(self._written(frame))

    def collect(self, frame: Frame) -> pa.Table:
        """The frame's rows as one Arrow table; errors are those of `keep`."""
        with _computing():
            rows: pa.Table = nw.to_native(frame).toArrow()
        return pa.table(rows.columns, rows.column_names)  # Spark marks columns that have no null

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """The frame's rows in order, streamed from files; errors are those of `keep`."""
        for file in sorted(self._written(frame).glob("part-*.parquet")):
            with pq.ParquetFile(file) as opened_file:
                yield from opened_file.iter_batches(_BATCH_ROWS)

    def streamed(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Frame:
        """A frame over rows that come a batch at a time, through a file.

        Raises:
            ConfigError: Spark does not see the folder that it passes through.
        """
        file = self._folder / next(self._names)
        with pq.ParquetWriter(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return self._read(file)

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

        with _computing():
            types = from_arrow_schema(schema)
            return _framed(nw.to_native(frame).mapInArrow(work, types))

    def files(self, frame: Frame) -> tuple[Path, ...]:
        """Parquet files with the frame's rows in order, which end with the engine.

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
        with _computing():
            numbers = self._session.range(0, count, 1, count)
            done = numbers.mapInArrow(_Each(work), "number long, told string").toArrow()
        told = dict(zip(done["number"].to_pylist(), done["told"].to_pylist(), strict=True))
        return [told[number] for number in range(count)]

    def _written(self, frame: Frame) -> Path:
        folder = self._folder / next(self._names)
        with _computing():
            nw.to_native(frame).write.parquet(str(folder))
        return folder

    def _read(self, path: Path) -> Frame:
        with _computing():
            return _framed(self._session.read.parquet(path.as_uri()))


@contextmanager
def opened(settings: Spark, reader: DuckDBEngine) -> Iterator[SparkEngine]:
    """An engine for the length of a `with` block.

    The session that is active goes on after it; one that was started here is stopped.

    Args:
        settings: Where Spark is.
        reader: The engine whose tables it takes over.

    Raises:
        ConfigError: Spark or its Java is not installed, or another master's session is active.
        ServiceUnavailableError: Spark does not answer, or does not start.
    """
    spill = settings.temp_directory
    if spill is not None and not spill.is_dir():
        raise ConfigError(
            "the folder that tables pass through is not there",
            where="engine.temp_directory",
            saw=str(spill),
            do="make it, where this process and all of Spark's workers see it",
        )
    with tempfile.TemporaryDirectory(prefix="portfolio-ml-", dir=spill) as name:
        folder = Path(name).resolve()
        with warnings.catch_warnings():
            _ignore_pandas()
            session, is_ours = _session(settings, folder)
            try:
                own = session if is_ours else session.newSession()
                for option, value in {**settings.options, **_FIXED}.items():
                    with _computing():
                        _set(own, option, value)
                yield SparkEngine(own, reader, folder)
            finally:
                if is_ours:
                    with suppress(Exception):  # it may be gone already
                        session.stop()


def _session(settings: Spark, folder: Path) -> "tuple[SparkSession, bool]":
    """The session to compute in, and whether it was started here."""
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra, and it takes a while
    except ImportError:
        raise ConfigError(
            "the engine is Spark, and PySpark is not installed", where="engine", do=_INSTALL
        ) from None
    if settings.remote:
        return _connected(settings.remote), True
    active = SparkSession.getActiveSession()
    master = active and active.conf.get("spark.master", None)
    if settings.master not in (None, master) and settings.master.startswith("spark://"):
        _demand_listener(settings.master)
    if active is None:
        return _started(settings, folder), True
    if settings.master not in (None, master):
        raise ConfigError(
            "a Spark session with another master is active",
            where="engine.master",
            saw=f"{master} instead of {settings.master}",
            do="leave engine.master out to compute in that session, or stop it",
        )
    return active, False


def _started(settings: Spark, folder: Path) -> "SparkSession":
    """A session of our own, whose Java process says what it has to say in a file."""
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415 - see `_session`
    from pyspark.errors import PySparkException  # noqa: PLC0415 - slow to load
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415 - slow to load
    from pyspark.sql import SparkSession  # noqa: PLC0415 - slow to load

    conf = SparkConf(loadDefaults=False).setAll([*{**_QUIET, **settings.options}.items()])
    if settings.master:
        conf.setMaster(settings.master)
    log = folder / _LOG
    try:
        gateway = None
        if SparkContext._gateway is None:  # noqa: SLF001 - one that runs cannot be started again
            with log.open("wb") as written:
                both = {"stdout": written, "stderr": subprocess.STDOUT}
                gateway = launch_gateway(conf, both)  # type: ignore[no-untyped-call]  # theirs
    except (PySparkException, OSError):
        raise ConfigError(
            "Spark's Java does not start",
            where="engine",
            saw=_reason(log),
            do="install a Java from 17 on with the module jdk.incubator.vector, such as Debian's "
            "openjdk-17-jre-headless, or correct engine.options",
        ) from None
    try:
        context = SparkContext(conf=conf, gateway=gateway)
        if python := _python_of(settings):
            context.pythonExec = python
        return SparkSession(context)
    except Exception as error:  # noqa: BLE001 - whatever Java has thrown
        raise ServiceUnavailableError(
            "Spark does not start",
            where=settings.master,
            saw=_told(error),
            do="check engine.master and engine.options",
        ) from None


def _python_of(settings: Spark) -> str | None:
    """The Python that workers run: on this machine the one that runs here, which has the package.

    None leaves it to Spark, whose own word is the variable PYSPARK_PYTHON.
    """
    told = settings.options.get("spark.pyspark.python")
    is_here = settings.master is not None and settings.master.startswith("local")
    return str(told) if told else sys.executable if is_here else None


def _connected(url: str) -> "SparkSession":
    """A session of our own on a Spark Connect server that answers."""
    try:
        import grpc  # noqa: PLC0415 - an extra
        from pyspark.errors import PySparkValueError  # noqa: PLC0415 - slow to load
        from pyspark.sql.connect.client import DefaultChannelBuilder  # noqa: PLC0415 - slow to load
        from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415 - slow to load
    except ImportError:
        raise ConfigError(
            "Spark Connect needs packages that are not installed", where="engine", do=_INSTALL
        ) from None
    where = urlsplit(url).netloc  # what follows may hold a token
    try:
        channel = DefaultChannelBuilder(url).toChannel()
        with channel:
            grpc.channel_ready_future(channel).result(timeout=_PATIENCE_SECONDS)
        return SparkSession.builder.remote(url).create()  # type: ignore[return-value]  # its twin
    except PySparkValueError:
        raise ConfigError(
            "the address of the Spark Connect server cannot be read",
            where="engine.remote",
            do="write it as sc://host:15002/;use_ssl=true;token=${TOKEN}",
        ) from None
    except grpc.FutureTimeoutError:
        raise _silent(where, "engine.remote") from None
    except Exception as error:  # noqa: BLE001 - gRPC's errors and Spark's have no common tree
        raise ServiceUnavailableError(
            "the Spark Connect server refuses us", where=where, saw=_told(error)
        ) from None


def _demand_listener(master: str) -> None:
    """Raise unless one of the hosts of a `spark://` address answers."""
    for host in master.removeprefix("spark://").split(","):
        name, _, port = host.rpartition(":")
        with (
            suppress(OSError),
            socket.create_connection((name.strip("[]"), int(port)), timeout=_PATIENCE_SECONDS),
        ):
            return
    raise _silent(master, "engine.master")


def _silent(where: str, key: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        "Spark does not answer", where=where, do=f"check {key}, and that Spark runs there"
    )


def _set(session: "SparkSession", option: str, value: str) -> None:
    """Set it where it is an option of sessions, not one that Spark starts with."""
    if option.startswith("spark.sql.") and session.conf.isModifiable(option):
        session.conf.set(option, value)


def _framed(frame: Any) -> Frame:  # noqa: ANN401 - of either of PySpark's two kinds
    framed: Frame = nw.from_native(frame)
    return framed


@contextmanager
def _computing() -> Iterator[None]:
    """Spark's faults come out of the block as errors of the tree; bugs as themselves."""
    from py4j.protocol import Py4JError  # noqa: PLC0415 - an extra
    from pyspark.errors import (  # noqa: PLC0415 - slow to load
        AnalysisException,
        ArithmeticException,
        PySparkException,
        PythonException,
    )

    try:
        with warnings.catch_warnings():
            _ignore_pandas()
            yield
    except PythonException as error:
        known = _known(str(error))
        if known is None:
            raise
        raise known from None
    except AnalysisException as error:
        if error.getCondition() != "PATH_NOT_FOUND":
            raise
        raise ConfigError(
            "Spark does not see the folder that tables pass through",
            where="engine.temp_directory",
            do="name a folder that this process and all of Spark's workers see",
        ) from None
    except ArithmeticException as error:
        raise DataError("a number is too large to reckon with", saw=_told(error)) from None
    except (PySparkException, Py4JError, OSError) as error:
        raise ServiceUnavailableError(
            "Spark gave the work up",
            saw=_told(error),
            do="see that it runs, that its workers have memory (engine.options) and that they see "
            "engine.temp_directory",
        ) from None


def _ignore_pandas() -> None:
    """Keep Spark's warning of pandas 3 quiet, which is not used here."""
    warnings.filterwarnings("ignore", "PySpark does not yet fully", FutureWarning)


def _known(said: str) -> PortfolioError | None:
    """The error of the tree that a worker has raised, by the traceback that Spark tells of it."""
    found = re.findall(r"^portfolio_ml\.errors\.(\w+): (.+)$", said, re.MULTILINE)
    name, text = found[-1] if found else ("", "")
    kind = {each.__name__: each for each in _RAISED}.get(name)
    return None if kind is None else kind(text.rstrip("."))


def _told(error: Exception) -> str:
    """What Spark says, without its stack."""
    java = getattr(error, "java_exception", None)
    said = str(error if java is None else java.toString()).strip()
    first, *_ = said.splitlines() or [type(error).__name__]
    return _UNTOLD.sub("", first).rstrip(". ")


def _reason(log: Path) -> str | None:
    """The line of the log that says why Java did not start."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    telling = [line for line in lines if _TELLING.search(line)] or lines[-1:]
    return _UNTOLD.sub("", telling[0]).strip(". ") if telling else None
