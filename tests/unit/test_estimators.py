"""The estimators keep scikit-learn's conventions."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from portfolio_ml.models.estimators import ChurnClassifier, LifetimeValueRegressor

pytestmark = [
    pytest.mark.unit,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),  # array API is off
]


@parametrize_with_checks([ChurnClassifier(), LifetimeValueRegressor()])
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


def test_probabilities_are_calibrated_on_customers_never_seen():
    rng = np.random.default_rng(3)
    recency = rng.uniform(0, 1, (4000, 1))
    churned = rng.random(4000) < recency[:, 0]
    fitted = ChurnClassifier().fit(recency[:3000], churned[:3000])
    p = fitted.predict_proba(recency[3000:])[:, 1]
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = (p >= low) & (p < low + 0.25)
        assert abs(p[inside].mean() - churned[3000:][inside].mean()) < 0.08


def test_rows_of_a_group_lie_on_one_side_of_a_fold():
    """A memory of customers is of no use, so a customer's number must not look like signal."""
    rng = np.random.default_rng(4)
    customer = np.repeat(np.arange(300), 8)
    churned = np.repeat(rng.random(300) < 0.5, 8)
    features = customer[:, None].astype(float)
    grouped = ChurnClassifier().fit(features, churned, groups=customer)
    leaking = ChurnClassifier().fit(features, churned)
    spread = [model.predict_proba(features)[:, 1].std() for model in (grouped, leaking)]
    assert spread[0] < spread[1]


def test_negative_spend_is_refused():
    with pytest.raises(ValueError, match="Negative values"):
        LifetimeValueRegressor().fit(np.ones((10, 1)), np.linspace(-1, 1, 10))


def test_spend_that_hardly_anybody_has_is_refused():
    spend = np.zeros(30)
    spend[4] = 5.0
    with pytest.raises(ValueError, match="too few groups with a spend above 0"):
        LifetimeValueRegressor().fit(np.ones((30, 1)), spend)


def test_groups_of_another_length_are_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ChurnClassifier().fit(np.ones((30, 1)), np.arange(30) % 2, groups=[1, 2, 3])
