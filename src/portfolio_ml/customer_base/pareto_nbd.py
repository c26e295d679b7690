"""Pareto/NBD: the customer leaves at a moment of their own, purchase or not.

While alive, a customer buys at rate lambda ~ Gamma(r, alpha); the lifetime is exponential with
rate mu ~ Gamma(s, beta). Schmittlein, Morrison & Colombo (1987), Management Science 33(1); the
likelihood as in Fader & Hardie (2005), "A note on deriving the Pareto/NBD model", with its
hypergeometric functions undone: the chance of having left is an integral over when.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit, exprel

from portfolio_ml.customer_base.integrals import decay
from portfolio_ml.customer_base.maximum_likelihood import Objective
from portfolio_ml.customer_base.purchase_model import (
    PurchaseModel,
    fit_purchase_model,
    log_rising,
    rising_slope,
)
from portfolio_ml.customer_base.purchases import Array, Histories, PurchaseCounts

_STARTS = ((0.5, 0.5, 0.6, 0.6), (2.0, 1.0, 0.3, 1.0), (1.0, 2.0, 1.0, 3.0), (1.0, 1.0, 0.1, 1e-4))


@dataclass(frozen=True)
class ParetoNBD(PurchaseModel):
    """The Pareto/NBD model.

    Attributes:
        r: Shape of the purchase rate across customers.
        alpha: Its rate, a time in the input's unit: the mean rate is r / alpha.
        s: Shape of the rate of leaving.
        beta: Its rate, a time in the input's unit: the mean rate is s / beta.

    Example:
        >>> model = ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669)
        >>> model.expected_purchases(26, 30.86, 31, horizon=[13, 52]).round(2)
        array([ 7.62, 25.46])
        >>> model.p_alive([0, 2], [0, 30.43], 38.86).round(3)
        array([0.295, 0.869])
    """

    kind: ClassVar[str] = "pareto_nbd"
    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "s", "beta")
    times: ClassVar[frozenset[str]] = frozenset({"alpha", "beta"})

    r: float
    alpha: float
    s: float
    beta: float

    def _log_odds_gone(self, histories: Histories) -> Array:
        theta = np.log([self.r, self.alpha, self.s, self.beta])
        x, t_x, T = (np.ravel(each) for each in (histories.x, histories.t_x, histories.T))
        return _gone(theta, x, t_x, T)[0].reshape(histories.x.shape)

    def _log_likelihood(self, histories: Histories) -> Array:
        x, T = histories.x, histories.T
        bought = log_rising(self.r, x) - self.r * np.log1p(T / self.alpha)
        lived = -self.s * np.log1p(T / self.beta)
        gone = np.logaddexp(0, self._log_odds_gone(histories))
        return np.asarray(bought - x * np.log(self.alpha + T) + lived + gone)

    def _purchases_if_alive(self, histories: Histories, horizon: Array) -> Array:
        """The mean rate times the mean time alive: the integral of (1 + u/B)^-s."""
        B = self.beta + histories.T
        w = np.log1p(horizon / B)
        rate = (self.r + histories.x) / (self.alpha + histories.T)
        return np.asarray(rate * B * w * exprel((1 - self.s) * w))

    def _p_purchase_if_alive(self, histories: Histories, horizon: Array) -> Array:
        """The integral over when the next purchase comes, the customer alive until then."""
        R, A, B = self.r + histories.x, self.alpha + histories.T, self.beta + histories.T
        columns = (np.ravel(each) for each in np.broadcast_arrays(A, R + 1, B, self.s, horizon))
        when = decay(*columns).log_integral.reshape(horizon.shape)
        return np.asarray(R / A * np.exp(when))


def fit_pareto_nbd(counts: PurchaseCounts) -> ParetoNBD:
    """The Pareto/NBD model that makes the purchase counts most likely.

    Example:
        >>> from portfolio_ml.customer_base.purchases import group_purchases
        >>> counts = group_purchases(
        ...     [0, 1, 1, 2, 4, 9], [0, 5, 35, 10, 38, 30], T=40, weight=[50, 10, 10, 6, 5, 3]
        ... )
        >>> model = fit_pareto_nbd(counts)
        >>> round(model.log_likelihood, 1), model.warnings
        (-339.1, ())
    """
    return fit_purchase_model(ParetoNBD, counts, objective_of=_objective, starts=_STARTS)


def _objective(counts: PurchaseCounts) -> Objective:
    """The mean log-likelihood and its gradient in the log parameters."""
    h, w = counts.histories, counts.weight / counts.customers
    ns, row = np.unique(h.x, return_inverse=True)
    w_n = np.bincount(row, w)

    def mean_log_likelihood(theta: Array) -> tuple[float, Array]:
        r, alpha, s, beta = np.exp(theta)
        log_odds, slopes = _gone(theta, h.x, h.t_x, h.T)
        gone = w * expit(log_odds)
        by_T = np.log1p(h.T / alpha), np.log1p(h.T / beta)
        kept = -r * by_T[0] - h.x * np.log(alpha + h.T) - s * by_T[1]
        value = w @ (kept + np.logaddexp(0, log_odds)) + w_n @ log_rising(r, ns)
        alive = np.array(
            [
                r * (w_n @ rising_slope(r, ns) - w @ by_T[0]),
                w @ ((r * h.T - alpha * h.x) / (alpha + h.T)),
                -s * (w @ by_T[1]),
                w @ (s * h.T / (beta + h.T)),
            ]
        )
        return float(value), alive + slopes @ gone

    return mean_log_likelihood


def _gone(theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
    """The log odds of having left, and their gradient in the log parameters, shape (4, n).

    A derivative of the integral is a mean over when the customer left.
    """
    r, alpha, s, beta = np.exp(theta)
    R, span, bought, lived = r + x, T - t_x, alpha + t_x, beta + t_x
    when = decay(bought, R, lived, np.full_like(R, s + 1), span)
    silence = np.log1p(span / bought), np.log1p(span / lived)
    log_odds = np.log(s / lived) + when.log_integral + R * silence[0] + s * silence[1]
    slopes = np.array(
        [
            r * (silence[0] - when.mean_logs[0]),
            alpha * R * (1 / (alpha + T) - when.mean_shares[0] / bought),
            1 + s * (silence[1] - when.mean_logs[1]),
            beta * (s / (beta + T) - (s + 1) * when.mean_shares[1] / lived),
        ]
    )
    return log_odds, slopes
