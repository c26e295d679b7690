"""What figures share: a computation that is done once, and a sample of the customers."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from tests.books import frozen_with, small_book
from tests.histories import after, bought

from portfolio_ml.engine import opened
from portfolio_ml.portfolio import samples
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.keeping.pre_churn import pre_churn
from portfolio_ml.portfolio.selling.first_purchases import FirstPurchases
from portfolio_ml.portfolio.selling.reordering import reordering

pytestmark = pytest.mark.unit

LINES = [
    line
    for n in range(12)
    for line in bought(f"c{n:02}", *range(400 + n, 700, 20 + n), amount=100.0)
]


@pytest.fixture(scope="module")
def book() -> Iterator[Book]:
    with opened() as engine:
        yield small_book(LINES, engine, as_of=after(700), frozen=frozen_with(activity_days=60))


def test_what_figures_share_is_computed_once(book: Book) -> None:
    asked: list[Book] = []

    def counted(of: Book) -> int:
        asked.append(of)
        return of.now.count

    assert [book.once(counted), book.once(counted)] == [12, 12]
    assert len(asked) == 1


def test_a_book_made_from_another_begins_anew(book: Book) -> None:
    def days(of: Book) -> int:
        return of.settings.compare_days

    other = replace(book, settings=book.settings.model_copy(update={"compare_days": 30}))

    assert [book.once(days), other.once(days)] == [365, 30]


def test_signs_and_reorders_are_learnt_from_the_sample_which_is_told(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "LEARNT_FROM", 5)
    some = replace(book)
    listed, quality = pre_churn(some)
    learnt = reordering(some)
    of_all = reordering(replace(book))

    told = "learnt from 5 customers, drawn with a fixed seed"
    assert told in quality.notes
    assert told in learnt.notes
    assert {*np.concatenate([look.customer for look in learnt.looks])} <= {
        *some.once(samples.sample).numbers
    }
    assert learnt.now.customer.tolist() == of_all.now.customer.tolist()
    monkeypatch.undo()
    assert listed.rows.num_rows == pre_churn(replace(book))[0].rows.num_rows


def test_first_purchases_of_some_customers_keep_the_categories_of_all() -> None:
    days = np.array([[1, 2], [3, 4], [5, 6]], np.int32)
    some = FirstPurchases(("a", "b"), np.array([2, 5, 9]), days, left_out=1).of(np.array([9, 2, 7]))

    assert some.customers.tolist() == [2, 9]
    assert some.days.tolist() == [[1, 2], [5, 6]]
    assert (some.categories, some.left_out) == (("a", "b"), 1)
