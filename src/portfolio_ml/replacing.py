"""A file that replaces the one before, whole or not at all."""

import os
import uuid
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import BinaryIO

_HEX = "[0-9a-f]" * 32


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside the name, flush to the disk and rename: a reader finds the old file or the new.

    Args:
        path: The file, in a folder that exists.
        write: Writes the content into the open file. Whatever it raises, the file before stays.

    Raises:
        OSError: The folder is missing, may not be written or is full.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
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

    Only for those who know that nobody is writing there now.

    Args:
        folder: The folder, which may be missing.
        name: The file that they were writing; without it, any file of the folder.

    Raises:
        OSError: The folder may not be written.
    """
    for part in folder.glob(f".{'*' if name is None else escape(name)}.{_HEX}.part"):
        part.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Flush the folder too: a rename is on the disk only then."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
