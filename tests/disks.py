"""A file system of a test's own, as small as the test wants it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_LARGE = 1 << 30


class Disk:
    """A file system in a folder, whose size can be changed while it is in use.

    Args:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def used(self) -> int:
        """The bytes that are taken."""
        told = os.statvfs(self.folder)
        return (told.f_blocks - told.f_bfree) * told.f_frsize

    def leave(self, room: int) -> None:
        """Leave room for so many bytes more."""
        self._resize(max(self.used + room, os.sysconf("SC_PAGE_SIZE")))  # 0 would be no limit

    def widen(self) -> None:
        """Leave room for all that a test may want."""
        self._resize(_LARGE)

    def _resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """Such a disk for the length of a `with` block; the test is skipped where none may be made."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_LARGE}", "portfolio-ml-tests", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no disk can be made to be filled: {made.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
