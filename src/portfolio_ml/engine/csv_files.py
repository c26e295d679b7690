"""CSV files as rows of text, with their source, their row number and the lines that are none."""

import glob
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from portfolio_ml.config import CsvFormat
from portfolio_ml.engine.files import (
    BROKEN,
    CODECS,
    FILE,
    Layout,
    copy_as_utf8,
    copy_with_blanks,
    skipped_lines,
)
from portfolio_ml.engine.ragged import LINE_END, mend
from portfolio_ml.engine.readings import literal, quoted

FILES_A_THREAD = 2
"""Up to so many files for each thread are read by all threads together.

Of more, DuckDB gives each thread files of its own, and then says nothing of a quote that is never
closed: what follows it would be lost without a word.
"""
_LINE_ENDS = {
    "\r\n": duckdb.CSVLineTerminator.CARRIAGE_RETURN_LINE_FEED,
    "\n": duckdb.CSVLineTerminator.LINE_FEED,
}


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file and how it is read.

    Attributes:
        path: What it is called.
        layout: Its columns, and how its text is parted.
        read: What is read in its place: itself, or a copy.
        is_mended: Whether that is a copy whose broken lines are marked.
    """

    path: Path
    layout: Layout
    read: Path
    is_mended: bool = False


@dataclass(frozen=True, slots=True)
class CsvScan:
    """The CSV files of one scan.

    Attributes:
        files: The files, in order.
        names: The columns to give.
        written: How the files are written.
        is_mended: Whether it has been seen which files have broken lines.
    """

    files: tuple[CsvFile, ...]
    names: tuple[str, ...]
    written: CsvFormat
    is_mended: bool = False

    @property
    def names_by_read(self) -> Mapping[str, str]:
        """What each file that is read is called."""
        return {str(file.read): str(file.path) for file in self.files}


def csv_scan(
    layouts: Mapping[Path, Layout],
    names: Sequence[str],
    written: CsvFormat,
    new: Callable[[], Path],
) -> CsvScan:
    """The files, and a copy in UTF-8 of those that are written otherwise.

    A file whose lines before the header would hide its rows is read from a copy where they are
    blank.

    Args:
        layouts: The files with their layouts.
        names: The columns to give.
        written: How the files are written.
        new: Gives a path for a copy.

    Raises:
        DataError: A file does not hold text in its encoding.
    """
    files = []
    for path, layout in layouts.items():
        read = path
        if written.encoding != "utf-8":
            copy_as_utf8(path, read := new(), written.encoding)
        if written.skip_lines and _hide_rows(_before_header(read, written), layout, written):
            copy_with_blanks(read, copy := new(), layout, written)
            read = copy
        files.append(CsvFile(path, layout, read))
    return CsvScan(tuple(files), tuple(names), written)


def _before_header(file: Path, written: CsvFormat) -> str:
    with file.open(encoding=CODECS["utf-8"], errors="surrogateescape", newline="") as text:
        return skipped_lines(text, written)


def _hide_rows(before: str, layout: Layout, written: CsvFormat) -> bool:
    """Whether DuckDB, asked to skip these lines, may find no row below them and say nothing.

    So it is where one ends otherwise than the header, or has quotes that are none of a value's.
    """
    rest = before.replace(layout.line_end or "\r", "")
    return "\r" in rest or "\n" in rest or bool(written.quote and written.quote in rest)


def mended(scan: CsvScan, new: Callable[[], Path]) -> CsvScan:
    """The scan, in which files with broken lines are read from copies that mark them."""
    files = []
    for file in scan.files:
        copy = new()
        if mend(file.read, copy, file.layout, scan.written):
            layout = replace(file.layout, line_end=LINE_END)
            files.append(replace(file, read=copy, layout=layout, is_mended=True))
        else:
            copy.unlink()
            files.append(file)
    return replace(scan, files=tuple(files), is_mended=True)


def csv_rows(connection: duckdb.DuckDBPyConnection, scan: CsvScan) -> duckdb.DuckDBPyRelation:
    """The rows: the columns as text, `_source`, `_row` and `_line`, null but for broken lines."""
    kinds = dict.fromkeys((file.layout, file.is_mended) for file in scan.files)
    [threads] = connection.execute("SELECT current_setting('threads')").fetchall()[0]
    alike = [
        _rows_alike(connection, files, scan)
        for kind in kinds
        for files in _few(
            [f for f in scan.files if (f.layout, f.is_mended) == kind], FILES_A_THREAD * threads
        )
    ]
    if len(alike) == 1:
        return alike[0]
    return connection.sql(" UNION ALL ".join(f"({rows.sql_query()})" for rows in alike))


def _few(files: Sequence[CsvFile], most: int) -> Iterator[Sequence[CsvFile]]:
    """The files, so many at a time."""
    for first in range(0, len(files), most):
        yield files[first : first + most]


def _rows_alike(
    connection: duckdb.DuckDBPyConnection, files: Sequence[CsvFile], scan: CsvScan
) -> duckdb.DuckDBPyRelation:
    """The rows of files that have one layout, and are all mended or none."""
    layout, is_mended = files[0].layout, files[0].is_mended
    columns = (*layout.columns, *([BROKEN] if is_mended else []))
    # Nothing is sniffed: a guess would hang on which rows happen to be broken.
    rows = connection.read_csv(
        [glob.escape(str(file.read)) for file in files],  # type: ignore[arg-type]  # stub: one name
        columns=dict.fromkeys(columns, "VARCHAR"),
        header=True,
        auto_detect=False,
        sep=layout.delimiter,
        quotechar=scan.written.quote,
        escapechar=scan.written.quote,
        lineterminator=_LINE_ENDS.get(layout.line_end or ""),
        skiprows=scan.written.skip_lines or None,
        filename=FILE,
        hive_partitioning=False,
    )
    source = _renamed(quoted(FILE), {str(f.read): str(f.path) for f in files})
    line = f"decode(unhex({quoted(BROKEN)}))" if is_mended else "CAST(NULL AS VARCHAR)"
    numbered = rows.project(
        f"{', '.join(map(quoted, scan.names))}, {source} AS _source, "
        f"row_number() OVER () AS _row, {line} AS _line"
    )
    if len(files) == 1:
        return numbered
    return numbered.project("* REPLACE (_row - min(_row) OVER (PARTITION BY _source) + 1 AS _row)")


def _renamed(column: str, names: Mapping[str, str]) -> str:
    """The column with each value that has another name under that name."""
    cases = [f"WHEN {literal(k)} THEN {literal(v)}" for k, v in names.items() if k != v]
    return f"CASE {column} {' '.join(cases)} ELSE {column} END" if cases else column
