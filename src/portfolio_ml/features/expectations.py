"""What the customer-base models expect of a customer, fitted on history up to that date only."""

from portfolio_ml.features.feature import Feature, Stage


def _expectation(name: str, unit: str, formula: str) -> Feature:
    return Feature(name=name, family="customer base", unit=unit, formula=formula, stage=Stage.MODEL)


EXPECTATIONS = (
    _expectation("p_alive", "probability", "BG/NBD: the customer has not left for good"),
    _expectation(
        "p_no_purchase", "probability", "BG/NBD: no purchase day within the churn horizon"
    ),
    _expectation(
        "expected_purchase_days",
        "purchase days",
        "BG/NBD: expected purchase days within the value horizon",
    ),
    _expectation("p_alive_pareto", "probability", "Pareto/NBD: the customer has not left for good"),
    _expectation(
        "expected_purchase_days_pareto",
        "purchase days",
        "Pareto/NBD: expected purchase days within the value horizon",
    ),
    _expectation(
        "expected_ticket", "currency", "Gamma-Gamma: expected spend per future purchase day"
    ),
    _expectation("expected_spend", "currency", "BG/NBD expected purchase days x expected ticket"),
)
