"""Delivery to Salesforce's contract server, outbox and receipt included."""

from dataclasses import replace

import pytest
from tests.contract.deliveries import FakeClock, asked, names, run, scores, states
from tests.contract.salesforce_place import crm, held, salesforces, wanted

from portfolio_ml.errors import ServiceUnavailableError, TryAgainLaterError
from portfolio_ml.sinks.http import deliver_http, retry_http
from portfolio_ml.sinks.rehearsal import look, rehearse_http
from portfolio_ml.sinks.vendors.salesforce import Salesforce

pytestmark = pytest.mark.integration

COUNT = 200


@pytest.fixture(scope="module")
def place():
    with salesforces() as place:
        yield place


@pytest.fixture
def server(place):
    return place.fresh()


@pytest.fixture
def time():
    return FakeClock()


@pytest.fixture
def to(server, time, tmp_path):
    return crm(server, tmp_path, clock=time.clock)


@pytest.fixture
def small_jobs(monkeypatch):
    """Jobs of 40 rows, so that a delivery has five."""
    monkeypatch.setattr(Salesforce, "most_rows", 40)


def delivered(to, day=1, **changes):
    done = deliver_http(scores(COUNT, day, **changes), to, run=run(day))
    receipt = done.receipt
    counted = receipt.sent + receipt.unchanged + receipt.rejected + receipt.absent
    assert receipt.rows == COUNT == counted + receipt.unknown + receipt.pending
    assert (receipt.status == "unfinished") == (done.stopped is not None)
    return done


def test_every_customer_arrives_and_the_same_again_makes_no_call(server, to):
    first = delivered(to)
    assert (first.receipt.sent, first.receipt.status) == (COUNT, "delivered")
    assert held(server) == wanted(COUNT)

    made = len(server.calls)
    again = delivered(to)
    assert (again.receipt.sent, again.receipt.unchanged) == (0, COUNT)
    assert len(server.calls) == made


def test_on_the_next_day_exactly_what_changed_is_sent(server, to):
    delivered(to)
    server.org.writes.clear()
    changed = [int(number % 100 == 7) for number in range(COUNT)]
    second = delivered(to, 2, changed=changed.__getitem__)

    assert second.receipt.sent == 2
    assert server.org.writes == {"c000007": 1, "c000107": 1}
    assert held(server) == wanted(COUNT, changed.__getitem__)


def test_an_update_counts_who_is_absent_and_an_upsert_brings_them_later(server, time, tmp_path):
    server.org.add(*names(COUNT)[:150])
    update = crm(server, tmp_path, clock=time.clock, mode="update")
    first = delivered(update)
    assert (first.receipt.sent, first.receipt.absent) == (150, 50)
    assert len(server.org.records) == 150
    made = len(server.calls)
    delivered(update)
    assert len(server.calls) == made

    delivered(crm(server, tmp_path, clock=time.clock))
    assert held(server) == wanted(COUNT)
    assert set(server.org.writes.values()) == {1}


def test_a_rehearsal_counts_what_would_be_sent_and_makes_no_call(server, to):
    first = rehearse_http(scores(COUNT), to, run=run())
    assert (first.sent, first.rows) == (COUNT, COUNT)
    delivered(to)
    made = len(server.calls)
    changed = [int(number % 100 == 7) for number in range(COUNT)]
    second = rehearse_http(scores(COUNT, 2, changed=changed.__getitem__), to, run=run(2))
    assert (second.sent, second.unchanged) == (2, COUNT - 2)
    assert len(server.calls) == made


def test_a_look_logs_in_and_only_asks(server, to):
    look(to, now=run().now)
    assert not [call for call in server.calls if "ingest" in str(call)]
    stranger = to.target.model_copy(update={"client_secret": "wrong"})
    with pytest.raises(ServiceUnavailableError, match="Salesforce"):
        look(replace(to, target=stranger), now=run().now)


def test_refused_rows_are_kept_with_their_reason_and_can_be_retried(server, to, tmp_path):
    server.org.refused = set(names(COUNT)[::50])
    first = delivered(to)
    assert (first.receipt.sent, first.receipt.rejected) == (COUNT - 4, 4)
    reasons = asked(tmp_path, "SELECT customer_id, reason FROM portfolio_rejects ORDER BY 1")
    assert [customer for customer, _ in reasons] == names(COUNT)[::50]
    assert "a rule of ours" in reasons[0][1]

    made = len(server.calls)
    delivered(to)
    assert len(server.calls) == made
    server.org.refused = set()
    assert retry_http(to, run=run()).receipt.rejected == 0
    assert held(server) == wanted(COUNT)


def test_rows_that_were_not_processed_are_sent_by_the_next_run(server, to):
    server.org.fails_after = 120
    first = delivered(to)
    assert isinstance(first.stopped, ServiceUnavailableError)
    assert (first.receipt.sent, first.receipt.pending) == (120, 80)

    server.org.fails_after = None
    assert delivered(to).stopped is None
    assert held(server) == wanted(COUNT)
    assert set(server.org.writes.values()) == {1}


@pytest.mark.parametrize("calls", [0, 1, 2, 3, 6, 8, 9, 11, 17, 20, 39])
def test_a_spent_day_is_for_later_and_then_goes_on(server, to, small_jobs, calls):
    server.daily_calls = calls
    first = delivered(to)
    assert isinstance(first.stopped, TryAgainLaterError)
    assert first.stopped.exit_code == 75

    server.daily_calls = None
    second = delivered(to)
    assert second.stopped is None
    assert held(server) == wanted(COUNT)
    assert set(server.org.writes.values()) == {1}


def test_a_locked_record_is_written_in_the_same_run(server, to):
    server.org.locked.update(names(COUNT)[:3])
    assert delivered(to).receipt.sent == COUNT
    assert held(server) == wanted(COUNT)


def test_sessions_that_expire_between_calls_are_no_matter(server, to, small_jobs):
    server.on_call = lambda name: server.expire() if name in {"upload", "poll", "done"} else False
    assert delivered(to).stopped is None
    assert held(server) == wanted(COUNT)
    assert set(server.org.writes.values()) == {1}


def test_a_job_that_takes_too_long_is_taken_up_by_the_next_run(server, to, time, tmp_path):
    server.org.polls = 10_000
    first = delivered(to)
    assert isinstance(first.stopped, TryAgainLaterError)
    assert 3600 <= time.slept < 4000
    assert states(tmp_path) == {"in_flight": COUNT}

    for job in server.org.jobs.values():
        job.polls_left = 0
    assert delivered(to).stopped is None
    assert held(server) == wanted(COUNT)
    assert server.counts()["create"] == 1


def test_rows_of_a_job_that_vanished_are_sent_again(server, to):
    server.org.polls = 10_000
    delivered(to)
    server.org.jobs.clear()
    server.org.polls = 1
    assert delivered(to).stopped is None
    assert held(server) == wanted(COUNT)


@pytest.mark.parametrize("mode", ["upsert", "update"])
@pytest.mark.parametrize("fault", ["unavailable", "dropped_before", "dropped_after"])
@pytest.mark.usefixtures("small_jobs")
def test_a_flaky_line_ends_as_desired(place, time, tmp_path, fault, mode):
    server = place.fresh(**{fault: 0.15})
    server.org.add(*names(COUNT))
    to = crm(server, tmp_path, clock=time.clock, mode=mode)
    runs = 1
    while delivered(to).stopped is not None:
        runs += 1
        assert runs < 30
    assert held(server) == wanted(COUNT)
    assert set(server.org.writes.values()) == {1}


def test_no_secret_or_token_stands_in_the_state_database(server, to, tmp_path):
    delivered(to)
    kept = (tmp_path / "state.db").read_bytes()
    assert b"token-" not in kept
    assert to.target.client_secret.encode() not in kept
