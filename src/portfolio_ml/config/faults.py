"""What is wrong with a config, one line per place, with the path that leads there."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from portfolio_ml.config.settings import Settings
from portfolio_ml.errors import nearest

_PLAINLY = {
    "model_type": "input should be a mapping of keys to values",
    "dict_type": "input should be a mapping of keys to values",
    "tuple_type": "input should be a list",
    "date_type": "input should be a date such as 2020-03-16",
    "date_parsing": "input should be a date such as 2020-03-16",
    "date_from_datetime_parsing": "input should be a date such as 2020-03-16",
    "union_tag_not_found": "the key 'kind' must say which one it is",
    "union_tag_invalid": "kind should be one of {expected_tags}, not '{tag}'",
}
_PATTERNS = {
    "name": "use letters, digits, _ and -, such as shop_de",
    "engine.memory_limit": "write a number and its unit, such as 4GB or 80%",
    "engine.master": "write it as local[4], spark://host:7077, yarn or k8s://...",
    "engine.remote": "write it as sc://host:15002",
    "data.transactions.format.date_format": "write it as %d.%m.%Y",
}


def fault_lines(error: ValidationError, unset: Mapping[str, str]) -> Iterator[str]:
    """One line per place at fault, but none for a place whose value is not known."""
    messages: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False):
        is_unknown = fault["type"] == "extra_forbidden"
        *inner, last = fault["loc"]
        path = joined(_path(inner), last) if is_unknown else _path(fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] in _PLAINLY:
            message = _PLAINLY[fault["type"]].format_map(fault.get("ctx", {}))
        if fault["type"] == "string_pattern_mismatch" and path in _PATTERNS:
            message = _PATTERNS[path]
        message = message[:1].lower() + message[1:] + _likely(fault)
        if is_unknown:
            message = f"unknown key{hint(str(last), _keys_at(inner))}"
        messages.setdefault(path, []).append(message)
    for path, said in messages.items():
        if not any(_is_within(path, other) or _is_within(other, path) for other in unset):
            yield f"{path}: {', or '.join(said)}"


def _likely(fault: ErrorDetails) -> str:
    """What was probably meant where one of a few words must stand; empty elsewhere.

    What was written instead is not told: it may be anything, a secret too.
    """
    told = fault.get("ctx", {})
    written = {"literal_error": fault["input"], "union_tag_invalid": told.get("tag")}
    if not isinstance(word := written.get(fault["type"]), str):
        return ""
    return hint(word, re.findall(r"'([^']*)'", told.get("expected", told.get("expected_tags", ""))))


def hint(key: str, known: Iterable[str]) -> str:
    """What was probably meant, as the end of a sentence; empty where nothing is near."""
    guess = nearest(key, known)
    return f", did you mean {guess!r}?" if guess else ""


def _path(location: Sequence[int | str]) -> str:
    """Where a fault lies in the file, without the names of the kinds that were tried there."""
    path = ""
    for depth, (before, part) in enumerate(pairwise(("", *location))):
        is_kind = not str(part).isidentifier() or (
            (isinstance(before, int) or before == "engine")
            and part not in [*_keys_at(location[:depth])]
        )
        if isinstance(part, int) or not is_kind:
            path = joined(path, part)
    return path


def joined(path: str, part: int | str) -> str:
    """The path one step further down, such as `delivery[0].url`."""
    return f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}".lstrip(".")


def _is_within(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


def _keys_at(location: Sequence[int | str]) -> Iterator[str]:
    models: list[Any] = [Settings]
    for part in location:
        inner = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        models = [model for annotation in inner for model in _models_in(annotation)] or models
    for model in models:
        yield from model.model_fields


def _models_in(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - any annotation
    if hasattr(annotation, "model_fields"):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
