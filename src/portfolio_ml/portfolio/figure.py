"""What a figure of the portfolio is: a table with its meaning, or the reason why it is absent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from portfolio_ml.schema import Column, Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        contract: Its name, grain, key and columns; `as_of` is one of them.
        title: What it tells, for people.
        rows: Its rows, sorted by how people read them; empty where there is nothing to tell, and
            where it is absent.
        absent: Why it could not be computed; empty where it was.
        notes: What people should know of it, in sentences: what was left out, how sure it is.
    """

    contract: Table
    title: str
    rows: pa.Table
    absent: str = ""
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called: a key in JSON, and a table's name."""
        return self.contract.name


def contract_of(name: str, *, grain: str, key: Sequence[str], columns: Sequence[Column]) -> Table:
    """The contract of a figure's table: `as_of`, then its columns.

    Args:
        name: What the figure is called.
        grain: What one row is.
        key: The columns by which rows of one date are told apart.
        columns: Its columns but `as_of`.

    Example:
        >>> people = Column("customer_id", pa.string(), "the customer")
        >>> contract_of("advocates", grain="one customer", key=["customer_id"],
        ...             columns=[people]).names
        ('as_of', 'customer_id')
    """
    as_of = Column("as_of", pa.date32(), "history up to and including this day was used")
    return Table(name=name, grain=grain, key=tuple(key), columns=(as_of, *columns))


def present(
    contract: Table,
    title: str,
    columns: Mapping[str, Any],
    *,
    as_of: object,
    notes: Sequence[str] = (),
) -> Figure:
    """A figure that was computed.

    Args:
        contract: Its contract.
        title: What it tells, for people.
        columns: Values per column of the contract but `as_of`; a list, an array or an Arrow array.
            NaN in a number is null.
        as_of: The date of all rows.
        notes: What people should know of it.

    Raises:
        KeyError: A column of the contract is not among them.

    Example:
        >>> from datetime import date
        >>> orders = Column("orders", pa.int64(), "how many")
        >>> contract = contract_of("orders", grain="one portfolio", key=["orders"],
        ...                        columns=[orders])
        >>> present(contract, "Orders", {"orders": [3]}, as_of=date(2024, 6, 30)).rows.to_pylist()
        [{'as_of': datetime.date(2024, 6, 30), 'orders': 3}]
    """
    others = {c.name: _array(columns[c.name], c) for c in contract.columns if c.name != "as_of"}
    count = len(next(iter(others.values())))
    dates = pa.repeat(pa.scalar(as_of, pa.date32()), count)
    rows = pa.table({"as_of": dates, **others}).select(contract.names)
    return Figure(contract, title, rows.cast(contract.arrow), notes=tuple(notes))


def absent(contract: Table, title: str, why: str) -> Figure:
    """A figure that could not be computed, with the reason: what is missing, and what to do."""
    return Figure(contract, title, contract.arrow.empty_table(), absent=why)


def _array(values: Any, column: Column) -> pa.Array:  # noqa: ANN401 - whatever Arrow takes
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks().cast(column.type)
    if isinstance(values, pa.Array):
        return values.cast(column.type)
    return pa.array(values, type=column.type, from_pandas=True)
