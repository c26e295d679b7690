"""How few customers bring how much, worked out by hand."""

from collections.abc import Iterator

import pytest
from tests.books import frozen_with, small_book
from tests.histories import Line, after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.concentration import concentration, core_customers, lorenz

pytestmark = pytest.mark.unit

# Day 800 is the as-of date: days 436 to 800 are the last year, 71 to 435 that of a year ago.
LINES = [
    *bought("ann", 500, 790, amount=30.0),
    *bought("bob", 100, 600, amount=20.0),
    *bought("cid", 200, 700, amount=10.0),
    *bought("dan", 300, 710, amount=5.0),
    *bought("eve", 720, amount=15.0),
    *bought("fay", 10, 120, amount=15.0),
    Line("eve", after(730), -18.0),
]


@pytest.fixture(scope="module")
def book() -> Iterator[Book]:
    with opened() as engine:
        yield small_book(LINES, engine, as_of=after(800), frozen=frozen_with(activity_days=200))


def test_the_largest_fifth_and_who_makes_up_four_fifths_are_counted(book: Book) -> None:
    now, then, change = concentration(book).rows.to_pylist()

    assert now["customers"] == 5  # fay did not buy within the year
    assert now["revenue"] == 95.0  # 60, 20, 10, 5; eve is below 0
    assert (now["top_customers"], now["top_share"]) == (1, pytest.approx(60 / 95))
    assert (now["core_customers"], now["core_customer_share"]) == (2, 0.4)
    assert now["largest_10_share"] == 1.0
    # 20 of bob, 10 of cid, 5 of dan and 15 of fay in the year before
    assert (then["customers"], then["revenue"], then["top_customers"]) == (4, 50.0, 1)
    assert then["top_share"] == pytest.approx(0.4)
    assert change["top_share"] == pytest.approx(60 / 95 - 0.4)
    assert change["customers"] == 1
    assert change["day"] is None


def test_the_gini_is_half_the_mean_difference_over_the_mean(book: Book) -> None:
    held = [60, 20, 10, 5, 0]
    differences = sum(abs(a - b) for a in held for b in held)

    assert concentration(book).rows["gini"][0].as_py() == pytest.approx(
        differences / (2 * len(held) * sum(held))
    )


def test_who_brought_back_more_than_they_bought_is_told(book: Book) -> None:
    assert (
        "1 customer brought back 3.00 EUR more than they bought; they count as customers "
        "without revenue"
    ) in concentration(book).notes


def test_the_core_is_listed_by_rank_with_what_each_brought_a_year_ago(book: Book) -> None:
    figure = core_customers(book)
    rows = figure.rows.to_pylist()

    assert [(r["rank"], r["customer_id"], r["revenue"]) for r in rows] == [
        (1, "ann", 60.0),
        (2, "bob", 20.0),
    ]
    assert [r["cumulative_share"] for r in rows] == pytest.approx([60 / 95, 80 / 95])
    assert [r["revenue_then"] for r in rows] == [None, 20.0]
    assert [r["is_active"] for r in rows] == [True, False]
    assert figure.notes == ("inactive now: 1 of these 2 customers",)


def test_the_curve_begins_at_nothing_and_ends_at_all(book: Book) -> None:
    rows = [r for r in lorenz(book).rows.to_pylist() if r["moment"] == "now"]

    assert len(rows) == 101
    assert (rows[0]["smallest_hold"], rows[-1]["smallest_hold"]) == (0.0, 1.0)
    assert rows[20]["largest_hold"] == pytest.approx(60 / 95)
    assert rows[60]["smallest_hold"] == pytest.approx(15 / 95)


def test_a_history_shorter_than_the_comparison_tells_of_today_alone(engine: Engine) -> None:
    young = small_book(bought("ann", 0, 30), engine, as_of=after(100))
    figure = concentration(young)

    assert figure.rows["moment"].to_pylist() == ["now"]
    assert any("less than 365 days before 2020-04-10" in note for note in figure.notes)


def test_a_year_that_the_history_covers_in_part_is_no_measure_of_change(engine: Engine) -> None:
    young = small_book(bought("ann", 0, 30, 380), engine, as_of=after(400))
    figure = concentration(young)

    assert figure.rows["moment"].to_pylist() == ["now", "then"]
    assert any("revenue covers 36 days only" in note for note in figure.notes)


def test_without_revenue_the_figures_are_absent(engine: Engine) -> None:
    still = small_book(bought("ann", 0), engine, as_of=after(400))

    for figure in (concentration(still), lorenz(still), core_customers(still)):
        assert figure.absent == "nobody brought revenue within the last 365 days"
        assert figure.rows.num_rows == 0
