"""Spark doubles slow tasks: every row is delivered once. `make test-faults`.

The cluster is real: a master, and two workers whose executors are processes of their own.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from tests import small_shop
from tests.java import lacks_for_spark
from tests.parity.test_scoring import alike
from tests.parity.trained_shop import TODAY, Shop
from tests.spark_cluster import Cluster, cluster

from portfolio_ml.engine import SparkEngine
from portfolio_ml.engine.work import Work

pytestmark = [pytest.mark.campaign, pytest.mark.xdist_group("spark")]

CHOSEN = 1
"""The number of the task, among those of a stage, that is slow."""
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Overtaken:
    """Two attempts do all of a task's work, and Spark takes the second.

    The first does not say that it is done until Spark ends it for the other's sake; that one waits
    until the first has done its work.
    """

    folder: Path

    def __call__(self, number: int) -> None:
        """After the work of a task of that number is done, by whichever attempt."""
        from pyspark import TaskContext  # noqa: PLC0415 - in a worker

        context = TaskContext.get()
        task = f"stage {context.stageId()} task {number}"
        (self.folder / f"{task} by {context.attemptNumber()}").touch()
        until = time.monotonic() + PATIENCE_SECONDS
        while number == CHOSEN and time.monotonic() < until:
            if context.attemptNumber() and (self.folder / f"{task} by 0").exists():
                return
            time.sleep(0.1)


Then = Callable[[int], None]


@dataclass(frozen=True)
class Numbered:
    """The work of a number, and what is done then."""

    work: Callable[[int], str]
    then: Then

    def __call__(self, number: int) -> str:
        told = self.work(number)
        self.then(number)
        return told


@dataclass(frozen=True)
class Mapped:
    """The work on a part's batches, and what is done then."""

    work: Work
    then: Then

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext  # noqa: PLC0415 - in a worker

        yield from self.work(batches)
        self.then(TaskContext.get().partitionId())


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Cluster]:
    if lacks := lacks_for_spark():
        pytest.skip(lacks)
    from pyspark import cloudpickle  # noqa: PLC0415 - an extra

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    small_shop.trained(small_shop.settings_of(folder))
    return Shop(folder)


@pytest.fixture
def delivered(shop, postgresql_server):
    """Scores the shop, and gives what lies at each target: a database, Parquet and CSV files."""

    def scored(name: str, engine: dict) -> dict[str, pa.Table]:
        postgresql_server.run(f"CREATE DATABASE {name}")
        targets = (
            {"kind": "sql", "url": postgresql_server.url_of(name), "table": "scores"},
            {"kind": "parquet", "path": f"{name}.parquet"},
            {"kind": "csv", "path": f"{name}.csv"},
        )
        done = shop.scored(shop.settings(engine, *targets, state=f"{name}.db"), as_of=TODAY)
        assert done.faults == ()
        assert [r.sent for r in done.receipts] == [small_shop.CUSTOMERS] * len(targets)
        tables = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'portfolio_staging%'"
        assert postgresql_server.run(tables, database=name) == []
        rows = pq.read_table(shop.folder / f"{name}.parquet").drop(["run_id"])
        columns = ", ".join(rows.column_names)
        held = postgresql_server.run(
            f"SELECT {columns} FROM scores ORDER BY customer_id", database=name
        )
        in_sql = pa.Table.from_pylist(
            [dict(zip(rows.column_names, row, strict=True)) for row in held], schema=rows.schema
        )
        return {
            "parquet": rows,
            "sql": in_sql,
            "csv": pc.read_csv(shop.folder / f"{name}.csv").select(["customer_id", "p_churn"]),
        }

    return scored


def disturbed(monkeypatch: pytest.MonkeyPatch, then: Then) -> None:
    """Let something be done after the work of every task that runs our code."""
    each, mapped = SparkEngine.each, SparkEngine.mapped
    monkeypatch.setattr(
        SparkEngine, "each", lambda self, count, work: each(self, count, Numbered(work, then))
    )
    monkeypatch.setattr(
        SparkEngine,
        "mapped",
        lambda self, frame, work, schema: mapped(self, frame, Mapped(work, then), schema),
    )


def on(running: Cluster) -> dict:
    return {"kind": "spark", "master": running.master, "options": running.options}


def alike_everywhere(found: dict[str, pa.Table], expected: dict[str, pa.Table]) -> bool:
    ids = expected["parquet"]["customer_id"].to_pylist()
    assert len(ids) == len(set(ids)) == small_shop.CUSTOMERS
    for name in expected:
        assert found[name]["customer_id"].to_pylist() == ids, name
    return alike(expected["parquet"], found["parquet"]) and alike(expected["sql"], found["sql"])


def test_a_task_that_spark_doubles_delivers_no_row_twice(
    running, delivered, monkeypatch, tell, tmp_path
):
    expected = delivered("ours", {})
    disturbed(monkeypatch, Overtaken(tmp_path))
    found = delivered("doubled", on(running))
    assert alike_everywhere(found, expected)
    # Where rows are scored, counted, and copied to PostgreSQL, two attempts did all of a task.
    done = Counter(file.name.rpartition(" by ")[0] for file in tmp_path.iterdir())
    twice = {task for task, attempts in done.items() if attempts > 1}
    assert len(twice) >= 3, done
    taken = {
        f"stage {event['Stage ID']} task {event['Task Info']['Index']}"
        for event in running.ended_tasks()
        if event["Task Info"]["Speculative"] and event["Task End Reason"]["Reason"] == "Success"
    }
    assert twice <= taken
    tell("at once", "two attempts at a task of Spark's", len(twice), {"delivered once": len(twice)})
