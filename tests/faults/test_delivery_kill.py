"""Deliveries that are killed, starved of disk, locked out or not allowed.

Run as a program, this file is the delivery that gets killed:
`python test_delivery_kill.py FOLDER DAY` says `ready`, waits for a line, and delivers.
"""

import hashlib
import os
import random
import resource
import shutil
import signal
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

from portfolio_ml.errors import ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.schema import CUSTOMER_ROWS, Column
from portfolio_ml.sinks.files import deliver_parquet
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.sql import deliver_sql

pytestmark = pytest.mark.faults

URL = "sqlite:///crm.db?timeout=0.1"
NOW = datetime(2024, 3, 8, 6, 30, tzinfo=UTC)
ROWS = 20_000
KILLS = 10


def rows(day: int, count: int = ROWS) -> pa.Table:
    """Customers whose every number depends on the day."""
    generator = np.random.default_rng(day)
    columns = [_values(column, day, count, generator) for column in CUSTOMER_ROWS.columns]
    return pa.table(columns, names=CUSTOMER_ROWS.names)


def _values(
    column: Column, day: int, count: int, generator: np.random.Generator
) -> pa.Array | pa.ChunkedArray:
    if column.name == "customer_id":
        return pa.array([f"c{number:06}" for number in range(count)])
    if column.name == "as_of":
        return pa.array([date(2024, 3, day)] * count)
    if pa.types.is_floating(column.type):
        return pa.array(generator.random(count) * 100)
    if pa.types.is_integer(column.type):
        return pa.array(generator.integers(1, 6, count)).cast(column.type)
    if pa.types.is_boolean(column.type):
        return pa.array(generator.random(count) < 0.5)
    if pa.types.is_temporal(column.type):
        return pa.array([NOW] * count).cast(column.type)
    return pa.array([f"text of day {day}"] * count)


def deliver(folder: Path, day: int, count: int = ROWS) -> Receipt:
    run = Run(run_id=f"r{day}", as_of=date(2024, 3, day), model_versions={}, now=lambda: NOW)
    return deliver_sql(rows(day, count), url=URL, table="customer_scores", base=folder, run=run)


def deliver_file(folder: Path, day: int, count: int = ROWS) -> Receipt:
    run = Run(run_id=f"r{day}", as_of=date(2024, 3, day), model_versions={}, now=lambda: NOW)
    return deliver_parquet(rows(day, count), folder / "scores.parquet", run=run)


def state(folder: Path) -> str:
    """A digest of everything in the database, which must also be sound."""
    with closing(sqlite3.connect(folder / "crm.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        dump = "\n".join(sorted(connection.iterdump()))
    return hashlib.sha256(dump.encode()).hexdigest()


def start(folder: Path, day: int, **options: object) -> subprocess.Popen[str]:
    """A delivery in a process of its own, ready to go."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder), str(day)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": ""},
        **options,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    process.stdin.write("go\n")
    process.stdin.flush()


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
    process = start(done, 2)
    began = time.monotonic()
    go(process)
    assert process.communicate()[1] == ""
    seconds = time.monotonic() - began
    old, new = state(crm), state(done)
    old_file, new_file = ((p / "scores.parquet").read_bytes() for p in (crm, done))

    moments = random.Random(7)
    seen = []
    for kill in range(KILLS):
        process = start(crm, 2)
        go(process)
        time.sleep((kill + moments.random()) / KILLS * seconds)
        process.kill()
        process.communicate()
        assert process.returncode in {0, -signal.SIGKILL}
        assert (crm / "scores.parquet").read_bytes() in {old_file, new_file}
        seen.append(state(crm))
        assert seen[-1] in {old, new}

    assert old in seen
    deliver(crm, 2)
    deliver_file(crm, 2)
    assert (crm / "scores.parquet").read_bytes() == new_file
    assert figures(crm) == figures(done)


def figures(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "crm.db")) as connection:
        current = connection.execute("SELECT * FROM customer_scores ORDER BY 1").fetchall()
        past = connection.execute("SELECT * FROM customer_scores_history ORDER BY 1, 2").fetchall()
    return current + past


def test_the_first_delivery_killed_leaves_no_table(tmp_path):
    process = start(tmp_path, 1)
    go(process)
    while not (tmp_path / "crm.db-journal").exists():
        time.sleep(0.001)
    process.kill()
    process.communicate()
    with closing(sqlite3.connect(tmp_path / "crm.db")) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == []
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


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """The system's own limit to the size of any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


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


@pytest.mark.parametrize("name", ["crm.db", "."])
def test_a_file_or_folder_that_may_not_be_written_is_unavailable(crm, name):
    held = (crm / "scores.parquet").read_bytes()
    with open_to_all(crm) as folder:
        (folder / name).chmod(0o444 if name == "crm.db" else 0o555)
        other_user = {"user": 65534} if os.geteuid() == 0 else {}
        process = start(folder, 2, **other_user)
        go(process)
        said = process.communicate()[1]
        (folder / name).chmod(0o755)
        assert "ServiceUnavailableError" in said
        assert pq.read_metadata(folder / "scores.parquet").num_rows == ROWS
        assert (folder / "scores.parquet").read_bytes() == held


@contextmanager
def open_to_all(folder: Path) -> Iterator[Path]:
    """A copy that another user reaches: root may write whatever the permissions say."""
    with tempfile.TemporaryDirectory() as fresh:
        Path(fresh).chmod(0o777)
        copy = shutil.copytree(folder, Path(fresh) / "crm")
        for path in (copy, *copy.iterdir()):
            path.chmod(0o777)
        yield copy


if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    deliver(Path(sys.argv[1]), int(sys.argv[2]))
    deliver_file(Path(sys.argv[1]), int(sys.argv[2]))
