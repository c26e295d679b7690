"""The input tables as a page: `make docs-inputs` writes it to docs/reference/input_tables.md."""

import pyarrow as pa

from portfolio_ml.schema.given import (
    CONTACTS,
    CUSTOMER_MERGES,
    CUSTOMERS,
    INTERACTIONS,
    OPPORTUNITIES,
    POINTS,
    PROSPECTS,
    TRANSACTIONS,
    VALUATIONS,
)
from portfolio_ml.schema.table import Column, Table

_INTRODUCTION = """# Input tables

For those who bring the data. Made from the schema by `make docs-inputs`. Only `transactions` is
needed; what another table or column would have fed is absent without it, and says so. A table is a
CSV or Parquet file, a folder or glob of them, a table or query of a database, or from Python a
pandas, Polars or Arrow table. [The config](config.md) says where each is (`data.NAME.source`) and
what its columns are called there (`data.NAME.columns`, from our names to yours). Columns that are
not named here are not read, but for attributes of your own where a table takes them.

A text in the source is read as the type that stands here: numbers and dates as
`data.NAME.format` says they are written. An empty text is no value. What a row must not be is told
in [the quarantine's rules](quarantine.md).
"""
_TABLES = (
    TRANSACTIONS,
    CUSTOMERS,
    INTERACTIONS,
    CONTACTS,
    OPPORTUNITIES,
    POINTS,
    PROSPECTS,
    CUSTOMER_MERGES,
    VALUATIONS,
)
_TYPES = {
    pa.string(): "text",
    pa.float64(): "number",
    pa.bool_(): "true or false",
    pa.date32(): "date",
    pa.timestamp("us"): "date, or date and time",
}
_HEAD = ("column", "type", "needed", "what it holds", "where it is empty")


def markdown() -> str:
    """The page: a section per table, a row per column."""
    return "\n".join([_INTRODUCTION, *map(_section, _TABLES)])


def _section(table: Table) -> str:
    told = [f"One row is {table.grain}."]
    if table.key:
        told.append(f"No two rows may have the same {' and '.join(map(_code, table.key))}.")
    if table.one_of:
        told.append(f"At least one of {' and '.join(map(_code, table.one_of))} must be there.")
    if table.takes_attributes:
        told.append(
            "Attributes of your own may be among its columns, named in lower case; as text."
        )
    if table.may_be_empty:
        told.append("It may be without a row.")
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_cells, table.columns)]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"## `{table.name}`\n\n{' '.join(told)}\n\n{lines}"


def _cells(column: Column) -> tuple[str, ...]:
    return (
        _code(column.name),
        _TYPES[column.type],
        "yes" if column.required else "no",
        column.description,
        column.null or "refused",
    )


def _code(name: str) -> str:
    return f"`{name}`"
