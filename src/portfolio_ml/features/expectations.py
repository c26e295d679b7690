"""What the customer-base models expect of a customer, fitted on history up to that date only.

Pareto/NBD speaks first: BG/NBD, for which a customer who bought once is alive for certain, ranked
customers no better at any date of CDNOW, the grocery, Online Retail and the resellers' data, and
on the last much worse (AUROC .77 against .91). Gamma-Gamma learns from all purchase days, the
first included, which ranks value better than the repeat ones alone (normalised Gini .685 against
.655 on CDNOW). `docs/benchmarks.md` has the figures.
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
