"""The tables: grain, column, type, unit, meaning of null.

Money is held as 64-bit integers of 1/10,000 currency unit from `transactions` on (`MONEY_SCALE`),
so that sums do not depend on the order in which threads add. Delivered rows carry currency units.
"""

from portfolio_ml.schema.given import (
    CONTACTS,
    CUSTOMER_MERGES,
    CUSTOMERS,
    INTERACTIONS,
    OPPORTUNITIES,
    POINTS,
    PROSPECTS,
    TRANSACTIONS,
    VALUATIONS,
)
from portfolio_ml.schema.made import (
    CUSTOMER_ROWS,
    HISTORY,
    QUARANTINE,
    TRAINING_ROWS,
)
from portfolio_ml.schema.table import (
    ATTRIBUTE,
    MONEY_SCALE,
    POINTS_SCALE,
    QUANTITY_SCALE,
    Column,
    Measure,
    Table,
)

__all__ = [
    "ATTRIBUTE",
    "CONTACTS",
    "CUSTOMERS",
    "CUSTOMER_MERGES",
    "CUSTOMER_ROWS",
    "HISTORY",
    "INTERACTIONS",
    "MONEY_SCALE",
    "OPPORTUNITIES",
    "POINTS",
    "POINTS_SCALE",
    "PROSPECTS",
    "QUANTITY_SCALE",
    "QUARANTINE",
    "TRAINING_ROWS",
    "TRANSACTIONS",
    "VALUATIONS",
    "Column",
    "Measure",
    "Table",
]
