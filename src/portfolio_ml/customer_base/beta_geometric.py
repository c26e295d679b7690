"""BG/NBD and MBG/NBD: after a purchase, the customer leaves with a probability of their own.

While alive, a customer buys at rate lambda ~ Gamma(r, alpha). After each repeat purchase a coin
is tossed: with probability p ~ Beta(a, b) the customer leaves for good. In the MBG/NBD a coin is
tossed after the first purchase too, so that one-time buyers may be gone as well.

Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2);
Batislam, Denizel & Filiztekin (2007), Int. J. Research in Marketing 24(3).
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from scipy.special import expit

from portfolio_ml.customer_base.integrals import mean_purchases
from portfolio_ml.customer_base.maximum_likelihood import Objective
from portfolio_ml.customer_base.purchase_model import (
    PurchaseModel,
    fit_purchase_model,
    log_rising,
    rising_slope,
)
from portfolio_ml.customer_base.purchases import Array, Histories, PurchaseCounts

_STARTS = ((0.5, 0.5, 0.8, 2.5), (2.0, 1.0, 0.3, 5.0), (1.0, 2.0, 2.0, 1.0), (0.5, 0.5, 10.0, 50.0))


@dataclass(frozen=True)
class BetaGeo(PurchaseModel):
    """The BG/NBD model. A one-time buyer is always alive: rank by `expected_purchases`.

    Attributes:
        r: Shape of the purchase rate across customers.
        alpha: Its rate, a time in the input's unit: the mean rate is r / alpha.
        a: First shape of the probability to leave; its mean is a / (a + b).
        b: Second shape.

    Example:
        >>> model = BetaGeo(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> model.expected_purchases(2, 30.43, 38.86, horizon=[13, 39]).round(3)
        array([0.457, 1.226])
        >>> model.p_alive([0, 2], [0, 30.43], 38.86).round(3)
        array([1.   , 0.727])
    """

    kind: ClassVar[str] = "bg_nbd"
    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    times: ClassVar[frozenset[str]] = frozenset({"alpha"})
    tosses_at_start: ClassVar[int] = 0

    r: float
    alpha: float
    a: float
    b: float

    def _log_odds_gone(self, histories: Histories) -> Array:
        theta = np.log([self.r, self.alpha, self.a, self.b])
        return _log_odds_gone(theta, histories, self._tosses(histories))

    def _tosses(self, histories: Histories) -> Array:
        return histories.x + self.tosses_at_start

    def _log_likelihood(self, histories: Histories) -> Array:
        x, T, tosses = histories.x, histories.T, self._tosses(histories)
        bought = log_rising(self.r, x) - self.r * np.log1p(T / self.alpha)
        stayed = log_rising(self.b, tosses) - log_rising(self.a + self.b, tosses)
        left = np.logaddexp(0, self._log_odds_gone(histories))
        return np.asarray(bought - x * np.log(self.alpha + T) + stayed + left)

    def _purchases_if_alive(self, histories: Histories, horizon: Array) -> Array:
        reach = horizon / (self.alpha + histories.T)
        c = self.b + self._tosses(histories)
        return mean_purchases(
            np.ravel(self.r + histories.x), np.ravel(reach), self.a, np.ravel(c)
        ).reshape(reach.shape)

    def _p_purchase_if_alive(self, histories: Histories, horizon: Array) -> Array:
        reach = horizon / (self.alpha + histories.T)
        return np.asarray(-np.expm1(-(self.r + histories.x) * np.log1p(reach)))


@dataclass(frozen=True)
class ModifiedBetaGeo(BetaGeo):
    """The MBG/NBD model: as BG/NBD, and a customer may leave after the first purchase too.

    Example:
        >>> model = ModifiedBetaGeo(r=0.525, alpha=6.183, a=0.891, b=1.614)
        >>> model.p_alive([0, 2], [0, 30.43], 38.86).round(3)
        array([0.39 , 0.706])
    """

    kind: ClassVar[str] = "mbg_nbd"
    tosses_at_start: ClassVar[int] = 1


def fit_bg_nbd(counts: PurchaseCounts) -> BetaGeo:
    """The BG/NBD model that makes the purchase counts most likely.

    Example:
        >>> from portfolio_ml.customer_base.purchases import group_purchases
        >>> counts = group_purchases(
        ...     [0, 1, 1, 2, 4, 9], [0, 5, 35, 10, 38, 30], T=40, weight=[50, 10, 10, 6, 5, 3]
        ... )
        >>> model = fit_bg_nbd(counts)
        >>> round(model.log_likelihood, 1), model.warnings
        (-338.0, ())
    """
    objective_of = partial(_objective, tosses_at_start=BetaGeo.tosses_at_start)
    return fit_purchase_model(BetaGeo, counts, objective_of=objective_of, starts=_STARTS)


def fit_mbg_nbd(counts: PurchaseCounts) -> ModifiedBetaGeo:
    """The MBG/NBD model that makes the purchase counts most likely."""
    objective_of = partial(_objective, tosses_at_start=ModifiedBetaGeo.tosses_at_start)
    return fit_purchase_model(ModifiedBetaGeo, counts, objective_of=objective_of, starts=_STARTS)


def _objective(counts: PurchaseCounts, *, tosses_at_start: int) -> Objective:
    """The mean log-likelihood and its gradient in the log parameters.

    What depends on x alone is summed over the distinct x.
    """
    h, w = counts.histories, counts.weight / counts.customers
    tosses = h.x + tosses_at_start
    ns, row = np.unique(h.x, return_inverse=True)
    w_n, n_tosses = np.bincount(row, w), ns + tosses_at_start

    def mean_log_likelihood(theta: Array) -> tuple[float, Array]:
        r, alpha, a, b = np.exp(theta)
        log_odds = _log_odds_gone(theta, h, tosses)
        gone = expit(log_odds)
        bought = -r * np.log1p(h.T / alpha) - h.x * np.log(alpha + h.T)
        stayed = log_rising(b, n_tosses) - log_rising(a + b, n_tosses)
        value = w @ (bought + np.logaddexp(0, log_odds)) + w_n @ (log_rising(r, ns) + stayed)
        all_ = rising_slope(a + b, n_tosses)
        span = (h.T - h.t_x) / (alpha + h.t_x)
        by_r = w_n @ rising_slope(r, ns) + w @ (gone * np.log1p(span) - np.log1p(h.T / alpha))
        by_alpha = w @ ((r * h.T - alpha * h.x - gone * (r + h.x) * alpha * span) / (alpha + h.T))
        by_a = w @ gone - a * (w_n @ all_)
        by_b = b * (w_n @ (rising_slope(b, n_tosses) - all_) - w @ (gone / _last_toss(b, tosses)))
        return float(value), np.array([r * by_r, by_alpha, by_a, by_b])

    return mean_log_likelihood


def _log_odds_gone(theta: Array, histories: Histories, tosses: Array) -> Array:
    """The log odds of having left after the last purchase, against all the silence since."""
    r, alpha, _, b = np.exp(theta)
    silence = np.log1p((histories.T - histories.t_x) / (alpha + histories.t_x))
    return np.asarray(theta[2] - np.log(_last_toss(b, tosses)) + (r + histories.x) * silence)


def _last_toss(b: float, tosses: Array) -> Array:
    """The second shape before the last toss; infinite where no coin was tossed."""
    return b + np.where(tosses > 0, tosses - 1, np.inf)
