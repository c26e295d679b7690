"""What every command prints with: JSON, names and values, a console of a sensible width."""

import json
import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console

PIPED_WIDTH = 110


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON object on standard output; what is not a number is null."""
    print(json.dumps(_finite(values), default=str))


def print_rows(facts: Mapping[str, Any]) -> None:
    """Names and values, a line each."""
    out = console()
    for name, value in facts.items():
        label = name.replace("_", " ")
        if isinstance(value, Mapping):
            out.print(f"{label}:", highlight=False)
            for key, inner in value.items():
                out.print(f"  {key}: {_shown(inner)}", highlight=False)
        else:
            out.print(f"{label}: {_shown(value)}", highlight=False, soft_wrap=True)


def console() -> Console:
    """Standard output, as wide as the terminal; wide enough for a table where it is none."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=PIPED_WIDTH)


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _finite(values: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(values, Mapping):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
