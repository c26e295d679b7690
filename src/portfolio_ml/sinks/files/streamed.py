"""Files of rows that nobody holds whole: written and read a batch at a time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from portfolio_ml.config import CsvTarget, ParquetTarget
from portfolio_ml.replacing import make_folder
from portfolio_ml.schema import Table
from portfolio_ml.sinks.files.csv_rows import (
    header_for,
    lines_of,
    scan_for_machines,
    scan_for_people,
    with_protected_texts,
)
from portfolio_ml.sinks.files.kept import KEPT, file_of_day
from portfolio_ml.sinks.files.partitions import with_day
from portfolio_ml.sinks.files.places import UNREADABLE, FileTarget
from portfolio_ml.sinks.files.writing import told, write_batches
from portfolio_ml.sinks.parts import ROWS_AT_ONCE, Parts, digest_of, sum_of

Batches = Iterable[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class StreamedForm:
    """How rows lie in a file.

    Attributes:
        write: Writes batches with the columns of a schema into an open file.
        read: The rows of a file with the types of the contract; raises `places.UNREADABLE`.
    """

    write: Callable[[Batches, pa.Schema, BinaryIO], None]
    read: Callable[[Path, Table], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a file.

    Attributes:
        newest: The newest date among its rows; None where it has none.
        digest: Of its rows without their lineage, as `sinks.parts.digest_of` gives it.
    """

    newest: date | None
    digest: str


def streamed_form(target: FileTarget) -> StreamedForm:
    """How rows lie in the files of a target."""
    if isinstance(target, CsvTarget):
        return _FOR_PEOPLE if target.readers == "people" else _FOR_MACHINES
    return _PART if isinstance(target, ParquetTarget) and target.partitioned else _WHOLE


def seen_in(file: Path, form: StreamedForm, contract: Table) -> Seen | None:
    """What can be seen of a file's rows; None where it is missing or cannot be read."""
    if not file.is_file():
        return None
    newest: date | None = None
    total = 0
    try:
        for batch in form.read(file, contract):
            total += sum_of([batch], contract)
            if pa.types.is_date32(batch["as_of"].type):  # else it is another's file
                days = [newest, pc.max(batch["as_of"]).as_py()]
                newest = max((day for day in days if day is not None), default=None)
    except UNREADABLE:
        return None
    return Seen(newest, digest_of([total]))


def keep_streamed(rows: Parts, history: Path, *, as_of: date) -> None:
    """Keep what can be judged of a date's rows, in the place of what is kept of that date."""
    # Whether it is the same is not asked here: that reads all rows once more, and a delivery has
    # asked before it decided.
    with told(history):
        make_folder(history)
    schema = pa.schema([rows.contract.arrow.field(n).with_nullable(True) for n in KEPT])
    batches = (batch.select([*KEPT]) for batch in rows.batches())
    write_batches(batches, schema, file_of_day(history, as_of))


def keeps_streamed(rows: Parts, history: Path, *, as_of: date) -> bool:
    """Whether exactly that is kept of the rows' date already."""
    try:
        held = _scan_parquet(file_of_day(history, as_of), KEPT)
        return sum_of(held, KEPT) == sum_of(rows.batches(), KEPT)
    except UNREADABLE:
        return False


def _write_parquet(batches: Batches, schema: pa.Schema, file: BinaryIO) -> None:
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def _write_part(batches: Batches, schema: pa.Schema, file: BinaryIO) -> None:
    """The rows of one date, which the name of their folder tells."""
    names = [name for name in schema.names if name != "as_of"]
    own = pa.schema([schema.field(name) for name in names])
    _write_parquet((batch.select(names) for batch in batches), own, file)


def _write_for_machines(batches: Batches, schema: pa.Schema, file: BinaryIO) -> None:
    file.write(header_for(schema.names))
    for batch in batches:
        file.writelines(lines_of(pa.Table.from_batches([batch])))


def _write_for_people(batches: Batches, schema: pa.Schema, file: BinaryIO) -> None:
    file.write(header_for(schema.names, people=True))
    for batch in batches:
        file.writelines(lines_of(with_protected_texts(pa.Table.from_batches([batch]))))


def _read_parquet(file: Path, contract: Table) -> Iterator[pa.RecordBatch]:
    return _scan_parquet(file, contract.names)


def _read_part(file: Path, contract: Table) -> Iterator[pa.RecordBatch]:
    names = tuple(name for name in contract.names if name != "as_of")
    for batch in _scan_parquet(file, names):
        yield with_day(batch, file)


def _scan_parquet(file: Path, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(file) as opened:
        if lacking := {*names} - {*opened.schema_arrow.names}:
            raise KeyError(*sorted(lacking))
        yield from opened.iter_batches(ROWS_AT_ONCE, columns=[*names])


_WHOLE = StreamedForm(_write_parquet, _read_parquet)
_PART = StreamedForm(_write_part, _read_part)
_FOR_PEOPLE = StreamedForm(_write_for_people, scan_for_people)
_FOR_MACHINES = StreamedForm(_write_for_machines, scan_for_machines)
