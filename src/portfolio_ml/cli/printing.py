"""What every command prints with: JSON, names and values, a console of a sensible width."""

import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO, TypeVar

from rich.console import Console

from portfolio_ml.cli.versions import is_told, versions
from portfolio_ml.display import SmallTable

PIPED_WIDTH = 10_000

Result = TypeVar("Result")


def told(
    result: Result,
    *,
    plain: Callable[[Result], Mapping[str, Any]],
    drawn: Callable[[Result], None],
    as_json: bool,
) -> None:
    """Tell a result: as plain values in JSON for a program, or drawn for a person."""
    if as_json:
        print_json(plain(result))
    else:
        drawn(result)


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON object on standard output; what is not a number is null."""
    print(json.dumps(_finite(values), default=str))


def print_versions(*, as_json: bool) -> None:
    """What a report of a problem should name; extras that are not installed only in JSON."""
    found = versions()
    if as_json:
        print_json(found)
        return
    told = {name: said for name, said in found.items() if is_told(name, said)}
    width = max(map(len, told))
    for name, said in told.items():
        print_line(f"{name:<{width}}  {said or 'is not installed'}")


def print_line(text: str) -> None:
    """One line, as it is: broken nowhere, so that what stands in it can be copied."""
    console().print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_text(table: SmallTable) -> None:
    """A small table in columns of plain text, and a blank line."""
    print_line(f"{table.to_text().strip()}\n")


def print_rows(facts: Mapping[str, Any]) -> None:
    """Names and values, a line each."""
    for name, value in facts.items():
        label = name.replace("_", " ")
        if isinstance(value, Mapping):
            print_line(f"{label}:")
            for key, inner in value.items():
                print_line(f"  {key}: {_shown(inner)}")
        else:
            print_line(f"{label}: {_shown(value)}")


def console() -> Console:
    """Standard output: as wide as a terminal; elsewhere so wide that nothing is ever broken."""
    return console_on(sys.stdout)


def console_on(stream: TextIO) -> Console:
    """A stream, drawn on with colour only where its reader wants it.

    A terminal is, unless NO_COLOR is set; anything else only with FORCE_COLOR.
    """
    is_terminal = stream.isatty()
    is_plain = bool(os.environ.get("NO_COLOR")) or not (
        is_terminal or os.environ.get("FORCE_COLOR")
    )
    return Console(
        file=stream,
        width=None if is_terminal else PIPED_WIDTH,
        color_system=None if is_plain else "auto",
        force_terminal=None if is_terminal else not is_plain,
    )


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _finite(values: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(values, Mapping):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
