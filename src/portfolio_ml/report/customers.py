"""What the customer rows say of the portfolio: five numbers, its sections, and whom to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.models.reasons.codes import sentences
from portfolio_ml.report.number import finite, share

STAGES = ("new", "developing", "mature", "veteran", "lapsed")
TIERS = ("A", "B", "C", "D")
SHOWN = 20
_PLACE = "place"


@dataclass(frozen=True, slots=True)
class Headline:
    """The portfolio in five numbers; money in currency units.

    Attributes:
        customers: Customers with a purchase in history.
        active_customers: Those who bought within the activity window.
        active_share: Their share; None without customers.
        expected_value: Net spend expected within the value horizon: the customers' sum.
        value_at_risk: The active customers' sum.
        expected_churners: Active customers expected to buy nothing within the churn horizon:
            the sum of their probabilities; None without active customers.
    """

    customers: int
    active_customers: int
    active_share: float | None
    expected_value: float | None
    value_at_risk: float | None
    expected_churners: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """One section of the portfolio.

    Attributes:
        name: What its customers share.
        customers: How many they are.
        customer_share: Their share of all customers.
        active_share: The active ones' share of them.
        mean_p_churn: Mean churn probability of the active ones; None without any.
        ltv_total: Net spend expected of them within the value horizon, currency units.
        ltv_share: Its share of the portfolio's; None where that is not above 0.
    """

    name: str
    customers: int
    customer_share: float | None
    active_share: float | None
    mean_p_churn: float | None
    ltv_total: float | None
    ltv_share: float | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What is usual among the customers of a segment; medians, None where nobody has a value.

    Attributes:
        name: The segment's name.
        customers: How many they are.
        revenue_share: Their share of all net spend so far; None where that is not above 0.
        recency_days: Days since the last purchase day.
        purchase_days: Days with a purchase.
        ticket: Spend per order, currency units.
    """

    name: str
    customers: int
    revenue_share: float | None
    recency_days: float | None
    purchase_days: float | None
    ticket: float | None


@dataclass(frozen=True, slots=True)
class Attention:
    """A customer with much to lose; the fields are those of the customer row.

    `reasons` has a sentence for each of the row's churn reasons.
    """

    customer_id: str
    value_tier: str
    lifecycle_stage: str
    segment_name: str
    p_churn: float | None
    reasons: tuple[str, ...]
    ltv: float | None
    ltv_low: float | None
    ltv_high: float | None
    value_at_risk: float
    expected_next_order_date: date | None


@dataclass(frozen=True, slots=True)
class Abstention:
    """How many customers' scores carry a code that says what they rest on."""

    code: str
    customers: int


def headline(rows: pa.Table) -> Headline:
    """The five numbers of `schema.CUSTOMER_ROWS`."""
    active = pc.sum(rows["is_active"]).as_py() or 0
    return Headline(
        customers=rows.num_rows,
        active_customers=active,
        active_share=share(active, rows.num_rows),
        expected_value=_sum(rows, "ltv"),
        value_at_risk=_sum(rows, "value_at_risk"),
        expected_churners=_sum(rows, "p_churn"),
    )


def segments(rows: pa.Table) -> tuple[Group, ...]:
    """The segments, by their number."""
    return _groups(rows, "segment_name", _segment_names(rows))


def segment_profiles(rows: pa.Table, features: pa.Table) -> tuple[Profile, ...]:
    """What the segments' customers are like, by the segments' numbers.

    Args:
        rows: The customer rows.
        features: The features behind them, of the same customers in the same order.
    """
    revenue = _sum(features, "net_spend")
    shown = ("net_spend", "recency_days", "purchase_days", "ticket")
    told = features.select([name for name in shown if name in features.column_names])
    found = []
    for name in _segment_names(rows):
        own = told.filter(pc.equal(rows["segment_name"], name))
        found.append(
            Profile(
                name=name,
                customers=own.num_rows,
                revenue_share=share(_sum(own, "net_spend"), revenue),
                recency_days=_median(own, "recency_days"),
                purchase_days=_median(own, "purchase_days"),
                ticket=_median(own, "ticket"),
            )
        )
    return tuple(found)


def segment_groups(profiles: Sequence[Mapping[str, Any]]) -> tuple[Group, ...]:
    """The segments from their model's profiles: name, customers, ltv and p_churn of each."""
    customers = sum(profile["customers"] for profile in profiles)
    value = sum(profile["ltv"] for profile in profiles)
    return tuple(
        Group(
            name=profile["name"],
            customers=profile["customers"],
            customer_share=share(profile["customers"], customers),
            active_share=None,
            mean_p_churn=profile["p_churn"],
            ltv_total=profile["ltv"],
            ltv_share=share(profile["ltv"], value),
        )
        for profile in profiles
    )


def lifecycle_stages(rows: pa.Table) -> tuple[Group, ...]:
    """The lifecycle stages that have customers, from new to lapsed."""
    return _groups(rows, "lifecycle_stage", STAGES)


def value_tiers(rows: pa.Table) -> tuple[Group, ...]:
    """The value tiers that have customers, from A to D."""
    return _groups(rows, "value_tier", TIERS)


def attention(rows: pa.Table, features: pa.Table) -> tuple[Attention, ...]:
    """The active customers of the highest value at risk, if above 0; ties by customer.

    Args:
        rows: The customer rows.
        features: The features behind them, of the same customers in the same order.
    """
    worth = rows.select(["value_at_risk", "customer_id"])
    placed = worth.append_column(_PLACE, pa.array(np.arange(rows.num_rows)))
    at_risk = placed.filter(
        pc.and_(pc.is_finite(rows["value_at_risk"]), pc.greater(rows["value_at_risk"], 0))
    )
    ordered = at_risk.sort_by([("value_at_risk", "descending"), ("customer_id", "ascending")])
    first = ordered[_PLACE].slice(0, SHOWN).combine_chunks()
    shown = rows.take(first).append_column(_PLACE, first)
    return tuple(
        Attention(
            customer_id=row["customer_id"],
            value_tier=row["value_tier"],
            lifecycle_stage=row["lifecycle_stage"],
            segment_name=row["segment_name"],
            p_churn=finite(row["p_churn"]),
            reasons=sentences(row["churn_reasons"], features.slice(row[_PLACE], 1)),
            ltv=finite(row["ltv"]),
            ltv_low=finite(row["ltv_low"]),
            ltv_high=finite(row["ltv_high"]),
            value_at_risk=row["value_at_risk"],
            expected_next_order_date=row["expected_next_order_date"],
        )
        for row in shown.to_pylist()
    )


def abstentions(rows: pa.Table) -> tuple[Abstention, ...]:
    """The codes that scores carry, by code; none where nothing was held back."""
    counts = pc.value_counts(rows["abstention"].drop_null()).to_pylist()
    return tuple(
        Abstention(count["values"], count["counts"])
        for count in sorted(counts, key=lambda count: str(count["values"]))
    )


def _groups(rows: pa.Table, column: str, order: Sequence[str]) -> tuple[Group, ...]:
    """One group per value of the column, in the given order, then by name."""
    table = rows.group_by(column, use_threads=False).aggregate(
        [([], "count_all"), ("is_active", "sum"), ("p_churn", "mean"), ("ltv", "sum")]
    )
    place = {name: number for number, name in enumerate(order)}
    found = sorted(
        table.to_pylist(), key=lambda row: (place.get(row[column], len(place)), row[column])
    )
    whole = _sum(rows, "ltv")
    return tuple(
        Group(
            name=row[column],
            customers=row["count_all"],
            customer_share=share(row["count_all"], rows.num_rows),
            active_share=share(row["is_active_sum"], row["count_all"]),
            mean_p_churn=finite(row["p_churn_mean"]),
            ltv_total=finite(row["ltv_sum"]),
            ltv_share=share(finite(row["ltv_sum"]), whole),
        )
        for row in found
    )


def _segment_names(rows: pa.Table) -> tuple[str, ...]:
    names = rows.group_by(["segment_id", "segment_name"], use_threads=False).aggregate([])
    return tuple(dict.fromkeys(names.sort_by("segment_id")["segment_name"].to_pylist()))


def _median(features: pa.Table, column: str) -> float | None:
    values = features[column].drop_null().to_numpy()
    return finite(np.median(values)) if len(values) else None


def _sum(rows: pa.Table, column: str) -> float | None:
    return finite(pc.sum(rows[column]).as_py())
