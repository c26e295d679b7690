"""Figures into a table that the CRM has, with its own names, types, rules and rows."""

import uuid

import pytest
from tests.crm import (
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    Crm,
    accounts,
    deliver,
    deliver_to,
    rows,
    run_of,
    sqlite_crm,
)

from portfolio_ml.config import SqlTarget
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.sinks.sql import rehearse

pytestmark = pytest.mark.integration

RISK = {"p_churn": "risk"}
TABLE = "CREATE TABLE accounts (id varchar(20) PRIMARY KEY, risk numeric(5, 4), owner text)"


def with_accounts(crm: Crm, *ids: str, table: str = TABLE) -> Crm:
    """The CRM with its table, and a row of each of these customers."""
    crm.change(table)
    for each in ids:
        crm.change(f"INSERT INTO accounts (id) VALUES ('{each}')")
    return crm


def risks(crm: Crm) -> list[tuple[object, ...]]:
    return [
        (str(c), None if r is None else float(r))
        for c, r in crm.ask("SELECT id, risk FROM accounts ORDER BY id")
    ]


class TestUpdating:
    def test_writes_only_to_customers_that_are_there_and_counts_the_others(self, crm):
        with_accounts(crm, "a", "c")
        receipt = deliver_to(crm, accounts(crm, RISK), MONDAY, {}, {}, {})
        assert (receipt.mode, receipt.sent, receipt.absent, receipt.rows) == ("update", 2, 1, 3)
        assert risks(crm) == [("a", 0.25), ("c", 0.25)]

    def test_leaves_other_columns_and_rows_alone(self, crm):
        with_accounts(crm, "a", "z")
        crm.change("UPDATE accounts SET owner = 'Eva'")
        deliver_to(crm, accounts(crm, RISK), MONDAY, {})
        assert crm.ask("SELECT id, owner FROM accounts ORDER BY id") == [("a", "Eva"), ("z", "Eva")]
        assert risks(crm) == [("a", 0.25), ("z", None)]

    def test_keeps_its_history_beside_the_table(self, crm):
        with_accounts(crm, "a")
        deliver_to(crm, accounts(crm, RISK), MONDAY, {}, {})
        deliver_to(crm, accounts(crm, RISK), TUESDAY, {"p_churn": 0.5})
        assert crm.ask(
            "SELECT customer_id, as_of, p_churn FROM portfolio_accounts_history ORDER BY 2"
        ) == [("a", "2024-03-04", 0.25), ("a", "2024-03-05", 0.5)]

    def test_again_writes_nothing_though_the_column_keeps_fewer_digits(self, crm):
        with_accounts(crm, "a")
        change = {"p_churn": 0.123456}
        assert deliver_to(crm, accounts(crm, RISK), MONDAY, change).sent == 1
        receipt = deliver_to(crm, accounts(crm, RISK), TUESDAY, change)
        assert (receipt.sent, receipt.unchanged) == (0, 1)

    def test_late_goes_into_the_history_only(self, crm):
        with_accounts(crm, "a")
        deliver_to(crm, accounts(crm, RISK), TUESDAY, {})
        receipt = deliver_to(crm, accounts(crm, RISK), MONDAY, {"p_churn": 0.9})
        assert (receipt.status, receipt.sent) == ("history_only", 1)
        assert risks(crm) == [("a", 0.25)]
        assert crm.ask("SELECT as_of, p_churn FROM portfolio_accounts_history ORDER BY 1") == [
            ("2024-03-04", 0.9),
            ("2024-03-05", 0.25),
        ]

    def test_can_be_rehearsed(self, crm):
        with_accounts(crm, "a", "b")
        deliver_to(crm, accounts(crm, RISK), MONDAY, {}, {})
        before = crm.state()
        given = rows(TUESDAY, {"p_churn": 0.5}, {})
        receipt, [change] = rehearse(given, accounts(crm, RISK), base=crm.base, run=run_of(TUESDAY))
        assert (receipt.sent, receipt.unchanged) == (1, 1)
        assert (change.customer_id, change.is_new, list(change.figures)) == ("a", False, ["risk"])
        assert crm.state() == before

    def test_can_be_rehearsed_where_a_value_does_not_fit(self, crm):
        with_accounts(crm, "a", "b", table=TABLE.replace("5, 4", "5, 4) CHECK (risk < 1"))
        given = rows(MONDAY, {"p_churn": 7e9}, {})
        receipt, changes = rehearse(given, accounts(crm, RISK), base=crm.base, run=run_of(MONDAY))
        assert (receipt.sent, receipt.rejected) == (1, 1)
        assert "b" in [change.customer_id for change in changes]


class TestUpserting:
    def test_adds_customers_that_are_missing(self, crm):
        with_accounts(crm, "a")
        receipt = deliver_to(crm, accounts(crm, RISK, mode="upsert"), MONDAY, {}, {})
        assert (receipt.mode, receipt.sent, receipt.absent) == ("upsert", 2, 0)
        assert risks(crm) == [("a", 0.25), ("b", 0.25)]
        again = deliver_to(crm, accounts(crm, RISK, mode="upsert"), TUESDAY, {}, {})
        assert (again.sent, again.unchanged) == (0, 2)

    def test_rejects_a_row_that_lacks_what_the_table_demands(self, crm):
        with_accounts(crm, table=TABLE.replace("owner text", "owner text NOT NULL"))
        crm.change("INSERT INTO accounts VALUES ('a', NULL, 'Eva')")
        receipt = deliver_to(crm, accounts(crm, RISK, mode="upsert"), MONDAY, {}, {})
        assert (receipt.sent, receipt.rejected) == (1, 1)
        assert risks(crm) == [("a", 0.25)]


class TestKeys:
    @pytest.mark.parametrize(
        ("kind", "ids"),
        [
            ("integer", ["7", "12"]),
            ("bigint", ["7", "-12"]),
            ("char(8)", ["ab", "c d"]),
            ("varchar(8)", ["ab", "c d"]),
            ("text", ["ab", ""]),
        ],
    )
    @pytest.mark.parametrize("mode", ["update", "upsert"])
    def test_of_any_type_are_compared_as_text(self, crm, kind, ids, mode):
        crm.change(f"CREATE TABLE accounts (id {kind} PRIMARY KEY, risk real)")
        crm.change(f"INSERT INTO accounts (id) VALUES ('{ids[0]}')")
        target = accounts(crm, RISK, mode=mode)
        changes = [{"customer_id": each} for each in ids]
        receipt = deliver_to(crm, target, MONDAY, *changes)
        expected = (2, 0) if mode == "upsert" else (1, 1)
        assert (receipt.sent, receipt.absent) == expected
        assert deliver_to(crm, target, TUESDAY, *changes).sent == 0

    def test_of_numbers_do_not_fit_texts_that_only_look_like_them(self, crm):
        crm.change("CREATE TABLE accounts (id integer PRIMARY KEY, risk real)")
        crm.change("INSERT INTO accounts (id) VALUES (7)")
        changes = [{"customer_id": each} for each in ("007", "7.0", "a7", "7 ")]
        receipt = deliver_to(crm, accounts(crm, RISK), MONDAY, *changes)
        assert (receipt.sent, receipt.absent) == (0, 4)

    def test_that_are_uuids_are_compared_as_text(self, postgresql):
        first, second = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
        with_accounts(postgresql, first, table="CREATE TABLE accounts (id uuid, risk real)")
        target = accounts(postgresql, RISK, mode="upsert")
        changes = [{"customer_id": first}, {"customer_id": second}, {"customer_id": "none"}]
        receipt = deliver_to(postgresql, target, MONDAY, *changes)
        assert (receipt.sent, receipt.rejected) == (2, 1)
        assert deliver_to(postgresql, target, TUESDAY, *changes[:2]).sent == 0

    def test_that_are_there_twice_are_refused(self, crm):
        with_accounts(crm, "a", "a", table=TABLE.replace(" PRIMARY KEY", ""))
        with pytest.raises(ConfigError, match="Two rows of the CRM's table 'accounts' have the"):
            deliver_to(crm, accounts(crm, RISK), MONDAY, {})

    def test_that_are_null_are_nobodys(self, crm):
        with_accounts(crm, "a", table=TABLE.replace(" PRIMARY KEY", ""))
        crm.change("INSERT INTO accounts VALUES (NULL, NULL, NULL), (NULL, NULL, NULL)")
        receipt = deliver_to(crm, accounts(crm, RISK), MONDAY, {}, {})
        assert (receipt.sent, receipt.absent) == (1, 1)


class TestTypes:
    @pytest.mark.parametrize(
        ("figure", "kind", "values"),
        [
            ("p_churn", "real", [0.1, 0.123456]),
            ("p_churn", "double precision", [0.1, 0.123456]),
            ("p_churn", "numeric(5, 4)", [0.12345, 0.99999]),
            ("p_churn", "varchar(20)", [0.1, 1e-6]),
            ("ltv", "bigint", [120.0, 7.0]),
            ("ltv", "text", [120.0, 123456789.12]),
            ("rfm_r", "text", [1, 5]),
            ("rfm_r", "double precision", [1, 5]),
            ("is_active", "boolean", [True, False]),
            ("is_active", "text", [True, False]),
            ("expected_next_order_date", "date", [MONDAY, TUESDAY]),
            ("expected_next_order_date", "timestamp", [MONDAY, TUESDAY]),
            ("expected_next_order_date", "varchar(10)", [MONDAY, TUESDAY]),
            ("scored_at", "timestamp", []),
            ("scored_at", "text", []),
            ("as_of", "text", []),
            ("segment_name", "char(8)", ["a b", "a"]),
            ("segment_name", "varchar(8)", ["a b", "a"]),
        ],
    )
    def test_that_hold_a_figure_get_it_once(self, crm, figure, kind, values):
        crm.change(f"CREATE TABLE accounts (id text PRIMARY KEY, figure {kind})")
        crm.change("INSERT INTO accounts (id) VALUES ('a'), ('b')")
        changes = [{figure: value} for value in values] or [{}, {}]
        target = accounts(crm, {figure: "figure"})
        assert deliver_to(crm, target, MONDAY, *changes).sent == 2
        assert deliver_to(crm, target, MONDAY, *changes).sent == 0
        assert crm.ask("SELECT COUNT(figure) FROM accounts") == [(2,)]

    def test_without_booleans_are_integers(self, tmp_path):
        crm = sqlite_crm(tmp_path)
        crm.change("CREATE TABLE accounts (id text PRIMARY KEY, active integer)")
        crm.change("INSERT INTO accounts (id) VALUES ('a'), ('b')")
        target = accounts(crm, {"is_active": "active"})
        changes = [{"is_active": True}, {"is_active": False}]
        assert deliver_to(crm, target, MONDAY, *changes).sent == 2
        assert deliver_to(crm, target, TUESDAY, *changes).sent == 0
        assert crm.ask("SELECT active FROM accounts ORDER BY id") == [(1,), (0,)]

    def test_that_cut_a_text_reject_its_row(self, postgresql):
        postgresql.change(
            "CREATE DOMAIN short AS varchar(4);"
            "CREATE DOMAIN shorter AS short CHECK (value <> 'b');"
            "CREATE TABLE accounts (id text PRIMARY KEY, a varchar(4), b shorter);"
            "INSERT INTO accounts (id) VALUES ('a'), ('b'), ('c')"
        )
        for column in ("a", "b"):
            target = accounts(postgresql, {"segment_name": column})
            names = [{"segment_name": name} for name in ("long name", "good", "ok")]
            receipt = deliver_to(postgresql, target, MONDAY, *names)
            assert (receipt.sent, receipt.rejected) == (2, 1)
            found = postgresql.ask(f"SELECT {column} FROM accounts ORDER BY id")
            assert found == [(None,), ("good",), ("ok",)]

    def test_that_are_enums_or_domains_take_what_they_know(self, postgresql):
        postgresql.change(
            "CREATE TYPE tier AS ENUM ('A', 'B'); CREATE DOMAIN share AS numeric(4, 2)"
            " CHECK (value < 1);"
            "CREATE TABLE accounts (id text PRIMARY KEY, tier tier, risk share);"
            "INSERT INTO accounts (id) VALUES ('a'), ('b'), ('c')"
        )
        target = accounts(postgresql, {"value_tier": "tier", "p_churn": "risk"})
        changes = [{}, {"value_tier": "Z"}, {"p_churn": 0.999}]
        receipt = deliver_to(postgresql, target, MONDAY, *changes)
        assert (receipt.sent, receipt.rejected) == (1, 2)
        assert deliver_to(postgresql, target, TUESDAY, *changes).sent == 0

    @pytest.mark.parametrize("kind", ["bytea", "integer[]", "json", "point", "interval"])
    def test_that_cannot_hold_a_figure_are_refused(self, postgresql, kind):
        postgresql.change(f"CREATE TABLE accounts (id text PRIMARY KEY, risk {kind})")
        with pytest.raises(ConfigError, match="cannot hold"):
            deliver_to(postgresql, accounts(postgresql, RISK), MONDAY, {})

    def test_of_computed_columns_are_refused(self, postgresql):
        postgresql.change(
            "CREATE TABLE accounts (id text PRIMARY KEY, risk real GENERATED ALWAYS AS (1) STORED);"
            "INSERT INTO accounts VALUES ('a')"
        )
        with pytest.raises(ConfigError, match="computed by the database"):
            deliver_to(postgresql, accounts(postgresql, RISK), MONDAY, {})


class TestTablesThatDoNotFit:
    def test_are_told_column_by_column(self, crm):
        crm.change("CREATE TABLE accounts (ident text, rsk numeric, born date)")
        target = accounts(crm, {"p_churn": "risk", "ltv": "born", "value_tier": "tier"})
        with pytest.raises(ConfigError) as caught:
            deliver_to(crm, target, MONDAY, {})
        message = str(caught.value)
        assert "'id' is missing" in message
        assert "'risk' is missing (did you mean 'rsk'?)" in message
        assert "'tier' is missing" in message
        assert "cannot hold ltv" in message
        assert "its columns are 'ident', 'rsk', 'born'" in message.replace("Its", "its")

    def test_a_missing_one_names_those_there(self, crm):
        crm.change("CREATE TABLE account (id text)")
        with pytest.raises(ConfigError, match=r"'accounts' is missing.*Did you mean 'account'"):
            deliver_to(crm, accounts(crm, RISK), MONDAY, {})
        assert crm.tables() in (["account"], ["public.account"])

    def test_a_missing_schema_is_a_config_error(self, postgresql):
        with pytest.raises(ConfigError, match=r"schema is missing.*\"sales\" does not exist"):
            deliver(postgresql, MONDAY, {}, table="sales.scores")
        with pytest.raises(ConfigError, match="is missing"):
            deliver_to(postgresql, accounts(postgresql, RISK, table="sales.x"), MONDAY, {})

    @pytest.mark.parametrize("name", ["sales.", ".", "a\0b", "sales.portfolio_rejected"])
    def test_a_name_that_cannot_be_is_a_config_error(self, postgresql, name):
        with pytest.raises(ConfigError, match="cannot have this name"):
            deliver(postgresql, MONDAY, {}, table=name)

    def test_a_view_that_cannot_be_written_is_a_config_error(self, crm):
        with_accounts(crm, "a")
        crm.change("CREATE VIEW large AS SELECT DISTINCT id, risk FROM accounts")
        with pytest.raises(ConfigError, match="cannot be written"):
            deliver_to(crm, accounts(crm, RISK, table="large"), MONDAY, {})


class TestTablesOfOtherKinds:
    def test_a_view_that_can_be_written_is_written(self, postgresql):
        with_accounts(postgresql, "a", "b")
        postgresql.change(
            "CREATE VIEW large AS SELECT id, risk FROM accounts WHERE risk < 0.5 OR risk IS NULL"
            " WITH CHECK OPTION"
        )
        target = accounts(postgresql, RISK, table="large")
        receipt = deliver_to(postgresql, target, MONDAY, {}, {"p_churn": 0.75})
        assert (receipt.sent, receipt.rejected) == (1, 1)
        assert risks(postgresql) == [("a", 0.25), ("b", None)]

    def test_a_view_with_a_trigger_of_its_own_is_written(self, tmp_path, crm):
        if crm.is_postgresql:
            pytest.skip("PostgreSQL writes such a view without a trigger")
        with_accounts(crm, "a")
        crm.change(
            "CREATE VIEW large AS SELECT id, risk FROM accounts;"
            "CREATE TRIGGER t INSTEAD OF UPDATE ON large BEGIN"
            " UPDATE accounts SET risk = NEW.risk WHERE id = NEW.id; END"
        )
        assert deliver_to(crm, accounts(crm, RISK, table="large"), MONDAY, {}).rejected == 0
        assert risks(crm) == [("a", 0.25)]

    def test_rows_of_a_partitioned_table_move_to_their_partition(self, postgresql):
        postgresql.change(
            "CREATE TABLE accounts (id text, risk numeric(5, 4)) PARTITION BY RANGE (risk);"
            "CREATE TABLE low PARTITION OF accounts FOR VALUES FROM (0) TO (0.5);"
            "CREATE TABLE high PARTITION OF accounts FOR VALUES FROM (0.5) TO (2);"
            "INSERT INTO accounts VALUES ('a', 0.1), ('b', 0.9)"
        )
        target = accounts(postgresql, RISK)
        receipt = deliver_to(postgresql, target, MONDAY, {"p_churn": 0.75}, {"p_churn": 5.0})
        assert (receipt.sent, receipt.rejected) == (1, 1)
        assert postgresql.ask("SELECT id FROM high ORDER BY 1") == [("a",), ("b",)]

    def test_a_table_in_another_schema_keeps_the_ledger_beside_it(self, postgresql):
        postgresql.change("CREATE SCHEMA sales")
        deliver(postgresql, MONDAY, {}, table="sales.scores")
        postgresql.change("CREATE TABLE sales.accounts (id text PRIMARY KEY, risk real)")
        deliver_to(postgresql, accounts(postgresql, RISK, table="sales.accounts"), MONDAY, {})
        assert postgresql.tables() == [
            "sales.accounts",
            "sales.portfolio_accounts_history",
            "sales.portfolio_rejects",
            "sales.portfolio_runs",
            "sales.portfolio_tables",
            "sales.scores",
            "sales.scores_history",
        ]
        assert deliver(postgresql, TUESDAY, {}, table="sales.scores").sent == 0

    def test_a_table_created_elsewhere_on_the_search_path_is_not_ours(self, postgresql):
        postgresql.change("CREATE SCHEMA sales")
        options = "&options=-c%20search_path%3Dsales,public"
        deliver(postgresql, MONDAY, {}, url=postgresql.url + options)
        assert postgresql.tables()[0] == "sales.customer_scores"


class TestRulesOfTheTable:
    def test_a_trigger_that_raises_rejects_its_row(self, postgresql):
        with_accounts(postgresql, "a", "b", "c")
        postgresql.change(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.id = 'b' THEN RAISE EXCEPTION 'not b'; END IF;"
            " IF NEW.id = 'c' THEN RAISE EXCEPTION 'not c' USING ERRCODE = '45000'; END IF;"
            " RETURN NEW; END $$;"
            "CREATE TRIGGER refuses BEFORE UPDATE ON accounts FOR EACH ROW"
            " EXECUTE FUNCTION refuse()"
        )
        receipt = deliver_to(postgresql, accounts(postgresql, RISK), MONDAY, {}, {}, {})
        assert (receipt.sent, receipt.rejected) == (1, 2)
        assert postgresql.ask("SELECT customer_id, reason FROM portfolio_rejects ORDER BY 1") == [
            ("b", "not b"),
            ("c", "not c"),
        ]

    def test_a_rule_that_waits_for_the_commit_speaks_at_once(self, postgresql):
        postgresql.change(
            "CREATE TABLE tiers (tier text PRIMARY KEY); INSERT INTO tiers VALUES ('A');"
            "CREATE TABLE accounts (id text PRIMARY KEY, tier text REFERENCES tiers"
            " DEFERRABLE INITIALLY DEFERRED); INSERT INTO accounts VALUES ('a'), ('b')"
        )
        target = accounts(postgresql, {"value_tier": "tier"})
        receipt = deliver_to(postgresql, target, MONDAY, {}, {"value_tier": "Z"})
        assert (receipt.sent, receipt.rejected) == (1, 1)

    def test_a_trigger_of_sqlite_that_ends_the_transaction_is_told(self, crm):
        if crm.is_postgresql:
            pytest.skip("no trigger of PostgreSQL ends the transaction")
        with_accounts(crm, "a", "b")
        crm.change(
            "CREATE TRIGGER t BEFORE UPDATE ON accounts WHEN NEW.id = 'b' BEGIN"
            " SELECT RAISE(ROLLBACK, 'never b'); END"
        )
        before = crm.state()
        with pytest.raises(DataError, match="constraint refuses a row"):
            deliver_to(crm, accounts(crm, RISK), MONDAY, {}, {})
        assert crm.state() == before

    def test_a_customer_who_is_deleted_meanwhile_does_not_come_back(self, postgresql):
        """The CRM's own trigger deletes b while a is written, as another session might."""
        with_accounts(postgresql, "a", "b")
        postgresql.change(
            "CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " DELETE FROM accounts WHERE id = 'b'; RETURN NULL; END $$;"
            "CREATE TRIGGER drops AFTER UPDATE ON accounts FOR EACH STATEMENT"
            " EXECUTE FUNCTION drops()"
        )
        deliver_to(postgresql, accounts(postgresql, RISK), MONDAY, {}, {})
        assert risks(postgresql) == [("a", 0.25)]


def test_hostile_names_of_the_crms_own_columns_and_values_arrive(crm):
    names = ['a"b', "100%", "a:b", "q?", "back\\slash", "semi;--", "naïve", "🙂", "%s", "select"]
    for number, name in enumerate(names):
        quoted = '"' + name.replace('"', '""') + '"'
        table = f"t{number} {name}"
        in_sql = '"' + table.replace('"', '""') + '"'
        crm.change(f'CREATE TABLE {in_sql} ({quoted} text PRIMARY KEY, {quoted[:-1]}2" text)')
        escaped = name.replace("'", "''")
        crm.change(f"INSERT INTO {in_sql} ({quoted}) VALUES ('{escaped}')")
        target = SqlTarget(
            kind="sql", url=crm.url, table=table, key=name, columns={"segment_name": f"{name}2"}
        )
        change = {"customer_id": name, "segment_name": f"{name}'{name}"}
        assert deliver_to(crm, target, MONDAY, change).sent == 1
        assert deliver_to(crm, target, WEDNESDAY, change).sent == 0
        assert crm.ask(f"SELECT * FROM {in_sql}") == [(name, f"{name}'{name}")]
