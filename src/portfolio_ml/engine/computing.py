"""The engines that the settings ask for: one that reads, and one that computes."""

from collections.abc import Iterator
from contextlib import contextmanager

from portfolio_ml.config import DuckDB, Spark
from portfolio_ml.engine import duckdb, spark
from portfolio_ml.engine.duckdb import DuckDBEngine
from portfolio_ml.engine.frames import Engine
from portfolio_ml.engine.spark import SparkEngine


@contextmanager
def reading(settings: DuckDB | Spark) -> Iterator[DuckDBEngine]:
    """The engine that reads files and validates their rows: always DuckDB, in this process.

    Raises:
        ConfigError: It does not start with these settings.
    """
    if isinstance(settings, Spark):
        settings = DuckDB(temp_directory=settings.temp_directory)
    with duckdb.opened(settings) as engine:
        yield engine


@contextmanager
def computing(settings: DuckDB | Spark, reader: DuckDBEngine) -> Iterator[Engine]:
    """The engine that computes from what `reading` gave: the same one, or Spark.

    Raises:
        ConfigError: Spark cannot be started with these settings.
        ServiceUnavailableError: Spark does not answer.
    """
    if isinstance(settings, DuckDB):
        yield reader
    else:
        with spark.opened(settings, reader) as engine:
            yield engine


def workers_of(engine: Engine) -> SparkEngine | None:
    """The engine, where it has workers beside this process; else None."""
    return engine if isinstance(engine, SparkEngine) else None
