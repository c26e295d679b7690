"""Due reorders, worked out by hand."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.books import frozen_with, small_book
from tests.histories import Line, after, bought, day_of

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.selling.cycles import ANYTHING, Cycles, cycles_at, purchase_gaps
from portfolio_ml.portfolio.selling.reorder_evidence import reorder_evidence
from portfolio_ml.portfolio.selling.reordering import Reordering, is_in, reordering
from portfolio_ml.portfolio.selling.reorders import reorders

AS_OF = after(495)


def _tea(customer: str, *days: int, amount: float = 10.0) -> list[Line]:
    return [Line(customer, after(day), amount, category="tea") for day in days]


# ann buys tea every 30 days and is due on day 500; bob, every 30 days too, is late by far; cat
# bought twice; dan's next purchase is past the as-of day.
LINES = [
    *_tea("ann", *range(20, 480, 30)),
    Line("ann", after(470), 4.0),
    *_tea("bob", *range(20, 380, 30), amount=20.0),
    *_tea("cat", 440, 470),
    *_tea("dan", *range(6, 500, 30)),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


@pytest.fixture(scope="module")
def book(engine: Engine) -> Book:
    return small_book(LINES, engine, as_of=AS_OF, frozen=frozen_with(activity_days=500))


@pytest.fixture(scope="module")
def learnt(book: Book) -> Reordering:
    return reordering(book)


def test_what_is_due_within_a_week_is_listed_with_its_amount(
    book: Book, learnt: Reordering
) -> None:
    rows = reorders(book, learnt).rows.to_pylist()

    told = [(row["customer_id"], row["category"]) for row in rows]
    assert told == [("ann", ANYTHING), ("ann", "tea")]
    tea = rows[1]
    assert tea["purchase_days"] == 16
    assert (tea["last_date"], tea["due_date"]) == (after(470), after(500))
    assert tea["overdue_days"] == -5
    assert tea["cycle_days"] == pytest.approx(30)
    assert tea["window_from"] <= after(500) <= tea["window_to"] <= after(501)
    assert [row["usual_amount"] for row in rows] == [10.0, 10.0]
    assert tea["reason"] == "buys tea every 30 days, last 25 days ago: due in 5 days"


def test_the_share_that_was_bought_soon_is_that_of_the_history(
    book: Book, learnt: Reordering
) -> None:
    # 365, 270 and 180 days before day 495 are days 130, 225 and 315. There ann and bob were due
    # on 140, 230 and 320: those of 230 and 320 are within a week of the looks; dan was due on
    # 156, 246 and 336.
    rows = reorder_evidence(book, learnt).rows.to_pylist()
    due = next(r for r in rows if r["state"] == "due" and r["what"] == "a category")

    assert (due["cycles"], due["bought_soon"], due["bought_again"]) == (4, 1.0, 1.0)
    assert due["in_window"] == 1.0
    assert due["in_window_low"] < 1.0
    listed = reorders(book, learnt).rows.to_pylist()
    assert [row["bought_soon"] for row in listed] == [1.0, 1.0]
    assert [row["expected_amount"] for row in listed] == [10.0, 10.0]


def test_without_categories_only_the_next_purchase_at_all_is_told(engine: Engine) -> None:
    lines = bought("ann", *range(20, 480, 30))
    bare = small_book(lines, engine, as_of=AS_OF, frozen=frozen_with(activity_days=500))
    figure = reorders(bare)

    assert [row["category"] for row in figure.rows.to_pylist()] == [ANYTHING]
    assert "lines tell no category: only the next purchase at all is told" in figure.notes


def test_a_young_history_lists_without_a_share_and_has_no_evidence(engine: Engine) -> None:
    lines = _tea("ann", 0, 10, 20)
    young = small_book(lines, engine, as_of=after(29), frozen=frozen_with(activity_days=500))
    learnt = reordering(young)

    rows = reorders(young, learnt).rows.to_pylist()
    assert [row["bought_soon"] for row in rows] == [None, None]
    assert reorder_evidence(young, learnt).absent.startswith("the history is shorter than half")


def test_nobody_with_a_cycle_is_an_empty_list(engine: Engine) -> None:
    book = small_book(_tea("ann", 0, 10), engine, as_of=after(400))

    assert reorders(book).rows.num_rows == 0


def test_a_level_lies_between_the_customers_own_and_the_usual_one(engine: Engine) -> None:
    lines = [*_tea("ann", 0, 10, 20), *_tea("bob", 0, 40, 80), *_tea("cat", 0, 15, 60)]
    book = small_book(lines, engine, as_of=after(100))
    found = cycles_at(purchase_gaps(book), book.as_of_day, engine)
    tea = found.where(found.category == "tea")

    usual = np.exp(np.log([10, 10, 40, 40, 15, 45]).mean())
    assert 10 < tea.cycle_days[0] < usual < tea.cycle_days[1] < 40
    assert tea.spread[2] > tea.spread[0]


@given(
    waited=st.integers(0, 400),
    level=st.floats(0.0, 5.0),
    spread=st.floats(0.05, 1.0),
)
def test_a_window_lies_ahead_and_holds_four_fifths_of_what_is_left(
    waited: int, level: float, spread: float
) -> None:
    one = np.ones(1)
    day = day_of(after(500))
    cycle = Cycles(
        day, np.ones(1, np.int64), np.array(["tea"], object), np.array([4]),
        one * (day - waited), one * np.nan, one * level, one * spread, one,
    )  # fmt: skip

    low, high = cycle.window()
    if is_in(cycle, "not listed")[0]:
        return
    assert day < low[0] <= high[0]
    assert timedelta(days=high[0] - day) > timedelta(0)
    rng = np.random.default_rng(1)
    gaps = np.exp(level + spread * rng.standard_normal(20_000))
    left = day - waited + np.ceil(gaps[gaps > waited])
    # Days are whole: a window holds what it promised, or somewhat more.
    assert left.size < 500 or ((left >= low[0]) & (left <= high[0])).mean() > 0.77
