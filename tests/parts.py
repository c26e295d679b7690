"""Rows of a delivery in parts, as Spark's workers leave them, and workers that are this process."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.parts import FATE, Parts, digest_of, parts_of, sum_of
from portfolio_ml.sinks.rows import prepare


def one_by_one(count: int, work: Callable[[int], str]) -> list[str]:
    """Every number's work, done here."""
    return [work(number) for number in range(count)]


def each_twice(count: int, work: Callable[[int], str]) -> list[str]:
    """Every number's work, done by two at once, of whom the second is taken."""
    return [[work(number), work(number)][1] for number in range(count)]


def in_parts(rows: pa.Table, folder: Path, *, as_of: date, size: int = 2) -> Parts:
    """Customer rows in files of some rows each."""
    made = prepare(rows, CUSTOMER_ROWS, as_of=as_of)
    folder.mkdir(exist_ok=True)
    files, counts, sums = [], [], []
    for number, first in enumerate(range(0, made.count, size)):
        part = made.rows.slice(first, size)
        file = folder / f"part-{number:05}.parquet"
        pq.write_table(part.append_column(FATE, pa.nulls(part.num_rows, pa.string())), file)
        files.append(file)
        counts.append(part.num_rows)
        sums.append(sum_of(part.to_batches(), CUSTOMER_ROWS))
    parts = parts_of(files, counts)
    return Parts(CUSTOMER_ROWS, parts, made.rejects, digest_of(sums), one_by_one)
