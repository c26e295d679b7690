"""What tests of every level share."""

import pytest
from tests import examples  # noqa: F401 - the profile `long`

from portfolio_ml.config import DuckDB
from portfolio_ml.engine import opened


@pytest.fixture(scope="module")
def engine():
    """An engine for the tests of one module."""
    with opened(DuckDB(threads=2)) as engine:
        yield engine
