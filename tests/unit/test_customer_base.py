"""What the customer-base models take, refuse, and say of themselves."""

import json
from functools import partial

import numpy as np
import pytest

from portfolio_ml.customer_base import (
    PURCHASE_FITS,
    PURCHASE_MODELS,
    BetaGeo,
    GammaGamma,
    ModifiedBetaGeo,
    ParetoNBD,
    expected_value,
    fit_bg_nbd,
    fit_gamma_gamma,
    group_purchases,
    purchase_model_from_dict,
)
from portfolio_ml.customer_base.beta_geometric import _objective as geometric_objective
from portfolio_ml.customer_base.gamma_gamma import _objective as spend_objective
from portfolio_ml.customer_base.integrals import decay, mean_purchases
from portfolio_ml.customer_base.maximum_likelihood import fitted, maximise, promising
from portfolio_ml.customer_base.pareto_nbd import _objective as pareto_objective
from portfolio_ml.errors import DataError

pytestmark = pytest.mark.unit

MODELS = [
    BetaGeo(r=0.243, alpha=4.414, a=0.793, b=2.426),
    ModifiedBetaGeo(r=0.525, alpha=6.183, a=0.891, b=1.614),
    ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669),
]
ANY_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
ANY_FIT = pytest.mark.parametrize("fit", PURCHASE_FITS.values(), ids=PURCHASE_FITS.keys())


@pytest.fixture(scope="module")
def counts():
    return group_purchases(
        [0, 1, 1, 2, 4, 9], [0, 5, 35, 10, 38, 30], 40, weight=[50, 10, 10, 6, 5, 3]
    )


# --- histories ---


@pytest.mark.parametrize(
    ("history", "rule"),
    [
        ((-1, 0, 10), "whole number"),
        ((1.5, 3, 10), "whole number"),
        ((1, 11, 10), "between 0 and T"),
        ((1, -1, 10), "between 0 and T"),
        ((0, 0, -1), "between 0 and T"),
        ((0, 3, 10), "exactly where x is 0"),
        ((2, 0, 10), "exactly where x is 0"),
        ((np.nan, 0, 10), "finite"),
        ((0, 0, np.inf), "finite"),
    ],
)
def test_an_impossible_history_is_refused_with_its_row(history, rule):
    x, t_x, T = ([good, bad] for good, bad in zip((1, 5, 10), history, strict=True))
    with pytest.raises(DataError, match=rule) as refusal:
        group_purchases(x, t_x, T)
    assert refusal.value.where == "row 1"
    with pytest.raises(DataError, match=rule):
        MODELS[0].p_alive(*history)


def test_grouping_counts_customers_with_the_same_history():
    counts = group_purchases([2, 0, 2, 0], [5, 0, 5, 0], [9, 9, 9, 8])
    assert counts.frequency.tolist() == [0, 0, 2]
    assert counts.recency.tolist() == [0, 0, 5]
    assert counts.age.tolist() == [8, 9, 9]
    assert counts.weight.tolist() == [1, 1, 2]
    assert counts.customers == 4


def test_grouping_adds_weights_and_leaves_out_zeros():
    counts = group_purchases([0, 0, 1], [0, 0, 3], 9, weight=[2, 3, 0])
    assert counts.frequency.tolist() == [0]
    assert counts.weight.tolist() == [5]


@pytest.mark.parametrize("weight", [[1, -1], [1, np.nan], [1, 1, 1]])
def test_weights_are_one_a_row_finite_and_not_negative(weight):
    with pytest.raises(DataError, match="weight"):
        group_purchases([0, 1], [0, 3], 9, weight=weight)


def test_a_customer_base_without_customers_is_refused():
    with pytest.raises(DataError, match="at least one customer"):
        group_purchases([], [], [])


# --- predictions ---


@ANY_MODEL
def test_predictions_broadcast_like_numpy(model):
    x, t_x, T = [0, 3], [0, 30], 40
    horizons = np.array([[7.0], [30], [90]])
    assert model.expected_purchases(x, t_x, T, horizons).shape == (3, 2)
    assert model.p_no_purchase(x, t_x, T, horizons).shape == (3, 2)
    assert model.p_alive(0, 0, 40).shape == ()


@ANY_MODEL
def test_predictions_of_no_customers_are_empty(model):
    assert model.expected_purchases([], [], [], 90).shape == (0,)
    assert model.p_no_purchase([], [], [], 90).shape == (0,)


@ANY_MODEL
@pytest.mark.parametrize("horizon", [-1, np.nan, np.inf])
def test_an_impossible_horizon_is_refused(model, horizon):
    with pytest.raises(ValueError, match="horizon"):
        model.expected_purchases(0, 0, 10, horizon)
    with pytest.raises(ValueError, match="horizon"):
        model.p_no_purchase(0, 0, 10, horizon)


@ANY_MODEL
def test_whoever_bought_on_the_last_day_is_likely_alive(model):
    assert model.p_alive(5, 40, 40) > 0.85
    assert model.p_alive(5, 5, 40) < model.p_alive(5, 40, 40)


def test_one_time_buyers_are_always_alive_in_bg_nbd_alone():
    alive = [float(model.p_alive(0, 0, 40)) for model in MODELS]
    assert alive[0] == 1
    assert max(alive[1:]) < 0.6


def test_expected_value_is_purchases_times_spend():
    spend = GammaGamma(p=6.25, q=3.74, v=15.44)
    value = expected_value(
        MODELS[0], spend, x=[0, 2], t_x=[0, 30], T=40, mean_spend=[0, 20], horizon=39
    )
    count = MODELS[0].expected_purchases([0, 2], [0, 30], 40, 39)
    assert value.tolist() == (count * spend.expected_spend([0, 2], [0, 20])).tolist()


# --- the fit ---


@pytest.mark.parametrize(
    "objective_of",
    [
        partial(geometric_objective, tosses_at_start=0),
        partial(geometric_objective, tosses_at_start=1),
        pareto_objective,
    ],
    ids=PURCHASE_FITS.keys(),
)
@pytest.mark.parametrize("theta", [[-0.3, 0.4, 0.2, 0.7], [0.5, 0.9, -1.0, 0.3], [3, 1, 2, 4]])
def test_gradients_agree_with_differences(objective_of, theta, counts):
    check_gradient(objective_of(counts.rescaled(counts.mean_age)), np.array(theta))


@pytest.mark.parametrize("theta", [[1.0, 0.5, 2.0], [-1.0, -0.5, 0.0]])
def test_the_spend_gradient_agrees_with_differences(theta):
    x, z = np.array([1.0, 3, 20]), np.array([0.2, 1.1, 7])
    check_gradient(spend_objective(x, z, np.array([0.5, 0.3, 0.2])), np.array(theta))


def check_gradient(objective, theta):
    step = 1e-5 * np.eye(theta.size)
    differences = [(objective(theta + s)[0] - objective(theta - s)[0]) / 2e-5 for s in step]
    assert objective(theta)[1] == pytest.approx(differences, rel=1e-5, abs=1e-8)


@ANY_FIT
def test_the_reported_likelihood_is_that_of_the_rows(fit, counts):
    model = fit(counts)
    rows = model.row_log_likelihood(counts.frequency, counts.recency, counts.age)
    assert model.log_likelihood == pytest.approx(counts.weight @ rows)


@ANY_FIT
def test_a_fit_with_an_interior_maximum_warns_of_nothing(fit, counts):
    model = fit(counts)
    assert not model.at_boundary
    assert model.warnings == ()
    assert all(error > 0 for error in model.standard_errors.values())


def test_standard_errors_are_of_the_parameters_in_the_unit_of_the_input(counts):
    in_weeks = group_purchases(
        counts.frequency, counts.recency / 7, counts.age / 7, weight=counts.weight
    )
    daily, weekly = fit_bg_nbd(counts).standard_errors, fit_bg_nbd(in_weeks).standard_errors
    assert daily["alpha"] == pytest.approx(7 * weekly["alpha"], rel=1e-4)
    assert daily["r"] == pytest.approx(weekly["r"], rel=1e-4)


def test_standard_errors_shrink_with_the_root_of_the_customers(counts):
    more = group_purchases(counts.frequency, counts.recency, counts.age, weight=4 * counts.weight)
    few, many = fit_bg_nbd(counts).standard_errors, fit_bg_nbd(more).standard_errors
    assert many["b"] == pytest.approx(few["b"] / 2, rel=1e-4)


def test_the_best_of_several_starts_wins():
    def two_hills(theta):
        shallow, deep = np.exp(-((theta - 2) ** 2)), 2 * np.exp(-((theta + 2) ** 2))
        return float(sum(shallow + deep)), -2 * ((theta - 2) * shallow + (theta + 2) * deep)

    start = promising(two_hills, [np.array([1.5]), np.array([-1.0])])
    assert maximise(two_hills, start) == pytest.approx(-2, abs=1e-3)


def test_a_parameter_on_a_flat_likelihood_has_no_standard_error():
    def flat(theta):
        return -float(theta[0] ** 2), np.array([-2 * theta[0], 0, 0])

    model = fitted(GammaGamma, flat, np.zeros(3), units=(1, 1, 1), customers=10, log_unit=0)
    assert model.standard_errors == {"p": None, "q": None, "v": None}
    assert model.at_boundary
    assert "no standard errors" in model.warnings[0]


# --- the edges ---

AGES = np.array([20.0, 200, 300, 364, 365, 365])
EDGES = {
    "everybody bought once": (np.zeros(6), np.zeros(6), AGES),
    "nobody was observed": (np.zeros(3), np.zeros(3), np.zeros(3)),
    "nobody leaves": ([3, 20, 31, 33, 40, 35], AGES, AGES),
    "all are the same": ([3] * 6, [20] * 6, [40] * 6),
    "all leave after the second purchase": ([1] * 6, [1] * 6, [1000] * 6),
    "one customer": ([2], [3], [10]),
    "one customer of 100,000 purchases": ([100_000], [365], [365]),
    "one buys 100,000 times as much": ([100_000, 1, 2, 0], [365, 9, 8, 0], [365, 10, 30, 365]),
    "ages from minutes to centuries": ([1, 2, 1, 0], [1e-3, 50, 1e4, 0], [2e-3, 1e5, 1e5, 0]),
}


@ANY_FIT
@pytest.mark.parametrize("case", EDGES)
def test_degenerate_data_give_usable_predictions(fit, case):
    counts = group_purchases(*EDGES[case])
    model = fit(counts)
    rows = counts.frequency, counts.recency, counts.age
    horizons = np.array([[0], [1e-6], [1], [30], [365], [1e5]])
    expected = model.expected_purchases(*rows, horizons)
    quiet = model.p_no_purchase(*rows, horizons)
    assert np.isfinite(model.log_likelihood)
    assert np.isfinite(expected).all()
    assert (np.diff(expected, axis=0) >= -1e-9 * expected[1:]).all()
    assert (np.diff(quiet, axis=0) <= 1e-12).all()
    assert (quiet >= 0).all()
    assert (expected[0] == 0).all()
    assert (quiet[0] == 1).all()
    assert ((model.p_alive(*rows) >= 0) & (model.p_alive(*rows) <= 1)).all()


@ANY_FIT
@pytest.mark.parametrize("case", ["everybody bought once", "nobody was observed", "nobody leaves"])
def test_degenerate_data_are_flagged(fit, case):
    model = fit(group_purchases(*EDGES[case]))
    assert model.at_boundary
    assert model.warnings
    assert None in model.standard_errors.values()


@ANY_FIT
def test_where_nobody_leaves_the_silent_are_still_alive(fit):
    model = fit(group_purchases(*EDGES["nobody leaves"]))
    assert model.p_alive(30, 365, 365 + 20) > 0.999
    assert model.expected_purchases(36, 365, 365, 365) == pytest.approx(36, rel=0.05)


@pytest.mark.parametrize(("name", "value"), [("r", 0.0), ("alpha", -1.0), ("b", np.inf)])
def test_impossible_parameters_are_refused(name, value):
    with pytest.raises(ValueError, match=f"bg_nbd: {name}"):
        BetaGeo(**{"r": 1, "alpha": 1, "a": 1, "b": 1} | {name: value})


# --- to and from JSON ---


@ANY_FIT
def test_a_fitted_model_survives_json(fit, counts):
    model = fit(counts)
    assert purchase_model_from_dict(json.loads(json.dumps(model.to_dict()))) == model


def test_a_model_at_the_boundary_is_strict_json():
    model = PURCHASE_FITS["pareto_nbd"](group_purchases(*EDGES["nobody leaves"]))
    text = json.dumps(model.to_dict(), allow_nan=False)
    assert ParetoNBD.from_dict(json.loads(text)) == model


def test_a_spend_model_survives_json():
    model = fit_gamma_gamma([1, 3, 2, 5, 4], [10.0, 30, 14, 21, 50])
    text = json.dumps(model.to_dict(), allow_nan=False)
    assert GammaGamma.from_dict(json.loads(text)) == model


def test_facts_of_another_kind_are_refused():
    facts = MODELS[0].to_dict()
    with pytest.raises(ValueError, match="of a bg_nbd, not of a pareto_nbd"):
        ParetoNBD.from_dict(facts)
    with pytest.raises(ValueError, match="gamma_gamma"):
        purchase_model_from_dict(GammaGamma(p=1, q=2, v=3).to_dict())


def test_every_kind_has_a_model_and_a_fit():
    assert PURCHASE_MODELS.keys() == PURCHASE_FITS.keys()


# --- spend ---


def test_without_repeat_purchases_the_population_mean_is_expected():
    model = GammaGamma(p=6.25, q=3.74, v=15.44)
    mean = 6.25 * 15.44 / 2.74
    spend = model.expected_spend([0, 0, 3, 3, 3], [0, 80, 0, -5, np.nan])
    assert spend == pytest.approx(mean)


def test_an_infinite_population_mean_leaves_a_customers_own_alone():
    model = GammaGamma(p=6.25, q=0.9, v=15.44)
    assert model.expected_spend([3, 0], [80, 0]).tolist() == [80, np.inf]


def test_many_purchases_outweigh_the_population():
    model = GammaGamma(p=6.25, q=3.74, v=15.44)
    assert model.expected_spend(100_000, 80) == pytest.approx(80, rel=1e-4)


def test_customers_without_positive_spend_do_not_count_in_the_fit():
    x, z = [1, 3, 2, 5, 4], [10.0, 30, 14, 21, 50]
    more = fit_gamma_gamma([*x, 0, 2, 2, 1], [*z, 12, 0, -4, np.nan])
    assert more == fit_gamma_gamma(x, z)


def test_spend_weights_stand_for_repeated_customers():
    x, z = [1, 3, 2, 5, 4], [10.0, 30, 14, 21, 50]
    weighted = fit_gamma_gamma(x, z, weight=[2, 1, 1, 3, 0])
    repeated = fit_gamma_gamma([1, 1, 3, 2, 5, 5, 5], [10.0, 10, 30, 14, 21, 21, 21])
    assert weighted.parameters == pytest.approx(repeated.parameters, rel=1e-3)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood)


@pytest.mark.parametrize(
    ("x", "z", "weight", "rule"),
    [
        ([0, 0], [1.0, 2], None, "No customer"),
        ([], [], None, "No customer"),
        ([1, 2], [1.0], None, "one length"),
        ([1, 2], [1.0, 2], [1], "one length"),
        ([1, 2], [1.0, 2], [1, -1], "Weights"),
    ],
)
def test_a_spend_fit_refuses_what_it_cannot_use(x, z, weight, rule):
    with pytest.raises(DataError, match=rule):
        fit_gamma_gamma(x, z, weight=weight)


def test_heavy_tailed_spend_is_flagged_and_stays_finite():
    rng = np.random.default_rng(5)
    x = rng.integers(1, 6, 2000)
    z = rng.gamma(3 * x) / x / rng.gamma(0.7, 0.1, 2000)
    model = fit_gamma_gamma(x, z)
    assert model.q < 1
    assert model.fallback_mean == pytest.approx(z.mean())
    assert "heavy-tailed" in model.warnings[0]
    assert model.expected_spend([0, 1, 5], [0, 40, 40]) == pytest.approx([z.mean(), 40, 40])


@pytest.mark.parametrize("spend", [[7.0], [7.0, 7.0, 7.0]])
def test_equal_spends_are_expected_again(spend):
    model = fit_gamma_gamma([2] * len(spend), spend)
    assert model.at_boundary
    assert model.expected_spend([0, 2], [0, 7.0]) == pytest.approx(7, rel=1e-4)


def test_a_hand_built_spend_model_may_have_an_infinite_mean():
    assert GammaGamma(p=2, q=0.9, v=3).population_mean == np.inf


# --- the integrals ---


def test_the_decay_integral_is_symmetric_in_its_factors():
    m1, m2 = np.array([0.1, 3.0]), np.array([0.4, 900.0])
    p1, p2, span = np.array([0.3, 7.0]), np.array([5.0, 0.2]), np.array([2.0, 1e4])
    one, other = decay(m1, p1, m2, p2, span), decay(m2, p2, m1, p1, span)
    assert one.log_integral.tolist() == other.log_integral.tolist()
    assert one.mean_logs[0].tolist() == other.mean_logs[1].tolist()


def test_over_no_time_the_decay_integral_is_zero():
    one = np.ones(1)
    assert decay(one, one, one, one, 0 * one).log_integral.tolist() == [-np.inf]


def test_who_leaves_for_sure_makes_one_purchase_at_most():
    one = np.ones(1)
    certain = mean_purchases(3 * one, 2 * one, 1e5, 1e-9 * one)
    assert certain == pytest.approx(1 - 3.0**-3)
