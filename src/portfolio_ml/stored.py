"""Frozen dataclasses of plain values as JSON, and back to what they were."""

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import cache
from math import isfinite, nan
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from portfolio_ml.errors import DataError

Kind = TypeVar("Kind")


def to_json(thing: object) -> bytes:
    """A frozen dataclass as JSON; dates are ISO 8601, what is undefined is null.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Point:
        ...     day: date
        ...     share: float
        >>> to_json(Point(date(2024, 6, 30), nan))
        b'{"day":"2024-06-30","share":null}'
    """
    return json.dumps(_plain(thing), allow_nan=False, separators=(",", ":")).encode()


def from_json(kind: type[Kind], text: str | bytes, *, what: str, do: str) -> Kind:
    """What `to_json` wrote, as the dataclass that it was; a number that was undefined is NaN.

    Args:
        kind: The dataclass.
        text: What was written.
        what: What it is of, for the error.
        do: How it is written anew, likewise.

    Raises:
        DataError: The text is no JSON, or is not what `to_json` writes of such a dataclass.
    """
    try:
        found: Kind = _restored(kind, json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{what} cannot be read", saw=f"{type(error).__name__}: {error}", do=do
        ) from error
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value, the most frequent kinds first
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    kind: Any = type(value)
    return {name: _plain(getattr(value, name)) for name in _names(kind)}


@cache
def _names(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - any dataclass
    """The fields of a dataclass."""
    return tuple(field.name for field in fields(kind))


def _restored(kind: Any, value: Any) -> Any:  # noqa: ANN401, PLR0911 - any value, each kind in turn
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        (other,) = (each for each in get_args(kind) if each is not type(None))
        return None if value is None else _restored(other, value)
    if origin is tuple:
        inner = get_args(kind)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_restored(each, given) for each, given in zip(kinds, value, strict=True))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {name: _restored(get_args(kind)[1], each) for name, each in value.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        held = {name: _restored(hint, value[name]) for name, hint in _hints(kind).items()}
        return kind(**held)
    if kind in (date, datetime):
        return kind.fromisoformat(value)
    if kind is float:
        return nan if value is None else float(value)
    return value


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    """The fields of a dataclass, and what each holds."""
    hints = get_type_hints(kind)
    return {name: hints[name] for name in _names(kind)}
