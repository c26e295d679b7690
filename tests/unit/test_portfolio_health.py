"""Whether a portfolio is healthy: worked out by hand, and not said firmly of a few customers."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats
from tests.books import frozen_with, small_book
from tests.histories import Line, after, bought

from portfolio_ml.config import Lifecycle
from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.flow.health import Ratio, health, ratio_of, verdict

pytestmark = pytest.mark.unit

# Day 790 is the as-of date, then is day 425; the window is 60 days.
LINES = [
    *bought("stays", 10, 400, 780, amount=10.0),
    *bought("leaves", 300, 410, amount=20.0),
    *bought("returns", 100, 770, amount=30.0),
    *bought("comes", 775, 785, amount=40.0),
]


@pytest.fixture(scope="module")
def book() -> Iterator[Book]:
    with opened() as engine:
        yield small_book(LINES, engine, as_of=after(790), frozen=frozen_with(activity_days=60))


def test_what_came_is_weighed_against_what_went(book: Book) -> None:
    (row,) = health(book).rows.to_pylist()

    assert (row["value_recruited"], row["value_reactivated"], row["value_lost"]) == (80, 30, 40)
    assert (row["recruited_to_lost"], row["inflow_to_lost"]) == (2.0, 110 / 40)
    assert row["value_change"] == pytest.approx((80 + 30 + 10) / (40 + 10) - 1)


def test_of_a_few_customers_nothing_firm_is_said(book: Book) -> None:
    (row,) = health(book).rows.to_pylist()

    assert row["verdict"] == "unclear"
    assert row["inflow_to_lost_low"] < 1 < row["inflow_to_lost_high"]
    assert row["reasons"].startswith("2 customers came or came back and 1 customer went")


def test_new_customers_are_asked_for_on_the_day_they_are_no_longer_new(engine: Engine) -> None:
    # with 100 days, those who came on days 335 to 699: active 101 days later?
    lines = [*bought("yes", 400, 460), *bought("no", 500, 510), *bought("later", 600, 760)]
    lines += bought("too new", 700)
    book = small_book(
        lines,
        engine,
        as_of=after(800),
        frozen=frozen_with(activity_days=60),
        lifecycle=Lifecycle(new_days=100, mature_days=300),
        settings={"compare_days": 300},
    )
    (row,) = health(book).rows.to_pylist()

    assert (row["new_customers"], row["reached_developing"]) == (3, 1)
    ends = stats.beta.ppf([0.05, 0.95], 1.5, 2.5)
    assert (row["developing_share_low"], row["developing_share_high"]) == pytest.approx(ends)


def test_many_who_come_and_few_who_go_are_growth(engine: Engine) -> None:
    old = [line for n in range(5) for line in bought(f"old{n}", 10, 400)]
    new = [line for n in range(60) for line in bought(f"new{n}", 780)]
    book = small_book([*old, *new], engine, as_of=after(790), frozen=frozen_with(activity_days=60))
    (row,) = health(book).rows.to_pylist()

    assert row["verdict"] == "growing"
    assert 1 < row["recruited_to_lost_low"] < row["recruited_to_lost"]


def test_a_short_history_lets_only_shrinking_be_said(engine: Engine) -> None:
    goes = [line for n in range(40) for line in bought(f"c{n}", 0, 10)]
    comes = [line for n in range(40) for line in bought(f"d{n}", 390)]
    here = [*bought("here", 0, 390)]
    frozen = frozen_with(activity_days=60)

    def row_of(lines: list[Line]) -> dict[str, object]:
        book = small_book(lines, engine, as_of=after(400), frozen=frozen)
        (row,) = health(book).rows.to_pylist()
        return row

    shrinks, grows = row_of([*goes, *here]), row_of([*here, *bought("old", 30), *comes])

    assert (shrinks["verdict"], grows["verdict"]) == ("shrinking", "too little history")
    assert grows["inflow_to_lost"] is None
    assert "The history holds 36 days before then" in str(grows["reasons"])


def test_without_a_portfolio_to_compare_with_it_is_absent(engine: Engine) -> None:
    young = small_book(bought("ann", 0, 30), engine, as_of=after(40))

    assert "there is no portfolio to compare with" in health(young).absent


def test_the_interval_of_equal_values_is_that_of_two_counts() -> None:
    found = ratio_of(np.full(30, 7.0), np.full(20, 7.0))
    low, high = stats.f.ppf([0.05, 0.95], 61, 41) * 30.5 / 20.5

    assert (found.value, found.low, found.high) == pytest.approx((1.5, low, high))


def test_one_large_customer_makes_the_interval_wider() -> None:
    many = ratio_of(np.full(50, 1.0), np.full(50, 1.0))
    one = ratio_of(np.array([*np.full(49, 0.02), 49.02]), np.full(50, 1.0))

    assert one.value == pytest.approx(many.value)
    assert one.high / one.low > 3 * many.high / many.low


def test_the_interval_covers_the_true_ratio_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(300):
        came = rng.lognormal(0, 0.7, rng.poisson(40))
        went = rng.lognormal(0, 0.7, rng.poisson(20))
        found = ratio_of(came, went)
        hits += found.low <= 2.0 <= found.high

    assert 0.84 <= hits / 300 <= 0.96


@pytest.mark.parametrize(
    ("came", "went"),
    [([-2.0] * 30, [50.0] * 30), ([10.0] * 30, [100.0, -95.0] * 15)],
)
def test_the_interval_holds_the_ratio_where_returns_exceed_purchases(
    came: list[float], went: list[float]
) -> None:
    found = ratio_of(np.array(came), np.array(went))

    assert found.low <= found.value <= found.high


def test_nothing_that_comes_or_goes_is_no_ratio() -> None:
    nothing = ratio_of(np.array([]), np.array([]))

    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    assert verdict(nothing, 0.0, is_short=False) == "unclear"


@pytest.mark.parametrize(
    ("ends", "change", "said"),
    [
        ((1.1, 2.0), 0.1, "growing"),
        ((1.1, 2.0), -0.1, "unclear"),
        ((0.5, 0.9), -0.1, "shrinking"),
        ((0.5, 0.9), 0.1, "unclear"),
        ((0.9, 1.1), 0.02, "stable"),
        ((0.9, 1.1), 0.5, "unclear"),
        ((0.5, 2.0), 0.02, "unclear"),
    ],
)
def test_the_verdict_needs_the_flow_and_the_value_to_agree(
    ends: tuple[float, float], change: float, said: str
) -> None:
    assert verdict(Ratio(1.0, *ends), change, is_short=False) == said
