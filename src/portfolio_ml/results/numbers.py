"""Numbers as the tables show them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from portfolio_ml.display import SmallTable


def rows_table(caption: str, rows: Sequence[Mapping[str, Any]]) -> SmallTable:
    """Some rows of a table, numbers with two decimals."""
    return SmallTable.of(
        caption, [*rows[0]] if rows else [], [[*map(_plain, row.values())] for row in rows]
    )


def rate(value: float) -> str:
    """A metric's value; a dash where it does not exist."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def _plain(value: object) -> object:
    if value is None or value != value:  # noqa: PLR0124 - NaN, as pandas has it for null
        return ""
    return f"{value:,.2f}" if isinstance(value, float) else value
