"""Touches, satisfaction and the time to a decision, worked out by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.books import frozen_with, small_book
from tests.histories import after, bought, day_of

from portfolio_ml.engine import Engine, opened
from portfolio_ml.opportunities import Opportunities
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.contact.decision_times import decision_times, quartiles
from portfolio_ml.portfolio.contact.engagement import engagement
from portfolio_ml.portfolio.contact.touches import touches
from portfolio_ml.schema import QUARANTINE

AS_OF = after(800)
LINES = [
    *bought("ann", 0, 790, amount=100.0),
    *bought("bob", 0, 780),
    *bought("eve", 0, 5),
    *bought("zoe", 795),
]


def _talk(customer: str, day: int, kind: str, value: float | None = None) -> dict[str, Any]:
    return {"customer_id": customer, "date": after(day), "kind": kind, "value": value}


# Surveys go from 1 to 5: ann falls from 5 to 3, bob stays at 4. Calls carry minutes; a flag is
# 0 or 1; what comes after the as-of date is not seen.
TALKS = [
    *(_talk("ann", day, "survey", 5) for day in (100, 200, 300, 400)),
    *(_talk("ann", day, "survey", 3) for day in (500, 600, 700, 796)),
    *(_talk("bob", day, "survey", 4) for day in (200, 300, 500, 600)),
    *(_talk("bob", day, "call", 3 * n) for n, day in enumerate(range(760, 772))),
    *(_talk("eve", day, "resolved", n % 2) for n, day in enumerate(range(760, 772))),
    _talk("zoe", 801, "survey", 1),
]
LETTERS = [
    {"customer_id": "bob", "date": after(790), "action": "email", "held_out": False},
    {"customer_id": "ann", "date": after(799), "action": "email", "held_out": True},
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


def _book(engine: Engine, **tables: Any) -> Book:
    frozen = frozen_with(activity_days=100)
    return small_book(LINES, engine, as_of=AS_OF, frozen=frozen, **tables)


@pytest.fixture(scope="module")
def book(engine: Engine) -> Book:
    return _book(engine, interactions=TALKS, contacts=LETTERS)


def test_active_customers_who_were_in_touch_are_listed_with_the_latest_first(book: Book) -> None:
    figure = engagement(book)
    rows = figure.rows.to_pylist()

    # eve is inactive, zoe was not in touch yet, and ann's letter was held out.
    assert [(r["customer_id"], r["days_since"], r["last_kind"]) for r in rows] == [
        ("ann", 4, "survey"),
        ("bob", 10, "email"),
    ]
    ann, bob = rows
    assert [ann[f"touches_{days}d"] for days in (30, 90, 365)] == [1, 1, 4]
    assert [bob[f"touches_{days}d"] for days in (30, 90, 365)] == [1, 12, 14]
    assert [bob[f"contacts_{days}d"] for days in (30, 90, 365)] == [1, 1, 1]
    assert ann["contacts_365d"] == 0
    assert (ann["last_touch"], ann["revenue"]) == (after(796), 100.0)
    assert "1 of 3 active customers were never in touch" in figure.notes


def test_satisfaction_is_the_last_years_mean_on_its_scale_and_its_change(book: Book) -> None:
    ann, bob = engagement(book).rows.to_pylist()

    # Days 436 to 800 are the last year: 3 on a scale from 1 to 5 is 0.5; 5 before is 1.
    assert (ann["satisfaction"], ann["answers"], ann["satisfaction_trend"]) == (0.5, 4, -0.5)
    assert ann["trend_is_clear"] is True
    assert (bob["satisfaction"], bob["answers"], bob["satisfaction_trend"]) == (0.75, 2, 0.0)
    assert bob["trend_is_clear"] is False


def test_satisfaction_is_of_the_kinds_that_the_config_names(engine: Engine) -> None:
    told = {"satisfaction": {"kinds": ["nps"]}}
    book = _book(engine, interactions=TALKS, settings=told)

    assert {row["is_satisfaction"] for row in touches(book).rows.to_pylist()} == {False}
    assert {row["satisfaction"] for row in engagement(book).rows.to_pylist()} == {None}


def test_how_grave_complaints_are_is_no_satisfaction(engine: Engine) -> None:
    grave = [_talk("bob", day, "complaint", 1 + day % 5) for day in range(760, 772)]
    told = touches(_book(engine, interactions=[*TALKS, *grave])).rows.to_pylist()
    assert [row["kind"] for row in told if row["is_satisfaction"]] == ["survey"]
    own = {"satisfaction": {"complaints": ["survey"]}}
    book = _book(engine, interactions=TALKS, settings=own)
    assert {row["is_satisfaction"] for row in touches(book).rows.to_pylist()} == {False}


def test_kinds_are_told_with_whom_they_reached_and_what_is_satisfaction(book: Book) -> None:
    figure = touches(book)
    rows = {(r["source"], r["kind"]): r for r in figure.rows.to_pylist()}

    assert set(rows) == {
        ("interaction", "survey"), ("interaction", "call"), ("interaction", "resolved"),
        ("contact", "email"),
    }  # fmt: skip
    survey = rows["interaction", "survey"]
    assert (survey["touches_365d"], survey["touches_ever"]) == (6, 12)
    assert (survey["customers_365d"], survey["reach"]) == (2, pytest.approx(2 / 3))
    assert survey["mean_value"] == pytest.approx((4 * 3 + 2 * 4) / 6)
    assert rows["contact", "email"]["touches_ever"] == 1
    assert rows["contact", "email"]["mean_value"] is None
    assert rows["interaction", "resolved"]["reach"] == 0.0
    assert [key[1] for key, row in rows.items() if row["is_satisfaction"]] == ["survey"]
    told = "survey is taken for satisfaction: 12 values within two years, all from 1 to 5"
    assert figure.notes == (told,)


def test_without_tables_both_are_absent(engine: Engine) -> None:
    bare = _book(engine)

    assert engagement(bare).absent.startswith("there are neither interactions nor contacts")
    assert touches(bare).absent.startswith("there are neither interactions nor contacts")


def test_contacts_alone_leave_interactions_unknown(engine: Engine) -> None:
    figure = engagement(_book(engine, contacts=LETTERS))

    [bob] = figure.rows.to_pylist()
    assert (bob["contacts_30d"], bob["touches_30d"], bob["satisfaction"]) == (1, None, None)
    assert any(note.startswith("satisfaction is missing") for note in figure.notes)


def _deals(engine: Engine, rows: Sequence[dict[str, Any]]) -> Opportunities:
    days = ("opened_day", "offered_day", "closed_day", "known_day")
    texts = ("opportunity_id", "representative_id", "customer_id", "category", "segment", "region")
    types = {
        **dict.fromkeys(texts, pa.string()), **dict.fromkeys(days, pa.int32()),
        "is_won": pa.bool_(), "amount": pa.int64(),
    }  # fmt: skip
    table = pa.table(
        {name: pa.array([row.get(name) for row in rows], kind) for name, kind in types.items()}
    )
    return Opportunities(
        frame=engine.keep(engine.from_arrow(table)),
        kept=len(rows),
        quarantine=QUARANTINE.arrow.empty_table(),
        columns=frozenset({"offered_at", "region"}),
        outcomes={},
        undecided=(),
        source="a test",
    )


def _deal(
    number: int, who: str, offered: int | None, closed: int | None, won: bool | None, **more: Any
) -> dict[str, Any]:
    zero = day_of(after(0))
    return {
        "opportunity_id": f"o{number}", "representative_id": who, "is_won": won,
        "offered_day": None if offered is None else zero + offered,
        "closed_day": None if closed is None else zero + closed,
        **more,
    }  # fmt: skip


def test_decisions_take_as_long_as_offers_waited_open_ones_included(engine: Engine) -> None:
    deals = _deals(
        engine,
        [
            _deal(1, "kim", 700, 710, True, segment="shop"),
            _deal(2, "kim", 700, 720, False, customer_id="ann"),
            _deal(3, "kim", 700, 730, True, segment="shop"),
            _deal(4, "lee", 760, None, None, segment="farm"),
            _deal(5, "lee", 780, 850, True, segment="farm"),  # open on day 800
            _deal(6, "lee", None, 700, True),
        ],
    )
    customers = [{"customer_id": "ann", "segment": "farm"}]
    book = replace(_book(engine, customers=customers), opportunities=deals)
    figure = decision_times(book)
    rows = {(r["dimension"], r["value"]): r for r in figure.rows.to_pylist()}

    kim = rows["representative_id", "kim"]
    assert (kim["decided"], kim["won"], kim["still_open"]) == (3, 2, 0)
    assert (kim["first_quartile_days"], kim["median_days"], kim["third_quartile_days"]) == (
        10, 20, 30,
    )  # fmt: skip
    assert kim["is_thin"]
    # Of all five, those of 20 and 40 days are open still: 1/5 is decided by day 10; of the four
    # and three left, one each by days 20 and 30, so that 4/5 x 3/4 x ... are left.
    everybody = rows["everybody", "everybody"]
    assert (everybody["decided"], everybody["still_open"]) == (3, 2)
    assert (everybody["first_quartile_days"], everybody["median_days"]) == (20, 30)
    assert everybody["third_quartile_days"] is None
    assert rows["segment", "farm"]["decided"] == 1  # as is known of its customer
    assert rows["representative_id", "lee"]["median_days"] is None
    assert ("representative_id x segment", "kim / farm") in rows
    assert figure.notes == ("1 of 6 opportunities tell no offer, or no day of decision",)


def test_decision_times_are_absent_with_the_reason(engine: Engine) -> None:
    assert decision_times(_book(engine)).absent.startswith("there are no opportunities")
    unoffered = replace(
        _book(engine), opportunities=_deals(engine, [_deal(1, "kim", None, 700, True)])
    )
    assert decision_times(unoffered).absent.startswith("no opportunity tells when it was offered")


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=1, max_size=40))
def test_quartiles_ascend_and_lie_among_the_decided(offers: list[tuple[int, bool]]) -> None:
    waited = np.array([days for days, _ in offers])
    is_decided = np.array([decided for _, decided in offers])
    found = [days for days in quartiles(waited, is_decided).values() if not np.isnan(days)]

    assert found == sorted(found)
    assert set(found) <= set(waited[is_decided].tolist())
