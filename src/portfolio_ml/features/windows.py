"""What a customer bought in the last 30, 90, 180 and 365 days, and in the year before."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage
from portfolio_ml.schema import MONEY_SCALE
from portfolio_ml.timeline import in_window

WINDOW_DAYS = (30, 90, 180, 365)

_AGE = nw.col("age_days")


def _inside(value: nw.Expr, window_days: int) -> nw.Expr:
    return nw.when(in_window(_AGE, window_days)).then(value).otherwise(0).sum()


def _of_window(days: int) -> tuple[Feature, ...]:
    window = f"last {days} days"
    return (
        Feature(
            name=f"purchase_days_{days}d",
            family="windows",
            unit="purchase days",
            window=window,
            null="",
            formula=f"purchase days in the {window}",
            stage=Stage.HISTORY,
            value=_inside(nw.col("is_purchase").cast(nw.Int64), days).cast(nw.Int64),
        ),
        Feature(
            name=f"orders_{days}d",
            family="windows",
            unit="orders",
            window=window,
            null="",
            formula=f"orders in the {window}",
            stage=Stage.HISTORY,
            value=_inside(nw.col("orders"), days).cast(nw.Int64),
        ),
        Feature(
            name=f"spend_{days}d",
            family="windows",
            unit="currency",
            window=window,
            null="",
            formula=f"sum of the purchases in the {window}",
            stage=Stage.HISTORY,
            value=_inside(nw.col("spend"), days) / MONEY_SCALE,
        ),
    )


_PRIOR_YEAR = Feature(
    name="spend_365_to_730d",
    family="windows",
    unit="currency",
    window="365 to 729 days ago",
    null="",
    formula="sum of the purchases in the 365 days before the last 365",
    stage=Stage.HISTORY,
    value=(_inside(nw.col("spend"), 730) - _inside(nw.col("spend"), 365)) / MONEY_SCALE,
)

_RETURNED = Feature(
    name="returned_365d",
    family="windows",
    unit="currency",
    window="last 365 days",
    null="",
    formula="sum of the returns in the last 365 days",
    stage=Stage.HISTORY,
    value=_inside(nw.col("returned"), 365) / MONEY_SCALE,
)

WINDOWS = (*(f for days in WINDOW_DAYS for f in _of_window(days)), _PRIOR_YEAR, _RETURNED)
