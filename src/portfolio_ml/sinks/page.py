"""The delivered tables as a page: `make docs-tables` writes it to docs/reference/tables.md."""

from dataclasses import replace

from portfolio_ml.databases import SqlColumn, expected_columns
from portfolio_ml.schema import CUSTOMER_ROWS, Column, Table
from portfolio_ml.sinks.lease import LEASES
from portfolio_ml.sinks.outbox_rows import OUTBOX
from portfolio_ml.sinks.receipts import REJECTS, RUNS, WATERMARKS
from portfolio_ml.sinks.suppression import KEYS, SUPPRESSED

_INTRODUCTION = """# Tables in the CRM

For those who read the scores. Made from the contract by `make docs-tables`. SQLite and PostgreSQL
have the same columns of the same types. The primary key is the only index, and on PostgreSQL tables
and columns carry these texts as comments. `portfolio-ml migrate` adds what a later version needs.

"""
_HISTORY = "what a customer's row was from an as-of date on, where its figures changed"
_HEAD = ("column", "type", "what it holds", "null")


def markdown() -> str:
    """The page: a section per table."""
    history = replace(
        CUSTOMER_ROWS,
        name="customer_scores_history",
        grain=_HISTORY,
        key=("customer_id", "as_of"),
    )
    tables = (CUSTOMER_ROWS, history, RUNS, REJECTS, WATERMARKS, OUTBOX, LEASES, SUPPRESSED, KEYS)
    return _INTRODUCTION + "\n".join(map(_section, tables))


def _section(table: Table) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    head = f"## `{table.name}`\n\nOne row is {table.grain}. Key: {key}.\n"
    if table.key == ("customer_id", "as_of"):
        return f"{head}\nIts columns are those of `{CUSTOMER_ROWS.name}`.\n"
    columns = zip(table.columns, expected_columns(table), strict=True)
    rows = [_HEAD, ("---",) * len(_HEAD), *(_cells(ours, sql) for ours, sql in columns)]
    return f"{head}\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(column: Column, sql: SqlColumn) -> tuple[str, ...]:
    digits = f", {column.decimals} decimals" if column.decimals is not None else ""
    return (
        f"`{column.name}`",
        sql.type.lower() + digits,
        column.description,
        column.null or "never",
    )
