"""Delivery into files: whole under their name, or not at all."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from errno import EISDIR
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.errors import ServiceUnavailableError
from portfolio_ml.replacing import replace_bytes, replace_file
from portfolio_ml.schema import CUSTOMER_ROWS, Table
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.rows import Delivery, digest, prepare


def deliver_parquet(
    rows: pa.Table, path: Path, *, run: Run, contract: Table = CUSTOMER_ROWS
) -> Receipt:
    """Write the rows to a Parquet file that replaces the one before; gives the receipt.

    The file is written beside its name, flushed to the disk and renamed, so that a reader finds
    the old rows or the new ones. Sorted by key, equal rows give equal bytes. Where the file holds
    the same rows already (lineage aside) it is left alone. Rejected rows are kept beside it, as
    JSON lines in `NAME.rejects.jsonl`, which is there only while there are any.

    Raises:
        ServiceUnavailableError: The folder is missing, may not be written or is full.
    """
    started_at = run.now()
    delivery = prepare(rows, contract, as_of=run.as_of)
    count = delivery.rows.num_rows
    with _told(path):
        _keep_rejects(delivery, path, run=run)
        held = _holds(path, delivery)
        if not held:
            replace_file(path, lambda file: pq.write_table(delivery.rows, file, compression="zstd"))
    return Receipt(
        run_id=run.run_id,
        target=str(path),
        table=path.name,
        as_of=run.as_of,
        mode="replace",
        rows=rows.num_rows,
        sent=0 if held else count,
        unchanged=count if held else 0,
        rejected=len(delivery.rejects),
        unknown=0,
        digest=delivery.digest,
        status="delivered",
        started_at=started_at,
        finished_at=run.now(),
        model_versions=run.model_versions,
    )


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table to a Parquet file that replaces the one before, whole or not at all.

    Raises:
        ServiceUnavailableError: The folder is missing, may not be written or is full.
    """
    with _told(path):
        replace_file(path, lambda file: pq.write_table(table, file, compression="zstd"))


def write_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> int:
    """The same for rows that come a batch at a time; gives how many.

    The folder is tried before the first batch is asked for. Whatever ends the writing early, the
    file before it stays as it was.

    Args:
        batches: The rows; nothing holds a batch once it is written.
        schema: Their columns.
        path: The file.

    Raises:
        ServiceUnavailableError: The folder is missing, may not be written or is full.
    """
    rows = 0

    def write(file: BinaryIO) -> None:
        nonlocal rows
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += batch.num_rows

    with _told(path):
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        replace_file(path, write)
    return rows


def holds_table(path: Path, table: Table) -> bool:
    """Whether the file is a Parquet file with the columns of `table`."""
    try:
        names = pq.read_schema(path).names
    except (OSError, pa.ArrowException):  # Arrow calls a damaged file either
        return False
    return tuple(names) == table.names


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceUnavailableError(
            "the file cannot be written",
            where=str(path),
            saw=error.strerror or type(error).__name__,
            do="check that its folder exists, may be written and has space",
        ) from error


def _holds(path: Path, delivery: Delivery) -> bool:
    """Whether the file has the delivered rows, lineage aside."""
    if not path.is_file():
        return False
    try:
        held = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException):  # Arrow calls a damaged file either
        return False
    same_columns = held.schema.equals(delivery.rows.schema)
    return same_columns and digest(held, delivery.contract) == delivery.digest


def _keep_rejects(delivery: Delivery, path: Path, *, run: Run) -> None:
    beside = path.with_suffix(".rejects.jsonl")
    if not delivery.rejects:
        beside.unlink(missing_ok=True)
        return
    of_run = {"run_id": run.run_id, "as_of": run.as_of.isoformat()}
    lines = [json.dumps(of_run | asdict(reject)) + "\n" for reject in delivery.rejects]
    replace_bytes(beside, "".join(lines).encode())
