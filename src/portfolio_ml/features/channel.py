"""Through which channels a customer buys."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage, share

_CHANNEL = frozenset({"channel"})
_NULL = "no purchase with a channel"

CHANNEL = (
    Feature(
        name="channels",
        family="channel",
        unit="channels",
        null=_NULL,
        formula="distinct channels bought through",
        stage=Stage.CHANNELS,
        value=nw.len().cast(nw.Float64),
        needs=_CHANNEL,
    ),
    Feature(
        name="channels_365d",
        family="channel",
        unit="channels",
        window="last 365 days",
        null=_NULL,
        formula="distinct channels bought through during the last 365 days",
        stage=Stage.CHANNELS,
        value=(nw.col("last_age_days") < 365).cast(nw.Float64).sum(),
        needs=_CHANNEL,
    ),
    Feature(
        name="channel_top_share",
        family="channel",
        unit="share",
        null=_NULL,
        formula="purchase lines through the most used channel / purchase lines with a channel",
        stage=Stage.CHANNELS,
        value=share(nw.col("lines").max(), nw.col("lines").sum()),
        needs=_CHANNEL,
    ),
)
