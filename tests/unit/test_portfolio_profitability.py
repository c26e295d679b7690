"""Returns by hand: the definition's example, a table of valuations, a stock of customers."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.books import scores_of, small_book
from tests.histories import Line, after, bought, day_of

from portfolio_ml.engine import Engine, opened
from portfolio_ml.errors import DataError
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.returns.profitability import stock_returns, valuation_returns
from portfolio_ml.portfolio.returns.rates_of_return import (
    days_without_leap_days,
    money_weighted,
    time_weighted,
)
from portfolio_ml.schema import QUARANTINE
from portfolio_ml.valuations import Valuations

# The worked example of the definition.
DATES = [
    date(2020, 1, 1),
    date(2020, 6, 30),
    date(2021, 1, 1),
    date(2021, 6, 30),
    date(2021, 12, 31),
]
VALUES = [100_000.0, 155_000.0, 185_000.0, 200_000.0, 205_000.0]
FLOWS = [100_000.0, 50_000.0, 25_000.0, 10_000.0, 0.0]


def test_the_worked_example_comes_out_to_its_printed_digits() -> None:
    found = time_weighted(DATES, VALUES, FLOWS)

    assert found.days.tolist() == [0, 180, 365, 545, 729]
    assert (found.period * 100).round(4).tolist() == [0, 5, 3.2258, 2.7027, 2.5]
    assert (found.total * 100).round(4).tolist() == [0, 5, 8.3871, 11.3165, 14.0994]
    assert (found.annual[1:] * 100).round(4).tolist() == [10.3995, 8.3871, 7.4440, 6.8270]
    assert np.isnan(found.annual[0])


def test_the_worked_example_earns_its_money_6_396_percent_a_year() -> None:
    assert round(money_weighted(DATES, VALUES, FLOWS).annual * 100, 3) == 6.396


def test_a_leap_day_is_no_day() -> None:
    around = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2025, 2, 28)]

    assert days_without_leap_days(around).tolist() == [0, 0, 1, 365]
    assert np.isnan(time_weighted(around[:2], [1.0, 2.0], [1.0, 0.0]).annual).all()


def test_money_taken_out_and_put_in_again_has_a_rate_where_the_portfolio_never_owes() -> None:
    # 100 grow by a tenth to 110, of which 60 go; 50 grow to 55, and 20 come: 75 grow to 82.5.
    dates = [date(2021, 1, 1), date(2022, 1, 1), date(2023, 1, 1), date(2024, 1, 1)]

    found = money_weighted(dates, [100.0, 50.0, 75.0, 82.5], [100.0, -60.0, 20.0, 0.0])

    assert round(found.annual, 9) == 0.1


@pytest.mark.parametrize(
    ("values", "flows", "why"),
    [
        ([100.0], [100.0], "only one date"),
        ([100.0, 50.0, 0.0], [100.0, -50.0, 0.0], "nothing is left"),
        # -100 + 230 / (1 + r) - 132 / (1 + r)^2 = 0 at 10 % and at 20 %.
        ([100.0, 40.0, 8.0], [100.0, -230.0, 140.0], "nothing is left"),
        ([100.0, 10.0, 10.0, 1.0], [100.0, -230.0, 133.0, 0.0], "several rates"),
    ],
)
def test_no_rate_is_told_with_its_reason(values: list[float], flows: list[float], why: str) -> None:
    dates = [date(2021 + n, 1, 1) for n in range(len(values))]

    found = money_weighted(dates, values, flows)

    assert np.isnan(found.annual)
    assert why in found.absent


@pytest.mark.parametrize(
    ("dates", "values", "flows", "said"),
    [
        (DATES[:2], [1.0], [1.0], "2 dates, 1 values and 1 flows"),
        ([], [], [], "0 dates"),
        (DATES[1::-1], [1.0, 2.0], [1.0, 0.0], "Dates must ascend: saw 2020-01-01 after"),
        (DATES[:2], [0.0, 2.0], [0.0, 2.0], "value above 0 at the start of each period"),
        (DATES[:3], [1.0, -2.0, 3.0], [0.0, 0.0, 0.0], r"the value of 2020-06-30\): saw -2\.00"),
        (DATES[:2], [1.0, 2.0], [1.0, 3.0], "More was put in than the portfolio was worth"),
        (DATES[:2], [1.0, float("nan")], [1.0, 3.0], "finite"),
    ],
)
def test_what_no_return_can_be_told_of_is_refused(
    dates: list[date], values: list[float], flows: list[float], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        time_weighted(dates, values, flows)


# Day 100 is where the period begins, day 200 is today.
LINES = [
    *bought("ann", 10, 120, 150, amount=30.0),
    *bought("bob", 20, amount=50.0),
    *bought("eve", 130, amount=200.0),
    Line("ann", after(151), -5.0),
]
THEN, NOW = after(100), after(200)


def rows(as_of: date, values: Mapping[str, float]) -> pa.Table:
    """Scores of which only the value is told."""
    told: list[dict[str, Any]] = [
        {"customer_id": name, "as_of": as_of, "ltv": value} for name, value in values.items()
    ]
    return scores_of(told)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


def book_with(engine: Engine, then: pa.Table | None, **more: Any) -> Book:
    now = [("ann", 70.0), ("bob", 10.0), ("eve", 90.0)]
    return small_book(
        LINES,
        engine,
        as_of=NOW,
        scores=[{"customer_id": name, "ltv": value} for name, value in now],
        then_scores=then,
        **more,
    )


def test_a_stock_returns_what_its_customers_kept_and_earned(engine: Engine) -> None:
    figure = stock_returns(book_with(engine, rows(THEN, {"ann": 60.0, "bob": 40.0})))

    [row] = figure.rows.to_pylist()
    assert row["since"] == THEN
    assert row["until"] == NOW
    assert (row["customers"], row["recruits"]) == (2, 1)
    assert (row["value_before"], row["value_kept"], row["value_recruited"]) == (100, 80, 90)
    assert (row["earned"], row["recruits_earned"]) == (55, 200)
    assert row["value_after"] == 170
    assert round(row["value_change"], 9) == -0.2
    assert round(row["period_return"], 9) == 0.35
    assert round(row["total_return"], 9) == 0.35
    assert row["annual_return"] == pytest.approx(1.35**3.65 - 1)
    assert row["money_weighted"] == pytest.approx(1.35**3.65 - 1)
    assert row["steady_return"] == pytest.approx(100 / 180)
    assert row["against_steady"] == pytest.approx(1.35 / (1 + 100 / 180) - 1)
    assert row["total_against_steady"] == pytest.approx(row["against_steady"])
    assert figure.notes[0] == (
        "the customers of 2020-04-10 were worth 20.0% less on 2020-07-19 and brought 55 EUR in "
        "between; 1 recruit put 90 EUR of value in"
    )


def test_several_periods_are_chained(engine: Engine) -> None:
    middle = rows(after(140), {"ann": 50.0, "bob": 20.0, "eve": 80.0})
    scored = pa.concat_tables([middle, rows(THEN, {"ann": 60.0, "bob": 40.0})])

    found = stock_returns(book_with(engine, scored)).rows.to_pylist()

    # 100 -> 70 and 30 earned; then 150 -> 170 and 25 earned.
    assert [row["until"] for row in found] == [after(140), NOW]
    assert [round(row["period_return"], 9) for row in found] == [0.0, 0.3]
    assert [row["recruits"] for row in found] == [1, 0]
    assert round(found[-1]["total_return"], 9) == 0.3


def test_a_stock_without_scores_at_both_ends_has_no_return(engine: Engine) -> None:
    unscored = small_book(LINES, engine, as_of=NOW)

    assert "train champions" in stock_returns(unscored).absent
    assert "earlier date" in stock_returns(book_with(engine, None)).absent
    worthless = stock_returns(book_with(engine, rows(THEN, {"ann": 0.0, "bob": 0.0})))
    assert "value above 0" in worthless.absent


def valued(days: list[date], values: list[float], flows: list[float]) -> Valuations:
    held = {"day": pa.array(map(day_of, days), pa.int32()), "value": values, "flow": flows}
    return Valuations(pa.table(held), QUARANTINE.arrow.empty_table(), "a test")


def test_a_table_of_valuations_gives_the_returns_up_to_today(engine: Engine) -> None:
    told = valued(DATES, VALUES, FLOWS)  # today is 2020-07-19, so that the last three are unseen

    figure = valuation_returns(book_with(engine, None, valuations=told))

    assert [row["date"] for row in figure.rows.to_pylist()] == DATES[:2]
    assert [round(row["total_return"], 9) for row in figure.rows.to_pylist()] == [0, 0.05]
    assert figure.rows["annual_return"].to_pylist()[0] is None


def test_valuations_that_begin_midway_begin_with_their_value(engine: Engine) -> None:
    told = valued(DATES[:2], [100.0, 155.0], [20.0, 50.0])

    figure = valuation_returns(book_with(engine, None, valuations=told))

    assert figure.rows["total_return"].to_pylist() == [0, pytest.approx(0.05)]
    assert figure.notes == ("the first cash flow is part of the value that the returns begin with",)


def test_without_valuations_their_returns_are_absent(engine: Engine) -> None:
    assert "data.valuations" in valuation_returns(book_with(engine, None)).absent
    late = valued(DATES[2:], VALUES[2:], FLOWS[2:])
    assert "or before" in valuation_returns(book_with(engine, None, valuations=late)).absent
