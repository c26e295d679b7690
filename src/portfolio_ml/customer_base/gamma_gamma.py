"""Gamma-Gamma: what a customer spends on a purchase day, shrunk towards what everybody spends.

A customer's purchases are Gamma(p, nu) with nu ~ Gamma(q, v), independent of how often they buy.
So the share x z / (v + x z) of x purchases of mean z is Beta(p x, q): the likelihood here.

Fader, Hardie & Lee (2005), RFM and CLV, J. Marketing Research 42(4); Fader & Hardie (2013), "The
Gamma-Gamma model of monetary value" (v is their gamma).
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, psi

from portfolio_ml.customer_base.maximum_likelihood import (
    FittedModel,
    Objective,
    fitted,
    maximise,
    promising,
)
from portfolio_ml.customer_base.purchases import Array
from portfolio_ml.errors import DataError

_STARTS = ((4.0, 3.0, 2.0), (1.0, 2.0, 1.0), (20.0, 10.0, 10.0))


@dataclass(frozen=True)
class GammaGamma(FittedModel):
    """The Gamma-Gamma model of spend.

    Attributes:
        p: Shape of a customer's purchases.
        q: Shape of their scale across customers; at 1 or below, the model's mean is infinite.
        v: Rate of their scale, an amount in the input's unit.
        fallback_mean: What stands in for the population's mean where the model's own is infinite
            or above every customer seen: the mean over the customers. None otherwise.

    Example:
        >>> model = GammaGamma(p=6.25, q=3.74, v=15.44)
        >>> model.expected_spend([2, 1, 0], [22.35, 11.77, 0.0]).round(2)
        array([24.66, 18.92, 35.22])
    """

    kind: ClassVar[str] = "gamma_gamma"
    parameter_names: ClassVar[tuple[str, ...]] = ("p", "q", "v")

    p: float
    q: float
    v: float
    fallback_mean: float | None = None

    @property
    def population_mean(self) -> float:
        """The mean spend per purchase of a customer nothing is known of."""
        if self.fallback_mean is not None:
            return self.fallback_mean
        return self.p * self.v / (self.q - 1) if self.q > 1 else float("inf")

    def expected_spend(self, frequency: npt.ArrayLike, mean_spend: npt.ArrayLike) -> Array:
        """The expected mean spend per purchase day, in the unit of the input.

        A mean of the customer's own and the population's, weighted by p x and q - 1; the
        population's alone where `frequency` is 0 or `mean_spend` is not above 0 (or null). Where
        q is at most 1, the customer's own alone.

        Args:
            frequency: x, the purchases `mean_spend` is the mean of.
            mean_spend: Mean spend over them.
        """
        x, z = np.broadcast_arrays(*_columns(frequency, mean_spend))
        known = _known(x, z)
        own = self.p * np.where(known, x, 0)
        prior = np.where(known, max(self.q - 1, 0), 1)
        everybody = np.where(prior > 0, self.population_mean, 0)  # which may be infinite
        return np.asarray((prior * everybody + own * np.where(known, z, 0)) / (prior + own))

    def row_log_likelihood(self, frequency: npt.ArrayLike, mean_spend: npt.ArrayLike) -> Array:
        """The log density of each mean spend, which must be above 0 and of `frequency` above 0."""
        x, z = _columns(frequency, mean_spend)
        return _log_density(np.log([self.p, self.q, self.v]), x, z)


def fit_gamma_gamma(
    frequency: npt.ArrayLike, mean_spend: npt.ArrayLike, *, weight: npt.ArrayLike | None = None
) -> GammaGamma:
    """The Gamma-Gamma model that makes the mean spends most likely.

    Customers with no repeat purchase or a mean spend not above 0 (or null) are left out.

    Args:
        frequency: x, the repeat purchase days of each customer.
        mean_spend: Mean spend over them.
        weight: How many customers each entry stands for; None: one.

    Raises:
        DataError: No customer is left, a weight is not finite or below 0, or the columns differ
            in length.

    Example:
        >>> fit_gamma_gamma([1, 3, 2, 5, 4], [10.0, 30.0, 14.0, 21.0, 50.0]).at_boundary
        False
    """
    x, z = _columns(frequency, mean_spend)
    w = np.ones(x.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    if x.ndim != 1 or not x.shape == z.shape == w.shape:
        raise DataError("spend takes columns of one length", saw=f"{x.shape}, {z.shape}, {w.shape}")
    if not (np.isfinite(w) & (w >= 0)).all():
        raise DataError("weights must be finite and not below 0")
    known = _known(x, z) & (w > 0)
    if not known.any():
        raise DataError("no customer has a repeat purchase with a spend above 0")
    x, z, w = x[known], z[known], w[known]
    customers = float(w.sum())
    unit = float(np.median(z))
    objective = _objective(x, z / unit, w / customers)
    found = fitted(
        GammaGamma,
        objective,
        maximise(objective, promising(objective, [np.log(start) for start in _STARTS])),
        units=(1, 1, unit),
        customers=customers,
        log_unit=-customers * np.log(unit),
    )
    return _with_credible_mean(found, float(w @ z / customers), float(z.max()))


def _with_credible_mean(model: GammaGamma, mean: float, largest: float) -> GammaGamma:
    if model.population_mean <= 1.01 * largest:
        return model
    remark = (
        f"spend is heavy-tailed (q = {model.q:.3g}): the model's mean is beyond every customer's, "
        f"so the observed mean {mean:.6g} stands in"
    )
    return replace(model, fallback_mean=mean, warnings=(*model.warnings, remark))


def _objective(x: Array, z: Array, w: Array) -> Objective:
    """The mean log-likelihood and its gradient in the log parameters.

    What depends on x alone is summed over the distinct x.
    """
    ns, row = np.unique(x, return_inverse=True)
    w_n, spent, log_z = np.bincount(row, w), x * z, w @ np.log(z)

    def mean_log_likelihood(theta: Array) -> tuple[float, Array]:
        p, q, v = np.exp(theta)
        own, others = w @ (x * np.log1p(v / spent)), w @ np.log1p(spent / v)
        value = -p * own - q * others - w_n @ betaln(p * ns, q) - log_z
        both = psi(p * ns + q)
        slopes = [
            p * (w_n @ (ns * (both - psi(p * ns))) - own),
            q * (w_n @ (both - psi(q)) - others),
            w @ ((q * spent - p * x * v) / (v + spent)),
        ]
        return float(value), np.array(slopes)

    return mean_log_likelihood


def _log_density(theta: Array, x: Array, z: Array) -> Array:
    p, q, v = np.exp(theta)
    odds = x * z / v
    shares = -p * x * np.log1p(1 / odds) - q * np.log1p(odds)
    return np.asarray(shares - betaln(p * x, q) - np.log(z))


def _columns(frequency: npt.ArrayLike, mean_spend: npt.ArrayLike) -> tuple[Array, Array]:
    return np.asarray(frequency, dtype=np.float64), np.asarray(mean_spend, dtype=np.float64)


def _known(x: Array, z: Array) -> npt.NDArray[np.bool_]:
    return np.asarray((x >= 1) & np.isfinite(x) & np.isfinite(z) & (z > 0))
