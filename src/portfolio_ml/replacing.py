"""A file that replaces the one before, whole or not at all.

What a process that was killed had written so far lies beside the name; the next one removes it.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import BinaryIO

from portfolio_ml.locks import claimed, left

_HEX = "[0-9a-f]" * 32


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside the name, flush to the disk and rename: a reader finds the old file or the new.

    Before it, what writers of the same name left who were killed is removed.

    Args:
        path: The file, in a folder that exists.
        write: Writes the content into the open file. Whatever it raises, the file before stays.

    Raises:
        OSError: The folder is missing, may not be written or is full.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    _remove_left(path)
    with claimed(part):
        try:
            with part.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    _flush_folder(path.parent)


def replace_bytes(path: Path, content: bytes) -> None:
    """The same for content at hand; errors are those of `replace_file`."""
    replace_file(path, lambda file: file.write(content))


def make_folder(path: Path) -> None:
    """Make the folder where it is missing, on the disk too.

    Raises:
        OSError: The folder above it is missing or may not be written, or a file has its name.
    """
    if not path.is_dir():
        path.mkdir(exist_ok=True)
        _flush_folder(path.parent)


def remove_unfinished(folder: Path, name: str | None = None) -> None:
    """Remove what writers that were killed left in a folder.

    Only for those who know that nobody is writing there now; they need no locks for it.

    Args:
        folder: The folder, which may be missing.
        name: The file that they were writing; without it, any file of the folder.

    Raises:
        OSError: The folder may not be written.
    """
    for part in _parts(folder, "*" if name is None else escape(name)):
        part.unlink(missing_ok=True)


def _remove_left(path: Path) -> None:
    """The same for one name, where others may be writing."""
    for part in _parts(path.parent, escape(path.name)):
        with left(part) as is_left, suppress(OSError):  # whoever may not remove it may write
            if is_left:
                part.unlink(missing_ok=True)


def _parts(folder: Path, name: str) -> Iterator[Path]:
    return folder.glob(f".{name}.{_HEX}.part")


def _flush_folder(folder: Path) -> None:
    """Flush the folder too: a rename is on the disk only then."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
