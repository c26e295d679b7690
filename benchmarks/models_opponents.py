"""What a good data scientist would otherwise pick, fitted on the same history.

Customer-base models and LightGBM on one snapshot predict on the scale of the outcome; of the
rules only the order means something.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.customer_base import PURCHASE_FITS, fit_gamma_gamma, group_purchases
from portfolio_ml.features.table import Horizons
from portfolio_ml.features.windows import WINDOW_DAYS
from portfolio_ml.judgement import Supervised
from portfolio_ml.snapshots import Snapshots

Floats = NDArray[np.float64]
Kind = Literal["package", "customer_base", "lightgbm", "rule"]

ONE_SNAPSHOT, REGULARISED = "lightgbm_default", "lightgbm_regularised"
SETTINGS: dict[str, dict[str, Any]] = {
    ONE_SNAPSHOT: {"num_leaves": 31, "learning_rate": 0.1, "num_iterations": 100},
    REGULARISED: {
        "num_leaves": 7,
        "learning_rate": 0.05,
        "num_iterations": 120,
        "lambda_l2": 10.0,
        "feature_fraction": 0.7,
    },
}
FACTS = ("repeat_days", "purchase_span_days", "tenure_days")
RULES = ("persistence", "recency", "past_spend")


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to predict the targets.

    Attributes:
        name: What it is called.
        kind: What it is; of a rule only the order means something.
        predicted: Per target, the probability of no purchase or spend in currency units, or what
            ranks them; shape (customers,).
    """

    name: str
    kind: Kind
    predicted: Mapping[Supervised, Floats]

    def of(self, target: Supervised) -> Floats:
        """Its predictions of a target that it has."""
        return self.predicted[target]


def both(name: str, kind: Kind, churn: Floats, value: Floats) -> Contender:
    """A contender for both targets."""
    return Contender(name, kind, {"churn": churn, "lifetime_value": value})


def customer_base(rows: pa.Table, horizons: Horizons) -> list[Contender]:
    """Each model of purchases with Gamma-Gamma, fitted on everybody's history as of the day.

    Gamma-Gamma learns from all purchase days, the first one too: without it the literature's
    models know nothing of what those who bought once spend, and rank worse.
    """
    x, t_x, age = (_column(rows, fact) for fact in FACTS)
    days = _column(rows, "purchase_days")
    ticket = _column(rows, "spend") / days
    counts, spend = group_purchases(x, t_x, age), fit_gamma_gamma(days, ticket)
    expected_ticket = spend.expected_spend(days, ticket)
    found = []
    for name, fit in PURCHASE_FITS.items():
        model = fit(counts)
        churn = model.p_no_purchase(x, t_x, age, horizons.churn_days)
        value = model.expected_purchases(x, t_x, age, horizons.value_days) * expected_ticket
        found.append(both(name, "customer_base", churn, value))
    return found


def one_snapshot(
    learned: Snapshots, features: NDArray[np.float32], *, seed: int
) -> list[Contender]:
    """LightGBM on the latest labelled snapshot, as it comes and well regularised."""
    latest = learned.on([int(learned.day.max())])
    leaf = {REGULARISED: {"min_data_in_leaf": int(np.clip(len(latest) // 200, 20, 1000))}}
    outcomes = {
        "binary": latest.churned.astype(np.float64),
        "tweedie": np.maximum(latest.net, 0),  # its deviance knows no negative spend
    }
    found = []
    for name, settings in SETTINGS.items():
        churn, value = (
            _fitted(
                latest.features,
                outcome,
                {**settings, **leaf.get(name, {}), "objective": objective, "seed": seed},
            ).predict(features)
            for objective, outcome in outcomes.items()
        )
        found.append(both(name, "lightgbm", np.asarray(churn), np.asarray(value)))
    return found


def _fitted(
    features: NDArray[np.float32], outcome: Floats, parameters: dict[str, Any]
) -> lgb.Booster:
    fixed = {"deterministic": True, "force_col_wise": True, "num_threads": 1, "verbosity": -1}
    return lgb.train(parameters | fixed, lgb.Dataset(features, outcome, params={"verbosity": -1}))


def rules(rows: pa.Table, horizons: Horizons) -> list[Contender]:
    """Persistence (what was, will be again), recency and past spend, for both targets."""
    recency, spend = _column(rows, "recency_days"), _column(rows, "net_spend")
    days = _column(rows, f"purchase_days_{_nearest_window(horizons.churn_days)}d")
    recent_spend = _column(rows, f"spend_{_nearest_window(horizons.value_days)}d")
    scores = ((-days, recent_spend), (recency, -recency), (-spend, spend))
    return [both(n, "rule", *score) for n, score in zip(RULES, scores, strict=True)]


def _nearest_window(horizon_days: int) -> int:
    return min(WINDOW_DAYS, key=lambda window: abs(window - horizon_days))


def _column(rows: pa.Table, name: str) -> Floats:
    values: Floats = rows[name].to_numpy().astype(np.float64)
    return values
