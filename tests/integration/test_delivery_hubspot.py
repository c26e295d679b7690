"""Delivery to HubSpot's contract server: what arrives, what is counted, and who waits."""

from collections import deque
from dataclasses import replace

import pytest
from tests.contract.deliveries import (
    FakeClock,
    asked,
    crm,
    names,
    run,
    scores,
    states,
    waiting,
    wanted,
)
from tests.contract.hubspot import TOKEN, Weather, hubspot

from portfolio_ml.databases import Writer
from portfolio_ml.errors import (
    ConfigError,
    NothingToDoError,
    ServiceUnavailableError,
    TryAgainLaterError,
)
from portfolio_ml.sinks.http import deliver_http, erase_http, has_left, last_delivery, retry_http
from portfolio_ml.sinks.rehearsal import rehearse_http

pytestmark = pytest.mark.integration

COUNT = 250


@pytest.fixture
def time():
    return FakeClock()


@pytest.fixture
def account(time):
    """A HubSpot that has all customers; its address."""
    with hubspot(seconds=time.seconds) as (server, address):
        server.have(names(COUNT))
        yield server, address


@pytest.fixture
def server(account):
    return account[0]


@pytest.fixture
def to(account, time, tmp_path):
    return crm(account[1], tmp_path, clock=time.clock)


def test_every_customer_arrives_with_the_values_as_text(server, to):
    done = deliver_http(scores(COUNT), to, run=run())
    assert done.stopped is None
    assert server.held() == wanted(COUNT)
    receipt = done.receipt
    assert (receipt.rows, receipt.sent, receipt.status) == (COUNT, COUNT, "delivered")
    assert [len(call.customers) for call in server.calls] == [100, 100, 50]


def test_the_same_again_makes_no_call(server, to):
    deliver_http(scores(COUNT), to, run=run())
    made = len(server.calls)
    done = deliver_http(scores(COUNT), to, run=run())
    assert len(server.calls) == made
    assert (done.receipt.sent, done.receipt.unchanged) == (0, COUNT)


def test_on_the_next_day_exactly_what_changed_is_sent(server, to):
    deliver_http(scores(COUNT), to, run=run())
    made = len(server.calls)

    def changed(number):
        return int(number % 100 == 7)

    done = deliver_http(scores(COUNT, 2, changed=changed), to, run=run(2))
    sent = [customer for call in server.calls[made:] for customer in call.customers]
    assert sent == [names(COUNT)[number] for number in range(COUNT) if changed(number)]
    assert server.held() == wanted(COUNT, changed=changed)
    assert (done.receipt.sent, done.receipt.unchanged) == (3, COUNT - 3)


def test_an_older_day_goes_to_the_history_and_not_to_the_crm(server, to):
    deliver_http(scores(COUNT, 5), to, run=run(5))
    made = len(server.calls)
    rows = scores(COUNT, 2, changed=lambda n: 1)
    assert rehearse_http(rows, to, run=run(2)).status == "history_only"
    assert deliver_http(rows, to, run=run(2)).receipt.status == "history_only"
    assert len(server.calls) == made


def test_a_null_clears_the_property(server, to):
    deliver_http(scores(COUNT), to, run=run())
    rows = scores(COUNT, 2)
    place = rows.column_names.index("p_churn")
    empty = rows["p_churn"].slice(0, 0).type
    rows = rows.set_column(place, "p_churn", [[None] * COUNT]).cast(
        rows.schema.set(place, rows.schema.field(place).with_type(empty))
    )
    deliver_http(rows, to, run=run(2))
    assert all("pm_churn" not in record for record in server.held().values())


@pytest.mark.parametrize("missing", ["207", "404"])
def test_whom_the_crm_does_not_have_is_absent_and_not_created(server, to, missing):
    server.weather.missing = missing
    for customer in names(COUNT)[::50]:
        del server.records[customer]
    done = deliver_http(scores(COUNT), to, run=run())
    assert (done.receipt.sent, done.receipt.absent) == (COUNT - 5, 5)
    assert done.receipt.status == "delivered"
    assert len(server.records) == COUNT - 5
    made = len(server.calls)
    assert deliver_http(scores(COUNT), to, run=run()).receipt.absent == 5
    assert len(server.calls) == made


def test_upsert_creates_each_missing_record_once(account, time, tmp_path):
    server, address = account
    server.records.clear()
    server.created.clear()
    to = crm(address, tmp_path, clock=time.clock, mode="upsert")
    deliver_http(scores(COUNT), to, run=run())
    assert server.held() == wanted(COUNT)
    assert set(server.created.values()) == {1}


def test_who_was_absent_is_created_once_the_mode_is_upsert(server, to):
    server.records.clear()
    assert deliver_http(scores(COUNT), to, run=run()).receipt.absent == COUNT
    upsert = replace(to, target=to.target.model_copy(update={"mode": "upsert"}))
    assert rehearse_http(scores(COUNT), upsert, run=run()).sent == COUNT
    assert rehearse_http(scores(COUNT), to, run=run()).absent == COUNT
    assert deliver_http(scores(COUNT), upsert, run=run()).receipt.sent == COUNT


def test_hubspots_own_record_ids_work_without_an_id_property(time, tmp_path):
    with hubspot(id_property=None, seconds=time.seconds) as (server, address):
        server.have(names(120))
        to = crm(address, tmp_path, clock=time.clock, id_property=None)
        server.weather.script = deque(["drop_after"])
        assert deliver_http(scores(120), to, run=run()).receipt.sent == 120
        assert server.held() == wanted(120)


@pytest.mark.parametrize("named", ["trace", "ids", "nobody"])
def test_rows_refused_one_by_one_are_rejected_and_the_others_arrive(server, to, named):
    bad = set(names(COUNT)[3::40])
    server.weather.errors_name = named
    server.weather.refuses = lambda customer, _: "not a number" if customer in bad else None
    done = deliver_http(scores(COUNT), to, run=run())
    assert (done.receipt.sent, done.receipt.rejected) == (COUNT - len(bad), len(bad))
    assert {k for k, v in server.held().items() if not v} == bad


def test_a_rule_for_the_whole_batch_costs_only_the_rows_that_break_it(server, to, tmp_path):
    bad = {names(COUNT)[number] for number in (0, 7, 8, 99, 180)}
    server.weather.rule = lambda customer, _: "pm_ltv must be small" if customer in bad else None
    done = deliver_http(scores(COUNT), to, run=run())
    assert (done.receipt.sent, done.receipt.rejected) == (COUNT - 5, 5)
    kept = asked(tmp_path, "SELECT customer_id, reason, row_number FROM portfolio_rejects")
    assert {customer for customer, _, _ in kept} == bad
    assert {reason for _, reason, _ in kept} == {"VALIDATION_ERROR: pm_ltv must be small"}
    assert sorted(number for _, _, number in kept) == [1, 8, 9, 100, 181]


def test_a_rejected_row_is_sent_again_when_it_changes_or_when_asked(server, to):
    bad = names(COUNT)[3]
    server.weather.refuses = lambda customer, _: "no" if customer == bad else None
    deliver_http(scores(COUNT), to, run=run())
    made = len(server.calls)
    assert deliver_http(scores(COUNT), to, run=run()).receipt.rejected == 1
    assert len(server.calls) == made
    deliver_http(scores(COUNT, 2, changed=lambda n: int(n == 3)), to, run=run(2))
    assert [call.customers for call in server.calls[made:]] == [(bad,)]
    server.weather.refuses = lambda customer, _: None
    done = retry_http(to, run=run(2, "again"))
    assert (done.receipt.rows, done.receipt.sent, done.receipt.rejected) == (COUNT, 1, 0)
    assert server.held() == wanted(COUNT, changed=lambda n: int(n == 3))


def test_a_rejected_customer_who_was_merged_is_not_sent_again(server, to):
    [gone] = names(1)
    server.weather.refuses = lambda customer, _: "no" if customer == gone else None
    deliver_http(scores(COUNT), to, run=run())
    server.weather.refuses = lambda customer, _: None
    rest = scores(COUNT, 2).slice(1)
    deliver_http(rest, to, run=replace(run(2), retired=frozenset({gone})))
    assert not has_left(to)
    done = retry_http(to, run=run(2, "again"))
    assert (done.receipt.rows, done.receipt.sent) == (COUNT - 1, 0)
    assert not server.held()[gone]


def test_rows_that_break_the_contract_are_counted_once(server, to):
    deliver_http(scores(COUNT), to, run=run())
    rows = scores(COUNT, 2, changed=lambda n: 1)
    ltv = rows["ltv"].to_pylist()
    ltv[5] = float("inf")
    rows = rows.set_column(rows.column_names.index("ltv"), "ltv", [ltv])
    receipt = deliver_http(rows, to, run=run(2)).receipt
    assert (receipt.rows, receipt.sent, receipt.rejected) == (COUNT, COUNT - 1, 1)


def test_a_row_that_the_answer_does_not_name_is_read_back_and_sent_again(server, to):
    server.weather.script = deque(["silent", "silent"])
    done = deliver_http(scores(COUNT), to, run=run())
    assert done.receipt.sent == COUNT
    assert [call.action for call in server.calls] == [*["update"] * 3, "read", "read", "update"]
    assert server.held() == wanted(COUNT)


@pytest.mark.parametrize("event", ["drop_before", "drop_after", "garbage"])
def test_a_batch_without_an_answer_is_read_back(server, to, event):
    server.weather.script = deque([event])
    done = deliver_http(scores(COUNT), to, run=run())
    assert (done.receipt.sent, done.receipt.unknown) == (COUNT, 0)
    assert server.held() == wanted(COUNT)
    again = [*["update"] * 3, "read"] + (["update"] if event == "drop_before" else [])
    assert [call.action for call in server.calls] == again


@pytest.mark.parametrize(
    ("events", "told", "left"),
    [
        (["silent", "drop_before"], "not known yet", "unknown"),
        (["silent", "daily"], "calls of the day are spent", "unknown"),
        (["silent"] * 6, "did not arrive in 3 attempts", "pending"),  # a read back after each
    ],
)
def test_a_row_whose_fate_stays_open_is_for_later(server, to, events, told, left):
    server.weather.script = deque(events)
    done = deliver_http(scores(1), to, run=run())
    assert isinstance(done.stopped, TryAgainLaterError)
    assert told in str(done.stopped)
    assert (getattr(done.receipt, left), done.receipt.status) == (1, "unfinished")
    assert deliver_http(scores(1), to, run=run()).receipt.sent == 1


@pytest.mark.parametrize("retry_after", ["3", None])
def test_nothing_is_lost_and_no_call_is_early_when_many_are_put_off(time, tmp_path, retry_after):
    shares = {"429": 0.2, "503": 0.05, "423": 0.05, "502": 0.02}
    weather = Weather(shares=shares, retry_after=retry_after)
    with hubspot(seconds=time.seconds, weather=weather) as (server, address):
        server.have(names(6_000))
        done = deliver_http(scores(6_000), crm(address, tmp_path, clock=time.clock), run=run())
    assert done.stopped is None
    assert server.held() == wanted(6_000)
    assert server.early == []
    assert sum(call.status == 429 for call in server.calls) > 5


def test_the_rolling_limit_is_kept_without_being_told(time, tmp_path):
    weather = Weather(calls_in_10_seconds=5)
    with hubspot(seconds=time.seconds, weather=weather) as (server, address):
        server.have(names(2_000))
        to = crm(address, tmp_path, clock=time.clock, requests_per_10_seconds=5)
        deliver_http(scores(2_000), to, run=run())
    assert server.early == []
    assert [call.status for call in server.calls] == [200] * 20
    assert 29 < time.slept < 31


def test_an_account_that_allows_less_than_configured_is_believed(time, tmp_path):
    weather = Weather(calls_in_10_seconds=4)
    with hubspot(seconds=time.seconds, weather=weather) as (server, address):
        server.have(names(2_000))
        deliver_http(scores(2_000), crm(address, tmp_path, clock=time.clock), run=run())
    assert len(server.early) == 1
    assert server.held() == wanted(2_000)


def test_a_spent_day_is_for_later_and_the_rest_follows(server, to, tmp_path):
    server.weather.calls_a_day = 2
    done = deliver_http(scores(COUNT), to, run=run())
    assert isinstance(done.stopped, TryAgainLaterError)
    receipt = done.receipt
    assert (receipt.sent, receipt.pending, receipt.status) == (200, 50, "unfinished")
    assert asked(tmp_path, "SELECT sent, pending, status FROM portfolio_runs") == [
        (200, 50, "unfinished")
    ]
    server.weather.calls_a_day = None
    done = deliver_http(scores(COUNT), to, run=run())
    assert (done.receipt.sent, done.receipt.unchanged, done.stopped) == (50, 200, None)
    assert sorted(c for call in server.calls if call.status == 200 for c in call.customers) == (
        names(COUNT)
    )


def test_a_long_wait_is_for_later_and_a_short_one_is_waited_for(server, to, time):
    server.weather.script = deque(["477"])
    server.weather.retry_after = "7200"
    done = deliver_http(scores(COUNT), waiting(to, 300), run=run())
    assert isinstance(done.stopped, TryAgainLaterError)
    assert done.receipt.pending == COUNT
    assert time.slept < 60
    server.weather.script = deque(["477"])
    server.weather.retry_after = "120"
    time.sleep(7200)
    assert deliver_http(scores(COUNT), to, run=run()).receipt.sent == COUNT
    assert server.early == []


def test_an_expired_token_is_unavailable_and_what_was_sent_stays(server, to):
    server.weather.calls_before_expiry = 1
    done = deliver_http(scores(COUNT), to, run=run())
    assert isinstance(done.stopped, ServiceUnavailableError)
    assert "expired" in str(done.stopped)
    assert TOKEN not in str(done.stopped)
    assert (done.receipt.sent, done.receipt.pending) == (100, 150)


def test_a_missing_scope_is_named(server, to):
    server.weather.script = deque(["403"])
    done = deliver_http(scores(COUNT), to, run=run())
    assert isinstance(done.stopped, ServiceUnavailableError)
    assert "crm.objects.contacts.write" in str(done.stopped)


def test_a_property_that_is_not_there_stops_at_once(server, to):
    server.weather.rule = lambda *_: 'Property "pm_ltv" does not exist: PROPERTY_DOESNT_EXIST'
    done = deliver_http(scores(COUNT), to, run=run())
    assert isinstance(done.stopped, ConfigError)
    assert "pm_ltv" in str(done.stopped)
    assert len(server.calls) == 1
    assert done.receipt.pending == COUNT


def test_a_server_that_stays_down_is_unavailable_and_its_rows_are_settled_later(server, to):
    server.weather.shares = {"503": 1.0}
    done = deliver_http(scores(COUNT), to, run=run())
    assert isinstance(done.stopped, ServiceUnavailableError)
    assert (done.receipt.unknown, done.receipt.pending) == (100, 150)
    server.weather.shares = {}
    assert deliver_http(scores(COUNT), to, run=run()).receipt.sent == COUNT


def test_a_server_that_never_answers_is_given_up(server, to):
    server.weather.shares = {"drop_before": 1.0}
    done = deliver_http(scores(COUNT * 4), to, run=run())
    assert isinstance(done.stopped, ServiceUnavailableError)
    assert len(server.calls) == 3


def test_a_server_that_is_not_there_is_unavailable(tmp_path, time):
    to = crm("http://127.0.0.1:9", tmp_path, clock=time.clock)
    done = deliver_http(scores(COUNT), to, run=run())
    assert isinstance(done.stopped, ServiceUnavailableError)
    assert done.receipt.status == "unfinished"


def test_many_poisoned_rows_of_very_many_are_rejected_and_all_others_arrive(time, tmp_path):
    count = 2_000
    with hubspot(seconds=time.seconds) as (server, address):
        server.have(names(count))
        bad = set(names(count)[::100])
        server.weather.refuses = lambda customer, _: "poison" if customer in bad else None
        done = deliver_http(scores(count), crm(address, tmp_path, clock=time.clock), run=run())
        assert (done.receipt.sent, done.receipt.rejected) == (count - 20, 20)
        assert states(tmp_path) == {"sent": count - 20, "rejected": 20}


def test_a_suppressed_customer_is_written_nowhere(server, to, tmp_path):
    erased = set(names(COUNT)[10:15])
    hidden = replace(to, suppressed=erased.__contains__)
    done = deliver_http(scores(COUNT), hidden, run=run())
    assert (done.receipt.suppressed, done.receipt.sent, done.receipt.rows) == (5, COUNT - 5, COUNT)
    assert {k for k, v in server.held().items() if not v} == erased
    assert asked(tmp_path, "SELECT COUNT(*) FROM hubspot_contacts") == [(COUNT - 5,)]


def test_an_erased_customer_leaves_no_row_behind(server, to, tmp_path, monkeypatch):
    overwritten = []
    monkeypatch.setattr(Writer, "forget", lambda _: overwritten.append("what was there"))
    server.weather.refuses = lambda customer, _: "no" if customer == names(1)[0] else None
    deliver_http(scores(COUNT), to, run=run())
    assert erase_http(names(1)[0], to, now=run().now) == 4
    assert overwritten  # not only taken out of the tables, but out of the file
    dump = asked(tmp_path, "SELECT name FROM sqlite_master WHERE type = 'table'")
    for (table,) in dump:
        assert names(1)[0] not in str(asked(tmp_path, f"SELECT * FROM {table}"))


def test_a_rehearsal_counts_what_a_delivery_would_send_and_changes_nothing(server, to, tmp_path):
    first = rehearse_http(scores(COUNT), to, run=run())
    assert (first.sent, server.calls, (tmp_path / "state.db").exists()) == (COUNT, [], False)
    deliver_http(scores(COUNT), to, run=run())
    before = (tmp_path / "state.db").read_bytes()
    made = len(server.calls)
    again = rehearse_http(scores(COUNT, 2, changed=lambda n: int(n < 9)), to, run=run(2))
    assert (again.sent, again.unchanged) == (9, COUNT - 9)
    assert (tmp_path / "state.db").read_bytes() == before
    assert len(server.calls) == made


def test_another_portal_gets_everything_although_the_first_has_it(server, to, time, tmp_path):
    deliver_http(scores(COUNT), to, run=run())
    with hubspot(seconds=time.seconds) as (other, address):
        other.have(names(COUNT))
        elsewhere = replace(to, target=to.target.model_copy(update={"base_url": address}))
        assert deliver_http(scores(COUNT), elsewhere, run=run()).receipt.sent == COUNT
        assert other.held() == wanted(COUNT)


def test_before_the_first_delivery_there_is_nothing_to_retry_or_to_erase(to):
    assert not has_left(to)
    assert erase_http(names(1)[0], to, now=run().now) == 0
    with pytest.raises(NothingToDoError):
        last_delivery(to)
    with pytest.raises(NothingToDoError):
        retry_http(to, run=run())
