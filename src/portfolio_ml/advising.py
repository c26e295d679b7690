"""What past campaigns advise: the threshold that would have earned most, and how sure that is.

Every threshold is tried on the cutoffs as they were, and on customers drawn anew from them: what
the best one earns more on the customers who chose it than on others is taken off (Efron 1983).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.acting import Advice, Campaigns, Economics, Estimate, Floats, Point, Verdict
from portfolio_ml.metrics import draws

LEVEL = 0.9
CURVE_POINTS = 41
_ENDS = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]


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


def _estimate(value: float, drawn: Floats, *, less: float = 0.0) -> Estimate:
    low, high = np.quantile(drawn, _ENDS)
    return Estimate(float(value - less), float(low - less), float(high - less))


def _value_bias(campaigns: Campaigns) -> float:
    bought = ~campaigns.churned & ~np.isnan(campaigns.value)
    actual = float(campaigns.value[bought].sum())
    return float(campaigns.value_if_buys[bought].sum()) / actual - 1 if actual > 0 else np.nan


def _finite(threshold: float) -> float | None:
    return float(threshold) if np.isfinite(threshold) else None
