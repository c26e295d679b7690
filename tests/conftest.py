"""What tests of every level share."""

import gc
import random
import sys

import pytest
from tests.crm import Crm, postgresql_crm, sqlite_crm
from tests.examples import is_long
from tests.mariadb import mariadb
from tests.servers import server

from portfolio_ml.config import DuckDB
from portfolio_ml.engine import opened

SPARKS_SOCKETS = "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
"""What is not told any more where Spark has run in this process."""

DEAREST = ("cdnow", "spark", "serving", "tracking_server")
"""The groups that take longest: they begin first, so that at the end no core waits for them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The order of the tests, for `make flaky`."""
    told = "run the tests of each file, and the files, in an order drawn by this seed"
    parser.addoption("--order-seed", type=int, help=told)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A file's tests run in one worker, where what its module computed once is at hand."""
    seed = config.getoption("--order-seed")
    if seed is not None:
        items[:] = drawn(items, seed)
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=_place)


def pytest_collection_finish() -> None:
    """The garbage collector looks at everything more rarely: that took 4 % of the tests' CPU."""
    gc.set_threshold(20_000, 20, 20)


def drawn(items: list[pytest.Item], seed: int) -> list[pytest.Item]:
    """The tests in an order drawn by a seed, those of a file together: they share what is dear."""
    chance = random.Random(seed)
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    groups = list(files.values())
    chance.shuffle(groups)
    for group in groups:
        chance.shuffle(group)
    return [item for group in groups for item in group]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What is marked `long` waits for `make test-long`.

    PySpark leaves sockets to the garbage collector, which may find them in any later test."""
    if item.get_closest_marker("long") and not is_long():
        pytest.skip("run by make test-long")
    if "pyspark" in sys.modules and SPARKS_SOCKETS not in item.config.getini("filterwarnings"):
        item.config.addinivalue_line("filterwarnings", SPARKS_SOCKETS)


def _place(item: pytest.Item) -> int:
    marker = item.get_closest_marker("xdist_group")
    assert marker is not None
    (name,) = marker.args
    return DEAREST.index(name) if name in DEAREST else len(DEAREST)


@pytest.fixture(scope="module")
def engine():
    """An engine for the tests of one module.

    On a few rows a second thread only waits: the feature table of a tiny shop takes a fifth more
    CPU with it. `tests/unit/test_engine.py` and the walks have engines with more.
    """
    with opened(DuckDB(threads=1)) as engine:
        yield engine


@pytest.fixture(scope="session")
def postgresql_server():
    """A PostgreSQL server for all tests that leave it as it was."""
    with server() as running:
        yield running


@pytest.fixture(scope="session")
def mariadb_server():
    """A MariaDB server, likewise; skipped where it is not installed."""
    with mariadb() as running:
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
