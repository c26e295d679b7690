"""Rows as CSV (RFC 4180), for spreadsheets or for programs, and back with their types.

Text is always in quotes, so that an empty text (`""`) and none (nothing between two commas) are
told apart; numbers, dates and truth are not. Lines end with CR LF.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from portfolio_ml.schema import Table
from portfolio_ml.sinks.files.formulas import original, protected

Change = Callable[[pa.Array], pa.Array]

_BATCH_ROWS = 20_000
_BLOCK_BYTES = 1 << 24
"""The longest line that is read back."""
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()
"""Tells spreadsheets that the file is UTF-8."""


def write_for_machines(rows: pa.Table, file: BinaryIO) -> None:
    """Write the rows with every value as it is."""
    file.write(header_for(rows.column_names))
    file.writelines(lines_of(rows))


def write_for_people(rows: pa.Table, file: BinaryIO) -> None:
    """Write the rows for a spreadsheet: marked as UTF-8, no text acting as a formula."""
    file.write(_MARK)
    write_for_machines(with_protected_texts(rows), file)


def read_for_machines(file: Path, contract: Table) -> pa.Table:
    """The rows of a file that `write_for_machines` has written.

    Columns have the types of the contract; those that it does not know are text.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no such CSV, or a value is not of its column's type.
    """
    return pacsv.read_csv(file, **_options(file, contract))


def scan_for_machines(file: Path, contract: Table) -> Iterator[pa.RecordBatch]:
    """The same a batch at a time; errors are those of `read_for_machines`."""
    with pacsv.open_csv(file, **_options(file, contract)) as opened:
        yield from opened


def scan_for_people(file: Path, contract: Table) -> Iterator[pa.RecordBatch]:
    """The rows that `read_for_people` gives a batch at a time, with the same errors."""
    for batch in scan_for_machines(file, contract):
        yield from _with_texts(pa.Table.from_batches([batch]), original).to_batches()


def read_for_people(file: Path, contract: Table) -> pa.Table:
    """The rows of a file that `write_for_people` has written, texts as they were.

    Errors are those of `read_for_machines`.
    """
    return _with_texts(read_for_machines(file, contract), original)


def _options(file: Path, contract: Table) -> dict[str, Any]:
    types = {column.name: column.type for column in contract.columns}
    return {
        "read_options": pacsv.ReadOptions(block_size=_BLOCK_BYTES),
        "parse_options": pacsv.ParseOptions(newlines_in_values=True),
        "convert_options": pacsv.ConvertOptions(
            column_types={name: types.get(name, pa.string()) for name in _header_of(file)},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    }


def _header_of(file: Path) -> list[str]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        try:
            return next(csv.reader(opened, strict=True), [])
        except csv.Error as error:
            raise ValueError("the file has no header") from error


def _with_texts(rows: pa.Table, change: Change) -> pa.Table:
    columns = [_changed(c, change) if pa.types.is_string(c.type) else c for c in rows.columns]
    return pa.table(columns, names=rows.column_names)


def _changed(texts: pa.ChunkedArray, change: Change) -> pa.ChunkedArray:
    """The texts, each distinct one changed once: most columns have few."""
    encoded = (chunk.dictionary_encode() for chunk in texts.chunks)
    changed = [change(chunk.dictionary).take(chunk.indices) for chunk in encoded]
    return pa.chunked_array(changed, pa.string())


def header_for(names: Sequence[str], *, people: bool = False) -> bytes:
    """The first line of a file; where people read it, with the mark that it is UTF-8."""
    header = StringIO()
    csv.writer(header).writerow(names)
    return (_MARK if people else b"") + header.getvalue().encode()


def with_protected_texts(rows: pa.Table) -> pa.Table:
    """The rows with no text that a spreadsheet takes for a formula."""
    return _with_texts(rows, protected)


def lines_of(rows: pa.Table) -> Iterator[bytes]:
    """The rows' lines, some thousand at a time."""
    for batch in _with_texts(rows, _quoted).to_batches(max_chunksize=_BATCH_ROWS):
        cells = (pc.fill_null(column.cast(pa.string()), "") for column in batch.columns)
        lines = pc.binary_join_element_wise(*cells, ",")
        yield "".join(f"{line}\r\n" for line in lines.to_pylist()).encode()


def _quoted(texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
