"""Intervals around values: by hand on few rows, and near their nominal coverage on many."""

from dataclasses import replace

import numpy as np
import pytest

from portfolio_ml.models.intervals import GROUPS_PER_TIER, SMALLEST_GROUP, Intervals, fit_intervals

pytestmark = pytest.mark.unit

TIERS = (50.0, 200.0)


def drawn(rows, seed):
    """Predictions, outcomes that scatter around them, and past net spend."""
    rng = np.random.default_rng(seed)
    predicted = rng.lognormal(3, 1, rows)
    actual = predicted * rng.gamma(2, 0.5, rows) * (1 + (predicted > 20))
    return predicted, actual, rng.lognormal(4.5, 1, rows)


def fitted(predicted, actual, net_spend, *, tier_edges=TIERS, coverage=0.8):
    columns = (np.asarray(c, float) for c in (predicted, actual, net_spend))
    return fit_intervals(*columns, tier_edges=tier_edges, coverage=coverage)


def around(intervals, predicted, net_spend):
    low, high = intervals.around(np.array(predicted, float), np.array(net_spend, float))
    return low.tolist(), high.tolist()


def test_the_ends_are_the_conformal_quantiles_of_the_ratio():
    # 39 ratios 0.1 ... 3.9: ranks floor(40 x 0.125) = 5 and ceil(40 x 0.875) = 35
    ratios = np.arange(1, 40) / 10
    intervals = fitted(np.full(39, 10), 10 * ratios, np.zeros(39), tier_edges=(), coverage=0.75)
    low, high = around(intervals, [10, 20], [0, 0])
    assert low == pytest.approx([5, 10])
    assert high == pytest.approx([35, 70])


def test_what_few_rows_cannot_bound_ends_at_the_extremes():
    intervals = fitted([10, 10, 10], [0, 10, 30], [0, 0, 0], tier_edges=(), coverage=0.9)
    assert around(intervals, [10], [0]) == ([0], [30])


def test_an_interval_is_widened_to_contain_the_prediction():
    nobody_buys = fitted([10] * 60, [0] * 60, [0] * 60, tier_edges=())
    everybody_buys_twice = fitted([10] * 60, [20] * 60, [0] * 60, tier_edges=())
    assert around(nobody_buys, [10], [0]) == ([0], [10])
    assert around(everybody_buys_twice, [10], [0]) == ([10], [20])


def test_a_tier_has_its_own_interval_and_its_edge_belongs_below():
    predicted, spent = np.full(100, 10.0), np.repeat([50.0, 51.0], 50)
    intervals = fitted(predicted, np.repeat([10.0, 30.0], 50), spent, tier_edges=(50.0,))
    assert around(intervals, [10, 10], [50, 50.01]) == ([10, 10], [10, 30])


def test_a_small_tier_borrows_from_everybody():
    rows = SMALLEST_GROUP
    predicted, spent = np.full(rows + 1, 10.0), np.append(np.zeros(rows), 100.0)
    actual = np.append(np.linspace(0, 20, rows), 1000.0)
    intervals = fitted(predicted, actual, spent, tier_edges=(50.0,))
    assert intervals.high[1] == fitted(predicted, actual, spent, tier_edges=()).high[0]


def test_groups_by_prediction_hold_enough_rows():
    predicted, actual, _ = drawn(3 * SMALLEST_GROUP, seed=1)
    for tier in fitted(predicted, actual, np.zeros(len(predicted)), tier_edges=()).value_edges:
        sizes = np.bincount(np.searchsorted(tier, predicted, side="left"))
        assert sizes.min() >= SMALLEST_GROUP
    many = fitted(*drawn(20_000, seed=1), tier_edges=())
    assert len(many.value_edges[0]) == GROUPS_PER_TIER - 1


def test_tied_predictions_make_one_group():
    intervals = fitted(np.full(400, 7), np.arange(400), np.zeros(400), tier_edges=())
    low, high = around(intervals, [7, 7], [0, 0])
    assert low[0] == low[1]
    assert high[0] == pytest.approx(360, abs=2)


def test_no_rows_give_an_interval_from_nothing_to_the_prediction():
    assert around(fitted([], [], []), [10], [0]) == ([0], [10])


def test_negative_outcomes_reach_below_zero():
    rng = np.random.default_rng(2)
    predicted = np.full(400, 10.0)
    low, high = around(fitted(predicted, rng.normal(0, 40, 400), np.zeros(400)), [10], [0])
    assert low[0] < -40
    assert high[0] > 40


def test_a_prediction_of_nothing_widens_no_other():
    """Its outcome is no multiple of it, however large."""
    predicted, actual = np.repeat([0.0, 10.0], 30), np.repeat([500.0, 12.0], 30)
    low, high = around(fitted(predicted, actual, np.zeros(60), tier_edges=()), [10, 0], [0, 0])
    assert (low, high) == ([10, 0], [12, 0])


@pytest.mark.parametrize("coverage", [0.6, 0.8, 0.95])
def test_coverage_is_near_nominal_on_exchangeable_rows(coverage):
    intervals = fitted(*drawn(8000, seed=3), coverage=coverage)
    predicted, actual, spent = drawn(20_000, seed=4)
    low, high = intervals.around(predicted, spent)
    inside = (low <= actual) & (actual <= high)
    assert inside.mean() == pytest.approx(coverage, abs=0.02)
    for number in range(len(TIERS) + 1):
        tier = np.searchsorted(TIERS, spent, side="left") == number
        assert inside[tier].mean() == pytest.approx(coverage, abs=0.03)


def test_coverage_is_near_nominal_for_small_and_large_predictions_alike():
    intervals = fitted(*drawn(8000, seed=3))
    predicted, actual, spent = drawn(20_000, seed=4)
    low, high = intervals.around(predicted, spent)
    inside = (low <= actual) & (actual <= high)
    for chosen in (predicted < 10, predicted > 40):
        assert inside[chosen].mean() == pytest.approx(0.8, abs=0.04)


def test_intervals_survive_json():
    intervals = fitted(*drawn(1000, seed=5), tier_edges=(-np.inf, 50.0))
    assert Intervals.from_dict(intervals.to_dict()) == intervals
    assert intervals.to_dict()["tier_edges"] == [None, 50.0]


@pytest.mark.parametrize("part", ["tier_edges", "value_edges", "low", "high"])
def test_bounds_that_do_not_match_their_groups_are_refused(part):
    with pytest.raises(ValueError, match="bounds of each of their groups"):
        replace(fitted(*drawn(1000, seed=5)), **{part: getattr(fitted([], [], []), part)[:1]})
