"""One row per customer and day: what the lines of a day add up to, and the purchase days around it.

It knows no as-of date.
"""

from collections.abc import Collection, Sequence

import narwhals as nw
import pyarrow as pa

from portfolio_ml.engine import Engine, Frame
from portfolio_ml.features.calendar import DAY_PARTS
from portfolio_ml.schema import QUANTITY_SCALE
from portfolio_ml.timeline import Span, to_date

RECENT_PURCHASE_DAYS = 3
MINUTES_PER_HOUR = 60


def days_of(lines: Frame, columns: Collection[str], span: Span, engine: Engine) -> Frame:
    """One row per customer and day with lines.

    Columns: customer, day, is_purchase, orders, lines, spend and returned (1/10,000 currency
    unit), those that optional columns add (see `feature.Stage`), weekday and month, gap_days since
    the purchase day before, and the days of the purchase days after it that tell which ones are
    the last at an as-of day. Counts and money are whole numbers as float64, which add up to the
    same in whatever order as long as they stay below 2**53, and faster than as integers.

    Args:
        lines: One row per line, with `customer`.
        columns: Their optional columns.
        span: The days that they lie in.
        engine: Where they are computed.
    """
    days = _per_day(lines, columns, engine)
    if "product_id" in columns:
        days = days.join(_first_bought(lines), on=["customer", "day"], how="left")
        days = days.with_columns(nw.col("new_products").fill_null(0))
    days = days.join(_calendar(span, engine), on="day", how="left")
    day, is_purchase = nw.col("day"), nw.col("is_purchase")

    def over(value: nw.Expr) -> nw.Expr:
        return value.over("customer", "is_purchase", order_by="day")

    return days.with_columns(
        gap_days=nw.when(is_purchase).then(day - over(day.shift(1))),
        next_day=over(day.shift(-1)),
        third_next_day=over(day.shift(-RECENT_PURCHASE_DAYS)),
    )


def _per_day(lines: Frame, columns: Collection[str], engine: Engine) -> Frame:
    """One row per customer and day, with what its lines add up to.

    Without order ids each line is an order.
    """
    bought, has_orders = nw.col("amount") >= 0, "order_id" in columns
    counted = _order_range(bought) if has_orders else {}
    days = lines.group_by("customer", "day").agg(**counted, **_sums(columns))
    if has_orders:
        days = _with_orders(engine.keep(days), lines)
    else:
        days = days.with_columns(orders=nw.col("lines"))
    return days.with_columns(is_purchase=nw.col("lines") > 0)


def _order_range(bought: nw.Expr) -> dict[str, nw.Expr]:
    """The first and last order id of a day; whether lines have none, who are one order."""
    order_id = nw.col("order_id")
    told = nw.when(bought).then(order_id)
    return {
        "_first": told.min(),
        "_last": told.max(),
        "_untold": (bought & order_id.is_null()).any().cast(nw.Float64),
    }


def _with_orders(days: Frame, lines: Frame) -> Frame:
    """The days with their orders: mostly one, and only otherwise are the lines counted."""
    first, keys = nw.col("_first"), ["customer", "day"]
    several = days.filter(first != nw.col("_last")).select(*keys)
    bought = lines.filter((nw.col("amount") >= 0) & ~nw.col("order_id").is_null())
    counted = (
        bought.join(several, on=keys, how="semi")
        .group_by(*keys)
        .agg(_several=nw.col("order_id").n_unique().cast(nw.Float64))
    )
    single = (~first.is_null()).cast(nw.Float64)
    joined = days.join(counted, on=keys, how="left").with_columns(
        orders=nw.coalesce(nw.col("_several"), single) + nw.col("_untold")
    )
    return joined.drop("_first", "_last", "_untold", "_several")


def _sums(columns: Collection[str]) -> dict[str, nw.Expr]:
    """What lines add up to, by the names of the day table's columns."""
    have, amount = {*columns}, nw.col("amount").cast(nw.Float64)
    bought = nw.col("amount") >= 0
    sums = {
        "lines": bought.cast(nw.Float64).sum(),
        "spend": _sum(amount, bought),
        "returned": _sum(-amount, ~bought),
    }
    if "quantity" in have:
        units = (nw.col("quantity").abs().fill_null(0) * QUANTITY_SCALE).round()
        sums["units"] = _sum(units, bought)
    if "discount" in have:
        taken = nw.col("discount").fill_null(0).cast(nw.Float64)
        sums |= {
            "discount": _sum(taken, bought),
            "discounted_lines": (bought & (taken > 0)).cast(nw.Float64).sum(),
        }
    if "cost" in have:
        cost = nw.col("cost").abs().fill_null(0).cast(nw.Float64)
        sums["margin"] = (amount - nw.when(bought).then(cost).otherwise(-cost)).sum()
    if "minute" in have:
        hour = nw.col("minute")
        for name, (first, last) in DAY_PARTS.items():
            is_in = (hour >= first * MINUTES_PER_HOUR) & (hour < last * MINUTES_PER_HOUR)
            sums[name] = (bought & is_in).cast(nw.Float64).sum()
    return sums


def _sum(value: nw.Expr, condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(value).otherwise(0).sum()


def _first_bought(lines: Frame) -> Frame:
    """Per customer and day, how many products were bought for the first time."""
    bought = lines.filter((nw.col("amount") >= 0) & ~nw.col("product_id").is_null())
    firsts = bought.group_by("customer", "product_id").agg(day=nw.col("day").min())
    return firsts.group_by("customer", "day").agg(new_products=nw.len().cast(nw.Float64))


def _calendar(span: Span, engine: Engine) -> Frame:
    """Each day of the history with its weekday (0 is Monday) and month."""
    days: Sequence[int] = range(span.first_day, span.last_day + 1)
    dates = [to_date(day) for day in days]
    return engine.from_arrow(
        pa.table(
            {
                "day": pa.array(days, pa.int32()),
                "weekday": pa.array([date.weekday() for date in dates], pa.int32()),
                "month": pa.array([date.month for date in dates], pa.int32()),
            }
        )
    )
