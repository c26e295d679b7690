"""Tables in a database: created where they are missing, checked column by column where not."""

from portfolio_ml.databases import SqlColumn, Writer
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import Table


def create_or_check(tables: tuple[Table, ...], database: Writer, *, where: str) -> None:
    """Create the tables that are missing.

    Args:
        tables: The tables as they should be.
        database: The transaction.
        where: The database's readable name.

    Raises:
        ConfigError: Tables that are there have other columns; the message names every one.
    """
    there = {table.name: database.columns(table.name) for table in tables}
    if not all(there.values()):
        database.lock("portfolio-ml creates its tables")
        there = {table.name: database.columns(table.name) for table in tables}
    faults = [
        f"{table.name}.{fault}"
        for table in tables
        if there[table.name]
        for fault in differences(database.expected(table), there[table.name])
    ]
    if faults:
        raise ConfigError(
            "the tables there have other columns than the delivery",
            where=where,
            saw="; ".join(faults),
            do="deliver to another table, or move the one there away",
        )
    for table in tables:
        if not there[table.name]:
            database.create(table)


def demand_name(longest: str, database: Writer, *, where: str) -> None:
    """Refuse a table whose longest companion has a name that the database would cut.

    Raises:
        ConfigError: The name is too long.
    """
    name = longest.rpartition(".")[2] if database.has_schemas else longest
    if database.longest_name is not None and len(name.encode()) > database.longest_name:
        raise ConfigError(
            "the table's name is too long",
            where=where,
            saw=f"{name!r}, of more than {database.longest_name} bytes",
            do="choose a shorter one",
        )


def differences(expected: tuple[SqlColumn, ...], found: tuple[SqlColumn, ...]) -> list[str]:
    """What sets the columns found apart from those expected; their order does not.

    Example:
        >>> differences((SqlColumn("ltv", "REAL", True, 0),), (SqlColumn("ltv", "TEXT", True, 0),))
        ['ltv is TEXT instead of REAL']
    """
    there = {column.name: _described(column) for column in found}
    wanted = {column.name: _described(column) for column in expected}
    return [
        *(f"{name} is missing" for name in wanted if name not in there),
        *(f"{name} is not known" for name in there if name not in wanted),
        *(
            f"{name} is {there[name]} instead of {column}"
            for name, column in wanted.items()
            if there.get(name, column) != column
        ),
    ]


def _described(column: SqlColumn) -> str:
    null = "" if column.nullable else " NOT NULL"
    key = f" (key, {column.key})" if column.key else ""
    return column.type.upper() + null + key
