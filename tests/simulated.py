"""Simulated snapshots: customers who buy at their own pace, spend their own ticket, and leave.

The features are plausible and known to matter, but they are not computed from a history: what is
tested with them is what the models, the backtest and the registry do with any snapshots.
"""

from collections.abc import Sequence

import numpy as np
from tests.histories import REFERENCE

from portfolio_ml.features.catalogue import catalogue
from portfolio_ml.features.table import Horizons
from portfolio_ml.snapshots import Snapshots
from portfolio_ml.training import Recipe

MODEL_INPUTS = catalogue().model_inputs
FIRST_DAY = 17_000
DAYS = (17_360, 17_390, 17_420, 17_450)
RECIPE = Recipe(
    horizons=Horizons(churn_days=90, value_days=90),
    coverage=0.8,
    segments=4,
    snapshots=3,
    step_days=30,
    max_rows=100_000,
    seed=7,
)


def simulated(
    customers: int = 300,
    *,
    days: Sequence[int] = DAYS,
    seed: int = 0,
    returned_share: float = 0.1,
) -> Snapshots:
    """Snapshots of the same customers on each of the days, sorted by day and customer."""
    rng = np.random.default_rng(seed)
    rate = np.tile(rng.gamma(1.2, 0.8, customers) + 0.02, len(days))  # purchase days a month
    ticket = np.tile(rng.lognormal(3, 0.6, customers), len(days))
    rows = customers * len(days)
    day = np.repeat(np.array(days, np.int32), customers)
    tenure = rng.integers(30, 400, rows).astype(float)
    recency = np.minimum(tenure, rng.exponential(30 / rate))
    bought = 1 + rng.poisson(rate * (tenure - recency) / 30)
    is_gone = recency > rng.exponential(90 / rate)
    future = np.where(is_gone, 0, rng.poisson(3 * rate))
    spend = future * ticket * rng.lognormal(0, 0.2, rows)
    comes_back = rng.random(rows) < 0.3
    p_no_purchase = np.clip(1 - np.exp(-recency * rate / 90) * (1 - np.exp(-3 * rate)), 0, 1)
    expected = 3 * rate * (1 - p_no_purchase)
    known = {
        "recency_days": recency,
        "tenure_days": tenure,
        "purchase_days": bought,
        "spend": bought * ticket,
        "net_spend": bought * ticket * (1 - 2 * returned_share * (rng.random(rows) < 0.5)),
        "monetary": ticket,
        "ticket": ticket,
        "overdue_ratio": recency * rate / 30,
        "p_no_purchase": p_no_purchase,
        "expected_purchase_days": expected,
        "expected_spend": expected * ticket,
    }
    features = rng.gamma(1, 10, (rows, len(MODEL_INPUTS))).astype(np.float32)
    for name, values in known.items():
        features[:, MODEL_INPUTS.index(name)] = values
    features[rng.random(rows) < 0.2, MODEL_INPUTS.index("gap_std_days")] = np.nan
    return Snapshots(
        names=MODEL_INPUTS,
        features=features,
        customer=np.tile(np.arange(customers), len(days)),
        day=day,
        churned=future == 0,
        spend=spend,
        returned=np.where(comes_back, returned_share / 0.3 * spend, 0.0),
        references=dict.fromkeys(days, REFERENCE),
    )
