"""A folder of Parquet files, one per date: `as_of=2024-06-30/part-0.parquet`.

Hive's layout, which DuckDB, pandas, Polars and Spark read as one table. The column `as_of` is in
the folder's name and not in the file: pandas and pyarrow refuse a column that both tell.
"""

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.schema import Table
from portfolio_ml.sinks.files.writing import put_parquet

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)

_FILE = "part-0.parquet"
_PREFIX = "as_of="


def part_of(path: Path, as_of: date) -> Path:
    """The file of a date.

    Example:
        >>> part_of(Path("scores"), date(2024, 6, 30)).as_posix()
        'scores/as_of=2024-06-30/part-0.parquet'
    """
    return path / f"{_PREFIX}{as_of.isoformat()}" / _FILE


def parts(path: Path) -> dict[date, Path]:
    """The files that are there by date, ascending."""
    return by_day(path.glob(f"{_PREFIX}*/{_FILE}"), _day_of)


def by_day(files: Iterable[Path], told: Callable[[Path], str]) -> dict[date, Path]:
    """The files by the date that each one tells, ascending; without those that tell none.

    Args:
        files: The files.
        told: What should be the date, such as a part of the file's name.

    Example:
        >>> files = [Path("b 2024-03-05"), Path("c 2024-03-04"), Path("a none")]
        >>> [file.name for file in by_day(files, lambda file: file.name[2:]).values()]
        ['c 2024-03-04', 'b 2024-03-05']
    """
    found = {file: told(file) for file in files}
    return {
        date.fromisoformat(day): file
        for file, day in sorted(found.items(), key=lambda item: item[1])
        if _is_day(day)
    }


def write_part(rows: pa.Table, file: BinaryIO) -> None:
    """Write the rows of one date into its open file."""
    put_parquet(rows.drop_columns(["as_of"]), file)


def read_part(file: Path, contract: Table) -> pa.Table:
    """The rows of a date's file, with the date.

    Raises:
        OSError: The file is damaged or cannot be read; Arrow's errors, too.
    """
    return with_day(pq.ParquetFile(file).read(), file, place=contract.names.index("as_of"))


def with_day(rows: Rows, file: Path, *, place: int = 0) -> Rows:
    """Rows of a date's file, with the date that its folder tells.

    Args:
        rows: A table or a batch.
        file: The file that they are from.
        place: Where the column is to stand.
    """
    as_of = date.fromisoformat(_day_of(file))
    days = pa.repeat(pa.scalar(as_of, pa.date32()), rows.num_rows)
    return rows.add_column(place, "as_of", days)


def _day_of(file: Path) -> str:
    return file.parent.name.removeprefix(_PREFIX)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
