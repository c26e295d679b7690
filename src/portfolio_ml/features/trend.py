"""Whether spend and ticket rise or fall."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage
from portfolio_ml.schema import MONEY_SCALE

_IS_RECENT = nw.col("is_recent")
_RECENT_MEAN = nw.when(_IS_RECENT).then(nw.col("spend")).mean()
_EARLIER_MEAN = nw.when(nw.col("is_purchase") & ~_IS_RECENT).then(nw.col("spend")).mean()

TREND = (
    Feature(
        name="recent_ticket",
        family="trend",
        unit="currency",
        window="last three purchase days",
        null="",
        formula="mean spend on the last three purchase days",
        stage=Stage.HISTORY,
        value=_RECENT_MEAN / MONEY_SCALE,
    ),
    Feature(
        name="last_ticket",
        family="trend",
        unit="currency",
        window="last purchase day",
        null="",
        formula="spend on the last purchase day",
        stage=Stage.HISTORY,
        value=nw.when(nw.col("is_last")).then(nw.col("spend")).max() / MONEY_SCALE,
    ),
    Feature(
        name="ticket_trend",
        family="trend",
        unit="ratio",
        window="all history",
        null="no spend before the last three purchase days",
        formula="mean spend on the last three purchase days / mean on those before, minus 1",
        stage=Stage.HISTORY,
        value=nw.when(_EARLIER_MEAN > 0).then(_RECENT_MEAN / _EARLIER_MEAN - 1),
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
