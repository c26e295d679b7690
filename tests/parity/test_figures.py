"""A worker of Spark's reckons the portfolio's figures that DuckDB does, also after another died."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests import small_shop

from portfolio_ml import pipeline
from portfolio_ml.engine import Frame, SparkEngine
from portfolio_ml.sinks.suppression import suppress

from .trained_shop import SPARK, TODAY, Shop

MATURED = date(2023, 10, 20)
"""So long ago that it is known what became of whom was scored."""
PAST = {"kind": "sql", "url": "sqlite:///past.db", "table": "scores"}
pytestmark = [
    pytest.mark.parity,
    pytest.mark.xdist_group("spark"),
    pytest.mark.long,  # `test_moved` brings a worker's tables home; the figures are DuckDB's
]


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


def reckoned(shop: Shop, name: str, engine: dict[str, Any]) -> tuple[Any, ...]:
    """The figures, their delivery, every table of it, the report, and what a monitoring sees."""
    crm = shop.folder / f"figures_{name}.db"
    wanted = {"compare_days": 100, "delivery": [{"kind": "sql", "url": f"sqlite:///{crm.name}"}]}
    settings = shop.settings(
        engine,
        PAST,
        state=f"figures_{name}_state.db",
        portfolio=wanted,
        report={"path": f"{name}.html"},
    )
    suppress(settings, "buyer#0007", now=small_shop.NOW)
    with pipeline.opened(
        settings, today=small_shop.NOW.date(), as_of=TODAY, say=small_shop.quietly
    ) as portfolio:
        found, done = pipeline.portfolio_figures(
            portfolio, now=lambda: small_shop.NOW, say=small_shop.quietly
        )
        report = pipeline.report(portfolio, now=lambda: small_shop.NOW, say=small_shop.quietly)
        seen = pipeline.monitor(portfolio, say=small_shop.quietly)
    with closing(sqlite3.connect(crm)) as database:
        tables = {
            of.name: database.execute(f"SELECT * FROM portfolio_{of.name}").fetchall()
            for of in found.present
        }
    return found, done, tables, report, seen


@pytest.mark.usefixtures("sent_to_workers")
def test_a_worker_reckons_and_delivers_what_duckdb_does_though_another_died(
    shop, seen_here, monkeypatch, tmp_path
):
    shop.scored(shop.settings({}, PAST, state="past_state.db"), as_of=MATURED)
    ours, there, crm, report, seen = reckoned(shop, "duckdb", {"threads": 1})
    once = SparkEngine.once
    monkeypatch.setattr(
        SparkEngine,
        "once",
        lambda self, work: once(self, DyingAtTheEnd(work, tmp_path / "died")),
    )
    theirs, done, delivered, same, seen_there = reckoned(shop, "spark", SPARK)
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
    assert same.page.stat().st_size > 0
    run_id = report.facts.lineage.run_id
    lineage = replace(same.facts.lineage, run_id=run_id)
    assert replace(same.facts, lineage=lineage).to_json() == report.facts.to_json()
    assert [f.rows.num_rows for f in same.reckoned.figures] == [
        f.rows.num_rows for f in report.reckoned.figures
    ]
    assert {m.target for m in seen.matured} == {"churn", "lifetime_value"}
    assert seen_there.to_dict() == seen.to_dict()
    # What comes to this process are sums: by day, say; no table of customers.
    assert not any("customer_id" in table.column_names for table in seen_here)
