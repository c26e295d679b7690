"""Loyalty points, worked out by hand: by a rule, from a table, and what the programme owes."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.books import points_of, small_book
from tests.histories import Line, after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.loyalty.loyalty import loyalty

# Day 400 is the as-of date: days 36 to 400 are the last year.
LINES = [
    *bought("ann", 10, 300, 395, amount=100.0),
    *bought("bob", 390, amount=50.0),
    *bought("eve", 50, amount=30.0),
    Line("eve", after(60), -10.0),
    Line("ann", after(401), 999.0),
]
REGIONS = [
    {"customer_id": "ann", "region": "North"},
    {"customer_id": "bob", "region": "South"},
]
TIERS = {"silver": 55, "gold": 200}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


def book_of(engine: Engine, rule: Mapping[str, Any] | None, **more: Any) -> Book:
    settings = {} if rule is None else {"loyalty": rule}
    return small_book(LINES, engine, as_of=after(400), settings=settings, **more)


def rows(figure: Any) -> list[dict[str, Any]]:
    """The rows of a figure without the date."""
    assert not figure.absent
    return [{k: v for k, v in r.items() if k != "as_of"} for r in figure.rows.to_pylist()]


def test_spend_earns_points_that_expire_and_returns_take_them_back(engine: Engine) -> None:
    rule = {"points_per_unit": 0.5, "expire_days": 365, "value_per_point": 0.1, "tiers": TIERS}

    balances, _, _ = loyalty(book_of(engine, rule))

    ann, bob, eve = rows(balances)
    assert ann == {
        "customer_id": "ann",
        "earned": 150.0,
        "returned": 0.0,
        "redeemed": 0.0,
        "expired": 50.0,  # of day 10, the last day of which was 375
        "balance": 100.0,
        "expiring_90d": 0.0,
        "balance_value": 10.0,
        "earned_365d": 100.0,
        "tier": "silver",
        "next_tier": "gold",
        "missing_points": 100.0,
    }
    assert (bob["balance"], bob["tier"], bob["missing_points"]) == (25.0, None, 30.0)
    assert (eve["earned"], eve["returned"], eve["balance"]) == (15.0, 5.0, 10.0)
    assert (eve["expiring_90d"], eve["earned_365d"]) == (10.0, 10.0)


def test_points_count_on_the_day_on_which_they_expire(engine: Engine) -> None:
    kept, gone = (
        loyalty(book_of(engine, {"points_per_unit": 1, "expire_days": days}))[0] for days in (10, 9)
    )

    assert [(r["balance"], r["expired"]) for r in rows(kept) if r["customer_id"] == "bob"] == [
        (50, 0)
    ]
    assert [(r["balance"], r["expired"]) for r in rows(gone) if r["customer_id"] == "bob"] == [
        (0, 50)
    ]


def test_a_section_earns_more(engine: Engine) -> None:
    rule = {"points_per_unit": 1, "section": "region", "multipliers": {"North": 2, "South": 0}}

    balances, programme, _ = loyalty(book_of(engine, rule, customers=REGIONS))
    unknown = loyalty(book_of(engine, rule))[1]

    earned = {r["customer_id"]: r["earned"] for r in rows(balances)}
    assert earned == {"ann": 600.0, "eve": 30.0}
    assert not any("multipliers" in note for note in programme.notes)
    assert "multipliers are left out: there is no column region" in unknown.notes


def test_a_table_of_points_is_read_up_to_today(engine: Engine) -> None:
    points = points_of(
        engine,
        [
            ("ann", 100, 60, 500, None),
            ("ann", 200, 40, 230, "bonus"),  # expires before what was earned earlier
            ("ann", 210, -50, None, "voucher"),
            ("ann", 401, 999, None, None),
            ("zoe", 50, 10, 60, None),  # who has no line
            ("zoe", 399, 20, None, None),
            ("zoe", 400, -5, None, "Return"),
        ],
    )

    balances, programme, tiers = loyalty(book_of(engine, {"tiers": {"silver": 50}}), points)

    ann, zoe = rows(balances)
    assert (ann["earned"], ann["redeemed"], ann["expired"], ann["balance"]) == (100, 50, 0, 50)
    assert (zoe["earned"], zoe["returned"], zoe["redeemed"], zoe["expired"]) == (30, 5, 0, 10)
    assert (ann["expiring_90d"], zoe["expiring_90d"]) == (0, 0)
    [told] = rows(programme)
    assert (told["customers"], told["balance"], told["liability"]) == (2, 65, 0.65)
    # 40 of ann and 10 of zoe have passed their expiry, of which 10 went unused.
    assert told["breakage_share"] == 0.2
    assert told["breakage_customers"] == 2
    assert 0 <= told["breakage_low"] < 0.2 < told["breakage_high"] <= 1
    assert told["expected_breakage"] == pytest.approx(0.2 * 60 * 0.01)
    assert [(r["tier"], r["customers"], r["balance"]) for r in rows(tiers)] == [
        ("silver", 1, 50),
        ("none", 1, 15),
    ]


def test_what_is_used_beyond_the_points_is_owed(engine: Engine) -> None:
    points = points_of(engine, [("ann", 1, 10, None, None), ("ann", 2, -30, None, None)])

    balances, programme, _ = loyalty(book_of(engine, None), points)

    assert [r["balance"] for r in rows(balances)] == [-20]
    [told] = rows(programme)
    assert (told["liability"], told["owed_points"]) == (0, 20)
    assert told["breakage_share"] is None
    assert any("a point is taken to be worth 0.01" in note for note in programme.notes)


def test_points_whose_table_tells_no_expiry_expire_by_the_rule(engine: Engine) -> None:
    points = points_of(engine, [("ann", 1, 10, None, None)], tells_expiry=False)

    [ann] = rows(loyalty(book_of(engine, {"expire_days": 30}), points)[0])

    assert ann["expired"] == 10


def test_the_rule_and_a_table_are_added_together(engine: Engine) -> None:
    points = points_of(engine, [("bob", 395, -20, None, "voucher")])

    balances, programme, _ = loyalty(book_of(engine, {"points_per_unit": 1}), points)

    assert [r["balance"] for r in rows(balances) if r["customer_id"] == "bob"] == [30]
    assert any("added together" in note for note in programme.notes)


def test_the_rule_alone_tells_no_breakage(engine: Engine) -> None:
    _, programme, tiers = loyalty(book_of(engine, {"points_per_unit": 1, "expire_days": 30}))

    [told] = rows(programme)
    assert told["breakage_share"] is None
    assert told["expected_breakage"] is None
    assert any("no use of points is known" in note for note in programme.notes)
    assert "portfolio.loyalty.tiers" in tiers.absent


def test_without_a_rule_and_a_table_there_is_no_programme(engine: Engine) -> None:
    for figure in loyalty(book_of(engine, {"tiers": TIERS})):
        assert "points_per_unit" in figure.absent
