"""Signs of leaving, worked out by hand."""

from collections.abc import Iterator
from datetime import date

import pytest
from tests.books import frozen_with, small_book
from tests.histories import REFERENCE, Line, after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.keeping.pre_churn import pre_churn

# Day 700 is the as-of date, and day 610 one churn horizon before. The activity window is so long
# that nobody is inactive. The portfolio's typical gap counts as one of the customer's own gaps.
ASKS = (100.0, 110.0, 90.0, 105.0, 95.0)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


def orders(customer: str, days: range, amounts: tuple[float, ...]) -> list[Line]:
    """One purchase on each day, of the amounts in turn."""
    return [Line(customer, after(day), amount) for day, amount in zip(days, amounts, strict=True)]


LINES = [
    # Every 30 days up to day 600: 100 days away, and three cycles of 30.7 days ago.
    *bought("away", *range(300, 601, 30)),
    # Away for as long, but gaps as long are usual.
    *bought("irregular", 200, 210, 220, 230, 240, 250, 370, 380, 500, 600),
    # Two purchase days tell no rhythm.
    *bought("twice", 590, 600),
    *orders("less", range(460, 700, 30), (*ASKS, 40.0, 42.0, 38.0)),
    *orders("more", range(460, 700, 30), (*ASKS, 240.0, 250.0, 260.0)),
    # 10 % less is no change worth a word, and 40 % is none where baskets scatter so.
    *orders("bit", range(460, 700, 30), (*ASKS, 91.0, 92.0, 90.0)),
    *orders("scattered", range(460, 700, 30), (10.0, 200.0, 40.0, 800.0, 90.0, 60.0, 50.0, 40.0)),
    # Five purchase days are too few to tell a habit.
    *orders("few", range(550, 700, 30), (100.0, 100.0, 10.0, 10.0, 10.0)),
]


@pytest.fixture(scope="module")
def book(engine: Engine) -> Book:
    return small_book(LINES, engine, as_of=after(700), frozen=frozen_with(activity_days=400))


def test_each_customer_is_compared_with_its_own_past(book: Book) -> None:
    listed, _ = pre_churn(book)
    rows = {row["customer_id"]: row for row in listed.rows.to_pylist()}

    assert {name: row["signs"] for name, row in rows.items()} == {
        "away": "missed_cycles",
        "less": "smaller_orders",
        "more": "larger_orders",
    }
    away = rows["away"]
    typical = (10 * 30 + REFERENCE.gap_days) / 11
    assert away["typical_gap_days"] == pytest.approx(typical)
    assert away["missed_cycles"] == 2  # 100 / 31.4 = 3.2 whole gaps, minus 1
    assert away["gap_90_days"] == 30.0
    assert away["words"] == "away for 100 days, usually 31"
    assert rows["less"]["words"] == "purchases of 40 instead of 99.7"
    assert rows["less"]["ticket_change"] == pytest.approx(40.0 / 99.75 - 1, abs=2e-3)
    assert away["ticket_change"] == pytest.approx(0.0)


def test_signs_are_checked_one_horizon_ago(book: Book) -> None:
    _, quality = pre_churn(book)
    rows = {row["sign"]: row for row in quality.rows.to_pylist()}

    # On day 610 nobody was away yet; "less" and "more" had five purchase days by day 580 and the
    # sixth on day 610, which alone is no change of three.
    assert next(iter(rows)) == "any_sign"
    assert rows["missed_cycles"]["customers"] == 0
    assert rows["missed_cycles"]["cutoff"] == after(610)
    assert rows["missed_cycles"]["customers_without"] == 7
    assert rows["missed_cycles"]["churned_without"] == 2  # "away" and "irregular"
    assert rows["missed_cycles"]["verdict"] == "too few"


def test_a_sign_is_proven_where_those_who_showed_it_left_more_often(engine: Engine) -> None:
    # Thirty customers missed cycles by day 500 and did not return within 90 days, ten did;
    # of forty punctual ones all came back.
    lines = []
    for n in range(40):
        lines += bought(f"late{n}", 300, 310, 320, 330, 340, 350, *([560] if n < 10 else []))
        lines += bought(f"fine{n}", *range(300, 591, 10))
    lines += bought("now", 400, 410, 420, 430, 440, 450, 460, 470)
    book = small_book(lines, engine, as_of=after(590), frozen=frozen_with(activity_days=400))

    listed, quality = pre_churn(book)

    row = next(r for r in quality.rows.to_pylist() if r["sign"] == "missed_cycles")
    assert (row["customers"], row["churned"]) == (40, 30)
    assert (row["customers_without"], row["churned_without"]) == (41, 1)  # "now" was not late yet
    assert row["churn"] == 0.75
    assert row["lift"] == pytest.approx(0.75 * 41)
    assert row["lift_low"] > 1
    assert row["verdict"] == "tells"
    assert {r["proven_signs"] for r in listed.rows.to_pylist()} == {1}
    assert "in this portfolio's history these told of churn: missed_cycles" in listed.notes


def test_without_a_history_to_check_in_no_sign_is_proven(engine: Engine) -> None:
    lines = bought("away", *range(0, 40, 4))
    book = small_book(lines, engine, as_of=after(80), frozen=frozen_with(activity_days=60))

    listed, quality = pre_churn(book)

    assert quality.absent.startswith("the history begins less than a churn horizon before")
    assert [row["proven_signs"] for row in listed.rows.to_pylist()] == [0]


def talk(customer: str, kind: str, day: int, value: float | None = None) -> dict[str, object]:
    """An interaction."""
    return {"customer_id": customer, "kind": kind, "date": after(day), "value": value}


def test_interactions_tell_falling_satisfaction_and_silence(engine: Engine) -> None:
    lines = [line for name in ("sour", "calm", "quiet") for line in bought(name, 400, 500, 690)]
    # Values scatter by half a point; "sour" falls by two.
    usual = [4.0, 4.5, 5.0, 4.0, 4.5, 5.0]
    talks = [
        *(talk("sour", "survey", 400 + 10 * n, v) for n, v in enumerate(usual)),
        talk("sour", "survey", 690, 2.5),
        talk("sour", "survey", 695, 2.5),
        *(talk("calm", "survey", 400 + 10 * n, v) for n, v in enumerate(usual)),
        *(talk("calm", "survey", day, 4.5) for day in (600, 650, 690)),
        # Ten calls in 180 days, then none in the last 180; minutes are no satisfaction.
        *(talk("quiet", "call", 341 + 18 * n, 30.0) for n in range(10)),
    ]
    book = small_book(
        lines,
        engine,
        as_of=after(700),
        frozen=frozen_with(activity_days=60),
        interactions=talks,
    )

    listed, _ = pre_churn(book)
    rows = {row["customer_id"]: row for row in listed.rows.to_pylist()}

    assert {name: row["signs"] for name, row in rows.items()} == {
        "sour": "less_satisfied",
        "quiet": "fewer_interactions",
    }
    assert rows["sour"]["words"] == "satisfaction of 2.5 instead of 4.5"
    assert rows["sour"]["satisfaction_change"] == pytest.approx(-2.0)
    # From day 341 to 520 are 180 days, in which ten came.
    assert rows["quiet"]["words"] == "interactions in 180 days: 0 instead of 10"
    assert rows["quiet"]["interactions_change"] == -1.0
    assert isinstance(rows["quiet"]["as_of"], date)
