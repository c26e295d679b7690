"""What is done to delivered tables beside delivering: migrated, erased, retired, looked back at."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.crm import (
    MONDAY,
    NOW,
    TUESDAY,
    WEDNESDAY,
    Crm,
    accounts,
    deliver,
    deliver_to,
    rows,
    sqlite_crm,
)
from tests.poisoned import settings_of

from portfolio_ml import upkeep
from portfolio_ml.config import settings_from
from portfolio_ml.databases import writing
from portfolio_ml.delivering import bands_before
from portfolio_ml.errors import ConfigError, DataError, ServiceUnavailableError
from portfolio_ml.sinks.migration import lacking
from portfolio_ml.sinks.past_sql import places
from portfolio_ml.sinks.receipts import SCHEMA_VERSION
from portfolio_ml.sinks.suppression import SUPPRESSED, suppress, suppression

pytestmark = pytest.mark.integration

SINCE_2 = {
    "customer_scores": ["churn_band", "missed_cycles", "churn_reasons", "rfm_segment"],
    "customer_scores_history": ["churn_band", "missed_cycles", "churn_reasons", "rfm_segment"],
    "portfolio_runs": ["absent", "suppressed", "pending", "retired"],
}


def now():
    return NOW


def as_version_1(crm: Crm) -> None:
    """Bring the tables back to the shape that version 1 wrote."""
    for table, columns in SINCE_2.items():
        for column in columns:
            crm.change(f"ALTER TABLE {table} DROP COLUMN {column}")
    crm.change("UPDATE portfolio_tables SET schema_version = 1")


class TestMigration:
    def test_adds_what_version_1_lacks_and_the_next_delivery_fills_it(self, crm):
        deliver(crm, MONDAY, {}, {})
        as_version_1(crm)
        before = crm.ask("SELECT customer_id, as_of, ltv FROM customer_scores ORDER BY 1")
        with pytest.raises(ConfigError, match=r"an older version.*portfolio-ml migrate"):
            deliver(crm, TUESDAY, {}, {})
        [target] = settings_of(crm).delivery
        told = lacking(target, base=crm.base)
        [(_, added)] = upkeep.migrate(settings_of(crm)).items()
        expected = {f"{table}.{column}" for table, names in SINCE_2.items() for column in names}
        assert set(added) == set(told) == expected
        assert lacking(target, base=crm.base) == ()
        assert crm.ask("SELECT customer_id, as_of, ltv FROM customer_scores ORDER BY 1") == before
        assert crm.ask("SELECT DISTINCT schema_version FROM portfolio_tables") == [
            (SCHEMA_VERSION,)
        ]
        assert deliver(crm, TUESDAY, {}, {}).sent == 2
        assert deliver(crm, WEDNESDAY, {}, {}).sent == 0
        found = crm.ask("SELECT churn_band, missed_cycles, rfm_segment FROM customer_scores")
        assert found == [("low", 0, "loyal")] * 2

    def test_adds_a_date_that_may_not_be_null(self, crm):
        deliver(crm, MONDAY, {})
        lost = {"portfolio_runs": "started_at", "portfolio_tables": "newest_as_of"}
        for table, column in lost.items():
            crm.change(f"ALTER TABLE {table} DROP COLUMN {column}")
        [(_, added)] = upkeep.migrate(settings_of(crm)).items()
        assert set(added) == {f"{table}.{column}" for table, column in lost.items()}
        assert deliver(crm, TUESDAY, {"ltv": 7.0}).sent == 1
        assert crm.ask("SELECT newest_as_of FROM portfolio_tables") == [(str(TUESDAY),)]

    def test_again_adds_nothing(self, crm):
        deliver(crm, MONDAY, {})
        as_version_1(crm)
        upkeep.migrate(settings_of(crm))
        before = crm.state()
        assert upkeep.migrate(settings_of(crm)) == {}
        assert crm.state() == before

    def test_of_a_database_without_tables_does_nothing(self, crm):
        assert upkeep.migrate(settings_of(crm)) == {}
        assert lacking(settings_of(crm).delivery[0], base=crm.base) == ()
        assert not list(crm.base.iterdir())

    def test_of_a_newer_version_is_refused(self, crm):
        deliver(crm, MONDAY, {})
        crm.change("UPDATE portfolio_tables SET schema_version = 9")
        with pytest.raises(ConfigError, match="newer version"):
            upkeep.migrate(settings_of(crm))

    def test_of_two_targets_in_one_database_migrates_both(self, crm):
        deliver(crm, MONDAY, {})
        crm.change("CREATE TABLE accounts (id text PRIMARY KEY, risk real)")
        target = accounts(crm, {"p_churn": "risk"}, mode="upsert")
        deliver_to(crm, target, MONDAY, {})
        as_version_1(crm)
        for column in SINCE_2["customer_scores"]:
            crm.change(f"ALTER TABLE portfolio_accounts_history DROP COLUMN {column}")
        own = settings_of(crm).delivery[0]
        upkeep.migrate(settings_of(crm, target, own))
        assert deliver_to(crm, target, TUESDAY, {}).rejected == 0
        assert deliver(crm, TUESDAY, {}).sent == 1

    def test_of_two_databases_with_tables_of_one_name_tells_what_it_added(self, tmp_path):
        targets = []
        for place in ("old", "new"):
            (tmp_path / place).mkdir()
            crm = sqlite_crm(tmp_path / place)
            deliver(crm, MONDAY, {})
            if place == "old":
                as_version_1(crm)
            [target] = settings_of(crm).delivery
            url = f"sqlite:///{tmp_path / place / 'crm.db'}"
            targets.append(target.model_copy(update={"url": url}))
        [(_, added)] = upkeep.migrate(settings_of(sqlite_crm(tmp_path), *targets)).items()
        assert "customer_scores.churn_band" in added

    def test_finds_the_tables_of_another_schema(self, postgresql):
        postgresql.change("CREATE SCHEMA sales")
        deliver(postgresql, MONDAY, {}, table="sales.scores")
        postgresql.change("ALTER TABLE sales.scores DROP COLUMN churn_band")
        postgresql.change("UPDATE sales.portfolio_tables SET schema_version = 1")
        [target] = settings_of(postgresql).delivery
        settings = settings_of(postgresql, target.model_copy(update={"table": "sales.scores"}))
        [(_, added)] = upkeep.migrate(settings).items()
        assert added == ("sales.scores.churn_band",)

    def test_keeps_what_is_there_beside(self, crm):
        deliver(crm, MONDAY, {})
        as_version_1(crm)
        crm.change("ALTER TABLE customer_scores ADD COLUMN note text")
        upkeep.migrate(settings_of(crm))
        assert "note" in {column.name for column in crm.columns("customer_scores")}
        with pytest.raises(ConfigError, match="note is not known"):
            deliver(crm, TUESDAY, {})


class TestErasing:
    def test_removes_a_customer_from_every_table(self, crm):
        deliver(crm, MONDAY, {}, {}, {"customer_id": "c", "ltv": None})
        deliver(crm, TUESDAY, {"ltv": 1.0}, {})
        crm.change("CREATE TABLE accounts (id text PRIMARY KEY, risk real, name text NOT NULL)")
        crm.change("INSERT INTO accounts VALUES ('a', NULL, 'Ann'), ('b', NULL, 'Bea')")
        target = accounts(crm, {"p_churn": "risk", "segment_name": "name"})
        deliver_to(crm, target, MONDAY, {}, {})
        own = settings_of(crm).delivery[0]
        done, is_new = upkeep.erase(settings_of(crm, own, target), "a", now=now)
        assert is_new
        assert [each.rows for each in done[:3]] == [1, 2, 0]
        assert crm.ask("SELECT id, risk FROM accounts ORDER BY 1") == [("a", None), ("b", 0.25)]
        for table in ("customer_scores", "customer_scores_history", "portfolio_accounts_history"):
            assert crm.ask(f"SELECT 1 FROM {table} WHERE customer_id = 'a'") == []
            assert crm.ask(f"SELECT 1 FROM {table} WHERE customer_id = 'b'") == [(1,)]
        again, is_new = upkeep.erase(settings_of(crm, own, target), "a", now=now)
        assert not is_new
        assert not any(each.rows for each in again)
        upkeep.erase(settings_of(crm, own, target), "c", now=now)
        assert crm.ask("SELECT * FROM portfolio_rejects") == []

    def test_goes_on_where_a_target_cannot_be_reached(self, crm):
        deliver(crm, MONDAY, {}, {})
        [own] = settings_of(crm).delivery
        gone = own.model_copy(update={"url": "postgresql://nobody@127.0.0.1:1/gone"})
        with pytest.raises(ServiceUnavailableError):
            upkeep.erase(settings_of(crm, gone, own), "a", now=now)
        assert crm.ask("SELECT customer_id FROM customer_scores") == [("b",)]

    @pytest.mark.parametrize("customer", ["bob", "bjørn"])
    def test_says_so_where_the_database_keeps_a_row(self, crm, customer):
        deliver(crm, MONDAY, {"customer_id": customer})
        crm.change("CREATE TABLE calls (who text REFERENCES customer_scores)")
        crm.change(f"INSERT INTO calls VALUES ('{customer}')")
        crm.change(guarded(crm))
        with pytest.raises(DataError, match="refuses a row") as caught:
            upkeep.erase(settings_of(crm), customer, now=now)
        assert customer not in str(caught.value)
        assert crm.ask("SELECT customer_id FROM customer_scores") == [(customer,)]

    def test_takes_what_killed_workers_had_brought(self, postgresql):
        deliver(postgresql, MONDAY, {})
        postgresql.change("CREATE TABLE portfolio_staging_dead AS SELECT * FROM customer_scores")
        postgresql.change("CREATE TABLE portfolio_staging_live AS SELECT * FROM customer_scores")
        with writing(postgresql.url, base=postgresql.base) as another:
            another.lock("portfolio-ml portfolio_staging_live")
            upkeep.erase(settings_of(postgresql), "a", now=now)
        there = [name for name in postgresql.tables() if "staging" in name]
        assert there == ["public.portfolio_staging_live"]

    def test_keeps_a_customer_out_of_all_runs_to_come(self, crm):
        settings = settings_of(crm)
        upkeep.erase(settings, "a", now=now)
        kept = suppression(settings).without(rows(MONDAY, {}, {}))
        assert kept["customer_id"].to_pylist() == ["b"]

    def test_in_a_state_database_on_a_server_too(self, postgresql):
        settings = with_state(postgresql, key="k1")
        assert suppress(settings, "a", now=NOW)
        assert not suppress(settings, "a", now=NOW)
        assert suppression(settings).without(rows(MONDAY, {}, {})).num_rows == 1
        assert "a" not in {row[0] for row in postgresql.ask("SELECT * FROM portfolio_suppressed")}
        assert "k1" not in repr(suppression(settings))

    def test_of_two_at_once_one_draws_the_key_for_both(self, postgresql):
        settings = with_state(postgresql)
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"
        state = settings.state.url, settings.base
        with ThreadPoolExecutor(1) as pool:
            with writing(state[0], base=state[1]) as other:
                other.lock(SUPPRESSED.name)
                begun = pool.submit(suppress, settings, "a", now=NOW)
                while not postgresql.ask(waiting):
                    assert not begun.done()
            assert begun.result()

    def test_with_another_key_is_a_config_error(self, crm):
        suppress(with_state(crm, key="k1"), "a", now=NOW)
        before = crm.state()
        for use in (
            lambda: suppression(with_state(crm, key="k2")),
            lambda: suppress(with_state(crm, key="k2"), "b", now=NOW),
            lambda: suppression(with_state(crm)),
        ):
            with pytest.raises(ConfigError, match=r"key is another.*state\.key") as caught:
                use()
            assert caught.value.exit_code == 2
            assert "k2" not in str(caught.value)
        assert crm.state() == before

    @pytest.mark.parametrize("key", [None, "k1"])
    def test_without_the_key_is_a_config_error(self, crm, key):
        settings = with_state(crm, key=key)
        suppress(settings, "a", now=NOW)
        for loss in (
            "DELETE FROM portfolio_suppression_key",
            "DROP TABLE portfolio_suppression_key",
        ):
            crm.change(loss)
            before = crm.state()
            for use in (lambda: suppression(settings), lambda: suppress(settings, "b", now=NOW)):
                with pytest.raises(ConfigError, match=r"lost the key.*would come back"):
                    use()
            assert crm.state() == before

    def test_leaves_figures_that_the_crm_does_not_let_be_null(self, crm):
        crm.change("CREATE TABLE accounts (id text PRIMARY KEY, risk real NOT NULL)")
        target = accounts(crm, {"p_churn": "risk"}, mode="upsert")
        deliver_to(crm, target, MONDAY, {}, {})
        done, _ = upkeep.erase(settings_of(crm, target), "a", now=now)
        assert crm.ask("SELECT id, risk FROM accounts ORDER BY 1") == [("a", 0.25), ("b", 0.25)]
        assert done[0].rows == 0
        assert crm.ask("SELECT customer_id FROM portfolio_accounts_history") == [("b",)]


def guarded(crm: Crm) -> str:
    """What keeps the rows of others' calls on SQLite, which does not look at references."""
    if crm.is_postgresql:
        return "SELECT 1"
    return (
        "CREATE TRIGGER guard BEFORE DELETE ON customer_scores"
        " BEGIN SELECT RAISE(ABORT, 'called'); END"
    )


def with_state(crm: Crm, key: str | None = None):
    """A config that keeps its state in the CRM."""
    state = {"url": crm.url} | ({"key": key} if key else {})
    given = {
        "name": "shop",
        "data": {"transactions": {"source": "cdnow"}},
        "state": state,
        "delivery": [{"kind": "sql", "url": crm.url}],
    }
    return settings_from(given, base=crm.base)


class TestRetiring:
    def test_removes_the_current_row_and_keeps_the_history(self, crm):
        deliver(crm, MONDAY, {}, {}, {})
        receipt = deliver(crm, TUESDAY, {}, retired=frozenset({"b", "nobody"}))
        assert (receipt.retired, receipt.unchanged) == (1, 1)
        assert crm.ask("SELECT customer_id FROM customer_scores ORDER BY 1") == [("a",), ("c",)]
        assert len(crm.ask("SELECT * FROM customer_scores_history")) == 3
        assert crm.ask("SELECT retired FROM portfolio_runs ORDER BY as_of") == [(0,), (1,)]

    def test_late_removes_nobody(self, crm):
        deliver(crm, TUESDAY, {}, {})
        receipt = deliver(crm, MONDAY, {}, retired=frozenset({"b"}))
        assert (receipt.status, receipt.retired) == ("history_only", 0)
        assert len(crm.ask("SELECT * FROM customer_scores")) == 2


class TestLookingBack:
    def test_the_bands_before_a_date_are_those_of_the_newest_earlier_date(self, crm):
        settings = settings_of(crm)
        assert bands_before(settings)(MONDAY).num_rows == 0
        deliver(crm, MONDAY, {}, {"churn_band": "high"})
        deliver(crm, WEDNESDAY, {"churn_band": "medium"}, {"churn_band": "high"})
        deliver(crm, TUESDAY, {"churn_band": "high"})

        def bands(day):
            return dict(zip(*bands_before(settings)(day).to_pydict().values(), strict=True))

        assert bands(MONDAY) == {}
        assert bands(TUESDAY) == {"a": "low", "b": "high"}
        assert bands(WEDNESDAY) == {"a": "high", "b": "high"}
        [place] = places(settings)
        assert [each.as_of for each in place.deliveries()] == [MONDAY, TUESDAY, WEDNESDAY]
        assert sum(batch.num_rows for batch in place.scores(MONDAY)) == 2

    def test_in_another_schema_and_under_any_name(self, postgresql):
        postgresql.change('CREATE SCHEMA "Sa les"')
        table = 'Sa les.my "scores" %'
        deliver(postgresql, MONDAY, {}, table=table)
        [target] = settings_of(postgresql).delivery
        [place] = places(settings_of(postgresql, target.model_copy(update={"table": table})))
        assert place.bands_before(TUESDAY)["churn_band"].to_pylist() == ["low"]
        assert len(place.deliveries()) == 1
        assert replace(place, history="nothing").bands_before(TUESDAY).num_rows == 0

    def test_in_a_file_where_a_point_parts_no_schema_from_a_name(self, tmp_path):
        crm = sqlite_crm(tmp_path)
        deliver(crm, MONDAY, {}, table="sales.scores")
        [target] = settings_of(crm).delivery
        [place] = places(settings_of(crm, target.model_copy(update={"table": "sales.scores"})))
        assert [each.as_of for each in place.deliveries()] == [MONDAY]

    def test_beside_a_table_of_the_crms_own(self, crm):
        crm.change("CREATE TABLE accounts (id text PRIMARY KEY, risk real)")
        crm.change("INSERT INTO accounts VALUES ('a', NULL)")
        target = accounts(crm, {"p_churn": "risk"})
        deliver_to(crm, target, MONDAY, {}, {})
        [place] = places(settings_of(crm, target))
        assert place.bands_before(TUESDAY).to_pydict() == {
            "customer_id": ["a"],
            "churn_band": ["low"],
        }
