"""Totals agree: whatever parts a portfolio, its parts add up to it, in customers and in money."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, assume, given
from tests.examples import shown
from tests.odd_books import Odd, odd_book, odd_portfolios

from portfolio_ml.config import Portfolio
from portfolio_ml.engine import Engine
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.concentration import concentration, core_customers
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.flow.flow import flow
from portfolio_ml.portfolio.flow.lifecycle import lifecycle, transitions
from portfolio_ml.portfolio.flow.monthly_flow import monthly_flow
from portfolio_ml.portfolio.keeping.leaving import leaving
from portfolio_ml.portfolio.representatives.matches import matches, workloads
from portfolio_ml.portfolio.representatives.matching import matching
from portfolio_ml.portfolio.representatives.representatives import (
    representatives,
    representatives_by_section,
)
from portfolio_ml.portfolio.sections import sections
from portfolio_ml.schema import MONEY_SCALE

pytestmark = pytest.mark.property

examples = shown(4, HealthCheck.too_slow)

Row = Mapping[str, Any]


def rows(figure: Figure) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = figure.rows.to_pylist()
    return listed


def total(of: Iterable[Row], name: str) -> float:
    return sum(row[name] or 0 for row in of)


def money(units: Any) -> Any:
    """An amount that is told to the cent, or as a float sums it."""
    return pytest.approx(int(units) / MONEY_SCALE, rel=1e-12, abs=1e-4)


def parted(of: Iterable[Row], name: str) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in of:
        found[row[name]].append(row)
    return found


@examples
@given(odd=odd_portfolios())
def test_parts_add_up_to_the_portfolio(engine: Engine, odd: Odd) -> None:
    book = odd_book(odd, engine)
    assume(book is not None)
    assert book is not None

    for holds in HOLDS:
        holds(book)


def sections_add_up(book: Book) -> None:
    """Over every dimension there is, and over some of them crossed."""
    texts = [n for n in sorted(book.now.attributes) if n not in ("income", "service_cost")]
    alone = ["value_tier", "lifecycle_stage", *texts]
    alone += ["segment_name"] if book.has_scores else []
    crossed = [*itertools.pairwise(alone), (*alone, "is_active")]
    asked = Portfolio.model_validate({"sections": [*alone, *map(list, crossed), alone[0]]})
    found = parted(rows(sections(replace(book, settings=asked))), "dimension")

    assert [*found] == [*alone, *map(" x ".join, crossed)]
    for of in found.values():
        assert len({row["section"] for row in of}) == len(of)
        assert total(of, "customers") == book.now.count
        assert total(of, "active") == book.now.is_active.sum()
        assert total(of, "revenue") == money(book.now.money("revenue").sum())
        assert total(of, "orders") == book.now.money("orders_365d").sum()
        if book.now.has("margin"):
            assert total(of, "margin") == money(book.now.money("margin").sum())
        if book.has_scores:
            at_risk = np.nansum(book.now.column("value_at_risk"))
            assert total(of, "value_at_risk") == pytest.approx(at_risk)
        shares = [row["revenue_share"] for row in of]
        assert None in shares or sum(shares) == pytest.approx(1, abs=1e-9 * sum(map(abs, shares)))


def what_came_and_went_makes_now_of_then(book: Book) -> None:
    found = rows(flow(book))
    if book.then is None:
        assert found == []
        return
    by_part = {row["part"]: row for row in found}
    parts = [by_part[n] for n in ("then", "recruited", "reactivated", "lost", "stayers")]
    now = by_part["now"]

    assert total(parts, "customers_change") == now["customers_change"] == book.now.is_active.sum()
    active = book.now.money("revenue")[book.now.is_active].sum()
    assert now["value_change"] == money(active)
    assert sum(map(_units, parts, ["value_change"] * 5)) == active


def _units(row: Row, name: str) -> int:
    return round(row[name] * MONEY_SCALE)


def every_month_closes(book: Book) -> None:
    months = rows(monthly_flow(book))
    for month, next_one in itertools.pairwise(months):
        assert month["active_end"] == next_one["active_start"]
        assert month["value_end"] == next_one["value_start"]
    for m in months:
        came, value = m["recruited"] + m["reactivated"], ("value_recruited", "value_reactivated")
        assert m["active_start"] + came - m["lost"] == m["active_end"]
        brought = sum(_units(m, name) for name in (*value, "value_stayers", "value_start"))
        assert brought - _units(m, "value_lost") == _units(m, "value_end")
    if months:
        assert months[-1]["active_end"] == book.now.is_active.sum()


def stages_add_up(book: Book) -> None:
    stages, ways = rows(lifecycle(book)), rows(transitions(book))
    assert total(stages, "customers") == book.now.count
    assert total(stages, "revenue") == money(book.now.money("revenue").sum())
    if book.then is not None:
        assert total(stages, "customers_then") == book.then.count
        assert total(ways, "customers") == book.now.count
        assert total(ways, "revenue") == money(book.now.money("revenue").sum())
        assert total(ways, "revenue_then") == money(book.then.money("revenue").sum())
        for of in parted(ways, "stage_then").values():
            assert total(of, "share") == pytest.approx(1)


def representatives_add_up(book: Book) -> None:
    deals = book.deals()
    whole, parts = representatives(book, deals), rows(representatives_by_section(book, deals))
    if whole.absent:
        return
    people = rows(whole)
    assert total(people, "customers") == book.now.count
    assert total(people, "revenue") == money(book.now.money("revenue").sum())
    by_person = parted(parts, "representative_id")
    for person in people if parts else ():
        of = by_person[person["representative_id"]]
        for name in ("customers", "active", "orders", "active_then", "decided", "won"):
            assert total(of, name) == (person[name] or 0), name
        assert total(of, "revenue") == pytest.approx(person["revenue"], rel=1e-12, abs=1e-4)


def everybody_is_looked_after_once(book: Book) -> None:
    found = matching(book, book.deals())
    told, load = matches(book, found), rows(workloads(book, found))
    if told.absent:
        return
    assert len({*told.rows["customer_id"].to_pylist()}) == told.rows.num_rows
    assert total(load, "assigned") == book.now.count
    assert total(load, "received") >= total(load, "given")
    assert total(load, "gain") == pytest.approx(pc.sum(told.rows["assigned_gain"]).as_py() or 0)


def leavers_have_one_reason_each(book: Book) -> None:
    told = leaving(book)
    if not told.absent:
        assert total(rows(told), "likely_for") == (~book.now.is_active).sum()


def the_core_ends_where_its_share_is_reached(book: Book) -> None:
    core, told = rows(core_customers(book)), rows(concentration(book))
    for row in told:
        if row["moment"] == "now":
            assert len(core) == row["core_customers"]
    if core:
        assert total(core, "revenue_share") == pytest.approx(core[-1]["cumulative_share"])


HOLDS: tuple[Callable[[Book], None], ...] = (
    sections_add_up,
    what_came_and_went_makes_now_of_then,
    every_month_closes,
    stages_add_up,
    representatives_add_up,
    everybody_is_looked_after_once,
    leavers_have_one_reason_each,
    the_core_ends_where_its_share_is_reached,
)
