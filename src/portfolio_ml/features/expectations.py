"""What the customer-base models expect of a customer, fitted on history up to that date only.

Pareto/NBD speaks first: BG/NBD, for which a customer who bought once is alive for certain, ranks
customers as well on Online Retail and the grocery data, somewhat worse on CDNOW and much worse on
the resellers' (mean AUROC .592 against .672). Gamma-Gamma learns from all purchase days, the first
included, which ranks value better than the repeat ones alone (mean normalised Gini .771 against
.710). `make bench-ablations` gives the figures, `docs/reference/ablations.md` has them.
"""

from portfolio_ml.features.feature import Feature, Stage


def _expectation(name: str, unit: str, formula: str) -> Feature:
    return Feature(name=name, family="customer base", unit=unit, formula=formula, stage=Stage.MODEL)


EXPECTATIONS = (
    _expectation("p_alive", "probability", "Pareto/NBD: the customer has not left for good"),
    _expectation(
        "p_no_purchase", "probability", "Pareto/NBD: no purchase day within the churn horizon"
    ),
    _expectation(
        "expected_purchase_days",
        "purchase days",
        "Pareto/NBD: expected purchase days within the value horizon",
    ),
    _expectation("p_alive_bg_nbd", "probability", "BG/NBD: the customer has not left for good"),
    _expectation(
        "expected_purchase_days_bg_nbd",
        "purchase days",
        "BG/NBD: expected purchase days within the value horizon",
    ),
    _expectation(
        "expected_ticket",
        "currency",
        "Gamma-Gamma on all purchase days: expected spend per future purchase day",
    ),
    _expectation(
        "expected_spend", "currency", "Pareto/NBD expected purchase days x expected ticket"
    ),
)
