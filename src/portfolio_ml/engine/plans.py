"""Plans as SQL that is written once, and read over any tables with the same columns.

Narwhals looks up a relation's columns for each expression, and DuckDB binds a relation at each
step. For the hundred features of a small shop that takes longer than to compute them; so a plan is
gone through once, over tables without rows, and what it comes to is kept as text.
"""

from collections.abc import Hashable, Mapping
from functools import lru_cache

import duckdb
import narwhals as nw

from portfolio_ml.engine.frames import Plan
from portfolio_ml.engine.readings import quoted

Columns = tuple[tuple[str, str], ...]
"""The names of a table's columns and their types."""


def planned(
    plan: Plan, tables: Mapping[str, duckdb.DuckDBPyRelation], told: tuple[Hashable, ...]
) -> str:
    """The query that a plan is over some relations of a connection."""
    columns = {name: _columns(table) for name, table in tables.items()}
    query = _written(plan, tuple(columns.items()), told)
    given = (f"{quoted(n)} AS NOT MATERIALIZED ({t.sql_query()})" for n, t in tables.items())
    return f"WITH {', '.join(given)} SELECT * FROM ({query})"  # noqa: S608 - DuckDB wrote both


def _columns(table: duckdb.DuckDBPyRelation) -> Columns:
    return tuple(zip(table.columns, map(str, table.types), strict=True))


@lru_cache(maxsize=256)
def _written(
    plan: Plan, tables: tuple[tuple[str, Columns], ...], told: tuple[Hashable, ...]
) -> str:
    """The query over tables of these names, which are stood in for by ones without rows."""
    with duckdb.connect(":memory:", config={"threads": 1}) as nowhere:
        for name, columns in tables:
            listed = ", ".join(f"{quoted(column)} {type_}" for column, type_ in columns)
            nowhere.execute(f"CREATE TABLE {quoted(name)} ({listed})")
        frames = {name: nw.from_native(nowhere.table(quoted(name))) for name, _ in tables}
        query: str = nw.to_native(plan(frames, *told)).sql_query()
    return query
