"""Who of a cohort still buys, worked out by hand."""

from collections.abc import Iterator

import pytest
from tests.books import small_book
from tests.histories import Line, after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.flow.cohorts import cohorts

pytestmark = pytest.mark.unit

# Day 300 is the as-of date, 2020-10-27: January began on day 0, February on day 31.
LINES = [
    *bought("ann", 0, 90, 91, 200, amount=10.0),
    *bought("bob", 20, 111, amount=20.0),
    Line("bob", after(120), -5.0),
    *bought("cid", 40, 41, 43, amount=30.0),
    *bought("late", 250, amount=1.0),
    *bought("later", 310, amount=1.0),
]


@pytest.fixture(scope="module")
def book() -> Iterator[Book]:
    with opened() as engine:
        yield small_book(LINES, engine, as_of=after(300))


def rows_of(book: Book) -> dict[tuple[str, str], dict[str, object]]:
    return {(r["cohort"], r["period"]): r for r in cohorts(book).rows.to_pylist()}


def test_a_period_counts_whoever_bought_in_it_once(book: Book) -> None:
    rows = rows_of(book)
    january = [rows["2020-01", p] for p in ("0001-0090", "0091-0180", "0181-0270")]

    assert [r["customers"] for r in january] == [2, 2, 2]
    assert [r["bought"] for r in january] == [1, 2, 1]  # ann on day 90, ann 91 and bob 91, ann 200
    assert [r["share"] for r in january] == [0.5, 1.0, 0.5]
    assert [r["revenue_per_customer"] for r in january] == [5.0, (10.0 + 20.0 - 5.0) / 2, 5.0]
    assert rows["2020-02", "0001-0090"]["revenue_per_customer"] == 60.0


def test_a_period_that_is_not_over_for_the_whole_cohort_is_null(book: Book) -> None:
    rows = rows_of(book)

    assert rows["2020-01", "0181-0270"]["bought"] == 1  # until day 300
    assert rows["2020-02", "0181-0270"]["bought"] is None  # until day 329
    assert rows["2020-02", "0091-0180"]["bought"] == 0
    assert rows["2020-09", "0001-0090"]["share"] is None


def test_months_without_newcomers_have_no_rows(book: Book) -> None:
    assert {cohort for cohort, _ in rows_of(book)} == {"2020-01", "2020-02", "2020-09"}
    assert "fewer than 30 customers" in cohorts(book).notes[1]


def test_a_history_of_less_than_a_period_has_no_retention(engine: Engine) -> None:
    young = small_book(bought("ann", 0, 30), engine, as_of=after(100))

    assert cohorts(young).absent == ("no cohort is older than 90 days: its retention shows later")
