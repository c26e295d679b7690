from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from portfolio_ml.databases import RowRefusedError
from portfolio_ml.sinks.accepted import accepted

pytestmark = pytest.mark.unit


class Database:
    """Undoes what an attempt wrote where it fails."""

    def __init__(self, bad: set[int]) -> None:
        self.bad, self.held, self.attempts = bad, [], 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        before = list(self.held)
        self.attempts += 1
        try:
            yield
        except RowRefusedError:
            self.held = before
            raise

    def write(self, first: int, last: int) -> int:
        for place in range(first, last + 1):
            if place in self.bad:
                raise RowRefusedError(f"not {place}")
            self.held.append(place)
        return last - first + 1


@pytest.mark.parametrize("last", [0, 1, 2, 3, 4, 5, 7, 16, 17, 100, 1000])
@pytest.mark.parametrize("every", [1, 2, 3, 10, 1001])
def test_all_rows_but_the_refused_ones_are_written_once_and_in_order(last, every):
    bad = set(range(every, last + 1, every))
    database = Database(bad)
    found = accepted(database, database.write, last=last)
    assert database.held == [place for place in range(1, last + 1) if place not in bad]
    assert found.written == len(database.held)
    assert found.refused == {place: f"not {place}" for place in bad}


def test_none_refused_takes_one_attempt_and_one_of_a_thousand_few():
    parted = []
    database = Database(set())
    accepted(database, database.write, last=1000, before_parting=lambda: parted.append(1))
    assert (database.attempts, parted) == (1, [])
    database = Database({500})
    accepted(database, database.write, last=1000, before_parting=lambda: parted.append(1))
    assert database.attempts <= 21
    assert parted == [1]
