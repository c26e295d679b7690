"""Deliveries over HTTP that are killed, and two at once."""

import os
import random
import signal
import threading
import time
from contextlib import AbstractContextManager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from tests.contract.deliveries import asked, crm, names, run, scores, states, wanted
from tests.contract.hubspot import hubspot
from tests.forked import forked

from portfolio_ml.errors import TryAgainLaterError
from portfolio_ml.sinks import lease as leases
from portfolio_ml.sinks.http import deliver_http
from portfolio_ml.sinks.vendors.hubspot import HubSpot

pytestmark = pytest.mark.faults

COUNT = 350
BATCHES = 4
MOMENTS = ("begun", "before", "unanswered", "answered", "any")


def delivery(
    folder: Path, address: str, mode: str, moment: str, batch: int
) -> AbstractContextManager[ForkServerProcess]:
    """A delivery in a process of its own that dies at the moment of the batch.

    Moments are `begun` before anything is planned, `before` the batch is sent and `answered` before
    its answer is recorded; at any other, it lives.
    """
    return forked(delivered_there, folder, address, mode, moment, batch)


def delivered_there(folder: Path, address: str, mode: str, moment: str, batch: int) -> None:
    """Deliver, deadly as it is."""
    _deadly(moment, batch)
    deliver_http(scores(COUNT), crm(address, folder, mode=mode), run=run())


def killed(folder: Path, server, to: tuple[str, str], moment: str, *, batch: int) -> None:
    """A delivery to an address, in a mode, that dies at a moment of a batch."""
    address, mode = to
    before = len(server.writes)
    applied, dead = threading.Event(), threading.Event()

    def stop(number: int) -> None:
        if moment == "unanswered" and number == before + batch:
            applied.set()
            dead.wait(60)  # no answer reaches it

    server.on_applied = stop
    with delivery(folder, address, mode, moment, batch) as process:
        if moment == "unanswered":
            assert applied.wait(60)
            process.kill()
        if moment == "any":
            time.sleep(random.Random(str(folder)).random() * 0.6)
            process.kill()
        process.join(60)
        dead.set()
        assert process.exitcode in ({-signal.SIGKILL, 0} if moment == "any" else {-signal.SIGKILL})
    server.on_applied = lambda number: None


def check(tmp_path: Path, moment: str, *, seed: int) -> None:
    dice = random.Random(f"{moment} {seed}")
    mode = dice.choice(["update", "upsert"])
    with hubspot() as (server, address):
        if mode == "update":
            server.have(names(COUNT))
        killed(tmp_path, server, (address, mode), moment, batch=dice.randrange(1, BATCHES + 1))
        to = crm(address, tmp_path, mode=mode)
        done = deliver_http(scores(COUNT), to, run=run())
        assert done.stopped is None
        assert server.held() == wanted(COUNT)
        assert set(server.created.values()) == {1}
        assert states(tmp_path) == {"sent": COUNT}
        receipt = done.receipt
        assert receipt.sent + receipt.unchanged == receipt.rows == COUNT
        assert asked(tmp_path, "SELECT rows, pending, unknown, status FROM portfolio_runs") == [
            (COUNT, 0, 0, "delivered")
        ]
        made = len(server.calls)
        assert deliver_http(scores(COUNT), to, run=run()).receipt.unchanged == COUNT
        assert len(server.calls) == made


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_plain_re_run_finishes_what_a_killed_delivery_left(tmp_path, moment):
    for seed in range(3 if moment in {"before", "unanswered", "answered"} else 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check(folder, moment, seed=seed)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 130))
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_plain_re_run_finishes_thirty_killed_deliveries_of_each_kind(tmp_path, moment, seed):
    check(tmp_path, moment, seed=seed)


def test_killed_again_and_again_a_delivery_still_arrives_once(tmp_path):
    with hubspot() as (server, address):
        for moment, batch in (("before", 3), ("unanswered", 1), ("answered", 1), ("begun", 0)):
            killed(tmp_path, server, (address, "upsert"), moment, batch=batch)
        done = deliver_http(scores(COUNT), crm(address, tmp_path, mode="upsert"), run=run())
        assert done.stopped is None
        assert server.held() == wanted(COUNT)
        assert set(server.created.values()) == {1}


def test_a_second_run_of_another_process_is_for_later_and_the_first_goes_on(tmp_path):
    with hubspot() as (server, address):
        server.have(names(COUNT))
        held, go = threading.Event(), threading.Event()

        def hold(number: int) -> None:
            held.set()
            go.wait(60)

        server.on_applied = hold
        with delivery(tmp_path, address, "update", "never", 0) as process:
            assert held.wait(60)
            with pytest.raises(TryAgainLaterError, match="Another run"):
                deliver_http(scores(COUNT), crm(address, tmp_path), run=run())
            go.set()
            process.join(60)
            assert process.exitcode == 0
        assert server.held() == wanted(COUNT)


def test_a_second_run_of_the_same_process_is_for_later(tmp_path):
    with hubspot() as (server, address):
        server.have(names(COUNT))
        refused = []

        def again(number: int) -> None:
            if not refused:
                with pytest.raises(TryAgainLaterError, match="Another run") as told:
                    deliver_http(scores(COUNT), crm(address, tmp_path), run=run())
                refused.append(told)

        server.on_applied = again
        deliver_http(scores(COUNT), crm(address, tmp_path), run=run())
        assert refused
        assert server.held() == wanted(COUNT)


def test_a_run_that_was_taken_over_writes_nothing_more(tmp_path):
    with hubspot() as (server, address):
        server.have(names(COUNT))

        def take_over(number: int) -> None:
            if number == 2:
                with leases.writing("sqlite:///state.db", base=tmp_path) as database:
                    database.run("UPDATE portfolio_leases SET holder = 'elsewhere 1 2'")

        server.on_applied = take_over
        with pytest.raises(TryAgainLaterError, match="taken over"):
            deliver_http(scores(COUNT), crm(address, tmp_path), run=run())
        assert len(server.calls) == 2
        assert states(tmp_path) == {"sent": 100, "in_flight": 100, "pending": 150}


def _kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _deadly(moment: str, batch: int) -> None:
    """Let the delivery of this process die at the moment."""
    send, begun = HubSpot.send, iter(range(1, 1000))

    def sending(self, rows, reference):
        number = next(begun)
        if moment == "before" and number == batch:
            _kill_myself()
        answer = send(self, rows, reference)
        if moment == "answered" and number == batch:
            _kill_myself()
        return answer

    HubSpot.send = sending
    if moment == "begun":
        HubSpot.settle = lambda *_: _kill_myself()
        leases.Lease.writing = lambda *_: _kill_myself()
