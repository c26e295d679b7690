"""What a CRM should hold of each customer, in its own names, out of the customer rows.

Rows are read and rendered some at a time: nobody holds everybody's.
"""
# ruff: noqa: S608 - every identifier is quoted by the dialect, every value is bound

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from portfolio_ml.databases import Writer as Database
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.staging import Names
from portfolio_ml.sinks.vendors.values import canonical, rendered

ROWS_AT_ONCE = 20_000
_TYPES = {column.name: column.type for column in CUSTOMER_ROWS.columns}


def desired_in_sql(
    table: str,
    database: Database,
    *,
    columns: Mapping[str, str],
    suppressed: Callable[[str], bool],
) -> Iterator[pa.Table]:
    """The current rows of a table as `customer_id` and `wanted`, in chunks by ranges of the key.

    Args:
        table: The table of current rows.
        database: The transaction, which may write between two chunks.
        columns: Which column goes into which of the CRM's fields.
        suppressed: Whether a customer was erased, so that nothing is wanted.
    """
    names, key = Names(database).listed(("customer_id", *columns)), database.quote("customer_id")
    query = f"SELECT {names} FROM {database.quote_table(table)}"
    end = f" ORDER BY {key} LIMIT {ROWS_AT_ONCE}"
    rows = database.ask(query + end)
    while rows:
        yield _chunk(rows, columns=columns, suppressed=suppressed)
        rows = database.ask(f"{query} WHERE {key} > ?{end}", rows[-1][0])


def desired(
    rows: pa.Table, *, columns: Mapping[str, str], suppressed: Callable[[str], bool]
) -> Iterator[pa.Table]:
    """Customer rows as `customer_id` and `wanted`, in chunks.

    Args:
        rows: Rows with the columns, at the delivered precision.
        columns: Which column goes into which of the CRM's fields.
        suppressed: Whether a customer was erased, so that nothing is wanted.
    """
    for chunk in rows.select(["customer_id", *columns]).to_batches(max_chunksize=ROWS_AT_ONCE):
        values = zip(*(column.to_pylist() for column in chunk.columns), strict=True)
        yield _chunk(values, columns=columns, suppressed=suppressed)


def _chunk(
    rows: Iterable[Sequence[object]],
    *,
    columns: Mapping[str, str],
    suppressed: Callable[[str], bool],
) -> pa.Table:
    kinds = [_TYPES[name] for name in columns]
    wanted = [
        (str(customer), _wanted(tuple(columns.values()), kinds, row))
        for customer, *row in rows
        if not suppressed(str(customer))
    ]
    return pa.table(
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
