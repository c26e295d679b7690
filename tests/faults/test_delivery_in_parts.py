"""Deliveries in parts: the same as whole ones, and never twice, whoever dies or is slow."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.crm import MONDAY, TUESDAY, Crm, accounts, rows, run_of
from tests.forked import forked
from tests.parts import each_twice, in_parts, one_by_one

from portfolio_ml.config import Settings, Target, settings_from
from portfolio_ml.errors import ConfigError, TryAgainLaterError
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.brought import brought
from portfolio_ml.sinks.files import deliver_file, rehearse_file
from portfolio_ml.sinks.parts import Parts
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.sinks.sql import deliver_sql, deliver_to_target, rehearse_sql

pytestmark = pytest.mark.faults

FILES = {
    "parquet": {"kind": "parquet", "path": "scores.parquet"},
    "for-people": {"kind": "csv", "path": "scores.csv"},
    "for-machines": {"kind": "csv", "path": "scores.csv", "readers": "machines"},
    "by-date": {"kind": "parquet", "path": "scores", "partitioned": True},
}
TABLE = "customer_scores"
SCORES = "SELECT customer_id, ltv, as_of FROM customer_scores ORDER BY 1"


def monday() -> pa.Table:
    """Five customers, of whom one has a row that breaks a rule."""
    return rows(MONDAY, {}, {"ltv": 7.0}, {"segment_name": "=cmd"}, {"ltv": float("inf")}, {})


def delivered(crm: Crm, given: pa.Table | Parts, *, day=MONDAY) -> Receipt:
    return deliver_sql(given, url=crm.url, table=TABLE, base=crm.base, run=run_of(day, "r1"))


def told(receipt: Receipt) -> tuple[object, ...]:
    return receipt.rows, receipt.sent, receipt.unchanged, receipt.rejected, receipt.status


def staging_tables(crm: Crm) -> list[str]:
    return [table for table in crm.tables() if "portfolio_staging" in table]


def test_rows_in_parts_arrive_as_whole_ones_do(crm, tmp_path):
    parts = in_parts(monday(), tmp_path / "parts", as_of=MONDAY)
    expected = rehearse_sql(
        monday(), url=crm.url, table=TABLE, base=crm.base, run=run_of(MONDAY, "r1")
    )
    rehearsed = rehearse_sql(
        parts, url=crm.url, table=TABLE, base=crm.base, run=run_of(MONDAY, "r1")
    )
    assert crm.tables() == []
    receipt = delivered(crm, parts)
    assert told(receipt) == told(rehearsed) == told(expected) == (5, 4, 0, 1, "delivered")
    in_place = crm.ask(SCORES)
    rejects = crm.ask("SELECT row_number, customer_id, reason FROM portfolio_rejects")
    assert staging_tables(crm) == []
    assert told(delivered(crm, parts)) == (5, 0, 4, 1, "delivered")
    assert told(delivered(crm, monday())) == (5, 0, 4, 1, "delivered")
    assert crm.ask(SCORES) == in_place
    assert crm.ask("SELECT row_number, customer_id, reason FROM portfolio_rejects") == rejects


def test_a_part_that_two_workers_bring_is_taken_once(postgresql, tmp_path):
    parts = replace(in_parts(monday(), tmp_path / "parts", as_of=MONDAY), each=each_twice)
    assert told(delivered(postgresql, parts)) == (5, 4, 0, 1, "delivered")
    assert [row[0] for row in postgresql.ask(SCORES)] == ["a", "b", "c", "e"]
    assert staging_tables(postgresql) == []


def test_a_row_that_the_database_refuses_is_told_by_its_place(postgresql, tmp_path):
    given = rows(MONDAY, {}, {}, {}, {"ltv": float("inf")}, {"segment_name": "nul \0"}, {})
    receipt = delivered(postgresql, in_parts(given, tmp_path / "parts", as_of=MONDAY))
    assert told(receipt) == (6, 4, 0, 2, "delivered")
    rejects = postgresql.ask("SELECT row_number, customer_id FROM portfolio_rejects ORDER BY 1")
    assert rejects == [(4, "d"), (5, "e")]


def test_what_a_run_that_died_has_left_the_next_one_drops(postgresql, tmp_path):
    with forked(_die_before_the_last_transaction, postgresql, tmp_path / "parts") as process:
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert len(staging_tables(postgresql)) == 1
    assert not any(TABLE in table for table in postgresql.tables())
    parts = in_parts(monday(), tmp_path / "parts", as_of=MONDAY)
    assert told(delivered(postgresql, parts)) == (5, 4, 0, 1, "delivered")
    assert staging_tables(postgresql) == []


def _die_before_the_last_transaction(crm: Crm, folder: Path) -> None:
    parts = in_parts(monday(), folder, as_of=MONDAY)
    contract = replace(CUSTOMER_ROWS, name=TABLE)
    with brought(parts, contract, url=crm.url, base=crm.base):
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_run_that_lives_has_brought_is_left_alone(postgresql, tmp_path):
    parts = in_parts(monday(), tmp_path / "parts", as_of=MONDAY)
    contract = replace(CUSTOMER_ROWS, name="other_scores")
    with brought(parts, contract, url=postgresql.url, base=postgresql.base) as living:
        assert told(delivered(postgresql, parts)) == (5, 4, 0, 1, "delivered")
        assert staging_tables(postgresql) == [f"public.{living.table}"]
    assert staging_tables(postgresql) == []


def test_a_connection_that_the_server_ends_while_it_waits_costs_nothing(postgresql, tmp_path):
    def each(count: int, work: Callable[[int], str]) -> list[str]:
        told = one_by_one(count, work)
        postgresql.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return told

    parts = replace(in_parts(monday(), tmp_path / "parts", as_of=MONDAY), each=each)
    assert told(delivered(postgresql, parts)) == (5, 4, 0, 1, "delivered")
    assert staging_tables(postgresql) == []


def test_workers_that_give_up_leave_nothing(postgresql, tmp_path):
    def dying(count: int, work: object) -> list[str]:
        one_by_one(count - 1, work)
        raise OSError("the last worker is gone")

    parts = replace(in_parts(monday(), tmp_path / "parts", as_of=MONDAY), each=dying)
    with pytest.raises(OSError, match="is gone"):
        delivered(postgresql, parts)
    assert postgresql.tables() == []


def test_a_wrong_column_costs_no_worker_a_row(postgresql, tmp_path):
    delivered(postgresql, monday())
    postgresql.change(f"ALTER TABLE {TABLE} RENAME COLUMN ltv TO worth")
    tables = postgresql.tables()
    parts = replace(in_parts(monday(), tmp_path / "parts", as_of=MONDAY), each=nobody_works)
    with pytest.raises(ConfigError, match="ltv is missing"):
        delivered(postgresql, parts)
    assert postgresql.tables() == tables


def test_a_missing_table_of_the_crm_costs_no_worker_a_row(postgresql, tmp_path):
    parts = replace(in_parts(monday(), tmp_path / "parts", as_of=MONDAY), each=nobody_works)
    target = accounts(postgresql, {"ltv": "worth"})
    with pytest.raises(ConfigError, match="accounts"):
        deliver_to_target(parts, target, base=postgresql.base, run=run_of(MONDAY, "r1"))
    assert postgresql.tables() == []


def test_a_column_that_changes_while_workers_bring_rows_stops_the_delivery(postgresql, tmp_path):
    def each(count: int, work: Callable[[int], str]) -> list[str]:
        told = one_by_one(count, work)
        postgresql.change(f"ALTER TABLE {TABLE} RENAME COLUMN ltv TO worth")
        return told

    delivered(postgresql, monday())
    parts = replace(in_parts(monday(), tmp_path / "parts", as_of=MONDAY), each=each)
    with pytest.raises(ConfigError, match="ltv is missing"):
        delivered(postgresql, parts)
    assert staging_tables(postgresql) == []


def nobody_works(count: int, work: object) -> list[str]:
    """In the place of workers who must not be asked."""
    pytest.fail(f"{count} workers were sent")


def test_older_rows_in_parts_go_into_the_history_alone(crm, tmp_path):
    delivered(crm, rows(TUESDAY, {"ltv": 2.0}), day=TUESDAY)
    late = in_parts(rows(MONDAY, {"ltv": 1.0}), tmp_path / "parts", as_of=MONDAY)
    assert delivered(crm, late).status == "history_only"
    assert crm.ask(SCORES) == [("a", 2.0, str(TUESDAY))]


def test_rows_that_are_gone_before_they_are_taken_over_are_for_later(postgresql, tmp_path):
    def each(count: int, work: Callable[[int], str]) -> list[str]:
        told = one_by_one(count, work)
        [brought_to] = staging_tables(postgresql)
        postgresql.change(f"DELETE FROM {brought_to} WHERE customer_id = 'a'")
        return told

    parts = replace(in_parts(monday(), tmp_path / "parts", as_of=MONDAY), each=each)
    with pytest.raises(TryAgainLaterError, match=r"not all there any more.*saw 3 of 4"):
        delivered(postgresql, parts)
    assert postgresql.tables() == []


def _without_ltv(table: pa.Table) -> pa.Table:
    return table.drop_columns("ltv")


def _with_texts_as_dates(table: pa.Table) -> pa.Table:
    place = table.column_names.index("as_of")
    return table.set_column(place, "as_of", table["as_of"].cast(pa.string()))


@pytest.mark.parametrize("anothers", [_without_ltv, _with_texts_as_dates])
def test_a_file_of_another_shape_is_replaced_by_parts(tmp_path, anothers):
    settings, target = shop_with("parquet", tmp_path)
    run, file = run_of(MONDAY, "r1"), tmp_path / target.path
    parts = in_parts(monday(), tmp_path / "parts", as_of=MONDAY)
    deliver_file(parts, target, settings=settings, run=run)
    whole = pq.ParquetFile(file).read()
    pq.write_table(anothers(whole), file)
    assert told(deliver_file(parts, target, settings=settings, run=run))[1:3] == (4, 0)
    assert pq.ParquetFile(file).read().equals(whole)


def shop_with(kind: str, folder: Path) -> tuple[Settings, Target]:
    """The settings of a shop with one file, and that."""
    shop = {"name": "shop", "data": {"transactions": {"source": "cdnow"}}}
    settings = settings_from({**shop, "delivery": [FILES[kind]]}, base=folder)
    return settings, settings.delivery[0]


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_parts_is_the_file_of_the_whole(tmp_path, kind):
    settings, target = shop_with(kind, tmp_path)
    run = run_of(MONDAY, "r1")
    parts = in_parts(monday(), tmp_path / "parts", as_of=MONDAY)
    rehearsed = rehearse_file(parts, target, settings=settings, run=run)
    assert not (tmp_path / target.path).exists()
    receipt = deliver_file(parts, target, settings=settings, run=run)
    assert told(receipt) == told(rehearsed) == (5, 4, 0, 1, "delivered")
    written = {path: _content(path) for path in _written(tmp_path)}
    assert told(deliver_file(parts, target, settings=settings, run=run))[1:3] == (0, 4)
    assert told(deliver_file(monday(), target, settings=settings, run=run))[1:3] == (0, 4)
    for path in written:
        path.unlink()
    deliver_file(monday(), target, settings=settings, run=run)
    assert {path: _content(path) for path in _written(tmp_path)} == written


def _written(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("scores*") if p.is_file()] + [
        p for p in folder.rglob("*.parquet") if p.parent.name.startswith(("as_of", "scores"))
    ]


def _content(path: Path) -> object:
    return pq.ParquetFile(path).read() if path.suffix == ".parquet" else path.read_bytes()
