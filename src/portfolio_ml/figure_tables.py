"""Figures of the portfolio as small tables that fit a page."""

from collections.abc import Sequence

from portfolio_ml.display import SmallTable
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.schema import Column

LONGEST_TEXT = 60
_BETWEEN = 2  # blanks between two columns


def figure_tables(figure: Figure, *, rows: int, width: int) -> list[SmallTable]:
    """The first rows of a figure, as tables beside each other that are no wider than a page.

    Each begins with the figure's key. Columns in which nothing is told are left out.

    Args:
        figure: A figure that is not absent.
        rows: How many rows, at most.
        width: The letters in a line of the page.
    """
    if figure.rows.num_rows == 1:
        return [_pairs(figure)]
    shown = figure.rows.slice(0, rows)
    key = [name for name in figure.contract.key if name != "as_of"]
    told = [
        c
        for c in figure.contract.columns
        if c.name not in ("as_of", *key) and shown[c.name].null_count < max(shown.num_rows, 1)
    ]
    keys = [_cells(c, shown[c.name].to_pylist()) for c in figure.contract.columns if c.name in key]
    others = [_cells(c, shown[c.name].to_pylist()) for c in told]
    more = figure.rows.num_rows > shown.num_rows
    of_all = f" (the first {shown.num_rows:,} of {figure.rows.num_rows:,})" if more else ""
    first, *rest = _parts(keys, others, width)
    return [
        _table(figure.title + of_all, [*keys, *first]),
        *(_table("", [*keys, *part]) for part in rest),
    ]


def _pairs(figure: Figure) -> SmallTable:
    """The one row of a figure, a line for each column that tells something."""
    [row] = figure.rows.to_pylist()
    told = [c for c in figure.contract.columns if c.name != "as_of" and row[c.name] is not None]
    lines = [[c.name.replace("_", " "), _whole(row[c.name], c)] for c in told]
    return SmallTable.of(figure.title, ["", ""], lines)


def _parts(
    keys: Sequence[Sequence[str]], others: Sequence[Sequence[str]], width: int
) -> list[list[Sequence[str]]]:
    """The other columns, so many at a time as fit beside the keys; at least one."""
    left = width - sum(map(_width, keys))
    parts: list[list[Sequence[str]]] = [[]]
    room = left
    for column in others:
        if parts[-1] and _width(column) > room:
            parts.append([])
            room = left
        parts[-1].append(column)
        room -= _width(column)
    return parts


def _table(caption: str, columns: Sequence[Sequence[str]]) -> SmallTable:
    names = [column[0] for column in columns]
    return SmallTable.of(caption, names, zip(*(column[1:] for column in columns), strict=True))


def _width(column: Sequence[str]) -> int:
    return max(map(len, column)) + _BETWEEN


def _cells(column: Column, values: Sequence[object]) -> list[str]:
    """A column's name and values, as people read them."""
    return [column.name.replace("_", " "), *(_cell(value, column) for value in values)]


def _cell(value: object, column: Column) -> str:
    text = _whole(value, column)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _whole(value: object, column: Column) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.{2 if column.decimals is None else column.decimals}f}"
    return str(value)
