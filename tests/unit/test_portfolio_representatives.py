"""Representatives' results, worked out by hand."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from tests.books import frozen_with, small_book
from tests.histories import after, bought, day_of

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.representatives.representatives import (
    representatives,
    representatives_by_section,
)

# Day 800 is the as-of date: days 436 to 800 are the last year, and day 435 is a year ago. Who
# bought within 60 days is active: then from day 376 on, now from day 741 on.
LINES = [
    *bought("ann", 400, 500, 790, amount=100.0),  # active a year ago, still active
    *bought("bob", 410, 780, amount=50.0),  # likewise
    *bought("cyd", 420, amount=70.0),  # active a year ago, not any more
    *bought("dan", 100, 795, amount=30.0),  # not active a year ago
    *bought("eve", 799, amount=20.0),  # with nobody
]
CUSTOMERS = [
    {"customer_id": "ann", "valid_from": after(0), "representative_id": "r1", "segment": "shop"},
    {"customer_id": "ann", "valid_from": after(600), "representative_id": "r2", "segment": "shop"},
    {"customer_id": "bob", "valid_from": after(0), "representative_id": "r1", "segment": "shop"},
    {"customer_id": "cyd", "valid_from": after(0), "representative_id": "r1", "segment": "web"},
    {"customer_id": "dan", "valid_from": after(0), "representative_id": "r2", "segment": "web"},
    {"customer_id": "eve", "valid_from": after(0), "segment": "web"},
]
DEAL = {"opportunity_id": None, "opened_day": day_of(after(700)), "closed_day": None,
        "offered_day": None, "customer_id": None, "amount": None, "segment": None}  # fmt: skip


def deals(*rows: dict[str, object]) -> pa.Table:
    """Opportunities as they are known on the as-of date."""
    schema = pa.schema(
        {
            "opportunity_id": pa.string(),
            "representative_id": pa.string(),
            "is_won": pa.bool_(),
            "opened_day": pa.int32(),
            "offered_day": pa.int32(),
            "closed_day": pa.int32(),
            "customer_id": pa.string(),
            "amount": pa.int64(),
            "segment": pa.string(),
        }
    )
    return pa.Table.from_pylist([{**DEAL, **row} for row in rows], schema=schema)


def book_with(engine: Engine, customers: list[dict[str, object]] | None = CUSTOMERS) -> Book:
    return small_book(
        LINES, engine, as_of=after(800), frozen=frozen_with(activity_days=60), customers=customers
    )


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


@pytest.fixture(scope="module")
def book(engine: Engine) -> Book:
    return book_with(engine)


def test_customers_count_for_todays_representative_and_those_of_a_year_ago_for_that_time(book):
    rows = {r["representative_id"]: r for r in representatives(book).rows.to_pylist()}

    assert [*rows] == ["r2", "r1", "nobody"]
    assert [rows[r]["customers"] for r in ("r1", "r2", "nobody")] == [2, 2, 1]
    assert [rows[r]["active"] for r in ("r1", "r2", "nobody")] == [1, 2, 1]
    assert [rows[r]["revenue"] for r in ("r1", "r2", "nobody")] == [50.0, 230.0, 20.0]
    assert rows["r2"]["average_ticket"] == pytest.approx(230 / 3)
    assert [rows[r]["active_then"] for r in ("r1", "r2", "nobody")] == [3, 0, 0]
    assert rows["r1"]["retention"] == pytest.approx(2 / 3)
    assert rows["r2"]["retention"] is None
    assert rows["r1"]["rank"] == 1
    assert rows["nobody"]["rank"] is None


def test_sections_are_told_apart_with_the_section_of_that_time(book):
    rows = {
        (r["section"], r["representative_id"]): r
        for r in representatives_by_section(book).rows.to_pylist()
    }

    assert rows["shop", "r1"]["retention"] == 1.0
    assert rows["web", "r1"]["retention"] == 0.0
    assert 0 < rows["web", "r1"]["retention_shrunk"] < rows["shop", "r1"]["retention_shrunk"] < 1
    assert rows["web", "r1"]["customers"] == 1
    assert sum(r["customers"] for r in rows.values()) == 5


def test_deals_are_won_or_lost_and_open_ones_count_for_neither(book):
    known = deals(
        *[{"representative_id": "r1", "is_won": won, "segment": "web"} for won in (True, False)],
        {"representative_id": "r1", "is_won": None, "segment": "web"},
        {"representative_id": "r2", "is_won": True, "customer_id": "ann"},
        {"representative_id": "r3", "is_won": False},
    )

    found = representatives_by_section(book, known)
    rows = {(r["section"], r["representative_id"]): r for r in found.rows.to_pylist()}
    assert (rows["web", "r1"]["decided"], rows["web", "r1"]["won"]) == (2, 1)
    assert rows["web", "r1"]["win_rate"] == 0.5
    assert rows["shop", "r2"]["win_rate"] == 1.0  # the deal tells no segment, its customer does
    assert rows["unknown", "r3"]["win_rate"] == 0.0  # nothing tells its segment
    assert rows["web", "r2"]["win_rate"] is None


def test_results_on_fewer_deals_than_configured_are_called_thin(book):
    known = deals(
        *[{"representative_id": "r1", "is_won": n % 2 == 0} for n in range(10)],
        *[{"representative_id": "r2", "is_won": n % 2 == 0} for n in range(9)],
    )

    rows = {r["representative_id"]: r for r in representatives(book, known).rows.to_pylist()}
    assert not rows["r1"]["is_thin"]
    assert rows["r2"]["is_thin"]


def test_representatives_who_hardly_differ_are_said_to_differ_by_chance(book):
    known = deals(
        *[{"representative_id": "r1", "is_won": n % 2 == 0} for n in range(20)],
        *[{"representative_id": "r2", "is_won": n % 3 > 0} for n in range(20)],
    )

    assert "no more than chance would have it" in representatives(book, known).notes[0]


def test_representatives_who_differ_a_lot_are_said_to_differ(book):
    known = deals(
        *[{"representative_id": "r1", "is_won": n > 2} for n in range(40)],
        *[{"representative_id": "r2", "is_won": n < 8} for n in range(40)],
    )

    found = representatives(book, known)
    assert found.notes[0] == "by win rates, representatives differ by more than chance (p = 0.001)"
    rows = {r["representative_id"]: r for r in found.rows.to_pylist()}
    assert (rows["r1"]["rank"], rows["r2"]["rank"]) == (1, 2)
    assert rows["r1"]["win_rate_low"] < 37 / 40 < rows["r1"]["win_rate_high"]


def test_without_representatives_the_figure_is_absent_with_what_to_do(engine):
    found = representatives(book_with(engine, None))

    assert found.absent.startswith("nothing tells who looks after whom: map representative_id")
    assert found.rows.num_rows == 0


def test_an_unknown_section_is_absent_with_those_that_there_are(engine):
    book = small_book(
        LINES, engine, as_of=after(800), customers=CUSTOMERS,
        settings={"representatives": {"section": "shoe_size"}},
    )  # fmt: skip

    assert representatives_by_section(book).absent == (
        "customers have no attribute 'shoe_size': set portfolio.representatives.section to one of "
        "segment"
    )


def test_customers_without_dates_count_for_the_representative_of_today_and_it_says_so(engine):
    undated = [{k: v for k, v in r.items() if k != "valid_from"} for r in CUSTOMERS[1:]]

    found = representatives(book_with(engine, undated))
    rows = {r["representative_id"]: r for r in found.rows.to_pylist()}
    assert rows["r2"]["active_then"] == 1
    assert any("whoever it was then" in note for note in found.notes)


def test_a_history_of_less_than_a_year_tells_no_retention(engine):
    book = small_book(LINES[-2:], engine, as_of=after(800), customers=CUSTOMERS)

    found = representatives(book)
    assert all(r["retention"] is None for r in found.rows.to_pylist())
    assert any("retention is missing" in note for note in found.notes)


def test_deals_alone_tell_representatives_whom_no_customer_names(engine):
    nameless = [{"customer_id": "ann", "segment": "shop"}, {"customer_id": "bob"}]
    known = deals(
        *[{"representative_id": "r1", "is_won": True, "customer_id": "ann"}] * 3,
        {"representative_id": "r2", "is_won": False, "customer_id": "cyd"},
    )

    found = representatives(book_with(engine, nameless), known)
    rows = {r["representative_id"]: r for r in found.rows.to_pylist()}
    assert rows["nobody"]["customers"] == 5
    assert (rows["r1"]["win_rate"], rows["r2"]["win_rate"]) == (1.0, 0.0)
    assert "customers tell no representative_id: only deals are told" in found.notes
