"""A file target of the config as a place: its files, the form of its rows, its name in receipts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from portfolio_ml.config import CsvTarget, ParquetTarget, Settings, SqlTarget, history_beside
from portfolio_ml.schema import CUSTOMER_ROWS, Table
from portfolio_ml.sinks.delivered import tells_scores
from portfolio_ml.sinks.files.csv_rows import (
    read_for_machines,
    read_for_people,
    write_for_machines,
    write_for_people,
)
from portfolio_ml.sinks.files.partitions import part_of, parts, read_part, write_part
from portfolio_ml.sinks.files.writing import put_parquet

FileTarget = ParquetTarget | CsvTarget

UNREADABLE = (OSError, ValueError, KeyError, pa.ArrowException)
"""What reading a file raises that is damaged, or not ours."""


@dataclass(frozen=True, slots=True)
class Form:
    """How rows lie in a file.

    Attributes:
        write: Writes rows into an open file.
        read: The rows of a file, with the types of the contract; raises `UNREADABLE`.
    """

    write: Callable[[pa.Table, BinaryIO], None]
    read: Callable[[Path, Table], pa.Table]


@dataclass(frozen=True, slots=True)
class Place:
    """A file target, found.

    Attributes:
        path: The file, or the folder with a file per date.
        table: What receipts and refused rows call it: the file's name, or the path as it is in
            the config where two targets share the name.
        form: How rows lie in its files.
        by_date: Whether every date has a file of its own.
        history: Where past scores are kept beside a file that each delivery replaces; None where
            the dates' own files or a SQL table have them.
    """

    path: Path
    table: str
    form: Form
    by_date: bool
    history: Path | None

    def file(self, as_of: date) -> Path:
        """The file that rows of a date go into."""
        return part_of(self.path, as_of) if self.by_date else self.path

    def files(self) -> tuple[Path, ...]:
        """The files that are there."""
        if self.by_date:
            return tuple(parts(self.path).values())
        return (self.path,) if self.path.is_file() else ()


def place_of(target: FileTarget, settings: Settings, *, contract: Table = CUSTOMER_ROWS) -> Place:
    """Where the target of the settings is; only scores have a history beside their file."""
    files = [t for t in settings.delivery if isinstance(t, FileTarget)]
    names = [t.path.name for t in files]
    path = settings.resolve(target.path)
    by_date = isinstance(target, ParquetTarget) and target.partitioned
    in_sql = any(isinstance(other, SqlTarget) for other in settings.delivery)
    has_history = tells_scores(contract) and not by_date and not in_sql
    return Place(
        path=path,
        table=str(target.path) if names.count(path.name) > 1 else path.name,
        form=_form_of(target),
        by_date=by_date,
        history=history_beside(path) if has_history else None,
    )


def held(
    target: FileTarget,
    *,
    settings: Settings,
    as_of: date | None = None,
    contract: Table = CUSTOMER_ROWS,
) -> pa.Table | None:
    """The rows that a file target holds; None where there are none, or they cannot be read.

    Args:
        target: One of the settings' targets.
        settings: The portfolio's settings.
        as_of: Which date's rows of a folder by date; without it, the newest.
        contract: The table that the rows follow; a file from another version may have other
            columns.
    """
    place = place_of(target, settings, contract=contract)
    there = place.files()
    file = there[-1] if there and (as_of is None or not place.by_date) else None
    if as_of is not None and place.by_date:
        file = place.file(as_of)
    return None if file is None else rows_in(file, place, contract)


def rows_in(file: Path, place: Place, contract: Table) -> pa.Table | None:
    """The rows of one of the place's files; None where it is missing or cannot be read."""
    if not file.is_file():
        return None
    try:
        return place.form.read(file, contract)
    except UNREADABLE:
        return None


def _form_of(target: FileTarget) -> Form:
    if isinstance(target, CsvTarget):
        for_people = target.readers == "people"
        return _FOR_PEOPLE if for_people else _FOR_MACHINES
    return _PART if target.partitioned else _WHOLE


def _read_parquet(file: Path, contract: Table) -> pa.Table:
    del contract  # the file knows its types
    return pq.ParquetFile(file).read()


_WHOLE = Form(put_parquet, _read_parquet)
_PART = Form(write_part, read_part)
_FOR_PEOPLE = Form(write_for_people, read_for_people)
_FOR_MACHINES = Form(write_for_machines, read_for_machines)
