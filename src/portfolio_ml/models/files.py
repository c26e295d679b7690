"""Models as data: named byte strings, JSON and LightGBM text, never code."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from portfolio_ml.errors import DataError

ModelFiles = dict[str, bytes]

DESCRIPTION = "model.json"
TREES = "trees.txt"
FORMAT = 1


def described(kind: str, values: Mapping[str, Any]) -> bytes:
    """A model's JSON: its kind, the format's version and its values; keys are sorted."""
    document = {"format": FORMAT, "kind": kind, **values}
    return json.dumps(document, sort_keys=True, indent=1, allow_nan=True).encode()


def description(files: Mapping[str, bytes], kind: str) -> dict[str, Any]:
    """The values in a model's JSON.

    Raises:
        DataError: It is missing, no JSON, of another kind or of a newer format.
    """
    try:
        values = json.loads(files[DESCRIPTION])
    except (KeyError, ValueError, RecursionError):
        raise DataError("the model's description cannot be read", where=DESCRIPTION) from None
    if not isinstance(values, dict) or values.get("kind") != kind:
        raise DataError("the model is of another kind", where=DESCRIPTION, do=f"load a {kind}")
    if values.get("format") != FORMAT:
        raise DataError("the model was written by another version", saw=str(values.get("format")))
    return values


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Each file's SHA-256, by name."""
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
            do="restore the artifact or retrain",
        )
