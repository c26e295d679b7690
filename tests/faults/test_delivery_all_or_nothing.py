"""Deliveries that end half-way leave nothing half-done; `make test-faults` does it more often."""

import pytest
from tests.all_or_nothing import killed, on_postgresql, on_sqlite, stopped, terminated
from tests.servers import server

pytestmark = pytest.mark.faults

ROWS = 4_000


def test_on_postgresql_after_kills_terminated_connections_and_stopped_servers(tmp_path):
    with server() as running:
        ended = on_postgresql(
            running,
            tmp_path,
            rows=ROWS,
            disturbances=[(killed, 5), (terminated(running), 3), (stopped(running), 2)],
        )
    assert ended["torn"] == 0
    assert ended.total() == 10


def test_on_sqlite_after_kills(tmp_path):
    ended = on_sqlite(tmp_path, rows=ROWS, kills=10)
    assert ended["torn"] == 0
    assert ended.total() == 10
