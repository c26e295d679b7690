"""The two engines whose results are compared."""

import pytest
from tests import small_shop
from tests.examples import is_long
from tests.java import lacks_for_spark

from portfolio_ml.config import DuckDB, Spark
from portfolio_ml.engine import opened, reading

from .trained_shop import Shop

LOCAL = Spark(
    kind="spark",
    master="local[2, 4]",  # a task may fail three times, as on a cluster
    options={
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.memory": "2g",
        # What runs for a minute is not worth the second compiler, nor threads to collect garbage.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    },
)

SMALL = {"spark.sql.adaptive.enabled": "false", "spark.sql.codegen.wholeStage": "false"}
"""Plans made anew while they run, and compiled whole, take longer than so few rows do."""


@pytest.fixture(scope="session")
def local_spark():
    """A real Spark on this machine; `make test-long` has it plan and compile as it is shipped."""
    if lacks := lacks_for_spark():
        pytest.skip(lacks)
    options = LOCAL.options if is_long() else {**LOCAL.options, **SMALL}
    with reading(LOCAL.model_copy(update={"options": options})) as engine:
        yield engine


@pytest.fixture(scope="session")
def duckdb():
    with opened(DuckDB(threads=2)) as engine:
        yield engine


@pytest.fixture(scope="session")
def shop(local_spark, tmp_path_factory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    small_shop.trained(small_shop.settings_of(folder))
    return Shop(folder)


@pytest.fixture
def sent_to_workers(local_spark, request):
    """What the test's module defines goes to workers whole: they may not find its file."""
    from pyspark import cloudpickle  # noqa: PLC0415 - an extra

    cloudpickle.register_pickle_by_value(request.module)
    yield
    cloudpickle.unregister_pickle_by_value(request.module)
