"""What holds for every calibration, whatever it was fitted on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml.models.calibration import SMALLEST_SLOPE, Calibration, fit_calibration

pytestmark = pytest.mark.property

few_examples = shown(80)
GRID = np.linspace(0.001, 0.999, 200)


@st.composite
def held_out(draw):
    """Predictions, certain ones among them, and any outcomes and weights."""
    rows = draw(st.integers(0, 60))
    column = {"min_size": rows, "max_size": rows}
    probability = np.array(draw(st.lists(st.integers(0, 20), **column)), float) / 20
    outcome = np.array(draw(st.lists(st.booleans(), **column)), bool)
    weight = np.array(draw(st.lists(st.floats(0, 50), **column)), float)
    return probability, outcome, weight


@few_examples
@given(held_out())
def test_the_map_increases_strictly_and_stays_a_probability(rows):
    fitted = fit_calibration(*rows)
    mapped = fitted(GRID)
    assert fitted.slope >= SMALLEST_SLOPE
    assert (np.diff(mapped) > 0).all()
    assert (mapped > 0).all()
    assert (mapped < 1).all()


@few_examples
@given(held_out())
def test_the_order_of_rows_does_not_matter(rows):
    forwards, backwards = fit_calibration(*rows), fit_calibration(*(c[::-1] for c in rows))
    assert forwards.intercept == pytest.approx(backwards.intercept, abs=1e-7)
    assert forwards.slope == pytest.approx(backwards.slope, abs=1e-7)


@few_examples
@given(held_out())
def test_calling_churn_by_its_opposite_mirrors_the_map(rows):
    probability, outcome, weight = rows
    fitted = fit_calibration(probability, outcome, weight)
    mirrored = fit_calibration(1 - probability, ~outcome, weight)
    assert fitted(GRID) == pytest.approx(1 - mirrored(1 - GRID), abs=1e-6)


@given(st.floats(-20, 20), st.floats(0.2, 20))
def test_a_map_survives_json(intercept, slope):
    given_map = Calibration(intercept=intercept, slope=slope)
    assert Calibration.from_dict(given_map.to_dict()) == given_map


@few_examples
@given(held_out(), st.sampled_from([1e-9, 1e6, 1e12]))
def test_no_mass_of_evidence_breaks_the_map(rows, mass):
    """Under any weight a map keeps the order and gives chances; equal only where floats end."""
    probability, outcome, weight = rows
    fitted = fit_calibration(probability, outcome, mass * weight)
    mapped = fitted(np.concatenate([[0.0, 1e-300], GRID, [1 - 1e-16, 1.0]]))
    assert np.isfinite([fitted.intercept, fitted.slope]).all()
    assert (np.diff(mapped) >= 0).all()
    assert ((mapped >= 0) & (mapped <= 1)).all()
    assert mapped[0] < mapped[-1] or fitted.slope > 2
