"""Who looks after whom: limits hold, and no assignment gains more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from tests.examples import shown

from portfolio_ml.portfolio.representatives import assignment
from portfolio_ml.portfolio.representatives.assignment import assigned

pytestmark = pytest.mark.property


def problem(seed: int, customers: int, people: int, cells: int):
    """Customers with present representatives: staying gains nothing, and is always possible."""
    rng = np.random.default_rng(seed)
    rate = rng.normal(0, 1, (cells, people))
    rate[rng.random(rate.shape) < 0.3] = -np.inf
    own = rng.integers(0, people, cells)
    rate[np.arange(cells), own] = 0.0
    cell = rng.integers(0, cells, customers)
    stake = np.round(np.exp(rng.normal(3, 2, customers)), 2)
    stake[rng.random(customers) < 0.2] = 0.0
    limit = np.full(people, np.bincount(own[cell], minlength=people).max())
    return stake, cell, rate, limit


def gain_of(found, stake, cell, rate):
    return float(np.sum(stake * rate[cell, found]))


@shown(60)
@given(st.integers(0, 10_000), st.integers(1, 25), st.integers(1, 5), st.integers(1, 6))
def test_no_other_assignment_within_the_limits_gains_more(seed, customers, people, cells):
    stake, cell, rate, limit = problem(seed, customers, people, cells)
    found = assigned(stake, cell, rate, limit=limit)

    assert np.all(np.bincount(found, minlength=people) <= limit)
    assert not np.isneginf(rate[cell, found]).any()
    slots = np.repeat(np.arange(people), limit)
    gain = np.where(np.isneginf(rate), -1e9, rate)[cell] * np.maximum(stake, 1e-9)[:, None]
    gain[np.isneginf(rate)[cell]] = -1e12
    row, column = linear_sum_assignment(gain[:, slots], maximize=True)
    best = np.empty(customers, np.int64)
    best[row] = slots[column]
    assert gain_of(found, stake, cell, rate) == pytest.approx(
        gain_of(best, stake, cell, rate), rel=1e-6, abs=1e-4
    )


@shown(60)
@given(st.integers(0, 10_000), st.integers(100, 400))
def test_many_customers_keep_the_limits_too(seed, customers):
    stake, cell, rate, limit = problem(seed, customers, 5, 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "LARGEST_EXACT", 100)
        found = assigned(stake, cell, rate, limit=limit)

    assert np.all(np.bincount(found, minlength=5) <= limit)
    assert not np.isneginf(rate[cell, found]).any()


def test_parted_by_value_the_gain_comes_within_two_per_cent_of_the_largest():
    shares = []
    for seed in range(4):
        stake, cell, rate, limit = problem(seed, 1500, 6, 12)
        exact = gain_of(assigned(stake, cell, rate, limit=limit), stake, cell, rate)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(assignment, "LARGEST_EXACT", 100)
            parted = gain_of(assigned(stake, cell, rate, limit=limit), stake, cell, rate)
        shares.append(parted / exact)

    assert min(shares) > 0.98
