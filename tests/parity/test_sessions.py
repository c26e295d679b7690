"""Whose session it is: one that was there is used and left alone."""

import narwhals as nw
import pyarrow as pa
import pytest

from portfolio_ml.config import Spark
from portfolio_ml.engine import computing
from portfolio_ml.errors import ConfigError, DataError

pytestmark = [pytest.mark.parity, pytest.mark.xdist_group("spark")]


def test_an_active_session_is_used_and_left_as_it_was(local_spark, duckdb):
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra

    theirs = SparkSession.getActiveSession()
    theirs.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    with computing(Spark(kind="spark"), duckdb) as engine:
        kept = engine.keep(engine.from_arrow(pa.table({"n": [2, 1]})))
        assert engine.collect(kept.sort("n"))["n"].to_pylist() == [1, 2]
    assert theirs.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    assert theirs.range(3).count() == 3
    theirs.conf.unset("spark.sql.session.timeZone")


def test_another_master_than_that_of_the_active_session_is_refused(local_spark, duckdb):
    settings = Spark(kind="spark", master="local[1]")
    with pytest.raises(ConfigError, match="another master"), computing(settings, duckdb):
        pass


def test_batches_come_in_the_order_that_was_asked_for(local_spark):
    numbers = local_spark.from_arrow(pa.table({"n": list(range(5_000))}))
    ordered = local_spark.batches(numbers.sort("n", descending=True))
    assert pa.Table.from_batches(ordered)["n"].to_pylist() == list(range(4_999, -1, -1))


def test_what_is_kept_in_a_scope_goes_with_it_and_nothing_else_does(local_spark):
    numbers = local_spark.from_arrow(pa.table({"n": [2, 1]}))
    kept, before = local_spark.keep(numbers), {*local_spark.folder.iterdir()}
    with local_spark.scope() as briefly:
        theirs = briefly.keep(numbers)
        [*files] = briefly.files(theirs.sort("n"))
        assert briefly.collect(theirs.select(nw.col("n").sum()))["n"].to_pylist() == [3]
        assert pa.Table.from_batches(briefly.batches(theirs.sort("n")))["n"].to_pylist() == [1, 2]
        assert all(file.is_file() for file in files)
        assert len({*local_spark.folder.iterdir()} - before) == 2
    assert {*local_spark.folder.iterdir()} == before
    assert local_spark.collect(kept.select(nw.col("n").sum()))["n"].to_pylist() == [3]


def test_a_table_of_the_reader_passes_with_its_types_and_nulls(local_spark, duckdb):
    table = pa.table(
        {
            "text": pa.array(["ä", None, ""]),
            "day": pa.array([1, None, -3], pa.int32()),
            "amount": pa.array([2**62, None, 0], pa.int64()),
            "value": pa.array([0.1, None, float("inf")]),
            "yes": pa.array([True, None, False]),
            "nothing": pa.array([None, None, None], pa.string()),
        }
    )
    taken = local_spark.taken(duckdb.from_arrow(table))
    assert local_spark.collect(taken) == table
    assert local_spark.taken(taken) is taken


def test_a_sum_that_overflows_is_told(local_spark):
    frame = local_spark.from_arrow(pa.table({"n": [2**62, 2**62]}))
    with pytest.raises(DataError, match="too large to reckon with"):
        local_spark.collect(frame.select(nw.col("n").sum()))
