"""The two engines whose results are compared."""

import pytest
from tests.java import lacks_for_spark

from portfolio_ml.config import DuckDB, Spark
from portfolio_ml.engine import computing, opened, reading

LOCAL = Spark(
    kind="spark",
    master="local[2,4]",  # a task is tried four times
    options={
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.memory": "2g",
        # What runs for a minute is not worth the second compiler, nor threads to collect garbage.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    },
)


@pytest.fixture(scope="session")
def local_spark():
    """A real Spark on this machine."""
    if lacks := lacks_for_spark():
        pytest.skip(lacks)
    with reading(LOCAL) as reader, computing(LOCAL, reader) as engine:
        yield engine


@pytest.fixture(scope="session")
def duckdb():
    with opened(DuckDB(threads=2)) as engine:
        yield engine
