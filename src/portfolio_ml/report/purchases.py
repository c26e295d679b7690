"""What customers bought over time, by month: the picture of their purchases before it is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any

import narwhals as nw
import numpy as np

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
    found = some.engine.collect(seen.select(*(nw.col(name) for name in columns)))
    earliest = _months_before(as_of, MONTHS - 1)
    days = found.sort_by([("customer_id", "ascending"), ("day", "ascending")]).to_pylist()
    told = {each: _told([*own], earliest) for each, own in groupby(days, _CUSTOMER)}
    return {each: purchases for each, purchases in told.items() if purchases is not None}


def _told(own: Sequence[Mapping[str, Any]], earliest: date) -> Purchases | None:
    """What one customer bought, from its days; None without a purchase."""
    bought = [int(row["day"]) for row in own if row["is_purchase"]]
    if not bought:
        return None
    months: dict[date, tuple[float, int]] = {}
    total = 0.0
    for row in own:
        net = (row["spend"] - row["returned"]) / MONEY_SCALE
        first_day = to_date(int(row["day"])).replace(day=1)
        spend, count = months.get(first_day, (0.0, 0))
        months[first_day] = (spend + net, count + int(row["is_purchase"]))
        total += net
    low, high = _usual(bought)
    return Purchases(
        first_day=to_date(bought[0]),
        last_day=to_date(bought[-1]),
        purchase_days=len(bought),
        spend=total,
        months=tuple(Month(day, *held) for day, held in months.items() if day >= earliest),
        next_from=low,
        next_to=high,
    )


def _usual(bought: Sequence[int]) -> tuple[date | None, date | None]:
    """Between which days the next purchase is usual, by the customer's own gaps."""
    gaps = np.diff(bought)
    if gaps.size < FEWEST_GAPS:
        return None, None
    low, high = np.quantile(gaps, [_LOW, _HIGH])
    return to_date(bought[-1] + round(low)), to_date(bought[-1] + round(high))


def _months_before(day: date, count: int) -> date:
    """The first day of the month that lies so many months before that of a day."""
    months = day.year * 12 + day.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)


_CUSTOMER = itemgetter("customer_id")
