"""Models for a history without outcomes, and for a handful of customers."""

import numpy as np
import pytest
from tests.histories import REFERENCE
from tests.simulated import RECIPE, simulated

from portfolio_ml.gate import decide_unjudged
from portfolio_ml.models.churn import ChurnModel
from portfolio_ml.models.lifetime_value import LifetimeValueModel
from portfolio_ml.models.unlabelled import unlabelled_churn, unlabelled_value
from portfolio_ml.training import (
    FEWEST_CUSTOMERS,
    few_note,
    fit_candidates,
    is_few,
    unlabelled_candidates,
)

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def rows():
    return simulated(200, seed=4, returned_share=0.1)


def test_chances_are_the_customer_base_models_own_as_far_as_many_customers_were_seen(rows):
    model = unlabelled_churn(rows.features, rows.names, horizon_days=90)
    own = rows.column("p_no_purchase").astype(float)
    trials = rows.column("tenure_days").astype(float).sum() / 90
    assert trials > 1000
    assert model.predict(rows.features) == pytest.approx(own, abs=1 / trials)
    again = ChurnModel.from_files(model.to_files())
    assert np.array_equal(again.predict(rows.features), model.predict(rows.features))


def test_a_few_customers_seen_for_weeks_allow_no_certainty():
    """24 customers of 30 days are 8 horizons of 90: as if 8 of 8 had bought, or had not."""
    rows = seen_for(30, p_no_purchase=[0.0, 0.5, 1.0] * 8)
    predicted = unlabelled_churn(rows.features, rows.names, horizon_days=90).predict(rows.features)
    assert predicted[:3] == pytest.approx([1 / 10, 1 / 2, 9 / 10], abs=1e-5)


def test_where_nobody_was_seen_for_a_day_all_is_nearly_open():
    rows = seen_for(0, p_no_purchase=[0.0, 1.0])
    predicted = unlabelled_churn(rows.features, rows.names, horizon_days=90).predict(rows.features)
    assert predicted == pytest.approx([0.5, 0.5], abs=0.01)
    assert predicted[0] < predicted[1]


def seen_for(days, p_no_purchase):
    """Customers with the same tenure, and these chances of the customer-base model's."""
    rows = simulated(len(p_no_purchase), days=[17_360])
    rows.column("tenure_days")[:] = days
    rows.column("p_no_purchase")[:] = p_no_purchase
    return rows


def value_of(rows, coverage=0.8):
    return unlabelled_value(
        rows.features, rows.names, horizon_days=90, coverage=coverage, measure="revenue"
    )


def test_values_are_the_customer_base_models_own_less_what_came_back_so_far(rows):
    model = value_of(rows)
    spend, net = rows.column("spend").astype(float), rows.column("net_spend").astype(float)
    assert model.returns.rate == pytest.approx((spend - net).sum() / spend.sum())
    expected = rows.column("expected_spend").astype(float) * (1 - model.returns.of(spend, net))
    assert model.predict(rows.features) == pytest.approx(expected)
    again = LifetimeValueModel.from_files(model.to_files())
    assert np.array_equal(again.interval(rows.features), model.interval(rows.features))


@pytest.mark.parametrize(("coverage", "factor"), [(0.8, 10), (0.9, 20), (0.5, 4)])
def test_intervals_are_as_wide_as_markovs_inequality_demands(rows, coverage, factor):
    """Half of what may lie outside is granted to the upper tail: P(spend > k mean) <= 1 / k."""
    model = value_of(rows, coverage)
    low, high = model.interval(rows.features)
    assert (low == 0).all()
    assert high == pytest.approx(factor * model.predict(rows.features))


def test_without_outcomes_there_is_one_candidate_for_each_target(rows):
    found = unlabelled_candidates(rows.features, rows.names, RECIPE)
    assert set(found.churn) == set(found.lifetime_value) == {"customer_base"}


@pytest.mark.parametrize(
    ("customers", "names"),
    [
        (FEWEST_CUSTOMERS - 1, {"customer_base"}),
        (FEWEST_CUSTOMERS, {"blend", "boosted", "customer_base"}),
    ],
)
def test_trees_are_fitted_from_as_many_customers_on(customers, names):
    rows = simulated(customers, seed=3)
    assert is_few(rows) == (len(names) == 1) == bool(few_note(rows))
    found = fit_candidates(rows, RECIPE, tier_edges=REFERENCE.tier_edges)
    assert set(found.churn) == set(found.lifetime_value) == names


@pytest.mark.parametrize(
    ("champion", "is_promoted", "ending"),
    [
        (None, True, "there is no champion yet"),
        ("customer_base", True, "the champion is a customer-base model too"),
        ("boosted", False, "the champion (boosted trees) stays"),
        ("blend", False, "stays"),
    ],
)
def test_what_no_outcome_has_judged_replaces_nothing_but_its_like(champion, is_promoted, ending):
    decision = decide_unjudged("churn", champion=champion, why="40 days of history")
    assert decision.is_promoted is is_promoted
    assert "was not judged: 40 days of history" in decision.reasons[0]
    assert ending in decision.reasons[1]
