"""Whether spend and ticket rise or fall."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage, change
from portfolio_ml.schema import MONEY_SCALE
from portfolio_ml.timeline import in_window

SLOPE_PERIODS = 6
PERIOD_DAYS = 60
DAYS_PER_YEAR = 365.0

_IS_RECENT = nw.col("is_recent")
_RECENT_MEAN = nw.when(_IS_RECENT).then(nw.col("spend")).mean()
_EARLIER_MEAN = nw.when(nw.col("is_purchase") & ~_IS_RECENT).then(nw.col("spend")).mean()

# Whole numbers below 2**53 are exact as doubles, in whatever order they are added.
_SPEND = nw.col("spend").cast(nw.Float64)
_AGE = nw.when(nw.col("is_purchase")).then(nw.col("age_days").cast(nw.Float64))
_N, _T, _TT = _AGE.count().cast(nw.Float64), _AGE.sum(), (_AGE * _AGE).sum()
_S, _TS = _SPEND.sum(), (nw.col("age_days").cast(nw.Float64) * _SPEND).sum()
_SLOPE = nw.when(_N > 2).then((_T * _S - _N * _TS) / (_N * _TT - _T * _T))


def _slope_of_periods() -> nw.Expr:
    """The least-squares slope of spend over periods of the last year, per period.

    With k = 0 for the latest of n periods, and time running against k, it is
    -(n sum(k s) - sum(k) sum(s)) / (n sum(k^2) - sum(k)^2).
    """
    periods = range(SLOPE_PERIODS)
    n, k, kk = SLOPE_PERIODS, sum(periods), sum(p * p for p in periods)
    age = nw.col("age_days")
    total = nw.lit(0)
    for period in periods:  # the weight of a period is what its k adds to the slope
        is_in = in_window(age, PERIOD_DAYS * (period + 1)) & (age >= PERIOD_DAYS * period)
        total = total + nw.when(is_in).then(k - n * period).otherwise(0)
    return (total * nw.col("spend")).sum() / (float(n * kk - k * k) * MONEY_SCALE)


TREND = (
    Feature(
        name="recent_ticket",
        family="trend",
        unit="currency",
        window="last three purchase days",
        formula="mean spend on the last three purchase days",
        value=_RECENT_MEAN / MONEY_SCALE,
    ),
    Feature(
        name="last_ticket",
        family="trend",
        unit="currency",
        window="last purchase day",
        formula="spend on the last purchase day",
        value=nw.when(nw.col("is_last")).then(nw.col("spend")).max() / MONEY_SCALE,
    ),
    Feature(
        name="ticket_trend",
        family="trend",
        unit="ratio",
        null="no spend before the last three purchase days",
        formula="mean spend on the last three purchase days / mean on those before, minus 1",
        value=change(_RECENT_MEAN, _EARLIER_MEAN),
    ),
    Feature(
        name="ticket_slope",
        family="trend",
        unit="currency per year",
        null="fewer than three purchase days",
        formula="least-squares slope of the spend on a purchase day over time",
        value=_SLOPE * DAYS_PER_YEAR / MONEY_SCALE,
    ),
    Feature(
        name="spend_slope",
        family="trend",
        unit="currency per 60 days",
        window="last 360 days",
        formula="least-squares slope of the spend of the last six periods of 60 days",
        value=_slope_of_periods(),
    ),
    Feature(
        name="spend_trend",
        family="trend",
        unit="ratio",
        window="last 730 days",
        null="no spend in the year before the last",
        formula="spend of the last 365 days / spend of the 365 days before, minus 1",
        stage=Stage.CUSTOMER,
        value=nw.when(nw.col("spend_365_to_730d") > 0).then(
            nw.col("spend_365d") / nw.col("spend_365_to_730d") - 1
        ),
    ),
)
