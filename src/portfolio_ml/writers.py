"""Which process writes what, and whether it still does: what a dead one left can be cleaned up."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

LONGEST = timedelta(hours=24)
"""What was begun on another machine, which cannot be asked, counts as left after so long."""

_DEAD = ("Z", "X")  # ended, and not yet waited for
_AT_WORK: set[str] = set()


@contextmanager
def at_work(on: str) -> Iterator[None]:
    """For the length of a `with` block this process writes what goes by that name."""
    _AT_WORK.add(on)
    try:
        yield
    finally:
        _AT_WORK.discard(on)


@dataclass(frozen=True, slots=True)
class Writer:
    """A process on a machine; `began` tells it from later ones with the same number."""

    host: str
    process: int
    began: str

    @classmethod
    def this(cls) -> "Writer":
        """The process that asks."""
        return cls(socket.gethostname(), os.getpid(), _began(os.getpid()))

    @classmethod
    def read(cls, text: str) -> "Writer | None":
        """The writer that `str` gave; None where it is something else."""
        host, _, rest = text.partition(" ")
        process, _, began = rest.partition(" ")
        return cls(host, int(process), began) if process.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.host} {self.process} {self.began}"

    def has_left(self, on: str, *, begun: datetime, now: datetime | None) -> bool:
        """Whether nothing more can come from it to what goes by that name.

        Args:
            on: What `at_work` was told.
            begun: When it was begun.
            now: The time now; None where nobody told.
        """
        if self.host != socket.gethostname():
            return now is not None and abs(now - begun) > LONGEST  # a clock may have gone back
        if self.process == os.getpid():
            return on not in _AT_WORK
        return not _is_there(self.process) or _began(self.process) != self.began


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _began(process: int) -> str:
    """The tick at which a process began; empty where it is dead or the system does not tell."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    state, *others = status.rpartition(")")[2].split()
    return "" if state in _DEAD else others[18]
