"""The gaps between a customer's purchase days, and what they say about the next one."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage, change

_ONE_GAP = "fewer than two purchase days"
_TWO_GAPS = "fewer than three purchase days"

_GAP = nw.col("gap_days")
_GAPS = _GAP.count().cast(nw.Float64)
_SUM = _GAP.cast(nw.Float64).sum()
_RECENT_GAP = nw.when(nw.col("is_recent")).then(_GAP)
_EARLIER_GAP = nw.when(~nw.col("is_recent")).then(_GAP)

# From sums of whole numbers, so that the result does not depend on the order of the rows.
_SQUARES = (_GAP.cast(nw.Float64) * _GAP.cast(nw.Float64)).sum()
_STD = nw.when(_GAPS > 1).then(((_SQUARES - _SUM * _SUM / _GAPS) / (_GAPS - 1)).sqrt())

# A customer's own gaps count as much as this many gaps of the portfolio.
PRIOR_GAPS = 1.0
_ALL_GAPS = nw.col("repeat_days") + PRIOR_GAPS
_ALL_DAYS = nw.col("repeat_days") * nw.coalesce(
    nw.col("gap_median_days"), nw.lit(0.0)
) + PRIOR_GAPS * nw.col("reference_gap_days")

RHYTHM = (
    Feature(
        name="gap_mean_days",
        family="rhythm",
        unit="days",
        null=_ONE_GAP,
        formula="mean gap between purchase days",
        value=nw.when(_GAPS > 0).then(_SUM / _GAPS),
    ),
    Feature(
        name="gap_median_days",
        family="rhythm",
        unit="days",
        null=_ONE_GAP,
        formula="median gap between purchase days",
        value=_GAP.median(),
    ),
    Feature(
        name="gap_std_days",
        family="rhythm",
        unit="days",
        null=_TWO_GAPS,
        formula="standard deviation of the gaps (n - 1)",
        value=_STD,
    ),
    Feature(
        name="gap_longest_days",
        family="rhythm",
        unit="days",
        null=_ONE_GAP,
        formula="longest gap between purchase days",
        value=_GAP.max(),
    ),
    Feature(
        name="gap_last_days",
        family="rhythm",
        unit="days",
        null=_ONE_GAP,
        formula="last purchase day minus the one before",
        value=nw.when(nw.col("is_last")).then(_GAP).max(),
    ),
    Feature(
        name="gap_change",
        family="rhythm",
        unit="ratio",
        null="fewer than five purchase days",
        formula="mean of the last three gaps / mean of the earlier ones, minus 1: above 0, the "
        "gaps lengthen",
        value=change(_RECENT_GAP.mean(), _EARLIER_GAP.mean()),
    ),
    Feature(
        name="gap_irregularity",
        family="rhythm",
        unit="ratio",
        null=_TWO_GAPS,
        formula="standard deviation of the gaps / their mean: 0 is clockwork, 1 is chance",
        stage=Stage.CUSTOMER,
        value=nw.col("gap_std_days") / nw.col("gap_mean_days"),
    ),
    Feature(
        name="recency_to_longest_gap",
        family="rhythm",
        unit="ratio",
        null=_ONE_GAP,
        formula="recency / longest gap: above 1, the customer was never away for so long",
        stage=Stage.CUSTOMER,
        value=nw.col("recency_days") / nw.col("gap_longest_days"),
    ),
    Feature(
        name="typical_gap_days",
        family="rhythm",
        unit="days",
        formula="median gap, shrunk to the portfolio's as if that were one gap more",
        stage=Stage.PORTFOLIO,
        value=_ALL_DAYS / _ALL_GAPS,
    ),
    Feature(
        name="overdue_ratio",
        family="rhythm",
        unit="ratio",
        formula="recency / typical gap",
        stage=Stage.PORTFOLIO,
        # One division, so that three whole gaps are 3 and not a little less.
        value=nw.col("recency_days") * _ALL_GAPS / _ALL_DAYS,
    ),
    Feature(
        name="missed_cycles",
        family="rhythm",
        unit="cycles",
        null=_TWO_GAPS,
        formula="whole typical gaps since the last purchase day, minus 1, at least 0",
        stage=Stage.PORTFOLIO,
        value=nw.when(nw.col("purchase_days") > 2).then(
            nw.max_horizontal((nw.col("overdue_ratio") - 1).floor(), nw.lit(0.0))
        ),
    ),
    Feature(
        name="expected_next_order_day",
        family="rhythm",
        unit="day number",
        formula="last purchase day + typical gap, a half rounded up; days since 1970-01-01",
        stage=Stage.PORTFOLIO,
        # Not `round`, for which a half is further from 0: day numbers before 1970 lie below it.
        value=(nw.col("as_of") - nw.col("recency_days") + nw.col("typical_gap_days") + 0.5).floor(),
        is_model_input=False,
    ),
)
