"""The engines that the settings ask for: one that reads, and one that computes."""

from collections.abc import Iterator
from contextlib import contextmanager

from portfolio_ml.config import DuckDB, Spark
from portfolio_ml.engine import duckdb, spark
from portfolio_ml.engine.duckdb import DuckDBEngine
from portfolio_ml.engine.frames import Engine, Reader
from portfolio_ml.engine.spark import SparkEngine


@contextmanager
def reading(settings: DuckDB | Spark) -> Iterator[Reader]:
    """The engine that reads files, validates their rows and computes from them.

    Raises:
        ConfigError: It cannot be started with these settings.
        ServiceUnavailableError: Spark does not answer.
    """
    # What this process looks at of Spark's files, and streams to it, takes no room worth telling.
    own = DuckDB() if isinstance(settings, Spark) else settings
    with duckdb.opened(own) as reader:
        if isinstance(settings, DuckDB):
            yield reader
        else:
            with spark.opened(settings, reader) as engine:
                yield engine


@contextmanager
def computing(settings: DuckDB | Spark, reader: Reader) -> Iterator[Engine]:
    """The engine that computes from what `reading` gave: the same one, or Spark from DuckDB's.

    Raises:
        ConfigError: Spark cannot be started with these settings.
        ServiceUnavailableError: Spark does not answer.
    """
    if isinstance(settings, Spark) and isinstance(reader, DuckDBEngine):
        with spark.opened(settings, reader) as engine:
            yield engine
    else:
        yield reader


def workers_of(engine: Engine) -> SparkEngine | None:
    """The engine, where it has workers beside this process; else None."""
    return engine if isinstance(engine, SparkEngine) else None
