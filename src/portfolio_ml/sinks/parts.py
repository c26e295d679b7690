"""Rows of a delivery that lie in files, part by part, and that nobody holds whole.

Workers have written them: rows at the delivered precision, in the order of their keys from one
file to the next. Everything here reads a batch at a time.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from portfolio_ml.schema import Table
from portfolio_ml.sinks.rows import Reject, rejects_of

ROWS_AT_ONCE = 50_000
FATE = "_fate"
"""The column of a file that says of a row why it is not delivered; null where it is."""
_WHOLE = 1 << 256

Each = Callable[[int, Callable[[int], str]], Sequence[str]]
"""Has workers run a function for every number below a count; gives what the accepted runs gave."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a delivery.

    Attributes:
        file: A Parquet file with the contract's columns, `FATE`, and perhaps others.
        rows: How many of its rows are delivered.
        first: The place of the first of them in the delivery, from 1.
    """

    file: Path
    rows: int
    first: int

    def batches(self, contract: Table) -> Iterator[pa.RecordBatch]:
        """The delivered rows, with the contract's types."""
        names, schema = [*contract.names, FATE], nullable(contract)
        with pq.ParquetFile(self.file) as opened:
            for batch in opened.iter_batches(ROWS_AT_ONCE, columns=names):
                kept = batch.filter(pc.is_null(batch[FATE]))
                columns = [kept[c.name].cast(c.type) for c in contract.columns]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def customers(self) -> Iterator[pa.Array]:
        """The ids of the customers whose rows are delivered."""
        with pq.ParquetFile(self.file) as opened:
            for batch in opened.iter_batches(ROWS_AT_ONCE, columns=["customer_id", FATE]):
                kept = batch.filter(pc.is_null(batch[FATE]))
                yield kept["customer_id"].cast(pa.string())


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of one as-of date, ready to be written, and those that are not.

    Attributes:
        contract: The table that the rows follow.
        parts: The files, in the order of the rows' keys.
        rejects: The rows that break a rule, in the same order.
        digest: Of the rows without their lineage, as `digest_of` gives it.
        each: Has workers do something for every part.
    """

    contract: Table
    parts: tuple[Part, ...]
    rejects: tuple[Reject, ...]
    digest: str
    each: Each

    @property
    def count(self) -> int:
        """How many rows are delivered."""
        return sum(part.rows for part in self.parts)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The delivered rows, in the order of their keys."""
        for part in self.parts:
            yield from part.batches(self.contract)

    def refused(self, reasons: Mapping[int, str]) -> tuple[Reject, ...]:
        """The rows that a database refuses, by their places from 1, as rejects."""
        found: list[Reject] = []
        place = 1
        for batch in self.batches():
            here = [n for n in sorted(reasons) if place <= n < place + batch.num_rows]
            if here:
                rows = pa.Table.from_batches([batch.take(pa.array([n - place for n in here]))])
                numbers = self._handed(np.array(here)).tolist()
                found += rejects_of(rows, numbers, [reasons[n] for n in here])
            place += batch.num_rows
        return tuple(found)

    def customers(self) -> Iterator[tuple[pa.Array, NDArray[np.int64]]]:
        """The customers whose rows are delivered, and their places among all rows, from 1."""
        place = 1
        for part in self.parts:
            for ids in part.customers():
                yield ids, self._handed(np.arange(place, place + len(ids)))
                place += len(ids)

    def _handed(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places among the rows handed over, rejects included, of those among the delivered."""
        # A reject stands behind so many rows that are delivered.
        before = [reject.row_number - n for n, reject in enumerate(self.rejects, start=1)]
        return places + np.searchsorted(np.array(before, np.int64), places)


def parts_of(files: Sequence[Path], counts: Sequence[int]) -> tuple[Part, ...]:
    """The files as parts, given how many rows of each are delivered.

    Example:
        >>> [part.first for part in parts_of([Path("a"), Path("b"), Path("c")], [3, 0, 2])]
        [1, 4, 4]
    """
    firsts = accumulate(counts, initial=1)
    return tuple(
        Part(file, rows, first) for file, rows, first in zip(files, counts, firsts, strict=False)
    )


def nullable(contract: Table) -> pa.Schema:
    """The contract's columns, each of which may be null: rows of them are still to be judged."""
    return pa.schema([field.with_nullable(True) for field in contract.arrow])


def sum_of(batches: Iterable[pa.RecordBatch], of: Table | Sequence[str]) -> int:
    """The sum of the rows' SHA-256, the same in whatever order they come.

    Args:
        batches: The rows.
        of: The columns that count; of a table, those that are no lineage.
    """
    names = [c.name for c in of.columns if not c.lineage] if isinstance(of, Table) else of
    total = 0
    for batch in batches:
        cells = [_written(batch[name]) for name in names]
        for line in pc.binary_join_element_wise(*cells, ",").to_pylist():
            total += int.from_bytes(hashlib.sha256(line.encode()).digest())
    return total % _WHOLE


def digest_of(sums: Iterable[int]) -> str:
    """The digest of rows whose parts have these sums.

    Parts are summed by different workers, which a digest of all rows in a row would not allow.

    Example:
        >>> digest_of([1, 2]) == digest_of([2, 1])
        True
    """
    return hashlib.sha256(f"rows {sum(sums) % _WHOLE:x}".encode()).hexdigest()


def _written(values: pa.Array) -> pa.Array:
    """Values as text that is read in one way only: texts in quotes, and nothing where null."""
    text = values.cast(pa.string())
    if pa.types.is_string(values.type):
        text = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
    return pc.fill_null(text, "")
