"""One delivery to targets of every kind: what is told, rehearsed, left over and taken up again."""

from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from tests.contract import salesforce_place
from tests.contract.deliveries import COLUMNS, NOW, names, run, scores, wanted
from tests.contract.hubspot import TOKEN, hubspot
from tests.contract.salesforce import CLIENT_ID, CLIENT_SECRET
from tests.contract.salesforce_place import salesforces

from portfolio_ml import upkeep
from portfolio_ml.config import Settings, settings_from
from portfolio_ml.delivering import bands_before, bands_in_batches, deliver, rehearse
from portfolio_ml.errors import ServiceUnavailableError
from portfolio_ml.sinks.suppression import suppress

pytestmark = pytest.mark.integration

COUNT = 4
SQL = {"kind": "sql", "url": "sqlite:///crm.db", "table": "customer_scores"}
FILE = {"kind": "parquet", "path": "scores.parquet"}


@pytest.fixture(scope="module")
def crms():
    """A HubSpot and its address, and a place for Salesforces."""
    with ExitStack() as stack:
        yield *stack.enter_context(hubspot()), stack.enter_context(salesforces())


@pytest.fixture
def server(crms):
    """HubSpot, with a record for every customer and nothing in them."""
    server, _, _ = crms
    server.records.clear()
    server.have(names(COUNT))
    server.weather.token = TOKEN
    return server


@pytest.fixture
def org(crms):
    """A fresh Salesforce, whose jobs are done at once."""
    _, _, place = crms
    fresh = place.fresh()
    fresh.org.polls = 0
    return fresh


@pytest.fixture
def settings(crms, server, org, tmp_path):
    """A config with a target of each kind."""
    _, address, _ = crms
    hubspot = {"kind": "hubspot", "token": TOKEN, "base_url": address, "columns": COLUMNS}
    salesforce = {
        "kind": "salesforce",
        "login_url": org.address,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "external_id": "Customer__c",
        "columns": salesforce_place.COLUMNS,
        "mode": "upsert",
    }
    targets = [SQL, FILE, hubspot | {"id_property": "customer_no"}, salesforce]
    return settings_of(tmp_path, *targets)


def settings_of(folder: Path, *targets: dict[str, object]) -> Settings:
    data = {"transactions": {"source": "cdnow"}}
    return settings_from({"name": "shop", "data": data, "delivery": [*targets]}, base=folder)


def test_each_target_is_told_by_name_and_gets_every_row_once(settings, server, org):
    expected = [r.receipt for r in rehearse(scores(COUNT), settings, run())]
    assert [r.sent for r in expected] == [COUNT] * 4
    assert not any(server.held().values())
    told: list[str] = []
    done = deliver(scores(COUNT), settings, run(), say=told.append)
    assert done.faults == ()
    assert [(r.rows, r.sent, r.status) for r in done.receipts] == [(COUNT, COUNT, "delivered")] * 4
    assert list(dict.fromkeys(str(step) for step in told)) == [
        "delivering to customer_scores in sqlite:///crm.db (1 of 4)",
        "delivering to scores.parquet (2 of 4)",
        "delivering to HubSpot contacts (3 of 4)",
        "delivering to Salesforce Account (4 of 4)",
    ]
    assert server.held() == wanted(COUNT)
    assert salesforce_place.held(org) == salesforce_place.wanted(COUNT)
    again = [r.receipt for r in rehearse(scores(COUNT), settings, run())]
    assert [(r.sent, r.unchanged) for r in again] == [(0, COUNT)] * 4


def test_what_one_target_leaves_a_retry_finishes_there_alone(settings, server):
    assert upkeep.retry(settings, now=run().now).receipts == ()
    server.weather.token = "another"
    done = deliver(scores(COUNT), settings, run())
    assert [(r.sent, r.pending, r.status) for r in done.receipts] == [
        (COUNT, 0, "delivered"),
        (COUNT, 0, "delivered"),
        (0, COUNT, "unfinished"),
        (COUNT, 0, "delivered"),
    ]
    [fault] = done.faults
    assert isinstance(fault, ServiceUnavailableError)
    server.weather.token = TOKEN
    [receipt] = upkeep.retry(settings, now=run().now).receipts
    assert (receipt.sent, receipt.status, receipt.as_of) == (COUNT, "delivered", run().as_of)
    assert server.held() == wanted(COUNT)
    assert upkeep.retry(settings, now=run().now).receipts == ()


def test_of_whom_was_erased_while_they_waited_nothing_is_sent(settings, server):
    erased, *others = names(COUNT)
    server.weather.token = "another"
    deliver(scores(COUNT), settings, run())
    server.weather.token = TOKEN
    suppress(settings, erased, now=NOW)  # as an erasure that was killed right after
    [receipt] = upkeep.retry(settings, now=run().now).receipts
    assert receipt.sent == len(others)
    assert server.held() == {**wanted(COUNT), erased: {}}


def test_bands_come_from_the_first_database_that_has_any(tmp_path, settings):
    hubspot = settings.delivery[2].model_dump()
    deliver(scores(COUNT), settings_of(tmp_path, hubspot), run())
    (tmp_path / "no.db").write_text("This is no database. " * 100)
    unreadable = SQL | {"url": "sqlite:///no.db"}
    several = settings_of(tmp_path, unreadable, SQL, hubspot, SQL | {"url": "sqlite:///later.db"})

    def bands(as_of: date) -> list[pa.Table]:
        batches = [*bands_in_batches(several, as_of)]
        told = bands_before(several)(as_of)
        return [pa.Table.from_batches(batches, told.schema).sort_by("customer_id"),
                told.sort_by("customer_id")]  # fmt: skip

    later, same = bands(date(2024, 3, 2))
    assert later.equals(same)
    assert later.to_pylist() == [{"customer_id": n, "churn_band": "text 0"} for n in names(COUNT)]
    assert [table.num_rows for table in bands(run().as_of)] == [0, 0]
