"""The customer-base models against published figures, brute-force integrals and simulation.

CDNOW is the published sample of 2,357 customers, in weeks, calibrated to 1997-09-30; it ships
with `lifetimes`, which is read here and never imported.
"""

from importlib.metadata import files

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.special import betainc, betaln, expit, log_expit
from scipy.stats import gamma

from portfolio_ml.customer_base import (
    BetaGeo,
    GammaGamma,
    ModifiedBetaGeo,
    ParetoNBD,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_pareto_nbd,
    group_purchases,
)
from portfolio_ml.customer_base.integrals import decay, mean_purchases

pytestmark = pytest.mark.oracle

BG = BetaGeo(r=0.243, alpha=4.414, a=0.793, b=2.426)
MBG = ModifiedBetaGeo(r=0.525, alpha=6.183, a=0.891, b=1.614)
PARETO = ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669)


@pytest.fixture(scope="module")
def cdnow():
    """x, t_x, T and the mean spend over the repeat purchases, one row a customer."""
    name = "cdnow_customers_summary_with_transactions.csv"
    path = next(file for file in files("lifetimes") if file.name == name)
    return np.loadtxt(path.locate(), delimiter=",", skiprows=1, unpack=True)[1:]


@pytest.fixture(scope="module")
def counts(cdnow):
    return group_purchases(*cdnow[:3])


# --- published figures ---


@pytest.mark.parametrize(
    ("fit", "published", "log_likelihood"),
    [
        # Fader, Hardie & Lee (2005), Marketing Science 24(2)
        (fit_bg_nbd, {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, -9582.4),
        (fit_pareto_nbd, {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, -9595.0),
        # Batislam, Denizel & Filiztekin (2007); the likelihood of these parameters
        (fit_mbg_nbd, {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}, -9582.1),
    ],
)
def test_cdnow_gives_the_published_estimates(fit, published, log_likelihood, counts):
    model = fit(counts)
    assert counts.customers == 2357
    assert model.parameters == pytest.approx(published, abs=0.0015)
    assert round(model.log_likelihood, 1) == log_likelihood
    assert not model.at_boundary


@pytest.mark.parametrize("fit", [fit_bg_nbd, fit_mbg_nbd, fit_pareto_nbd])
def test_standard_errors_are_those_of_the_observed_information(fit, counts):
    """The second differences of the likelihood in the parameters themselves, inverted."""
    model = fit(counts)
    best = np.array(list(model.parameters.values()))
    steps = np.diag(3e-3 * best)

    def total(values):
        rows = counts.frequency, counts.recency, counts.age
        return counts.weight @ type(model)(*values).row_log_likelihood(*rows)

    information = [
        [
            total(best + s - t) + total(best - s + t) - total(best + s + t) - total(best - s - t)
            for s in steps
        ]
        for t in steps
    ] / (4 * np.outer(steps.sum(0), steps.sum(0)))
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    assert list(model.standard_errors.values()) == pytest.approx(errors, rel=0.01)


def test_cdnow_gives_the_published_spend_estimates(cdnow):
    """Fader & Hardie (2013), The Gamma-Gamma model of monetary value: 946 repeat buyers."""
    x, z = cdnow[0], cdnow[3]
    model = fit_gamma_gamma(x, z)
    assert (x > 0).sum() == 946
    assert model.parameters == pytest.approx({"p": 6.25, "q": 3.74, "v": 15.44}, abs=0.01)


@pytest.mark.parametrize(
    ("model", "new", "loyal", "p_alive"),
    [(BG, 1.444, 25.76, 0.9688), (PARETO, 1.473, 25.46, 0.9979)],
    ids=lambda value: getattr(value, "kind", None),
)
def test_the_btyd_walkthrough_comes_out(model, new, loyal, p_alive):
    """The walkthrough of the R package BTYD: a new customer and number 1516, over 52 weeks."""
    assert model.expected_purchases(0, 0, 0, 52) == pytest.approx(new, abs=0.0025)
    assert model.expected_purchases(26, 30.86, 31, 52) == pytest.approx(loyal, abs=0.005)
    assert model.p_alive(26, 30.86, 31) == pytest.approx(p_alive, abs=0.0002)


def test_the_published_spreadsheet_comes_out():
    """Fader, Hardie & Lee (2005), "Implementing the BG/NBD model in Excel": customer 1."""
    assert BG.expected_purchases(2, 30.43, 38.86, 39) == pytest.approx(1.226, abs=0.0005)


# --- brute force: the individual customer, integrated over all there may be ---

HISTORIES = [(0, 0, 0), (0, 0, 38.9), (1, 0.5, 38.9), (2, 30.4, 38.9), (7, 38.9, 38.9), (26, 9, 40)]
LEAVING = [
    BetaGeo(0.243, 4.414, 0.793, 2.426),
    BetaGeo(3.0, 0.5, 1.0, 1.0),
    BetaGeo(0.6, 20.0, 9.0, 0.7),
    ModifiedBetaGeo(0.525, 6.183, 0.891, 1.614),
    ModifiedBetaGeo(5.0, 2.0, 0.5, 30.0),
    ParetoNBD(0.553, 10.578, 0.606, 11.669),
    ParetoNBD(3.0, 20.0, 1.0, 5.0),
    ParetoNBD(0.6, 2.0, 7.0, 90.0),
]


def geometric_customer(model, history, horizon, rate, p):
    """Likelihood, alive part of it, and what comes next if alive, given rate and coin."""
    x, t_x, T = history
    tosses = x + model.tosses_at_start
    alive = (1 - p) ** tosses * rate**x * np.exp(-rate * T)
    gone = p * (1 - p) ** (tosses - 1) * rate**x * np.exp(-rate * t_x) if tosses else 0
    return alive + gone, alive, -np.expm1(-rate * p * horizon) / p, np.exp(-rate * horizon)


def pareto_customer(_, history, horizon, rate, mu):
    """The same, given rate of buying and rate of leaving (Fader & Hardie 2005)."""
    x, t_x, T = history
    both = rate + mu
    alive = rate**x * np.exp(-both * T)
    gone = rate**x * mu / both * (np.exp(-both * t_x) - np.exp(-both * T))
    quiet = (mu + rate * np.exp(-both * horizon)) / both
    return alive + gone, alive, -np.expm1(-mu * horizon) * rate / mu, quiet


def log_grid(low, high, shape, scale):
    """Rates, and the mass of Gamma(shape, scale) in each step of their logarithm."""
    steps = np.linspace(low, high, 1200)
    mass = gamma.pdf(np.exp(steps), shape, scale=1 / scale) * np.exp(steps)
    return np.exp(steps), mass * (steps[1] - steps[0])


def logit_grid(low, high, a, b):
    """Chances, and the mass of Beta(a, b) in each step of their logit."""
    steps = np.linspace(low, high, 1200)
    log_mass = a * log_expit(steps) + b * log_expit(-steps) - betaln(a, b)
    return expit(steps), np.exp(log_mass) * (steps[1] - steps[0])


def brute_force(model, history, horizon):
    """Likelihood, P(alive), expected purchases, P(no purchase): a plain double sum."""
    rate, rate_mass = log_grid(-110, 9, model.r, model.alpha)
    if isinstance(model, ParetoNBD):
        other, other_mass = log_grid(-60, 9, model.s, model.beta)
        customer = pareto_customer
    else:
        other, other_mass = logit_grid(-70, 36, model.a, model.b)
        customer = geometric_customer
    likelihood, alive, purchases, quiet = customer(model, history, horizon, rate[:, None], other)

    def total(values):
        return rate_mass @ np.broadcast_to(values, (rate.size, other.size)) @ other_mass

    everyone, left = total(likelihood), total(likelihood - alive)
    return (
        everyone,
        total(alive) / everyone,
        total(alive * purchases) / everyone,
        (left + total(alive * quiet)) / everyone,
    )


@pytest.mark.parametrize("model", LEAVING, ids=lambda model: f"{model.kind}-{model.r}")
@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_brute_force_integrals_agree(model, history):
    horizon = 13.0
    likelihood, p_alive, purchases, quiet = brute_force(model, history, horizon)
    assert np.exp(model.row_log_likelihood(*history)) == pytest.approx(likelihood, rel=1e-6)
    assert model.p_alive(*history) == pytest.approx(p_alive, rel=1e-6)
    assert model.expected_purchases(*history, horizon) == pytest.approx(purchases, rel=1e-6)
    assert model.p_no_purchase(*history, horizon) == pytest.approx(quiet, rel=1e-6)


@pytest.mark.parametrize("a", [1e-4, 0.3, 1.0, 50.0, 1e5, 1e12])
@pytest.mark.parametrize("c", [1e-3, 0.7, 3.0, 400.0, 1e5, 1e12])
@pytest.mark.parametrize(("shape", "reach"), [(0.01, 0.3), (0.8, 30.0), (200.0, 0.5), (3e4, 0.01)])
def test_expected_purchases_are_the_chances_of_one_more_added_up(a, c, shape, reach):
    """The k-th purchase needs k - 1 survived coins and k arrivals: an independent series."""
    k = np.arange(1, 6000.0)
    survived = np.cumprod(np.concatenate(([1], (c + k[:-1] - 1) / (a + c + k[:-1] - 1))))
    series = survived @ betainc(k, shape, reach / (1 + reach))
    one = np.ones(1)
    assert mean_purchases(shape * one, reach * one, a, c * one) == pytest.approx(series, rel=1e-7)


@pytest.mark.parametrize("p1", [1e-4, 0.9, 30.0, 1e5])
@pytest.mark.parametrize("p2", [1e-4, 1.6, 30.0, 1e5])
@pytest.mark.parametrize("m1", [1e-3, 1.0, 500.0])
def test_the_decay_integral_is_that_of_a_fine_grid(p1, p2, m1):
    m2, span = 20.0, 365.0
    t = np.concatenate(([0], np.geomspace(1e-12, span, 400_001)))
    grid = trapezoid(np.exp(-p1 * np.log1p(t / m1) - p2 * np.log1p(t / m2)), t)
    columns = (np.array([value]) for value in (m1, p1, m2, p2, span))
    assert np.exp(decay(*columns).log_integral) == pytest.approx(grid, rel=1e-7)


# --- simulation ---


def simulate(model, customers, horizon, seed):
    """Histories at T = 10 to 60, and the purchases in the horizon after."""
    rng = np.random.default_rng(seed)
    T = rng.uniform(10, 60, customers)
    rate = rng.gamma(model.r, 1 / model.alpha, customers)
    pareto = isinstance(model, ParetoNBD)
    if pareto:
        leaves, p = rng.exponential(1 / rng.gamma(model.s, 1 / model.beta, customers)), 0
    else:
        leaves, p = np.full(customers, np.inf), rng.beta(model.a, model.b, customers)
        leaves[rng.random(customers) < p * model.tosses_at_start] = 0
    x, t_x, after, now = np.zeros((4, customers))
    while True:
        now = now + rng.exponential(1 / rate)
        bought = (now <= leaves) & (now <= T + horizon)
        if not bought.any():
            return x, t_x, T, after
        x += bought & (now <= T)
        t_x = np.where(bought & (now <= T), now, t_x)
        after += bought & (now > T)
        tossed = bought & (rng.random(customers) < p)
        leaves = np.where(tossed, now, leaves)


TRUTHS = [
    (BetaGeo(0.8, 6.0, 0.8, 2.5), fit_bg_nbd),
    (ModifiedBetaGeo(0.8, 6.0, 0.8, 2.5), fit_mbg_nbd),
    (ParetoNBD(0.8, 6.0, 0.7, 12.0), fit_pareto_nbd),
]
ANY_TRUTH = pytest.mark.parametrize(
    ("truth", "fit"), TRUTHS, ids=lambda each: getattr(each, "kind", "")
)


@ANY_TRUTH
def test_simulated_parameters_are_recovered(truth, fit):
    x, t_x, T, _ = simulate(truth, 6000, 0, seed=20)
    model = fit(group_purchases(x, t_x, T))
    for name, value in truth.parameters.items():
        assert abs(model.parameters[name] - value) < 3 * model.standard_errors[name], name


@ANY_TRUTH
def test_simulated_futures_are_foretold(truth, fit):
    """In every group of customers alike, the mean outcome is within 4 standard errors."""
    horizon = 20.0
    x, t_x, T, after = simulate(truth, 60_000, horizon, seed=4)
    expected = truth.expected_purchases(x, t_x, T, horizon)
    quiet = truth.p_no_purchase(x, t_x, T, horizon)
    recent = (x > 0) & (t_x > 0.7 * T)
    for group in (x == 0, (x > 0) & ~recent, (x < 4) & recent, (x >= 4) & recent, T < 20):
        n = group.sum()
        assert n > 1000
        for outcome, forecast in ((after, expected), (after == 0, quiet)):
            error = (outcome - forecast)[group]
            assert abs(error.mean()) < 4 * error.std() / np.sqrt(n)


def test_simulated_spend_is_recovered():
    rng = np.random.default_rng(8)
    x = rng.integers(1, 8, 5000)
    scale = rng.gamma(4.0, 1 / 20.0, x.size)
    z = rng.gamma(6.0 * x) / scale / x
    model, truth = fit_gamma_gamma(x, z), GammaGamma(p=6.0, q=4.0, v=20.0)
    for name, value in truth.parameters.items():
        assert abs(model.parameters[name] - value) < 3 * model.standard_errors[name], name
    error = 6.0 / scale - model.expected_spend(x, z)
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(x.size)


def test_the_spend_density_integrates_to_one():
    model = GammaGamma(p=6.25, q=3.74, v=15.44)
    z = np.geomspace(1e-6, 1e9, 20_001)
    assert trapezoid(np.exp(model.row_log_likelihood(3, z)), z) == pytest.approx(1, rel=1e-6)
