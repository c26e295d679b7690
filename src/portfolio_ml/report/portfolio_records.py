"""The rows of the portfolio's figures that the page tells, frozen.

A record's fields are named and meant like the columns of its figure's table
(`docs/reference/portfolio.md`).
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Section:
    """One section, as in `sections`."""

    section: str
    customers: int
    active: int
    active_share: float
    revenue: float
    revenue_share: float | None
    average_ticket: float | None
    repurchase_days: float | None
    margin_share: float | None
    churn: float | None
    value_at_risk: float | None


@dataclass(frozen=True, slots=True)
class Dimension:
    """What parts the customers, with its sections.

    Attributes:
        name: Such as `region` or `region x value_tier`.
        sections: At most as many as the page tells, the largest revenue first.
        left_out: How many further sections there are.
        customers: Of all its sections.
        value_at_risk: Of all its sections; None without scores.
    """

    name: str
    sections: tuple[Section, ...]
    left_out: int
    customers: int
    value_at_risk: float | None


@dataclass(frozen=True, slots=True)
class Concentrated:
    """How concentrated revenue is at a moment, as in `concentration`."""

    day: date
    customers: int
    revenue: float
    top_customers: int
    top_share: float
    core_customers: int
    core_customer_share: float
    gini: float
    largest_share: float
    largest_10_share: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The share of revenue from the largest customers, as in `lorenz`."""

    customer_share: float
    largest_hold: float


@dataclass(frozen=True, slots=True)
class Transition:
    """One way from a stage of then to one of now, as in `transitions`."""

    stage_then: str
    stage: str
    customers: int
    revenue_then: float
    revenue: float


@dataclass(frozen=True, slots=True)
class FlowPart:
    """One part of the flow, as in `flow`."""

    part: str
    customers: int
    customers_change: int
    value_change: float


@dataclass(frozen=True, slots=True)
class Month:
    """One month, as in `monthly_flow`."""

    month: str
    last_day: date
    recruited: int
    reactivated: int
    lost: int
    active_end: int
    value_end: float


@dataclass(frozen=True, slots=True)
class CohortPeriod:
    """One cohort in one period of 90 days, as in `cohorts`."""

    cohort: str
    period: str
    customers: int
    bought: int | None
    share: float | None


@dataclass(frozen=True, slots=True)
class Projected:
    """One measure on a day to come, as in `projection`."""

    measure: str
    day: date
    expected: float
    low: float
    high: float
    if_repeated: float | None
    if_unchanged: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the portfolio is healthy, as in `health`."""

    verdict: str
    reasons: str
    value_recruited: float
    value_reactivated: float
    value_lost: float
    inflow_to_lost: float | None
    inflow_to_lost_low: float | None
    inflow_to_lost_high: float | None
    value_change: float | None
    new_customers: int
    reached_developing: int
    developing_share: float | None


@dataclass(frozen=True, slots=True)
class Potential:
    """What the customers of a group spend less than its good ones, summed from `potential`.

    Attributes:
        peer_group: Whom they are compared with.
        customers: Those below the 75th percentile.
        revenue: Theirs, of the last 365 days.
        potential_gap: What they would have to spend more to be at it.
        expected_gain: What may come of it; None where that is known of none of them.
    """

    peer_group: str
    customers: int
    revenue: float
    potential_gap: float
    expected_gain: float | None


@dataclass(frozen=True, slots=True)
class Reach:
    """How many reached what good peers spend, as in `potential_reach`."""

    place: str
    customers: int
    reached: int
    reached_share: float | None
    reached_low: float
    reached_high: float
