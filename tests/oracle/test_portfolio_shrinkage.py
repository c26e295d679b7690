"""Shrunk results against published figures, and against worlds whose truth is known."""

import numpy as np
import pytest
from scipy.stats import beta

from portfolio_ml.portfolio.representatives.shrinkage import (
    chance_better,
    chance_of_difference,
    means,
    rates,
)

pytestmark = pytest.mark.oracle

# Hits of 18 batters in their first 45 at bats of 1970, and their average over the rest of the
# season: Efron & Morris (1977), Stein's paradox in statistics, Scientific American 236, table 1.
HITS = np.array([18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7])
REST = np.array(
    [.346, .298, .276, .222, .273, .270, .263, .210, .269, .230, .264, .256, .303, .264, .226,
     .286, .316, .200]
)  # fmt: skip
JAMES_STEIN = np.array(
    [.294, .289, .285, .280, .275, .275, .270, .266, .261, .261, .256, .256, .256, .256, .256,
     .252, .247, .242]
)  # fmt: skip


def test_batting_averages_come_within_six_points_of_the_published_james_stein_estimates():
    average = HITS / 45
    overall = average.mean()
    error = np.full(18, np.sqrt(overall * (1 - overall) / 45))

    assert means(average, error).mean == pytest.approx(JAMES_STEIN, abs=0.006)
    assert rates(HITS, np.full(18, 45)).mean == pytest.approx(JAMES_STEIN, abs=0.006)


def test_shrunk_batting_averages_are_three_and_a_half_times_as_exact_as_published():
    shrunk = rates(HITS, np.full(18, 45))

    raw = np.sum((HITS / 45 - REST) ** 2)
    assert raw / np.sum((shrunk.mean - REST) ** 2) == pytest.approx(3.5, abs=0.15)


@pytest.mark.parametrize(
    ("groups", "strength", "share"), [(4, 20, 0.3), (8, 5, 0.9), (17, 20, 0.3), (17, 200, 0.1)]
)
def test_intervals_of_rates_hold_the_truth_four_times_in_five(groups, strength, share):
    rng = np.random.default_rng(groups)
    held, errors = [], []
    for _ in range(150):
        trials = rng.integers(1, 80, groups)
        truth = rng.beta(strength * share, strength * (1 - share), groups)
        won = rng.binomial(trials, truth)
        found = rates(won, trials)
        held.append((found.low <= truth) & (truth <= found.high))
        errors.append([(found.mean - truth) ** 2, (won / trials - truth) ** 2])

    assert 0.75 < np.mean(held) < 0.97
    shrunk, raw = np.mean(errors, axis=(0, 2))
    assert shrunk < 0.7 * raw


@pytest.mark.parametrize(("groups", "spread"), [(4, 1.0), (6, 2.0), (17, 0.5), (17, 0.0)])
def test_intervals_of_means_hold_the_truth_four_times_in_five(groups, spread):
    rng = np.random.default_rng(groups)
    held = []
    for _ in range(200):
        error = rng.uniform(0.2, 1.5, groups)
        truth = rng.normal(3, spread, groups)
        found = means(rng.normal(truth, error), error)
        held.append((found.low <= truth) & (truth <= found.high))

    assert 0.75 < np.mean(held) < 0.99


def test_where_groups_are_alike_chance_is_called_by_its_name_in_nineteen_of_twenty_worlds():
    rng = np.random.default_rng(3)
    peers = np.repeat(np.arange(5), 12)
    share = np.repeat([0.2, 0.3, 0.4, 0.5, 0.6], 12)
    found = []
    for _ in range(60):
        trials = rng.integers(1, 40, 60)
        won = rng.binomial(trials, share)
        found.append(chance_of_difference(won, trials, peers=peers) <= 0.05)

    assert np.mean(found) <= 0.13  # 0.05 expected; 8 of 60 would be 3 standard errors off


def test_the_chance_to_be_better_is_that_of_the_beta_posteriors():
    found = rates([30, 45, 12, 20], [100, 100, 30, 70])
    scale = found.mean * (1 - found.mean) / found.sd**2 - 1
    grid = (np.arange(2000) + 0.5) / 2000
    first = beta(found.mean[1] * scale[1], (1 - found.mean[1]) * scale[1]).ppf(grid)
    second = beta(found.mean[0] * scale[0], (1 - found.mean[0]) * scale[0])

    exact = second.cdf(first).mean()
    normal = chance_better(found.mean[1] - found.mean[0], np.hypot(found.sd[0], found.sd[1]))
    assert normal == pytest.approx(exact, abs=0.005)
