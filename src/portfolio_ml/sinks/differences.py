"""Some of what a delivery would change, for people who look before they deliver."""
# ruff: noqa: S608 - every identifier is quoted by the dialect, every value is bound

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portfolio_ml.config import SqlTarget
from portfolio_ml.databases import Writer
from portfolio_ml.schema import Table
from portfolio_ml.sinks.crm_table import CrmTable
from portfolio_ml.sinks.staging import PLACE, STAGING


@dataclass(frozen=True, slots=True)
class Change:
    """One row that a delivery would write.

    Attributes:
        customer_id: The customer.
        is_new: Whether the table has no row of that customer.
        figures: Column -> the values before and after, of the columns that differ.
    """

    customer_id: str
    is_new: bool
    figures: dict[str, tuple[Any, Any]]


def in_own_table(
    current: Table, database: Writer, *, most: int, first: int, last: int
) -> tuple[Change, ...]:
    """The first of some staged rows that differ from those of a table of the package's own."""
    figures = [c.name for c in current.columns if not c.lineage and c.name not in current.key]
    compared = [name for name in figures if name != "as_of"]
    quote, differs = database.quote, database.differs
    pairs = [(f"held.{quote(name)}", f"fresh.{quote(name)}") for name in compared]
    differ = " OR ".join(f"{held} {differs} {fresh}" for held, fresh in pairs)
    rows = _asked(
        pairs,
        joined=f"{database.quote_table(current.name)} AS held ON held.customer_id ="
        " fresh.customer_id",
        differ=f"held.customer_id IS NULL OR {differ}",
        is_new="held.customer_id IS NULL",
        database=database,
        most=most,
        first=first,
        last=last,
    )
    return _changes(rows, compared)


def in_crm_table(
    target: SqlTarget, database: Writer, *, most: int, first: int, last: int
) -> tuple[Change, ...]:
    """The first of some staged rows that differ from those of a table that the CRM has."""
    table = CrmTable.opened(target, database, where=target.table)
    names = [column.name for column in table.columns.values()]
    pairs = table.pairs()
    rows = _asked(
        pairs,
        joined=f"{table.name} AS held ON {table.same_customer('held', 'fresh')}",
        differ=f"held.{database.quote(table.key.name)} IS NULL OR {table.differ}",
        is_new=f"held.{database.quote(table.key.name)} IS NULL",
        database=database,
        most=most,
        first=first,
        last=last,
    )
    return _changes(rows, names)


def _asked(
    pairs: Sequence[tuple[str, str]],
    *,
    joined: str,
    differ: str,
    is_new: str,
    database: Writer,
    most: int,
    first: int,
    last: int,
) -> list[tuple[Any, ...]]:
    values = ", ".join(side for pair in pairs for side in pair)
    return database.ask(
        f"SELECT fresh.customer_id, CASE WHEN {is_new} THEN 1 ELSE 0 END, {values}"
        f" FROM {STAGING} AS fresh LEFT JOIN {joined}"
        f" WHERE fresh.{PLACE} BETWEEN ? AND ? AND ({differ})"
        f" ORDER BY fresh.{PLACE} LIMIT ?",
        first,
        last,
        most,
    )


def _changes(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> tuple[Change, ...]:
    changes = []
    for customer_id, is_new, *values in rows:
        both = zip(names, values[::2], values[1::2], strict=True)
        figures = {name: (before, after) for name, before, after in both if before != after}
        changes.append(Change(customer_id, bool(is_new), figures))
    return tuple(changes)
