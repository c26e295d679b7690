"""Files that are a process's own until it ends, however it ends.

The system ends a lock with its process, so a file that nobody holds was left by one that died:
no clock and no process number has to be believed, and a container sees what another one holds.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # elsewhere than on Unix files have no locks, and nothing counts as left
    HAS_LOCKS = False
else:
    HAS_LOCKS = True


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """A new and empty file that this process holds for the length of a `with` block.

    Args:
        path: Where no file is yet. Within the block it may be renamed or removed.

    Raises:
        OSError: There is one, or its folder is missing, may not be written or is full.
    """
    handle = _new(path)
    if not HAS_LOCKS:
        os.close(handle)  # an open file cannot be renamed there
        yield
        return
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def left(path: Path) -> Iterator[bool]:
    """Whether the process that claimed a file has ended; never where the system cannot tell.

    Within the `with` block nobody else finds it left, so that who does may remove it.
    """
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        yield False
        return
    try:
        yield _is_free(handle)
    finally:
        os.close(handle)


def _is_free(handle: int) -> bool:
    if not HAS_LOCKS:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody holds it, or the file system has no locks
        return False
    return True


def _new(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if not HAS_LOCKS:
            return handle
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            return handle  # a file system without locks
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)  # it was taken for left, and removed, before it was locked
