"""The page on delivered tables is that of the contract."""

from pathlib import Path

import pytest

from portfolio_ml.portfolio import page as portfolio_page
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks import page

pytestmark = pytest.mark.unit

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"


def test_the_committed_page_is_the_contracts():
    assert PAGE.read_text(encoding="utf-8") == page.markdown(), "run make docs-tables"


def test_the_committed_page_on_the_portfolio_is_the_contracts():
    path = PAGE.with_name("portfolio.md")
    assert path.read_text(encoding="utf-8") == portfolio_page.markdown(), "run make docs-portfolio"


def test_every_column_of_the_customer_rows_is_on_it():
    text = page.markdown()
    assert all(f"| `{name}` |" in text for name in CUSTOMER_ROWS.names)
