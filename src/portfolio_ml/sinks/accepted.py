"""Rows that a database accepts, found by quartering: one that it refuses stops no other."""

from collections.abc import Callable
from dataclasses import dataclass, field

from portfolio_ml.databases import RowRefusedError, Writer

PARTS = 4
Write = Callable[[int, int], int]
"""Writes the rows from one place to another, both included; gives how many it wrote."""


@dataclass(slots=True)
class Accepted:
    """What became of rows, told by their places from 1.

    Attributes:
        written: How many rows were written.
        refused: The places of the rows that the database refuses, with what it says of each.
    """

    written: int = 0
    refused: dict[int, str] = field(default_factory=dict)


def accepted(
    database: Writer, write: Write, *, last: int, before_parting: Callable[[], object] = tuple
) -> Accepted:
    """Write the rows from the first to `last` but those that the database refuses.

    Each attempt is undone whole where it fails, and its quarters are tried, so that a thousand
    refused rows among a hundred thousand take some fifteen thousand attempts, and none takes one.
    Halves would take as many, and write each row that is accepted twice as often in vain.

    Args:
        database: The transaction.
        write: What is tried.
        last: The place of the last row.
        before_parting: What is done once, where not all rows are accepted.
    """
    found = Accepted()
    waiting = [(1, last)] if last else []
    while waiting:
        begin, end = waiting.pop()
        try:
            with database.attempt():
                found.written += write(begin, end)
        except RowRefusedError as error:
            if (begin, end) == (1, last):
                before_parting()
            if begin == end:
                found.refused[begin] = str(error)
            else:
                size = (end - begin) // PARTS + 1
                starts = range(begin, end + 1, size)
                waiting += [(start, min(start + size - 1, end)) for start in reversed(starts)]
    return found
