"""What every model of purchases promises: chances and counts from a purchase history.

Conditional on being alive at T, the purchase rate is Gamma(r + x, alpha + T) in all of them; they
differ in how customers leave.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit, gammaln, psi

from portfolio_ml.customer_base.maximum_likelihood import (
    FittedModel,
    Objective,
    fitted,
    maximise,
    promising,
)
from portfolio_ml.customer_base.purchases import Array, Histories, PurchaseCounts

_REHEARSAL_ROWS = 500


@dataclass(frozen=True, kw_only=True)
class PurchaseModel(FittedModel, ABC):
    """A buy-till-you-die model: purchases at a constant rate until the customer leaves unseen.

    `x`, `t_x` and `T` are columns as in `Histories`, `horizon` is a time not below 0 in their
    unit; all broadcast against each other. A method returns an array of the common shape. It
    raises DataError for an impossible history, ValueError for an impossible horizon.
    """

    times: ClassVar[frozenset[str]]
    """The parameters that are times, in the unit of the input."""

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Array:
        """The probability that the customer has not left by T."""
        return np.asarray(expit(-self._log_odds_gone(Histories.of(x, t_x, T))))

    def expected_purchases(
        self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, horizon: npt.ArrayLike
    ) -> Array:
        """The expected number of purchase days in (T, T + horizon]."""
        histories, ahead = _aligned(x, t_x, T, horizon)
        p_alive = expit(-self._log_odds_gone(histories))
        return np.asarray(p_alive * self._purchases_if_alive(histories, ahead))

    def p_no_purchase(
        self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, horizon: npt.ArrayLike
    ) -> Array:
        """The probability of no purchase in (T, T + horizon]."""
        histories, ahead = _aligned(x, t_x, T, horizon)
        p_alive = expit(-self._log_odds_gone(histories))
        return np.clip(1 - p_alive * self._p_purchase_if_alive(histories, ahead), 0, 1)

    def forecast(
        self,
        x: npt.ArrayLike,
        t_x: npt.ArrayLike,
        T: npt.ArrayLike,
        *,
        horizon: npt.ArrayLike,
    ) -> tuple[Array, Array]:
        """`p_alive` and `expected_purchases`, from one computation of the former."""
        histories, ahead = _aligned(x, t_x, T, horizon)
        p_alive = np.asarray(expit(-self._log_odds_gone(histories)))
        return p_alive, np.asarray(p_alive * self._purchases_if_alive(histories, ahead))

    def row_log_likelihood(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Array:
        """The log-likelihood of each history, per unit of time to the power of x."""
        return self._log_likelihood(Histories.of(x, t_x, T))

    @abstractmethod
    def _log_odds_gone(self, histories: Histories) -> Array:
        """The log odds of having left by T; -inf where that cannot be."""

    @abstractmethod
    def _log_likelihood(self, histories: Histories) -> Array: ...

    @abstractmethod
    def _purchases_if_alive(self, histories: Histories, horizon: Array) -> Array: ...

    @abstractmethod
    def _p_purchase_if_alive(self, histories: Histories, horizon: Array) -> Array: ...


Model = TypeVar("Model", bound=PurchaseModel)


def fit_purchase_model(
    model: type[Model],
    counts: PurchaseCounts,
    *,
    objective_of: Callable[[PurchaseCounts], Objective],
    starts: Sequence[Sequence[float]],
) -> Model:
    """The model that makes the purchase counts most likely.

    Args:
        model: Which model.
        counts: The customers, in any unit of time.
        objective_of: The model's likelihood of counts.
        starts: Parameters to start from, for a mean age of 1. They compete, on every n-th row
            where there are many, and the search goes on from the best with all.
    """
    unit = counts.mean_age
    scaled = counts.rescaled(unit)
    rehearsal = objective_of(scaled.thinned(_REHEARSAL_ROWS))
    rehearsed = promising(rehearsal, [np.log(start) for start in starts])
    start = np.clip(rehearsed, -3, 3)  # further out the likelihood may be flat
    objective = objective_of(scaled)
    return fitted(
        model,
        objective,
        maximise(objective, start),
        units=[unit if name in model.times else 1 for name in model.parameter_names],
        customers=counts.customers,
        log_unit=-float(counts.weight @ counts.frequency) * np.log(unit),
    )


def log_rising(r: float, n: Array) -> Array:
    """The logarithm of r (r + 1) ... (r + n - 1).

    Example:
        >>> log_rising(2.0, np.array([0.0, 3.0])).round(6)  # log(2 * 3 * 4)
        array([0.      , 3.178054])
    """
    return np.asarray(gammaln(r + n) - gammaln(r))


def rising_slope(r: float, n: Array) -> Array:
    """The derivative of `log_rising` with respect to r."""
    return np.asarray(psi(r + n) - psi(r))


def _aligned(
    x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, horizon: npt.ArrayLike
) -> tuple[Histories, Array]:
    ahead = np.asarray(horizon, dtype=np.float64)
    if not (np.isfinite(ahead) & (ahead >= 0)).all():
        raise ValueError("a horizon must be finite and not below 0")
    histories = Histories.of(x, t_x, T)
    *columns, ahead = np.broadcast_arrays(histories.x, histories.t_x, histories.T, ahead)
    return Histories(*columns), ahead
