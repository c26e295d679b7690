"""What sets a CRM on MariaDB apart from others, and transactions out of it.

MariaDB stands for what is reached through SQLAlchemy alone. What all databases have in common is in
`test_delivery_sql.py`.
"""

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from tests.crm import (
    MONDAY,
    NOW,
    TUESDAY,
    WEDNESDAY,
    MariaDbCrm,
    accounts,
    deliver,
    deliver_to,
    mariadb_crm,
    rows,
    run_of,
)
from tests.forked import forked

from portfolio_ml.checkup.targets import state
from portfolio_ml.config import SqlTarget, settings_from
from portfolio_ml.databases import read_query, read_table, redacted, rehearsing, writing
from portfolio_ml.errors import ConfigError, DataError, ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.sinks.erasure import erase
from portfolio_ml.sinks.migration import migrate
from portfolio_ml.sinks.past_sql import Place
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.sinks.sql import deliver_sql, rehearse, rejected

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("mariadb")]

HERE = Path()
NEXT_ORDER = datetime(2024, 4, 1, tzinfo=UTC).replace(tzinfo=None)
MANY = 3_000


@pytest.fixture
def crm(mariadb_server, tmp_path) -> MariaDbCrm:
    return mariadb_crm(mariadb_server, tmp_path)


class TestTheFirstDelivery:
    def test_stores_values_as_they_are_and_times_in_utc(self, crm):
        exactly = NOW.replace(microsecond=123456)
        deliver(crm, MONDAY, {"ltv": 0.13, "scored_at": exactly})
        [found] = crm.run(
            "SELECT as_of, scored_at, is_active, rfm_r, ltv, p_return FROM customer_scores"
        )
        assert found == (MONDAY, exactly.replace(tzinfo=None), 1, 5, 0.13, None)

    def test_works_by_either_name_of_the_dialect(self, crm):
        url = crm.server.url(crm.name, kind="mysql")
        assert deliver(crm, MONDAY, {}, url=url).sent == 1
        assert deliver(crm, TUESDAY, {}).unchanged == 1

    def test_of_many_rows_with_long_texts_goes_in_batches(self, crm):
        crm.run("SET GLOBAL max_allowed_packet = 2000000")
        try:
            many = [{"customer_id": f"c{n:05}", "churn_reasons": "x" * 900} for n in range(MANY)]
            assert deliver(crm, MONDAY, *many).sent == MANY
        finally:
            crm.run("SET GLOBAL max_allowed_packet = 16777216")


class TestTheNextDelivery:
    def test_sees_a_change_of_case_or_blanks(self, crm):
        deliver(crm, MONDAY, {}, {}, {})
        changes = {"segment_name": "Loyal"}, {"segment_name": "loyal "}, {}
        assert deliver(crm, TUESDAY, *changes).sent == 2

    def test_takes_the_rows_of_merged_customers_away(self, crm):
        deliver(crm, MONDAY, {}, {})
        run = run_of(TUESDAY, retired=frozenset({"b", "no such"}))
        receipt = deliver_sql(
            rows(TUESDAY, {}), url=crm.url, table="customer_scores", base=HERE, run=run
        )
        assert receipt.retired == 1
        assert crm.run("SELECT customer_id FROM customer_scores") == [("a",)]


class TestTablesThatAreThere:
    @pytest.mark.parametrize(
        ("statement", "fault"),
        [
            (
                "ALTER TABLE customer_scores MODIFY abstention LONGTEXT COLLATE utf8mb4_general_ci",
                "abstention is LONGTEXT COLLATE UTF8MB4_GENERAL_CI instead",
            ),
            ("ALTER TABLE customer_scores MODIFY ltv FLOAT NOT NULL", "ltv is FLOAT NOT NULL"),
        ],
    )
    def test_are_all_checked(self, crm, statement, fault):
        deliver(crm, MONDAY, {})
        crm.run(statement)
        with pytest.raises(ConfigError, match=fault):
            deliver(crm, TUESDAY, {})

    def test_without_transactions_are_refused(self, crm):
        deliver(crm, MONDAY, {})
        crm.run("ALTER TABLE customer_scores ENGINE = Aria TRANSACTIONAL = 0")
        with pytest.raises(ConfigError, match=r"'customer_scores' has no transactions.*Aria"):
            deliver(crm, TUESDAY, {})

    @pytest.mark.parametrize(
        ("rule", "reason"),
        [
            ("CREATE UNIQUE INDEX one_tier ON customer_scores (value_tier(9))", "Duplicate entry"),
            ("ALTER TABLE customer_scores ADD CHECK (customer_id <> 'b' OR ltv < 125)", "CONSTR"),
        ],
    )
    def test_with_a_rule_that_refuses_a_row_get_all_others(self, crm, rule, reason):
        tiers = [{"value_tier": tier} for tier in "AB"]
        deliver(crm, MONDAY, *tiers)
        crm.run(rule)
        receipt = deliver(
            crm,
            TUESDAY,
            {"ltv": 1.0},
            {"value_tier": "A", "ltv": 130.0},
            {"value_tier": "C"},
            {"value_tier": "D"},
        )
        assert (receipt.sent, receipt.rejected, receipt.unchanged) == (3, 1, 0)
        assert crm.run("SELECT customer_id, ltv, value_tier FROM customer_scores") == [
            ("a", 1.0, "A"),
            ("b", 120.0, "B"),
            ("c", 120.0, "C"),
            ("d", 120.0, "D"),
        ]
        [(customer, number, told)] = crm.run(
            "SELECT customer_id, `row_number`, reason FROM portfolio_rejects"
        )
        assert (customer, number) == ("b", 2)
        assert reason in told
        target = SqlTarget(kind="sql", url=crm.url, table="customer_scores")
        assert [day for day, _ in rejected(target, base=HERE)] == [TUESDAY]

    def test_lacking_a_column_are_migrated(self, crm):
        deliver(crm, MONDAY, {})
        crm.run("ALTER TABLE customer_scores DROP COLUMN segment_name, DROP COLUMN ltv")
        crm.run("UPDATE portfolio_tables SET schema_version = 1")
        target = SqlTarget(kind="sql", url=crm.url, table="customer_scores")
        assert migrate(target, base=HERE) == (
            "customer_scores.ltv",
            "customer_scores.segment_name",
        )
        assert crm.run("SELECT segment_name, ltv FROM customer_scores") == [("", 0.0)]
        assert deliver(crm, TUESDAY, {}).sent == 1


class TestTheCrmsOwnTable:
    def test_can_be_rehearsed_before_anything_is_delivered(self, crm):
        crm.run("CREATE TABLE accounts (id VARCHAR(9) PRIMARY KEY, score DOUBLE)")
        crm.run("INSERT INTO accounts VALUES ('a', NULL)")
        target = accounts(crm, {"ltv": "score"})
        receipt, [change] = rehearse(rows(MONDAY, {}, {}), target, base=HERE, run=run_of(MONDAY))
        assert (receipt.sent, receipt.absent) == (1, 1)
        assert change.figures == {"score": (None, 120.0)}
        assert crm.tables() == ["accounts"]

    def test_is_updated_where_it_has_the_customer(self, crm):
        crm.run(
            "CREATE TABLE accounts (id INT PRIMARY KEY, name VARCHAR(20), churn DECIMAL(5,4),"
            " score FLOAT, band VARCHAR(6), active BOOLEAN, due DATETIME, rank_ SMALLINT)",
            "INSERT INTO accounts (id, name) VALUES (7, 'seven'), (8, 'eight')",
        )
        figures = {
            "p_churn": "churn",
            "ltv": "score",
            "churn_band": "band",
            "is_active": "active",
            "expected_next_order_date": "due",
            "rfm_r": "rank_",
        }
        target = accounts(crm, figures)
        given = {"customer_id": "7", "p_churn": 0.123456, "ltv": 0.1}
        receipt = deliver_to(
            crm, target, MONDAY, given, {"customer_id": "007"}, {"customer_id": "9"}
        )
        assert (receipt.sent, receipt.absent, receipt.unchanged) == (1, 2, 0)
        assert crm.run("SELECT * FROM accounts WHERE id = 7") == [
            (7, "seven", Decimal("0.1235"), 0.1, "low", 1, NEXT_ORDER, 5)
        ]
        again = deliver_to(crm, target, TUESDAY, given, run_id="r2")
        assert (again.sent, again.unchanged) == (0, 1)
        assert crm.run("SELECT id FROM accounts ORDER BY id") == [(7,), (8,)]

    def test_is_upserted_where_that_is_asked_for(self, crm):
        crm.run(
            "CREATE TABLE accounts (id VARCHAR(5) PRIMARY KEY, score DOUBLE)",
            "INSERT INTO accounts VALUES ('a', 1)",
        )
        target = accounts(crm, {"ltv": "score"}, mode="upsert")
        receipt = deliver_to(crm, target, MONDAY, {}, {}, {"customer_id": "too long"}, {})
        assert (receipt.sent, receipt.absent, receipt.rejected) == (3, 0, 1)
        assert crm.run("SELECT * FROM accounts") == [("a", 120.0), ("b", 120.0), ("d", 120.0)]
        [(reason,)] = crm.run("SELECT reason FROM portfolio_rejects")
        assert "Data too long" in reason
        assert deliver_to(crm, target, TUESDAY, {}, {}, run_id="r2").sent == 0

    @pytest.mark.parametrize(
        ("kind", "column", "value"),
        [
            ("VARCHAR(5)", "segment_name", "longer"),
            ("DECIMAL(5,4)", "ltv", 12.5),
            ("SMALLINT", "segment_id", 40_000),
            ("INT UNSIGNED", "segment_id", -1),
            ("ENUM('loyal')", "segment_name", "lost"),
            ("VARCHAR(9) CHARACTER SET latin1", "segment_name", "🚀"),
        ],
    )
    def test_that_cannot_hold_a_value_gets_all_others(self, crm, kind, column, value):
        crm.run(
            f"CREATE TABLE accounts (id VARCHAR(5) PRIMARY KEY, figure {kind})",
            "INSERT INTO accounts (id) VALUES ('a'), ('b'), ('c')",
        )
        target = accounts(crm, {column: "figure"})
        fits = {} if column != "ltv" else {"ltv": 0.5}
        receipt = deliver_to(crm, target, MONDAY, fits, {column: value}, fits)
        assert (receipt.sent, receipt.rejected) == (2, 1)
        assert crm.run("SELECT figure FROM accounts WHERE id = 'b'") == [(None,)]
        assert deliver_to(crm, target, TUESDAY, fits, run_id="r2").sent == 0

    def test_that_ignores_case_keeps_customers_apart(self, crm):
        crm.run(
            "CREATE TABLE accounts (id VARCHAR(5) PRIMARY KEY, score DOUBLE)",
            "INSERT INTO accounts VALUES ('A', 1)",
        )
        target = accounts(crm, {"ltv": "score"})
        receipt = deliver_to(crm, target, MONDAY, {"customer_id": "a"}, {"customer_id": "A "})
        assert (receipt.sent, receipt.absent) == (0, 2)

    def test_with_a_decimal_that_is_filled_with_zeros_is_written_once(self, crm):
        crm.run("CREATE TABLE accounts (id varchar(20) PRIMARY KEY, v decimal(7,2) ZEROFILL)")
        crm.run("INSERT INTO accounts (id) VALUES ('a')")
        target = accounts(crm, {"ltv": "v"}, mode="update")
        assert deliver_to(crm, target, MONDAY, {"ltv": 1.5}).sent == 1
        assert deliver_to(crm, target, TUESDAY, {"ltv": 1.5}).unchanged == 1
        assert crm.run("SELECT v FROM accounts") == [(Decimal("1.50"),)]

    def test_that_does_not_fit_is_refused(self, crm):
        crm.run("CREATE TABLE accounts (id INT PRIMARY KEY, due DATE)")
        with pytest.raises(ConfigError, match="'due' is DATE, which cannot hold ltv"):
            deliver_to(crm, accounts(crm, {"ltv": "due"}), MONDAY, {})
        with pytest.raises(ConfigError, match=r"'account' is missing.*mean 'accounts'"):
            deliver_to(crm, accounts(crm, {"ltv": "due"}, table="account"), MONDAY, {})

    def test_in_another_database_of_the_server_works_too(self, crm):
        other = mariadb_crm(crm.server, crm.base)
        other.run("CREATE TABLE accounts (id INT PRIMARY KEY, score DOUBLE)")
        other.run("INSERT INTO accounts VALUES (1, NULL)")
        target = accounts(crm, {"ltv": "score"}, table=f"{other.name}.accounts")
        assert deliver_to(crm, target, MONDAY, {"customer_id": "1"}).sent == 1
        assert "portfolio_accounts_history" in other.tables()
        assert crm.tables() == []

    def test_of_many_customers_is_searched_by_an_index(self, crm):
        crm.run("CREATE TABLE accounts (id INT PRIMARY KEY, score DOUBLE)")
        crm.run(f"INSERT INTO accounts SELECT seq, NULL FROM seq_1_to_{MANY}")
        given = [{"customer_id": str(n)} for n in range(MANY // 2, MANY * 3 // 2)]
        began = time.monotonic()
        receipt = deliver_to(crm, accounts(crm, {"ltv": "score"}), MONDAY, *given)
        assert (receipt.sent, receipt.absent) == (MANY // 2 + 1, MANY // 2 - 1)
        upsert = accounts(crm, {"ltv": "score"}, mode="upsert")
        assert deliver_to(crm, upsert, TUESDAY, *given, run_id="r2").sent == MANY // 2 - 1
        assert time.monotonic() - began < 30  # without an index, minutes


class TestHostileValues:
    @pytest.mark.parametrize("table", ["we`ird %s \"'; -- x", "tàblé 100%", "select", "a b"])
    def test_any_table_name_works(self, crm, table):
        deliver(crm, MONDAY, {}, table=table)
        assert deliver(crm, TUESDAY, {"ltv": 1.0}, table=table, run_id="r2").sent == 1
        assert {table, f"{table}_history"} <= set(crm.tables())
        place = Place(crm.url, table, f"{table}_history", HERE)
        assert place.bands_before(TUESDAY)["churn_band"].to_pylist() == ["low"]

    def test_a_table_name_that_the_server_does_not_take_is_a_config_error(self, crm):
        with pytest.raises(ConfigError, match="name"):
            deliver(crm, MONDAY, {}, table="x😀")
        with pytest.raises(ConfigError, match="too long"):
            deliver(crm, MONDAY, {}, table="x" * 60)

    def test_customers_are_told_apart_by_case_blanks_accents_and_emoji(self, crm):
        ids = ["a", "A", "a ", " a", "á", "🚀", "😀", "%s", "\\'; DROP TABLE x --", "a\0b", "a\\"]
        given = [{"customer_id": each, "segment_name": each} for each in ids]
        assert deliver(crm, MONDAY, *given).sent == len(ids)
        found = read_table(crm.url, "customer_scores", base=HERE)
        assert sorted(found["customer_id"].to_pylist()) == sorted(ids)
        assert found["segment_name"].to_pylist() == found["customer_id"].to_pylist()
        changed = deliver(crm, TUESDAY, *[each | {"ltv": 1.0} for each in given], run_id="r2")
        assert changed.sent == len(ids)

    def test_an_id_that_is_too_long_for_a_key_stops_no_other(self, crm):
        receipt = deliver(crm, MONDAY, {}, {"customer_id": "x" * 256}, {"customer_id": "x" * 255})
        assert (receipt.sent, receipt.rejected) == (2, 1)

    def test_doubles_come_back_to_the_last_bit(self, crm):
        values = [5e-324, 1.7976931348623157e308, 0.1 + 0.2, 2.0**-1022, 1e22]
        with writing(crm.url, base=HERE) as database:
            database.run("CREATE TABLE d (n INT PRIMARY KEY, x DOUBLE)")
            database.load("d", pa.table({"n": range(len(values)), "x": values}))
        assert read_query(crm.url, "SELECT x FROM d ORDER BY n", base=HERE)["x"].to_pylist() == (
            values
        )


class TestTheConnection:
    def test_a_wrong_password_is_unavailable_and_stays_hidden(self, crm):
        url = crm.server.url(crm.name, login="root:s3cret")
        with pytest.raises(ServiceUnavailableError, match="denies access") as caught:
            deliver(crm, MONDAY, {}, url=url)
        assert caught.value.exit_code == 69
        assert "s3cret" not in str(caught.value)
        assert "s3cret" not in redacted(url)

    @pytest.mark.parametrize(
        ("url", "kind", "part"),
        [
            ("mysql+pymysql://ann:s3cret@127.0.0.1:1/crm", ServiceUnavailableError, "answer"),
            ("mysql+pymysql://ann:s3cret@127.0.0.1:1/crm?shoe=1", ConfigError, "shoe"),
            ("mariadb+nosuch://ann:s3cret@db/crm", ConfigError, "nosuch"),
            ("mysql+aiomysql://ann:s3cret@db/crm", ConfigError, "asynchronous"),
            ("mysql+mysqldb://ann:s3cret@db/crm", ConfigError, "ip install mysqlclient"),
            ("oracle+oracledb://ann:s3cret@db/crm", ConfigError, "not written to.*saw oracle"),
            ("mssql+pyodbc://ann:s3cret@db/crm", ConfigError, "not written to.*saw mssql"),
            ("nosuch://ann:s3cret@db/crm", ConfigError, "unknown.*saw nosuch"),
        ],
    )
    def test_a_url_that_leads_nowhere_says_so_before_anything_is_written(self, url, kind, part):
        with pytest.raises(kind, match=part) as caught, writing(url, base=HERE):
            pass
        assert "s3cret" not in str(caught.value)

    def test_a_missing_database_is_unavailable(self, crm):
        with pytest.raises(ServiceUnavailableError, match="Unknown database"):
            deliver(crm, MONDAY, {}, url=crm.server.url("nosuch"))

    def test_a_user_without_rights_is_unavailable(self, crm):
        crm.run(f"CREATE USER 'r_{crm.name}'@localhost")
        crm.run(f"GRANT SELECT ON {crm.name}.* TO 'r_{crm.name}'@localhost")
        url = crm.server.url(crm.name, login=f"r_{crm.name}")
        with pytest.raises(ServiceUnavailableError, match=r"denies access.*CREATE"):
            deliver(crm, MONDAY, {}, url=url)

    def test_a_user_with_the_rights_of_the_docs_delivers_also_without_those_to_create(self, crm):
        user = f"'w_{crm.name}'@localhost"
        rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, CREATE TEMPORARY TABLES"
        crm.run(f"CREATE USER {user}", f"GRANT {rights} ON {crm.name}.* TO {user}")
        url = crm.server.url(crm.name, login=f"w_{crm.name}")
        assert deliver(crm, MONDAY, {}, url=url).sent == 1
        crm.run(f"REVOKE CREATE, ALTER ON {crm.name}.* FROM {user}")
        assert deliver(crm, TUESDAY, {"ltv": 1.0}, url=url).sent == 1

    def test_a_row_locked_by_another_is_for_later(self, crm, monkeypatch):
        deliver(crm, MONDAY, {})
        monkeypatch.setattr(
            "portfolio_ml.databases.mysql._SETTINGS",
            ("SET SESSION innodb_lock_wait_timeout = 1",),
        )
        other = crm.server.connected(crm.name)
        other.cursor().execute("UPDATE customer_scores SET ltv = 5")
        with pytest.raises(TryAgainLaterError, match="locked"):
            deliver(crm, TUESDAY, {"ltv": 1.0})
        other.close()
        assert deliver(crm, TUESDAY, {"ltv": 1.0}).sent == 1

    def test_the_session_does_not_depend_on_the_servers_settings(self, crm):
        crm.run("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
        crm.run("SET GLOBAL time_zone = '+05:00'", "SET GLOBAL autocommit = 1")
        try:
            deliver(crm, MONDAY, {"customer_id": "a\\'"}, table="we`ird")
            assert deliver(crm, TUESDAY, {"customer_id": "a\\'"}, table="we`ird").sent == 0
            with rehearsing(crm.url, base=HERE) as database:
                assert database.ask("SELECT @@time_zone, @@tx_isolation, @@character_set_client")[
                    0
                ] == ("+00:00", "READ-COMMITTED", "utf8mb4")
        finally:
            crm.run("SET GLOBAL sql_mode = DEFAULT", "SET GLOBAL time_zone = 'SYSTEM'")

    def test_an_error_rolls_back(self, crm):
        deliver(crm, MONDAY, {})

        def spoilt() -> None:
            with writing(crm.url, base=HERE) as database:
                assert database.run("DELETE FROM customer_scores") == 1
                raise KeyError

        with pytest.raises(KeyError):
            spoilt()
        assert crm.run("SELECT COUNT(*) FROM customer_scores") == [(1,)]


def figures(crm: MariaDbCrm) -> list[object]:
    """All rows of the two delivered tables and of the mark; receipts tell the database's name."""
    names = ("customer_scores", "customer_scores_history", "portfolio_tables")
    return [crm.run(f"SELECT * FROM {name} ORDER BY 1, 2") for name in names]


class TestAKilledClient:
    def test_leaves_the_old_rows_or_the_new_ones(self, crm):
        deliver_day(crm.url, 4)
        old = figures(crm)
        twin = mariadb_crm(crm.server, crm.base)
        deliver_day(twin.url, 4)
        began = time.monotonic()
        deliver_day(twin.url, 5)
        seconds = time.monotonic() - began
        new = figures(twin)
        assert new != old
        for part in (0.2, 0.6, 0.9):
            with forked(deliver_day, crm.url, 5) as process:
                time.sleep(part * seconds)
                process.kill()
            self.wait_for_the_servers_rollback(crm)
            assert figures(crm) in (old, new)
        deliver_day(crm.url, 5)
        assert figures(crm) == new

    def test_at_the_first_delivery_leaves_empty_tables_at_most(self, crm):
        with forked(deliver_day, crm.url, 4) as process:
            while "customer_scores_history" not in crm.tables():
                time.sleep(0.01)
            process.kill()
        self.wait_for_the_servers_rollback(crm)
        assert crm.run("SELECT COUNT(*) FROM customer_scores_history") == [(0,)]
        assert deliver_day(crm.url, 4).sent == MANY

    def wait_for_the_servers_rollback(self, crm: MariaDbCrm) -> None:
        ours = f"SELECT 1 FROM information_schema.processlist WHERE db = '{crm.name}'"
        while crm.server.ask(ours):
            time.sleep(0.05)


class TestAfterwards:
    def test_a_customer_is_erased(self, crm):
        deliver(crm, MONDAY, {}, {}, {"customer_id": "A"})
        deliver(crm, TUESDAY, {"ltv": 1.0}, run_id="r2")
        target = SqlTarget(kind="sql", url=crm.url, table="customer_scores")
        assert [done.rows for done in erase(target, "a", base=HERE)] == [1, 2, 0]
        assert crm.run("SELECT customer_id FROM customer_scores") == [("A",), ("b",)]

    def test_a_customers_figures_in_the_crms_table_are_cleared(self, crm):
        crm.run(
            "CREATE TABLE accounts (id VARCHAR(5) PRIMARY KEY, score DOUBLE, n INT NOT NULL)",
            "INSERT INTO accounts VALUES ('a', 1, 1), ('B', 1, 1)",
        )
        target = accounts(crm, {"ltv": "score", "segment_id": "n"})
        deliver_to(crm, target, MONDAY, {})
        assert next(iter(erase(target, "a", base=HERE))).rows == 1
        assert crm.run("SELECT * FROM accounts") == [("a", None, 2), ("B", 1.0, 1)]

    def test_bands_and_scores_are_read_back(self, crm):
        deliver(crm, MONDAY, {}, {"churn_band": "high"})
        deliver(crm, TUESDAY, {"churn_band": "medium", "p_churn": 0.5}, {"churn_band": "high"})
        place = Place(crm.url, "customer_scores", "customer_scores_history", HERE)
        assert [found.as_of for found in place.deliveries()] == [MONDAY, TUESDAY]
        bands = place.bands_before(WEDNESDAY).to_pydict()
        assert dict(zip(bands["customer_id"], bands["churn_band"], strict=True)) == {
            "a": "medium",
            "b": "high",
        }
        assert set(place.bands_before(TUESDAY)["churn_band"].to_pylist()) == {"low", "high"}
        assert place.bands_before(MONDAY).num_rows == 0
        assert sorted(pa.Table.from_batches(place.scores(TUESDAY))["p_churn"].to_pylist()) == [
            0.25,
            0.5,
        ]


class TestAsStateDatabase:
    def test_a_checkup_leaves_nothing_behind(self, crm):
        given = {"name": "shop", "data": {"transactions": {"source": "cdnow"}}}
        settings = settings_from(given | {"state": {"url": crm.url}}, base=crm.base)
        for _ in range(2):
            [check] = state(settings)
            assert (check.state, crm.tables()) == ("ok", [])


class TestReading:
    def test_gives_values_and_nulls_of_tables_and_views(self, crm):
        crm.run(
            "CREATE TABLE orders (customer VARCHAR(20) CHARACTER SET utf8mb4,"
            " amount DECIMAL(12,2), day DATE, at TIMESTAMP(6) NULL, note TEXT)",
            "SET time_zone = '+02:00'",
            "INSERT INTO orders VALUES ('100% 🚀', 1.25, '2024-03-01', '2024-03-01 01:30', NULL)",
            "CREATE VIEW `We:ird %` AS SELECT customer FROM orders",
        )
        assert read_table(crm.url, "orders", base=HERE).to_pylist() == [
            {
                "customer": "100% 🚀",
                "amount": Decimal("1.25"),
                "day": date(2024, 3, 1),
                "at": datetime(2024, 2, 29, 23, 30, tzinfo=UTC).replace(tzinfo=None),
                "note": None,
            }
        ]
        assert read_table(crm.url, f"{crm.name}.We:ird %", base=HERE).num_rows == 1

    def test_a_query_is_taken_literally_and_changes_nothing(self, crm):
        crm.run("CREATE TABLE orders (customer TEXT)", "INSERT INTO orders VALUES ('100% 1')")
        query = "SELECT ':x %s ?' AS `a:b%` FROM orders WHERE customer LIKE '100% 1' -- :y"
        assert read_query(crm.url, query, base=HERE).to_pylist() == [{"a:b%": ":x %s ?"}]
        with pytest.raises(ConfigError, match="gives no rows"):
            read_query(crm.url, "DELETE FROM orders", base=HERE)
        assert crm.run("SELECT COUNT(*) FROM orders") == [(1,)]

    @pytest.mark.parametrize(
        "query", ["SELECT spend FROM orders", "SELEC 1 -- orders", "SELECT 1 FROM x -- orders"]
    )
    def test_a_wrong_query_lists_what_is_there(self, crm, query):
        crm.run("CREATE TABLE orders (customer TEXT, amount DOUBLE)")
        with pytest.raises(ConfigError, match=r"cannot be run.*orders \(customer, amount\)"):
            read_query(crm.url, query, base=HERE)

    def test_a_missing_table_names_the_nearest(self, crm):
        crm.run("CREATE TABLE orders (customer TEXT)")
        with pytest.raises(ConfigError, match="mean 'orders'"):
            read_table(crm.url, "order", base=HERE)

    def test_a_duplicate_outside_of_a_delivery_is_a_data_error(self, crm):
        crm.run("CREATE TABLE one (x INT PRIMARY KEY)")
        with (
            pytest.raises(DataError, match="refuses a row"),
            writing(crm.url, base=HERE) as database,
        ):
            database.run("INSERT INTO one VALUES (1), (1)")

    def test_a_server_that_goes_away_is_unavailable(self, crm):
        def ended() -> None:
            with writing(crm.url, base=HERE) as database:
                [[number]] = database.ask("SELECT CONNECTION_ID()")
                crm.run(f"KILL {number}")
                database.ask("SELECT 1")

        with pytest.raises(ServiceUnavailableError, match="does not answer"):
            ended()


def deliver_day(url: str, day: int) -> Receipt:
    """Deliver many rows whose every figure depends on the day."""
    as_of = date(2024, 3, day)
    changes = [
        {"customer_id": f"c{number:06}", "ltv": float(number + day)} for number in range(MANY)
    ]
    given = rows(as_of, *changes, run_id=f"r{day}")
    run = run_of(as_of, f"r{day}")
    return deliver_sql(given, url=url, table="customer_scores", base=HERE, run=run)
