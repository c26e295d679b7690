"""The gaps between a customer's purchase days, and what they say about the next one."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage

_ALL = "all history"
_ONE_DAY = "fewer than two purchase days"
_TWO_DAYS = "fewer than three purchase days"

_GAP = nw.col("gap_days")

# A customer's own gaps count as much as this many gaps of the portfolio.
PRIOR_GAPS = 1.0

RHYTHM = (
    Feature(
        name="gap_mean_days",
        family="rhythm",
        unit="days",
        window=_ALL,
        null=_ONE_DAY,
        formula="mean gap between purchase days",
        stage=Stage.HISTORY,
        value=_GAP.mean(),
    ),
    Feature(
        name="gap_median_days",
        family="rhythm",
        unit="days",
        window=_ALL,
        null=_ONE_DAY,
        formula="median gap between purchase days",
        stage=Stage.HISTORY,
        value=_GAP.median(),
    ),
    Feature(
        name="gap_std_days",
        family="rhythm",
        unit="days",
        window=_ALL,
        null=_TWO_DAYS,
        formula="standard deviation of the gaps (n - 1)",
        stage=Stage.HISTORY,
        value=_GAP.std(ddof=1),
    ),
    Feature(
        name="gap_longest_days",
        family="rhythm",
        unit="days",
        window=_ALL,
        null=_ONE_DAY,
        formula="longest gap between purchase days",
        stage=Stage.HISTORY,
        value=_GAP.max(),
    ),
    Feature(
        name="gap_last_days",
        family="rhythm",
        unit="days",
        window=_ALL,
        null=_ONE_DAY,
        formula="last purchase day minus the one before",
        stage=Stage.HISTORY,
        value=nw.when(nw.col("is_last")).then(_GAP).max(),
    ),
    Feature(
        name="typical_gap_days",
        family="rhythm",
        unit="days",
        window=_ALL,
        null="",
        formula="median gap, shrunk to the portfolio's as if that were one gap more",
        stage=Stage.PORTFOLIO,
        value=(
            nw.col("repeat_days") * nw.coalesce(nw.col("gap_median_days"), nw.lit(0.0))
            + PRIOR_GAPS * nw.col("reference_gap_days")
        )
        / (nw.col("repeat_days") + PRIOR_GAPS),
    ),
    Feature(
        name="overdue_ratio",
        family="rhythm",
        unit="ratio",
        window=_ALL,
        null="",
        formula="recency / typical gap",
        stage=Stage.PORTFOLIO,
        value=nw.col("recency_days") / nw.col("typical_gap_days"),
    ),
    Feature(
        name="expected_next_order_day",
        family="rhythm",
        unit="day number",
        window=_ALL,
        null="",
        formula="last purchase day + typical gap, rounded; days since 1970-01-01",
        stage=Stage.PORTFOLIO,
        value=(nw.col("as_of") - nw.col("recency_days") + nw.col("typical_gap_days")).round(),
        is_model_input=False,
    ),
)
