"""Value over a horizon that no history could label, from one that it could.

A value learnt over the longest horizon with known outcomes is stretched, customer by customer, by
what the customer-base model expects over both: expected purchases within the long horizon, per
expected purchase within the learnt one. Expected spend is purchases times a ticket that is the same
for both, so their ratio is that of expected spend too.

The ratio lies between 1 and the ratio of the horizons: more time never holds fewer purchases, and
since customers leave, no later day holds more than an earlier one (Schmittlein et al. 1987,
equation 22: expected purchases grow ever more slowly). Under Pareto/NBD it follows from the
parameters and from how long a customer has been one: the chance of having left cancels out. Trend
is not in it, and season only as `seasonality` lays it over the long horizon.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.customer_base import ParetoNBD
from portfolio_ml.models.files import days

Floats = NDArray[np.float64]

TENURE = "tenure_days"


@dataclass(frozen=True, slots=True)
class Extension:
    """What stretches a value to a longer horizon.

    Attributes:
        days: The long horizon.
        purchase_model: Pareto/NBD, in days, as the champion froze it.

    Example:
        >>> extension = Extension(365, ParetoNBD(r=0.4, alpha=45.0, s=0.5, beta=90.0))
        >>> extension.stretch(np.array([30.0, 310.0]), learned_days=90).round(2)
        array([3.13, 3.59])
    """

    days: int
    purchase_model: ParetoNBD

    def stretch(self, tenure_days: Floats, *, learned_days: int) -> Floats:
        """By how much the value within the learnt horizon grows, shape (rows,).

        Args:
            tenure_days: How long each has been a customer, shape (rows,).
            learned_days: The horizon that was learnt, shorter than `days`.
        """
        none, age = np.zeros(len(tenure_days)), np.maximum(0.0, tenure_days)
        _, short = self.purchase_model.forecast(none, none, age, horizon=learned_days)
        _, long = self.purchase_model.forecast(none, none, age, horizon=self.days)
        ratio = np.divide(long, short, out=np.ones_like(long), where=short > 0)
        return np.clip(ratio, 1.0, self.days / learned_days)

    def to_dict(self) -> dict[str, Any]:
        """The extension as plain JSON values."""
        return {"days": self.days, "purchase_model": self.purchase_model.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Extension":
        """The extension that `to_dict` gave."""
        return cls(days(values["days"]), ParetoNBD.from_dict(values["purchase_model"]))
