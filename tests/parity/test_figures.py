"""A worker of Spark's reckons the portfolio's figures that DuckDB does, also after another died."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests import small_shop

from portfolio_ml import pipeline
from portfolio_ml.engine import Frame, SparkEngine
from portfolio_ml.sinks.suppression import suppress

from .trained_shop import SPARK, TODAY, Shop

pytestmark = [pytest.mark.parity, pytest.mark.xdist_group("spark")]


@dataclass(frozen=True)
class DyingAtTheEnd:
    """Work whose worker is killed once, when it has left all in its folder and not said so."""

    work: Callable[[], str]
    marker: Path

    def __call__(self) -> str:
        told = self.work()
        if not self.marker.exists():
            self.marker.write_text(told)
            os.kill(os.getpid(), signal.SIGKILL)
        return told


@pytest.fixture
def seen_here(monkeypatch) -> list[pa.Table]:
    """The tables that came home to this process."""
    collect, found = SparkEngine.collect, []

    def collected(self: SparkEngine, frame: Frame) -> pa.Table:
        found.append(collect(self, frame))
        return found[-1]

    monkeypatch.setattr(SparkEngine, "collect", collected)
    return found


def reckoned(shop: Shop, name: str, engine: dict[str, Any]) -> tuple[Any, Any, dict[str, list]]:
    """The figures, what became of them, and every table of them as it was delivered."""
    crm = shop.folder / f"figures_{name}.db"
    wanted = {"compare_days": 100, "delivery": [{"kind": "sql", "url": f"sqlite:///{crm.name}"}]}
    settings = shop.settings(engine, state=f"figures_{name}_state.db", portfolio=wanted)
    suppress(settings, "buyer#0007", now=small_shop.NOW)
    with pipeline.opened(
        settings, today=small_shop.NOW.date(), as_of=TODAY, say=small_shop.quietly
    ) as portfolio:
        found, done = pipeline.portfolio_figures(
            portfolio, now=lambda: small_shop.NOW, say=small_shop.quietly
        )
    with closing(sqlite3.connect(crm)) as database:
        tables = {
            of.name: database.execute(f"SELECT * FROM portfolio_{of.name}").fetchall()
            for of in found.present
        }
    return found, done, tables


@pytest.mark.usefixtures("sent_to_workers")
def test_a_worker_reckons_and_delivers_what_duckdb_does_though_another_died(
    shop, seen_here, monkeypatch, tmp_path
):
    ours, there, crm = reckoned(shop, "duckdb", {"threads": 1})
    once = SparkEngine.once
    monkeypatch.setattr(
        SparkEngine,
        "once",
        lambda self, work: once(self, DyingAtTheEnd(work, tmp_path / "died")),
    )
    theirs, done, delivered = reckoned(shop, "spark", SPARK)
    assert (tmp_path / "died").exists()
    assert [f.name for f in theirs.figures] == [f.name for f in ours.figures]
    for own, other in zip(ours.figures, theirs.figures, strict=True):
        assert other.rows.equals(own.rows), own.name
        assert (other.title, other.absent, other.notes) == (own.title, own.absent, own.notes)
    assert any("customer_id" in f.rows.column_names and f.rows.num_rows > 30 for f in ours.present)
    assert done.faults == ()
    assert [(r.rows, r.sent, r.rejected) for r in done.receipts] == [
        (r.rows, r.sent, r.rejected) for r in there.receipts
    ]
    assert delivered == crm
    # Here came sums by day and ids, of whom none may be left; no customer.
    assert not any("customer_id" in table.column_names for table in seen_here)
