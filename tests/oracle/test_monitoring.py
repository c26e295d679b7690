"""The monitor's statistics beside SciPy's, and on portfolios whose laws are known."""

import numpy as np
import pytest
from scipy import stats
from tests.stationary import (
    a_category_vanishes,
    a_third_spends_more,
    half_the_rate,
    monitored,
    stationary,
)

from portfolio_ml.monitoring.distribution import Distribution
from portfolio_ml.monitoring.drift import drifts
from portfolio_ml.monitoring.profile import Profile

pytestmark = pytest.mark.oracle

DAYS = tuple(range(1000, 1241, 30))
SHIFTS = {
    "half the rate": half_the_rate,
    "a third spends more": a_third_spends_more,
    "a category vanishes": a_category_vanishes,
}


def test_p_values_are_even_where_nothing_happens_and_rows_are_independent():
    """Half of the p-values would lie under 1/2; the monitor may be quieter, never louder."""
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values, day = rng.normal(size=300 * len(DAYS)), np.repeat(DAYS, 300)
        known = Distribution.of_numbers(values, day)
        profile = Profile(days=DAYS, features={"x": known}, scores={})
        counts = {"features": {"x": known.of(rng.normal(size=300))}}
        found.append(drifts(profile, counts, as_of_day=1300)[0].p_value)
    for level in (0.5, 0.2, 0.05):
        share = np.mean(np.array(found) < level)
        assert share <= level + 2 * np.sqrt(level * (1 - level) / len(found))


def test_the_test_of_location_agrees_with_mann_and_whitney():
    """On ten bins, a shift is about as surprising as on the values themselves."""
    rng = np.random.default_rng(2)
    past, today = rng.normal(size=(len(DAYS), 400)), rng.normal(0.2, 1, 400)
    known = Distribution.of_numbers(past.ravel(), np.repeat(DAYS, 400))
    profile = Profile(days=DAYS, features={"x": known}, scores={})
    drift = drifts(profile, {"features": {"x": known.of(today)}}, as_of_day=1300)[0]
    u = stats.mannwhitneyu(today, past[-1])
    assert drift.shift == pytest.approx(u.statistic / 400**2 - 0.5, abs=0.03)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2, 3, 4))]
)
def test_a_portfolio_under_constant_laws_is_left_alone(seed):
    assert monitored(stationary(1_000, seed)).level == "keep"


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=[pytest.mark.long] if number % 2 else [])
        for number, what in enumerate(SHIFTS)
    ],
)
def test_what_happens_to_a_portfolio_is_caught(what):
    said = monitored(SHIFTS[what](3_000, 100))
    assert said.level == "retrain", said.reasons
