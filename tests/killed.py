"""Deliveries in processes that are killed, cut off or left without their server half-way.

Run as a program, `python -m tests.killed URL FOLDER TABLE AS_OF ROWS` prepares everything once. For
each line it reads it forks a process that delivers, tells that process's id, waits for its end and
tells how it ended.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from tests.crm import Crm, many, run_of

from portfolio_ml.errors import PortfolioError
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.sinks.sql import deliver_sql

TABLE = "customer_scores"


def deliver_many(crm: Crm, as_of: date, count: int) -> Receipt:
    """Deliver that many rows of a day."""
    run = run_of(as_of, f"r{as_of}")
    return deliver_sql(many(as_of, count), url=crm.url, table=TABLE, base=crm.base, run=run)


@dataclass
class Deliverer:
    """A process that delivers the same rows again and again, each time in a child to be killed."""

    process: "subprocess.Popen[str]"
    seconds: float = 0.0
    child: int = field(default=0, init=False)

    def begin(self) -> None:
        """Let a delivery begin."""
        self._tell("go")
        self.child = int(self._read())

    def kill(self) -> None:
        """Kill the delivery that runs, if it still does."""
        os.kill(self.child, signal.SIGKILL)

    def end(self) -> str:
        """Wait for the end of the delivery; gives how it ended: done, killed or an error."""
        self._tell("wait")
        return self._read()

    def measure(self) -> str:
        """One delivery that nobody disturbs, to learn how long it takes."""
        began = time.monotonic()
        self.begin()
        ended = self.end()
        self.seconds = time.monotonic() - began
        return ended

    def disturbed(self, moments: random.Random, disturb: Callable[[], object]) -> str:
        """A delivery that is disturbed at some moment of its usual time; gives how it ended."""
        self.begin()
        time.sleep(moments.random() * self.seconds * 1.1)
        disturb()
        return self.end()

    def _tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def _read(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        return line


@contextmanager
def deliverer(crm: Crm, as_of: date, count: int) -> Iterator[Deliverer]:
    """Such a process, ready to deliver."""
    folder = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.killed", crm.url, str(crm.base), str(as_of), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
    )
    found = Deliverer(process)
    try:
        assert found._read() == "ready"
        yield found
    finally:
        process.kill()
        process.communicate()


def _main(url: str, folder: str, as_of: str, count: str) -> None:
    crm, day = Crm(url, Path(folder)), date.fromisoformat(as_of)
    rows, run = many(day, int(count)), run_of(day, f"r{day}")
    _say("ready")
    while sys.stdin.readline():
        child = os.fork()
        if not child:
            try:
                deliver_sql(rows, url=crm.url, table=TABLE, base=crm.base, run=run)
            except PortfolioError as error:
                os.write(2, f"{error}\n".encode())
                os._exit(error.exit_code)
            os._exit(0)
        _say(str(child))
        sys.stdin.readline()
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        _say({0: "done", -signal.SIGKILL: "killed"}.get(code, str(code)))


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main(*sys.argv[1:])
