"""Two jobs at once: whichever ends last, the newer date stands. The campaign does it more often."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.crm import MONDAY, TUESDAY, deliver, postgresql_crm
from tests.in_order import the_newer_stands

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("turn", range(5))
def test_the_newer_date_stands_for_every_row(crm, turn):
    the_newer_stands(crm, older_begins_first=turn % 2 == 0)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_in_a_database_of_another_isolation_too(postgresql_server, tmp_path, level):
    for older_begins_first in (True, False):
        crm = postgresql_crm(postgresql_server, tmp_path)
        name = crm.url.partition("@/")[2].partition("?")[0]
        crm.change(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
        the_newer_stands(crm, older_begins_first=older_begins_first)


def test_the_first_two_deliveries_at_once_both_arrive(crm):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda day: deliver(crm, day, {}, {}), [TUESDAY, MONDAY]))
    assert found[0].status == "delivered"
    assert crm.ask("SELECT newest_as_of FROM portfolio_tables") == [("2024-03-05",)]
