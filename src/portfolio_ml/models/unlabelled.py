"""Models for a history that holds no outcome to learn from: the customer-base model as it is.

Nothing calibrates its probabilities, so they stay in its order, and no more certain than what was
seen allows: the customers' tenures make up so many horizons, each a trial that could have passed
without a purchase, and Laplace's rule of succession holds the chances of n trials between
1 / (n + 2) and its complement. Nothing bounds its values but Markov's inequality: a spend of at
least 0 exceeds k times its mean with a chance of at most 1 / k, whatever its distribution. The
intervals are wide, as they should be where nothing was ever checked.
"""

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.models.calibration import Calibration
from portfolio_ml.models.churn import ChurnModel
from portfolio_ml.models.intervals import Intervals
from portfolio_ml.models.lifetime_value import LifetimeValueModel
from portfolio_ml.models.margins import COLUMN as MARGIN
from portfolio_ml.models.margins import margins_of
from portfolio_ml.models.returns import prior_spend_of, returns_of
from portfolio_ml.schema import Measure

Features = NDArray[np.float32]


def unlabelled_churn(
    features: Features, names: tuple[str, ...], *, horizon_days: int
) -> ChurnModel:
    """The customer-base model's own chance of no purchase, as certain as its trials allow.

    Args:
        features: Today's features, shape (customers, names).
        names: What they are.
        horizon_days: How far the chances look ahead.
    """
    seen_days = features[:, names.index("tenure_days")].astype(np.float64).sum()
    return ChurnModel(
        candidate="customer_base",
        names=names,
        horizon_days=horizon_days,
        calibration=Calibration(trials=max(1.0, float(seen_days)) / horizon_days),
        trees=None,
    )


def unlabelled_value(
    features: Features,
    names: tuple[str, ...],
    *,
    horizon_days: int,
    coverage: float,
    measure: Measure,
) -> LifetimeValueModel:
    """The customer-base model's own value, less what came back, or cost, so far.

    Args:
        features: Today's features, shape (customers, names).
        names: What they are.
        horizon_days: How far the values look ahead.
        coverage: The share of outcomes meant to lie inside an interval.
        measure: What value is.
    """

    def column(name: str) -> NDArray[np.float64]:
        return features[:, names.index(name)].astype(np.float64)

    spend, net_spend = column("spend"), column("net_spend")
    prior_spend = prior_spend_of(column("ticket"))
    margin = column(MARGIN).sum() if measure == "margin" else None
    return LifetimeValueModel(
        candidate="customer_base",
        names=names,
        horizon_days=horizon_days,
        returns=returns_of(spend.sum(), np.maximum(0.0, spend - net_spend).sum(), prior_spend),
        intervals=Intervals(
            coverage=coverage,
            tier_edges=(),
            value_edges=((),),
            low=((0.0,),),
            high=((2 / (1 - coverage),),),
        ),
        trees=None,
        margins=None if margin is None else margins_of(margin, net_spend.sum(), prior_spend),
    )
