"""The layout of files: their columns, and how the text of a CSV file is parted."""

import codecs
import csv
import io
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.config import CsvFormat
from portfolio_ml.engine.signatures import kind_of
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
_NULS_OF_UTF_16 = (0.3, 0.6)  # the share of bytes that are 0 where most letters are Latin

FILE = "portfolio_ml: file"
BROKEN = "portfolio_ml: broken line"
_RESERVED = {FILE, BROKEN, "file_row_number"}
"""Names that the engine gives to columns of its own."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file, in order, and for CSV how its text is parted.

    Attributes:
        columns: Their names.
        delimiter: What parts the values of a CSV file.
        line_end: What parts its lines; None for a lone carriage return.
        floats: The columns of a Parquet file that hold floating numbers.
        texts: Those that hold text.
    """

    columns: tuple[str, ...]
    delimiter: str = ""
    line_end: str | None = None
    floats: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()


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
        DataError: It is none, or cannot be opened.
    """
    try:
        with file.open("rb") as raw:
            schema = pq.read_schema(raw)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:  # names that are no UTF-8
        if isinstance(error, OSError) and error.errno is not None:  # not what Arrow makes of it
            raise _unread(file, error) from None
        raise DataError(
            "the file is no readable Parquet file",
            where=str(file),
            saw=None if file.stat().st_size else "an empty file",
            do="export it again",
        ) from error
    if not schema.names:
        raise DataError("the file has no columns", where=str(file), do="export it again")
    return Layout(
        tuple(schema.names),
        floats=frozenset(f.name for f in schema if pa.types.is_floating(f.type)),
        texts=frozenset(f.name for f in schema if _is_text(f.type)),
    )


def _unread(file: Path, error: Exception) -> DataError:
    return DataError("the file cannot be read", where=str(file), saw=str(error))


def _is_text(kind: pa.DataType) -> bool:
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held))


def csv_layout(file: Path, written: CsvFormat) -> Layout:
    """The columns of a CSV file, its delimiter and its ends of lines, from its header.

    Raises:
        DataError: There is no header that can be read.
    """
    quote = written.quote
    try:
        _demand_text(file)
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
        raise _unread(file, error) from None
    return Layout(
        columns=tuple(name or f"column{n}" for n, name in enumerate(names)),
        delimiter=delimiter,
        line_end=next((end for end in _LINE_ENDS if header.endswith(end)), None),
    )


def header_of(text: TextIO, written: CsvFormat) -> str:
    """The header that the text goes on with, with the lines that a quoted name runs on to."""
    lines: list[str] = []
    length, quotes = 0, 0
    while not lines or (quotes % 2 and length < _LONGEST_HEADER):
        lines.append(line := text.readline(_LONGEST_HEADER))
        length += len(line)
        quotes += line.count(written.quote) if written.quote else 0
        if not line:
            break
    return "".join(lines)


def skipped_lines(text: TextIO, written: CsvFormat) -> str:
    """The lines before the header, at the beginning of a text."""
    return "".join(text.readline(_LONGEST_HEADER) for _ in range(written.skip_lines))


def encoding_advice(file: Path) -> str:
    """What to do about a file that is not in the encoding that was expected of it."""
    start = _start(file)
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    is_marked = start.startswith(marks) and not start.startswith(codecs.BOM_UTF32_LE)
    fewest, most = _NULS_OF_UTF_16
    if is_marked or fewest < start.count(0) / max(1, len(start)) < most:
        return "try encoding: utf-16 in the format of its source, or save it as UTF-8"
    try:
        is_western = b"\0" not in start and bool(start.decode(CODECS["windows-1252"]))
    except UnicodeError:
        is_western = False
    if is_western:
        return "try encoding: windows-1252 in the format of its source, or save it as UTF-8"
    return "save it as UTF-8, or say its encoding in the format of its source"


def _start(file: Path) -> bytes:
    with file.open("rb") as raw:
        return raw.read(_LONGEST_HEADER)


def _demand_text(file: Path) -> None:
    if (kind := kind_of(_start(file))) is not None:
        what, do = kind
        raise DataError("the file is no CSV file", where=str(file), saw=what, do=do)


def _header(file: Path, written: CsvFormat) -> str:
    with file.open(encoding=CODECS[written.encoding], newline="") as text:
        skipped_lines(text, written)
        header = header_of(text, written)
    if not header.strip():
        saw = "a blank first line" if header else "an empty file"
        raise DataError("there is no header", where=str(file), saw=saw, do="export it again")
    if header.startswith("sep="):
        raise DataError(
            "the first line is no header",
            where=str(file),
            saw=header.strip(),
            do="set skip_lines: 1 in the format of its source",
        )
    if "\0" in header:
        raise DataError(
            "the header holds NUL characters", where=str(file), do=encoding_advice(file)
        )
    if len(header) >= _LONGEST_HEADER:
        raise DataError(
            f"the header is longer than {_LONGEST_HEADER:,} characters",
            where=str(file),
            do="check its quotes and line ends, or export it again",
        )
    return header


def common_columns(layouts: Mapping[Path, Layout]) -> tuple[str, ...]:
    """The columns that all files have.

    Raises:
        DataError: A name is there twice, or the files differ.
    """
    (first, expected), *_ = layouts.items()
    for file, layout in layouts.items():
        times = Counter(name.casefold() for name in layout.columns)
        if twice := next((n for n in layout.columns if times[n.casefold()] > 1), None):
            raise DataError(
                f"column {twice!r} is there twice", where=str(file), do="name the columns apart"
            )
        if taken := next((n for n in layout.columns if n.casefold() in _RESERVED), None):
            raise DataError(
                f"column {taken!r} has a name that is ours", where=str(file), do="rename it"
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
            file.open(encoding=CODECS[encoding], newline="") as source,
            copy.open("w", encoding="utf-8", newline="") as target,
        ):
            shutil.copyfileobj(source, target)
    except UnicodeError as error:
        raise DataError(
            f"the file is not {encoding}",
            where=str(file),
            saw=str(error),
            do="say its encoding in the format of its source",
        ) from None


def copy_with_blanks(file: Path, copy: Path, layout: Layout, written: CsvFormat) -> None:
    """Write a copy of a file in UTF-8 whose lines before the header are blank, and end as it does.

    Args:
        file: A CSV file in UTF-8.
        copy: Where to write.
        layout: How the file's text is parted.
        written: How it is written.
    """
    with (
        file.open(encoding=CODECS["utf-8"], errors="surrogateescape", newline="") as source,
        copy.open("w", encoding="utf-8", errors="surrogateescape", newline="") as target,
    ):
        skipped_lines(source, written)
        target.write((layout.line_end or "\r") * written.skip_lines)
        shutil.copyfileobj(source, target)
