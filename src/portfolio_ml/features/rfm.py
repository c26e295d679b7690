"""Recency, frequency, monetary value, tenure, and their quintile scores."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage
from portfolio_ml.schema import MONEY_SCALE

_PURCHASE_AGE = nw.when(nw.col("is_purchase")).then(nw.col("age_days"))
_PURCHASE_DAYS = nw.col("is_purchase").cast(nw.Float64).sum()
_ORDERS = nw.col("orders").sum()
_SPEND = nw.col("spend").sum()

# Means are one division of whole numbers, so that customers who always pay the same price tie.

RFM = (
    Feature(
        name="recency_days",
        family="rfm",
        unit="days",
        formula="as-of day minus last purchase day",
        value=_PURCHASE_AGE.min(),
    ),
    Feature(
        name="tenure_days",
        family="rfm",
        unit="days",
        formula="as-of day minus first purchase day",
        value=_PURCHASE_AGE.max(),
    ),
    Feature(
        name="purchase_days",
        family="rfm",
        unit="purchase days",
        formula="days with at least one purchase",
        value=_PURCHASE_DAYS,
    ),
    Feature(
        name="orders",
        family="rfm",
        unit="orders",
        formula=(
            "distinct order ids with a purchase, day by day; a day's lines without an id are one "
            "order; where no order id is mapped each line is one"
        ),
        value=_ORDERS,
    ),
    Feature(
        name="spend",
        family="rfm",
        unit="currency",
        formula="sum of the purchases",
        value=_SPEND / MONEY_SCALE,
    ),
    Feature(
        name="net_spend",
        family="rfm",
        unit="currency",
        formula="sum of the purchases minus returns",
        value=(_SPEND - nw.col("returned").sum()) / MONEY_SCALE,
    ),
    Feature(
        name="largest_purchase_day",
        family="rfm",
        unit="currency",
        formula="largest spend on one day",
        value=nw.col("spend").max() / MONEY_SCALE,
    ),
    Feature(
        name="repeat_days",
        family="rfm",
        unit="purchase days",
        formula="purchase days minus 1: frequency in the customer-base literature",
        stage=Stage.CUSTOMER,
        value=nw.col("purchase_days") - 1,
    ),
    Feature(
        name="monetary",
        family="rfm",
        unit="currency",
        formula="spend / purchase days",
        value=_SPEND / (_PURCHASE_DAYS * MONEY_SCALE),
    ),
    Feature(
        name="ticket",
        family="rfm",
        unit="currency",
        formula="spend / orders",
        value=_SPEND / (_ORDERS * MONEY_SCALE),
    ),
    Feature(
        name="purchase_span_days",
        family="rfm",
        unit="days",
        formula="last purchase day minus first: t_x in the customer-base literature",
        stage=Stage.CUSTOMER,
        value=nw.col("tenure_days") - nw.col("recency_days"),
    ),
    Feature(
        name="rate_per_year",
        family="rfm",
        unit="purchase days",
        formula="365 x repeat days / (tenure + 30 days)",
        stage=Stage.CUSTOMER,
        value=nw.col("repeat_days") * 365.0 / (nw.col("tenure_days") + 30.0),
    ),
)


def _score(name: str, source: str, meaning: str, *, most_is_best: bool) -> Feature:
    score = nw.lit(1)
    for level in (1, 2, 3, 4):
        edge = nw.col(f"reference_{name}_{level}")
        score = score + (nw.col(source) > edge).cast(nw.Float64)
    return Feature(
        name=name,
        family="rfm",
        unit="score",
        formula=f"quintile of {source} in the portfolio, ties at their middle; 5 = {meaning}",
        stage=Stage.PORTFOLIO,
        value=score if most_is_best else 6 - score,
        is_model_input=False,
    )


SCORED = {"rfm_r": "recency_days", "rfm_f": "purchase_days", "rfm_m": "monetary"}

SCORES = (
    _score("rfm_r", SCORED["rfm_r"], "most recent", most_is_best=False),
    _score("rfm_f", SCORED["rfm_f"], "most purchase days", most_is_best=True),
    _score("rfm_m", SCORED["rfm_m"], "highest spend per purchase day", most_is_best=True),
)
