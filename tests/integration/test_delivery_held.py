"""However many customers there are, a delivery to a CRM holds few of their rows at once."""

from collections import deque
from dataclasses import replace

import pyarrow as pa
import pytest
from tests.contract.deliveries import FakeClock, asked, crm, names, run, scores
from tests.contract.hubspot import hubspot
from tests.parts import in_parts

from portfolio_ml.databases import read
from portfolio_ml.databases.writer import Writer
from portfolio_ml.sinks import desired, outbox_rows, parts, reconciling
from portfolio_ml.sinks.http import deliver_http, retry_http
from portfolio_ml.sinks.rehearsal import rehearse_http
from portfolio_ml.sinks.vendors.hubspot import HubSpot

pytestmark = pytest.mark.integration

COUNT = 250
OUTBOX = "SELECT * FROM portfolio_outbox ORDER BY target, customer_id"
REJECTS = "SELECT run_id, row_number, customer_id, reason, row FROM portfolio_rejects ORDER BY 1, 2"
OF_ONE_DELIVERY = slice(6, 9)
"""Columns of the outbox that tell one delivery from the next: batch, reference, delivery."""


@pytest.fixture
def held(monkeypatch):
    """How many rows every read from and write to the state database held."""
    sizes = [0]
    ask, load = Writer.ask, Writer.load

    def asking(self, sql, *values):
        found = ask(self, sql, *values)
        sizes.append(0 if "pragma_table_info" in sql else len(found))  # columns are no customers
        return found

    def loading(self, table, rows):
        sizes.append(rows.num_rows)
        load(self, table, rows)

    monkeypatch.setattr(Writer, "ask", asking)
    monkeypatch.setattr(Writer, "load", loading)
    return sizes


def walk(folder, given):
    """What is told and left of two days, when much goes wrong on the second.

    Args:
        folder: Where the state database is to lie.
        given: Makes rows what the delivery is given, of a day of March.
    """
    time = FakeClock()
    folder.mkdir()
    with hubspot(seconds=time.seconds) as (server, address):
        server.have(names(COUNT)[: COUNT - 30])
        to = crm(address, folder, clock=time.clock)
        second = scores(COUNT, 2, changed=lambda n: n % 2)
        told = [rehearse_http(given(scores(COUNT), 1), to, run=run())]
        told.append(deliver_http(given(scores(COUNT), 1), to, run=run()).receipt)
        told.append(rehearse_http(given(second, 2), to, run=run(2)))
        server.weather.refuses = lambda customer, _: "no" if int(customer[1:]) % 5 == 3 else None
        server.weather.script = deque(["silent", "drop_after", "silent", "silent"])
        told.append(deliver_http(given(second, 2), to, run=run(2)).receipt)
        told.append(rehearse_http(given(second, 2), to, run=run(2)))
        told.append(retry_http(to, run=run(2, "again")).receipt)
        left = [row[: OF_ONE_DELIVERY.start] + row[OF_ONE_DELIVERY.stop :]
                for row in asked(folder, OUTBOX)]  # fmt: skip
        counts = [(r.rows, r.sent, r.unchanged, r.rejected, r.unknown, r.absent) for r in told]
        return counts, left, asked(folder, REJECTS), server.held()


def test_few_rows_are_held_at_once_and_all_comes_out_the_same(held, monkeypatch, tmp_path):
    def as_parts(rows, day):
        return in_parts(rows, tmp_path / f"parts-{day}", as_of=run(day).as_of, size=70)

    monkeypatch.setattr(HubSpot, "most_rows", 20)
    whole = walk(tmp_path / "whole", lambda rows, _: rows)
    assert max(held) == COUNT
    for module, size in {
        desired: "ROWS_AT_ONCE",
        outbox_rows: "PAGE_ROWS",
        parts: "ROWS_AT_ONCE",
        reconciling: "PAGE_ROWS",
    }.items():
        monkeypatch.setattr(module, size, 20)
    monkeypatch.setattr(read, "_arrow", None)  # what reads a table whole
    held.clear()
    assert walk(tmp_path / "parts", as_parts) == whole
    assert max(held) == 20
    counts, left, rejects, _ = whole
    assert counts[:2] == [(COUNT, COUNT, 0, 0, 0, 0), (COUNT, COUNT - 30, 0, 0, 0, 30)]
    assert len(left) == COUNT
    assert [row[:2] for row in rejects[:22]] == [("again", number) for number in range(1, 23)]
    assert {run_id for run_id, *_ in rejects[22:]} == {"r2"}


def test_a_state_on_postgresql_is_read_in_pages_too(postgresql, monkeypatch, tmp_path):
    for module, size in {desired: "ROWS_AT_ONCE", outbox_rows: "PAGE_ROWS"}.items():
        monkeypatch.setattr(module, size, 20)
    time = FakeClock()
    with hubspot(seconds=time.seconds) as (server, address):
        server.have(names(50))
        server.weather.refuses = lambda customer, _: "no" if customer.endswith("3") else None
        server.weather.script = deque(["silent"])
        to = replace(crm(address, tmp_path, clock=time.clock), url=postgresql.url)
        given = scores(50, 2, changed=lambda n: int(n < 9))
        ids = pa.array([*names(49), "nul \0"])
        odd = given.set_column(0, "customer_id", ids)
        told = [
            rehearse_http(scores(50), to, run=run()),
            deliver_http(scores(50), to, run=run()).receipt,
            rehearse_http(odd, to, run=run(2)),
            deliver_http(given, to, run=run(2)).receipt,
            retry_http(to, run=run(2, "again")).receipt,
        ]
    assert [(r.rows, r.unchanged, r.rejected) for r in told] == [
        (50, 0, 0),
        (50, 0, 5),
        (50, 36, 5),  # who has no id that the database can hold is no customer of its
        (50, 37, 5),
        (50, 45, 5),
    ]
    rejects = postgresql.ask("SELECT row_number FROM portfolio_rejects WHERE run_id = 'again'")
    assert sorted(number for (number,) in rejects) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("is_in_parts", [False, True], ids=["whole", "in-parts"])
def test_rows_of_some_customers_are_told_of_alone(tmp_path, is_in_parts):
    time = FakeClock()
    with hubspot(seconds=time.seconds) as (server, address):
        server.have(names(COUNT))
        server.weather.refuses = lambda customer, _: "no" if customer.endswith("3") else None
        to = crm(address, tmp_path, clock=time.clock)
        deliver_http(scores(COUNT), to, run=run())
        some = scores(COUNT).slice(41, 14)
        ltv = pa.array([float("inf"), *some["ltv"].to_pylist()[1:]])
        some = some.set_column(some.column_names.index("ltv"), "ltv", ltv)
        if is_in_parts:
            some = in_parts(some, tmp_path / "parts", as_of=run().as_of, size=5)
        receipt = deliver_http(some, to, run=run(1, "some")).receipt
    assert (receipt.rows, receipt.unchanged, receipt.rejected) == (14, 11, 3)
    query = "SELECT row_number, customer_id FROM portfolio_rejects WHERE run_id = 'some' ORDER BY 1"
    assert asked(tmp_path, query) == [(1, "c000041"), (3, "c000043"), (13, "c000053")]
