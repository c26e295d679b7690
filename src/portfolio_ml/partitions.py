"""The training table laid out for a cluster's workers: a Parquet file each, whole customers.

It is computed while it is written, a snapshot day after the other, so that it may be larger than
any one machine's memory.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.snapshots import TrainingTable
from portfolio_ml.steps import Progress, unheard
from portfolio_ml.wording import counted

OUTCOMES = ("weight", "churned", "future_spend")
"""What a row has beside its features, as `schema.TRAINING_ROWS` tells; no id is among it."""

FEWEST_ROWS = 100  # of those that an ensemble learns from: below, a worker's share shows nothing


@dataclass(frozen=True, slots=True)
class Partition:
    """One worker's share of the training table.

    Attributes:
        file: The Parquet file: a row per customer and snapshot day, the features in the model's
            order, and `OUTCOMES`.
        rows: How many rows it has.
        bought: In how many of them something was spent within the value horizon.
    """

    file: Path
    rows: int
    bought: int


def lay_out(
    table: TrainingTable, folder: Path, *, workers: int, progress: Progress = unheard
) -> tuple[Partition, ...]:
    """Write the rows of every customer into one of as many files as there are workers.

    Which file follows from the customer's id and the number of workers alone.

    Args:
        table: The rows, not yet computed.
        folder: A folder that is there.
        workers: How many files.
        progress: Told which share is done.

    Raises:
        ConfigError: The rows are too few for so many workers.
        ServiceUnavailableError: The folder may not be written, or is full.
    """
    schema = _schema(table)
    files = [folder / f"part-{number:04}.parquet" for number in range(workers)]
    rows, bought = np.zeros(workers, np.int64), np.zeros(workers, np.int64)
    try:
        with ExitStack() as stack:
            writers = [
                stack.enter_context(pq.ParquetWriter(file, schema, compression="zstd"))
                for file in files
            ]
            for batch in table.batches(progress):
                for number, part in _parted(batch, workers):
                    writers[number].write_batch(part.select(schema.names))
                    rows[number] += part.num_rows
                    bought[number] += np.count_nonzero(part["future_spend"].to_numpy() > 0)
    except OSError as error:
        raise ServiceUnavailableError(
            "the rows cannot be laid out for the workers",
            where=str(folder),
            saw=error.strerror or type(error).__name__,
            do="check that the folder may be written and has space",
        ) from error
    _demand_enough(bought)
    return tuple(
        Partition(file, int(r), int(b)) for file, r, b in zip(files, rows, bought, strict=True)
    )


def partition_of(group: NDArray[np.int64], workers: int) -> NDArray[np.int64]:
    """The number of the file that a customer's rows lie in, from the customer's own.

    Example:
        >>> partition_of(np.array([4, -3, 4, 7]), 2).tolist()
        [0, 1, 0, 1]
    """
    return group % workers


def _schema(table: TrainingTable) -> pa.Schema:
    names = (*table.inputs.catalogue.model_inputs, *OUTCOMES)
    return pa.schema([table.schema.field(name) for name in names])


def _parted(batch: pa.RecordBatch, workers: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    number = partition_of(batch["group"].to_numpy(), workers)
    for of in np.unique(number).tolist():
        yield of, batch.filter(pa.array(number == of))


def _demand_enough(bought: NDArray[np.int64]) -> None:
    if bought.min() < FEWEST_ROWS:
        raise ConfigError(
            f"the rows are too few to be parted among {counted(bought.size, 'worker')}: each "
            f"needs {FEWEST_ROWS} with a purchase to learn from",
            where="training.distributed.workers",
            saw=f"{bought.min()} at one of them",
            do="set fewer workers, or leave training.distributed out: so few fit one machine",
        )
