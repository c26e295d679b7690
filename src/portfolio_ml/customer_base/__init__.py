"""Buy-till-you-die models of a customer base, fitted by maximum likelihood.

Walk: purchases (what the models read), maximum_likelihood and integrals (how they are computed),
purchase_model (what each promises), then beta_geometric (BG/NBD, MBG/NBD), pareto_nbd and
gamma_gamma (spend), and kinds (the models by name).
"""

from portfolio_ml.customer_base.beta_geometric import (
    BetaGeo,
    ModifiedBetaGeo,
    fit_bg_nbd,
    fit_mbg_nbd,
)
from portfolio_ml.customer_base.gamma_gamma import GammaGamma, fit_gamma_gamma
from portfolio_ml.customer_base.kinds import (
    PURCHASE_FITS,
    PURCHASE_MODELS,
    expected_value,
    purchase_model_from_dict,
)
from portfolio_ml.customer_base.pareto_nbd import ParetoNBD, fit_pareto_nbd
from portfolio_ml.customer_base.purchase_model import PurchaseModel
from portfolio_ml.customer_base.purchases import (
    Histories,
    PurchaseCounts,
    group_purchases,
    representatives,
)

__all__ = [
    "PURCHASE_FITS",
    "PURCHASE_MODELS",
    "BetaGeo",
    "GammaGamma",
    "Histories",
    "ModifiedBetaGeo",
    "ParetoNBD",
    "PurchaseCounts",
    "PurchaseModel",
    "expected_value",
    "fit_bg_nbd",
    "fit_gamma_gamma",
    "fit_mbg_nbd",
    "fit_pareto_nbd",
    "group_purchases",
    "purchase_model_from_dict",
    "representatives",
]
