"""Rows that a database refuses: they stop no other, and are kept with their reasons."""

import json
import random

import pytest
from tests.crm import (
    MONDAY,
    TUESDAY,
    accounts,
    deliver,
    deliver_to,
    postgresql_crm,
    run_of,
)
from tests.poisoned import deliver_rows, settings_of, with_rule, without_rule

from portfolio_ml.sinks.erasure import erase
from portfolio_ml.upkeep import retry

pytestmark = pytest.mark.integration

NUL = {"segment_name": "a\0b"}


def rejects(crm) -> list[tuple[object, ...]]:
    return crm.ask("SELECT customer_id, row_number, reason FROM portfolio_rejects ORDER BY 2")


@pytest.mark.parametrize("rule", ["check", "unique", "foreign key", "trigger", "validation"])
def test_ten_among_a_thousand_stop_no_other_and_leave_when_the_rule_does(crm, rule):
    if rule == "foreign key" and not crm.is_postgresql:
        pytest.skip("SQLite looks at foreign keys only where a connection asks for it")
    with_rule(crm, rule, rows=1_000)
    receipt = deliver_rows(crm, TUESDAY, rows=1_000, bad=10, rule=rule)
    assert (receipt.sent, receipt.rejected) == (990, 10)
    assert len(rejects(crm)) == 10
    assert all(reason for _, _, reason in rejects(crm))
    if rule == "validation":
        assert deliver_rows(crm, TUESDAY, rows=1_000).sent == 10
    else:
        without_rule(crm, rule)
        done = retry(settings_of(crm), now=run_of(TUESDAY).now)
        assert [receipt.sent for receipt in done.receipts] == [10]
    assert rejects(crm) == []
    assert crm.ask("SELECT COUNT(*) FROM customer_scores WHERE as_of = '2024-03-05'") == [(1_000,)]


def test_all_of_them_are_kept(crm):
    with_rule(crm, "check", rows=101)
    for _ in range(2):
        receipt = deliver_rows(crm, TUESDAY, rows=101, bad=100)
        assert receipt.rejected == 100
    assert len(rejects(crm)) == 100


class TestTextsThatTheDatabaseCannotHold:
    def test_with_a_nul_reject_their_row_alone(self, postgresql):
        receipt = deliver(postgresql, MONDAY, {}, NUL, {"customer_id": "c\0"}, {})
        assert (receipt.sent, receipt.rejected, receipt.unchanged) == (2, 2, 0)
        kept = postgresql.ask("SELECT customer_id, reason FROM portfolio_rejects ORDER BY 1")
        assert [customer for customer, _ in kept] == ["b", "c\\u0000"]
        assert all("0x00" in reason for _, reason in kept)
        again = deliver(postgresql, MONDAY, {}, NUL, {"customer_id": "c\0"}, {})
        assert (again.sent, again.unchanged, again.rejected) == (0, 2, 2)
        assert len(rejects(postgresql)) == 2

    def test_with_a_nul_are_kept_by_sqlite(self, tmp_path, crm):
        if crm.is_postgresql:
            pytest.skip("PostgreSQL has no NUL")
        assert deliver(crm, MONDAY, NUL).sent == 1
        assert crm.ask("SELECT segment_name FROM customer_scores") == [("a\0b",)]

    def test_keep_their_row_as_it_came(self, postgresql):
        deliver(postgresql, MONDAY, {"customer_id": "客\0", **NUL})
        [(row,)] = postgresql.ask("SELECT row FROM portfolio_rejects")
        assert json.loads(row)["customer_id"] == "客\0"

    def test_leave_when_they_are_repaired(self, postgresql):
        deliver(postgresql, MONDAY, {}, NUL)
        assert deliver(postgresql, MONDAY, {}, {}).sent == 1
        assert rejects(postgresql) == []

    def test_reject_their_row_in_the_crms_own_table_too(self, postgresql):
        postgresql.change(
            "CREATE TABLE accounts (id text PRIMARY KEY, name text);"
            "INSERT INTO accounts VALUES ('a'), ('b')"
        )
        target = accounts(postgresql, {"segment_name": "name"})
        receipt = deliver_to(postgresql, target, MONDAY, {}, NUL)
        assert (receipt.sent, receipt.rejected) == (1, 1)

    def test_of_retired_customers_retire_nobody(self, postgresql):
        deliver(postgresql, MONDAY, {}, {})
        receipt = deliver(postgresql, TUESDAY, {}, retired=frozenset({"b", "b\0"}))
        assert receipt.retired == 1


class TestEncodings:
    @pytest.fixture
    def latin1(self, postgresql_server, tmp_path):
        options = "ENCODING LATIN1 LOCALE 'C' TEMPLATE template0"
        return postgresql_crm(postgresql_server, tmp_path, options=options)

    @pytest.fixture
    def ascii_only(self, postgresql_server, tmp_path):
        options = "ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0"
        return postgresql_crm(postgresql_server, tmp_path, options=options)

    def test_letters_of_latin1_arrive_and_others_reject_their_row(self, latin1):
        names = ["café", "Łódź", "客户", "🙂", "Zürich", "€"]
        changes = [{"customer_id": name, "segment_name": name} for name in names]
        receipt = deliver(latin1, MONDAY, *changes)
        assert (receipt.sent, receipt.rejected) == (2, 4)
        assert latin1.ask("SELECT customer_id, segment_name FROM customer_scores ORDER BY 1") == [
            ("Zürich", "Zürich"),
            ("café", "café"),
        ]
        assert deliver(latin1, TUESDAY, *changes).sent == 0
        assert len(rejects(latin1)) == 4

    def test_whoever_cannot_be_held_can_be_erased(self, latin1):
        changes = [{"customer_id": name} for name in ("客户", "Łódź")]
        deliver(latin1, MONDAY, *changes)
        [target] = settings_of(latin1).delivery
        assert [each.rows for each in erase(target, "客户", base=latin1.base)] == [0, 0, 1]
        [(_, row)] = latin1.ask("SELECT customer_id, row FROM portfolio_rejects")
        assert json.loads(row)["customer_id"] == "Łódź"

    def test_a_database_without_an_encoding_keeps_the_bytes(self, ascii_only):
        names = ["café", "客户", "🙂"]
        assert deliver(ascii_only, MONDAY, *[{"customer_id": name} for name in names]).sent == 3
        assert deliver(ascii_only, TUESDAY, *[{"customer_id": name} for name in names]).sent == 0
        held = ascii_only.ask("SELECT customer_id FROM customer_scores")
        assert {name for (name,) in held} == set(names)


def test_an_id_that_is_too_long_for_its_index_rejects_its_row(postgresql):
    letters = random.Random(1)
    long = "".join(chr(letters.randrange(33, 0x2000)) for _ in range(4_000))
    receipt = deliver(postgresql, MONDAY, {"customer_id": long}, {})
    assert (receipt.sent, receipt.rejected) == (1, 1)
    assert rejects(postgresql)[0][2].startswith("index row")
