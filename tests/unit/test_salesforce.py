"""Delivery to Salesforce beside a contract server: jobs, logins, limits, and what comes back."""

import time
import traceback
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from tests.contract.salesforce import CLIENT_SECRET, USERNAME
from tests.contract.salesforce_place import key_pair, salesforces, signed_target, target

from portfolio_ml.config.delivery_sections import SalesforceTarget
from portfolio_ml.errors import ConfigError, ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.sinks.vendors.limits import Clock, Patience
from portfolio_ml.sinks.vendors.salesforce import Salesforce
from portfolio_ml.sinks.vendors.salesforce.login import read_grant
from portfolio_ml.sinks.vendors.vendor import Wanted

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)
PATIENCE = Patience(
    timeout=20, attempts=8, first_pause=0.001, longest_pause=0.01, jitter=0.001, longest_wait=2
)


class Pauses(list):
    """A clock that notes the pauses and waits for none."""

    def clock(self):
        return Clock(seconds=lambda: sum(self), sleep=self.append)


@pytest.fixture(scope="module")
def place():
    with salesforces() as place:
        yield place


@pytest.fixture
def server(place):
    return place.fresh()


@pytest.fixture
def vendor():
    """Makes the vendor of a target."""
    with ExitStack() as stack:

        def made(target, *, pauses=None):
            clock = Pauses().clock() if pauses is None else pauses.clock()
            vendor = Salesforce(target, clock=clock, patience=PATIENCE, now=lambda: NOW)
            stack.callback(vendor.close)
            return vendor

        yield made


def row(name, **changes):
    values = {
        "Churn__c": "0.25",
        "Segment__c": "loyal",
        "Active__c": "true",
        "Next__c": "2026-12-01",
        "Scored__c": "2026-11-26T06:30:00Z",
    }
    return Wanted(name, values | changes)


def rows(count):
    return [row(f"c{number:04}") for number in range(count)]


def sent(vendor, batch):
    """What became of each row of a batch, and why the delivery should stop."""
    answer = vendor.send(batch, vendor.begin())
    outcomes = {o.customer_id: o.state for o in answer.outcomes}
    assert len(outcomes) == len(answer.outcomes)
    return outcomes, answer.stop


def states(answer):
    return {o.customer_id: o.state for o in answer.outcomes}


def test_rows_arrive_with_their_types_and_are_told_as_sent(server, vendor):
    outcomes, stop = sent(vendor(target(server)), rows(300))

    assert stop is None
    assert set(outcomes.values()) == {"sent"}
    held = server.org.by_external_id()
    assert len(held) == len(outcomes) == 300
    assert {k: v for k, v in held["c0007"].items() if k != "Id"} == {
        "Customer__c": "c0007",
        "Churn__c": 0.25,
        "Segment__c": "loyal",
        "Active__c": True,
        "Next__c": "2026-12-01",
        "Scored__c": "2026-11-26T06:30:00+00:00",
    }


def test_a_value_that_is_gone_is_cleared_and_not_left(server, vendor):
    salesforce = vendor(target(server))
    sent(salesforce, [row("c1")])
    sent(salesforce, [row("c1", Churn__c=None, Segment__c="")])

    held = server.org.by_external_id()["c1"]
    assert (held["Churn__c"], held["Segment__c"], held["Active__c"]) == (None, None, True)


HOSTILE = [
    'with "quotes" and, commas',
    "two\nlines",
    "carriage\rreturn and \r\n both",
    "=HYPERLINK(1)",
    "+1",
    "\u00fcml\u00e4ut \u4e2d\u6587 \U0001f600",
    "it's \\ 'quoted'",
    "') OR Name != ('",
    "null",
    "x" * 32_000,
]


@pytest.mark.parametrize("mode", ["upsert", "update"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_and_ids_arrive_as_they_are(server, vendor, mode, text):
    name = text[:255]
    if mode == "update":
        server.org.add(name)
    outcomes, _ = sent(vendor(target(server, mode=mode)), [row(name, Segment__c=text), row("c2")])

    assert outcomes[name] == "sent"
    assert server.org.by_external_id()[name]["Segment__c"] == text


def test_rows_that_salesforce_cannot_be_told_are_rejected_and_stop_no_other(server, vendor):
    batch = [
        row("c1"),
        row("c2", Segment__c="#N/A"),
        row("c3", Segment__c="x" * 32_001),
        row("c4", Segment__c="\U0001f600" * 16_001),
        row(" "),
        row("#N/A"),
    ]
    answer = vendor(target(server)).send(batch, vendor(target(server)).begin())

    reasons = {o.customer_id: o.reason for o in answer.outcomes if o.state == "rejected"}
    assert set(reasons) == {"c2", "c3", "c4", " ", "#N/A"}
    assert "takes for null" in reasons["c2"]
    assert "32,000" in reasons["c3"]
    assert states(answer)["c1"] == "sent"


def test_a_batch_of_which_nothing_can_be_sent_leaves_no_open_job(server, vendor):
    outcomes, stop = sent(vendor(target(server)), [row("c1", Segment__c="#N/A")])

    assert (outcomes, stop) == ({"c1": "rejected"}, None)
    assert {job.state for job in server.org.jobs.values()} == {"Aborted"}


def test_of_a_batch_of_which_nothing_can_be_sent_no_record_is_asked_for(server, vendor):
    outcomes, _ = sent(vendor(target(server, mode="update")), [row("c1", Segment__c="#N/A")])

    assert outcomes == {"c1": "rejected"}
    assert server.counts()["query"] == 0


def test_rows_that_salesforce_refuses_are_rejected_without_their_values(server, vendor):
    server.org.refused = {"c0001"}
    batch = [*rows(5), row("c5", Churn__c="much"), row("c6", Active__c="perhaps")]
    vendor = vendor(target(server))
    answer = vendor.send(batch, vendor.begin())

    reasons = {o.customer_id: o.reason for o in answer.outcomes if o.state == "rejected"}
    assert reasons == {
        "c0001": 'FIELD_CUSTOM_VALIDATION_EXCEPTION in Score__c: a rule of ours, "hard"',
        "c5": "INVALID_TYPE_ON_FIELD_IN_RECORD in Churn__c",
        "c6": "INVALID_TYPE_ON_FIELD_IN_RECORD in Active__c",
    }
    assert sum(state == "sent" for state in states(answer).values()) == 4


def test_a_row_whose_record_is_locked_is_sent_again(server, vendor):
    server.org.locked["c0001"] = 1
    vendor = vendor(target(server))

    assert sent(vendor, rows(3))[0]["c0001"] == "pending"
    assert sent(vendor, rows(3))[0]["c0001"] == "sent"


def test_a_job_that_salesforce_gives_up_keeps_what_arrived_and_stops(server, vendor):
    server.org.fails_after = 100
    outcomes, stop = sent(vendor(target(server)), rows(150))

    assert list(outcomes.values()).count("sent") == 100
    assert list(outcomes.values()).count("pending") == 50
    assert isinstance(stop, ServiceUnavailableError)
    assert "given up" in str(stop)


def test_a_field_that_is_not_there_is_told_by_name_and_nothing_is_lost(server, vendor):
    columns = {"p_churn": "Chrun__c"}
    batch = [Wanted("c1", {"Chrun__c": "0.5"})]
    outcomes, stop = sent(vendor(target(server, columns=columns)), batch)

    assert outcomes == {"c1": "pending"}
    assert isinstance(stop, ConfigError)
    assert "Field name not found : Chrun__c" in str(stop)


def test_an_external_id_that_is_none_is_told_before_anything_is_sent(server, vendor):
    with pytest.raises(ConfigError, match="the field is no external id"):
        vendor(target(server, external_id="Name")).begin()
    with pytest.raises(ConfigError, match="No such column") as told:
        vendor(target(server, external_id="Nmae", mode="update")).send([row("c-77")], "750A")
    assert "c-77" not in str(told.value)


def test_a_query_that_is_not_understood_is_told_without_the_ids_in_it(server, vendor, monkeypatch):
    soql = "portfolio_ml.sinks.vendors.salesforce.soql.quoted"
    monkeypatch.setattr(soql, lambda text: f"'{text}")
    with pytest.raises(ServiceUnavailableError, match="MALFORMED_QUERY") as told:
        vendor(target(server, mode="update")).send([row("c-77")], "750A")
    assert "c-77" not in str(told.value)


def test_keys_that_differ_in_case_alone_are_never_in_one_job(server, vendor):
    vendor = vendor(target(server))
    outcomes, _ = sent(vendor, [row("c1"), row("C1"), row("c2")])

    assert outcomes == {"c1": "sent", "C1": "pending", "c2": "sent"}
    assert sent(vendor, [row("C1")])[0] == {"C1": "sent"}


def test_a_key_that_is_twice_in_a_job_would_fail(server, vendor, monkeypatch):
    told_apart = "portfolio_ml.sinks.vendors.salesforce.batch._told_apart"
    monkeypatch.setattr(told_apart, lambda rows, target: rows)
    outcomes, _ = sent(vendor(target(server)), [row("c1"), row("C1"), row("c2")])

    assert outcomes == {"c1": "rejected", "C1": "rejected", "c2": "sent"}


def test_an_update_writes_only_to_records_that_are_there(server, vendor):
    server.org.add(*(f"c{number:04}" for number in range(0, 400, 2)))
    server.org.add("twice", "twice")
    server.page = 7
    outcomes, _ = sent(vendor(target(server, mode="update")), [*rows(400), row("twice")])

    assert list(outcomes.values()).count("sent") == 200
    assert list(outcomes.values()).count("absent") == 200
    assert outcomes["c0001"] == "absent"
    assert outcomes["twice"] == "rejected"
    assert len(server.org.records) == 202
    assert server.counts()["query"] == 1
    assert server.counts()["more"] > 20


def test_an_update_takes_ids_of_another_case_for_other_customers(server, vendor):
    server.org.add("ABC")
    outcomes, _ = sent(vendor(target(server, mode="update")), [row("ABC"), row("abc")])

    assert outcomes == {"ABC": "sent", "abc": "absent"}


def test_a_record_that_cannot_be_read_is_nobodys(server, vendor):
    server.instead["query"] = (200, '{"done": true, "records": [{"Customer__c": "c0000"}]}')
    outcomes, _ = sent(vendor(target(server, mode="update")), rows(1))

    assert outcomes == {"c0000": "absent"}


def test_an_update_by_record_id_asks_nothing_first(server, vendor):
    here, gone = server.org.add("c1", "c2")
    del server.org.records[gone]
    outcomes, _ = sent(
        vendor(target(server, mode="update", external_id="Id")), [row(here), row(gone)]
    )

    assert outcomes == {here: "sent", gone: "absent"}
    assert server.counts()["query"] == 0


def test_a_job_is_polled_ever_more_slowly(server, vendor):
    server.org.polls, pauses = 8, Pauses()
    sent(vendor(target(server), pauses=pauses), rows(1))

    assert pauses == sorted(pauses)
    assert pauses[0] == 1
    assert pauses[-1] == 120


def test_a_job_that_takes_too_long_is_for_later_and_is_then_taken_up(server, vendor):
    server.org.polls, pauses = 1000, Pauses()
    salesforce = vendor(target(server, poll_minutes=5), pauses=pauses)
    reference = salesforce.begin()
    with pytest.raises(TryAgainLaterError, match="after 5 minutes"):
        salesforce.send(rows(3), reference)
    assert 300 <= sum(pauses) < 450

    server.org.jobs[reference].polls_left = 0
    assert set(states(salesforce.settle(rows(3), reference)).values()) == {"sent"}
    assert server.counts()["create"] == 1


def test_the_days_last_call_ends_the_run_and_what_stands_stands(server, vendor):
    salesforce = vendor(target(server))
    for calls in range(8):  # upload, close, three polls, three results
        server.daily_calls = None
        reference = salesforce.begin()
        server.daily_calls = calls
        with pytest.raises(TryAgainLaterError, match="used up"):
            salesforce.send(rows(3), reference)

        server.daily_calls = None
        outcomes = states(salesforce.settle(rows(3), reference))
        arrived = server.org.jobs[reference].done != []
        assert outcomes == dict.fromkeys(outcomes, "sent" if arrived else "pending")
        assert len(outcomes) == 3


def test_a_session_that_expires_is_followed_by_another(server, vendor):
    salesforce = vendor(target(server))
    sent(salesforce, rows(2))
    server.expire()
    outcomes, stop = sent(salesforce, rows(2))

    assert (set(outcomes.values()), stop) == ({"sent"}, None)
    assert server.logins == 2


def test_sessions_that_end_at_once_are_unavailable(server, vendor):
    server.never_again = True
    with pytest.raises(ServiceUnavailableError, match="ends each session at once") as told:
        vendor(target(server)).begin()

    assert server.logins == 2
    assert told.value.exit_code == 69


def test_a_wrong_secret_is_told_without_the_secret(server, vendor):
    wrong = target(server, client_secret="not-the-secret")
    with pytest.raises(ServiceUnavailableError, match="refuses the login") as told:
        vendor(wrong).begin()

    assert "not-the-secret" not in "".join(traceback.format_exception(told.value))


def test_a_signed_login_works_and_a_wrong_key_is_told_without_the_key(server, vendor):
    outcomes, _ = sent(vendor(signed_target(server)), rows(2))
    assert set(outcomes.values()) == {"sent"}

    flat = key_pair()[0].replace("\n", "\\n")
    assert vendor(target(server, username=USERNAME, private_key=flat)).begin()

    broken = key_pair()[0].replace("A", "B")
    with pytest.raises(ConfigError, match="private key cannot be read") as told:
        vendor(target(server, username="x", private_key=broken)).begin()
    assert broken[40:80] not in "".join(traceback.format_exception(told.value))


def test_neither_token_nor_secret_stands_in_a_text_log_or_trace(server, vendor, caplog):
    caplog.set_level("INFO")
    server.org.add("c0001")
    salesforce = vendor(target(server, mode="update"))
    sent(salesforce, rows(2))
    assert "c0001" not in caplog.text
    server.most_bytes = 1
    told = salesforce.send(rows(2), salesforce.begin()).stop

    texts = [caplog.text, repr(salesforce), repr(vars(salesforce)), repr(target(server))]
    texts += [salesforce.name, salesforce.place, *traceback.format_exception(told)]
    assert not [text for text in texts if "token-1" in text or CLIENT_SECRET in text]
    assert "LIMIT_EXCEEDED (the data is too large)" in str(told)


def test_a_login_without_an_answer_is_made_again_and_then_given_up(place, vendor):
    server, pauses = place.fresh(dropped_before=1.0), Pauses()
    with pytest.raises(ServiceUnavailableError, match="Salesforce does not answer"):
        vendor(target(server), pauses=pauses).begin()

    assert len(pauses) == PATIENCE.attempts - 1
    assert server.logins == 0


@pytest.mark.parametrize("fault", ["unavailable", "dropped_before", "dropped_after"])
def test_a_flaky_line_loses_no_row_and_doubles_no_job(place, vendor, fault):
    server = place.fresh(**{fault: 0.2})
    salesforce = vendor(target(server))
    left = {row.customer_id: row for row in rows(200)}
    reference, until = None, time.monotonic() + 60
    while left:
        assert time.monotonic() < until
        try:
            if reference is None:
                reference = salesforce.begin()
                answer = salesforce.send(list(left.values()), reference)
            else:
                answer = salesforce.settle(list(left.values()), reference)
        except ServiceUnavailableError:
            continue
        reference = None
        for outcome in answer.outcomes:
            if outcome.state == "sent":
                del left[outcome.customer_id]

    assert set(server.org.writes.values()) == {1}
    assert len(server.org.by_external_id()) == 200


@pytest.mark.parametrize(
    ("call", "answer", "told"),
    [
        ("login", (200, "<html>"), "refuses the login"),
        ("login", (404, ""), "status 404"),
        ("create", (200, "<html>"), "reply cannot be read"),
        ("create", (404, ""), "Check login_url and api_version"),
        ("create", (403, '[{"errorCode": "API_DISABLED_FOR_ORG"}]'), "API_DISABLED_FOR_ORG"),
        ("create", (403, "<html>"), "status 403"),
        ("done", (302, ""), "status 302"),
        ("create", (503, ""), "does not answer"),
        ("query", (200, "[]"), "answer to a query cannot be read"),
        ("poll", (200, "{}"), "reply cannot be read"),
        ("done", (200, '"a"\n"b'), "results cannot be read"),
        ("done", (404, ""), "no longer has a job"),
        ("upload", (404, ""), "no longer has a job"),
    ],
)
def test_answers_that_make_no_sense_end_the_run_in_a_sentence(server, vendor, call, answer, told):
    server.instead[call] = answer
    server.org.add("c0000")
    salesforce = vendor(target(server, mode="update"))
    with pytest.raises((ServiceUnavailableError, TryAgainLaterError), match=told):
        salesforce.send(rows(1), salesforce.begin())


def test_an_instance_without_tls_gets_no_token():
    target = SalesforceTarget(
        kind="salesforce",
        login_url="https://acme.my.salesforce.com",
        client_id="id",
        client_secret="secret",
        external_id="Customer__c",
        columns={"p_churn": "Churn__c"},
    )
    answer = {"access_token": "00D", "instance_url": "http://127.0.0.1"}
    with pytest.raises(ServiceUnavailableError, match="without TLS"):
        read_grant(200, answer, target=target)
    assert "00D" not in repr(read_grant(200, answer | {"instance_url": "https://a"}, target=target))


def test_rows_that_came_twice_are_given_up_and_sent_again(server, vendor):
    def doubled(name):
        if name == "upload":
            for job in server.org.jobs.values():
                job.uploads += 1

    salesforce = vendor(target(server))
    server.on_call = doubled
    outcomes, stop = sent(salesforce, rows(3))
    assert set(outcomes.values()) == {"pending"}
    assert "more than one content" in str(stop)
    assert stop.exit_code == 69

    server.on_call = lambda name: False
    assert set(sent(salesforce, rows(3))[0].values()) == {"sent"}
    assert set(server.org.writes.values()) == {1}


def test_a_job_without_data_is_closed_and_its_rows_are_sent_again(server, vendor):
    salesforce = vendor(target(server))
    reference = salesforce.begin()

    assert set(states(salesforce.settle(rows(3), reference)).values()) == {"pending"}
    assert server.org.jobs[reference].state == "Aborted"
    assert set(states(salesforce.settle(rows(3), reference)).values()) == {"pending"}


def test_a_dead_senders_last_call_that_comes_late_is_waited_for(server, vendor):
    salesforce = vendor(target(server))
    reference = salesforce.begin()
    job = server.org.jobs[reference]
    job.data = b'"Customer__c","Segment__c"\n"c0000","loyal"\n"c0001","loyal"\n'

    def close(name):
        if name == "poll" and job.state == "Open":
            server.org.close_job(job)

    server.on_call = close
    server.org.polls = 0
    assert states(salesforce.settle(rows(3), reference)) == {
        "c0000": "sent",
        "c0001": "sent",
        "c0002": "pending",
    }


def test_a_job_that_has_vanished_has_its_rows_sent_again(server, vendor):
    salesforce = vendor(target(server))
    reference = salesforce.begin()
    salesforce.send(rows(3), reference)
    server.org.jobs.clear()

    assert set(states(salesforce.settle(rows(3), reference)).values()) == {"pending"}


def test_a_job_that_vanishes_while_it_is_waited_for_is_for_later(server, vendor):
    salesforce = vendor(target(server))
    server.instead["poll"] = (404, "")
    outcomes, stop = sent(salesforce, rows(3))

    assert set(outcomes.values()) == {"pending"}
    assert isinstance(stop, TryAgainLaterError)
    assert "no longer has a job" in str(stop)


def test_a_job_is_settled_for_some_of_its_rows(server, vendor):
    server.org.add("c0000", "c0001", "c0002")
    salesforce = vendor(target(server, mode="update"))
    reference = salesforce.begin()
    salesforce.send(rows(4), reference)

    answer = salesforce.settle(rows(5)[1:], reference)
    assert states(answer) == {
        "c0001": "sent",
        "c0002": "sent",
        "c0003": "absent",
        "c0004": "absent",
    }


def test_a_job_that_somebody_aborted_keeps_what_arrived(server, vendor):
    salesforce = vendor(target(server))
    reference = salesforce.begin()
    server.on_call = lambda name: (
        server.org.jobs[reference].__setattr__("state", "Aborted") if name == "close" else False
    )
    answer = salesforce.send(rows(3), reference)

    assert set(states(answer).values()) == {"sent"}
    assert isinstance(answer.stop, TryAgainLaterError)


def test_data_beyond_the_limit_waits_for_the_next_job(server, vendor, monkeypatch):
    monkeypatch.setattr("portfolio_ml.sinks.vendors.salesforce.vendor.JOB_BYTES", 5000)
    server.most_bytes = 5000
    outcomes, _ = sent(vendor(target(server)), rows(200))

    assert set(outcomes.values()) == {"sent", "pending"}
    assert len(server.org.by_external_id()) == list(outcomes.values()).count("sent") > 20
