"""Whatever comes after the as-of date, or is recorded after it, changes no figure."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.books import frozen_with, small_book
from tests.histories import Line, after

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.selling.cross_sell_pairs import cross_sell_pairs
from portfolio_ml.portfolio.selling.key_dates import key_dates
from portfolio_ml.portfolio.selling.next_category import next_category
from portfolio_ml.portfolio.selling.next_category_evidence import next_category_evidence
from portfolio_ml.portfolio.selling.reorder_evidence import reorder_evidence
from portfolio_ml.portfolio.selling.reorders import reorders

AS_OF = after(400)
FIGURES: tuple[Callable[[Book], Figure], ...] = (
    cross_sell_pairs, key_dates, next_category, next_category_evidence, reorder_evidence, reorders,
)  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


@st.composite
def lines(draw: st.DrawFn, *, future: bool) -> list[Line]:
    """Some lines by the as-of date, or some that are dated or recorded after it."""
    rows = st.tuples(
        st.sampled_from(["ann", "bob", "cat", "dan"]),
        st.integers(0, 399),
        st.sampled_from(["tea", "cake", "jam"]),
        st.sampled_from([10.0, 25.0, -5.0]),
        st.booleans(),
    )
    found = []
    for who, day, category, amount, is_late in draw(st.lists(rows, min_size=4, max_size=25)):
        since = day if not future or is_late else 401 + day
        known = after(401 + day) if future else after(day)
        found.append(Line(who, after(since), amount, category=category, recorded=known))
    return found


@settings(max_examples=3, deadline=None)
@given(history=lines(future=False), later=lines(future=True))
def test_no_figure_sees_the_future(engine: Engine, history: list[Line], later: list[Line]) -> None:
    base = [Line("ann", after(1), 10.0, category="tea", recorded=after(1)), *history]

    def book(of: list[Line]) -> Book:
        return small_book(of, engine, as_of=AS_OF, frozen=frozen_with(activity_days=200))

    before, afterwards = book(base), book([*base, *later])
    for figure in FIGURES:
        one, other = figure(before), figure(afterwards)
        assert one.rows.to_pylist() == other.rows.to_pylist(), one.name
        assert (one.absent, one.notes) == (other.absent, other.notes)
