"""The lifecycle and the flow of a handful of customers, worked out by hand."""

from collections.abc import Iterator
from datetime import date

import pytest
from tests.books import frozen_with, small_book
from tests.histories import Line, after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.concentration import concentration
from portfolio_ml.portfolio.flow.flow import flow
from portfolio_ml.portfolio.flow.health import health
from portfolio_ml.portfolio.flow.lifecycle import lifecycle, transitions
from portfolio_ml.portfolio.flow.monthly_flow import monthly_flow

pytestmark = pytest.mark.unit

# Day 790 is 2022-03-01, the as-of date; then is day 425, 2021-03-01. The window is 60 days.
LINES = [
    *bought("stays", 10, 400, 780, amount=10.0),
    *bought("leaves", 300, 410, amount=20.0),
    *bought("returns", 100, 770, amount=30.0),
    *bought("comes", 775, 785, amount=40.0),
    *bought("passes", 500, amount=5.0),
    *bought("is gone", 50, amount=7.0),
    Line("stays", after(785), -1.0),
]


@pytest.fixture(scope="module")
def book() -> Iterator[Book]:
    with opened() as engine:
        yield small_book(LINES, engine, as_of=after(790), frozen=frozen_with(activity_days=60))


def test_the_flow_tells_who_came_came_back_went_and_stayed(book: Book) -> None:
    figure = flow(book)
    rows = {r["part"]: r for r in figure.rows.to_pylist()}

    assert {part: r["customers"] for part, r in rows.items()} == {
        "then": 2,
        "recruited": 1,
        "reactivated": 1,
        "lost": 1,
        "stayers": 1,
        "now": 3,
    }
    assert {part: r["value_change"] for part, r in rows.items()} == {
        "then": 10.0 + 10.0 + 20.0 + 20.0 - 10.0,  # the purchase on day 10 is 415 days old then
        "recruited": 80.0,
        "reactivated": 30.0,
        "lost": -40.0,
        "stayers": 10.0 - 1.0 - 10.0,
        "now": 80.0 + 30.0 + 9.0,
    }
    inactive, passed = figure.notes
    assert inactive.startswith("customers who are inactive now brought 5.00 EUR")
    assert passed == "1 customer came within these 365 days and are inactive already"


def test_the_matrix_holds_every_way_that_somebody_went(book: Book) -> None:
    rows = transitions(book).rows.to_pylist()
    ways = {(r["stage_then"], r["stage"]): (r["customers"], r["share"]) for r in rows}

    assert ways == {
        ("none", "new"): (1, 0.5),
        ("none", "lapsed"): (1, 0.5),
        ("new", "lapsed"): (1, 1.0),
        ("developing", "mature"): (1, 1.0),
        ("lapsed", "developing"): (1, 0.5),
        ("lapsed", "lapsed"): (1, 0.5),
    }
    back = next(r for r in rows if r["stage"] == "developing")
    assert (back["revenue_then"], back["revenue"]) == (30.0, 30.0)


def test_the_stages_are_counted_at_both_ends(book: Book) -> None:
    rows = {r["stage"]: r for r in lifecycle(book).rows.to_pylist()}

    assert {stage: (r["customers_then"], r["customers"]) for stage, r in rows.items()} == {
        "new": (1, 1),
        "developing": (1, 1),
        "mature": (0, 1),
        "veteran": (0, 0),
        "lapsed": (2, 3),
    }
    assert rows["lapsed"]["customer_share"] == 0.5


def test_a_month_tells_what_happened_in_it(book: Book) -> None:
    figure = monthly_flow(book)
    rows = {r["month"]: r for r in figure.rows.to_pylist()}

    # "leaves" bought on 2020-10-27 and again after 110 days, on 2021-02-14.
    assert [rows[m]["reactivated"] for m in ("2021-01", "2021-02")] == [0, 2]
    # its window passed on day 470, 2021-04-15; that of "stays" on day 460, 2021-04-05
    april = rows["2021-04"]
    assert (april["active_start"], april["lost"], april["active_end"]) == (2, 2, 0)
    assert (april["value_start"], april["value_lost"], april["value_end"]) == (50.0, 50.0, 0.0)
    february = rows["2022-02"]
    assert (february["recruited"], february["reactivated"]) == (1, 2)
    assert february["value_recruited"] == 80.0
    assert february["value_end"] == 119.0
    assert (rows["2022-03"]["last_day"], rows["2022-03"]["active_end"]) == (date(2022, 3, 1), 3)
    assert figure.notes[-1] == "2022-03 is in progress: it is told up to 2022-03-01"


def test_an_activity_window_without_a_break_is_one_spell(engine: Engine) -> None:
    lines = [*bought("on time", 0, 60, 120), *bought("too late", 0, 61)]
    book = small_book(lines, engine, as_of=after(130), frozen=frozen_with(activity_days=60))
    rows = monthly_flow(book).rows.to_pylist()

    assert sum(r["reactivated"] for r in rows) == 1
    assert sum(r["lost"] for r in rows) == 2  # on day 60, and on day 121 again
    assert rows[-1]["active_end"] == 1


def test_a_short_history_has_stages_and_months_but_no_flow(engine: Engine) -> None:
    young = small_book(bought("ann", 0, 30), engine, as_of=after(40))

    assert "less than 365 days before 2020-02-10" in flow(young).absent
    assert transitions(young).absent == flow(young).absent
    assert lifecycle(young).rows["customers_then"].null_count == 5
    assert monthly_flow(young).rows["month"].to_pylist() == ["2020-01", "2020-02"]


def test_value_of_less_than_a_year_is_said_not_to_compare(engine: Engine) -> None:
    young = small_book(bought("ann", 0, 30, 380), engine, as_of=after(390))

    assert ("the value of then covers 26 days only, that of now 365: they do not compare") in flow(
        young
    ).notes


def test_a_portfolio_of_returns_alone_then_had_no_customers(engine: Engine) -> None:
    book = small_book(
        [Line("ann", after(0), -5.0), *bought("ann", 400, amount=10.0)], engine, as_of=after(410)
    )
    rows = {r["part"]: r["customers"] for r in flow(book).rows.to_pylist()}

    assert (rows["then"], rows["recruited"], rows["now"]) == (0, 1, 1)
    assert lifecycle(book).rows["customer_share_then"].null_count == 5
    assert transitions(book).rows["stage_then"].to_pylist() == ["none"]
    assert health(book).rows["verdict"].to_pylist() == ["too little history"]
    assert concentration(book).rows["moment"].to_pylist() == ["now"]
