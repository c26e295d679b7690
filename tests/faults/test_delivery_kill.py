"""Deliveries that are killed, starved of disk, locked out or not allowed."""

import hashlib
import marshal
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, date, datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from tests.forked import forked
from tests.limits import files_up_to

from portfolio_ml.config import settings_from
from portfolio_ml.errors import ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks import files
from portfolio_ml.sinks.files import delivery as steps
from portfolio_ml.sinks.ledger import Ledger
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.sql import deliver_sql

pytestmark = pytest.mark.faults

URL = "sqlite:///crm.db?timeout=0.1"
NOW = datetime(2024, 3, 8, 6, 30, tzinfo=UTC)
ROWS = 8_000
KILLS = 6
FILES = {
    "parquet": {"kind": "parquet", "path": "scores.parquet"},
    "csv": {"kind": "csv", "path": "scores.csv"},
    "by-date": {"kind": "parquet", "path": "scores", "partitioned": True},
}


def rows(day: int, count: int = ROWS) -> pa.Table:
    """Customers whose every figure depends on the day."""
    generator = np.random.default_rng(day)
    stamps = pa.array([NOW] * count, pa.timestamp("us", tz="UTC"))
    by_type = {
        pa.string(): pa.array([f"text of day {day}"] * count),
        pa.bool_(): pa.array(generator.random(count) < 0.5),
        pa.int8(): pa.array(generator.integers(1, 6, count), pa.int8()),
        pa.int32(): pa.array(generator.integers(1, 6, count), pa.int32()),
        pa.int64(): pa.array(generator.integers(1, 6, count), pa.int64()),
        pa.float64(): pa.array(generator.random(count) * 100),
        pa.date32(): pa.array([date(2024, 3, day)] * count),
        stamps.type: stamps,
    }
    customers = pa.array([f"c{number:06}" for number in range(count)])
    others = [by_type[column.type] for column in CUSTOMER_ROWS.columns[1:]]
    return pa.table([customers, *others], names=CUSTOMER_ROWS.names)


def deliver(folder: Path, day: int, count: int = ROWS) -> Receipt:
    run = Run(run_id=f"r{day}", as_of=date(2024, 3, day), model_versions={}, now=lambda: NOW)
    return deliver_sql(rows(day, count), url=URL, table="customer_scores", base=folder, run=run)


def deliver_file(folder: Path, day: int, kind: str = "parquet") -> Receipt:
    run = Run(run_id=f"r{day}", as_of=date(2024, 3, day), model_versions={}, now=lambda: NOW)
    values = {
        "name": "shop",
        "data": {"transactions": {"source": "cdnow"}},
        "delivery": [FILES[kind]],
        "state": {"url": "sqlite:///state.db?timeout=0.1"},
    }
    settings = settings_from(values, base=folder)
    return files.deliver_file(rows(day), settings.delivery[0], settings=settings, run=run)


def state(folder: Path, database: str = "crm.db") -> str:
    """A digest of everything in the database, which must also be sound."""
    total = hashlib.sha256()
    with closing(sqlite3.connect(folder / database)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            rows = connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
            total.update(marshal.dumps(rows, 2))  # which, unlike later ones, tells values alone
    return total.hexdigest()


def delivery(folder: Path, day: int, *how: str) -> AbstractContextManager[ForkServerProcess]:
    """A delivery in a process of its own, just begun; killed at the end of the block."""
    return forked(delivered_there, folder, day, *how)


def delivered_there(folder: Path, day: int, kind: str = "", step: str = "") -> None:
    """Deliver to the database and a Parquet file, or to one kind of file; at the step, die."""
    if step:
        kill_at(step)
    if not kind:
        deliver(folder, day)
    deliver_file(folder, day, kind or "parquet")


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """A folder with the first day's delivery."""
    folder = tmp_path_factory.mktemp("delivered")
    deliver(folder, 1)
    deliver_file(folder, 1)
    return folder


@pytest.fixture
def crm(delivered, tmp_path):
    """A copy of that folder."""
    shutil.copytree(delivered, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_a_killed_delivery_leaves_the_old_rows_or_the_new_ones(crm, tmp_path_factory):
    done = shutil.copytree(crm, tmp_path_factory.mktemp("done"), dirs_exist_ok=True)
    began = time.monotonic()
    with delivery(done, 2) as process:
        process.join(60)
        assert process.exitcode == 0
        seconds = time.monotonic() - began
    old, new = state(crm), state(done)
    files = [(folder / "scores.parquet").read_bytes() for folder in (crm, done)]

    moments = random.Random(7)
    killed = tmp_path_factory.mktemp("killed")
    for kill in range(KILLS):
        shutil.rmtree(killed)
        shutil.copytree(crm, killed)
        with delivery(killed, 2) as process:
            if kill % 2:
                wait_for_journal(killed, process)
            time.sleep(moments.random() * seconds * (0.3 if kill % 2 else 1.2))
        assert state(killed) in {old, new}
        assert (killed / "scores.parquet").read_bytes() in files

    deliver(killed, 2)
    assert figures(killed) == figures(done)


def wait_for_journal(folder: Path, process: ForkServerProcess) -> None:
    """Until the database file itself is being written, or the delivery is over."""
    while process.is_alive() and not (folder / "crm.db-journal").exists():
        time.sleep(0.001)


def figures(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "crm.db")) as connection:
        past = connection.execute("SELECT * FROM customer_scores_history ORDER BY 1, 2").fetchall()
        return past + connection.execute("SELECT * FROM customer_scores ORDER BY 1").fetchall()


def test_the_first_delivery_killed_leaves_no_table(tmp_path):
    with delivery(tmp_path, 1) as process:
        wait_for_journal(tmp_path, process)
    with closing(sqlite3.connect(tmp_path / "crm.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    assert deliver(tmp_path, 1).sent == ROWS


def written(folder: Path) -> dict[str, bytes]:
    """The files that a file delivery has written, finished or not."""
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and ".db" not in p.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def receipts(folder: Path) -> list[tuple[object, ...]]:
    query = "SELECT run_id, table_name, as_of, status, rows, digest FROM portfolio_runs ORDER BY 1"
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        return connection.execute(query).fetchall()


class Scene:
    """A kind of file before and after the second day's delivery."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.before, self.after = kind, folder / "before", folder / "after"
        self.before.mkdir()
        deliver_file(self.before, 1, kind)
        shutil.copytree(self.before, self.after)
        began = time.monotonic()
        deliver_file(self.after, 2, kind)
        self.seconds = time.monotonic() - began

    def holds(self, folder: Path) -> None:
        """Every file and the database are the old ones or the new ones, the database the last."""
        old, new, there = written(self.before), written(self.after), written(folder)
        finished = {name: content for name, content in there.items() if ".part" not in name}
        assert all(content in {old.get(n), new.get(n)} for n, content in finished.items())
        assert set(old) <= set(finished)
        states = {state(place, "state.db"): place for place in (self.before, self.after)}
        if states[state(folder, "state.db")] is self.after:
            assert there == new

    def is_finished_by_a_rerun(self, folder: Path) -> None:
        deliver_file(folder, 2, self.kind)
        assert written(folder) == written(self.after)
        assert receipts(folder) == receipts(self.after)


MOMENTS = ["csv", "by-date"]  # for the Parquet file, the first test has them


@pytest.fixture(scope="module", params=[*FILES])
def scene(request, tmp_path_factory):
    return Scene(request.param, tmp_path_factory.mktemp(request.param))


STEPS = ("before the rename", "before the history", "before the receipt", "before the commit")


@pytest.mark.parametrize("step", STEPS)
def test_a_file_delivery_killed_at_any_step_is_finished_by_a_rerun(scene, tmp_path, step):
    killed = shutil.copytree(scene.before, tmp_path / "killed")
    with delivery(killed, 2, scene.kind, step) as process:
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    scene.holds(killed)
    assert receipts(killed) == receipts(scene.before)
    has_part = any(".part" in name for name in written(killed))
    assert has_part == (step == "before the rename")
    scene.is_finished_by_a_rerun(killed)


@pytest.mark.parametrize("scene", MOMENTS, indirect=True)
def test_a_file_delivery_killed_at_any_moment_is_finished_by_a_rerun(scene, tmp_path):
    moments = random.Random(7)
    for kill in range(KILLS // 3):
        killed = shutil.copytree(scene.before, tmp_path / f"killed-{kill}")
        with delivery(killed, 2, scene.kind):
            time.sleep(moments.random() * scene.seconds * 1.2)
        scene.holds(killed)
        scene.is_finished_by_a_rerun(killed)


@pytest.mark.parametrize("scene", MOMENTS, indirect=True)
def test_two_deliveries_to_a_file_wait_for_each_other(scene, tmp_path):
    """The later date wins, whoever comes first."""
    both = shutil.copytree(scene.before, tmp_path / "both")
    with delivery(both, 3, scene.kind) as late, delivery(both, 2, scene.kind) as early:
        for process in (late, early):
            process.join(60)
    for day in (2, 3):  # who found the database locked comes again
        deliver_file(both, day, scene.kind)
    assert [run for run, *_ in receipts(both)] == ["r1", "r2", "r3"]
    settings = settings_from(
        {
            "name": "shop",
            "data": {"transactions": {"source": "cdnow"}},
            "delivery": [FILES[scene.kind]],
        },
        base=both,
    )
    found = files.held(settings.delivery[0], settings=settings)
    assert found["as_of"].unique().to_pylist() == [date(2024, 3, 3)]
    assert not any(".part" in name for name in written(both))


@contextmanager
def few_pages(pages: int) -> Iterator[None]:
    """SQLite's own picture of a full disk, for every connection in the block."""

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sa.event.listen(sa.Engine, "connect", limit)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "connect", limit)


def test_a_full_disk_is_unavailable_and_leaves_the_old_rows(crm):
    before = state(crm)
    pages = (crm / "crm.db").stat().st_size // 4096
    with few_pages(pages + 20), pytest.raises(ServiceUnavailableError, match="disk is full"):
        deliver(crm, 2)
    assert state(crm) == before
    assert deliver(crm, 2).sent == ROWS


def test_a_file_that_cannot_grow_is_unavailable_and_leaves_the_old_rows(crm):
    before = state(crm)
    size = (crm / "crm.db").stat().st_size
    with files_up_to(size), pytest.raises(ServiceUnavailableError):
        deliver(crm, 2)
    assert state(crm) == before


def test_a_parquet_file_that_cannot_grow_is_unavailable_and_leaves_the_old_one(crm):
    before, kept = written(crm), state(crm, "state.db")
    size = (crm / "state.db").stat().st_size
    with files_up_to(size), pytest.raises(ServiceUnavailableError, match="File too large"):
        deliver_file(crm, 2)
    assert written(crm) == before
    assert state(crm, "state.db") == kept


def test_a_database_locked_by_another_is_for_later_and_then_goes_through(crm):
    before = state(crm)
    with closing(sqlite3.connect(crm / "crm.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TryAgainLaterError, match="locked"):
            deliver(crm, 2)
        other.execute("ROLLBACK")
    assert state(crm) == before
    assert deliver(crm, 2).sent == ROWS


def test_a_reader_that_stays_is_waited_for_and_then_for_later(crm):
    before = state(crm)
    with closing(sqlite3.connect(crm / "crm.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM customer_scores").fetchone()
        with pytest.raises(TryAgainLaterError, match="locked"):
            deliver(crm, 2)
    assert state(crm) == before


@pytest.mark.parametrize(
    ("name", "through"),
    [("crm.db", deliver), (".", deliver), (".", deliver_file), ("state.db", deliver_file)],
)
def test_what_may_not_be_written_is_unavailable(crm, name, through):
    with open_to_all(crm) as folder:
        (folder / name).chmod(0o555)
        with another_user(), pytest.raises(ServiceUnavailableError, match=r"written|opened"):
            through(folder, 2)
        (folder / name).chmod(0o777)
        assert state(folder) == state(crm)
        assert state(folder, "state.db") == state(crm, "state.db")
        assert written(folder) == written(crm)


@contextmanager
def open_to_all(folder: Path) -> Iterator[Path]:
    """A copy that any user may write."""
    with tempfile.TemporaryDirectory() as fresh:
        copy = shutil.copytree(folder, Path(fresh) / "crm")
        for path in (Path(fresh), copy, *copy.rglob("*")):
            path.chmod(0o777)
        yield copy


@contextmanager
def another_user() -> Iterator[None]:
    """Not root, who may write whatever the permissions say."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def kill_at(step: str) -> None:
    """Let this process kill itself when it comes to the step of a delivery to a file."""

    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def die_after(self: Ledger, *given: object) -> None:
        record(self, *given)
        die()

    record = Ledger.sign
    match step:
        case "before the rename":
            Path.replace = die
        case "before the history":  # where there is one
            steps.keep_scores = die
            Ledger.sign = die
        case "before the receipt":
            Ledger.sign = die
        case "before the commit":
            Ledger.sign = die_after
