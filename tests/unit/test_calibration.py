"""Calibration: a map that increases, is right on average, and is modest on few rows."""

import numpy as np
import pytest
from scipy.special import expit, logit

from portfolio_ml.models.calibration import (
    SMALLEST_SLOPE,
    Calibration,
    fit_calibration,
    log_odds,
)

pytestmark = pytest.mark.unit


def drawn(rows, *, intercept=0.0, slope=1.0, seed=0):
    """Predictions, and outcomes drawn at the log-odds intercept + slope x prediction's."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(2, 3, rows)
    return probability, rng.random(rows) < expit(intercept + slope * logit(probability))


def test_calibrated_probabilities_are_left_alone():
    fitted = fit_calibration(*drawn(50_000))
    assert fitted.intercept == pytest.approx(0, abs=0.03)
    assert fitted.slope == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("intercept", "slope"), [(0.5, 1.0), (-1.0, 0.6), (0.0, 1.8)])
def test_a_distortion_is_found_in_many_rows(intercept, slope):
    fitted = fit_calibration(*drawn(50_000, intercept=intercept, slope=slope))
    assert fitted.intercept == pytest.approx(intercept, abs=0.05)
    assert fitted.slope == pytest.approx(slope, abs=0.05)


def test_few_rows_change_little():
    fitted = fit_calibration(np.full(5, 0.5), np.ones(5, bool))
    assert fitted.intercept == pytest.approx(2.5 / 51.25, rel=0.02)
    assert fitted.slope == 1


def test_no_rows_change_nothing():
    assert fit_calibration(np.empty(0), np.empty(0, bool)) == Calibration()


@pytest.mark.parametrize("outcome", [True, False])
def test_one_class_alone_gives_finite_probabilities(outcome):
    probability = np.linspace(0, 1, 400)
    mapped = fit_calibration(probability, np.full(400, outcome))(probability)
    assert np.isfinite(mapped).all()
    assert bool(mapped.mean() > 0.5) is outcome


def test_a_weight_counts_a_row_as_often():
    probability, outcome = drawn(300, intercept=1)
    weight = np.random.default_rng(1).integers(0, 4, 300)
    weighted = fit_calibration(probability, outcome, weight.astype(float))
    repeated = fit_calibration(np.repeat(probability, weight), np.repeat(outcome, weight))
    assert weighted.intercept == pytest.approx(repeated.intercept)
    assert weighted.slope == pytest.approx(repeated.slope)


def test_predictions_that_point_the_wrong_way_keep_their_order_and_the_mean():
    probability, outcome = drawn(20_000, intercept=-2, slope=-0.5)
    fitted = fit_calibration(probability, outcome)
    assert fitted.slope == SMALLEST_SLOPE
    assert fitted(probability).mean() == pytest.approx(outcome.mean(), abs=0.005)


def test_the_map_increases_strictly():
    mapped = fit_calibration(*drawn(1000, slope=0.3))(np.linspace(1e-6, 1 - 1e-6, 2001))
    assert (np.diff(mapped) > 0).all()


def test_certain_probabilities_have_finite_log_odds():
    odds = log_odds(np.array([0.0, 0.5, 1.0]))
    assert odds.tolist() == pytest.approx([-np.log(1e6), 0, np.log(1e6)], rel=1e-6)


@pytest.mark.parametrize("calibration", [fit_calibration(*drawn(200)), Calibration(trials=12.5)])
def test_a_calibration_survives_json(calibration):
    assert Calibration.from_dict(calibration.to_dict()) == calibration


@pytest.mark.parametrize(
    ("intercept", "slope"), [(0, 0), (0, -1), (0, np.nan), (np.nan, 1), (np.inf, 1), (0, np.inf)]
)
def test_a_map_that_does_not_increase_is_refused(intercept, slope):
    with pytest.raises(ValueError, match="must increase"):
        Calibration(intercept=intercept, slope=slope)


def test_a_chance_that_rests_on_n_trials_counts_as_n_observations_beside_one_of_each_outcome():
    mapped = Calibration(trials=48)(np.array([0.0, 0.25, 1.0]))
    assert mapped == pytest.approx([1 / 50, (48 / 4 + 1) / 50, 49 / 50], abs=1e-5)


@pytest.mark.parametrize("trials", [0, -1.0, np.inf, np.nan])
def test_trials_that_are_no_number_above_0_are_refused(trials):
    with pytest.raises(ValueError, match="must increase"):
        Calibration(trials=trials)
