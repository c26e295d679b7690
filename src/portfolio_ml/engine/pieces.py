"""Files in pieces, each read by one of Spark's tasks: by DuckDB, where the task runs.

So a file says the same on both engines, whatever its dialect, encoding, types and broken lines.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import DuckDBPyRelation

from portfolio_ml.config import CsvFormat, DuckDB
from portfolio_ml.engine import duckdb
from portfolio_ml.engine.files import is_parquet
from portfolio_ml.engine.frames import PLAIN, Told
from portfolio_ml.engine.readings import FLOATS, literal, quoted, text_of_float
from portfolio_ml.engine.spark_faults import sent_home
from portfolio_ml.errors import ConfigError

BYTES = 2**25
"""What a piece holds at least, where there is so much of a kind; a CSV file is never cut."""

_MEMORY = "1GB"  # of a task, which passes rows on and holds few
_LINEAGE = ("_row", "_line")


@dataclass(frozen=True, slots=True)
class Piece:
    """What one task reads.

    Attributes:
        files: The files, by their place in the scan.
        rows: Of a Parquet file, the rows after the first number and up to the second one; None
            for whole files.
    """

    files: range
    rows: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """Files to read, in pieces.

    Attributes:
        files: The files, in order.
        types: Their columns with DuckDB's type of each, the same for all files.
        folder: Where copies are made; Spark's workers see it.
        written: How CSV files are written.
        told: What the folders of the files tell.
        source: What `_source` says; the file's name where not given.
    """

    files: tuple[Path, ...]
    types: Mapping[str, str]
    folder: Path
    written: CsvFormat = PLAIN
    told: Told | None = None
    source: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether they are CSV files, whose broken lines have a column `_line`."""
        return not is_parquet(self.files[0])

    def pieces(self) -> Sequence[Piece]:
        """All of it, in pieces; looks at the sizes of files, and at the footers of Parquet."""
        return tuple(_whole(self.files) if self.is_text else _by_row_groups(self.files))


def _whole(files: Sequence[Path]) -> Iterator[Piece]:
    """Neighbours together until they are large enough."""
    first = size = 0
    for place, file in enumerate(files):
        size += file.stat().st_size
        if size >= BYTES:
            yield Piece(range(first, place + 1))
            first, size = place + 1, 0
    if first < len(files):
        yield Piece(range(first, len(files)))


def _by_row_groups(files: Sequence[Path]) -> Iterator[Piece]:
    small = 0  # how many small files stand before this one, and are not given yet
    for place, file in enumerate(files):
        if file.stat().st_size < BYTES:
            small += 1
            continue
        yield from _shifted(_whole(files[place - small : place]), place - small)
        small = 0
        yield from (Piece(range(place, place + 1), rows) for rows in _ranges(file))
    yield from _shifted(_whole(files[len(files) - small :]), len(files) - small)


def _shifted(pieces: Iterable[Piece], by: int) -> Iterator[Piece]:
    return (Piece(range(p.files.start + by, p.files.stop + by)) for p in pieces)


def _ranges(file: Path) -> Iterator[tuple[int, int]]:
    """Ranges of rows, each of whole row groups."""
    footer = pq.read_metadata(file)
    first = end = size = 0
    for n in range(footer.num_row_groups):
        group = footer.row_group(n)
        end += group.num_rows
        size += sum(group.column(c).total_compressed_size for c in range(group.num_columns))
        if size >= BYTES:
            yield first, end
            first, size = end, 0
    if first < end:
        yield first, end


def rows_of(
    batches: Iterable[pa.RecordBatch],
    *,
    scan: Scan,
    pieces: Sequence[Piece],
    columns: Mapping[str, str],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    """The rows of pieces; this is what runs in a worker.

    Args:
        batches: The numbers of the pieces, in a column `id`.
        scan: The files.
        pieces: All pieces.
        columns: What is read of each row: SQL over the scan's columns, by name.
        schema: The names, in order, with their types.

    Raises:
        FaultOfWorkerError: A file is not seen here, or cannot be read.
    """
    with sent_home():
        for batch in batches:
            for number in batch.column("id").to_pylist():
                for rows in _read(scan, pieces[number], columns):
                    yield rows.cast(schema)


def _read(scan: Scan, piece: Piece, columns: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    # Whatever a killed task leaves behind is in the folder that the run removes in the end.
    settings = DuckDB(threads=1, memory_limit=_MEMORY, temp_directory=seen(scan.folder))
    with duckdb.opened(settings) as engine:
        for place in piece.files:
            file = seen(scan.files[place])
            told = None if scan.told is None else {k: [v[place]] for k, v in scan.told.items()}
            found = nw.to_native(engine.scan([file], scan.written, told))
            if piece.rows is not None:
                found = found.filter(f"_row > {piece.rows[0]} AND _row <= {piece.rows[1]}")
            rows = nw.from_native(_projected(found, scan, columns))
            yield from engine.through_file(rows) if scan.is_text else engine.batches(rows)


def _projected(found: DuckDBPyRelation, scan: Scan, columns: Mapping[str, str]) -> DuckDBPyRelation:
    source = "_source" if scan.source is None else f"{literal(scan.source)} AS _source"
    # One file's integers are another's fractions: all are read as what they are together.
    own = dict(zip(found.columns, map(str, found.types), strict=True))
    typed = (f"{_cast(n, own[n], of)} AS {quoted(n)}" for n, of in scan.types.items())
    alike = found.project(", ".join([source, *_LINEAGE[: 1 + scan.is_text], *typed]))
    return alike.project(", ".join(f"{sql} AS {quoted(n)}" for n, sql in columns.items()))


def _cast(name: str, own: str, of: str) -> str:
    """A column of one file as what it is together with the others; see `DuckDBEngine.scan`."""
    if of == "VARCHAR" and own in FLOATS:
        return text_of_float(name)
    return f"CAST({quoted(name)} AS {of})"


def seen(path: Path) -> Path:
    """The path, where it is seen from here.

    Raises:
        ConfigError: It is not.
    """
    if path.exists():
        return path
    raise ConfigError(
        "Spark's workers do not see a file or folder that this process sees",
        where=str(path),
        do="keep it where all of them see it under that name, such as a mounted share",
    )
