"""Customer rows into a CRM's database, day after day."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from tests.crm import (
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    Crm,
    MariaDbCrm,
    deliver,
    mariadb_crm,
    rehearsed,
    sqlite_crm,
)

from portfolio_ml.databases import redacted
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import CUSTOMER_ROWS

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("mariadb")]

TYPES = {
    "customer_id": "TEXT NOT NULL",
    "as_of": "DATE NOT NULL",
    "is_active": "BOOLEAN NOT NULL",
    "rfm_r": "SMALLINT NOT NULL",
    "p_churn": "DOUBLE PRECISION",
    "ltv": "DOUBLE PRECISION NOT NULL",
    "expected_next_order_date": "DATE",
    "segment_id": "INTEGER NOT NULL",
    "scored_at": "TIMESTAMP WITH TIME ZONE NOT NULL",
}
TYPES_OF_MARIADB = TYPES | {
    "customer_id": "VARCHAR(255) COLLATE UTF8MB4_NOPAD_BIN NOT NULL",
    "is_active": "BOOL NOT NULL",
    "p_churn": "DOUBLE",
    "ltv": "DOUBLE NOT NULL",
    "scored_at": "DATETIME(6) NOT NULL",
}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def crm(request, tmp_path) -> Crm:
    """A CRM in each kind of database."""
    if request.param == "sqlite":
        return sqlite_crm(tmp_path)
    if request.param == "mariadb":
        return mariadb_crm(request.getfixturevalue("mariadb_server"), tmp_path)
    return request.getfixturevalue("postgresql")


def types_of(crm: Crm) -> dict[str, str]:
    return TYPES_OF_MARIADB if isinstance(crm, MariaDbCrm) else TYPES


def history(crm: Crm, customer: str = "a") -> list[tuple[object, ...]]:
    return crm.ask(
        "SELECT as_of, ltv, run_id FROM customer_scores_history"
        f" WHERE customer_id = '{customer}' ORDER BY as_of"
    )


class TestTheFirstDelivery:
    def test_creates_the_tables_with_proper_types(self, crm):
        deliver(crm, MONDAY, {})
        types = {
            column.name: column.type.upper() + ("" if column.nullable else " NOT NULL")
            for column in crm.columns("customer_scores")
        }
        assert list(types) == list(CUSTOMER_ROWS.names)
        expected = types_of(crm)
        assert {name: types[name] for name in expected} == expected

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
    def test_gives_every_table_its_key(self, crm, table, key):
        deliver(crm, MONDAY, {})
        keys = sorted((column.key, column.name) for column in crm.columns(table) if column.key)
        assert [name for _, name in keys] == key

    def test_stores_dates_and_numbers(self, crm):
        deliver(crm, MONDAY, {"ltv": 120})
        [found] = crm.ask(
            "SELECT as_of, expected_next_order_date, scored_at, is_active, rfm_r, ltv, p_return"
            " FROM customer_scores"
        )
        assert found == (
            "2024-03-04",
            "2024-04-01",
            "2024-03-08 06:30:00.000000Z",
            1,
            5,
            120.0,
            None,
        )

    def test_into_sqlite_stores_dates_as_text_and_numbers_as_numbers(self, tmp_path):
        crm = sqlite_crm(tmp_path)
        deliver(crm, MONDAY, {"ltv": 120})
        assert crm.ask("SELECT typeof(ltv), typeof(as_of) FROM customer_scores") == [
            ("real", "text")
        ]

    def test_leaves_a_receipt(self, crm):
        receipt = deliver(crm, MONDAY, {}, {"ltv": None}, {})
        assert (receipt.rows, receipt.sent, receipt.unchanged, receipt.rejected) == (3, 2, 0, 1)
        [found] = crm.ask("SELECT * FROM portfolio_runs")
        assert found == (
            "r1",
            "customer_scores",
            "2024-03-04",
            redacted(crm.url),
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

    def test_keeps_rejected_rows_with_their_reason(self, crm):
        deliver(crm, MONDAY, {}, {"ltv": None}, {"customer_id": None})
        assert crm.ask("SELECT customer_id, reason FROM portfolio_rejects") == [
            ("b", "no ltv"),
            (None, "no customer_id"),
        ]
        assert crm.ask("SELECT customer_id FROM customer_scores") == [("a",)]

    def test_can_be_rehearsed(self, crm):
        receipt = deliver(crm, MONDAY, {}, {}, through=rehearsed)
        assert (receipt.sent, receipt.status) == (2, "delivered")
        assert not list(crm.base.iterdir())
        assert crm.url.startswith("sqlite") or crm.tables() == []


class TestTheNextDelivery:
    def test_of_the_same_run_changes_nothing(self, crm):
        deliver(crm, MONDAY, {}, {"ltv": None})
        dump = crm.ask("SELECT * FROM portfolio_rejects")
        receipt = deliver(crm, MONDAY, {}, {"ltv": None})
        assert (receipt.sent, receipt.unchanged, receipt.rejected) == (0, 1, 1)
        assert crm.ask("SELECT * FROM portfolio_rejects") == dump

    def test_of_another_run_with_the_same_figures_leaves_only_its_receipt(self, crm):
        deliver(crm, MONDAY, {}, run_id="r1")
        receipt = deliver(crm, MONDAY, {"churn_model_version": "4"}, run_id="r2")
        assert (receipt.sent, receipt.unchanged) == (0, 1)
        assert crm.ask("SELECT run_id, churn_model_version FROM customer_scores") == [("r1", "3")]
        assert len(crm.ask("SELECT * FROM portfolio_runs")) == 2

    def test_writes_only_what_changed_on_the_next_day(self, crm):
        deliver(crm, MONDAY, {}, {})
        receipt = deliver(crm, TUESDAY, {"ltv": 130.0}, {}, {}, run_id="r2")
        assert (receipt.sent, receipt.unchanged) == (2, 1)
        assert crm.ask(
            "SELECT customer_id, as_of, ltv, run_id FROM customer_scores ORDER BY 1"
        ) == [
            ("a", "2024-03-05", 130.0, "r2"),
            ("b", "2024-03-04", 120.0, "r1"),
            ("c", "2024-03-05", 120.0, "r2"),
        ]
        assert history(crm) == [("2024-03-04", 120.0, "r1"), ("2024-03-05", 130.0, "r2")]
        assert history(crm, "b") == [("2024-03-04", 120.0, "r1")]

    def test_sees_a_change_from_or_to_null(self, crm):
        lapsed = {"is_active": False, "p_churn": None, "p_return": 0.1, "value_at_risk": None}
        deliver(crm, MONDAY, {}, lapsed)
        assert deliver(crm, TUESDAY, lapsed, {}).sent == 2
        assert deliver(crm, WEDNESDAY, lapsed, {}).sent == 0

    def test_leaves_customers_that_it_does_not_speak_of(self, crm):
        deliver(crm, MONDAY, {}, {})
        deliver(crm, TUESDAY, {"ltv": 1.0})
        assert crm.ask("SELECT COUNT(*) FROM customer_scores") == [(2,)]

    def test_of_the_same_day_replaces_that_days_history(self, crm):
        deliver(crm, MONDAY, {}, run_id="r1")
        deliver(crm, MONDAY, {"ltv": 130.0}, run_id="r2")
        assert history(crm) == [("2024-03-04", 130.0, "r2")]

    def test_can_be_rehearsed(self, crm):
        deliver(crm, MONDAY, {}, {})
        before = crm.state()
        receipt = deliver(crm, TUESDAY, {"ltv": 1.0}, {}, through=rehearsed)
        assert (receipt.sent, receipt.unchanged) == (1, 1)
        assert crm.state() == before

    def test_to_another_table_shares_the_receipts(self, crm):
        deliver(crm, TUESDAY, {})
        receipt = deliver(crm, MONDAY, {}, table="other scores")
        assert receipt.status == "delivered"
        assert crm.ask("SELECT table_name, newest_as_of FROM portfolio_tables ORDER BY 1") == [
            ("customer_scores", "2024-03-05"),
            ("other scores", "2024-03-04"),
        ]


class TestALateDelivery:
    def test_goes_into_the_history_only_and_the_receipt_says_so(self, crm):
        deliver(crm, TUESDAY, {}, run_id="r1")
        receipt = deliver(crm, MONDAY, {"ltv": 90.0}, run_id="r2")
        assert (receipt.status, receipt.sent) == ("history_only", 1)
        assert crm.ask("SELECT as_of, ltv FROM customer_scores") == [("2024-03-05", 120.0)]
        assert history(crm) == [("2024-03-04", 90.0, "r2"), ("2024-03-05", 120.0, "r1")]
        assert crm.ask("SELECT newest_as_of FROM portfolio_tables") == [("2024-03-05",)]

    def test_is_late_even_where_the_newest_one_changed_nothing(self, crm):
        deliver(crm, MONDAY, {})
        deliver(crm, WEDNESDAY, {})
        assert deliver(crm, TUESDAY, {"ltv": 90.0}).status == "history_only"

    def test_does_not_hide_that_later_figures_were_the_old_ones(self, crm):
        deliver(crm, MONDAY, {}, run_id="r1")
        deliver(crm, WEDNESDAY, {}, run_id="r2")
        deliver(crm, TUESDAY, {"ltv": 90.0}, run_id="r3")
        assert history(crm) == [
            ("2024-03-04", 120.0, "r1"),
            ("2024-03-05", 90.0, "r3"),
            ("2024-03-06", 120.0, "r1"),
        ]

    def test_again_changes_nothing(self, crm):
        deliver(crm, TUESDAY, {})
        deliver(crm, MONDAY, {"ltv": 90.0})
        before = history(crm)
        receipt = deliver(crm, MONDAY, {"ltv": 90.0})
        assert (receipt.sent, receipt.unchanged) == (0, 1)
        assert history(crm) == before

    def test_is_known_by_the_rows_where_the_mark_was_removed(self, crm):
        deliver(crm, TUESDAY, {})
        crm.change("DELETE FROM portfolio_tables")
        assert deliver(crm, MONDAY, {"ltv": 90.0}).status == "history_only"


class TestTablesThatAreThere:
    def test_with_other_columns_are_refused_column_by_column_and_left_alone(self, crm):
        crm.change("CREATE TABLE customer_scores (customer_id INTEGER, notes TEXT)")
        before = crm.state()
        with pytest.raises(ConfigError) as caught:
            deliver(crm, MONDAY, {})
        message = str(caught.value)
        assert "customer_scores.as_of is missing" in message
        assert "customer_scores.notes is not known" in message
        key = types_of(crm)["customer_id"]
        assert f"customer_scores.customer_id is INTEGER instead of {key} (key, 1)" in message
        if isinstance(crm, MariaDbCrm):  # it keeps what was created before the fault was seen
            assert {crm.run(f"SELECT COUNT(*) FROM {n}")[0] for n in crm.tables()} == {(0,)}
        else:
            assert crm.state() == before

    @pytest.mark.parametrize(
        ("statement", "fault"),
        [
            ("ALTER TABLE customer_scores_history DROP COLUMN ltv", "history.ltv is missing"),
            ("ALTER TABLE portfolio_runs ADD COLUMN x TEXT", "portfolio_runs.x is not known"),
            ("ALTER TABLE portfolio_tables ADD COLUMN x TEXT", "portfolio_tables.x is not known"),
        ],
    )
    def test_are_all_checked(self, crm, statement, fault):
        deliver(crm, MONDAY, {})
        crm.change(statement)
        with pytest.raises(ConfigError, match=fault):
            deliver(crm, TUESDAY, {})

    def test_of_another_version_are_refused(self, crm):
        deliver(crm, MONDAY, {})
        crm.change("UPDATE portfolio_tables SET schema_version = 9")
        with pytest.raises(
            ConfigError, match=r"a newer version.*saw version 9 of its tables, where this one"
        ):
            deliver(crm, TUESDAY, {})

    def test_may_not_be_views(self, crm):
        deliver(crm, MONDAY, {})
        crm.change(
            "ALTER TABLE customer_scores RENAME TO moved;"
            "CREATE VIEW customer_scores AS SELECT * FROM moved",
        )
        with pytest.raises(ConfigError, match=r"customer_scores\.customer_id is \w+.* instead"):
            deliver(crm, TUESDAY, {})

    def test_with_a_rule_that_refuses_a_row_get_all_others(self, crm):
        deliver(crm, MONDAY, {})
        tier = "value_tier(9)" if isinstance(crm, MariaDbCrm) else "value_tier"
        crm.change(f"CREATE UNIQUE INDEX one_tier ON customer_scores ({tier})")
        receipt = deliver(crm, TUESDAY, {"ltv": 1.0}, {}, {"value_tier": "B"})
        assert (receipt.sent, receipt.rejected, receipt.unchanged) == (2, 1, 0)
        assert crm.ask("SELECT customer_id, ltv FROM customer_scores ORDER BY 1") == [
            ("a", 1.0),
            ("c", 120.0),
        ]
        [(customer, row_number, reason)] = crm.ask(
            'SELECT customer_id, "row_number", reason FROM portfolio_rejects'
        )
        assert (customer, row_number) == ("b", 2)
        assert reason in {
            "UNIQUE constraint failed: customer_scores.value_tier",
            'duplicate key value violates unique constraint "one_tier"',
            "Duplicate entry 'A' for key 'one_tier'",
        }
        assert history(crm, "b") == []


class TestOthersAtTheDatabase:
    def test_a_reader_in_write_ahead_mode_sees_the_old_rows_until_the_end(self, tmp_path):
        crm = sqlite_crm(tmp_path)
        deliver(crm, MONDAY, {})
        crm.change("PRAGMA journal_mode = WAL")
        with closing(sqlite3.connect(tmp_path / "crm.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT ltv FROM customer_scores").fetchall() == [(120.0,)]
            deliver(crm, TUESDAY, {"ltv": 1.0})
            assert reader.execute("SELECT ltv FROM customer_scores").fetchall() == [(120.0,)]
            reader.execute("COMMIT")
            assert reader.execute("SELECT ltv FROM customer_scores").fetchall() == [(1.0,)]

    def test_two_deliveries_at_once_both_arrive(self, crm):
        changes = [{"customer_id": f"c{number:04}"} for number in range(2000)]
        with ThreadPoolExecutor() as pool:
            receipts = pool.map(lambda as_of: deliver(crm, as_of, *changes), [MONDAY, TUESDAY])
            assert sum(receipt.rows for receipt in receipts) == 4000
        assert crm.ask("SELECT COUNT(*) FROM customer_scores") == [(2000,)]
        assert crm.ask("SELECT newest_as_of FROM portfolio_tables") == [("2024-03-05",)]
        assert len(crm.ask("SELECT * FROM portfolio_runs")) == 2
