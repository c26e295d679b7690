"""Scores as they were delivered on past dates, read back to be judged.

A SQL target keeps the history of its table; `files.kept` has what file targets keep.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.databases import read_query
from portfolio_ml.databases.connections import place
from portfolio_ml.databases.read import table_names
from portfolio_ml.sinks.receipts import RUNS

SCORES = ("p_churn", "p_return", "ltv", "ltv_low", "ltv_high")
VERSIONS = {"churn": "churn_model_version", "lifetime_value": "ltv_model_version"}


@dataclass(frozen=True, slots=True)
class Delivered:
    """One date's delivery, not read yet.

    Attributes:
        as_of: The rows' as-of date.
        versions: Per target, the registered version that gave the scores.
    """

    as_of: date
    versions: Mapping[str, str]


def deliveries_in_sql(url: str, table: str, *, base: Path) -> tuple[Delivered, ...]:
    """The dates delivered to a SQL table, ascending; none before the first delivery.

    Raises:
        ServiceUnavailableError: The database cannot be used.
        TryAgainLaterError: It is locked.
    """
    if not {RUNS.name, f"{table}_history"} <= table_names(place(url, base=base)):
        return ()
    runs = read_query(
        url,
        f"SELECT table_name, as_of, model_versions FROM {RUNS.name} ORDER BY finished_at",  # noqa: S608 - a constant
        base=base,
    ).to_pylist()
    found = {_date(r["as_of"]): r["model_versions"] for r in runs if r["table_name"] == table}
    return tuple(Delivered(day, json.loads(found[day])) for day in sorted(found))


def scores_in_sql(url: str, table: str, as_of: date, *, base: Path) -> pa.Table:
    """What the table held as of a date: customer_id and `SCORES`, one row per customer.

    Raises:
        ServiceUnavailableError: The database cannot be used.
        TryAgainLaterError: It is locked.
    """
    history = '"' + f"{table}_history".replace('"', '""') + '"'
    query = (
        f"SELECT customer_id, {', '.join(SCORES)} FROM {history} AS held WHERE as_of ="  # noqa: S608 - quoted
        f" (SELECT MAX(past.as_of) FROM {history} AS past"
        f" WHERE past.customer_id = held.customer_id AND past.as_of <= '{as_of.isoformat()}')"
    )
    return with_types(read_query(url, query, base=base))


def p_no_purchase(rows: pa.Table) -> pa.ChunkedArray:
    """The chance of no purchase: `p_churn` of the active, 1 - `p_return` of the others."""
    return pc.coalesce(rows["p_churn"], pc.subtract(1.0, rows["p_return"]))


def with_types(rows: pa.Table) -> pa.Table:
    """customer_id and `SCORES` with their types, which a database without a row does not tell."""
    columns = [rows["customer_id"].cast(pa.string())]
    columns += [rows[name].cast(pa.float64()) for name in SCORES]
    return pa.table(columns, names=["customer_id", *SCORES])


def _date(value: Any) -> date:  # noqa: ANN401 - text in SQLite, a date elsewhere
    return value if isinstance(value, date) else date.fromisoformat(str(value))
