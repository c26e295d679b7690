"""Potential gaps and how many closed theirs, worked out by hand."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.books import frozen_with, small_book
from tests.histories import after, bought

from portfolio_ml.engine import Engine, opened
from portfolio_ml.portfolio.keeping.potential import _compared, potential

# Day 1000 is the as-of date. Who bought on day 0 has been there for over two years.


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


def test_a_gap_is_what_is_missing_to_the_upper_quartile_of_the_peers(engine: Engine) -> None:
    north = [f"n{i:02}" for i in range(1, 22)]
    lines = [line for name in [*north, "s01", "s02"] for line in bought(name, 0, amount=1.0)]
    for i, name in enumerate(north, start=1):
        lines += bought(name, 990, amount=10.0 * i)
    lines += bought("s01", 990, amount=15.0) + bought("s02", 990, amount=500.0)
    lines += bought("newcomer", 950, 990, amount=20.0)
    lines += bought("gone", 0, 900, amount=1.0)
    customers = [{"customer_id": name, "region": "North"} for name in north]
    customers += [{"customer_id": name, "region": "South"} for name in ("s01", "s02", "gone")]
    book = small_book(
        lines,
        engine,
        as_of=after(1000),
        frozen=frozen_with(activity_days=60),
        customers=customers,
    )

    gaps, reach = potential(book)
    rows = {row["customer_id"]: row for row in gaps.rows.to_pylist()}

    # Of 10, 20 ... 210 the 16th is the upper quartile, and the 19th the upper decile.
    assert rows["n01"]["peer_group"] == "region North, tenure over 2 years"
    assert (rows["n01"]["peers"], rows["n01"]["widened"]) == (21, "no")
    assert (rows["n01"]["peer_p75"], rows["n01"]["peer_p90"]) == (160.0, 190.0)
    assert (rows["n01"]["potential_gap"], rows["n01"]["potential_gap_p90"]) == (150.0, 180.0)
    assert rows["n03"]["place"] == pytest.approx(2 / 21)
    assert "n16" not in rows
    # Two customers in the South are no peers: all 23 of over two years are.
    assert (rows["s01"]["peers"], rows["s01"]["widened"]) == (23, "tenure")
    assert rows["s01"]["peer_p75"] == 165.0  # between 160 and 170
    # And one newcomer has nobody but all 24.
    assert rows["newcomer"]["peer_group"] == "all active customers"
    assert (rows["newcomer"]["peers"], rows["newcomer"]["widened"]) == (24, "all")
    assert "gone" not in rows
    # A year ago nobody was active: no gap tells what comes of it, so the largest come first.
    assert reach.absent
    assert [row["expected_gain"] for row in rows.values()] == [None] * len(rows)
    assert next(iter(rows)) == "s01" or rows["n15"]["revenue"] == 150.0
    assert "3 active customers had fewer than 20 peers, who were widened" in gaps.notes


def test_the_past_tells_how_many_reach_that_level(engine: Engine) -> None:
    lines = []
    for i in range(1, 121):
        name = f"c{i:03}"
        lines += bought(name, 0, amount=5.0) + bought(name, 600, amount=float(i))
        lines += bought(name, 990, amount=1000.0 if i <= 10 else float(i))
    book = small_book(lines, engine, as_of=after(1000), frozen=frozen_with(activity_days=60))

    gaps, reach = potential(book)

    # A year before, the upper quartile of 1 ... 120 was 90.25; ten of the lowest thirty passed it.
    rows = reach.rows.to_pylist()
    assert [(r["customers"], r["reached"]) for r in rows] == [(30, 10), (30, 0), (30, 0)]
    assert [r["active_now"] for r in rows] == [30, 30, 30]
    assert [r["revenue_change"] for r in rows] == [0.0, 0.0, 0.0]
    assert rows[0]["reached_low"] < 1 / 3 < rows[0]["reached_high"]
    # Now it is 100.25, and the poorest has 11: nobody spends less.
    first = gaps.rows.to_pylist()[0]
    assert (first["customer_id"], first["peer_p75"], first["potential_gap"]) == (
        "c011",
        100.25,
        89.25,
    )
    assert first["reached_share"] == pytest.approx(1 / 3)
    assert first["expected_gain"] == pytest.approx(89.25 / 3)
    assert "of it come" in gaps.notes[1]


def test_an_empty_portfolio_has_no_gaps(engine: Engine) -> None:
    book = small_book(bought("gone", 0), engine, as_of=after(500))

    gaps, reach = potential(book)

    assert gaps.rows.num_rows == 0
    assert not gaps.absent
    assert reach.absent


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(-5, 30)), min_size=1, max_size=40))
def test_peers_are_compared_as_numpy_would(customers: list[tuple[str, int]]) -> None:
    group = np.array([name for name, _ in customers], object)
    revenue = np.array([value for _, value in customers], np.float64)

    count, place, p75, p90 = _compared(revenue, group)

    for n, (name, value) in enumerate(customers):
        peers = revenue[group == name]
        assert count[n] == peers.size
        assert place[n] == np.mean(peers < value)
        assert p75[n] == pytest.approx(np.quantile(peers, 0.75))
        assert p90[n] == pytest.approx(np.quantile(peers, 0.9))
