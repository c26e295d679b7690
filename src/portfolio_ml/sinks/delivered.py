"""Scores as they were delivered on past dates, read back to be judged.

A SQL target keeps the history of its table. Beside a Parquet file, which each delivery replaces,
what can be judged later is kept in a folder of its own, `NAME.history`, one small file per date.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from portfolio_ml.errors import DataError
from portfolio_ml.sinks.files import write_parquet

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


def keep_scores(rows: pa.Table, path: Path, *, as_of: date) -> None:
    """Keep beside a Parquet file what can be judged of its rows once they have matured.

    Raises:
        ServiceUnavailableError: The folder may not be written or is full.
    """
    folder = _history_of(path)
    kept = rows.select(["customer_id", *SCORES, *VERSIONS.values()]).sort_by("customer_id")
    if path.parent.is_dir():
        folder.mkdir(exist_ok=True)
    write_parquet(kept, folder / f"{as_of.isoformat()}.parquet")


def deliveries_in_files(path: Path) -> tuple[Delivered, ...]:
    """The dates kept beside a Parquet file, ascending.

    Raises:
        DataError: A kept file is damaged.
    """
    found = []
    for file in sorted(_history_of(path).glob("????-??-??.parquet")):
        first = _kept(file, [*VERSIONS.values()]).slice(0, 1).to_pylist()
        if first:
            versions = {target: first[0][column] for target, column in VERSIONS.items()}
            found.append(Delivered(date.fromisoformat(file.stem), versions))
    return tuple(found)


def scores_in_files(path: Path, as_of: date) -> pa.Table:
    """What was kept of a date: customer_id and `SCORES`, one row per customer."""
    file = _history_of(path) / f"{as_of.isoformat()}.parquet"
    return _typed(_kept(file, ["customer_id", *SCORES]))


def p_no_purchase(rows: pa.Table) -> pa.ChunkedArray:
    """The chance of no purchase: `p_churn` of the active, 1 - `p_return` of the others."""
    return pc.coalesce(rows["p_churn"], pc.subtract(1.0, rows["p_return"]))


def _kept(file: Path, columns: list[str]) -> pa.Table:
    """Columns of a kept file.

    Raises:
        DataError: It is damaged, or another file.
    """
    try:
        return pq.ParquetFile(file).read().select(columns)
    except (OSError, KeyError, pa.ArrowException):  # Arrow calls a damaged file either
        raise DataError(
            "scores kept to be judged cannot be read", where=str(file), do="remove the file"
        ) from None


def _history_of(path: Path) -> Path:
    return path.with_suffix(".history")


def _typed(rows: pa.Table) -> pa.Table:
    """The rows with their types: a database without a row tells none."""
    columns = [rows["customer_id"].cast(pa.string())]
    columns += [rows[name].cast(pa.float64()) for name in SCORES]
    return pa.table(columns, names=["customer_id", *SCORES])
