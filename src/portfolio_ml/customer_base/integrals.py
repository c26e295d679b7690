"""The two integrals the models cannot do without, stable for any parameters.

Textbooks write both as Gauss hypergeometric functions, whose floating-point versions lose all
digits, overflow or divide by 0 where parameters are large or cancel. Here the integrand is
positive, analytic within pi of the real axis of a logarithmic variable, and summed there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import expit

from portfolio_ml.customer_base.purchases import Array

_NEGLIGIBLE = 30.0
"""An integrand is cut where it falls to exp(-30) of its peak."""

_CERTAIN = 1e15
"""Where both shapes of a Beta are larger, only their ratio makes a difference to a mean."""

_LEGENDRE_NODES, _LEGENDRE_WEIGHTS = leggauss(32)
_LOG_WEIGHTS = np.log(_LEGENDRE_WEIGHTS)
_STEPS = np.linspace(0.0, 1.0, 97)
_ROWS_AT_ONCE = 256
"""Their nodes stay in the processor's cache, which makes them twice as fast as larger blocks."""


@dataclass(frozen=True, slots=True, eq=False)
class Decay:
    """The integral J below, and means over t with its integrand as the density.

    ```text
    J = integral from 0 to span of (1 + t/m1)^-p1 (1 + t/m2)^-p2 dt
    ```

    Attributes:
        log_integral: The logarithm of J, -inf where `span` is 0.
        mean_logs: The means of log(1 + t/m1) and of log(1 + t/m2).
        mean_shares: The means of 1/(1 + t/m1) and of 1/(1 + t/m2).
    """

    log_integral: Array
    mean_logs: tuple[Array, Array]
    mean_shares: tuple[Array, Array]


def decay(m1: Array, p1: Array, m2: Array, p2: Array, span: Array) -> Decay:
    """The integral of `Decay` for each row.

    Args:
        m1: Shape (n,), above 0, in every row at most or in every row at least `m2`.
        p1: Shape (n,), above 0.
        m2: Shape (n,), above 0.
        p2: Shape (n,), above 0.
        span: Shape (n,), not below 0.

    Example:
        >>> one = np.ones(1)
        >>> np.exp(decay(one, 2 * one, one, one, one).log_integral)  # of (1 + t)^-3
        array([0.375])
    """
    if not np.all(m1 <= m2):
        other = decay(m2, p2, m1, p1, span)
        return Decay(other.log_integral, other.mean_logs[::-1], other.mean_shares[::-1])
    columns = (m1, p1, m2, p2, span)
    parts = [_decay_of_block(*(each[at, None] for each in columns)) for at in _blocks(span.size)]
    log_integral, *means = np.concatenate([np.empty((5, 0)), *parts], axis=1)
    return Decay(log_integral, (means[0], means[1]), (means[2], means[3]))


def _decay_of_block(m1: Array, p1: Array, m2: Array, p2: Array, span: Array) -> Array:
    """`Decay` in five rows: Gauss-Legendre in log(1 + t/m1), where the integrand is log-concave.

    Columns come in shape (n, 1), `m1` at most `m2`; the nodes stand along the second axis.
    """
    end = _negligible_beyond(p1, m1 / m2, p2, np.log1p(span / m1))
    log1 = end * (_LEGENDRE_NODES + 1) / 2
    t = m1 * np.expm1(log1)
    log2 = np.log1p(t / m2)
    log_f = _LOG_WEIGHTS - (p1 - 1) * log1 - p2 * log2
    peak = log_f.max(axis=1, keepdims=True)
    f = np.exp(log_f - peak)
    total = f.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):  # over no time, the integral is 0
        log_integral = np.ravel(peak + np.log(total * m1 * end / 2))
    f /= total
    averaged = log1, log2, m1 / (m1 + t), m2 / (m2 + t)
    return np.array([log_integral, *(np.einsum("ij,ij->i", each, f) for each in averaged)])


def _negligible_beyond(p1: Array, theta: Array, p2: Array, end: Array) -> Array:
    """Where in omega = log(1 + t/m1) the integrand has died away, at most `end`.

    Its logarithm is concave: it falls at least as fast as its first slope, and as its tail.
    """
    slope = (p1 - 1) + theta * p2
    tail = (_NEGLIGIBLE + np.maximum(1 - p1, 0) * end) / p2
    with np.errstate(divide="ignore", over="ignore"):  # infinite: no cut
        by_slope = np.where(slope > 0, _NEGLIGIBLE / slope, np.inf)
        by_tail = np.log1p(np.expm1(tail) / theta)
    return np.asarray(np.minimum(end, np.minimum(by_slope, by_tail)))


def mean_purchases(shape: Array, reach: Array, a: float, c: Array) -> Array:
    """The mean of (1 - (1 + p s)^-R) / p over p ~ Beta(a, c): purchases until one leaves.

    `R` is `shape` and `s` is `reach`. The integrand g falls smoothly from R s at p = 0. The chord
    from g(0) to g(1) has a mean in closed form; what is left below it vanishes at both ends, so
    a trapezoid rule in logit(p) over Beta(a + 1, c + 1) needs few nodes, even for a near 0.

    Args:
        shape: Shape (n,), above 0.
        reach: Shape (n,), not below 0.
        a: Above 0.
        c: Shape (n,), above 0.

    Returns:
        Shape (n,), between g(1) and g(0).

    Example:
        >>> one = np.ones(1)
        >>> mean_purchases(2 * one, one, 1e-9, one).round(6)  # nobody leaves: R s
        array([2.])
    """
    distinct, row = np.unique(c, return_inverse=True)
    wider = np.maximum(1.0, np.minimum(a, distinct) / _CERTAIN)
    first, second = a / wider, distinct / wider
    p, q, weight = _logit_nodes(first + 1, second + 1)
    below = np.empty_like(shape)
    none, all_ = shape * reach, -np.expm1(-shape * np.log1p(reach))
    for at in _blocks(shape.size):
        p_at, q_at = p[row[at]], q[row[at]]
        R, s = shape[at, None], reach[at, None]
        g = -np.expm1(-R * np.log1p(p_at * s)) / p_at
        chord = none[at, None] * q_at + all_[at, None] * p_at
        below[at] = ((chord - g) / (p_at * q_at) * weight[row[at]]).sum(axis=1)
    n = first + second
    leaves, stays, sag = (
        each[row] for each in (first / n, second / n, first / n * second / (n + 1))
    )
    return np.asarray(np.maximum(stays * none + leaves * all_ - sag * below, all_))


def _logit_nodes(a: Array, c: Array) -> tuple[Array, Array, Array]:
    """Nodes p, 1 - p and weights summing to 1 for the mean over Beta(a, c), a and c above 1."""
    left, right = _reach(a, c, -1.0), _reach(a, c, 1.0)
    step = (left + right)[:, None] * _STEPS - left[:, None]
    y = np.log(a / c)[:, None] + step
    log_density, _ = _beyond_mode(a[:, None], c[:, None], step)
    weight = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    return expit(y), expit(-y), weight / weight.sum(axis=1, keepdims=True)


def _reach(a: Array, c: Array, side: float) -> Array:
    """How far beside its mode, in logit(p), the density of Beta(a, c) is negligible.

    It falls ever faster; Newton's steps start beyond the root and stay there.

    Args:
        a: Shape (n,), above 1.
        c: Shape (n,), above 1.
        side: -1 below the mode, 1 above it.
    """
    k = _NEGLIGIBLE * (1 / a + 1 / c)
    d = np.asarray((k + np.sqrt(k * (k + 8))) / 2)
    for _ in range(6):
        log_density, slope = _beyond_mode(a, c, side * d)
        d = d - (log_density + _NEGLIGIBLE) / (side * slope)
    return d


def _beyond_mode(a: Array, c: Array, step: Array) -> tuple[Array, Array]:
    """The log density of Beta(a, c) in logit(p), a step from its mode and 0 there, and its slope.

    Told by the smaller of both shapes: the terms of the larger one cancel.
    """
    less, n, way = np.minimum(a, c), a + c, np.where(a < c, 1.0, -1.0)
    grown = np.expm1(way * step)
    share = less / n
    slope = -way * less * (np.maximum(a, c) / n) * grown / (1 + share * grown)
    return less * (way * step) - n * np.log1p(share * grown), slope


def _blocks(rows: int) -> Iterator[slice]:
    """Slices that together cover the rows, so that the nodes of many rows need little memory."""
    return (slice(start, start + _ROWS_AT_ONCE) for start in range(0, rows, _ROWS_AT_ONCE))
