"""What must hold of signs, gaps, reasons, losses and advocates, whatever the history."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from tests.books import frozen_with, small_book
from tests.histories import Line, after, day_of, lines

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.keeping.advocates import advocates
from portfolio_ml.portfolio.keeping.leaving import leaving, leaving_of
from portfolio_ml.portfolio.keeping.potential import potential
from portfolio_ml.portfolio.keeping.pre_churn import pre_churn
from portfolio_ml.portfolio.keeping.release import release
from portfolio_ml.portfolio.keeping.winback import winback

AS_OF = after(1_000)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


def book_of_lines(history: Sequence[Line], engine: Engine) -> Book:
    return small_book(
        history,
        engine,
        as_of=AS_OF,
        frozen=frozen_with(activity_days=300),
        settings={"response": {"uplift": 0.2, "contact_cost": 1.0}},
        scores=[
            {"customer_id": name, "value_if_buys": float(len(name))}
            for name in {line.customer for line in history}
        ],
    )


def all_of(book: Book) -> list[Figure]:
    return [*pre_churn(book), *potential(book), leaving(book), winback(book), release(book),
            advocates(book)]  # fmt: skip


def ids(figure: Figure) -> set[str]:
    return {*figure.rows["customer_id"].to_pylist()}


@settings(max_examples=4, deadline=None)
@given(history=lines(columns=("order_id", "cost")))
def test_what_always_holds(history: list[Line], engine: Engine) -> None:
    book = book_of_lines(history, engine)
    signs, quality, gaps, reach, reasons, lost, losses, friends = all_of(book)
    names = book.now.texts("customer_id")
    active = {name for name, is_so in zip(names, book.now.is_active, strict=True) if is_so}
    inactive = {*names} - active

    assert ids(signs) | ids(gaps) | ids(friends) <= active
    assert ids(lost) <= inactive
    for figure in (signs, gaps, lost, losses, friends):
        assert len(ids(figure)) == figure.rows.num_rows
    assert all(row["sign_count"] >= max(row["proven_signs"], 1) for row in signs.rows.to_pylist())
    assert all(row["result"] < 0 for row in losses.rows.to_pylist())
    assert all(row["winback_value"] > 0 for row in lost.rows.to_pylist())
    for row in gaps.rows.to_pylist():
        assert 0 < row["potential_gap"] <= row["potential_gap_p90"] + 1e-9
        assert row["peers"] >= 20 or row["widened"] == "all"
    for row in quality.rows.to_pylist():
        assert row["churned"] <= row["customers"] <= quality.rows.num_rows + len(names)
    for row in reach.rows.to_pylist():
        assert row["reached_low"] <= (row["reached_share"] or 0.0) <= row["reached_high"]
    assert sum(row["likely_for"] for row in reasons.rows.to_pylist()) == len(inactive)
    codes = leaving_of(book).code
    assert {name for name, code in zip(names, codes, strict=True) if code is not None} == inactive


@settings(max_examples=2, deadline=None)
@given(history=lines(last_day=1_300, columns=("order_id", "known_day")))
def test_nothing_after_the_as_of_date_is_seen(history: list[Line], engine: Engine) -> None:
    until = day_of(AS_OF)
    known = [line for line in history if line.known_day <= until]
    if not known:
        return
    whole = all_of(book_of_lines(history, engine))
    cut = all_of(book_of_lines(known, engine))

    for one, other in zip(whole, cut, strict=True):
        assert one.rows.to_pylist() == other.rows.to_pylist(), one.name
