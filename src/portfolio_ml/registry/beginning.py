"""One process at a time where a store may have to be begun.

MLflow makes its tables when it first looks for them, and two that look at once both make them. So
whoever opens a store waits until those before have looked: beside an SQLite file with the folder
locked, on a server with a lock of its database's.

SQLite would keep the half that was made before a disk was full, which MLflow does not go on from:
"table scorers already exists". So an SQLite store is made beside its name, and gets the name when
it is whole.
"""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

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


def make_whole(address: str) -> None:
    """Make the tables of an SQLite store that has none yet, all or none; others are left alone.

    Only for those who are alone at it. What was left by one who was killed is removed.

    Raises:
        OSError: Its folder may not be written or is full; where the database finds out, it says
            so by an exception of its own.
    """
    path = Path(address.removeprefix(SQLITE))
    if not address.startswith(SQLITE) or (path.exists() and path.stat().st_size):
        return
    from mlflow.store.db import utils as untyped  # noqa: PLC0415 - who begins a store waits for it

    utils: Any = untyped
    _remove_parts(path)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    engine = utils.create_sqlalchemy_engine(f"{SQLITE}{part}")
    try:
        utils._initialize_tables(engine)  # noqa: SLF001 - `mlflow db upgrade` needs an older store
        engine.dispose()
        part.replace(path)
    finally:
        engine.dispose()
        _remove_parts(path)


def _remove_parts(path: Path) -> None:
    """Halves of a store, and what SQLite keeps beside them."""
    for each in path.parent.glob(f".{escape(path.name)}.*.part*"):
        each.unlink(missing_ok=True)


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
