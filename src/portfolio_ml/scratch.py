"""Folders for a while, whose leftovers the next process removes.

Who is killed removes nothing. So each folder has a file that its process holds, and whoever makes
a folder beside it removes those whose file nobody holds any more.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from portfolio_ml.errors import ServiceUnavailableError
from portfolio_ml.locks import claimed, left

PREFIX = "portfolio-ml-run-"
"""What the names of such folders begin with."""
_HELD, _FILES = "held", "files"


@contextmanager
def folder(within: Path | None = None) -> Iterator[Path]:
    """An empty folder for the length of a `with` block, after those of dead processes are removed.

    Args:
        within: Where it is made; the system's folder for temporary files if not given.

    Raises:
        ServiceUnavailableError: That folder is missing, may not be written or is full.

    Example:
        >>> with folder() as own:
        ...     _ = (own / "part").write_text("1")
        >>> own.exists()
        False
    """
    with ExitStack() as held:
        own = _begun(within, held)
        try:
            yield own / _FILES
        finally:
            _emptied(own)
            shutil.rmtree(own, ignore_errors=True)


@contextmanager
def for_everything() -> Iterator[None]:
    """What anybody in this process calls temporary lies in such a folder, within a `with` block.

    For a process that is the package's alone. Where no folder can be made, nothing is changed:
    whoever needs one says so.
    """
    before = tempfile.tempdir
    with ExitStack() as held:
        with suppress(ServiceUnavailableError):
            tempfile.tempdir = str(held.enter_context(folder()))
        try:
            yield
        finally:
            tempfile.tempdir = before


def _begun(within: Path | None, held: ExitStack) -> Path:
    place = within
    try:
        place = Path(tempfile.gettempdir()) if within is None else within
        _remove_left(place)
        return _made(place, held)
    except OSError as error:
        raise ServiceUnavailableError(
            "there is no room for temporary files",
            where="the system's folders for them" if place is None else str(place),
            saw=error.strerror or type(error).__name__,
            do="free some space there, or name a roomier folder: TMPDIR in the environment, "
            "engine.temp_directory in the config",
        ) from error


def _made(place: Path, held: ExitStack) -> Path:
    while True:
        own = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        try:
            held.enter_context(claimed(own / _HELD))
            (own / _FILES).mkdir()
        except FileNotFoundError:
            continue  # it was taken for left, and removed, before it was claimed
        except OSError:
            shutil.rmtree(own, ignore_errors=True)
            raise
        return own


def _remove_left(place: Path) -> None:
    for each in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process removes it, too
            if _is_own(each):
                _remove(each)


def _is_own(found: Path) -> bool:
    """Whether it is a folder of this user's, and no link to something else."""
    status = found.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _remove(found: Path) -> None:
    with left(found / _HELD) as is_left:
        if is_left:
            _emptied(found)
            shutil.rmtree(found)
            return
    if not any(found.iterdir()):
        found.rmdir()


def _emptied(found: Path) -> None:
    """What is held goes last, so that the next process can finish half a removal."""
    shutil.rmtree(found / _FILES, ignore_errors=True)
