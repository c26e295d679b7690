"""Metrics against scikit-learn and SciPy, and the bootstrap against the truth of a simulation."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import norm, spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from portfolio_ml import metrics

pytestmark = pytest.mark.oracle

PEERS = {
    "auroc": roc_auc_score,
    "average_precision": average_precision_score,
    "log_loss": log_loss,
    "brier": brier_score_loss,
    "mae": mean_absolute_error,
    "rmse": root_mean_squared_error,
}


def churn_rows(seed, decimals):
    """2,000 outcomes with overconfident probabilities, rounded to make ties, and weights."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-0.5, 1.5, 2_000)
    y = (rng.random(2_000) < expit(0.3 + 0.6 * x)).astype(float)
    return y, np.clip(np.round(expit(x), decimals), 0.001, 0.999), rng.integers(0, 4, 2_000)


@pytest.mark.parametrize("decimals", [12, 2, 1], ids=["no ties", "some ties", "many ties"])
@pytest.mark.parametrize("is_weighted", [False, True], ids=["rows", "weights"])
@pytest.mark.parametrize("name", PEERS)
def test_the_metric_agrees_with_scikit_learn(name, is_weighted, decimals):
    y, p, weight = churn_rows(1, decimals)
    weight = weight if is_weighted else None

    assert metrics.METRICS[name].value(y, p, weight=weight) == pytest.approx(
        PEERS[name](y, p, sample_weight=weight), rel=1e-10
    )


def test_log_loss_clips_as_scikit_learn_does():
    assert metrics.log_loss([1, 0, 1], [0.0, 1.0, 0.7]) == pytest.approx(
        log_loss([1, 0, 1], [0.0, 1.0, 0.7])
    )


@pytest.mark.parametrize("decimals", [12, 0], ids=["no ties", "many ties"])
def test_spearman_agrees_with_scipy(decimals):
    rng = np.random.default_rng(2)
    actual = np.round(rng.gamma(0.5, 40, 1_000), decimals)
    predicted = np.round(actual / 2 + rng.gamma(1, 10, 1_000), decimals)

    assert metrics.spearman(actual, predicted) == pytest.approx(
        spearmanr(actual, predicted).statistic, rel=1e-10
    )


@pytest.mark.parametrize("is_weighted", [False, True], ids=["rows", "weights"])
def test_the_calibration_line_agrees_with_an_unpenalised_logistic_regression(is_weighted):
    y, p, weight = churn_rows(3, 12)
    weight = weight if is_weighted else None
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000)
    peer.fit(logit(p)[:, None], y, sample_weight=weight)

    line = metrics.calibration_line(y, p, weight=weight)

    assert line.slope == pytest.approx(peer.coef_[0, 0], rel=1e-5)
    assert line.intercept == pytest.approx(peer.intercept_[0], rel=1e-5)


def test_the_calibration_line_is_found_where_a_full_newton_step_overshoots():
    y = np.array([0, 1, 0, 0, 0, 0, 0, 0])
    p = np.array([1e-15, 1e-6, 1 - 1e-12, 1 - 1e-12, 0.7, 1 - 1e-12, 1 - 1e-12, 0.3])
    weight = np.array([1, 1, 1, 1, 1000, 1000, 1, 1000])

    def loss(line):
        margin = line[0] + line[1] * logit(p)
        return weight @ (np.logaddexp(0, margin) - y * margin)

    peer = minimize(loss, [0, 0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    line = metrics.calibration_line(y, p, weight=weight)

    assert [line.intercept, line.slope] == pytest.approx(peer.x, rel=1e-5)


def test_the_debiased_calibration_error_does_not_grow_when_rows_are_few():
    # the truth is 0: in each of 300 samples the plain estimate is noise, the debiased one
    # centres on 0 before the root
    rng = np.random.default_rng(4)
    plain, debiased = [], []
    for _ in range(300):
        p = rng.uniform(0.1, 0.9, 200)
        y = (rng.random(200) < p).astype(float)
        curve = metrics.calibration_curve(y, p, bins=15)
        plain.append(curve.rows @ (curve.observed - curve.predicted) ** 2 / 200)
        debiased.append(metrics.calibration_error(y, p, bins=15) ** 2)

    assert np.mean(plain) > 0.012
    assert np.median(debiased) < 0.001


def test_the_debiased_calibration_error_finds_a_known_gap():
    rng = np.random.default_rng(5)
    p = rng.uniform(0.2, 0.7, 100_000)
    y = (rng.random(100_000) < p + 0.1).astype(float)

    assert metrics.calibration_error(y, p) == pytest.approx(0.1, abs=0.005)


def test_the_interval_score_is_least_for_the_true_central_interval():
    draws = np.random.default_rng(6).normal(size=50_000)

    def score(z):
        return metrics.interval_score(draws, np.full(50_000, -z), np.full(50_000, z), coverage=0.8)

    best = norm.ppf(0.9)
    assert score(best) < min(score(best - 0.2), score(best + 0.2))


def test_a_draw_of_multiplicities_equals_copying_the_rows():
    rng = np.random.default_rng(7)
    customers, rows = 100, 300
    customer = rng.integers(0, customers, rows)
    y = rng.integers(0, 2, rows)
    candidate, baseline = np.round(rng.normal(size=(2, rows)) + y, 1)

    difference = metrics.paired_bootstrap(
        metrics.METRICS["auroc"],
        y,
        candidate=candidate,
        baseline=baseline,
        groups=customer,
        seed=8,
        n=50,
        level=0.8,
    )

    rng = np.random.default_rng(8)
    present = np.unique(customer)
    copied = []
    for _ in range(50):
        drawn = rng.integers(len(present), size=len(present))
        taken = np.concatenate([np.flatnonzero(customer == present[k]) for k in drawn])
        copied.append(
            roc_auc_score(y[taken], candidate[taken]) - roc_auc_score(y[taken], baseline[taken])
        )
    assert [difference.low, difference.high] == pytest.approx(np.quantile(copied, [0.1, 0.9]))


def test_the_bootstrap_interval_covers_the_true_difference_as_often_as_it_says():
    # scores are normal, 1.2 and 0.8 apart between the classes: AUROC = Phi(distance / sqrt 2);
    # a customer's two rows share most of their noise
    truth = norm.cdf(1.2 / np.sqrt(2)) - norm.cdf(0.8 / np.sqrt(2))
    rng = np.random.default_rng(9)
    customers, cutoffs, trials = 250, 2, 250
    customer, cutoff = np.repeat(np.arange(customers), cutoffs), np.tile([1, 2], customers)
    covered = above = 0
    for _ in range(trials):
        y = np.repeat(rng.random(customers) < 0.4, cutoffs)
        own = np.repeat(rng.normal(size=(2, customers)), cutoffs, axis=1)
        noise = np.sqrt(0.9) * own + np.sqrt(0.1) * rng.normal(size=(2, len(y)))
        difference = metrics.paired_bootstrap(
            metrics.METRICS["auroc"],
            y,
            candidate=noise[0] + 1.2 * y,
            baseline=noise[1] + 0.8 * y,
            groups=customer,
            strata=cutoff,
            seed=int(rng.integers(1 << 30)),
            n=120,
            level=0.9,
        )
        covered += difference.low <= truth <= difference.high
        above += difference.low > truth
    # 0.9 and 0.05, give or take 3.3 standard errors of a share among 250
    assert covered / trials == pytest.approx(0.9, abs=0.063)
    assert above / trials == pytest.approx(0.05, abs=0.046)
