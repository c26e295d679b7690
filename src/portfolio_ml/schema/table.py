"""What a table is, and the units in which its numbers are held."""

import re
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

MONEY_SCALE = 10_000
QUANTITY_SCALE = 10_000
"""The whole numbers in which a day's units are held are 1/10,000 of them, like money."""
POINTS_SCALE = 10_000
"""Loyalty points are held in 1/10,000 of one, likewise."""
Measure = Literal["revenue", "margin"]
"""What a customer's value is: net spend, or what is left of it after the cost of the goods."""
ATTRIBUTE = re.compile("[a-z][a-z0-9_]*")
"""What an attribute of a customer may be called."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: The column's name; units are part of it.
        type: Its Arrow type.
        description: What it holds, with its unit.
        null: What a null means; empty where the contract knows none.
        decimals: The delivered precision of a floating-point column.
        lineage: Whether it says where a row came from; ignored when rows are compared.
        required: Whether an input table must have it, and a history always has it.
    """

    name: str
    type: pa.DataType
    description: str
    null: str = ""
    decimals: int | None = None
    lineage: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table's grain, key and columns, in order.

    Attributes:
        name: What it is called; an input table's section of the config has the same name.
        grain: What one row is.
        key: The columns by which rows are told apart.
        columns: Its columns, in order.
        takes_attributes: Whether an input table may have columns of the user's own, as text.
        may_be_empty: Whether an input table without a row is as good as any.
        one_of: Columns of which an input table must have one at least.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    takes_attributes: bool = False
    may_be_empty: bool = False
    one_of: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def arrow(self) -> pa.Schema:
        """The table as an Arrow schema; a column without a meaning of null is not nullable."""
        return pa.schema(
            [pa.field(c.name, c.type, nullable=bool(c.null)) for c in self.columns],
        )
