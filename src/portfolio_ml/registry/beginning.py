"""One process at a time where a store may have to be begun.

MLflow makes its tables when it first looks for them, and two that look at once both make them. So
whoever opens a store waits until those before have looked: beside an SQLite file with the folder
locked, on a server with a lock of its database's.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portfolio_ml.databases import redacted, writing
from portfolio_ml.errors import TryAgainLaterError
from portfolio_ml.registry.address import SERVERS, SQLITE

try:
    import fcntl
except ImportError:  # elsewhere than on Unix folders have no locks, and nobody waits
    fcntl = None  # type: ignore[assignment]  # a module, or nothing

WAIT_SECONDS = 120.0
"""Making the tables takes ten seconds on a slow machine; after so many, something is stuck."""
_PAUSE_SECONDS = 0.1


@contextmanager
def alone_at_first(address: str) -> Iterator[None]:
    """Nobody else begins the store of this address within the `with` block.

    Raises:
        TryAgainLaterError: Another process does not come to an end with it.
    """
    if address.startswith(SQLITE):
        with _locked(Path(address.removeprefix(SQLITE)).parent, redacted(address)):
            yield
    elif address.startswith(SERVERS):
        with writing(address, base=Path()) as database:
            database.lock("portfolio-ml begins a tracking store")
            yield
    else:  # the server sees to that
        yield


@contextmanager
def _locked(folder: Path, where: str) -> Iterator[None]:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield  # whoever opens the store tells what is wrong with it
        return
    try:
        _lock(handle, where)
        yield
    finally:
        os.close(handle)  # which ends the lock


def _lock(handle: int, where: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise TryAgainLaterError(
                    "another process is beginning the tracking store",
                    where=where,
                    do="run again later",
                ) from None
            time.sleep(_PAUSE_SECONDS)
        except OSError:
            return  # a file system without locks
        else:
            return
