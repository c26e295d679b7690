"""The models of purchases by their kind, and what purchases and spend come to together."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from portfolio_ml.customer_base.beta_geometric import (
    BetaGeo,
    ModifiedBetaGeo,
    fit_bg_nbd,
    fit_mbg_nbd,
)
from portfolio_ml.customer_base.gamma_gamma import GammaGamma
from portfolio_ml.customer_base.pareto_nbd import ParetoNBD, fit_pareto_nbd
from portfolio_ml.customer_base.purchase_model import PurchaseModel
from portfolio_ml.customer_base.purchases import Array, PurchaseCounts

PURCHASE_MODELS: Mapping[str, type[PurchaseModel]] = MappingProxyType(
    {model.kind: model for model in (BetaGeo, ModifiedBetaGeo, ParetoNBD)}
)

PURCHASE_FITS: Mapping[str, Callable[[PurchaseCounts], PurchaseModel]] = MappingProxyType(
    {"bg_nbd": fit_bg_nbd, "mbg_nbd": fit_mbg_nbd, "pareto_nbd": fit_pareto_nbd}
)


def purchase_model_from_dict(facts: Mapping[str, Any]) -> PurchaseModel:
    """The model that its `to_dict` described, whichever kind it is.

    Raises:
        ValueError: No model of purchases is of this kind.

    Example:
        >>> model = BetaGeo(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> purchase_model_from_dict(model.to_dict()) == model
        True
    """
    kind = facts["kind"]
    if kind not in PURCHASE_MODELS:
        raise ValueError(f"no model of purchases is a {kind!r}: known are {[*PURCHASE_MODELS]}")
    return PURCHASE_MODELS[kind].from_dict(facts)


def expected_value(
    purchases: PurchaseModel,
    spend: GammaGamma,
    *,
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    T: npt.ArrayLike,
    mean_spend: npt.ArrayLike,
    horizon: npt.ArrayLike,
) -> Array:
    """The expected spend in (T, T + horizon], undiscounted: purchases times spend per purchase.

    Both models hold that how often a customer buys says nothing of how much they spend.

    Example:
        >>> purchases = BetaGeo(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> spend = GammaGamma(p=6.25, q=3.74, v=15.44)
        >>> expected_value(
        ...     purchases, spend, x=[2], t_x=30.43, T=38.86, mean_spend=22.35, horizon=39
        ... ).round(2)
        array([30.24])
    """
    count = purchases.expected_purchases(x, t_x, T, horizon)
    return np.asarray(count * spend.expected_spend(x, mean_spend))
