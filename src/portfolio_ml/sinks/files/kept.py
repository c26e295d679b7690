"""Past scores of file targets, to be judged once they have matured.

A folder with a file per date has them itself. Beside a file that each delivery replaces, what can
be judged later is kept in a folder of its own, `NAME.history`, one small file per date.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.config import history_beside
from portfolio_ml.errors import DataError
from portfolio_ml.replacing import make_folder
from portfolio_ml.sinks.delivered import PAST, SCORES, VERSIONS, Delivered
from portfolio_ml.sinks.files.partitions import by_day, parts
from portfolio_ml.sinks.files.writing import told, write_parquet

KEPT = ("customer_id", *SCORES, "churn_band", *VERSIONS.values())
"""What is kept, where the rows have it."""


def keep_scores(rows: pa.Table, history: Path, *, as_of: date) -> None:
    """Keep what can be judged of a date's rows; the same again is left alone.

    Args:
        rows: The delivered rows.
        history: The folder, made where it is missing.
        as_of: Their date.

    Raises:
        ServiceUnavailableError: The folder may not be written or is full.
    """
    if keeps(rows, history, as_of=as_of):
        return
    with told(history):
        make_folder(history)
    write_parquet(_of(rows), file_of_day(history, as_of))


def keeps(rows: pa.Table, history: Path, *, as_of: date) -> bool:
    """Whether exactly that is kept of the rows' date already."""
    try:
        return bool(pq.ParquetFile(file_of_day(history, as_of)).read().equals(_of(rows)))
    except (OSError, pa.ArrowException):  # Arrow calls a damaged file either
        return False


def deliveries_in_files(path: Path) -> tuple[Delivered, ...]:
    """The dates that a file target, a file or a folder by date, has scores of, ascending.

    Raises:
        DataError: A file is damaged.
    """
    found = []
    for as_of, file in kept_files(path).items():
        first = _columns(file, [*VERSIONS.values()]).slice(0, 1).to_pylist()
        if first:
            versions = {target: first[0][column] for target, column in VERSIONS.items()}
            found.append(Delivered(as_of, versions))
    return tuple(found)


def scores_in_files(path: Path, as_of: date) -> Iterator[pa.RecordBatch]:
    """What a file target has of a date, as `delivered.PAST`, a batch at a time.

    Raises:
        DataError: The file is damaged.
    """
    file = kept_files(path)[as_of]
    try:
        for batch in pq.ParquetFile(file).iter_batches(columns=PAST.names):
            yield batch.select(PAST.names).cast(PAST)
    except (OSError, KeyError, pa.ArrowException):  # Arrow calls a damaged file either
        raise _damaged(file) from None


def kept_files(path: Path) -> dict[date, Path]:
    """The files with past scores by date, ascending."""
    if path.is_dir():
        return parts(path)
    return by_day(history_beside(path).glob("*.parquet"), lambda file: file.stem)


def _columns(file: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of a file with past scores.

    Raises:
        DataError: It is damaged, or another file.
    """
    try:
        return pq.ParquetFile(file).read(columns=[*columns]).select(columns)
    except (OSError, KeyError, pa.ArrowException):  # Arrow calls a damaged file either
        raise _damaged(file) from None


def _damaged(file: Path) -> DataError:
    return DataError(
        "scores kept to be judged cannot be read", where=str(file), do="remove the file"
    )


def _of(rows: pa.Table) -> pa.Table:
    return rows.select([n for n in KEPT if n in rows.column_names]).sort_by("customer_id")


def file_of_day(history: Path, as_of: date) -> Path:
    """The file with what is kept of a date."""
    return history / f"{as_of.isoformat()}.parquet"
