"""What customers bought over time, by month: the pictures of their purchases, before they are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import narwhals as nw
import numpy as np
import pandas as pd

from portfolio_ml.features.cut import seen_at
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.schema import MONEY_SCALE
from portfolio_ml.timeline import to_date, to_day

MONTHS = 36
"""So many calendar months are told, the month of the as-of date included."""
FEWEST_GAPS = 4
_LOW, _HIGH = 0.1, 0.9


@dataclass(frozen=True, slots=True)
class Month:
    """What a customer bought in a month; months without a purchase or return are left out.

    Attributes:
        first_day: Of the month.
        spend: Net of returns, currency units.
        purchase_days: Days with a purchase.
    """

    first_day: date
    spend: float
    purchase_days: int


@dataclass(frozen=True, slots=True)
class Purchases:
    """What a customer bought up to a date.

    Attributes:
        first_day: The first purchase day.
        last_day: The last one.
        purchase_days: Days with a purchase.
        spend: Net of returns, currency units, of all history.
        months: The last `MONTHS` months in which there was anything, ascending.
        next_from: From which day on the next purchase is usual: after the last one, the gap that
            one in ten of the customer's own gaps fell short of; None with fewer than `FEWEST_GAPS`.
        next_to: Until when: the gap that one in ten exceeded; likewise.
    """

    first_day: date
    last_day: date
    purchase_days: int
    spend: float
    months: tuple[Month, ...]
    next_from: date | None
    next_to: date | None


def purchases_of(
    inputs: Inputs, customer_ids: Sequence[str], *, as_of: date
) -> Mapping[str, Purchases]:
    """What some customers bought up to a date; nothing for those without a purchase by then.

    Args:
        inputs: The portfolio's tables.
        customer_ids: Whose.
        as_of: The last day to see.
    """
    some = inputs.only(customer_ids)
    seen = seen_at(some, [to_day(as_of)]).join(some.customers, on="customer", how="inner")
    columns = ("customer_id", "day", "is_purchase", "spend", "returned")
    days = some.engine.collect(seen.select(*(nw.col(name) for name in columns))).to_pandas()
    days["net"] = (days["spend"] - days["returned"]) / MONEY_SCALE
    days["date"] = pd.to_datetime(days["day"], unit="D")
    earliest = (pd.Period(as_of, "M") - (MONTHS - 1)).start_time
    days = days.sort_values(["customer_id", "day"])
    told = {}
    for customer_id, own in days.groupby("customer_id", sort=False):
        bought = own.loc[own["is_purchase"], "day"].to_numpy()
        if bought.size:
            low, high = _usual(bought)
            told[str(customer_id)] = Purchases(
                first_day=to_date(int(bought[0])),
                last_day=to_date(int(bought[-1])),
                purchase_days=int(bought.size),
                spend=float(own["net"].sum()),
                months=_months(own[own["date"] >= earliest]),
                next_from=low,
                next_to=high,
            )
    return told


def _usual(bought: np.ndarray) -> tuple[date | None, date | None]:
    """Between which days the next purchase is usual, by the customer's own gaps."""
    gaps = np.diff(bought)
    if gaps.size < FEWEST_GAPS:
        return None, None
    low, high = np.quantile(gaps, [_LOW, _HIGH])
    last = to_date(int(bought[-1]))
    return last + timedelta(days=round(low)), last + timedelta(days=round(high))


def _months(own: pd.DataFrame) -> tuple[Month, ...]:
    first_day = own["date"].dt.to_period("M").dt.start_time
    sums = own.groupby(first_day)[["net", "is_purchase"]].sum()
    return tuple(
        Month(pd.Timestamp(day).date(), float(net), int(count))
        for day, net, count in zip(sums.index, sums["net"], sums["is_purchase"], strict=True)
    )
