"""Tables for those who train elsewhere: features at one date, or at many with their outcomes.

They are computed while they are written, a batch at a time: no table stands in Python's memory.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from portfolio_ml import learning
from portfolio_ml.features.table import computed, definitions_hash
from portfolio_ml.opening import Opened
from portfolio_ml.sinks.files import write_batches
from portfolio_ml.snapshots import TrainingTable
from portfolio_ml.steps import Progress, Say, told, unheard
from portfolio_ml.timeline import to_date
from portfolio_ml.training import demand_history
from portfolio_ml.wording import counted


@dataclass(frozen=True, slots=True)
class Export:
    """A table that was written.

    Attributes:
        file: Where it is.
        rows: How many rows it has.
        features: Its feature columns.
        features_hash: The digest of their definitions.
        left_out: Per feature that could not be, the columns and tables that are absent.
        as_of_days: The days that it has rows of.
    """

    file: Path
    rows: int
    features: tuple[str, ...]
    features_hash: str
    left_out: Mapping[str, tuple[str, ...]]
    as_of_days: tuple[int, ...]


def write_features(portfolio: Opened, path: Path, *, say: Say) -> Export:
    """Write the feature table at the as-of date to a Parquet file, whole or not at all.

    Args:
        portfolio: The history.
        path: The file; one that is there is replaced at the end.
        say: Told what is being done, and which share of the rows is written.

    Raises:
        ServiceUnavailableError: The file cannot be written.
    """
    progress = told(say, f"computing features as of {portfolio.as_of}")
    names = portfolio.inputs.catalogue.names
    schema = pa.schema(
        [
            ("customer_id", pa.string()),
            ("as_of", pa.date32()),
            *((name, pa.float32()) for name in names),
        ]
    )
    rows = write_batches(_features(portfolio, progress), schema, path)
    return _export(portfolio, path, rows, (portfolio.as_of_day,))


def write_snapshots(portfolio: Opened, path: Path, *, say: Say) -> Export:
    """Write the training table to a Parquet file, whole or not at all.

    Args:
        portfolio: The history.
        path: The file; one that is there is replaced at the end.
        say: Told what is being done, and which share of it is done.

    Raises:
        DataError: The history is too short for a single snapshot.
        ServiceUnavailableError: The file cannot be written.
    """
    table = training_table(portfolio, say)
    days = tuple(sorted(table.weights))
    dates = f"{counted(len(days), 'date')}, {to_date(days[0])} to {to_date(days[-1])}"
    progress = told(say, f"computing features and outcomes at {dates}")
    rows = write_batches(table.batches(progress), table.schema, path)
    return _export(portfolio, path, rows, days)


def training_table(portfolio: Opened, say: Say = unheard) -> TrainingTable:
    """Features and outcomes at the recipe's snapshot days, weighted as the recipe does.

    Beyond `training.max_rows` they are those of customers drawn from all, who weigh as much more.

    Raises:
        DataError: The history is too short for a single snapshot.
    """
    recipe, span = portfolio.recipe, portfolio.span
    demand_history(span, recipe)
    days = recipe.snapshot_days(span.first_day, span.last_day)
    return learning.training_table(portfolio, learning.drawn_for(portfolio, days, say))


def _features(portfolio: Opened, progress: Progress) -> Iterator[pa.RecordBatch]:
    found = computed(portfolio.inputs, [portfolio.as_of_day], horizons=portfolio.recipe.horizons)
    written, total = 0, found.count()
    for batch in found.batches():
        yield batch.set_column(1, "as_of", batch["as_of"].cast(pa.date32()))
        written += batch.num_rows
        progress(written / total)


def _export(portfolio: Opened, path: Path, rows: int, days: tuple[int, ...]) -> Export:
    catalogue = portfolio.inputs.catalogue
    return Export(
        file=path,
        rows=rows,
        features=catalogue.names,
        features_hash=definitions_hash(catalogue, portfolio.recipe.horizons),
        left_out=catalogue.left_out,
        as_of_days=days,
    )
