"""Members beside non-members like them, worked out by hand."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.books import frozen_with, points_of, small_book
from tests.histories import after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.loyalty.members import compared, members

# Day 400 is today and day 35 a year ago. Then all were new; ann, bob and cid had spent 100, and so
# had dan, eve and fay; gil and hal had spent 10, and are of another tier.
LINES = [
    *bought("ann", 10, amount=100.0),
    *bought("ann", 200, 390, amount=50.0),
    *bought("bob", 10, amount=100.0),
    *bought("bob", 395, amount=20.0),
    *bought("cid", 10, amount=100.0),
    *bought("dan", 10, amount=100.0),
    *bought("dan", 399, amount=30.0),
    *bought("eve", 10, amount=100.0),
    *bought("fay", 10, amount=100.0),
    *bought("gil", 10, amount=10.0),
    *bought("hal", 300, amount=10.0),
]
ENTRIES = [
    ("ann", 10, 1.0, None, None),
    ("bob", 35, 1.0, None, None),
    ("cid", 36, 1.0, None, None),  # who joined since
    ("gil", 20, 1.0, None, None),  # unlike whom there is no non-member
    ("dan", 401, 1.0, None, None),  # who is no member yet
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


def book_of(engine: Engine, **settings: Any) -> Book:
    frozen = frozen_with(activity_days=60, tier_edges=(50.0,))
    return small_book(LINES, engine, as_of=after(400), frozen=frozen, settings=settings)


def test_members_are_compared_with_customers_who_stood_as_they_did(engine: Engine) -> None:
    figure = members(book_of(engine), points_of(engine, ENTRIES))

    revenue, retention = figure.rows.to_pylist()
    assert (revenue["measure"], retention["measure"]) == ("revenue", "retention")
    assert (revenue["members"], revenue["non_members"]) == (2, 3)
    assert (revenue["member_mean"], revenue["non_member_mean"]) == (60.0, 10.0)
    assert revenue["difference"] == 50.0
    assert revenue["difference_low"] < 50 < revenue["difference_high"]
    # The variances are 40 * 40 and 200.
    assert revenue["standardised"] == pytest.approx(50 / 900**0.5)
    assert (retention["member_mean"], retention["non_member_mean"]) == (1, pytest.approx(1 / 3))
    assert any("not a cause" in note for note in figure.notes)
    assert "1 member left out: there is no non-member like them" in figure.notes
    assert "a small comparison: there are only 2 on one of its sides" in figure.notes


def test_without_a_table_or_a_year_there_is_no_comparison(engine: Engine) -> None:
    points = points_of(engine, ENTRIES)

    assert "data.points" in members(book_of(engine)).absent
    assert "everybody" in members(book_of(engine, loyalty={"points_per_unit": 1})).absent
    assert "earlier date" in members(book_of(engine, compare_days=500), points).absent
    alone = points_of(engine, ENTRIES[3:4])
    assert "no member has a non-member" in members(book_of(engine), alone).absent


def test_the_comparison_is_that_of_plain_group_means() -> None:
    rng = np.random.default_rng(11)
    alike, is_member = rng.integers(0, 6, 3000), rng.random(3000) < 0.3
    outcome = rng.gamma(2.0, 10.0, 3000) + 5.0 * alike + 3.0 * is_member
    rows = pd.DataFrame({"alike": alike, "member": is_member, "y": outcome})

    found, drawn = compared(outcome, is_member, alike)

    means = rows.pivot_table(index="alike", columns="member", values="y")
    weight = rows[rows["member"]].groupby("alike").size()
    difference = ((means[True] - means[False]) * weight).sum() / weight.sum()
    assert found.difference[0] == pytest.approx(difference)
    # Within groups the outcome varies by 200, whatever groups differ by.
    error = (200 / is_member.sum() + 200 / (~is_member).sum()) ** 0.5
    assert drawn.difference.std() == pytest.approx(error, rel=0.2)
    assert drawn.difference.mean() == pytest.approx(difference, abs=error)
