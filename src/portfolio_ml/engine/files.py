"""The layout of files: their columns, and how the text of a CSV file is parted."""

import codecs
import csv
import io
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.config import CsvFormat
from portfolio_ml.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
CODECS = {
    "utf-8": "utf-8-sig",
    "utf-16": "utf-16",
    "latin-1": "latin-1",
    "windows-1252": "cp1252",
    "windows-1250": "cp1250",
}
_LINE_ENDS = ("\r\n", "\n")  # a lone carriage return is found without being told
_LONGEST_HEADER = 1_000_000


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file, in order, and for CSV how its text is parted."""

    columns: tuple[str, ...]
    delimiter: str = ""
    line_end: str | None = None


def is_parquet(file: Path) -> bool:
    """Whether a file is called a Parquet file; all others are CSV."""
    return file.suffix.lower() == ".parquet"


def layouts_of(files: Sequence[Path], written: CsvFormat) -> Mapping[Path, Layout]:
    """The layout of each file; all of one kind.

    Raises:
        DataError: A file cannot be read as what its name says.
    """
    are_parquet = is_parquet(files[0])
    return {f: parquet_layout(f) if are_parquet else csv_layout(f, written) for f in files}


def parquet_layout(file: Path) -> Layout:
    """The columns of a Parquet file.

    Raises:
        DataError: It is none.
    """
    try:
        return Layout(tuple(pq.read_schema(file).names))
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            "the file is no readable Parquet file", where=str(file), do="export it again"
        ) from error


def csv_layout(file: Path, written: CsvFormat) -> Layout:
    """The columns of a CSV file, its delimiter and its ends of lines, from its header.

    Raises:
        DataError: There is no header that can be read.
    """
    quote = written.quote
    try:
        header = _header(file, written)
        quoted = f"{re.escape(quote)}[^{re.escape(quote)}]*{re.escape(quote)}" if quote else "(?!)"
        unquoted = re.sub(quoted, "", header)
        delimiter = written.delimiter or max(DELIMITERS, key=unquoted.count)
        reader = csv.reader(
            io.StringIO(header, newline=""),
            delimiter=delimiter,
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        )
        names = next(reader)
    except UnicodeError as error:
        name = "UTF-8" if written.encoding == "utf-8" else written.encoding
        raise DataError(
            f"the file is not {name}",
            where=str(file),
            saw=str(error),
            do=encoding_advice(file),
        ) from None
    except (OSError, csv.Error) as error:
        raise DataError("the file cannot be read", where=str(file), saw=str(error)) from None
    return Layout(
        columns=tuple(name or f"column{n}" for n, name in enumerate(names)),
        delimiter=delimiter,
        line_end=next((end for end in _LINE_ENDS if header.endswith(end)), None),
    )


def header_of(text: TextIO, written: CsvFormat) -> str:
    """The header that the text goes on with, with the lines that a quoted name runs on to."""
    header = text.readline(_LONGEST_HEADER)
    while written.quote and header.count(written.quote) % 2 and len(header) < _LONGEST_HEADER:
        more = text.readline(_LONGEST_HEADER)
        if not more:
            break
        header += more
    return header


def skipped_lines(text: TextIO, written: CsvFormat) -> str:
    """The lines before the header, at the beginning of a text."""
    return "".join(text.readline(_LONGEST_HEADER) for _ in range(written.skip_lines))


def encoding_advice(file: Path) -> str:
    """What to do about a file that is not in the encoding that was expected of it."""
    with file.open("rb") as raw:
        start = raw.read(_LONGEST_HEADER)
    try:
        is_western = b"\0" not in start and bool(start.decode(CODECS["windows-1252"]))
    except UnicodeError:
        is_western = False
    if is_western:
        return "try encoding: windows-1252 in the format of its source, or save it as UTF-8"
    return "save it as UTF-8, or say its encoding in the format of its source"


def _header(file: Path, written: CsvFormat) -> str:
    with file.open(encoding=CODECS[written.encoding], newline="") as text:
        skipped_lines(text, written)
        header = header_of(text, written)
    if not header.strip():
        saw = "a blank first line" if header else "an empty file"
        raise DataError("there is no header", where=str(file), saw=saw, do="export it again")
    return header


def common_columns(layouts: Mapping[Path, Layout]) -> tuple[str, ...]:
    """The columns that all files have.

    Raises:
        DataError: A name is there twice, or the files differ.
    """
    (first, expected), *_ = layouts.items()
    for file, layout in layouts.items():
        names = [name.casefold() for name in layout.columns]
        if twice := next((n for n in layout.columns if names.count(n.casefold()) > 1), None):
            raise DataError(
                f"column {twice!r} is there twice", where=str(file), do="name the columns apart"
            )
        if differing := sorted(set(layout.columns) ^ set(expected.columns)):
            raise DataError(
                f"the columns are not those of {first}",
                where=str(file),
                saw=f"a difference in {', '.join(map(repr, differing))}",
                do="export the files alike",
            )
    return expected.columns


def copy_as_utf8(file: Path, copy: Path, encoding: str) -> None:
    """Write `copy`, which says in UTF-8 what `file` says in its encoding.

    Raises:
        DataError: The file does not hold text in that encoding.
    """
    try:
        with (
            codecs.open(str(file), encoding=CODECS[encoding]) as source,
            codecs.open(str(copy), "w", encoding="utf-8") as target,
        ):
            shutil.copyfileobj(source, target)
    except UnicodeError as error:
        raise DataError(
            f"the file is not {encoding}",
            where=str(file),
            saw=str(error),
            do="give its encoding in data.transactions.format.encoding",
        ) from None
