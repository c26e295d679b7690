"""What every command prints with: JSON, names and values, a console of a sensible width."""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from portfolio_ml.cli.versions import is_told, versions
from portfolio_ml.display import SmallTable, are_numbers

PIPED_WIDTH = 10_000
"""Letters in a line where there is no terminal: nothing is ever broken there."""
SHORT_LETTERS = 14
"""Texts up to so many letters are not broken."""
LONG_LETTERS = 30
"""Rows with longer ones are told in lines of their own where the table does not fit."""

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


def print_title(text: str) -> None:
    """A title: across the terminal, or a line of its own."""
    if sys.stdout.isatty():
        console().rule(text)
    else:
        print_line(f"{text}\n")


def print_sentence(text: str, *, indent: int = 0) -> None:
    """A sentence, broken between words where the terminal is too narrow for it."""
    if sys.stdout.isatty():
        console().print(Padding(Text(text), (0, 0, 0, indent)))
    else:
        print_line(" " * indent + text)


def print_table(shown: SmallTable) -> None:
    """A small table, numbers to the right.

    On a terminal long texts are wrapped. Where it is too narrow for that, columns go below each
    other, or each row is told in lines of its own. Elsewhere it is plain text, nothing broken.
    """
    if not sys.stdout.isatty():
        print_line(f"{shown.to_text().strip()}\n")
        return
    if (parts := _fitting(shown, console().width)) is None:
        _print_records(shown)
        return
    console().print(Text(shown.caption, style="bold"))
    for part in parts:
        console().print(part)
        console().print()


def _fitting(shown: SmallTable, width: int) -> list[Table] | None:
    """The table, or several with its first column each; None where long texts find no room."""
    if _needed(shown) <= width:
        return [_table(shown)]
    parts = [[0]]
    for place in range(1, len(shown.names)):
        if len(parts[-1]) > 1 and _needed(_columns(shown, [*parts[-1], place])) > width:
            parts.append([0])
        parts[-1].append(place)
    tables = [_columns(shown, part) for part in parts]
    has_long = any(len(str(cell)) > LONG_LETTERS for row in shown.rows for cell in row)
    return None if has_long or max(map(_needed, tables)) > width else [*map(_table, tables)]


def _columns(shown: SmallTable, places: Sequence[int]) -> SmallTable:
    rows = [[row[place] for place in places] for row in shown.rows]
    return SmallTable.of(shown.caption, [shown.names[place] for place in places], rows)


def _needed(shown: SmallTable) -> int:
    """The letters that a table takes where every text is wrapped as far as it may be."""
    wide = Console(width=PIPED_WIDTH)
    return _table(shown).__rich_measure__(wide, wide.options).minimum


def _table(shown: SmallTable) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    cells = [[" ".join(str(value).split()) for value in row] for row in shown.rows]
    for place, name in enumerate(shown.names):
        texts = [row[place] for row in cells]
        widest = max(map(len, texts), default=0)
        is_number = bool(place) and are_numbers(texts)
        is_whole = is_number or widest <= SHORT_LETTERS
        table.add_column(
            name,
            justify="right" if is_number else "left",
            no_wrap=is_whole,
            min_width=max(widest, len(name)) if is_whole else SHORT_LETTERS,
            overflow="fold",
        )
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def _print_records(shown: SmallTable) -> None:
    """Every row in lines of its own, the first cell as its title."""
    console().print(Text(shown.caption, style="bold"))
    for first, *others in shown.rows:
        print_sentence(str(first))
        for name, value in zip(shown.names[1:], others, strict=True):
            if value not in (None, ""):
                print_sentence(f"{name}: {value}", indent=2)
    print_line("")


def print_pairs(title: str, pairs: Mapping[str, str]) -> None:
    """Names and values in two columns, the values wrapped where the terminal is narrow."""
    width = max(map(len, pairs))
    if not sys.stdout.isatty():
        print_line(title)
        for name, value in pairs.items():
            print_line(f"  {name:<{width}}  {value}")
        print_line("")
        return
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(name, Text(value))
    console().print(table)


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

    A terminal is, anything else only with FORCE_COLOR; and nothing where NO_COLOR is set, as Rich
    reads them.
    """
    return Console(
        file=stream,
        width=None if stream.isatty() else PIPED_WIDTH,
        color_system=None if Console(file=stream).no_color else "auto",
    )


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _finite(values: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(values, Mapping):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
