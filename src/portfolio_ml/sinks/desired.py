"""What a CRM should hold of each customer, in its own names, out of the customer rows."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from portfolio_ml.databases import read_query
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.vendors.values import canonical, rendered

_CHUNK_ROWS = 20_000
_TYPES = {column.name: column.type for column in CUSTOMER_ROWS.columns}


def desired_in_sql(
    url: str,
    table: str,
    *,
    base: Path,
    columns: Mapping[str, str],
    suppressed: Callable[[str], bool],
) -> Iterator[pa.Table]:
    """The current rows of a table, read at once, as `customer_id` and `wanted` in chunks.

    Args:
        url: The state database.
        table: The table of current rows.
        base: The folder that a relative file is relative to.
        columns: Which column goes into which of the CRM's fields.
        suppressed: Whether a customer was erased, so that nothing is wanted.
    """
    names = ", ".join(_quoted(name) for name in ("customer_id", *columns))
    query = f"SELECT {names} FROM {_quoted(table)}"  # noqa: S608 - quoted
    return desired(read_query(url, query, base=base), columns=columns, suppressed=suppressed)


def desired(
    rows: pa.Table, *, columns: Mapping[str, str], suppressed: Callable[[str], bool]
) -> Iterator[pa.Table]:
    """Customer rows as `customer_id` and `wanted`, in chunks.

    Args:
        rows: Rows with the columns, at the delivered precision.
        columns: Which column goes into which of the CRM's fields.
        suppressed: Whether a customer was erased, so that nothing is wanted.
    """
    for chunk in rows.select(["customer_id", *columns]).to_batches(max_chunksize=_CHUNK_ROWS):
        customers, *values = (column.to_pylist() for column in chunk.columns)
        kinds = [_TYPES[name] for name in columns]
        wanted = [
            (str(customer), _wanted(tuple(columns.values()), kinds, row))
            for customer, *row in zip(customers, *values, strict=True)
            if not suppressed(str(customer))
        ]
        yield pa.table(
            {
                "customer_id": pa.array([customer for customer, _ in wanted], pa.string()),
                "wanted": pa.array([text for _, text in wanted], pa.string()),
            }
        )


def _wanted(names: tuple[str, ...], kinds: list[pa.DataType], values: list[object]) -> str:
    return canonical(
        {
            name: rendered(value, kind)
            for name, kind, value in zip(names, kinds, values, strict=True)
        }
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
