"""The portfolios and days on which the models are judged, and the figures that they must reach."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from portfolio_ml.config import Settings, settings_from
from portfolio_ml.datasets import DATASETS, dataset

FOLDER = "PORTFOLIO_ML_DATA"
LARGEST_REFUSED_SHARE = 0.3  # a quarter of Online Retail's lines names no customer
FEWEST_DRAWS = 100  # of the package's own backtest, whose choice does not depend on them
SOURCE_OF_FIGURES = "reference figures of the project's plan"


@dataclass(frozen=True, slots=True)
class Pair:
    """The two measures that decide.

    Attributes:
        auroc: Of churn.
        gini: Normalised Gini of lifetime value.
    """

    auroc: float
    gini: float


@dataclass(frozen=True, slots=True)
class Published:
    """What others reach on a line: the reference figures of the project's plan.

    Attributes:
        customer_base: The best customer-base model.
        one_snapshot: LightGBM on one snapshot, as it comes.
        regularised: The same, well regularised.
        reference: A strong hand-made reference.
        log_loss: Of the well-regularised one.
        bias: Its total bias.
    """

    customer_base: Pair
    one_snapshot: Pair
    regularised: Pair
    reference: Pair
    log_loss: float
    bias: float


@dataclass(frozen=True, slots=True)
class Line:
    """A portfolio as of a day.

    Attributes:
        name: What the command line calls it.
        title: What people call it.
        source: A built-in data set, or a file in the folder that `PORTFOLIO_ML_DATA` names.
        columns: Its columns by the names of the package's schema.
        as_of: The last day of the history.
        horizon_days: How far churn and value look ahead.
        published: What others reach.
    """

    name: str
    title: str
    source: str
    columns: Mapping[str, str]
    as_of: date
    horizon_days: int
    published: Published

    @property
    def until(self) -> date:
        """The last day of the outcomes."""
        return self.as_of + timedelta(days=self.horizon_days)

    @property
    def lacks(self) -> str:
        """Why the line cannot be judged here; empty where it can."""
        if self.source in DATASETS or FOLDER in os.environ:
            return ""
        return f"{FOLDER} names no folder with {self.source}"

    def settings(self, *, seed: int) -> Settings:
        """The package's defaults, but for the data, the horizon and the seed."""
        is_built_in = self.source in DATASETS
        source = self.source if is_built_in else str(Path(os.environ[FOLDER]) / self.source)
        horizon = {"horizon_days": self.horizon_days}
        return settings_from(
            {
                "name": self.name,
                "data": {
                    "transactions": {"source": source, "columns": {**self.columns}},
                    "max_quarantined_share": LARGEST_REFUSED_SHARE,
                },
                "targets": {"churn": horizon, "lifetime_value": horizon},
                "training": {"seed": seed},
                "backtest": {"bootstrap": FEWEST_DRAWS},
            }
        )


ONLINE_RETAIL = {
    "customer_id": "CustomerID",
    "timestamp": "InvoiceDate",
    "amount": "UnitPrice * Quantity",
    "order_id": "InvoiceNo",
    "product_id": "StockCode",
    "quantity": "Quantity",
}
RESELLERS = {
    "customer_id": "ResellerKey",
    "timestamp": "OrderDate",
    "amount": "SalesAmount",
    "order_id": "SalesOrderNumber",
    "product_id": "ProductKey",
    "quantity": "OrderQuantity",
    "cost": "TotalProductCost",
}

LINES = (
    Line(
        name="cdnow-1997",
        title="CDNOW",
        source="cdnow",
        columns=dataset("cdnow").columns,
        as_of=date(1997, 9, 30),
        horizon_days=91,
        published=Published(
            customer_base=Pair(0.764, 0.676),
            one_snapshot=Pair(0.772, 0.610),
            regularised=Pair(0.777, 0.672),
            reference=Pair(0.777, 0.690),
            log_loss=0.383,
            bias=-0.25,
        ),
    ),
    Line(
        name="cdnow-1998",
        title="CDNOW",
        source="cdnow",
        columns=dataset("cdnow").columns,
        as_of=date(1998, 3, 31),
        horizon_days=91,
        published=Published(
            customer_base=Pair(0.837, 0.779),
            one_snapshot=Pair(0.834, 0.775),
            regularised=Pair(0.839, 0.779),
            reference=Pair(0.840, 0.785),
            log_loss=0.300,
            bias=0.12,
        ),
    ),
    Line(
        name="online-retail",
        title="Online Retail, returns kept",
        source="online_retail/onlineretail.parquet",
        columns=ONLINE_RETAIL,
        as_of=date(2011, 9, 9),
        horizon_days=90,
        published=Published(
            customer_base=Pair(0.734, 0.780),
            one_snapshot=Pair(0.733, 0.750),
            regularised=Pair(0.740, 0.763),
            reference=Pair(0.748, 0.783),
            log_loss=0.605,
            bias=-0.31,
        ),
    ),
    Line(
        name="grocery",
        title="Complete Journey",
        source="grocery",
        columns=dataset("grocery").columns,
        as_of=date(2017, 11, 6),
        horizon_days=56,
        published=Published(
            customer_base=Pair(0.884, 0.842),
            one_snapshot=Pair(0.884, 0.865),
            regularised=Pair(0.891, 0.867),
            reference=Pair(0.890, 0.869),
            log_loss=0.221,
            bias=-0.05,
        ),
    ),
    Line(
        name="resellers",
        title="Resellers",
        source="adventureworks/reseller_sales.parquet",
        columns=RESELLERS,
        as_of=date(2020, 1, 31),
        horizon_days=90,
        published=Published(
            customer_base=Pair(0.784, 0.869),
            one_snapshot=Pair(0.959, 0.933),
            regularised=Pair(0.964, 0.938),
            reference=Pair(0.972, 0.960),
            log_loss=0.240,
            bias=-0.10,
        ),
    ),
)
