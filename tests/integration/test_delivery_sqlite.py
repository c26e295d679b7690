"""Customer rows into a SQLite CRM, day after day."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from portfolio_ml.config import SqlTarget
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.sql import deliver_sql, rehearse

pytestmark = pytest.mark.integration

URL = "sqlite:///crm.db"
MONDAY = date(2024, 3, 4)
TUESDAY = MONDAY + timedelta(1)
WEDNESDAY = MONDAY + timedelta(2)
NOW = datetime(2024, 3, 8, 6, 30, tzinfo=UTC)

GOOD = {
    "is_active": True,
    "lifecycle_stage": "mature",
    "value_tier": "A",
    "rfm_r": 5,
    "rfm_f": 4,
    "rfm_m": 3,
    "rfm_segment": "loyal",
    "p_churn": 0.25,
    "churn_reasons": "OVERDUE, LOW_SPEND",
    "p_return": None,
    "churn_band": "low",
    "missed_cycles": 0,
    "expected_orders": 1.5,
    "ltv": 120.0,
    "ltv_low": 80.0,
    "ltv_high": 200.0,
    "value_if_buys": 60.0,
    "value_at_risk": 15.0,
    "expected_next_order_date": date(2024, 4, 1),
    "segment_id": 2,
    "segment_name": "loyal",
    "abstention": None,
    "churn_model_version": "3",
    "ltv_model_version": "2",
    "segment_model_version": "1",
    "features_hash": "f00d",
}


def rows(as_of: date, *changes: dict[str, object], run_id: str = "r1") -> pa.Table:
    """One customer row for each change to the good one; ids a, b, c ... where not given."""
    shared = GOOD | {"as_of": as_of, "run_id": run_id, "scored_at": NOW}
    found = [
        shared | {"customer_id": chr(ord("a") + number)} | change
        for number, change in enumerate(changes)
    ]
    schema = pa.schema([(column.name, column.type) for column in CUSTOMER_ROWS.columns])
    return pa.Table.from_pylist(found, schema=schema)


def deliver(
    folder: Path,
    as_of: date,
    *changes: dict[str, object],
    run_id: str = "r1",
    table: str = "customer_scores",
    url: str = URL,
    through: Callable[..., Receipt] = deliver_sql,
) -> Receipt:
    run = Run(run_id=run_id, as_of=as_of, model_versions={"churn": "3"}, now=lambda: NOW)
    given = rows(as_of, *changes, run_id=run_id)
    return through(given, url=url, table=table, base=folder, run=run)


def rehearsed(given: pa.Table, *, url: str, table: str, base: Path, run: Run) -> Receipt:
    target = SqlTarget(kind="sql", url=url, table=table)
    return rehearse(given, target, base=base, run=run)[0]


def ask(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "crm.db")) as connection:
        return connection.execute(sql).fetchall()


def change(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / "crm.db")) as connection:
        connection.executescript(sql)


def history(folder: Path, customer: str = "a") -> list[tuple[object, ...]]:
    return ask(
        folder,
        "SELECT as_of, ltv, run_id FROM customer_scores_history"
        f" WHERE customer_id = '{customer}' ORDER BY as_of",
    )


class TestTheFirstDelivery:
    def test_creates_the_tables_with_proper_types(self, tmp_path):
        deliver(tmp_path, MONDAY, {})
        types = {
            name: kind + (" NOT NULL" if must else "")
            for _, name, kind, must, _, _ in ask(tmp_path, "PRAGMA table_info(customer_scores)")
        }
        assert list(types) == list(CUSTOMER_ROWS.names)
        assert types["customer_id"] == "TEXT NOT NULL"
        assert types["as_of"] == "DATE NOT NULL"
        assert types["is_active"] == "BOOLEAN NOT NULL"
        assert types["rfm_r"] == "SMALLINT NOT NULL"
        assert types["p_churn"] == "DOUBLE PRECISION"
        assert types["ltv"] == "DOUBLE PRECISION NOT NULL"
        assert types["expected_next_order_date"] == "DATE"
        assert types["segment_id"] == "INTEGER NOT NULL"
        assert types["scored_at"] == "TIMESTAMP WITH TIME ZONE NOT NULL"

    @pytest.mark.parametrize(
        ("table", "key"),
        [
            ("customer_scores", ["customer_id"]),
            ("customer_scores_history", ["customer_id", "as_of"]),
            ("portfolio_runs", ["run_id", "table_name", "as_of"]),
            ("portfolio_rejects", ["run_id", "table_name", "as_of", "row_number"]),
            ("portfolio_tables", ["table_name"]),
        ],
    )
    def test_gives_every_table_its_key(self, tmp_path, table, key):
        deliver(tmp_path, MONDAY, {})
        found = ask(
            tmp_path, f"SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk"
        )
        assert [name for (name,) in found] == key

    def test_stores_dates_as_iso_text_and_numbers_as_numbers(self, tmp_path):
        deliver(tmp_path, MONDAY, {"ltv": 120})
        [found] = ask(
            tmp_path,
            "SELECT as_of, expected_next_order_date, scored_at, is_active, rfm_r, ltv, p_return,"
            " typeof(ltv), typeof(as_of) FROM customer_scores",
        )
        assert found == (
            "2024-03-04",
            "2024-04-01",
            "2024-03-08 06:30:00.000000Z",
            1,
            5,
            120.0,
            None,
            "real",
            "text",
        )

    def test_leaves_a_receipt(self, tmp_path):
        receipt = deliver(tmp_path, MONDAY, {}, {"ltv": None}, {})
        assert (receipt.rows, receipt.sent, receipt.unchanged, receipt.rejected) == (3, 2, 0, 1)
        [found] = ask(tmp_path, "SELECT * FROM portfolio_runs")
        assert found == (
            "r1",
            "customer_scores",
            "2024-03-04",
            "sqlite:///crm.db",
            "upsert",
            "delivered",
            3,
            2,
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            receipt.digest,
            '{"churn": "3"}',
            "2024-03-08 06:30:00.000000Z",
            "2024-03-08 06:30:00.000000Z",
        )

    def test_keeps_rejected_rows_with_their_reason(self, tmp_path):
        deliver(tmp_path, MONDAY, {}, {"ltv": None}, {"customer_id": None})
        assert ask(tmp_path, "SELECT customer_id, reason FROM portfolio_rejects") == [
            ("b", "no ltv"),
            (None, "no customer_id"),
        ]
        assert ask(tmp_path, "SELECT customer_id FROM customer_scores") == [("a",)]

    def test_can_be_rehearsed(self, tmp_path):
        receipt = deliver(tmp_path, MONDAY, {}, {}, through=rehearsed)
        assert (receipt.sent, receipt.status) == (2, "delivered")
        assert not list(tmp_path.iterdir())


class TestTheNextDelivery:
    def test_of_the_same_run_changes_nothing(self, tmp_path):
        deliver(tmp_path, MONDAY, {}, {"ltv": None})
        before = (tmp_path / "crm.db").read_bytes()
        dump = ask(tmp_path, "SELECT * FROM portfolio_rejects")
        receipt = deliver(tmp_path, MONDAY, {}, {"ltv": None})
        assert (receipt.sent, receipt.unchanged, receipt.rejected) == (0, 1, 1)
        assert ask(tmp_path, "SELECT * FROM portfolio_rejects") == dump
        assert len(before) == (tmp_path / "crm.db").stat().st_size

    def test_of_another_run_with_the_same_figures_leaves_only_its_receipt(self, tmp_path):
        deliver(tmp_path, MONDAY, {}, run_id="r1")
        receipt = deliver(tmp_path, MONDAY, {"churn_model_version": "4"}, run_id="r2")
        assert (receipt.sent, receipt.unchanged) == (0, 1)
        assert ask(tmp_path, "SELECT run_id, churn_model_version FROM customer_scores") == [
            ("r1", "3")
        ]
        assert len(ask(tmp_path, "SELECT * FROM portfolio_runs")) == 2

    def test_writes_only_what_changed_on_the_next_day(self, tmp_path):
        deliver(tmp_path, MONDAY, {}, {})
        receipt = deliver(tmp_path, TUESDAY, {"ltv": 130.0}, {}, {}, run_id="r2")
        assert (receipt.sent, receipt.unchanged) == (2, 1)
        assert ask(
            tmp_path, "SELECT customer_id, as_of, ltv, run_id FROM customer_scores ORDER BY 1"
        ) == [
            ("a", "2024-03-05", 130.0, "r2"),
            ("b", "2024-03-04", 120.0, "r1"),
            ("c", "2024-03-05", 120.0, "r2"),
        ]
        assert history(tmp_path) == [("2024-03-04", 120.0, "r1"), ("2024-03-05", 130.0, "r2")]
        assert history(tmp_path, "b") == [("2024-03-04", 120.0, "r1")]

    def test_sees_a_change_from_or_to_null(self, tmp_path):
        lapsed = {"is_active": False, "p_churn": None, "p_return": 0.1, "value_at_risk": None}
        deliver(tmp_path, MONDAY, {}, lapsed)
        assert deliver(tmp_path, TUESDAY, lapsed, {}).sent == 2
        assert deliver(tmp_path, WEDNESDAY, lapsed, {}).sent == 0

    def test_leaves_customers_that_it_does_not_speak_of(self, tmp_path):
        deliver(tmp_path, MONDAY, {}, {})
        deliver(tmp_path, TUESDAY, {"ltv": 1.0})
        assert ask(tmp_path, "SELECT COUNT(*) FROM customer_scores") == [(2,)]

    def test_of_the_same_day_replaces_that_days_history(self, tmp_path):
        deliver(tmp_path, MONDAY, {}, run_id="r1")
        deliver(tmp_path, MONDAY, {"ltv": 130.0}, run_id="r2")
        assert history(tmp_path) == [("2024-03-04", 130.0, "r2")]

    def test_can_be_rehearsed(self, tmp_path):
        deliver(tmp_path, MONDAY, {}, {})
        before = (tmp_path / "crm.db").read_bytes()
        receipt = deliver(tmp_path, TUESDAY, {"ltv": 1.0}, {}, through=rehearsed)
        assert (receipt.sent, receipt.unchanged) == (1, 1)
        assert (tmp_path / "crm.db").read_bytes() == before

    def test_to_another_table_shares_the_receipts(self, tmp_path):
        deliver(tmp_path, TUESDAY, {})
        receipt = deliver(tmp_path, MONDAY, {}, table="other scores")
        assert receipt.status == "delivered"
        assert ask(
            tmp_path, "SELECT table_name, newest_as_of FROM portfolio_tables ORDER BY 1"
        ) == [
            ("customer_scores", "2024-03-05"),
            ("other scores", "2024-03-04"),
        ]


class TestALateDelivery:
    def test_goes_into_the_history_only_and_the_receipt_says_so(self, tmp_path):
        deliver(tmp_path, TUESDAY, {}, run_id="r1")
        receipt = deliver(tmp_path, MONDAY, {"ltv": 90.0}, run_id="r2")
        assert (receipt.status, receipt.sent) == ("history_only", 1)
        assert ask(tmp_path, "SELECT as_of, ltv FROM customer_scores") == [("2024-03-05", 120.0)]
        assert history(tmp_path) == [("2024-03-04", 90.0, "r2"), ("2024-03-05", 120.0, "r1")]
        assert ask(tmp_path, "SELECT newest_as_of FROM portfolio_tables") == [("2024-03-05",)]

    def test_is_late_even_where_the_newest_one_changed_nothing(self, tmp_path):
        deliver(tmp_path, MONDAY, {})
        deliver(tmp_path, WEDNESDAY, {})
        assert deliver(tmp_path, TUESDAY, {"ltv": 90.0}).status == "history_only"

    def test_does_not_hide_that_later_figures_were_the_old_ones(self, tmp_path):
        deliver(tmp_path, MONDAY, {}, run_id="r1")
        deliver(tmp_path, WEDNESDAY, {}, run_id="r2")
        deliver(tmp_path, TUESDAY, {"ltv": 90.0}, run_id="r3")
        assert history(tmp_path) == [
            ("2024-03-04", 120.0, "r1"),
            ("2024-03-05", 90.0, "r3"),
            ("2024-03-06", 120.0, "r1"),
        ]

    def test_again_changes_nothing(self, tmp_path):
        deliver(tmp_path, TUESDAY, {})
        deliver(tmp_path, MONDAY, {"ltv": 90.0})
        before = history(tmp_path)
        receipt = deliver(tmp_path, MONDAY, {"ltv": 90.0})
        assert (receipt.sent, receipt.unchanged) == (0, 1)
        assert history(tmp_path) == before

    def test_is_known_by_the_rows_where_the_mark_was_removed(self, tmp_path):
        deliver(tmp_path, TUESDAY, {})
        change(tmp_path, "DELETE FROM portfolio_tables")
        assert deliver(tmp_path, MONDAY, {"ltv": 90.0}).status == "history_only"


class TestTablesThatAreThere:
    def test_with_other_columns_are_refused_column_by_column_and_left_alone(self, tmp_path):
        change(tmp_path, "CREATE TABLE customer_scores (customer_id INTEGER, notes TEXT)")
        before = (tmp_path / "crm.db").read_bytes()
        with pytest.raises(ConfigError) as caught:
            deliver(tmp_path, MONDAY, {})
        message = str(caught.value)
        assert "customer_scores.as_of is missing" in message
        assert "customer_scores.notes is not known" in message
        assert "customer_scores.customer_id is INTEGER instead of TEXT NOT NULL (key, 1)" in message
        assert (tmp_path / "crm.db").read_bytes() == before

    @pytest.mark.parametrize(
        ("statement", "fault"),
        [
            ("ALTER TABLE customer_scores_history DROP COLUMN ltv", "history.ltv is missing"),
            ("ALTER TABLE portfolio_runs ADD COLUMN x TEXT", "portfolio_runs.x is not known"),
            ("ALTER TABLE portfolio_tables ADD COLUMN x TEXT", "portfolio_tables.x is not known"),
        ],
    )
    def test_are_all_checked(self, tmp_path, statement, fault):
        deliver(tmp_path, MONDAY, {})
        change(tmp_path, statement)
        with pytest.raises(ConfigError, match=fault):
            deliver(tmp_path, TUESDAY, {})

    def test_of_another_version_are_refused(self, tmp_path):
        deliver(tmp_path, MONDAY, {})
        change(tmp_path, "UPDATE portfolio_tables SET schema_version = 9")
        with pytest.raises(
            ConfigError, match=r"a newer version.*saw version 9 of its tables, where this one"
        ):
            deliver(tmp_path, TUESDAY, {})

    def test_may_not_be_views(self, tmp_path):
        deliver(tmp_path, MONDAY, {})
        change(
            tmp_path,
            "ALTER TABLE customer_scores RENAME TO moved;"
            "CREATE VIEW customer_scores AS SELECT * FROM moved",
        )
        with pytest.raises(ConfigError, match=r"customer_scores\.customer_id is TEXT instead"):
            deliver(tmp_path, TUESDAY, {})

    def test_with_a_rule_that_refuses_a_row_get_all_others(self, tmp_path):
        deliver(tmp_path, MONDAY, {})
        change(tmp_path, "CREATE UNIQUE INDEX one_tier ON customer_scores (value_tier)")
        receipt = deliver(tmp_path, TUESDAY, {"ltv": 1.0}, {}, {"value_tier": "B"})
        assert (receipt.sent, receipt.rejected, receipt.unchanged) == (2, 1, 0)
        assert ask(tmp_path, "SELECT customer_id, ltv FROM customer_scores ORDER BY 1") == [
            ("a", 1.0),
            ("c", 120.0),
        ]
        assert ask(tmp_path, "SELECT customer_id, row_number, reason FROM portfolio_rejects") == [
            ("b", 2, "UNIQUE constraint failed: customer_scores.value_tier")
        ]
        assert history(tmp_path, "b") == []


class TestOthersAtTheDatabase:
    def test_a_reader_in_write_ahead_mode_sees_the_old_rows_until_the_end(self, tmp_path):
        deliver(tmp_path, MONDAY, {})
        change(tmp_path, "PRAGMA journal_mode = WAL")
        with closing(sqlite3.connect(tmp_path / "crm.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT ltv FROM customer_scores").fetchall() == [(120.0,)]
            deliver(tmp_path, TUESDAY, {"ltv": 1.0})
            assert reader.execute("SELECT ltv FROM customer_scores").fetchall() == [(120.0,)]
            reader.execute("COMMIT")
            assert reader.execute("SELECT ltv FROM customer_scores").fetchall() == [(1.0,)]

    def test_two_deliveries_at_once_both_arrive(self, tmp_path):
        changes = [{"customer_id": f"c{number:04}"} for number in range(2000)]
        with ThreadPoolExecutor() as pool:
            receipts = pool.map(lambda as_of: deliver(tmp_path, as_of, *changes), [MONDAY, TUESDAY])
            assert sum(receipt.rows for receipt in receipts) == 4000
        assert ask(tmp_path, "SELECT COUNT(*) FROM customer_scores") == [(2000,)]
        assert ask(tmp_path, "SELECT newest_as_of FROM portfolio_tables") == [("2024-03-05",)]
        assert len(ask(tmp_path, "SELECT * FROM portfolio_runs")) == 2
