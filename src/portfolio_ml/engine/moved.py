"""What holds frames of Spark's here, and in a worker holds DuckDB's of the same rows.

The rows go through files that all see, and never through this process.
"""

import io
import itertools
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import narwhals as nw

from portfolio_ml.config import DuckDB
from portfolio_ml.engine import duckdb
from portfolio_ml.engine.duckdb import DuckDBEngine
from portfolio_ml.engine.frames import Frame
from portfolio_ml.engine.pieces import seen
from portfolio_ml.engine.spark import SparkEngine

Thing = TypeVar("Thing")
_ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Moved(Generic[Thing]):
    """Something whose frames lie in files.

    Attributes:
        pickled: It, with a number in place of each frame. It is made and read by one run alone.
        tables: By that number, the Parquet files of the frame's rows, in order.
        folder: Where a worker may write; all see it.
        memory_limit: What DuckDB may take of a worker's memory before it spills to the folder.
    """

    pickled: bytes
    tables: tuple[tuple[Path, ...], ...]
    folder: Path
    memory_limit: str

    @contextmanager
    def opened(self) -> Iterator[Thing]:
        """It, for the length of a `with` block, with frames of a DuckDB of this process.

        Raises:
            ConfigError: The files are not seen here, or the memory is told in no known way.
        """
        # One thread: that is what Spark has given the task.
        settings = DuckDB(
            threads=1, memory_limit=self.memory_limit, temp_directory=seen(self.folder)
        )
        with duckdb.opened(settings) as engine:
            yield _Opening(self, engine).load()


class _Opening(pickle.Unpickler):
    def __init__(self, moved: Moved[Any], engine: DuckDBEngine) -> None:
        super().__init__(io.BytesIO(moved.pickled))
        self._tables, self._engine = moved.tables, engine

    def persistent_load(self, pid: str | int) -> DuckDBEngine | Frame:
        return self._engine if isinstance(pid, str) else self._engine.written(self._tables[pid])


def moved(thing: Thing, workers: SparkEngine, *, memory_limit: str) -> Moved[Thing]:
    """The thing, to be opened by a worker; its frames are written to files now.

    Args:
        thing: What holds frames, and perhaps the engine; all else of it goes along.
        workers: Whose frames they are.
        memory_limit: What DuckDB may take of a worker's memory.

    Raises:
        ServiceUnavailableError: Spark gave the work up.
    """
    from pyspark import cloudpickle  # noqa: PLC0415 - an extra

    numbers = itertools.count()
    frames: dict[int, tuple[int, Frame]] = {}

    class Leaving(cloudpickle.Pickler):
        """Leaves frames and their engine out; a frame that is held twice is one table."""

        def persistent_id(self, of: object) -> str | int | None:
            if of is workers:
                return _ENGINE
            if not isinstance(of, nw.LazyFrame):
                return None
            if id(of) not in frames:
                frames[id(of)] = next(numbers), of
            return frames[id(of)][0]

    pickled = io.BytesIO()
    Leaving(pickled).dump(thing)  # type: ignore[no-untyped-call]  # cloudpickle has no types
    tables = tuple(workers.files(frame) for _, frame in frames.values())
    return Moved(pickled.getvalue(), tables, workers.folder, memory_limit)
