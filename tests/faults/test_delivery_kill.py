"""Deliveries that are killed, starved of disk, locked out or not allowed.

Run as a program, this file is the delivery that gets killed:
`python test_delivery_kill.py FOLDER DAY` says `ready`, waits for a line, and delivers.
"""

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from tests.limits import files_up_to

from portfolio_ml.errors import ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.files import deliver_parquet
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.sql import deliver_sql

pytestmark = pytest.mark.faults

URL = "sqlite:///crm.db?timeout=0.1"
NOW = datetime(2024, 3, 8, 6, 30, tzinfo=UTC)
ROWS = 20_000
KILLS = 10


def rows(day: int, count: int = ROWS) -> pa.Table:
    """Customers whose every figure depends on the day."""
    generator = np.random.default_rng(day)
    stamps = pa.array([NOW] * count, pa.timestamp("us", tz="UTC"))
    by_type = {
        pa.string(): pa.array([f"text of day {day}"] * count),
        pa.bool_(): pa.array(generator.random(count) < 0.5),
        pa.int8(): pa.array(generator.integers(1, 6, count), pa.int8()),
        pa.int32(): pa.array(generator.integers(1, 6, count), pa.int32()),
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


def deliver_file(folder: Path, day: int, count: int = ROWS) -> Receipt:
    run = Run(run_id=f"r{day}", as_of=date(2024, 3, day), model_versions={}, now=lambda: NOW)
    return deliver_parquet(rows(day, count), folder / "scores.parquet", run=run)


def state(folder: Path) -> str:
    """A digest of everything in the database, which must also be sound."""
    total = hashlib.sha256()
    with closing(sqlite3.connect(folder / "crm.db")) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3"):
                total.update(repr(row).encode())
    return total.hexdigest()


@contextmanager
def delivery(folder: Path, day: int) -> Iterator[subprocess.Popen[str]]:
    """A delivery in a process of its own, just let go; killed at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder), str(day)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.communicate()


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
    with delivery(done, 2) as process:
        began = time.monotonic()
        assert process.stderr.read() == ""
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


def wait_for_journal(folder: Path, process: subprocess.Popen[str]) -> None:
    """Until the database file itself is being written, or the delivery is over."""
    while process.poll() is None and not (folder / "crm.db-journal").exists():
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
    before = sorted(path.name for path in crm.iterdir())
    held = (crm / "scores.parquet").read_bytes()
    with files_up_to(10_000), pytest.raises(ServiceUnavailableError, match="File too large"):
        deliver_file(crm, 2)
    assert (crm / "scores.parquet").read_bytes() == held
    assert sorted(path.name for path in crm.iterdir()) == before


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
    ("name", "through"), [("crm.db", deliver), (".", deliver), (".", deliver_file)]
)
def test_what_may_not_be_written_is_unavailable(crm, name, through):
    with open_to_all(crm) as folder:
        (folder / name).chmod(0o555)
        with another_user(), pytest.raises(ServiceUnavailableError, match=r"written|opened"):
            through(folder, 2)
        (folder / name).chmod(0o777)
        assert state(folder) == state(crm)
        assert pq.read_table(folder / "scores.parquet") == pq.read_table(crm / "scores.parquet")


@contextmanager
def open_to_all(folder: Path) -> Iterator[Path]:
    """A copy that any user may write."""
    with tempfile.TemporaryDirectory() as fresh:
        copy = shutil.copytree(folder, Path(fresh) / "crm")
        for path in (Path(fresh), copy, *copy.iterdir()):
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


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    deliver(Path(sys.argv[1]), int(sys.argv[2]))
    deliver_file(Path(sys.argv[1]), int(sys.argv[2]))
