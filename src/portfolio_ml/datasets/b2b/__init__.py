"""A simulated business-to-business portfolio: a wholesaler's accounts, with all that is planted.

`simulate(world)` gives the tables and, apart from them, the `Truth`; `World` says what is planted,
and `World.null()` plants nothing. The built-in data set `b2b` is the default world.
"""

from functools import partial

import pyarrow as pa

from portfolio_ml.datasets.b2b.simulation import simulate
from portfolio_ml.datasets.b2b.truth import Simulated, Truth
from portfolio_ml.datasets.b2b.world import World
from portfolio_ml.datasets.dataset import Dataset
from portfolio_ml.schema import CONTACTS, CUSTOMERS, INTERACTIONS, TRANSACTIONS

__all__ = ["B2B", "Simulated", "Truth", "World", "simulate"]


def _table(name: str) -> pa.Table:
    return simulate().tables[name]


FURTHER = (CUSTOMERS.name, INTERACTIONS.name, CONTACTS.name, "opportunities", "points", "prospects")
"""Its tables beside the transactions."""

SECTIONS = """\
  customers: {source: b2b}
  interactions: {source: b2b, kinds: [survey, complaint]}
  contacts: {source: b2b}
"""
"""Where its further tables are, as far as a config has sections for them."""

PORTFOLIO_SECTIONS = """\
  opportunities: {source: b2b}
  points: {source: b2b}
  prospects: {source: b2b}
"""
"""The same of those that only the portfolio's figures read."""

B2B = Dataset(
    name="b2b",
    title="A wholesaler's business customers over four years (simulated)",
    read=partial(_table, TRANSACTIONS.name),
    columns={
        name: name
        for name in (
            "customer_id",
            "timestamp",
            "amount",
            "order_id",
            "product_id",
            "category",
            "quantity",
            "cost",
            "discount",
            "channel",
        )
    },
    horizon_days=90,
    tables={name: partial(_table, name) for name in FURTHER},
    is_simulated=True,
    currency="EUR",
    timezone="Europe/Berlin",
    sections=SECTIONS,
)
