"""What is left of a customer's net spend after the cost of the goods."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage, share
from portfolio_ml.features.windows import inside
from portfolio_ml.schema import MONEY_SCALE

_COST = frozenset({"cost"})
_MARGIN, _NET = nw.col("margin"), nw.col("spend") - nw.col("returned")

MARGIN = (
    Feature(
        name="margin",
        family="margin",
        unit="currency",
        formula="net spend minus cost; the cost of what is returned comes back; lines without a "
        "known cost count as cost 0",
        value=_MARGIN.sum() / MONEY_SCALE,
        needs=_COST,
    ),
    Feature(
        name="margin_365d",
        family="margin",
        unit="currency",
        window="last 365 days",
        formula="margin of the last 365 days",
        value=inside(_MARGIN, 365) / MONEY_SCALE,
        needs=_COST,
    ),
    Feature(
        name="margin_share",
        family="margin",
        unit="share",
        null="no net spend",
        formula="margin / net spend",
        value=share(_MARGIN.sum(), _NET.sum()),
        needs=_COST,
    ),
    Feature(
        name="margin_share_365d",
        family="margin",
        unit="share",
        window="last 365 days",
        null="no net spend in the last 365 days",
        formula="margin / net spend of the last 365 days",
        value=share(inside(_MARGIN, 365), inside(_NET, 365)),
        needs=_COST,
    ),
    Feature(
        name="margin_share_change",
        family="margin",
        unit="share",
        null="no net spend in the last 365 days, or none at all",
        formula="margin share of the last 365 days minus that of all history",
        stage=Stage.CUSTOMER,
        value=nw.col("margin_share_365d") - nw.col("margin_share"),
        needs=_COST,
    ),
)
