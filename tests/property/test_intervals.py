"""What holds for all intervals, whatever they were fitted on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml.models.intervals import Intervals, fit_intervals

pytestmark = pytest.mark.property

few_examples = shown(60)


@st.composite
def outcomes(draw):
    """Predictions with ties and zeros, outcomes with returns, net spend and its tiers."""
    rows = draw(st.integers(0, 40))
    repeats = draw(st.sampled_from([1, 5]))
    column = {"min_size": rows, "max_size": rows}
    predicted = draw(st.lists(st.integers(0, 30), **column))
    actual = draw(st.lists(st.integers(-50, 200), **column))
    net_spend = draw(st.lists(st.integers(-20, 100), **column))
    edges = draw(st.lists(st.integers(-20, 100), max_size=3))
    columns = [np.repeat(np.array(c, float), repeats) for c in (predicted, actual, net_spend)]
    return columns, tuple(map(float, sorted(edges)))


@few_examples
@given(outcomes(), st.sampled_from([0.55, 0.8, 0.99]))
def test_an_interval_contains_the_prediction(rows, coverage):
    (predicted, actual, net_spend), edges = rows
    fitted = fit_intervals(predicted, actual, net_spend, tier_edges=edges, coverage=coverage)
    asked, spent = np.meshgrid(np.linspace(0, 50, 21), np.linspace(-40, 120, 9))
    low, high = fitted.around(asked.ravel(), spent.ravel())
    assert (low <= asked.ravel()).all()
    assert (asked.ravel() <= high).all()
    assert np.isfinite([low, high]).all()


@few_examples
@given(outcomes())
def test_more_coverage_is_nowhere_narrower(rows):
    (predicted, actual, net_spend), edges = rows
    narrow, wide = (
        fit_intervals(predicted, actual, net_spend, tier_edges=edges, coverage=c)
        for c in (0.6, 0.9)
    )
    for (low, high), (lower, higher) in zip(
        *(([*zip(i.low, i.high, strict=True)]) for i in (narrow, wide)), strict=True
    ):
        assert all(b <= a for a, b in zip(low, lower, strict=True))
        assert all(b >= a for a, b in zip(high, higher, strict=True))


@few_examples
@given(outcomes(), st.sampled_from([0.25, 4.0, 1024.0]))
def test_the_currency_unit_does_not_matter(rows, unit):
    (predicted, actual, net_spend), edges = rows
    fitted = fit_intervals(predicted, actual, net_spend, tier_edges=edges, coverage=0.8)
    scaled = fit_intervals(
        *(unit * column for column in (predicted, actual, net_spend)),
        tier_edges=tuple(unit * edge for edge in edges),
        coverage=0.8,
    )
    low, high = fitted.around(predicted, net_spend)
    scaled_low, scaled_high = scaled.around(unit * predicted, unit * net_spend)
    assert scaled_low == pytest.approx(unit * low)
    assert scaled_high == pytest.approx(unit * high)


@few_examples
@given(outcomes())
def test_intervals_survive_json(rows):
    (predicted, actual, net_spend), edges = rows
    fitted = fit_intervals(predicted, actual, net_spend, tier_edges=edges, coverage=0.8)
    assert Intervals.from_dict(fitted.to_dict()) == fitted


amounts = st.sampled_from([0.0, 1e-12, 1e-8, 0.01, 1.0, 50.0, 1e9])


@few_examples
@given(
    st.lists(st.tuples(amounts, st.one_of(amounts, st.just(-1e9))), max_size=8),
    st.sampled_from([(), (0.0,), (0.0, 1e9)]),
)
def test_extreme_amounts_give_finite_intervals(rows, edges):
    predicted, actual = np.array(rows, float).reshape(-1, 2).T
    fitted = fit_intervals(predicted, actual, predicted, tier_edges=edges, coverage=0.8)
    asked = np.array([0.0, 1e-12, 1.0, 1e9])
    low, high = fitted.around(asked, asked)
    assert np.isfinite([low, high]).all()
    assert ((low <= asked) & (asked <= high)).all()
    assert (low[0], high[0]) == (0, 0)


@few_examples
@given(st.integers(1, 400), st.integers(0, 9), st.sampled_from([0.5, 0.8, 0.95]), st.floats(0, 0.9))
def test_either_tail_of_the_learnt_rows_is_at_most_its_half(rows, seed, coverage, silent):
    """Whatever their number: few rows can only be covered more often than asked."""
    rng = np.random.default_rng(seed)
    predicted = rng.gamma(0.5, 20, rows) + 0.01
    actual = predicted * rng.lognormal(0, 1, rows) * (rng.random(rows) >= silent)
    fitted = fit_intervals(predicted, actual, predicted, tier_edges=(), coverage=coverage)
    low, high = fitted.around(predicted, predicted)
    tail = (1 - coverage) / 2 + 1e-9
    assert (actual > high * (1 + 1e-9)).mean() <= tail
    assert (actual < low * (1 - 1e-9)).mean() <= tail
