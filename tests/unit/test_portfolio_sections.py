"""The portfolio by section, worked out by hand."""

from collections.abc import Iterator

import pytest
from tests.books import frozen_with, small_book
from tests.histories import Line, after, bought

from portfolio_ml.engine import opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.sections import sections

pytestmark = pytest.mark.unit

# Day 400 is the as-of date: days 36 to 400 are the last year.
LINES = [
    *bought("ann", 10, 300, 395, amount=100.0),
    *bought("bob", 390, amount=50.0),
    *bought("eve", 50, 60, amount=30.0),
    Line("eve", after(61), -10.0),
]
CUSTOMERS = [
    {"customer_id": "ann", "region": "North"},
    {"customer_id": "bob", "region": "South"},
]
SCORES = [
    {"customer_id": "ann", "p_churn": 0.2, "value_at_risk": 20.0},
    {"customer_id": "bob", "p_churn": 0.4, "value_at_risk": 8.0},
    {"customer_id": "eve", "p_return": 0.1},
]


@pytest.fixture(scope="module")
def book() -> Iterator[Book]:
    with opened() as engine:
        yield small_book(
            LINES,
            engine,
            as_of=after(400),
            frozen=frozen_with(activity_days=60),
            settings={"sections": ["region", ["region", "is_active"], "shoe_size"]},
            scores=SCORES,
            customers=CUSTOMERS,
        )


def test_a_section_is_its_customers_and_what_they_brought(book: Book) -> None:
    rows = [r for r in sections(book).rows.to_pylist() if r["dimension"] == "region"]

    assert [r["section"] for r in rows] == ["North", "South", "unknown"]
    assert [r["customers"] for r in rows] == [1, 1, 1]
    assert [r["active"] for r in rows] == [1, 1, 0]
    assert [r["revenue"] for r in rows] == [200.0, 50.0, 50.0]
    assert [r["orders"] for r in rows] == [2, 1, 2]
    assert [r["average_ticket"] for r in rows] == [100.0, 50.0, 25.0]
    assert [r["churn"] for r in rows] == [0.2, 0.4, None]
    assert [r["value_at_risk"] for r in rows] == [20.0, 8.0, 0.0]
    assert [r["margin"] for r in rows] == [None, None, None]


@pytest.mark.parametrize("name", ["margin", "segment_name", "p_churn"])
def test_an_attribute_is_never_taken_for_what_the_package_says(book: Book, name: str) -> None:
    told = small_book(
        LINES,
        book.inputs.engine,
        as_of=after(400),
        scores=SCORES,
        customers=[{"customer_id": who, name: "high"} for who in ("ann", "bob")],
    )

    assert not told.now.attributes
    rows = sections(told).rows.to_pylist()
    assert {r["margin"] for r in rows} == {None}
    assert "high" not in {r["section"] for r in rows}


def test_sections_are_crossed(book: Book) -> None:
    rows = [r for r in sections(book).rows.to_pylist() if r["dimension"] == "region x is_active"]

    assert {r["section"] for r in rows} == {"North / true", "South / true", "unknown / false"}


def test_a_dimension_that_is_not_there_is_told(book: Book) -> None:
    notes = sections(book).notes

    assert "no section by shoe_size: there is no such column" in notes
    assert notes[0].startswith("33% of the customers are inactive")
