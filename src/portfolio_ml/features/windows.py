"""What a customer bought in the last days, and how each window compares with the one before."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage, change
from portfolio_ml.schema import MONEY_SCALE
from portfolio_ml.timeline import in_window

WINDOW_DAYS = (7, 30, 60, 90, 180, 365)

_AGE = nw.col("age_days")


def inside(value: nw.Expr, window_days: int) -> nw.Expr:
    """The sum over the last `window_days` days."""
    return nw.when(in_window(_AGE, window_days)).then(value).otherwise(0).sum()


def before(value: nw.Expr, window_days: int) -> nw.Expr:
    """The sum over the `window_days` days before the last `window_days`."""
    is_before = in_window(_AGE, 2 * window_days) & ~in_window(_AGE, window_days)
    return nw.when(is_before).then(value).otherwise(0).sum()


def _of_window(days: int) -> tuple[Feature, ...]:
    window = f"last {days} days"
    return (
        Feature(
            name=f"purchase_days_{days}d",
            family="windows",
            unit="purchase days",
            window=window,
            formula=f"purchase days in the {window}",
            value=inside(nw.col("is_purchase").cast(nw.Float64), days),
        ),
        Feature(
            name=f"orders_{days}d",
            family="windows",
            unit="orders",
            window=window,
            formula=f"orders in the {window}",
            value=inside(nw.col("orders"), days),
        ),
        Feature(
            name=f"spend_{days}d",
            family="windows",
            unit="currency",
            window=window,
            formula=f"sum of the purchases in the {window}",
            value=inside(nw.col("spend"), days) / MONEY_SCALE,
        ),
    )


def _change(days: int) -> Feature:
    window = f"last {days} days"
    return Feature(
        name=f"spend_change_{days}d",
        family="windows",
        unit="ratio",
        window=f"last {2 * days} days",
        null=f"no spend in the {days} days before the last {days}",
        formula=f"spend of the {window} / spend of the {days} days before, minus 1",
        value=change(inside(nw.col("spend"), days), before(nw.col("spend"), days)),
    )


_PRIOR_YEAR = Feature(
    name="spend_365_to_730d",
    family="windows",
    unit="currency",
    window="365 to 729 days ago",
    formula="sum of the purchases in the 365 days before the last 365",
    value=before(nw.col("spend"), 365) / MONEY_SCALE,
)

_ORDER_SHARE = Feature(
    name="recent_order_share",
    family="windows",
    unit="share",
    window="last 365 days",
    null="no order in the last 365 days",
    formula="orders of the last 90 days / orders of the last 365 days",
    stage=Stage.CUSTOMER,
    value=nw.when(nw.col("orders_365d") > 0).then(nw.col("orders_90d") / nw.col("orders_365d")),
)

WINDOWS = (
    *(feature for days in WINDOW_DAYS for feature in _of_window(days)),
    *map(_change, WINDOW_DAYS[:-1]),  # that of a year is `spend_trend`
    _PRIOR_YEAR,
    _ORDER_SHARE,
)
