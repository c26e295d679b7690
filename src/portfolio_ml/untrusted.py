"""What comes from outside, read with care: plain files of a bounded size, and JSON of plain values.

Nothing here runs, links or allocates what the content asks for.
"""

import json
import os
import stat
from math import isfinite
from pathlib import Path
from typing import Any

from portfolio_ml.errors import DataError


def file_bytes(path: Path, *, most: int) -> bytes:
    """The content of a plain file.

    A link is not followed, a pipe or device not waited for, and a file that is too large, or grows
    while it is read, not taken in.

    Args:
        path: The file.
        most: How many bytes it may have.

    Raises:
        DataError: It is missing, may not be read, is no plain file, or is too large.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        is_link = isinstance(error, OSError) and path.is_symlink()
        saw = "a link" if is_link else getattr(error, "strerror", None) or str(error)
        raise DataError("the file cannot be read", where=str(path), saw=saw) from None
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise DataError("this is no plain file", where=str(path))
        if about.st_size > most:
            raise _too_large(path, about.st_size, most)
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(most + 1)
    finally:
        os.close(handle)
    if len(content) > most:
        raise _too_large(path, len(content), most)
    return content


def json_value(content: bytes, *, most: int) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a JSON text of UTF-8, whose every number is finite.

    Args:
        content: The text.
        most: How many bytes it may have.

    Raises:
        ValueError: It is no such text, is too large, or nests too deeply.

    Example:
        >>> json_value(b'{"days": 90}', most=100)
        {'days': 90}
    """
    if len(content) > most:
        raise ValueError(f"{len(content):,} bytes of JSON, at most {most:,} are read")
    try:
        return json.loads(content.decode(), parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("JSON that nests too deeply") from None


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def _too_large(path: Path, size: int, most: int) -> DataError:
    return DataError(
        "the file is too large", where=str(path), saw=f"{size:,} bytes, at most {most:,} are read"
    )
