"""The folder that a process works in, and what killed ones left of theirs."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from portfolio_ml.writers import Writer, at_work

PREFIX = "portfolio-ml-"
_WRITER = "writer"
_BEGUN = datetime(1970, 1, 1, tzinfo=UTC)  # nobody tells the time here, so another machine's stay


@contextmanager
def working_folder(within: Path | None) -> Iterator[Path]:
    """A folder of its own for the length of a `with` block; what dead processes left is removed.

    Args:
        within: The folder that it lies in; None for the system's own for such.

    Raises:
        OSError: There is no such folder, or it may not be written.
    """
    parent = Path(tempfile.gettempdir()) if within is None else within
    _tidy(parent)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent) as name, at_work(name):
        folder = Path(name)
        (folder / _WRITER).write_text(str(Writer.this()), encoding="utf-8")
        yield folder


def _tidy(parent: Path) -> None:
    """Remove the folders of processes of this user and machine that are dead."""
    for mark in parent.glob(f"{PREFIX}*/{_WRITER}"):
        with suppress(OSError, ValueError):  # somebody else's, or another process was faster
            writer = Writer.read(mark.read_text(encoding="utf-8"))
            is_ours = mark.parent.stat().st_uid == os.geteuid()
            if is_ours and writer and writer.has_left(str(mark.parent), begun=_BEGUN, now=None):
                shutil.rmtree(mark.parent, ignore_errors=True)
