"""What must hold of shrunk results, whatever the counts."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml.portfolio.representatives.shrinkage import chance_of_difference, means, rates

pytestmark = pytest.mark.property

counts = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 3)), min_size=1, max_size=12
)
measured = st.lists(
    st.tuples(st.floats(-50, 50) | st.just(np.nan), st.floats(0.1, 20), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@shown(60)
@given(counts)
@example([(0, 0, 0), (5, 0, 1)])
@example([(0, 0, 0), (0, 60, 1)])
def test_a_rate_is_a_share_within_its_interval(cells):
    won, lost, peers = map(np.array, zip(*cells, strict=True))
    found = rates(won, won + lost, peers=peers)

    assert np.all((found.low >= 0) & (found.high <= 1))
    assert np.all((found.low < found.high) & (found.mean > 0) & (found.mean < 1))
    assert np.all((found.weight >= 0) & (found.weight <= 1))


@shown(60)
@given(counts)
def test_the_order_of_groups_and_the_names_of_their_peers_do_not_matter(cells):
    won, lost, peers = map(np.array, zip(*cells, strict=True))
    found = rates(won, won + lost, peers=peers)
    turned = rates(won[::-1], (won + lost)[::-1], peers=7 - 2 * peers[::-1])

    assert turned.mean[::-1] == pytest.approx(found.mean)
    assert turned.sd[::-1] == pytest.approx(found.sd)


@shown(60)
@given(counts)
def test_successes_and_failures_are_two_sides_of_one_coin(cells):
    won, lost, _ = map(np.array, zip(*cells, strict=True))

    kept, gone = rates(won, won + lost), rates(lost, won + lost)
    assert kept.mean + gone.mean == pytest.approx(np.ones(won.size))


@shown(60)
@given(st.integers(0, 30), st.integers(1, 30), st.integers(1, 40))
def test_of_two_groups_with_one_result_the_larger_is_drawn_less(won, lost, times):
    found = rates([won, won * times, 5], [won + lost, (won + lost) * times, 40])

    assert found.weight[1] >= found.weight[0] - 1e-9


@shown(60)
@given(measured)
def test_a_mean_lies_between_its_value_and_its_peers(cells):
    values, errors, peers = map(np.array, zip(*cells, strict=True))
    found = means(values, errors, peers=peers)
    for number in np.unique(peers):
        among = peers == number
        known = values[among & ~np.isnan(values)]
        if known.size:
            slack = 1e-6 * (1 + np.abs(known).max())
            assert np.all(found.mean[among] >= known.min() - slack)
            assert np.all(found.mean[among] <= known.max() + slack)
            assert np.all(found.sd[among] > 0)
        else:
            assert np.all(np.isnan(found.mean[among]))


@shown(60)
@given(measured, st.floats(-100, 100))
def test_means_move_with_their_values(cells, shift):
    values, errors, peers = map(np.array, zip(*cells, strict=True))

    moved = means(values + shift, errors, peers=peers)
    assert moved.mean == pytest.approx(
        means(values, errors, peers=peers).mean + shift, abs=1e-6, nan_ok=True
    )


@shown(60)
@given(counts)
def test_the_chance_of_a_difference_is_one(cells):
    won, lost, peers = map(np.array, zip(*cells, strict=True))

    assert 0 < chance_of_difference(won, won + lost, peers=peers) <= 1
