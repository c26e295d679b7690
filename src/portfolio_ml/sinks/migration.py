"""Tables of the package's own, brought to the shape that this version writes."""
# ruff: noqa: S608 - every identifier is quoted by the dialect, every value is bound

from dataclasses import replace
from pathlib import Path

from portfolio_ml.config import SqlTarget
from portfolio_ml.databases import (
    SqlColumn,
    Writer,
    has_schemas,
    rehearsing,
    there_are,
    writing,
)
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import CUSTOMER_ROWS, Table
from portfolio_ml.sinks.ledger import TABLES, ledger_names
from portfolio_ml.sinks.order import history_name
from portfolio_ml.sinks.receipts import SCHEMA_VERSION


def migrate(target: SqlTarget, *, base: Path, contract: Table = CUSTOMER_ROWS) -> tuple[str, ...]:
    """Add to a target's tables the columns that they lack, in one transaction.

    Rows that are there get null, or 0 or the like where a column may not be null; the next
    delivery fills them. What a table has beside is left alone, and a delivery names it.

    Args:
        target: The delivered table.
        base: The folder that paths in the config are relative to.
        contract: What the delivered table holds.

    Returns:
        The columns that were added, as `table.column`; none where nothing was to do.

    Raises:
        ConfigError: A newer version wrote the tables.
        ServiceUnavailableError: The database cannot be opened or written.
        TryAgainLaterError: It is locked.
    """
    ours, marks = _ours(target, contract, base=base), _marks(target)
    if not ours:
        return ()
    with writing(target.url, base=base) as database:
        database.lock(f"portfolio-ml {target.table}")
        _demand_older(marks, database)
        added = tuple(added for table in ours for added in _completed(table, database))
        moved = database.run(
            f"UPDATE {database.quote_table(marks)} SET schema_version = ?"
            " WHERE schema_version <> ?",
            SCHEMA_VERSION,
            SCHEMA_VERSION,
        )
    return added or ((f"{marks}.schema_version",) if moved else ())


def lacking(target: SqlTarget, *, base: Path, contract: Table = CUSTOMER_ROWS) -> tuple[str, ...]:
    """The columns that `migrate` would add, as `table.column`; nothing is written.

    Raises:
        ConfigError: A newer version wrote the tables.
        ServiceUnavailableError: The database cannot be opened.
        TryAgainLaterError: It is locked.
    """
    found = _ours(target, contract, base=base)
    if not found:
        return ()
    with rehearsing(target.url, base=base) as database:
        _demand_older(_marks(target), database)
        return tuple(
            f"{table.name}.{column.name}" for table in found for column in _missing(table, database)
        )


def _demand_older(marks: str, database: Writer) -> None:
    [[newest]] = database.ask(f"SELECT MAX(schema_version) FROM {database.quote_table(marks)}")
    if newest is not None and newest > SCHEMA_VERSION:
        raise ConfigError(
            "the tables were written by a newer version of portfolio-ml",
            where=marks,
            saw=f"version {newest}, where this one writes {SCHEMA_VERSION}",
            do="use that version",
        )


def _completed(table: Table, database: Writer) -> list[str]:
    missing = _missing(table, database)
    for column in missing:
        database.add_column(table.name, column)
    return [f"{table.name}.{column.name}" for column in missing]


def _missing(table: Table, database: Writer) -> list[SqlColumn]:
    """The columns that a table which is there lacks."""
    there = {column.name for column in database.columns(table.name)}
    return [c for c in database.expected(table) if there and c.name not in there]


def _ours(target: SqlTarget, contract: Table, *, base: Path) -> list[Table]:
    """The package's tables of a target; none where nothing was delivered there yet."""
    names = ledger_names(target.table, has_schemas=has_schemas(target.url))
    if not there_are(target.url, names, base=base):
        return []
    ours = [replace(own, name=name) for own, name in zip(TABLES, names, strict=True)]
    history = history_name(target.table, is_crms_own=target.is_crms_own)
    ours.append(replace(contract, name=history))
    if not target.is_crms_own:
        ours.append(replace(contract, name=target.table))
    return ours


def _marks(target: SqlTarget) -> str:
    return ledger_names(target.table, has_schemas=has_schemas(target.url))[-1]
