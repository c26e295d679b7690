"""The tables that go in, and those that commands write into files, as pages of the docs.

`make docs-inputs` and `make docs-exports` write them to docs/reference.
"""

from collections.abc import Sequence

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
from portfolio_ml.schema.made import QUARANTINE, TRAINING_ROWS
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
_EXPORTS = """# Tables in files

For those who take the tables elsewhere. Made from the schema by `make docs-exports`. All are
Parquet files. What is delivered is told in [Tables in the CRM](tables.md), which a Parquet or CSV
target has in the same columns.

## `features`

One row is one customer with a purchase in history. `portfolio-ml features` writes it: `customer_id`
(text), `as_of` (date), and a column per feature, as 32-bit floating-point numbers;
[Features](features.md) says what each holds and where it is null.

"""
_WRITTEN_BY = {
    TRAINING_ROWS.name: "`portfolio-ml snapshots` writes this table, sorted by date and "
    "customer; `targets.lifetime_value.measure: margin` adds a last column `future_margin`.",
    QUARANTINE.name: "`portfolio-ml validate` writes it to the file `data.quarantine`; "
    "[the rules](quarantine.md) are told apart.",
}
_COMMANDS = {TRAINING_ROWS.name: "snapshots", QUARANTINE.name: "validate"}
_TYPES = {
    pa.string(): "text",
    pa.float64(): "number",
    pa.int64(): "whole number",
    pa.bool_(): "true or false",
    pa.date32(): "date",
    pa.timestamp("us"): "date, or date and time",
}
_HEAD = ("column", "type", "needed", "what it holds", "where it is empty")
_EXPORTS_HEAD = ("column", "type", "what it holds", "null")


def markdown() -> str:
    """The page on the input tables: a section per table, a row per column."""
    return "\n".join([_INTRODUCTION, *map(_section, _TABLES)])


def exports() -> str:
    """The page on the tables that commands write into files, likewise."""
    return _EXPORTS + "\n".join(map(_exported, (TRAINING_ROWS, QUARANTINE)))


def _exported(table: Table) -> str:
    rows = [
        (_code(c.name), _TYPES[c.type], c.description, c.null or "never") for c in table.columns
    ]
    told = f"One row is {table.grain}. {_WRITTEN_BY[table.name]}"
    return f"## `{_COMMANDS[table.name]}`\n\n{told}\n\n{_table(_EXPORTS_HEAD, rows)}"


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
    rows = [_cells(column) for column in table.columns]
    return f"## `{table.name}`\n\n{' '.join(told)}\n\n{_table(_HEAD, rows)}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


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
