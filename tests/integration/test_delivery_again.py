"""What was delivered already is not written again."""

import math

import pytest
from tests.crm import (
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    accounts,
    deliver,
    deliver_to,
    many,
    postgresql_crm,
    run_of,
)

from portfolio_ml.sinks import order
from portfolio_ml.sinks.sql import deliver_sql

pytestmark = pytest.mark.integration

TABLES = ("customer_scores", "customer_scores_history", "portfolio_rejects")
NUMBERS = [-0.0, float("nan"), None, 1 / 3, 0.1 + 0.2, 5e-324, 1e15 + 0.3, 1e22, 123456.785]


def figures(as_of):
    """Rows with every number that could come back otherwise."""
    changes = []
    for number, value in enumerate(NUMBERS):
        ltv = 0.0 if value is None or math.isnan(value) else value
        changes.append({"customer_id": f"n{number}", "p_churn": value, "ltv": ltv})
    return changes


def test_ten_times_the_same_run_writes_no_row(crm):
    changes = [*figures(MONDAY), {"ltv": None, "customer_id": "bad"}]
    assert deliver(crm, MONDAY, *changes).sent == len(NUMBERS)
    if crm.is_postgresql:
        before = [crm.places_of_rows(table) for table in TABLES[:2]]
    for _ in range(10):
        receipt = deliver(crm, MONDAY, *changes)
        assert (receipt.sent, receipt.unchanged, receipt.rejected) == (0, len(NUMBERS), 1)
    if crm.is_postgresql:
        assert [crm.places_of_rows(table) for table in TABLES[:2]] == before


@pytest.mark.parametrize(("changed", "staged"), [({}, 0), ({"ltv": 7.0}, 1)])
def test_what_is_there_already_is_not_even_staged(postgresql, monkeypatch, changed, staged):
    seen = []
    stage = order.stage
    deliver(postgresql, MONDAY, {})
    monkeypatch.setattr(order, "stage", lambda *of: seen.append(of) or stage(*of))
    assert deliver(postgresql, MONDAY, changed).sent == len(seen) == staged


def test_the_next_day_writes_no_row_that_did_not_change(crm):
    deliver(crm, MONDAY, *figures(MONDAY))
    if crm.is_postgresql:
        before = crm.places_of_rows("customer_scores")
    assert deliver(crm, TUESDAY, *figures(TUESDAY), run_id="r2").sent == 0
    if crm.is_postgresql:
        assert crm.places_of_rows("customer_scores") == before


def test_one_percent_that_changed_are_the_rows_that_are_written(crm):
    first = many(MONDAY, 2_000)
    send = {"url": crm.url, "table": "customer_scores", "base": crm.base}
    deliver_sql(first, run=run_of(MONDAY), **send)
    place = first.column_names.index("as_of")
    second = first.set_column(place, "as_of", many(TUESDAY, 2_000)["as_of"])
    ltv = second["ltv"].to_pylist()
    for number in range(0, 2_000, 100):
        ltv[number] += 1
    second = second.set_column(second.column_names.index("ltv"), "ltv", [ltv])
    receipt = deliver_sql(second, run=run_of(TUESDAY), **send)
    assert (receipt.sent, receipt.unchanged) == (20, 1_980)
    written = crm.ask("SELECT customer_id FROM customer_scores WHERE as_of = '2024-03-05'")
    assert sorted(written) == [(f"c{number:06}",) for number in range(0, 2_000, 100)]


@pytest.mark.parametrize(
    "setting",
    [
        "timezone = 'Pacific/Kiritimati'",
        "timezone = 'America/St_Johns'",
        "datestyle = 'German, DMY'",
        "datestyle = 'SQL, MDY'",
        "extra_float_digits = -15",
        "client_encoding = 'LATIN1'",
        "default_transaction_isolation = 'serializable'",
        "standard_conforming_strings = off",
        "backslash_quote = off",
        "bytea_output = 'escape'",
        "intervalstyle = 'sql_standard'",
        "default_transaction_deferrable = on",
        "transform_null_equals = on",
        "quote_all_identifiers = on",
        "plan_cache_mode = force_generic_plan",
        "enable_hashjoin = off",
    ],
)
def test_no_setting_of_a_database_makes_a_change(postgresql_server, tmp_path, setting):
    crm = postgresql_crm(postgresql_server, tmp_path)
    crm.change(
        "CREATE TABLE accounts (id text PRIMARY KEY, day text, moment timestamp, at text,"
        " share text, value real, name varchar(20));"
        "INSERT INTO accounts (id) SELECT 'n' || i FROM generate_series(0, 8) AS i"
    )
    mapped = {
        "expected_next_order_date": "day",
        "scored_at": "moment",
        "as_of": "at",
        "p_churn": "share",
        "ltv": "value",
        "segment_name": "name",
    }
    target = accounts(crm, mapped)
    changes = [each | {"segment_name": "Łódź 🙂"} for each in figures(MONDAY)]
    deliver(crm, MONDAY, *changes)
    deliver_to(crm, target, MONDAY, *changes)
    name = crm.url.partition("@/")[2].partition("?")[0]
    crm.change(f"ALTER DATABASE {name} SET {setting}")
    assert deliver(crm, TUESDAY, *changes).sent == 0
    assert deliver_to(crm, target, MONDAY, *changes).sent == 0
    assert deliver(crm, WEDNESDAY, {"customer_id": "n0", "segment_name": "naïve"}).sent == 1
    [(day, scored)] = crm.ask(
        "SELECT as_of, scored_at FROM customer_scores WHERE customer_id = 'n0'"
    )
    assert (day, scored) == ("2024-03-06", "2024-03-08 06:30:00.000000Z")


def test_a_clients_own_settings_make_no_change(postgresql, monkeypatch):
    deliver(postgresql, MONDAY, *figures(MONDAY))
    monkeypatch.setenv("PGTZ", "Asia/Kathmandu")
    monkeypatch.setenv("PGDATESTYLE", "SQL, DMY")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert deliver(postgresql, TUESDAY, *figures(TUESDAY)).sent == 0
    options = f"{postgresql.url}&options=-c%20extra_float_digits%3D-10"
    assert deliver(postgresql, TUESDAY, *figures(TUESDAY), url=options).sent == 0
