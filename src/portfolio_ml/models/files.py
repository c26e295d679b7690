"""Models as data: named byte strings, JSON and LightGBM text, never code."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from portfolio_ml.errors import DataError

ModelFiles = dict[str, bytes]

DESCRIPTION = "model.json"
TREES = "trees.txt"
FORMAT = 1


def described(kind: str, values: Mapping[str, Any]) -> bytes:
    """A model's JSON: its kind, the format's version and its values; keys are sorted.

    Example:
        >>> json.loads(described("churn", {"horizon_days": 90}))
        {'format': 1, 'horizon_days': 90, 'kind': 'churn'}
    """
    document = {"format": FORMAT, "kind": kind, **values}
    return json.dumps(document, sort_keys=True, indent=1, allow_nan=False).encode()


def description(files: Mapping[str, bytes], kind: str) -> dict[str, Any]:
    """The values in a model's JSON.

    Raises:
        DataError: It is missing, no JSON, of another kind or of another format.
    """
    values = _document(files)
    if values.get("kind") != kind:
        raise DataError("the model is of another kind", where=DESCRIPTION, do=f"load a {kind}")
    if values.get("format") != FORMAT:
        raise DataError("the model was written by another version", saw=str(values.get("format")))
    return values


def kind_of(files: Mapping[str, bytes]) -> str:
    """What kind of model the files are.

    Raises:
        DataError: Their description is missing or no JSON.
    """
    return str(_document(files).get("kind"))


@contextmanager
def understood() -> Iterator[None]:
    """What a description lacks or holds wrongly comes out of the block as an error of the tree.

    Raises:
        DataError: Naming the fault.
    """
    try:
        yield
    except KeyError as error:
        raise _unreadable(f"no {error}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise _unreadable(str(error)) from None


def _document(files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        values = json.loads(files[DESCRIPTION])
    except (KeyError, ValueError, RecursionError):
        raise _unreadable() from None
    if not isinstance(values, dict):
        raise _unreadable()
    return values


def _unreadable(saw: str | None = None) -> DataError:
    return DataError("the model's description cannot be read", where=DESCRIPTION, saw=saw)


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Each file's SHA-256, by name.

    Example:
        >>> digests({"trees.txt": b"tree"})["trees.txt"][:8]
        'dc9c5edb'
    """
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def verify(files: Mapping[str, bytes], expected: Mapping[str, str]) -> None:
    """Refuse files that are not the ones recorded.

    Raises:
        DataError: A file is missing, unexpected or has another digest.
    """
    found = digests(files)
    wrong = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    if wrong:
        raise DataError(
            "the model's files are not the ones that were registered",
            saw=f"another digest, or none, for {', '.join(wrong)}",
            do="restore the artifact, or take the alias champion off this version and retrain",
        )
