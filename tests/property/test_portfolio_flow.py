"""What always holds: the flow closes, in customers and in value, and what follows is sound."""

import itertools
from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.books import frozen_with, small_book
from tests.examples import shown
from tests.histories import Line, after, day_of, lines

from portfolio_ml.engine import Engine
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.flow.flow import flow
from portfolio_ml.portfolio.flow.lifecycle import lifecycle, transitions
from portfolio_ml.portfolio.flow.monthly_flow import monthly_flow
from portfolio_ml.portfolio.flow.projection import projections
from portfolio_ml.schema import MONEY_SCALE

pytestmark = pytest.mark.property

AS_OF = after(900)

histories = st.sampled_from(((), ("order_id",), ("known_day",))).flatmap(
    lambda columns: lines(last_day=1_000, columns=columns)
)
windows = st.sampled_from((28, 60, 200, 365))
examples = shown(4, HealthCheck.too_slow)
few_examples = shown(2, HealthCheck.too_slow)


def book_with(drawn: list[Line], engine: Engine, window: int) -> Book:
    began = Line("long ago", after(0), 10.0)
    return small_book(
        [began, *drawn], engine, as_of=AS_OF, frozen=frozen_with(activity_days=window)
    )


def units(value: float) -> int:
    return round(value * MONEY_SCALE)


@examples
@given(drawn=histories, window=windows)
def test_what_came_went_and_stayed_makes_now_of_then(
    engine: Engine, drawn: list[Line], window: int
) -> None:
    book = book_with(drawn, engine, window)

    assert_closes_over_a_year(book)
    assert_stages_add_up(book)
    assert_closes_every_month(book)


def assert_closes_over_a_year(book: Book) -> None:
    rows = {r["part"]: r for r in flow(book).rows.to_pylist()}
    now = rows.pop("now")

    assert sum(r["customers_change"] for r in rows.values()) == now["customers_change"]
    assert sum(units(r["value_change"]) for r in rows.values()) == units(now["value_change"])
    assert now["customers"] == book.now.is_active.sum()
    assert units(now["value_change"]) == book.now.money("revenue")[book.now.is_active].sum()


def assert_stages_add_up(book: Book) -> None:
    ways, stages = transitions(book).rows.to_pylist(), lifecycle(book).rows.to_pylist()

    for stage in stages:
        there = [w for w in ways if w["stage"] == stage["stage"]]
        began = [w for w in ways if w["stage_then"] == stage["stage"]]
        assert sum(w["customers"] for w in there) == stage["customers"]
        assert sum(units(w["revenue"]) for w in there) == units(stage["revenue"])
        assert sum(w["customers"] for w in began) == stage["customers_then"]
        assert sum(units(w["revenue_then"]) for w in began) == units(stage["revenue_then"])


def assert_closes_every_month(book: Book) -> None:
    months = monthly_flow(book).rows.to_pylist()

    assert len(months) == 24
    for month, after_it in itertools.pairwise(months):
        assert month["active_end"] == after_it["active_start"]
        assert month["value_end"] == after_it["value_start"]
    for m in months:
        came = m["recruited"] + m["reactivated"]
        assert m["active_start"] + came - m["lost"] == m["active_end"]
        brought = units(m["value_recruited"]) + units(m["value_reactivated"])
        moved = brought - units(m["value_lost"]) + units(m["value_stayers"])
        assert units(m["value_start"]) + moved == units(m["value_end"])
    assert months[-1]["active_end"] == book.now.is_active.sum()
    active = book.now.money("revenue")[book.now.is_active]
    assert units(months[-1]["value_end"]) == active.sum()


@few_examples
@given(drawn=histories, window=windows)
def test_a_projection_lies_within_its_interval_and_stages_add_up(
    engine: Engine, drawn: list[Line], window: int
) -> None:
    figure, check = projections(book_with(drawn, engine, window))
    rows = figure.rows.to_pylist()

    for row in rows:
        assert row["low"] <= row["expected"] <= row["high"]
    for day in {r["day"] for r in rows}:
        on = {r["measure"]: r["expected"] for r in rows if r["day"] == day}
        parts = [on[stage] for stage in ("new", "developing", "mature")]
        assert sum(parts) == pytest.approx(on["active"])
    assert all(0 <= r["coverage"] <= 1 for r in check.rows.to_pylist())


@examples
@given(drawn=histories, window=windows)
def test_each_month_is_as_counted_day_by_day(
    engine: Engine, drawn: list[Line], window: int
) -> None:
    book = book_with(drawn, engine, window)
    known = [
        line
        for line in [Line("long ago", after(0), 10.0), *drawn]
        if (line.known_day if "known_day" in book.inputs.columns else line.day) <= day_of(AS_OF)
    ]
    bought, net = defaultdict(set), defaultdict(int)
    for line in known:
        net[line.customer, line.day] += line.units
        if line.units >= 0:
            bought[line.customer].add(line.day)

    def is_active(customer: str, day: int) -> bool:
        return any(day - window < on <= day for on in bought.get(customer, ()))

    def value(day: int) -> int:
        return sum(
            amount
            for (customer, on), amount in net.items()
            if day - 365 < on <= day and is_active(customer, day)
        )

    for month in monthly_flow(book).rows.to_pylist()[::5]:
        last = day_of(month["last_day"])
        first = day_of(month["last_day"].replace(day=1))
        days = range(first, last + 1)
        firsts = [min(days_of) for days_of in bought.values()]
        became = [
            (is_active(who, day) - is_active(who, day - 1), min(bought[who]) == day)
            for who in bought
            for day in days
        ]
        assert month["recruited"] == sum(first <= day <= last for day in firsts)
        assert month["reactivated"] == sum(turn == 1 and not new for turn, new in became)
        assert month["lost"] == sum(turn == -1 for turn, _ in became)
        assert month["active_end"] == sum(is_active(who, last) for who in bought)
        assert units(month["value_end"]) == value(last)
        assert month["last_day"] == AS_OF or (month["last_day"] + timedelta(days=1)).day == 1
