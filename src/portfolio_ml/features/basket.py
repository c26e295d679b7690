"""How much goes into a basket, how varied it is, and how it differs from the own past."""

import narwhals as nw

from portfolio_ml.features.feature import Feature, Stage, change, share
from portfolio_ml.schema import QUANTITY_SCALE

_CATEGORY = frozenset({"category"})
_PRODUCT = frozenset({"product_id"})
_QUANTITY = frozenset({"quantity"})

_IS_RECENT = nw.col("is_recent")
_IS_EARLIER = nw.col("is_purchase") & ~_IS_RECENT
_LINES, _ORDERS, _UNITS = nw.col("lines"), nw.col("orders"), nw.col("units")


def _sum(value: nw.Expr, condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(value).otherwise(0).sum()


def _per_order(value: nw.Expr, condition: nw.Expr) -> nw.Expr:
    return share(_sum(value, condition), _sum(_ORDERS, condition))


_SPEND = nw.col("spend").sum()
_IN_CATEGORY = nw.when(nw.col("spend") > 0).then(nw.col("spend").cast(nw.Float64))
_MASS = (_IN_CATEGORY * _IN_CATEGORY.log()).sum()

BASKET = (
    Feature(
        name="lines_per_order",
        family="basket",
        unit="lines",
        formula="purchase lines / orders",
        value=share(_LINES.sum(), _ORDERS.sum()),
    ),
    Feature(
        name="lines_change",
        family="basket",
        unit="ratio",
        null="no purchase before the last three purchase days",
        formula="lines per order on the last three purchase days / on those before, minus 1",
        value=change(_per_order(_LINES, _IS_RECENT), _per_order(_LINES, _IS_EARLIER)),
    ),
    Feature(
        name="units_per_order",
        family="basket",
        unit="units",
        formula="units bought / orders",
        value=share(_UNITS.sum() / QUANTITY_SCALE, _ORDERS.sum()),
        needs=_QUANTITY,
    ),
    Feature(
        name="units_change",
        family="basket",
        unit="ratio",
        null="no units before the last three purchase days",
        formula="units per order on the last three purchase days / on those before, minus 1",
        value=change(_per_order(_UNITS, _IS_RECENT), _per_order(_UNITS, _IS_EARLIER)),
        needs=_QUANTITY,
    ),
    Feature(
        name="products",
        family="basket",
        unit="products",
        formula="distinct products bought",
        value=nw.col("new_products").sum(),
        needs=_PRODUCT,
    ),
    Feature(
        name="product_repeat_share",
        family="basket",
        unit="share",
        formula="1 - distinct products / purchase lines: how much is bought again",
        value=1 - share(nw.col("new_products").sum(), _LINES.sum()),
        needs=_PRODUCT,
    ),
    Feature(
        name="new_product_share",
        family="basket",
        unit="share",
        window="last three purchase days",
        formula="products never bought before / purchase lines",
        value=share(_sum(nw.col("new_products"), _IS_RECENT), _sum(_LINES, _IS_RECENT)),
        needs=_PRODUCT,
    ),
    Feature(
        name="categories",
        family="basket",
        unit="categories",
        null="no purchase with a category",
        formula="distinct categories bought in",
        stage=Stage.CATEGORIES,
        value=nw.len().cast(nw.Float64),
        needs=_CATEGORY,
    ),
    Feature(
        name="categories_365d",
        family="basket",
        unit="categories",
        window="last 365 days",
        null="no purchase with a category",
        formula="distinct categories bought in during the last 365 days",
        stage=Stage.CATEGORIES,
        value=(nw.col("last_age_days") < 365).cast(nw.Float64).sum(),
        needs=_CATEGORY,
    ),
    Feature(
        name="category_entropy",
        family="basket",
        unit="nats",
        null="no spend with a category",
        formula="entropy of spend over categories: 0 is one category, log(n) is n alike",
        stage=Stage.CATEGORIES,
        value=nw.when(_SPEND > 0).then(
            # Nine decimals: what is behind them is the order in which threads add.
            nw.max_horizontal((_SPEND.log() - _MASS / _SPEND).round(9), nw.lit(0.0))
        ),
        needs=_CATEGORY,
    ),
    Feature(
        name="category_top_share",
        family="basket",
        unit="share",
        null="no spend with a category",
        formula="spend in the largest category / spend in all",
        stage=Stage.CATEGORIES,
        value=share(nw.col("spend").max(), nw.col("spend").sum()),
        needs=_CATEGORY,
    ),
    Feature(
        name="category_top_change",
        family="basket",
        unit="share",
        window="last 365 days",
        null="no spend with a category in the last 365 days",
        formula="share of the largest category of the last 365 days minus that of all history: "
        "above 0, the basket narrows",
        stage=Stage.CATEGORIES,
        value=share(nw.col("spend_365d").max(), nw.col("spend_365d").sum())
        - share(nw.col("spend").max(), nw.col("spend").sum()),
        needs=_CATEGORY,
    ),
    Feature(
        name="categories_dropped",
        family="basket",
        unit="share",
        null="no purchase with a category",
        formula="categories not bought in for 365 days / all categories bought in",
        stage=Stage.CUSTOMER,
        value=1 - nw.col("categories_365d") / nw.col("categories"),
        needs=_CATEGORY,
    ),
)
