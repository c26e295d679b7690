"""Whom to act on: what acting costs and brings, past campaigns, and what they advise.

Customers are ranked by what acting on them is worth, their value at risk. A contact costs what it
costs; it keeps an actual churner with the given chance, who then brings the margin of what such
customers spend (Neslin et al. 2006; Verbeke et al. 2012). Whether a customer churned is what
happened; what a churner would have spent nobody saw, so there the prediction stands, and
`value_bias` says how far it was off among those who did buy.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Verdict = Literal["pays", "flat", "capacity", "everybody", "unsure", "never"]

SMALLEST_CHANCE = 0.02
"""Below this chance of a purchase, value is not divided by it any further."""


def value_if_buys(value: Floats, p_churn: Floats, *, horizons_ratio: float) -> Floats:
    """The value expected within the churn horizon, given a purchase, shape (customers,).

    Args:
        value: Expected value within the value horizon, currency units.
        p_churn: P(no purchase within the churn horizon).
        horizons_ratio: The churn horizon over the value horizon.

    Example:
        >>> value_if_buys(np.array([10.0]), np.array([0.75]), horizons_ratio=0.5)
        array([20.])
    """
    given: Floats = value * horizons_ratio / np.maximum(1 - p_churn, SMALLEST_CHANCE)
    return given


@dataclass(frozen=True, slots=True)
class Economics:
    """What a contact costs and brings.

    Attributes:
        contact_cost: What one contact costs, currency units.
        success_rate: The share of would-be churners whom a contact keeps.
        margin_share: The share of value that is left after costs.
        capacity: How many customers can be contacted in one campaign; None for any number.

    Example:
        >>> Economics(contact_cost=2.0, success_rate=0.2, margin_share=0.5).break_even
        20.0
    """

    contact_cost: float
    success_rate: float
    margin_share: float = 1.0
    capacity: int | None = None

    @property
    def break_even(self) -> float:
        """The value at risk that pays for a contact, if all predictions hold."""
        return self.contact_cost / (self.success_rate * self.margin_share)


@dataclass(frozen=True, slots=True)
class Campaigns:
    """Whom could have been acted on at past cutoffs, and what came; arrays have shape (rows,).

    Attributes:
        cutoff: The cutoff's day.
        customer: A number per customer.
        p_churn: P(no purchase within the churn horizon), as predicted at the cutoff.
        value_if_buys: Value within the churn horizon, given a purchase, as predicted.
        churned: Whether the customer then bought nothing.
        value: What then came within the churn horizon, where that is known; NaN where it is not.
    """

    cutoff: NDArray[np.int32]
    customer: NDArray[np.int64]
    p_churn: Floats
    value_if_buys: Floats
    churned: NDArray[np.bool_]
    value: Floats

    @property
    def value_at_risk(self) -> Floats:
        """What acting on a customer is worth, before success, margin and cost."""
        return self.p_churn * self.value_if_buys


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its central 90 % bootstrap interval over customers."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Point:
    """What acting from one threshold on would have earned: means over the cutoffs' campaigns.

    Attributes:
        threshold: The least value at risk that is acted on; None for nobody.
        contacts: The customers contacted.
        profit: What that would have earned, currency units, with its interval.
    """

    threshold: float | None
    contacts: float
    profit: Estimate


@dataclass(frozen=True, slots=True)
class Advice:
    """The threshold that would have earned most in the backtest, and how sure that is.

    Attributes:
        economics: What a contact costs and brings.
        advised: The threshold that earned most, within capacity; its profit is less the optimism.
        break_even: The threshold that the predictions alone would set, within capacity.
        everybody: Acting on all with value at risk, within capacity.
        threshold_low: Lower end of the advised threshold's 90 % bootstrap interval.
        threshold_high: Its upper end. Both are None where such draws advise to act on nobody.
        candidates: Customers with value at risk, the mean over cutoffs.
        optimism: How much more a threshold earns on the customers who chose it than on others;
            by the bootstrap (Efron 1983).
        over_everybody: What the advised threshold earns more than acting on all.
        over_break_even: What it earns more than the break-even. Both less the optimism.
        value_bias: Predicted over actual value of those who did buy, minus 1; NaN where unknown.
        verdict: `pays`; `flat` where it is not shown to beat acting on all; `everybody` where
            that earned most; `capacity` where more contacts than it allows would have;
            `unsure` where the profit is not shown to lie above zero; `never` where no threshold
            earned anything.
        curve: The profit curve, from nobody to everybody, without regard to capacity.
    """

    economics: Economics
    advised: Point
    break_even: Point
    everybody: Point
    threshold_low: float | None
    threshold_high: float | None
    candidates: float
    optimism: float
    over_everybody: Estimate
    over_break_even: Estimate
    value_bias: float
    verdict: Verdict
    curve: tuple[Point, ...]

    @property
    def threshold(self) -> float | None:
        """The least value at risk to act on; None where acting never paid."""
        return self.advised.threshold

    def to_dict(self) -> dict[str, Any]:
        """The advice as plain JSON values."""
        bias = None if np.isnan(self.value_bias) else self.value_bias
        return asdict(self) | {"value_bias": bias, "curve": [asdict(p) for p in self.curve]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Advice":
        """The advice that `to_dict` gave."""
        bias = values["value_bias"]
        parts = {
            "economics": Economics(**values["economics"]),
            "value_bias": np.nan if bias is None else bias,
            "curve": tuple(map(_point, values["curve"])),
        }
        parts |= {name: _point(values[name]) for name in ("advised", "break_even", "everybody")}
        parts |= {n: Estimate(**values[n]) for n in ("over_everybody", "over_break_even")}
        return cls(**{each.name: values[each.name] for each in fields(cls)} | parts)


def _point(values: Mapping[str, Any]) -> Point:
    return Point(**{**values, "profit": Estimate(**values["profit"])})
