"""Customers who changed hands, worked out by hand."""

from datetime import date

import pyarrow as pa
import pytest
from tests.books import frozen_with, small_book
from tests.histories import Line, after, bought

from portfolio_ml.engine import opened
from portfolio_ml.portfolio.representatives.handover import handovers, handovers_by_pair

# Day 800 is the as-of date; handovers since day 436 are told.
LINES = [
    # ann goes from r1 to r2 on day 791: ten days with r2, the as-of date included.
    *bought("ann", 500, amount=1000.0),
    *bought("ann", 780, amount=1.0),  # the day before the ten days before
    *bought("ann", 781, 790, amount=10.0),
    *bought("ann", 791, 800, amount=50.0),
    Line("ann", after(795), -20.0),
    *bought("ann", 801, amount=9999.0),  # in the future
    # bob goes to and fro within the year.
    *bought("bob", 590, 605, 650, amount=100.0),
    # cyd changed hands long ago, dan never, eve only tomorrow; fay has nobody any more.
    *bought("cyd", 700, amount=5.0),
    *bought("dan", 700, amount=5.0),
    *bought("eve", 700, amount=5.0),
    *bought("fay", 700, amount=5.0),
]


def row(customer, day, who):
    return {"customer_id": customer, "valid_from": after(day), "representative_id": who}


CUSTOMERS = [
    row("ann", 0, "r1"), row("ann", 100, "r1"), row("ann", 791, "r2"),
    row("bob", 0, "r1"), row("bob", 600, "r2"), row("bob", 610, "r1"),
    row("cyd", 0, "r1"), row("cyd", 435, "r2"),
    row("dan", 0, "r1"),
    row("eve", 0, "r1"), row("eve", 801, "r2"),
    row("fay", 0, "r2"), row("fay", 600, None),
]  # fmt: skip


@pytest.fixture(scope="module")
def engine():
    with opened() as engine:
        yield engine


@pytest.fixture(scope="module")
def book(engine):
    scores = [{"customer_id": "ann", "p_churn": 0.25, "value_at_risk": 30.0}]
    return small_book(
        LINES, engine, as_of=after(800), frozen=frozen_with(activity_days=60), customers=CUSTOMERS,
        scores=scores,
    )  # fmt: skip


def told(figure):
    return {(r["customer_id"], r["handed_over_on"]): r for r in figure.rows.to_pylist()}


def test_a_customer_is_told_for_each_time_it_changed_hands_within_a_year(book):
    found = told(handovers(book))

    assert {(name, on, r["from_representative_id"], r["to_representative_id"])
            for (name, on), r in found.items()} == {
        ("ann", after(791), "r1", "r2"),
        ("bob", after(600), "r1", "r2"),
        ("bob", after(610), "r2", "r1"),
        ("fay", after(600), "r2", "nobody"),
    }  # fmt: skip


def test_value_before_and_after_is_told_of_windows_of_equal_length(book):
    ann = told(handovers(book))["ann", after(791)]

    assert ann["days"] == 10
    assert ann["revenue_before"] == 20.0
    assert ann["revenue_after"] == 80.0
    assert (ann["orders_before"], ann["orders_after"]) == (2, 2)
    assert ann["revenue_taken_over"] == 1021.0
    assert ann["is_active"]
    assert (ann["p_churn"], ann["value_at_risk"]) == (0.25, 30.0)


def test_a_window_ends_where_the_customer_changes_hands_again(book):
    found = told(handovers(book))

    first, second = found["bob", after(600)], found["bob", after(610)]
    assert (first["days"], first["revenue_before"], first["revenue_after"]) == (10, 100.0, 100.0)
    assert (second["days"], second["revenue_before"], second["revenue_after"]) == (
        191,
        200.0,
        100.0,
    )


def test_open_deals_are_taken_over_too(book):
    deals = pa.table(
        {
            "customer_id": ["ann", "ann", "ann", "bob", None],
            "is_won": pa.array([None, None, True, False, None], pa.bool_()),
            "amount": pa.array([50_000, None, 90_000, 10_000, 10_000], pa.int64()),
        }
    )

    found = told(handovers(book, deals))
    assert (found["ann", after(791)]["open_deals"], found["ann", after(791)]["open_amount"]) == (
        2,
        5,
    )
    assert (found["bob", after(600)]["open_deals"], found["bob", after(600)]["open_amount"]) == (
        0,
        0,
    )
    assert told(handovers(book))["ann", after(791)]["open_deals"] is None


def test_pairs_add_up_to_the_handovers(book):
    found = handovers(book)
    pairs = handovers_by_pair(book, found).rows.to_pylist()

    assert [(r["from_representative_id"], r["to_representative_id"], r["handovers"])
            for r in pairs] == [("r1", "r2", 2), ("r2", "r1", 1), ("r2", "nobody", 1)]  # fmt: skip
    assert pairs[0]["revenue_before"] == 120.0
    assert pairs[0]["revenue_after"] == 180.0
    assert pairs[0]["change"] == 0.5
    assert pairs[0]["value_at_risk"] == 30.0
    assert pairs[2]["change"] is None
    total = sum(r["revenue_taken_over"] for r in found.rows.to_pylist())
    assert sum(r["revenue_taken_over"] for r in pairs) == pytest.approx(total)


def test_customers_without_dates_tell_no_handover_and_what_to_map(engine):
    undated = [{"customer_id": "ann", "representative_id": "r1"}]
    book = small_book(LINES, engine, as_of=after(800), customers=undated)

    found = handovers(book)
    assert found.absent == (
        "nothing tells when customers changed hands: map valid_from in data.customers"
    )
    assert handovers_by_pair(book, found).absent == found.absent


def test_where_nobody_changed_hands_the_figure_is_empty_and_says_so(engine):
    rows = [row("ann", 0, "r1"), row("bob", 0, "r2")]
    found = handovers(small_book(LINES, engine, as_of=after(800), customers=rows))

    assert (found.absent, found.rows.num_rows) == ("", 0)
    assert found.notes[0] == "no customer changed hands in the last 365 days"
    assert (
        handovers_by_pair(
            small_book(LINES, engine, as_of=after(800), customers=rows), found
        ).rows.num_rows
        == 0
    )


def test_the_date_is_a_date(book):
    assert all(isinstance(r["handed_over_on"], date) for r in handovers(book).rows.to_pylist())
