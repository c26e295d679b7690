"""Spark scores and delivers what DuckDB does, though nobody holds all rows and workers die."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import small_shop
from tests.crm import MONDAY, many, run_of
from tests.parts import in_parts

from portfolio_ml import pipeline
from portfolio_ml.champions import champions_in_force
from portfolio_ml.config import Settings
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.frozen import FILE
from portfolio_ml.pipeline import scoring
from portfolio_ml.scoring import champions_from
from portfolio_ml.sinks.brought import Bringing
from portfolio_ml.sinks.parts import FATE, Part
from portfolio_ml.sinks.sql import deliver_sql
from portfolio_ml.sinks.suppression import suppress

from .trained_shop import BEFORE, SPARK, TODAY

pytestmark = [pytest.mark.parity, pytest.mark.xdist_group("spark")]


def counts(result: pipeline.ScoringResult) -> list[tuple[object, ...]]:
    assert result.faults == ()
    return [
        (r.rows, r.sent, r.unchanged, r.rejected, r.suppressed, r.status) for r in result.receipts
    ]


def of_two_trainings(settings: Settings, say: Callable[[str], None]) -> tuple:
    """The champions, of whom one froze a portfolio of its own, alike but for its name."""
    champions, judged = champions_in_force(settings, say)
    files = {target: dict(content) for target, content in champions.files.items()}
    own = champions.frozen["segments"]
    files["segments"][FILE] = replace(own, activity_days=own.activity_days + 7).to_json()
    return champions_from(files, champions.versions), judged


def test_spark_scores_and_delivers_what_duckdb_does(shop, postgresql_server, monkeypatch):
    monkeypatch.setattr(scoring, "champions_in_force", of_two_trainings)
    found, results = {}, {}
    for name, engine in {"duckdb": {}, "spark": SPARK}.items():
        postgresql_server.run(f"CREATE DATABASE parts_{name}")
        url = postgresql_server.url_of(f"parts_{name}")
        sql = {"kind": "sql", "url": url, "table": "scores"}
        file = {"kind": "parquet", "path": f"{name}.parquet"}
        before = shop.settings({}, sql, state=f"{name}.db")
        shop.scored(before, as_of=BEFORE)  # so that there are bands to stay steady by
        suppress(before, "buyer#0007", now=small_shop.NOW)
        settings = shop.settings(engine, sql, file, state=f"{name}.db", scoring={})
        results[name] = shop.scored(settings)
        found[name] = pq.read_table(shop.folder / f"{name}.parquet")
        columns = ", ".join(n for n in found[name].column_names if n != "run_id")
        found[f"{name} crm"] = postgresql_server.run(
            f"SELECT {columns} FROM scores ORDER BY customer_id", database=f"parts_{name}"
        )
        assert (
            postgresql_server.run(
                "SELECT tablename FROM pg_tables WHERE tablename LIKE 'portfolio_staging%'",
                database=f"parts_{name}",
            )
            == []
        )
    ours, theirs = found["duckdb"].drop(["run_id"]), found["spark"].drop(["run_id"])
    assert theirs.num_rows == small_shop.CUSTOMERS - 1
    assert alike(ours, theirs)
    assert found["spark crm"] == found["duckdb crm"]
    assert counts(results["spark"]) == counts(results["duckdb"])
    assert results["spark"].customers == results["duckdb"].customers
    assert results["spark"].rows is None
    expected, facts = results["duckdb"].facts, results["spark"].facts
    assert facts.segment_profiles == expected.segment_profiles
    assert facts.headline.value_at_risk == pytest.approx(expected.headline.value_at_risk, abs=0.6)
    assert [g.customers for g in facts.segments] == [g.customers for g in expected.segments]
    assert [(a.customer_id, a.reasons) for a in facts.attention] == [
        (a.customer_id, a.reasons) for a in expected.attention
    ]


def alike(ours: pa.Table, theirs: pa.Table) -> bool:
    """Whether two tables are equal, numbers up to what the delivered precision rounds."""
    assert theirs.schema == ours.schema
    for name in ours.column_names:
        left, right = ours[name].to_pylist(), theirs[name].to_pylist()
        if pa.types.is_floating(ours.schema.field(name).type):
            assert right == pytest.approx(left, rel=1e-6, abs=0.01), name
        else:
            assert right == left, name
    return True


@pytest.mark.long
def test_spark_rehearses_some_customers_without_a_trace_and_fills_dates(shop):
    target = {"kind": "sql", "url": "sqlite:///none.db", "table": "scores"}
    settings = shop.settings(SPARK, target, state="some.db")
    suppress(settings, "buyer#0002", now=small_shop.NOW)
    chosen = ["buyer#0001", "buyer#0002", "buyer#0003", "nobody"]
    with pipeline.opened(
        settings, today=small_shop.NOW.date(), as_of=TODAY, say=small_shop.quietly
    ) as portfolio:
        [seen] = pipeline.rehearse_score(
            portfolio, now=lambda: small_shop.NOW, say=small_shop.quietly, customers=chosen
        )
        with pytest.raises(ConfigError, match="would hold all customers in one process"):
            pipeline.contributions(portfolio, None, say=small_shop.quietly)
        assert not (shop.folder / "none.db").exists()
        [(day, done)] = pipeline.fill(
            portfolio, TODAY, now=lambda: small_shop.NOW, say=small_shop.quietly
        )
        files = portfolio.engine.folder.rglob("part-*.parquet")
        left = {file.parent for file in files if FATE in pq.read_schema(file).names}
    assert (seen.receipt.rows, seen.receipt.sent, seen.receipt.suppressed) == (3, 2, 1)
    assert [(day, r.sent, r.suppressed) for r in done.receipts] == [
        (TODAY, small_shop.CUSTOMERS - 1, 1)
    ]
    assert len(left) == 1  # the rows that were rehearsed, and no more those that were filled


@dataclass(frozen=True)
class Dying:
    """Work whose worker is killed once, when it has copied rows and not committed them."""

    work: Bringing
    marker: Path

    def __call__(self, number: int) -> str:
        part = self.work.parts[number]
        dying = DyingPart(part, self.marker) if number == 1 else part
        parts = (*self.work.parts[:number], dying, *self.work.parts[number + 1 :])
        return replace(self.work, parts=parts)(number)


@dataclass(frozen=True)
class DyingPart:
    """A part that kills whoever has read its rows, the first time."""

    part: Part
    marker: Path

    @property
    def first(self) -> int:
        return self.part.first

    def batches(self, contract) -> Iterator[pa.RecordBatch]:
        yield from self.part.batches(contract)
        if not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("sent_to_workers")
def test_a_worker_killed_while_it_copies_delivers_nothing_twice(local_spark, postgresql, tmp_path):
    def each(count: int, work: Callable[[int], str]) -> list[str]:
        return local_spark.each(count, Dying(work, tmp_path / "died"))

    given = many(MONDAY, 40)
    parts = replace(in_parts(given, tmp_path / "parts", as_of=MONDAY, size=10), each=each)
    receipt = deliver_sql(
        parts, url=postgresql.url, table="scores", base=tmp_path, run=run_of(MONDAY)
    )
    assert (tmp_path / "died").exists()
    assert (receipt.rows, receipt.sent) == (40, 40)
    assert postgresql.ask("SELECT COUNT(*), COUNT(DISTINCT customer_id) FROM scores") == [(40, 40)]
    assert not any("staging" in table for table in postgresql.tables())


@pytest.mark.usefixtures("sent_to_workers")
def test_an_error_in_a_worker_is_told_as_it_is(local_spark):
    with pytest.raises(DataError, match=r"^A row is odd \(in part 1\)\. Look at it\.$"):
        local_spark.each(2, _refusing)


def _refusing(number: int) -> str:
    if number:
        raise DataError("a row is odd", where=f"part {number}", do="look at it")
    return ""
