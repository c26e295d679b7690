"""What the ways to compute the features have in common: what they are told, and the names."""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Protocol

EPOCH = date(1970, 1, 1)
MONEY_SCALE = 10_000
SHORT = (7, 30, 60, 90, 180)  # the windows, in days, beside that of a year
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_PARTS = ("night", "morning", "afternoon", "evening")
MONTHS = range(1, 13)
QUINTILES = (0.2, 0.4, 0.6, 0.8)
SCORES = {"rfm_r": "recency_days", "rfm_f": "purchase_days", "rfm_m": "monetary"}

Say = Callable[[str], None]


class Write(Protocol):
    """Write the features of every customer with a purchase up to `as_of`."""

    def __call__(self, source: Path, out: Path, *, as_of: date, say: Say) -> None:
        """Write them from the lines in `source` to the Parquet file `out`."""


def run(write: Write) -> None:
    """Write the features of the file that the command line names."""
    parser = argparse.ArgumentParser(description=run.__doc__)
    parser.add_argument("source", type=Path, help="the lines, a Parquet file")
    parser.add_argument("out", type=Path, help="the Parquet file to write")
    parser.add_argument("as_of", type=date.fromisoformat, help="the last day to see")
    given = parser.parse_args()
    write(given.source, given.out, as_of=given.as_of, say=print)


@contextmanager
def timed(step: str, say: Say) -> Iterator[None]:
    """Tell what a step costs."""
    begun, used = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - begun, time.process_time() - used
    say(f"{step:12} {wall:7.2f} s wall {cpu:7.2f} s CPU")
