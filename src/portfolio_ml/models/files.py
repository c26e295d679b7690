"""Models as data: named byte strings, JSON and LightGBM text, never code."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from portfolio_ml.errors import DataError
from portfolio_ml.untrusted import json_value

ModelFiles = dict[str, bytes]

DESCRIPTION = "model.json"
TREES = "trees.txt"
FORMAT = 1

MAX_JSON_BYTES = 20_000_000
MAX_TEXT_BYTES = 200_000_000
MAX_DAYS = 100_000

_NAME = re.compile(r"[a-z_]{1,60}\.(?P<kind>json|txt)")


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
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise _unreadable(str(error)[:200]) from None


def days(value: object) -> int:
    """A number of days, as a description holds it.

    Raises:
        ValueError: It is no whole number from 1 to 100,000.

    Example:
        >>> days(90)
        90
    """
    if not isinstance(value, int) or not 0 < value <= MAX_DAYS:
        raise ValueError(f"a number of days is needed, not {value!r:.40}")
    return value


def numbers(values: Mapping[str, object]) -> dict[str, float]:
    """Numbers by name, as a description holds them.

    Raises:
        TypeError: One is no number; OverflowError where it is too large to be one.

    Example:
        >>> numbers({"rate": 0.1, "prior_spend": 40})
        {'rate': 0.1, 'prior_spend': 40.0}
    """
    found: dict[str, float] = {}
    for name, value in values.items():
        if not isinstance(value, int | float):
            raise TypeError(f"{name} is no number: {value!r:.40}")
        found[name] = float(value)
    return found


def ascending(values: Any) -> tuple[float, ...]:  # noqa: ANN401 - any JSON value
    """Numbers in a list of a description, none smaller than the one before.

    Raises:
        ValueError: They are in another order; TypeError where they are no list of numbers.

    Example:
        >>> ascending([1, 2.5])
        (1.0, 2.5)
    """
    found = listed(values)
    if [*found] != sorted(found):
        raise ValueError("edges must ascend")
    return found


def listed(values: Any) -> tuple[float, ...]:  # noqa: ANN401 - any JSON value
    """Numbers in a list of a description.

    Raises:
        TypeError: They are no list of numbers.

    Example:
        >>> listed([2, 1.5])
        (2.0, 1.5)
    """
    is_list = isinstance(values, list | tuple)
    if not is_list or not all(isinstance(value, int | float) for value in values):
        raise TypeError(f"a list of numbers is needed, not {values!r:.40}")
    return tuple(map(float, values))


def texts(values: Any) -> tuple[str, ...]:  # noqa: ANN401 - any JSON value
    """Texts in a list of a description.

    Raises:
        TypeError: They are no list of texts.

    Example:
        >>> texts(["spend", "recency_days"])
        ('spend', 'recency_days')
    """
    is_list = isinstance(values, list | tuple)
    if not is_list or not all(isinstance(value, str) for value in values):
        raise TypeError(f"a list of texts is needed, not {values!r:.40}")
    return tuple(values)


def most_bytes(name: str) -> int:
    """How large a file of a model may be.

    Raises:
        DataError: No file of a model has such a name.

    Example:
        >>> most_bytes("model.json")
        20000000
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError("this is no name of a model's file", saw=f"{name!r:.80}")
    return MAX_JSON_BYTES if match["kind"] == "json" else MAX_TEXT_BYTES


def _document(files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        values = json_value(files[DESCRIPTION], most=MAX_JSON_BYTES)
    except KeyError:
        raise _unreadable("none") from None
    except ValueError as error:
        raise _unreadable(str(error)[:200]) from None
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
    _demand_none(name for name in {*found, *expected} if found.get(name) != expected.get(name))


def demand_names(found: Collection[str], expected: Collection[str]) -> None:
    """Refuse a set of files that are not those recorded, before any is read.

    Raises:
        DataError: One is missing, unexpected, or could be none of a model's.
    """
    _demand_none({*found} ^ {*expected})
    for name in expected:
        most_bytes(name)


def _demand_none(wrong: Iterable[str]) -> None:
    if names := sorted(wrong):
        raise DataError(
            "the model's files are not the ones that were registered",
            saw=f"another digest, or none, for {', '.join(names)!r:.200}",
            do="restore the artifact, or take the alias champion off this version and retrain",
        )
