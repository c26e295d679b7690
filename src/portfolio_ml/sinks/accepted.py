"""Rows that a database accepts, found by halving: one that it refuses stops no other."""

from collections.abc import Callable
from dataclasses import dataclass, field

from portfolio_ml.databases import RowRefusedError, Writer
from portfolio_ml.sinks.staging import number

Write = Callable[[int, int], int]
"""Writes the staged rows from one place to another, both included; gives how many it wrote."""


@dataclass(slots=True)
class Accepted:
    """What became of staged rows.

    Attributes:
        written: How many rows were written.
        refused: The places of the rows that the database refuses, with what it says of each.
    """

    written: int = 0
    refused: dict[int, str] = field(default_factory=dict)


def accepted(database: Writer, write: Write, *, first: int, last: int) -> Accepted:
    """Write the staged rows from `first` to `last` but those that the database refuses.

    Each attempt is undone whole where it fails, and its two halves are tried, so that a thousand
    refused rows among a hundred thousand take some ten thousand statements, and none takes one.
    """
    found = Accepted()
    waiting = [(first, last)] if first <= last else []
    while waiting:
        begin, end = waiting.pop()
        try:
            with database.attempt():
                found.written += write(begin, end)
        except RowRefusedError as error:
            if (begin, end) == (first, last):
                number(database)
            if begin == end:
                found.refused[begin] = str(error)
            else:
                middle = (begin + end) // 2
                waiting += [(middle + 1, end), (begin, middle)]
    return found
