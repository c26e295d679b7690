"""Writing Parquet files: whole under their name, or not at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import EISDIR
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.errors import ServiceUnavailableError
from portfolio_ml.replacing import replace_file
from portfolio_ml.schema import Table


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table to a Parquet file that replaces the one before, whole or not at all.

    Raises:
        ServiceUnavailableError: The folder is missing, may not be written or is full.
    """
    with told(path):
        replace_file(path, lambda file: put_parquet(table, file))


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

    with told(path):
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        replace_file(path, write)
    return rows


def put_parquet(table: pa.Table, file: BinaryIO) -> None:
    """Write a table as Parquet into an open file."""
    pq.write_table(table, file, compression="zstd")


def holds_table(path: Path, table: Table) -> bool:
    """Whether the file is a Parquet file with the columns of `table`."""
    try:
        names = pq.read_schema(path).names
    except (OSError, pa.ArrowException):  # Arrow calls a damaged file either
        return False
    return tuple(names) == table.names


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What the system refuses in the block comes out as an error of the tree that names the file.

    Raises:
        ServiceUnavailableError: The folder is missing, may not be written or is full.
    """
    try:
        yield
    except OSError as error:
        raise ServiceUnavailableError(
            "the file cannot be written",
            where=str(path),
            saw=error.strerror or type(error).__name__,
            do="check that its folder exists, may be written and has space",
        ) from error
