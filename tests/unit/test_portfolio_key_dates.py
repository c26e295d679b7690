"""Key dates ahead, worked out by hand."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.books import frozen_with, small_book
from tests.histories import Line, bought, day_of

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.selling.key_dates import key_dates, next_occurrence
from portfolio_ml.timeline import to_date

AS_OF = date(2023, 2, 25)
LINES = [
    Line("ann", date(2021, 3, 1), 10.0),
    Line("ann", date(2023, 1, 5), 50.0),
    Line("bob", date(2022, 8, 1), 10.0),
    Line("eve", date(2022, 9, 1), 30.0),
    Line("new", date(2023, 2, 25), 5.0),
]
CUSTOMERS: list[dict[str, Any]] = [
    {"customer_id": "ann", "birthday": date(1992, 2, 29)},
    {
        "customer_id": "bob",
        "birthday": date(1980, 2, 24),
        "signup_date": date(2020, 2, 27),
        "ended_at": date(2023, 4, 26),
    },
    {"customer_id": "eve", "birthday": date(2024, 2, 28), "ended_at": date(2023, 4, 27)},
    {"customer_id": "new", "signup_date": date(2023, 2, 25), "ended_at": date(2023, 2, 24)},
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


@pytest.fixture(scope="module")
def figure(engine: Engine) -> Figure:
    return key_dates(_book(LINES, engine, CUSTOMERS))


def _book(
    lines: list[Line], engine: Engine, customers: list[dict[str, Any]] | None, as_of: date = AS_OF
) -> Book:
    return small_book(
        lines, engine, as_of=as_of, frozen=frozen_with(activity_days=100), customers=customers
    )


def test_key_dates_are_those_ahead_with_the_nearest_first(figure: Figure) -> None:
    rows = figure.rows.to_pylist()

    assert [(r["customer_id"], r["kind"], r["days_ahead"], r["years"]) for r in rows] == [
        ("bob", "anniversary", 2, 3),
        ("ann", "birthday", 3, 31),  # 29 February: on the 28th
        ("ann", "anniversary", 4, 2),
        ("bob", "contract ends", 60, None),
    ]
    assert [r["reason"] for r in rows] == [
        "3 years since it signed up on 27 February",
        "turns 31 on 28 February",
        "2 years since its first purchase on 1 March",
        "the contract ends on 26 April",
    ]
    assert [r["is_active"] for r in rows] == [False, True, True, False]
    assert rows[1]["revenue"] == 50.0


def test_kinds_without_a_column_are_told(engine: Engine) -> None:
    bare = key_dates(_book(LINES, engine, None))

    assert [r["kind"] for r in bare.rows.to_pylist()] == ["anniversary"]
    assert "no birthdays: the customers table has no column birthday" in bare.notes
    assert "no contracts' ends: the customers table has no column ended_at" in bare.notes
    assert any(note.startswith("anniversaries are of the first purchase") for note in bare.notes)


def test_a_birthday_that_many_share_is_taken_for_unknown(engine: Engine) -> None:
    names = [f"c{n}" for n in range(6)]
    lines = [Line(name, date(2022, 6, 1), 10.0) for name in [*names, "ann"]]
    filled: list[dict[str, Any]] = [
        {"customer_id": name, "birthday": date(1970, 3, 1)} for name in names
    ]
    own = {"customer_id": "ann", "birthday": date(1971, 3, 1)}
    figure = key_dates(_book(lines, engine, [*filled, own]))

    assert [r["customer_id"] for r in figure.rows.to_pylist()] == ["ann"]
    assert any(note.startswith("6 customers have the birthday 1970-03-01") for note in figure.notes)


def _year_round(customer: str, peak: int) -> list[Line]:
    """Three years in which the customer buys every month, and most in one of them."""
    return [
        Line(customer, date(year, month, 10), 50.0 if month == peak else 10.0)
        for year in (2020, 2021, 2022)
        for month in range(1, 13)
    ]


def test_a_season_is_a_month_that_was_the_peak_in_every_year(engine: Engine) -> None:
    lines = [line for n in range(9) for line in _year_round(f"c{n}", peak=1 + n % 3)]
    lines += [Line("late", date(2022, 12, 20), 5.0)]
    figure = key_dates(_book(lines, engine, None, as_of=date(2022, 12, 28)))

    rows = [r for r in figure.rows.to_pylist() if r["kind"] == "season"]
    assert [(r["customer_id"], r["date"], r["years"]) for r in rows] == [
        (name, date(2023, 1, 1), 2) for name in ("c0", "c3", "c6")
    ]
    assert rows[0]["reason"] == "spent most in January in each of the last 2 years"
    assert any(note.startswith("seasons: 9 of 9 customers") for note in figure.notes)


def test_each_season_ahead_begins_on_the_first_day_of_its_own_month(engine: Engine) -> None:
    lines = [line for n in range(9) for line in _year_round(f"c{n}", peak=1 + n % 4)]
    book = small_book(
        lines, engine, as_of=date(2023, 1, 1), settings={"daily_list": {"key_date_days": 60}}
    )

    rows = [r for r in key_dates(book).rows.to_pylist() if r["kind"] == "season"]

    assert {(r["date"], r["reason"].split()[3]) for r in rows} == {
        (date(2023, 1, 1), "January"),
        (date(2023, 2, 1), "February"),
        (date(2023, 3, 1), "March"),
    }


def test_peaks_that_agree_no_more_than_by_chance_are_no_season(engine: Engine) -> None:
    rng = np.random.default_rng(8)
    lines = [
        Line(f"c{n}", date(year, month, 10), float(rng.integers(10, 100)))
        for n in range(40)
        for year in (2020, 2021, 2022)
        for month in range(1, 13)
    ]
    figure = key_dates(_book(lines, engine, None, as_of=date(2022, 12, 31)))

    assert not [r for r in figure.rows.to_pylist() if r["kind"] == "season"]
    assert any(note.startswith("no seasons:") for note in figure.notes)


def test_a_young_history_has_no_seasons(engine: Engine) -> None:
    figure = key_dates(_book(bought("ann", 0, 30), engine, None, as_of=date(2020, 3, 1)))

    assert "no seasons: nobody has bought for two whole years" in figure.notes


@given(
    birthday=st.dates(date(1900, 1, 1), date(2020, 12, 31)),
    as_of=st.dates(date(2021, 1, 1), date(2030, 12, 31)),
)
def test_a_day_returns_within_a_year_in_its_own_month(birthday: date, as_of: date) -> None:
    found = to_date(int(next_occurrence(np.array([day_of(birthday)]), as_of)[0]))

    assert as_of <= found <= as_of + timedelta(days=366)
    assert (found.month, min(found.day, 28)) == (birthday.month, min(birthday.day, 28))
