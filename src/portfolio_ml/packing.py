"""A `dict[str, bytes]` as a joblib file, and back, whoever wrote it.

What joblib writes is a pickle, a program for a small machine that may call and import whatever it
names. `unpacked` looks at the program first: one with any instruction beyond those that build a
dictionary of texts and bytes is refused before a single one of them runs. The unpickler that then
runs it knows no class and no function, either.
"""

import io
import pickle
import pickletools
from typing import Never

import joblib

from portfolio_ml.errors import DataError
from portfolio_ml.models.files import ModelFiles, most_bytes

_PROTOCOL = 4

# A memo's places may be read, and are taken one after the other (MEMOIZE): the native unpickler
# makes room for whatever place it is told.
_INSTRUCTIONS = frozenset(
    {
        *("PROTO", "FRAME", "EMPTY_DICT", "MARK", "SETITEM", "SETITEMS", "MEMOIZE", "STOP"),
        *("SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES", "BINGET", "LONG_BINGET"),
    }
)


def packed(files: ModelFiles) -> bytes:
    """A joblib file of the dictionary, uncompressed; the same files give the same bytes."""
    buffer = io.BytesIO()
    for name in files:
        most_bytes(name)
    joblib.dump(dict(sorted(files.items())), buffer, protocol=_PROTOCOL)
    return buffer.getvalue()


def unpacked(content: bytes, *, where: str) -> ModelFiles:
    """The dictionary that `packed` wrote.

    Args:
        content: The joblib file, of a size that was checked.
        where: What it is called.

    Raises:
        DataError: It would do more than build a dictionary of bytes, or is none of a model's.
    """
    _demand_harmless(content, where)
    try:
        files = _Unpickler(io.BytesIO(content)).load()
    except Exception as error:  # noqa: BLE001 - a broken pickle may raise anything
        raise _refusal(where, f"{error!s:.200}") from None
    if not isinstance(files, dict) or not all(
        isinstance(name, str) and isinstance(value, bytes) for name, value in files.items()
    ):
        raise _refusal(where, "something else than bytes by name")
    for name, value in files.items():
        if len(value) > most_bytes(name):
            raise _refusal(where, f"{len(value):,} bytes in {name}")
    return files


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Never:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is not loaded")


def _demand_harmless(content: bytes, where: str) -> None:
    try:
        alien, end = None, 0
        for instruction, argument, place in pickletools.genops(content):
            end = (place or 0) + 1
            if instruction.name not in _INSTRUCTIONS:
                alien = f"the instruction {instruction.name} {argument or ''!s:.80}".rstrip()
                break
    except Exception as error:  # noqa: BLE001 - of whatever is no pickle
        raise _refusal(where, f"{error!s:.200}") from None
    if alien is not None or end != len(content):
        raise _refusal(where, alien or "more behind its end")


def _refusal(where: str, saw: str) -> DataError:
    return DataError(
        "the joblib file is no dictionary of a model's files",
        where=where,
        saw=saw,
        do="take it from somebody you trust, as models export wrote it",
    )
