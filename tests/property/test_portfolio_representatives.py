"""What must hold of representatives and their matches, whatever the portfolio."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.books import frozen_with
from tests.examples import shown

from portfolio_ml.config import Portfolio
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.representatives.matches import matches, workloads
from portfolio_ml.portfolio.representatives.matching import matching
from portfolio_ml.portfolio.representatives.representatives import (
    representatives,
    representatives_by_section,
)
from portfolio_ml.portfolio.representatives.track_records import NOBODY
from portfolio_ml.portfolio.stock import Stock
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.property

AS_OF = date(2024, 6, 30)


def stock(rng: np.random.Generator, count: int, people: int, as_of: date) -> Stock:
    """Customers with anything that representatives' figures read."""
    money = rng.integers(-2_000_000, 90_000_000, count)
    names = [f"r{n}" for n in range(people)] + [None]
    return Stock(
        as_of,
        pa.table(
            {
                "customer": np.arange(count),
                "customer_id": pa.array([f"c{n:03d}" for n in range(count)]),
                "representative_id": pa.array(rng.choice(names, count), pa.string()),
                "segment": pa.array(rng.choice(["shop", "web", None], count), pa.string()),
                "revenue": money,
                "orders_365d": rng.integers(0, 5, count),
                "is_active": rng.random(count) < 0.6,
            }
        ),
        frozenset({"representative_id", "segment"}),
    )


@st.composite
def portfolios(draw):
    """A book without lines, and deals or none."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    count, people = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    then = stock(rng, draw(st.integers(0, count)), people, date(2023, 7, 1))
    workload = draw(st.none() | st.integers(1, 20))
    book = Book(
        now=stock(rng, count, people, AS_OF),
        then=then if draw(st.booleans()) else None,
        inputs=None,  # type: ignore[arg-type] # nothing of it is read
        frozen=frozen_with(),
        settings=Portfolio.model_validate({"representatives": {"workload": workload}}),
    )
    if draw(st.booleans()):
        return book, None
    size = draw(st.integers(0, 120))
    opened = to_day(AS_OF) - rng.integers(0, 700, size)
    deals = pa.table(
        {
            "representative_id": pa.array(rng.choice(["r0", "r1", "r9", None], size), pa.string()),
            "is_won": pa.array(rng.random(size) < 0.4, mask=rng.random(size) < 0.2),
            "opened_day": pa.array(opened, pa.int32(), mask=rng.random(size) < 0.1),
            "closed_day": pa.array(opened + 5, pa.int32(), mask=rng.random(size) < 0.3),
            "customer_id": pa.array(rng.choice(["c000", "c001", "x", None], size), pa.string()),
            "amount": pa.array(
                rng.integers(0, 10**9, size), pa.int64(), mask=rng.random(size) < 0.2
            ),
        }
    )
    return book, deals


@shown(15)
@given(portfolios())
def test_sections_add_up_to_representatives_and_they_to_the_portfolio(portfolio):
    book, deals = portfolio
    whole = representatives(book, deals).rows.to_pandas()
    parts = representatives_by_section(book, deals).rows.to_pandas()

    names = ["customers", "active", "orders", "active_then", "decided", "won"]
    assert whole["customers"].sum() == book.now.count
    assert whole["revenue"].sum() == pytest.approx(book.now.money("revenue").sum() / 10_000)
    for name in [*names, "revenue"]:
        by_parts = parts.groupby("representative_id")[name].sum()
        expected = whole.set_index("representative_id")[name]
        assert by_parts.reindex(expected.index).to_numpy(float) == pytest.approx(
            expected.to_numpy(float)
        )


@shown(15)
@given(portfolios())
def test_a_shrunk_rate_lies_in_its_interval_and_nobody_is_judged(portfolio):
    for figure in (representatives(*portfolio), representatives_by_section(*portfolio)):
        for row in figure.rows.to_pylist():
            for name in ("retention", "win_rate", "ticket"):
                low, mean, high = (row[f"{name}_{part}"] for part in ("low", "shrunk", "high"))
                assert (low is None) == (mean is None) == (high is None)
                assert mean is None or low < high
            if row["representative_id"] == NOBODY:
                assert row["rank"] is None
                assert row["win_rate"] is None


@shown(15)
@given(portfolios())
def test_everyone_is_looked_after_within_the_limit_and_only_for_the_better(portfolio):
    book, deals = portfolio
    found = matching(book, deals)
    rows, load = matches(book, found), workloads(book, found)
    if rows.absent:
        assert rows.rows.num_rows == 0
        return

    people = load.rows.to_pandas()
    told = rows.rows.to_pandas()
    assert people["assigned"].sum() == book.now.count == len(told)
    assert (people["assigned"] <= people["most"]).all()
    assert (people["customers"] + people["received"] - people["given"]).tolist() == people[
        "assigned"
    ].tolist()
    held = told["representative_id"].notna()
    full = set(people.loc[people["customers"] > people["most"], "representative_id"])
    free = told[held & ~told["representative_id"].isin(full)]
    assert (free["assigned_gain"] >= 0).all()
    assert (told.loc[told["is_recommended"], "p_better"] >= 0.8).all()
    assert (told["gain_low"] <= told["expected_gain"] + 0.01).all()
    assert people["gain"].sum() == pytest.approx(told["assigned_gain"].sum(), abs=0.05)
