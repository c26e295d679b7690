"""Rows that a database accepts, found by halving: one that it refuses stops no other."""

from collections.abc import Callable
from dataclasses import dataclass, field

from portfolio_ml.databases import RowRefusedError, Writer

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
    database: Writer, write: Write, *, last: int, before_halving: Callable[[], object] = tuple
) -> Accepted:
    """Write the rows from the first to `last` but those that the database refuses.

    Each attempt is undone whole where it fails, and its two halves are tried, so that a thousand
    refused rows among a hundred thousand take some ten thousand statements, and none takes one.

    Args:
        database: The transaction.
        write: What is tried.
        last: The place of the last row.
        before_halving: What is done once, where not all rows are accepted.
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
                before_halving()
            if begin == end:
                found.refused[begin] = str(error)
            else:
                middle = (begin + end) // 2
                waiting += [(middle + 1, end), (begin, middle)]
    return found
