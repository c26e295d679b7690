"""Figures of the portfolio as small tables that fit a page."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.display import SmallTable
from portfolio_ml.portfolio.concentration import LORENZ
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.flow.cohorts import COHORTS
from portfolio_ml.portfolio.flow.monthly_flow import MONTHLY_FLOW
from portfolio_ml.schema import Column

LONGEST_TEXT = 60
"""Longer texts are wrapped by whoever draws the table."""
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
    if figure.name == COHORTS.name:
        return _retention(figure, rows=rows, width=width)
    shown, which = _looked_at(figure, rows)
    key = [name for name in figure.contract.key if name != "as_of"]
    told = [
        c
        for c in figure.contract.columns
        if c.name not in ("as_of", "colour", *key)
        and shown[c.name].null_count < max(shown.num_rows, 1)
    ]
    keys = [_cells(c, shown[c.name].to_pylist()) for c in figure.contract.columns if c.name in key]
    others = [_cells(c, shown[c.name].to_pylist()) for c in told]
    more = figure.rows.num_rows > shown.num_rows
    of_all = f" ({which} {shown.num_rows:,} of {figure.rows.num_rows:,})" if more else ""
    return _beside_each_other(figure.title + of_all, keys, others, width)


def _beside_each_other(
    title: str, keys: Sequence[Sequence[str]], others: Sequence[Sequence[str]], width: int
) -> list[SmallTable]:
    """Columns as tables no wider than a page, each with the keys first."""
    first, *rest = _parts(keys, others, width)
    return [_table(title, [*keys, *first]), *(_table("", [*keys, *part]) for part in rest)]


def _retention(figure: Figure, *, rows: int, width: int) -> list[SmallTable]:
    """A row for each of the newest cohorts: which share of it bought in each period of days."""
    found = figure.rows.to_pylist()
    cohorts = sorted({row["cohort"] for row in found})
    shown = cohorts[-rows:]
    share = {(row["cohort"], row["period"]): row["share"] for row in found}
    sizes = {row["cohort"]: f"{row['customers']:,}" for row in found}
    periods = sorted(
        {
            period
            for (cohort, period), known in share.items()
            if cohort in shown and known is not None
        }
    )
    keys = [["cohort", *shown], ["customers", *(sizes[cohort] for cohort in shown)]]
    columns = [
        [
            "-".join(part.lstrip("0") or "0" for part in period.split("-")),
            *(_percent(share.get((cohort, period))) for cohort in shown),
        ]
        for period in periods
    ]
    more = f", the newest {len(shown)} of {len(cohorts)}" if len(shown) < len(cohorts) else ""
    title = f"{figure.title} (who bought, by days since the first purchase{more})"
    return _beside_each_other(title, keys, columns, width)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _looked_at(figure: Figure, rows: int) -> tuple[pa.Table, str]:
    """The rows that people look at first, at most so many, and which they are."""
    found = figure.rows
    match figure.name:
        case MONTHLY_FLOW.name:
            newest = found.sort_by([("month", "descending")])
            return newest.slice(0, rows), "the newest"
        case LORENZ.name:
            now = found.filter(pc.equal(found["moment"], "now"))
            places = np.unique(
                np.linspace(0, now.num_rows - 1, min(rows + 1, now.num_rows), dtype=int)
            )
            return now.take(places[-rows:]), "evenly spaced,"
        case _:
            return found.slice(0, rows), "the first"


def _pairs(figure: Figure) -> SmallTable:
    """The one row of a figure, a line for each column that tells something."""
    [row] = figure.rows.to_pylist()
    told = [c for c in figure.contract.columns if c.name != "as_of" and row[c.name] is not None]
    lines = [[c.name.replace("_", " "), _cell(row[c.name], c)] for c in told]
    return SmallTable.of(figure.title, ["", ""], lines)


def _parts(
    keys: Sequence[Sequence[str]], others: Sequence[Sequence[str]], width: int
) -> list[list[Sequence[str]]]:
    """The other columns, so many at a time as fit beside the keys; at least one."""
    left = width - sum(_width(column, width) for column in keys)
    parts: list[list[Sequence[str]]] = [[]]
    room = left
    for column in others:
        if parts[-1] and _width(column, width) > room:
            parts.append([])
            room = left
        parts[-1].append(column)
        room -= _width(column, width)
    return parts


def _table(caption: str, columns: Sequence[Sequence[str]]) -> SmallTable:
    names = [column[0] for column in columns]
    return SmallTable.of(caption, names, zip(*(column[1:] for column in columns), strict=True))


def _width(column: Sequence[str], page: int) -> int:
    """What a column takes; long texts are wrapped, so that half a page is enough for any."""
    return min(max(map(len, column)), LONGEST_TEXT, page // 2) + _BETWEEN


def _cells(column: Column, values: Sequence[object]) -> list[str]:
    """A column's name and values, as people read them."""
    return [column.name.replace("_", " "), *(_cell(value, column) for value in values)]


def _cell(value: object, column: Column) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.{2 if column.decimals is None else column.decimals}f}"
    return str(value)
