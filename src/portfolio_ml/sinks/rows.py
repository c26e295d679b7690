"""Rows as they are delivered: at the delivered precision, sorted by key, without the bad ones."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.receipts import REJECTS, Run

_DIGEST_ROWS = 100_000
_MICROSECONDS_A_DAY = 86_400_000_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that breaks a rule: its place in the delivery, its customer, the rules, the row."""

    row_number: int
    customer_id: str | None
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """The rows of one as-of date, ready to be written, and those that are not.

    Attributes:
        contract: The table that the rows follow.
        rows: Rows at the delivered precision, sorted by key, one a key.
        numbers: Their places among the rows handed over, from 1.
        rejects: The rows that break a rule, in the same order.
        digest: SHA-256 of `rows` without their lineage.
    """

    contract: Table
    rows: pa.Table
    numbers: NDArray[np.int64]
    rejects: tuple[Reject, ...]
    digest: str

    @property
    def count(self) -> int:
        """How many rows are ready to be written."""
        count: int = self.rows.num_rows
        return count

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows that are ready to be written, all at once."""
        yield from self.rows.combine_chunks().to_batches()

    def refused(self, reasons: Mapping[int, str]) -> tuple[Reject, ...]:
        """The rows that a database refuses, by their places in `rows` from 1, as rejects."""
        places = np.array(sorted(reasons), np.int64) - 1
        rows = self.rows.take(pa.array(places))
        return rejects_of(rows, self.numbers[places], [reasons[place + 1] for place in places])


def rejected_rows(rejects: Sequence[Reject], *, run: Run, table: str) -> pa.Table:
    """Rejects as rows of `portfolio_rejects`."""
    shared = {"run_id": run.run_id, "table_name": table, "as_of": run.as_of}
    return pa.Table.from_pylist([shared | asdict(r) for r in rejects], schema=REJECTS.arrow)


def prepare(rows: pa.Table, contract: Table, *, as_of: date) -> Delivery:
    """The delivery that the rows make.

    Floating-point values are rounded half to even at the column's decimals, minus zero becomes
    zero, and not-a-number becomes null. A row is rejected where a column without a meaning of
    null has none, a value is infinite, a date is outside the years 1 to 9999, or its key is there
    twice: then no row with that key can be trusted.

    Raises:
        ValueError: The rows do not follow the contract, or are of another as-of date.
    """
    came = _typed(rows, contract, as_of=as_of)
    order = _order(came, contract.key)
    if order is not None:
        came = came.take(pa.array(order))
    exact = pa.table([_exact(came[c.name], c) for c in contract.columns], names=contract.names)
    faults = _faults(exact, contract)
    bad = np.logical_or.reduce([mask for _, mask in faults], axis=0, initial=np.False_)
    bad = np.broadcast_to(bad, came.num_rows)
    kept = exact.filter(pa.array(~bad)).combine_chunks() if bad.any() else exact
    places = np.flatnonzero(bad)
    numbers = (np.arange(came.num_rows, dtype=np.int64) if order is None else order) + 1
    reasons = ["; ".join(text for text, mask in faults if mask[place]) for place in places]
    rejects = rejects_of(came.take(pa.array(places)), numbers[places], reasons)
    return Delivery(contract, kept, numbers[~bad], rejects, digest(kept, contract))


def _order(rows: pa.Table, key: tuple[str, ...]) -> NDArray[np.int64] | None:
    """The places of the rows in the order of their keys; None where that is how they come.

    To copy rows that are in order already would take as much memory again.
    """
    [first, *others] = key
    ids = rows[first]
    if not others and not ids.null_count:
        rising = pc.less_equal(ids.slice(0, max(len(ids) - 1, 0)), ids.slice(1))
        if pc.all(rising, min_count=0).as_py():
            return None
    order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in key])
    return np.asarray(order.to_numpy(), np.int64)


def digest(rows: pa.Table, contract: Table) -> str:
    """SHA-256 of the rows as CSV, in their order, without the lineage columns."""
    names = [column.name for column in contract.columns if not column.lineage]
    total = hashlib.sha256(json.dumps(names).encode())
    plain = pacsv.WriteOptions(include_header=False)
    for batch in rows.select(names).to_batches(max_chunksize=_DIGEST_ROWS):
        sink = pa.BufferOutputStream()
        pacsv.write_csv(pa.Table.from_batches([batch]), sink, plain)
        total.update(sink.getvalue())
    return total.hexdigest()


def _typed(rows: pa.Table, contract: Table, *, as_of: date) -> pa.Table:
    if sorted(rows.column_names) != sorted(contract.names):
        odd = sorted(set(rows.column_names) ^ set(contract.names)) or "a name twice"
        raise ValueError(f"the rows are not those of {contract.name}: {odd}")
    typed = pa.table([rows[c.name].cast(c.type) for c in contract.columns], names=contract.names)
    if pc.any(pc.not_equal(typed["as_of"], pa.scalar(as_of))).as_py():
        raise ValueError(f"the rows are not all as of {as_of}")
    return typed


def _exact(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return values
    values = pc.if_else(pc.is_nan(values), None, values)
    if column.decimals is not None:
        # Beyond 2^53 units of the last decimal a double has no such decimal to round.
        fine = pc.less(pc.abs(values), 2.0**53 / 10.0**column.decimals)
        unit = 10.0**column.decimals
        # Not with ndigits: Arrow then leaves 5.9399999999999995, next to a decimal, as it is.
        whole = pc.round(pc.multiply(pc.if_else(fine, values, 0.0), unit))
        values = pc.if_else(fine, pc.divide(whole, unit), values)
    return pc.add(values, 0.0)


def _faults(exact: pa.Table, contract: Table) -> list[tuple[str, np.ndarray]]:
    """The rules that rows break, each with a mask of the rows that break it."""
    checks = [(f"no {c.name}", pc.is_null(exact[c.name])) for c in contract.columns if not c.null]
    for column in contract.columns:
        values = exact[column.name]
        if pa.types.is_floating(column.type):
            checks.append((f"infinite {column.name}", pc.is_inf(values)))
        if pa.types.is_temporal(column.type):
            checks.append((f"{column.name} outside the years 1 to 9999", _beyond_years(values)))
    checks.append(("duplicate key", _duplicates(exact, contract.key)))
    masks = ((text, np.asarray(pc.fill_null(mask, fill_value=False))) for text, mask in checks)
    return [(text, mask) for text, mask in masks if mask.any()]


def _beyond_years(values: pa.ChunkedArray) -> pa.ChunkedArray:
    days = pa.types.is_date32(values.type)
    unit = 1 if days else _MICROSECONDS_A_DAY
    numbers = values.cast(pa.int32() if days else pa.int64())
    first = (date.min.toordinal() - _EPOCH_ORDINAL) * unit
    end = (date.max.toordinal() - _EPOCH_ORDINAL + 1) * unit
    return pc.or_(pc.less(numbers, first), pc.greater_equal(numbers, end))


def _duplicates(rows: pa.Table, key: tuple[str, ...]) -> pa.Array:
    """Which of the sorted rows have the key of a neighbour."""
    alike = np.ones(max(rows.num_rows - 1, 0), dtype=bool)
    for name in key:
        values = rows[name]
        same = pc.equal(values.slice(1), values.slice(0, len(alike)))
        alike &= np.asarray(pc.fill_null(same, fill_value=False))
    mask = np.zeros(rows.num_rows, dtype=bool)
    mask[1:] |= alike
    mask[:-1] |= alike
    return pa.array(mask)


def rejects_of(
    rows: pa.Table, numbers: Iterable[int], reasons: Sequence[str]
) -> tuple[Reject, ...]:
    """Rows that are not delivered, as rejects.

    Args:
        rows: The rows as they came.
        numbers: Their places among the rows handed over, from 1.
        reasons: The rules that they break.
    """
    text = pa.table(
        [c.cast(pa.string()) if pa.types.is_temporal(c.type) else c for c in rows.columns],
        names=rows.column_names,
    )
    return tuple(
        Reject(
            row_number=int(number),
            customer_id=row.get("customer_id"),
            reason=reason,
            row=json.dumps({name: _plain(value) for name, value in row.items()}),
        )
        for row, number, reason in zip(text.to_pylist(), numbers, reasons, strict=True)
    )


def _plain(value: object) -> object:
    """The value as JSON knows it; it has no word for infinity."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
