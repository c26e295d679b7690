"""What a customer sends back, and how much of what is bought is bought at a discount."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage, share
from portfolio_ml.features.windows import inside
from portfolio_ml.schema import MONEY_SCALE

_DISCOUNT = frozenset({"discount"})
_SPEND, _RETURNED, _TAKEN = nw.col("spend"), nw.col("returned"), nw.col("discount")

RETURNS = (
    Feature(
        name="returned_365d",
        family="returns",
        unit="currency",
        window="last 365 days",
        formula="sum of the returns in the last 365 days",
        value=inside(_RETURNED, 365) / MONEY_SCALE,
    ),
    Feature(
        name="return_days",
        family="returns",
        unit="days",
        formula="days with a return",
        value=(_RETURNED > 0).cast(nw.Float64).sum(),
    ),
    Feature(
        name="return_share",
        family="returns",
        unit="share",
        null="no spend",
        formula="returns / spend",
        value=share(_RETURNED.sum(), _SPEND.sum()),
    ),
    Feature(
        name="return_share_365d",
        family="returns",
        unit="share",
        window="last 365 days",
        null="no spend in the last 365 days",
        formula="returns / spend of the last 365 days",
        value=share(inside(_RETURNED, 365), inside(_SPEND, 365)),
    ),
    Feature(
        name="last_return_days",
        family="returns",
        unit="days",
        null="no return",
        formula="as-of day minus the day of the last return",
        value=nw.when(_RETURNED > 0).then(nw.col("age_days")).min(),
    ),
    Feature(
        name="discount_depth",
        family="discounts",
        unit="share",
        null="nothing bought at a price above 0",
        formula="discounts / (spend + discounts)",
        value=share(_TAKEN.sum(), _SPEND.sum() + _TAKEN.sum()),
        needs=_DISCOUNT,
    ),
    Feature(
        name="discount_depth_365d",
        family="discounts",
        unit="share",
        window="last 365 days",
        null="nothing bought at a price above 0 in the last 365 days",
        formula="discounts / (spend + discounts) of the last 365 days",
        value=share(inside(_TAKEN, 365), inside(_SPEND, 365) + inside(_TAKEN, 365)),
        needs=_DISCOUNT,
    ),
    Feature(
        name="discounted_share",
        family="discounts",
        unit="share",
        formula="purchase lines with a discount / purchase lines",
        value=share(nw.col("discounted_lines").sum(), nw.col("lines").sum()),
        needs=_DISCOUNT,
    ),
    Feature(
        name="discount_depth_change",
        family="discounts",
        unit="share",
        null="nothing bought at a price above 0 in the last 365 days",
        formula="discount depth of the last 365 days minus that of all history",
        stage=Stage.CUSTOMER,
        value=nw.col("discount_depth_365d") - nw.col("discount_depth"),
        needs=_DISCOUNT,
    ),
)
