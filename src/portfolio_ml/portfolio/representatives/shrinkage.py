"""Small groups' results, drawn towards the mean as far as chance can explain their differences.

A group with few cases looks best or worst by luck. Empirical Bayes takes the groups as drawn from
a spread that is estimated from all of them: the fewer cases a group has, and the less the groups
differ beyond chance, the closer its result comes to the mean of its peers.

How far to shrink is not set to its most likely value, which is "all the way" about half the time
when groups do not differ, and then denies all uncertainty. It is averaged over its marginal
likelihood instead, as under uniform shrinkage (Christiansen and Morris 1997, JASA 92, 618-632),
with a prior that leans to less of it: the square root of the shrinkage is uniform. So the 80 %
intervals hold with four groups or more within five points, and hold the truth more often where
there is hardly any spread (`tests/oracle/test_portfolio_shrinkage.py`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, betaln, ndtr, ndtri

Floats = NDArray[np.float64]

INTERVAL = 0.8
"""The chance with which the truth lies in an interval."""
WIDE = float(ndtri(0.5 + INTERVAL / 2))
"""How many standard deviations it reaches to either side."""
DRAWS = 999
"""How often cases are dealt out anew to see how far groups differ by chance alone."""
_EDGES = np.concatenate([[0.0], np.geomspace(1e-8, 0.01, 13), np.linspace(0.02, 1, 50)])
_SHRINKAGE = ((_EDGES[1:] + _EDGES[:-1]) / 2)[:, None]
_PRIOR = np.diff(np.sqrt(_EDGES))[:, None]
"""How far a usual group may be drawn to the mean, and the prior of each."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Results of groups, shrunk; each array of shape (groups,).

    Attributes:
        mean: What is expected of the group.
        sd: How uncertain that is: standard deviation.
        low: The lower end of the 80 % interval.
        high: Its upper end.
        weight: How far the group's own result counts, from 0 (not at all) to 1 (it alone).
    """

    mean: Floats
    sd: Floats
    low: Floats
    high: Floats
    weight: Floats


def rates(successes: ArrayLike, trials: ArrayLike, *, peers: ArrayLike | None = None) -> Shrunk:
    """Shares of successes, shrunk by the beta-binomial model to the share of their peers.

    Each group's true share is drawn from a beta distribution around its peers' share. A group
    without trials is expected to be like its peers.

    Args:
        successes: Per group.
        trials: Per group, at least as many.
        peers: The number of the peer group of each, from 0; None where all are peers.

    Example:
        >>> rates([30, 9, 3, 12], [100, 30, 3, 40]).mean.round(2).tolist()
        [0.31, 0.32, 0.43, 0.31]
    """
    x, n = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    group = _groups(peers, x.size)
    if not n.sum():
        return _of_beta(np.full(x.size, 0.5), np.full(x.size, 1 / 12), np.zeros(x.size))
    strength = _harmonic(n[n > 0]) * _SHRINKAGE / (1 - _SHRINKAGE)
    centre, spread = _centres(x, n, strength, group)
    a, b = strength * centre, strength * (1 - centre)
    likelihood = np.sum(betaln(x + a, n - x + b) - betaln(a, b), axis=1)
    mean = (x + a) / (n + strength)
    shrunk = strength / (n + strength)
    unsure = shrunk**2 * spread
    variance = (mean * (1 - mean) - unsure) / (n + strength + 1) + unsure
    return _of_beta(*_averaged(likelihood, mean, variance, shrunk))


def means(values: ArrayLike, errors: ArrayLike, *, peers: ArrayLike | None = None) -> Shrunk:
    """Means, shrunk by the normal model to the mean of their peers.

    Each group's true mean is drawn from a normal distribution around its peers' mean, and its
    value from one around that with the variance of its error (as in random-effects models; the
    likelihood is the restricted one). A group without a value is expected to be like its peers.

    Args:
        values: Per group; NaN where it has none.
        errors: The standard error of each, above 0; that of a value that is NaN is not read.
        peers: The number of the peer group of each, from 0; None where all are peers. Where none
            of them has a value, all is NaN.

    Example:
        >>> means([10.0, 12.0, 14.0, 30.0], [1.0, 1.0, 1.0, 20.0]).mean.round(1).tolist()
        [10.6, 12.0, 13.4, 12.4]
    """
    y, error = np.asarray(values, np.float64), np.asarray(errors, np.float64)
    group, is_known = _groups(peers, y.size), ~np.isnan(y)
    if not is_known.any():
        nothing = np.full(y.size, np.nan)
        return Shrunk(nothing, nothing, nothing, nothing, np.zeros(y.size))
    v = np.where(is_known, error**2, np.inf)
    spread = _harmonic(v[is_known]) * (1 - _SHRINKAGE) / _SHRINKAGE
    w = 1 / (v + spread)
    told = _by_peers(w, group)
    has_any = told > 0
    total = _by_peers(w * np.where(is_known, y, 0), group)
    centre = np.divide(total, told, out=np.full(told.shape, np.nan), where=has_any)[:, group]
    unsure = np.divide(1.0, told, out=np.full(told.shape, np.nan), where=has_any)
    off = np.where(is_known, y - centre, 0.0)
    logs = np.log(w[:, is_known]).sum(axis=1) - np.log(told[:, has_any[0]]).sum(axis=1)
    likelihood = (logs - np.sum(w * off**2, axis=1)) / 2
    weight = spread * w
    mean = centre + weight * off
    variance = spread * (1 - weight) + (1 - weight) ** 2 * unsure[:, group]
    expected, uncertain, own = _averaged(likelihood, mean, variance, 1 - weight)
    sd = np.sqrt(uncertain)
    return Shrunk(expected, sd, expected - WIDE * sd, expected + WIDE * sd, own)


def chance_of_difference(
    successes: ArrayLike, trials: ArrayLike, *, peers: ArrayLike | None = None, seed: int = 0
) -> float:
    """How likely groups would differ so much by chance alone: an exact permutation test.

    The successes among peers are dealt out anew over their trials, and Pearson's statistic is
    counted. Whoever acts only where this is at most 0.05 acts in at most 5 % of the portfolios in
    which groups do not differ at all, however many of them are looked at.

    Args:
        successes: Per group.
        trials: Per group, at least as many.
        peers: The number of the peer group of each, from 0; None where all are peers.
        seed: Of the deals.

    Example:
        >>> chance_of_difference([90, 10], [100, 100]), chance_of_difference([5, 5], [10, 10])
        (0.001, 1.0)
    """
    x, n = np.asarray(successes, np.int64), np.asarray(trials, np.int64)
    group, rng = _groups(peers, x.size), np.random.default_rng(seed)
    seen, dealt = 0.0, np.zeros(DRAWS)
    for number in np.unique(group[n > 0]):
        among = (group == number) & (n > 0)
        total, won = int(n[among].sum()), int(x[among].sum())
        if among.sum() < 2 or won in (0, total):
            continue
        draws = rng.multivariate_hypergeometric(n[among], won, size=DRAWS, method="marginals")
        share = won / total
        scale = n[among] * share * (1 - share)
        seen += float(np.sum((x[among] - n[among] * share) ** 2 / scale))
        dealt += np.sum((draws - n[among] * share) ** 2 / scale, axis=1)
    as_far = np.count_nonzero(dealt >= seen * (1 - 1e-9))
    return float((1 + as_far) / (1 + DRAWS))


def chance_better(mean: ArrayLike, sd: ArrayLike) -> Floats:
    """The chance that a difference is above 0, from its mean and standard deviation.

    Example:
        >>> chance_better([0.0, 1.0], [1.0, 1.0]).round(2).tolist()
        [0.5, 0.84]
    """
    difference, wide = np.asarray(mean, np.float64), np.asarray(sd, np.float64)
    scaled = np.zeros(np.broadcast(difference, wide).shape)
    np.divide(difference, wide, out=scaled, where=wide > 0)
    return np.asarray(ndtr(scaled), np.float64)


def _groups(peers: ArrayLike | None, size: int) -> NDArray[np.int64]:
    """Whose peer each group is, numbered from 0 without a gap."""
    if peers is None:
        return np.zeros(size, np.int64)
    return np.asarray(np.unique(np.asarray(peers), return_inverse=True)[1], np.int64)


def _by_peers(values: Floats, group: NDArray[np.int64]) -> Floats:
    """The sums over the groups that are peers, shape (grid, peer groups)."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    return np.asarray(np.add.reduceat(values[:, order], starts, axis=1), np.float64)


def _harmonic(values: Floats) -> float:
    return float(values.size / np.sum(1 / values))


def _averaged(
    likelihood: Floats, mean: Floats, variance: Floats, shrunk: Floats
) -> tuple[Floats, Floats, Floats]:
    """Mean, variance and own weight of each group, over the strengths of shrinkage."""
    chance = np.exp(likelihood - likelihood.max())[:, None] * _PRIOR
    chance = chance / chance.sum()
    expected = np.sum(chance * mean, axis=0)
    total = np.sum(chance * (variance + (mean - expected) ** 2), axis=0)
    return expected, total, np.sum(chance * (1 - shrunk), axis=0)


def _centres(
    x: Floats, n: Floats, strength: Floats, group: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """The share of each group's peers and its variance, per strength: shape (grid, groups).

    Weighted by what each group tells of it. One trial with the share of all groups is added, and
    one that half succeeded, which keeps it off 0 and 1 by as much as so few trials can tell; its
    variance is that of a beta distribution of so many trials.
    """
    overall = (x.sum() + 0.5) / (n.sum() + 1)
    told = np.where(n > 0, n * (strength + 1) / (strength + n), 0.0)
    share = np.divide(x, n, out=np.zeros_like(x), where=n > 0)
    weight = _by_peers(told, group) + 2
    centre = (_by_peers(told * share, group) + overall + 0.5) / weight
    return centre[:, group], (centre * (1 - centre) / (weight + 1))[:, group]


def _of_beta(mean: Floats, variance: Floats, weight: Floats) -> Shrunk:
    """The interval of the beta distributions with these means and variances."""
    cases = np.maximum(mean * (1 - mean) / variance - 1, 1e-3)
    low, high = (
        np.asarray(betaincinv(mean * cases, (1 - mean) * cases, q), np.float64)
        for q in (0.5 - INTERVAL / 2, 0.5 + INTERVAL / 2)
    )
    return Shrunk(mean, np.sqrt(variance), low, high, weight)
