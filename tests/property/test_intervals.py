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
