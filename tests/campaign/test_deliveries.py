"""Hundreds of disturbed, late and refused deliveries; `make test-faults`, before a release.

`PORTFOLIO_ML_FAULT_ROWS` sets another number of rows.
"""

import os

import pytest
from tests.all_or_nothing import killed, on_postgresql, on_sqlite, stopped, terminated
from tests.crm import TUESDAY, postgresql_crm, run_of, sqlite_crm
from tests.in_order import the_newer_stands
from tests.poisoned import deliver_rows, settings_of, with_rule, without_rule
from tests.servers import server

from portfolio_ml.upkeep import retry

pytestmark = pytest.mark.campaign

ROWS = int(os.environ.get("PORTFOLIO_ML_FAULT_ROWS", "200000"))
POISONED = ROWS // 2
TURNS = 50
FAULTS = {
    "killed": "killed",
    "terminated": "connection ended by the server",
    "stopped": "server stopped as if the power failed",
}


@pytest.mark.parametrize(("kind", "times"), [("killed", 60), ("terminated", 40), ("stopped", 20)])
def test_on_postgresql_the_tables_are_the_old_or_the_new_ones(tmp_path, tell, kind, times):
    with server() as running:
        disturb = {
            "killed": killed,
            "terminated": terminated(running),
            "stopped": stopped(running),
        }[kind]
        ended = on_postgresql(running, tmp_path, rows=ROWS, disturbances=[(disturb, times)])
    tell(FAULTS[kind], f"delivery of {ROWS:,} rows to PostgreSQL", times, ended)
    assert ended["torn"] == 0
    assert ended.total() == times
    assert ended["old"] > 0
    assert ended["new"] > 0


def test_on_sqlite_the_tables_are_the_old_or_the_new_ones(tmp_path, tell):
    ended = on_sqlite(tmp_path, rows=ROWS, kills=100)
    tell("killed", f"delivery of {ROWS:,} rows to SQLite", 100, ended)
    assert ended["torn"] == 0
    assert ended.total() == 100
    assert ended["old"] > 0
    assert ended["new"] > 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_two_jobs_at_once_the_newer_date_stands(tmp_path, postgresql_server, tell, kind):
    for turn in range(TURNS):
        if kind == "sqlite":
            (tmp_path / str(turn)).mkdir()
            crm = sqlite_crm(tmp_path / str(turn))
        else:
            crm = postgresql_crm(postgresql_server, tmp_path)
        the_newer_stands(crm, older_begins_first=turn % 2 == 0)
    database = "PostgreSQL" if kind == "postgresql" else "SQLite"
    tell("at once, two dates", f"deliveries to {database}", TURNS, {"the newer date stands": TURNS})


@pytest.mark.parametrize("rule", ["check", "unique", "foreign key", "trigger", "validation"])
def test_one_percent_of_refused_rows_stops_no_other(crm, tell, rule):
    if rule == "foreign key" and not crm.is_postgresql:
        pytest.skip("SQLite looks at foreign keys only where a connection asks for it")
    bad = POISONED // 100
    with_rule(crm, rule, rows=POISONED)
    receipt = deliver_rows(crm, TUESDAY, rows=POISONED, bad=bad, rule=rule)
    assert (receipt.sent, receipt.rejected) == (POISONED - bad, bad)
    assert crm.ask("SELECT COUNT(*) FROM portfolio_rejects WHERE reason <> ''") == [(bad,)]
    if rule == "validation":
        assert deliver_rows(crm, TUESDAY, rows=POISONED).sent == bad
    else:
        without_rule(crm, rule)
        done = retry(settings_of(crm), now=run_of(TUESDAY).now)
        assert [receipt.sent for receipt in done.receipts] == [bad]
    assert crm.ask("SELECT COUNT(*) FROM portfolio_rejects") == [(0,)]
    newest = "SELECT COUNT(*) FROM customer_scores WHERE as_of = '2024-03-05'"
    assert crm.ask(newest) == [(POISONED,)]
    database = "PostgreSQL" if crm.is_postgresql else "SQLite"
    later = "refused, and delivered once the rule allows them"
    outcomes = {"delivered": POISONED - bad, later: bad}
    tell(f"rows refused by a {rule}", f"delivery to {database}", POISONED, outcomes)


def test_nothing_but_refused_rows_is_kept_as_such(crm):
    count = POISONED // 10
    with_rule(crm, "check", rows=count + 1)
    for _ in range(2):
        receipt = deliver_rows(crm, TUESDAY, rows=count + 1, bad=count)
        assert receipt.rejected == count
    assert crm.ask("SELECT COUNT(*) FROM portfolio_rejects") == [(count,)]
