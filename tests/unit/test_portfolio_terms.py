"""Terms of the config, per customer."""

from datetime import date

import pyarrow as pa
import pytest

from portfolio_ml.config import Portfolio
from portfolio_ml.portfolio.stock import Stock
from portfolio_ml.portfolio.today.terms import terms_of

pytestmark = pytest.mark.unit

SETTINGS = Portfolio.model_validate(
    {
        "terms": {
            "segment": {"Key": {"payment_term": "60 days", "contact_policy": "monthly"}},
            "region": {
                "North": {"payment_term": "30 days", "delivery_term": "next day"},
                "South": {"payment_term": "14 days"},
            },
            "colour": {"red": {"payment_term": "never"}},
        }
    }
)
STOCK = Stock(
    date(2024, 6, 30),
    pa.table({"segment": ["Key", "Other", None], "region": ["North", "South", "East"]}),
)


def test_a_customer_has_the_terms_of_its_sections_and_the_first_attribute_decides() -> None:
    found = {name: held.tolist() for name, held in terms_of(STOCK, SETTINGS.terms).items()}

    assert found == {
        "payment_term": ["60 days", "14 days", None],
        "delivery_term": ["next day", None, None],
        "contact_policy": ["monthly", None, None],
    }
