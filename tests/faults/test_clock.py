"""A clock that goes back or forward by a day: what is decided by time is decided by order."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from tests.crm import MONDAY, NOW, TUESDAY, rows, run_of

from portfolio_ml.registry.promotions import CHAMPION, Aliases, Move
from portfolio_ml.sinks.past_sql import Place
from portfolio_ml.sinks.sql import deliver_sql
from portfolio_ml.writers import LONGEST, Writer

pytestmark = pytest.mark.faults

DAY = timedelta(days=1)
TABLE = "customer_scores"


def delivered_at(crm, now, version, as_of=MONDAY, **change):
    """Scores of a model's version, delivered when the clock shows a time."""
    run = replace(run_of(as_of, f"run of {version}"), now=now, model_versions={"churn": version})
    given = rows(as_of, {"churn_model_version": version, **change}, run_id=run.run_id)
    return deliver_sql(given, url=crm.url, table=TABLE, base=crm.base, run=run)


@pytest.mark.parametrize("jump", [-DAY, DAY], ids=["back", "forward"])
def test_what_was_delivered_last_counts_whatever_the_clock_showed(crm, jump):
    first = delivered_at(crm, lambda: NOW, "1", p_churn=0.2)
    second = delivered_at(crm, lambda: NOW + jump, "2", p_churn=0.3)
    third = delivered_at(crm, lambda: NOW, "3", p_churn=0.4)
    assert first.finished_at < second.finished_at < third.finished_at
    place = Place(crm.url, TABLE, f"{TABLE}_history", crm.base)
    assert [each.versions for each in place.deliveries()] == [{"churn": "3"}]
    assert crm.ask(f"SELECT churn_model_version FROM {TABLE}") == [("3",)]


def test_a_receipt_is_finished_after_it_began_though_the_clock_goes_back_meanwhile(crm):
    readings = itertools.chain([NOW], itertools.repeat(NOW - DAY))
    receipt = delivered_at(crm, lambda: next(readings), "1")
    assert receipt.started_at <= receipt.finished_at
    [(began, ended)] = crm.ask("SELECT started_at, finished_at FROM portfolio_runs")
    assert str(began) <= str(ended)


def test_the_receipt_that_is_given_is_the_one_that_was_left(crm):
    delivered_at(crm, lambda: NOW, "1")
    given = delivered_at(crm, lambda: NOW - DAY, "2", as_of=TUESDAY)
    left = crm.ask("SELECT finished_at FROM portfolio_runs WHERE run_id = 'run of 2'")
    assert left == [(f"{given.finished_at:%Y-%m-%d %H:%M:%S.%f}Z",)]


class Model:
    """A registered model as MLflow's client has it."""

    def __init__(self):
        self.tags, self.aliases = {}, {}

    def search_registered_models(self, _):
        return [SimpleNamespace(tags=self.tags, aliases=self.aliases)]

    def set_registered_model_tag(self, _, name, value):
        self.tags[name] = value

    def set_model_version_tag(self, *_):
        pass

    def delete_registered_model_tag(self, _, name):
        self.tags.pop(name, None)

    def set_registered_model_alias(self, _, alias, version):
        self.aliases[alias] = version

    def delete_registered_model_alias(self, _, alias):
        self.aliases.pop(alias, None)


def promoted(moves, version, at):
    before = moves.now().get(CHAMPION)
    move = Move(
        target="churn",
        action="promoted",
        version=version,
        before=before,
        previous=before,
        previous_before=moves.now().get("previous"),
        at=at,
        by="somebody",
        reason="",
        run_id=f"run{version}",
        writer=str(Writer.this()),
    )
    moves.carry_out(moves.in_order(move))


def test_champions_follow_each_other_in_the_order_in_which_they_did():
    moves = Aliases(Model(), "shop-churn")
    start = datetime(2024, 3, 8, tzinfo=UTC)
    times = {"1": start, "2": start - DAY, "3": start + DAY, "4": start}
    for version, at in times.items():
        promoted(moves, version, at)
    promoted(moves, "2", start - 2 * DAY)  # by hand, once more
    assert [move.version for move in moves.moves()] == ["1", "2", "3", "4", "2"]
    assert moves.before("2") == "4"
    assert moves.moves()[0].at == start  # an undisturbed one keeps its time


@pytest.mark.parametrize("jump", [-1, 1], ids=["back", "forward"])
def test_what_a_dead_machine_began_is_left_though_the_clock_has_jumped(jump):
    elsewhere = Writer("elsewhere", 7, "12")
    assert not elsewhere.has_left("it", begun=NOW, now=NOW + jump * LONGEST)
    assert elsewhere.has_left("it", begun=NOW, now=NOW + jump * (LONGEST + DAY))
