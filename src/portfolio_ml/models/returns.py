"""The share of spend that comes back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PRIOR_TICKETS = 5.0


@dataclass(frozen=True, slots=True)
class Returns:
    """The share of spend that comes back, shrunk from a customer's own to the portfolio's.

    Attributes:
        rate: The portfolio's returned share.
        prior_spend: The spend, currency units, that the portfolio's rate counts for.

    Example:
        >>> Returns(rate=0.2, prior_spend=100).of(np.array([0.0, 300.0]), np.array([0.0, 150.0]))
        array([0.2  , 0.425])
    """

    rate: float
    prior_spend: float

    def __post_init__(self) -> None:
        if not (0 <= self.rate <= 1 and 0 < self.prior_spend < np.inf):
            raise ValueError(f"no return rate: {self.rate}, prior spend {self.prior_spend}")

    def of(self, spend: Floats, net_spend: Floats) -> Floats:
        """The expected returned share per customer, in [0, 1], shape (rows,)."""
        returned = np.maximum(0.0, spend - net_spend)
        share = (returned + self.rate * self.prior_spend) / np.maximum(
            1e-9, spend + self.prior_spend
        )
        return np.clip(share, 0.0, 1.0)


def returns_of(spend: float, returned: float, prior_spend: float) -> Returns:
    """The portfolio's returned share of these totals."""
    rate = min(1.0, float(returned) / float(spend)) if spend else 0.0
    return Returns(rate=rate, prior_spend=prior_spend)


def prior_spend_of(tickets: Floats) -> float:
    """The spend that a portfolio's rate counts for, of its customers' mean spend per order."""
    return PRIOR_TICKETS * max(float(np.median(tickets)), 1e-6)
