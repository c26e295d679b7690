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
from portfolio_ml.schema import (
    CONTACTS,
    CUSTOMERS,
    INTERACTIONS,
    OPPORTUNITIES,
    POINTS,
    PROSPECTS,
    TRANSACTIONS,
)

__all__ = ["B2B", "Simulated", "Truth", "World", "simulate"]


def _table(name: str) -> pa.Table:
    return simulate().tables[name]


FURTHER = (CUSTOMERS, INTERACTIONS, CONTACTS, OPPORTUNITIES, POINTS, PROSPECTS)
"""Its tables beside the transactions."""

SECTIONS = """\
  customers: {source: b2b}
  interactions: {source: b2b, kinds: [survey, complaint]}
  contacts: {source: b2b}
  opportunities: {source: b2b}
  points: {source: b2b}
  prospects: {source: b2b}
"""
"""Where its further tables are."""

PORTFOLIO = """\
portfolio:
  sections: [value_tier, lifecycle_stage, region, segment, relationship_type, [segment, region]]
  terms:
    relationship_type:
      contract: {payment_term: 60 days net, contact_policy: a visit every quarter}
      framework: {payment_term: 30 days net, contact_policy: a call every month}
      spot: {payment_term: 14 days net}
  response: {contact_cost: 40}
  goals:
    - {figure: customers, target: 900, by: 2026-03-31, since: 2025-03-31}
    - {figure: average_ticket, target: 1000, by: 2026-03-31, since: 2025-03-31}
  daily_list: {contacts: 8, holdout: 0.1}
  loyalty: {value_per_point: 0.01, expire_days: 730, tiers: {silver: 2000, gold: 10000}}
  delivery:
    - {kind: sql, url: "sqlite:///crm.db"}
"""
"""What its figures are told."""

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
    tables={of.name: partial(_table, of.name) for of in FURTHER},
    is_simulated=True,
    currency="EUR",
    timezone="Europe/Berlin",
    sections=SECTIONS,
    portfolio=PORTFOLIO,
)
