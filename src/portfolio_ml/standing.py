"""Activity, lifecycle stage and value tier of customers at a date.

- *active*: bought within the activity window.
- *lifecycle stage*: by tenure *new* (up to 1 year), *developing* (up to 2) and *mature*;
  *veteran* is mature and declining, *lapsed* is inactive. The config's `lifecycle` sets other
  limits; no model depends on them.
- *value tier*: by net spend so far, A for the top 10 %, B the next 20 %, C the next 30 %, D the
  rest, parted at the edges frozen in the reference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.config import Lifecycle
from portfolio_ml.engine import Engine, Frame
from portfolio_ml.features.cut import seen_at
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.repurchase import RepurchaseTimes, repurchase_times

ACTIVE_PERCENTILE = 0.9
SHORTEST_WINDOW_DAYS = 28
TIER_NAMES = ("D", "C", "B", "A")
USUAL_LIFECYCLE = Lifecycle()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where customers stand at a date; every array has shape (customers,)."""

    is_active: NDArray[np.bool_]
    lifecycle_stage: NDArray[np.str_]
    value_tier: NDArray[np.str_]


def standing_of(
    rows: pa.Table,
    *,
    activity_days: int,
    tier_edges: Sequence[float],
    lifecycle: Lifecycle = USUAL_LIFECYCLE,
) -> Standing:
    """The standing of the customers in a feature table's rows.

    Args:
        rows: One row per customer, with recency_days, tenure_days, net_spend and spend_trend.
        activity_days: The activity window.
        tier_edges: The net spend that parts the tiers D, C, B and A, ascending.
        lifecycle: The tenures and the trend that part the stages.

    Example:
        >>> rows = pa.table(
        ...     {
        ...         "recency_days": [5.0, 5.0, 300.0],
        ...         "tenure_days": [20.0, 900.0, 900.0],
        ...         "net_spend": [15.0, 1000.0, 40.0],
        ...         "spend_trend": [None, -0.5, None],
        ...     }
        ... )
        >>> standing = standing_of(rows, activity_days=56, tier_edges=(30.0, 80.0, 200.0))
        >>> standing.lifecycle_stage.tolist(), standing.value_tier.tolist()
        (['new', 'veteran', 'lapsed'], ['D', 'A', 'C'])
    """
    recency, tenure, net_spend, trend = (
        rows[name].to_numpy()
        for name in ("recency_days", "tenure_days", "net_spend", "spend_trend")
    )
    is_active = recency < activity_days
    stage = np.select(
        [
            ~is_active,
            tenure <= lifecycle.new_days,
            tenure <= lifecycle.mature_days,
            np.nan_to_num(trend, nan=0.0) < lifecycle.declining_below,
        ],
        ["lapsed", "new", "developing", "veteran"],
        default="mature",
    )
    return Standing(
        is_active=is_active,
        lifecycle_stage=stage,
        value_tier=value_tiers(net_spend, tier_edges),
    )


def value_tiers(net_spend: NDArray[np.float32], tier_edges: Sequence[float]) -> NDArray[np.str_]:
    """The tier of each customer, shape (customers,).

    Args:
        net_spend: Net spend so far, shape (customers,).
        tier_edges: The net spend that parts the tiers D, C, B and A, ascending.

    Example:
        >>> value_tiers(np.array([15.0, 1000.0], np.float32), (30.0, 80.0, 200.0)).tolist()
        ['D', 'A']
    """
    above = net_spend[:, None] > np.asarray(tier_edges, dtype=np.float32)[None, :]
    tiers: NDArray[np.str_] = np.array(TIER_NAMES)[above.sum(axis=1)]
    return tiers


def activity_windows(inputs: Inputs, as_of_days: Sequence[int]) -> dict[int, int]:
    """The activity window at each as-of day, in days.

    It is the time within which 90 % of those who return have bought again, by customer-weighted
    Kaplan-Meier with open gaps as censored, in whole weeks, at least four.
    """
    return {
        day: _whole_weeks(times.percentile(ACTIVE_PERCENTILE))
        for day, times in repurchase_at(inputs, as_of_days).items()
    }


def repurchase_at(inputs: Inputs, as_of_days: Sequence[int]) -> Mapping[int, RepurchaseTimes]:
    """The distribution of the time to the next purchase day, at each as-of day."""
    engine = inputs.engine
    seen = seen_at(inputs, as_of_days).filter(nw.col("is_purchase"))
    customers = seen.group_by("customer", "as_of").agg(
        purchase_days=nw.len(), open_days=nw.col("age_days").min()
    )
    closed = (
        seen.filter(~nw.col("gap_days").is_null())
        .join(customers, on=["customer", "as_of"], how="inner")
        .select("as_of", "purchase_days", days="gap_days")
    )
    still_open = customers.select("as_of", "purchase_days", days="open_days")
    gaps, opens = _counted(closed, engine), _counted(still_open, engine)
    return {day: _times(_on(gaps, day), _on(opens, day)) for day in as_of_days}


def _counted(gaps: Frame, engine: Engine) -> pa.Table:
    """How many gaps are alike: whole numbers, which add up the same in whatever order."""
    keys = ("as_of", "days", "purchase_days")
    return engine.collect(gaps.group_by(*keys).agg(count=nw.len()).sort(*keys))


def _on(table: pa.Table, day: int) -> pa.Table:
    return table.filter(pc.equal(table["as_of"], day))


def _times(closed: pa.Table, still_open: pa.Table) -> RepurchaseTimes:
    gaps = pa.concat_tables([closed, still_open])
    days, purchase_days, count = (
        gaps[name].to_numpy().astype(np.float64) for name in ("days", "purchase_days", "count")
    )
    is_closed = np.repeat([True, False], [closed.num_rows, still_open.num_rows])
    return repurchase_times(days, count / purchase_days, is_closed)


def _whole_weeks(days: float | None) -> int:
    return max(SHORTEST_WINDOW_DAYS, 7 * ceil((days or 0) / 7))
