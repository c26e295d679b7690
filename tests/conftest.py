"""What tests of every level share."""

import pytest
from tests import examples  # noqa: F401 - the profile `long`
from tests.crm import Crm, postgresql_crm, sqlite_crm
from tests.servers import server

from portfolio_ml.config import DuckDB
from portfolio_ml.engine import opened


@pytest.fixture(scope="module")
def engine():
    """An engine for the tests of one module."""
    with opened(DuckDB(threads=2)) as engine:
        yield engine


@pytest.fixture(scope="session")
def postgresql_server():
    """A PostgreSQL server for all tests that leave it as it was."""
    with server() as running:
        yield running


@pytest.fixture
def postgresql(postgresql_server, tmp_path) -> Crm:
    """A CRM in a database of its own on PostgreSQL."""
    return postgresql_crm(postgresql_server, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def crm(request, tmp_path) -> Crm:
    """A CRM in SQLite, and one in PostgreSQL."""
    if request.param == "sqlite":
        return sqlite_crm(tmp_path)
    return request.getfixturevalue("postgresql")
