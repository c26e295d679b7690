"""Unread rows -> kept and quarantined, each row by the first rule that it breaks.

read = kept + quarantined, always. What one table means by its rules stands in that table's module;
what all tables share stands here.
"""

from portfolio_ml.validation.numbers import LARGEST_NUMBER, money, scaled, within
from portfolio_ml.validation.parting import (
    Refusing,
    TooManyRefusedError,
    Validated,
    validated,
)
from portfolio_ml.validation.reading import parsed, shown, tells_minutes, value, values_of
from portfolio_ml.validation.rules import (
    CLOCK_SLACK_DAYS,
    EARLIEST,
    Rule,
    before_1900,
    customer_rules,
    missing,
    once,
    timestamp_rules,
    unreadable_date,
)

__all__ = [
    "CLOCK_SLACK_DAYS",
    "EARLIEST",
    "LARGEST_NUMBER",
    "Refusing",
    "Rule",
    "TooManyRefusedError",
    "Validated",
    "before_1900",
    "customer_rules",
    "missing",
    "money",
    "once",
    "parsed",
    "scaled",
    "shown",
    "tells_minutes",
    "timestamp_rules",
    "unreadable_date",
    "validated",
    "value",
    "values_of",
    "within",
]
