"""Spark doubles slow tasks and executors die: every row is delivered once. `make test-faults`.

The cluster is real: a master, and two workers whose executors are processes of their own.
"""

import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
from portfolio_ml.schema import Table
from portfolio_ml.sinks.brought import Bringing
from portfolio_ml.sinks.parts import Part

pytestmark = [pytest.mark.campaign, pytest.mark.xdist_group("spark")]

CHOSEN = 1
"""The number of the task, among those of a stage, that is slow or whose executor dies."""
ATTEMPTS = 4
"""After so many a task is given up, where Spark is told nothing else."""
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


@dataclass(frozen=True)
class ExecutorKilled:
    """At its first attempt, a task kills the executor that it runs in."""

    folder: Path

    def __call__(self, number: int) -> None:
        """After the work of a task of that number is done, by whichever attempt."""
        from pyspark import TaskContext  # noqa: PLC0415 - in a worker

        marker = self.folder / f"stage {TaskContext.get().stageId()}"
        if number == CHOSEN and not marker.exists():
            marker.touch()
            kill_executor()


def kill_executor() -> None:
    """Kills the executor that this worker of Python's belongs to."""
    daemon = os.getppid()
    executor = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
    assert b"CoarseGrainedExecutorBackend" in Path(f"/proc/{executor}/cmdline").read_bytes()
    os.kill(executor, signal.SIGKILL)
    time.sleep(PATIENCE_SECONDS)  # it ends with its executor


@dataclass(frozen=True)
class Torn:
    """A part whose rows are copied, and not committed, when its executor is killed.

    That happens to so many attempts, of which each leaves a file.
    """

    part: Part
    folder: Path
    attempts: int

    @property
    def first(self) -> int:
        return self.part.first

    def batches(self, contract: Table) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext  # noqa: PLC0415 - in a worker

        yield from self.part.batches(contract)
        attempt = TaskContext.get().attemptNumber()
        if attempt < self.attempts:
            (self.folder / f"copied by {attempt}").touch()
            kill_executor()


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


def torn(monkeypatch: pytest.MonkeyPatch, folder: Path, *, attempts: int) -> None:
    """Let the executor be killed that has copied the first part to a database, so many times."""
    each = SparkEngine.each

    def torn_each(self: SparkEngine, count: int, work: Callable[[int], str]) -> list[str]:
        if isinstance(work, Bringing):
            first, *others = work.parts
            work = replace(work, parts=(Torn(first, folder, attempts), *others))
        return each(self, count, work)

    monkeypatch.setattr(SparkEngine, "each", torn_each)


def on(running: Cluster) -> dict:
    return {"kind": "spark", "master": running.master, "options": running.options}


def alike_everywhere(found: dict[str, pa.Table], expected: dict[str, pa.Table]) -> bool:
    ids = expected["parquet"]["customer_id"].to_pylist()
    assert len(ids) == len(set(ids)) == small_shop.CUSTOMERS
    for name in expected:
        assert found[name]["customer_id"].to_pylist() == ids, name
    return alike(expected["parquet"], found["parquet"]) and alike(expected["sql"], found["sql"])


def lost_executors(running: Cluster) -> int:
    """How many took a task with them; each has one core."""
    reasons = (event["Task End Reason"]["Reason"] for event in running.ended_tasks())
    return sum(reason == "ExecutorLostFailure" for reason in reasons)


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


def test_an_executor_killed_at_any_step_delivers_no_row_twice(
    running, delivered, monkeypatch, tell, tmp_path
):
    expected = delivered("ours_again", {})
    disturbed(monkeypatch, ExecutorKilled(tmp_path))
    torn(monkeypatch, tmp_path, attempts=1)
    lost_before = lost_executors(running)
    found = delivered("killed", on(running))
    assert alike_everywhere(found, expected)
    # When rows were scored, counted, copied, and committed to PostgreSQL, and nobody knew yet.
    kills = len([*tmp_path.iterdir()])
    assert lost_executors(running) - lost_before == kills == 4
    of = "Spark's executor that scores, counts or copies"
    tell("killed", of, kills, {"delivered once": kills})


def test_executors_that_die_again_and_again_leave_nothing_in_the_database(
    running, shop, postgresql_server, tell, tmp_path
):
    postgresql_server.run("CREATE DATABASE given_up")
    sql = {"kind": "sql", "url": postgresql_server.url_of("given_up"), "table": "scores"}
    file = {"kind": "parquet", "path": "given_up.parquet"}
    settings = shop.settings(on(running), sql, file, state="given_up.db")
    lost_before = lost_executors(running)
    with pytest.MonkeyPatch.context() as patch:
        torn(patch, tmp_path, attempts=ATTEMPTS)
        done = shop.scored(settings)
    [fault] = done.faults
    assert re.fullmatch(r"Spark gave the work up.*\. See that it runs.*\.", str(fault))
    assert "\n" not in str(fault)
    assert {file.name for file in tmp_path.iterdir()} == {
        f"copied by {attempt}" for attempt in range(ATTEMPTS)
    }
    assert lost_executors(running) - lost_before == ATTEMPTS
    question = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert postgresql_server.run(question, database="given_up") == []
    assert pq.read_metadata(shop.folder / "given_up.parquet").num_rows == small_shop.CUSTOMERS
    again = shop.scored(shop.settings({}, sql, file, state="given_up.db"))
    assert (again.faults, again.receipts[0].sent) == ((), small_shop.CUSTOMERS)
    tell(
        "killed",
        "every executor of Spark's that copies",
        1,
        {"nothing delivered": 1, "finished": 1},
    )
