"""Whom to act on: what a retention campaign would have earned, and the threshold that it advises.

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

from portfolio_ml.metrics import draws

Floats = NDArray[np.float64]
Verdict = Literal["pays", "flat", "capacity", "everybody", "unsure", "never"]

SMALLEST_CHANCE = 0.02
"""Below this chance of a purchase, value is not divided by it any further."""
LEVEL = 0.9
CURVE_POINTS = 41


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


def advise(
    campaigns: Campaigns, economics: Economics, *, n: int, seed: int, weight: float = 1.0
) -> Advice:
    """The threshold that would have earned most at the past cutoffs, and how sure that is.

    Args:
        campaigns: The customers who could have been acted on; those without value at risk are
            left out.
        economics: What a contact costs and brings.
        n: How often customers are drawn anew.
        seed: Decides the draws.
        weight: How many customers each one stands for: contacts, capacity and profits are those
            of the whole portfolio.
    """
    ranked = _Ranked.of(campaigns, economics, weight)
    places = np.unique(np.linspace(0, len(ranked.thresholds) - 1, CURVE_POINTS).round().astype(int))
    own = ranked.profits(ranked.weight)
    best = ranked.best(own)
    marks = np.array([best, ranked.place(economics.break_even), len(own.within) - 1])
    chosen, optimism, marked, curves = [], [], [], []
    for multiplicity in draws(len(ranked.weight), n, seed):
        drawn = ranked.profits(multiplicity * ranked.weight)
        its_best = ranked.best(drawn)
        chosen.append(ranked.thresholds[its_best])
        optimism.append(drawn.within[its_best] - own.within[its_best])
        marked.append(drawn.within[marks])
        curves.append(drawn.unlimited[places])
    too_much = max(0.0, float(np.mean(optimism)))
    advised, even, everybody = np.array(marked).T
    profits = own.within[marks]
    best_profit = _estimate(profits[0], advised, less=too_much)
    over_everybody = _estimate(profits[0] - profits[2], advised - everybody, less=too_much)
    low, high = np.quantile(chosen, _ENDS, method="inverted_cdf")
    contacts = own.contacts_within[marks]
    return Advice(
        economics=economics,
        advised=Point(_finite(ranked.thresholds[best]), float(contacts[0]), best_profit),
        break_even=Point(economics.break_even, float(contacts[1]), _estimate(profits[1], even)),
        everybody=Point(0.0, float(contacts[2]), _estimate(profits[2], everybody)),
        threshold_low=_finite(low),
        threshold_high=_finite(high),
        candidates=float(own.contacts[-1]),
        optimism=too_much,
        over_everybody=over_everybody,
        over_break_even=_estimate(profits[0] - profits[1], advised - even, less=too_much),
        value_bias=_value_bias(campaigns),
        verdict=_verdict(own, best, best_profit, over_everybody),
        curve=tuple(
            Point(
                _finite(ranked.thresholds[place]),
                float(own.contacts[place]),
                Estimate(float(own.unlimited[place]), float(lower), float(upper)),
            )
            for place, lower, upper in zip(places, *np.quantile(curves, _ENDS, axis=0), strict=True)
        ),
    )


_ENDS = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]


@dataclass(frozen=True, slots=True)
class _Profits:
    """Per threshold, contacts and profit a campaign, with and without regard to capacity."""

    contacts: Floats
    unlimited: Floats
    contacts_within: Floats
    within: Floats


@dataclass(frozen=True, slots=True)
class _Ranked:
    """The rows with value at risk, most first; the first threshold is that for nobody.

    Attributes:
        thresholds: The distinct values at risk, descending, after infinity.
        ends: How many rows reach each threshold.
        earned: What acting on each row earned.
        customer: Each row's place among the customers.
        cutoffs: The places of each cutoff's rows, of which there may be none.
        capacity: How many contacts a campaign has.
        weight: How many customers each one stands for.
    """

    thresholds: Floats
    ends: NDArray[np.intp]
    earned: Floats
    customer: NDArray[np.intp]
    cutoffs: tuple[NDArray[np.intp], ...]
    capacity: float
    weight: Floats

    @classmethod
    def of(cls, campaigns: Campaigns, economics: Economics, weight: float) -> "_Ranked":
        worth = campaigns.value_at_risk
        order = np.argsort(-worth, kind="stable")
        order = order[worth[order] > 0]
        worth = worth[order]
        ends = np.flatnonzero(np.diff(worth, append=-1.0) != 0) + 1
        kept = campaigns.churned[order] * campaigns.value_if_buys[order]
        customers, place = np.unique(campaigns.customer, return_inverse=True)
        days = campaigns.cutoff[order]
        return cls(
            thresholds=np.concatenate([[np.inf], worth[ends - 1]]),
            ends=np.concatenate([[0], ends]),
            earned=kept * economics.success_rate * economics.margin_share - economics.contact_cost,
            customer=place[order],
            cutoffs=tuple(np.flatnonzero(days == day) for day in np.unique(campaigns.cutoff)),
            capacity=np.inf if economics.capacity is None else economics.capacity,
            weight=np.full(len(customers), weight),
        )

    def profits(self, times: Floats) -> _Profits:
        """Profits when each customer counts that often."""
        weight = times[self.customer]
        within = weight
        if np.isfinite(self.capacity):
            within = np.empty_like(weight)
            for rows in self.cutoffs:
                before = np.cumsum(weight[rows]) - weight[rows]
                within[rows] = np.clip(self.capacity - before, 0, weight[rows])
        return _Profits(
            contacts=self._added(weight),
            unlimited=self._added(weight * self.earned),
            contacts_within=self._added(within),
            within=self._added(within * self.earned),
        )

    def best(self, profits: _Profits) -> int:
        """The threshold that earns most; of several, that which leaves nobody out for nothing."""
        if profits.within.max() <= 0:
            return 0
        top = np.flatnonzero(profits.within == profits.within.max())
        contacts = profits.contacts_within[top]
        return int(top[contacts == contacts.max()][0])

    def place(self, threshold: float) -> int:
        """The place of the last threshold that is not below the given one."""
        return int(np.searchsorted(-self.thresholds, -threshold, side="right")) - 1

    def _added(self, values: Floats) -> Floats:
        total: Floats = np.concatenate([[0.0], np.cumsum(values)])[self.ends] / len(self.cutoffs)
        return total


def _verdict(own: _Profits, best: int, profit: Estimate, over_everybody: Estimate) -> Verdict:
    if best == 0:
        return "never"
    if profit.low <= 0:
        return "unsure"
    if own.contacts[np.argmax(own.unlimited)] > own.contacts_within[-1]:
        return "capacity"
    if best == len(own.within) - 1:
        return "everybody"
    return "flat" if over_everybody.low <= 0 else "pays"


def _point(values: Mapping[str, Any]) -> Point:
    return Point(**{**values, "profit": Estimate(**values["profit"])})


def _estimate(value: float, drawn: Floats, *, less: float = 0.0) -> Estimate:
    low, high = np.quantile(drawn, _ENDS)
    return Estimate(float(value - less), float(low - less), float(high - less))


def _value_bias(campaigns: Campaigns) -> float:
    bought = ~campaigns.churned & ~np.isnan(campaigns.value)
    actual = float(campaigns.value[bought].sum())
    return float(campaigns.value_if_buys[bought].sum()) / actual - 1 if actual > 0 else np.nan


def _finite(threshold: float) -> float | None:
    return float(threshold) if np.isfinite(threshold) else None
