"""Who costs more than it brings, and who speaks for us: worked out by hand."""

from collections.abc import Iterator

import pytest
from tests.books import frozen_with, small_book
from tests.histories import Line, after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.keeping.advocates import advocates
from portfolio_ml.portfolio.keeping.release import NO_COST, release

# Day 1000 is the as-of date; days 636 to 1000 are the last year.


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


def sold(customer: str, *days: int, margin: float) -> list[Line]:
    """Sales of 100 on each of the days, with a margin each."""
    return [Line(customer, after(day), 100.0, cost=100.0 - margin) for day in days]


def test_who_loses_money_where_money_is_earned_fits(engine: Engine) -> None:
    lines, customers = [], []
    for n in range(20):
        lines += sold(f"n{n:02}", 0, 900, margin=10.0 if n else -30.0)
        lines += sold(f"s{n:02}", 0, 900, margin=-1.0 if n else 5.0)
        customers += [
            {"customer_id": f"n{n:02}", "region": "North"},
            {"customer_id": f"s{n:02}", "region": "South"},
        ]
    lines += sold("new", 900, margin=-50.0) + sold("left", 0, 700, margin=-50.0)
    lines += sold("alone", 0, 500, margin=-50.0) + sold("alone", 900, margin=-2.0)
    book = small_book(
        lines,
        engine,
        as_of=after(1000),
        frozen=frozen_with(activity_days=200),
        customers=customers,
        settings={"sections": ["region", "lifecycle_stage"]},
    )

    figure = release(book)
    rows = figure.rows.to_pylist()

    # The North earns 160 and the South loses 14. Of whom no region is known, all together are the
    # section: 144 are earned.
    assert [(r["customer_id"], r["is_candidate"]) for r in rows[:2]] == [
        ("s01", True),
        ("s02", True),
    ]
    assert [(r["customer_id"], r["fits"]) for r in rows[-2:]] == [
        ("n00", "region North"),
        ("alone", "all customers"),
    ]
    assert len(rows) == 21
    assert rows[-2]["result"] == -30.0
    assert rows[-1]["result_before"] == -50.0
    assert rows[0]["result_before"] == 0.0
    assert rows[0]["service_cost"] is None
    assert figure.notes[0] == (
        "21 customers of over a year cost 51 EUR more than brought; 19 of them fit no section "
        "where money is earned"
    )


def test_nobody_fits_a_section_of_which_only_a_part_is_known(engine: Engine) -> None:
    lines, customers = [], []
    for n in range(20):
        lines += sold(f"n{n:02}", 0, 900, margin=10.0)
        lines += sold(f"u{n:02}", 0, 900, margin=10.0 if n else -5.0)
        customers += [
            {"customer_id": f"n{n:02}", "region": "North", "segment": "a"},
            {"customer_id": f"u{n:02}", "segment": "b"},
        ]
    book = small_book(
        lines,
        engine,
        as_of=after(1000),
        frozen=frozen_with(activity_days=200),
        customers=customers,
        settings={"sections": [["region", "segment"]]},
    )

    rows = release(book).rows.to_pylist()

    assert [(r["customer_id"], r["fits"]) for r in rows] == [("u00", "all customers")]


def test_what_a_customer_costs_to_serve_counts(engine: Engine) -> None:
    lines = bought("cheap", 0, 900, amount=50.0) + bought("dear", 0, 900, amount=50.0)
    customers = [
        {"customer_id": "cheap", "service_cost": 10.0},
        {"customer_id": "dear", "service_cost": 80.0},
    ]
    book = small_book(
        lines, engine, as_of=after(1000), frozen=frozen_with(activity_days=200), customers=customers
    )

    figure = release(book)

    row = figure.rows.to_pylist()[0]
    assert figure.rows.num_rows == 1
    assert (row["customer_id"], row["result"], row["margin"]) == ("dear", -30.0, None)
    assert row["is_candidate"] is False  # the two together bring 10
    assert "lines tell no cost: revenue stands for margin, so losses are larger" in figure.notes


def test_without_costs_nobody_is_judged(engine: Engine) -> None:
    assert release(small_book(bought("ann", 0), engine, as_of=after(9))).absent == NO_COST


ADVOCATES = [
    # Regular, growing, satisfied and referring.
    *bought("all", *range(0, 1000, 50)), *bought("all", 990, amount=500.0),
    # Regular and referring, not growing, not satisfied.
    *bought("two", *range(0, 1000, 50)),
    # By chance and growing, satisfied, and only brought one who left.
    *bought("chance", 0, 1, 2, 600, 601, 602, 980, 990), *bought("chance", 995, amount=100.0),
    *bought("friend1", 990, amount=7.0), *bought("friend2", 990), *bought("left", 500, amount=3.0),
]  # fmt: skip
REFERRALS = [
    {"customer_id": "friend1", "referred_by": "all"},
    {"customer_id": "friend2", "referred_by": "two"},
    {"customer_id": "left", "referred_by": "all"},
    {"customer_id": "two", "referred_by": "two"},
    {"customer_id": "chance", "referred_by": "nobody"},
]
SURVEYS = [
    {"customer_id": "all", "kind": "survey", "date": after(900), "value": 4.5},
    {"customer_id": "two", "kind": "survey", "date": after(900), "value": 3.0},
    {"customer_id": "chance", "kind": "survey", "date": after(900), "value": 5.0},
    {"customer_id": "chance", "kind": "call", "date": after(900), "value": 60.0},
]


def test_an_advocate_has_three_marks_of_four(engine: Engine) -> None:
    book = small_book(
        ADVOCATES,
        engine,
        as_of=after(1000),
        frozen=frozen_with(activity_days=60),
        customers=REFERRALS,
        interactions=SURVEYS,
    )

    figure = advocates(book)

    row = figure.rows.to_pylist()[0]
    assert figure.rows.num_rows == 1
    assert (row["customer_id"], row["marks"], row["marks_told"]) == ("all", 4, 4)
    assert (row["referred"], row["referred_active"], row["referred_revenue"]) == (2, 1, 7.0)
    assert row["satisfaction"] == 4.5
    # Of days 650 to 950 seven purchases of 10, and 500; before that, of days 300 to 600, seven.
    assert row["spend_trend"] == pytest.approx(570 / 70 - 1)
    assert figure.notes[:2] == (
        "1 of 5 active customers have 3 of the 4 marks that can be told",
        "is_loyal: 2 active customers",
    )


def test_where_two_marks_can_be_told_both_are_needed(engine: Engine) -> None:
    book = small_book(ADVOCATES, engine, as_of=after(1000), frozen=frozen_with(activity_days=60))

    figure = advocates(book)

    row = figure.rows.to_pylist()[0]
    assert (row["customer_id"], row["marks"], row["marks_told"]) == ("all", 2, 2)
    assert (row["is_satisfied"], row["is_referring"], row["referred"]) == (None, None, None)
    assert figure.notes[-1] == (
        "what cannot be told: no interaction tells satisfaction; the customers table has no "
        "referred_by"
    )


def test_no_mark_makes_no_advocate(engine: Engine) -> None:
    figure = advocates(small_book(bought("ann", 0, 5), engine, as_of=after(9)))

    assert figure.absent.startswith("too few marks can be told: nobody has been")


def test_satisfaction_on_another_scale_is_good_in_the_upper_quarter(engine: Engine) -> None:
    names = ["ann", "bob", "cat", "dan", "eve"]
    lines = [line for name in names for line in bought(name, 0, 500, 990)]
    scores = [
        {"customer_id": name, "kind": "NPS", "date": after(900), "value": 2.0 * n}
        for n, name in enumerate(names)
    ]
    book = small_book(
        lines,
        engine,
        as_of=after(1000),
        frozen=frozen_with(),
        interactions=scores,
        customers=[{"customer_id": "bob", "referred_by": "dan"}],
    )

    figure = advocates(book)

    assert "satisfaction is the value of NPS, and is good from 6 on" in figure.notes
    assert "is_satisfied: 2 active customers" in figure.notes


def test_what_is_called_satisfied_can_be_configured(engine: Engine) -> None:
    lines = [line for name in ("ann", "bob") for line in bought(name, 0, 500, 990)]
    talks = [
        {"customer_id": "ann", "kind": "visit", "date": after(900), "value": 2.0},
        {"customer_id": "bob", "kind": "visit", "date": after(900), "value": 1.0},
    ]
    book = small_book(
        lines,
        engine,
        as_of=after(1000),
        frozen=frozen_with(),
        interactions=talks,
        settings={"satisfaction": {"kinds": ["visit"], "satisfied_from": 1.5}},
    )

    figure = advocates(book)

    assert "satisfaction is the value of visit, and is good from 1.5 on" in figure.notes
    assert "is_satisfied: 1 active customer" in figure.notes
