"""The training table laid out for a cluster's workers: a Parquet file each, whole customers.

It is computed while it is written, a snapshot day after the other, so that it may be larger than
any one machine's memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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

GROUP_ROWS = 25_000
"""So many rows a file takes at once, as one row group: groups of a few thousand, as many workers
would have of a batch each, make it a third larger, and slower to read by half."""


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
    try:
        with ExitStack() as stack:
            shares = [stack.enter_context(_share(file, schema)) for file in files]
            for batch in table.batches(progress):
                for number, part in _parted(batch, workers):
                    shares[number].take(part)
    except OSError as error:
        raise ServiceUnavailableError(
            "the rows cannot be laid out for the workers",
            where=str(folder),
            saw=error.strerror or type(error).__name__,
            do="check that the folder may be written and has space",
        ) from error
    _demand_enough([share.bought for share in shares])
    return tuple(
        Partition(file, share.rows, share.bought) for file, share in zip(files, shares, strict=True)
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


class _Share:
    """What one file was given; rows wait until they fill a row group."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._waiting: list[pa.RecordBatch] = []
        self.rows = self.bought = 0

    def take(self, rows: pa.RecordBatch) -> None:
        self._waiting.append(rows.select(self._writer.schema.names))
        self.rows += rows.num_rows
        self.bought += int(np.count_nonzero(rows["future_spend"].to_numpy() > 0))
        if sum(batch.num_rows for batch in self._waiting) >= GROUP_ROWS:
            self.write()

    def write(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting))
            self._waiting.clear()


@contextmanager
def _share(file: Path, schema: pa.Schema) -> Iterator[_Share]:
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        share = _Share(writer)
        yield share
        share.write()


def _parted(batch: pa.RecordBatch, workers: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    number = partition_of(batch["group"].to_numpy(), workers)
    for of in np.unique(number).tolist():
        yield of, batch.filter(pa.array(number == of))


def _demand_enough(bought: Sequence[int]) -> None:
    if min(bought) < FEWEST_ROWS:
        raise ConfigError(
            f"the rows are too few to be parted among {counted(len(bought), 'worker')}: each "
            f"needs {FEWEST_ROWS} with a purchase to learn from",
            where="training.distributed.workers",
            saw=f"{min(bought)} at one of them",
            do="set fewer workers, or leave training.distributed out: so few fit one machine",
        )
