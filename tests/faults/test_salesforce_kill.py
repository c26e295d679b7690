"""Deliveries to Salesforce that are killed at any moment of a job's life, and then run again.

The contract server, in the test's process, kills the delivery's: at the call that a moment is named
after, once it was carried out. Every other time it does so before the call is answered, else a
random while later. How often each moment is tried stands in `PORTFOLIO_ML_KILLS`.
"""

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from tests.contract.deliveries import names, run, scores
from tests.contract.salesforce_place import crm, held, salesforces, wanted
from tests.forked import forked

from portfolio_ml.sinks.http import Reconciled, deliver_http
from portfolio_ml.sinks.vendors.limits import Clock
from portfolio_ml.sinks.vendors.salesforce import Salesforce

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("PORTFOLIO_ML_KILLS", "2"))
COUNT = 120
JOB_ROWS = 50
HURRIED = Clock(sleep=lambda seconds: time.sleep(seconds / 1000))

MOMENTS = {
    "created, nothing uploaded": "create",
    "uploaded, not complete": "upload",
    "complete, no result": "close",
    "results not recorded": "unprocessed",
}


@pytest.fixture(scope="module")
def place():
    with salesforces() as place:
        yield place


@pytest.fixture(autouse=True)
def small_jobs(monkeypatch):
    monkeypatch.setattr(Salesforce, "most_rows", JOB_ROWS)


def deliver(server, folder: Path, mode: str) -> Reconciled:
    to = crm(server, folder, clock=HURRIED, mode=mode)
    return deliver_http(scores(COUNT), to, run=run())


class Killer:
    """Kills a process at the n-th call of a name, at once or a while after."""

    def __init__(self, name, *, nth, after):
        self.name, self.left, self.after = name, nth, after
        self.process = None

    def __call__(self, name):
        self.left -= name == self.name
        if self.process is None or name != self.name or self.left != 0:
            return False
        if self.after is None:
            self.process.kill()
            return True
        threading.Timer(self.after, self.process.kill).start()
        return False


@pytest.mark.parametrize("kill", range(KILLS))
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_delivery_is_finished_by_a_plain_run(place, tmp_path, moment, kill):
    dice = random.Random(f"{moment} {kill}")
    mode = dice.choice(["upsert", "update"])
    server = place.fresh()
    server.org.refused = set(names(COUNT)[::40])
    present = names(COUNT)
    if mode == "update":
        present = [name for number, name in enumerate(names(COUNT)) if number % 6 != 5]
        server.org.add(*present)

    after = None if kill % 2 == 0 else dice.random() * 0.05
    killer = Killer(MOMENTS[moment], nth=dice.randint(1, 3), after=after)
    assert killed(killer, server, tmp_path, mode) or after is not None
    if dice.random() < 0.3:  # the run that would finish it is killed too
        name = dice.choice(["poll", "done", "create", "upload", "close"])
        killed(Killer(name, nth=1, after=dice.random() * 0.02), server, tmp_path, mode)

    receipt = deliver(server, tmp_path, mode).receipt
    reached = [name for name in present if name not in server.org.refused]
    assert receipt.status == "delivered"
    assert receipt.sent + receipt.unchanged == len(reached)
    assert (receipt.rejected, receipt.absent) == (3, COUNT - len(present))
    right = wanted(COUNT)
    assert held(server) == {name: right[name] for name in reached}
    assert dict(server.org.writes) == dict.fromkeys(reached, 1)
    assert [job for job in server.org.jobs.values() if job.state == "Open" and job.data] == []

    made = len(server.calls)
    assert deliver(server, tmp_path, mode).stopped is None
    assert len(server.calls) == made


def killed(killer: Killer, server, folder: Path, mode: str) -> bool:
    """Run a delivery under a killer; gives whether it was killed."""
    known = threading.Event()
    server.on_call = lambda name: known.wait(60) and killer(name)
    with forked(delivered_there, folder, server.address, mode) as process:
        killer.process = process
        known.set()
        process.join(60)
        code = process.exitcode
    killer.process = None
    assert code in (0, -signal.SIGKILL)
    return code == -signal.SIGKILL


def delivered_there(folder: Path, address: str, mode: str) -> None:
    """A delivery in small jobs, to a server that another process holds."""
    Salesforce.most_rows = JOB_ROWS
    deliver(Elsewhere(address), folder, mode)


class Elsewhere:
    """What a process knows of the server."""

    def __init__(self, address):
        self.address = address
