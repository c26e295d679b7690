"""What DuckDB raises, in the error tree's terms."""

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from portfolio_ml.engine.files import encoding_advice
from portfolio_ml.errors import (
    DataError,
    PortfolioError,
    ServiceUnavailableError,
    TryAgainLaterError,
)

_CSV_REASONS = ("Expected Number", "Value with unterminated", "Invalid unicode", "Maximum line")
_BROKEN_LINES = (
    *("Expected Number of Columns", "unterminated quote", "Maximum line"),
    "state machine reached an invalid state",  # ends of lines of several kinds
)


def are_lines_broken(error: duckdb.Error) -> bool:
    """Whether lines of a CSV file that are no rows were the error."""
    return any(reason in str(error) for reason in _BROKEN_LINES)


def file_at_fault(error: Exception, files: Iterable[str]) -> str | None:
    """Which of these files the error names; the longest of those whose names hold each other."""
    return max((file for file in files if file in str(error)), key=len, default=None)


def meaning(error: Exception, read: str | None, *, name: str | None) -> PortfolioError | None:
    """What an error that no broken Parquet file explains means; None where it is a bug.

    Args:
        error: Of DuckDB, or of the disk.
        read: The CSV file that it names; None where it names none.
        name: What that file is called.
    """
    if isinstance(error, duckdb.InvalidInputException) and read is not None:
        is_text = "Invalid unicode" not in str(error)
        return DataError(
            "the file cannot be read" if is_text else "the file is not UTF-8",
            where=name or read,
            saw=told(error),
            do="repair it there, or export it again" if is_text else encoding_advice(Path(read)),
        )
    if isinstance(error, duckdb.IOException) and "No files found" in str(error):
        return TryAgainLaterError(
            "a file that was there is there no longer",
            where=name or read,
            do="run it again when nothing moves or replaces the files",
        )
    if isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException | OSError):
        return ServiceUnavailableError(
            "memory or disk do not suffice",
            saw=told(error),
            do="raise engine.memory_limit, or set engine.temp_directory to a roomier disk",
        )
    return None


def of_parquet(error: Exception, files: Sequence[Path]) -> DataError | None:
    """The error for the Parquet file that cannot be read to its end; None where all can.

    What DuckDB says of such a file names it as little as it names the kind of error. So each is
    read by itself, without anything of ours.
    """
    is_of_memory = isinstance(error, duckdb.OutOfMemoryException)
    if not isinstance(error, duckdb.Error) or is_of_memory or "No space left" in str(error):
        return None  # nor is any file read for it
    if "failed to cast column" in str(error):
        return DataError(
            "a column is not of one type in all files",
            where=file_at_fault(error, map(str, files)),
            saw=told(error),
            do="export the files alike",
        )
    if (known := _known_of_parquet(str(error), files)) is not None:
        return known
    for file in files:
        if (reason := _broken(file)) is not None:
            return DataError(
                "the file cannot be read", where=str(file), saw=reason, do="export it again"
            )
    if "Corrupted file" in str(error):  # which it notices by chance, and now did not
        where = str(files[0]) if len(files) == 1 else None
        return DataError(
            "a Parquet file cannot be read", where=where, saw=told(error), do="export it again"
        )
    return None


def _known_of_parquet(said: str, files: Sequence[Path]) -> DataError | None:
    """What DuckDB says of a file without naming it."""
    where = str(files[0]) if len(files) == 1 else None
    if "out of range in timestamp conversion" in said:  # which it takes for a bug of its own
        return DataError(
            "a Parquet file has a time that lies beyond all calendars",
            where=where,
            saw="a timestamp that is no date",
            do="export it again, with times between the years 1 and 9999",
        )
    if "statistics in your data source are corrupt" in said:
        return DataError(
            "a Parquet file tells wrongly between which values its own lie",
            where=where,
            saw="statistics in its footer that its values contradict",
            do="export it again",
        )
    return None


def told(error: Exception) -> str:
    """What was wrong and on which line, without the line itself."""
    first, *others = str(error).splitlines()
    reasons = [line for line in others if line.startswith(_CSV_REASONS)]
    first = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", first)
    return ": ".join([first.rstrip(" :"), *reasons[:1]]).rstrip(".")


def _broken(file: Path) -> str | None:
    """What DuckDB says of a Parquet file when all of it is read; None where it can be.

    By one thread: with more, whether it notices a broken page differs from one time to the next.
    """
    try:
        with duckdb.connect(config={"threads": 1}) as connection:
            rows = connection.read_parquet(glob.escape(str(file)))
            rows.aggregate("max(hash(COLUMNS(*)))").fetchall()
    except duckdb.Error as error:
        return told(error)
    return None
