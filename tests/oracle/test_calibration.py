"""The calibration agrees with a general optimiser, and with scikit-learn on many rows."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from portfolio_ml.models.calibration import PRIOR_ROWS, SMALLEST_SLOPE, fit_calibration

pytestmark = pytest.mark.oracle


def drawn(rows, intercept, slope):
    rng = np.random.default_rng(rows)
    probability = rng.beta(2, 3, rows)
    outcome = rng.random(rows) < expit(intercept + slope * logit(probability))
    return probability, outcome, rng.random(rows)


def loss(coefficients, probability, outcome, weight):
    """Minus the penalised log-likelihood, written down as it is defined."""
    intercept, slope = coefficients
    p = expit(intercept + slope * logit(probability))
    likelihood = weight * np.where(outcome, np.log(p), np.log1p(-p))
    return -likelihood.sum() + PRIOR_ROWS / 8 * (intercept**2 + (slope - 1) ** 2)


@pytest.mark.parametrize(
    ("rows", "intercept", "slope"), [(30, 0.5, 1.5), (500, -1, 0.7), (5000, 0, 1), (5000, -2, -1)]
)
def test_it_is_the_optimum(rows, intercept, slope):
    data = drawn(rows, intercept, slope)
    found = minimize(loss, [0.0, 1.0], data, bounds=[(None, None), (SMALLEST_SLOPE, None)])
    fitted = fit_calibration(*data)
    assert [fitted.intercept, fitted.slope] == pytest.approx(found.x, abs=2e-4)


def test_on_many_rows_it_is_platts_regression():
    probability, outcome, _ = drawn(200_000, -0.8, 1.4)
    peer = LogisticRegression(C=np.inf).fit(logit(probability)[:, None], outcome)
    fitted = fit_calibration(probability, outcome)
    assert fitted.intercept == pytest.approx(peer.intercept_[0], abs=0.01)
    assert fitted.slope == pytest.approx(peer.coef_[0, 0], abs=0.01)
