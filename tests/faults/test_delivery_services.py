"""Databases that are not there, full, locked or closed to us: clear errors, and the old data."""

import os
import pwd
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.crm import (
    MONDAY,
    TUESDAY,
    Crm,
    accounts,
    deliver,
    deliver_to,
    postgresql_crm,
    sqlite_crm,
)
from tests.killed import deliver_many
from tests.limits import files_up_to
from tests.networks import network
from tests.servers import Server, server

from portfolio_ml.databases import postgresql as postgresql_module
from portfolio_ml.errors import (
    ConfigError,
    PortfolioError,
    ServiceUnavailableError,
    TryAgainLaterError,
)

pytestmark = pytest.mark.faults

PASSWORD = "s3cret-pass"
RISK = {"p_churn": "risk"}


def name_of(crm: Crm) -> str:
    return crm.url.partition("@/")[2].partition("?")[0]


@contextmanager
def fails(crm: Crm, kind: type[PortfolioError], code: int, match: str) -> Iterator[None]:
    """The block fails in this way, tells no secret, and leaves the data as it was."""
    before = crm.state()
    with pytest.raises(kind, match=match) as caught:
        yield
    assert caught.value.exit_code == code
    assert PASSWORD not in str(caught.value)
    assert crm.state() == before


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that demands a password of ann, and a delivered table of hers."""
    with server() as running:
        running.run(f"CREATE ROLE ann LOGIN PASSWORD '{PASSWORD}'")
        rules = running.folder / "pg_hba.conf"
        rules.write_text("local all ann scram-sha-256\n" + rules.read_text())
        running.run("SELECT pg_reload_conf()")
        crm = postgresql_crm(running, tmp_path_factory.mktemp("crm"))
        deliver(crm, MONDAY, {})
        yield running, crm


class TestConnecting:
    def test_with_a_wrong_password_is_unavailable(self, guarded):
        running, crm = guarded
        url = running.url_of(name_of(crm), user="ann", password=f"{PASSWORD}x")
        with fails(crm, ServiceUnavailableError, 69, "password authentication failed"):
            deliver(crm, TUESDAY, {"ltv": 1.0}, url=url)

    def test_without_rights_is_unavailable_and_says_to_what(self, guarded):
        running, crm = guarded
        url = running.url_of(name_of(crm), user="ann", password=PASSWORD)
        with fails(crm, ServiceUnavailableError, 69, "denied for (table|schema)"):
            deliver(crm, TUESDAY, {"ltv": 1.0}, url=url)
        running.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO ann", database=name_of(crm))
        with fails(
            crm, ServiceUnavailableError, 69, "denied for table (portfolio_tables|customer_scores)"
        ):
            deliver(crm, TUESDAY, {"ltv": 1.0}, url=url)

    def test_with_the_right_to_some_columns_of_the_crms_table_is_enough(self, guarded):
        running, crm = guarded
        running.run(
            "CREATE TABLE accounts (id text PRIMARY KEY, risk real, secret text)",
            database=name_of(crm),
        )
        running.run("INSERT INTO accounts VALUES ('a')", database=name_of(crm))
        mine = Crm(running.url_of(name_of(crm), user="ann", password=PASSWORD), crm.base)
        target = accounts(mine, RISK)
        with fails(crm, ServiceUnavailableError, 69, "denied for table accounts"):
            deliver_to(mine, target, MONDAY, {})
        running.run(
            "GRANT SELECT (id, risk), UPDATE (risk) ON accounts TO ann;"
            "GRANT CREATE ON SCHEMA public TO ann;"
            "GRANT ALL ON portfolio_runs, portfolio_rejects, portfolio_tables TO ann",
            database=name_of(crm),
        )
        assert deliver_to(mine, target, MONDAY, {}).sent == 1

    def test_to_a_missing_database_is_unavailable(self, postgresql):
        deliver(postgresql, MONDAY, {})
        url = postgresql.url.replace(name_of(postgresql), "nowhere")
        with fails(postgresql, ServiceUnavailableError, 69, '"nowhere" does not exist'):
            deliver(postgresql, TUESDAY, {"ltv": 1.0}, url=url)

    @pytest.mark.parametrize("host", ["no-such-host.invalid", "127.0.0.1:1"])
    def test_to_a_missing_host_is_unavailable(self, host, tmp_path):
        crm = Crm(f"postgresql://ann:{PASSWORD}@{host}/crm", tmp_path)
        with pytest.raises(ServiceUnavailableError) as caught:
            deliver(crm, MONDAY, {})
        assert PASSWORD not in str(caught.value)

    def test_over_a_network_that_breaks_down_half_way_is_unavailable(
        self, postgresql, postgresql_server
    ):
        deliver_many(postgresql, MONDAY, 3_000)
        with network(postgresql_server.socket) as line:
            url = f"postgresql://postgres@127.0.0.1:{line.port}/{name_of(postgresql)}"
            far = Crm(url, postgresql.base)
            for after in (0, 100, 3_000, 200_000, 600_000):
                line.carried, line.after = 0, after
                with fails(postgresql, ServiceUnavailableError, 69, "does not answer"):
                    deliver_many(far, TUESDAY, 3_000)
            line.after = None
            assert deliver_many(far, TUESDAY, 3_000).sent == 3_000

    def test_to_a_server_with_no_connection_left_is_for_later(self, postgresql, postgresql_server):
        postgresql_server.run("CREATE ROLE bea LOGIN CONNECTION LIMIT 0")
        url = postgresql_server.url_of(name_of(postgresql), user="bea")
        with fails(postgresql, TryAgainLaterError, 75, "no connection left"):
            deliver(postgresql, MONDAY, {}, url=url)


class TestLocks:
    def test_that_others_hold_too_long_are_for_later(self, postgresql, monkeypatch):
        deliver(postgresql, MONDAY, {})
        monkeypatch.setattr(postgresql_module, "LOCK_WAIT", "50ms")
        for table in ("customer_scores", "portfolio_tables"):
            with psycopg.connect(postgresql.url) as other:
                other.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
                with fails(postgresql, TryAgainLaterError, 75, "table is locked"):
                    deliver(postgresql, TUESDAY, {"ltv": 1.0})
        assert deliver(postgresql, TUESDAY, {"ltv": 1.0}).sent == 1

    def test_of_a_sqlite_file_are_for_later(self, tmp_path):
        crm = sqlite_crm(tmp_path)
        deliver(crm, MONDAY, {})
        with closing(sqlite3.connect(tmp_path / "crm.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with fails(crm, TryAgainLaterError, 75, "locked"):
                deliver(crm, TUESDAY, {"ltv": 1.0}, url="sqlite:///crm.db?timeout=0.05")


class TestDatabasesThatMayNotBeWritten:
    def test_are_unavailable(self, postgresql):
        deliver(postgresql, MONDAY, {})
        url = f"{postgresql.url}&options=-c%20default_transaction_read_only%3Don"
        with fails(postgresql, ServiceUnavailableError, 69, "may not be written"):
            deliver(postgresql, TUESDAY, {"ltv": 1.0}, url=url)

    def test_a_statement_that_takes_too_long_is_for_later(self, postgresql):
        deliver_many(postgresql, MONDAY, 3_000)
        url = f"{postgresql.url}&options=-c%20statement_timeout%3D5"
        with fails(postgresql, TryAgainLaterError, 75, "cancelled"):
            deliver_many(Crm(url, postgresql.base), TUESDAY, 3_000)


class TestAFullDisk:
    def test_of_sqlite_is_unavailable(self, tmp_path):
        crm = sqlite_crm(tmp_path)
        deliver_many(crm, MONDAY, 2_000)
        size = (tmp_path / "crm.db").stat().st_size
        with fails(crm, ServiceUnavailableError, 69, "disk"), files_up_to(size + 50_000):
            deliver_many(crm, TUESDAY, 2_000)
        assert deliver_many(crm, TUESDAY, 2_000).sent == 2_000

    def test_of_a_server_is_unavailable(self, tmp_path):
        with server() as running, small_disk(running, tmp_path, megabytes=12) as space:
            crm = postgresql_crm(running, tmp_path, options=f"TABLESPACE {space}")
            deliver(crm, MONDAY, {})
            with fails(crm, ServiceUnavailableError, 69, "disk is full"):
                deliver_many(crm, TUESDAY, 20_000)
            assert deliver(crm, TUESDAY, {"ltv": 1.0}).sent == 1


@contextmanager
def small_disk(running: Server, folder: Path, *, megabytes: int) -> Iterator[str]:
    """A tablespace on a disk of its own; skips where none can be mounted."""
    place = folder / "disk"
    place.mkdir()
    for each in (folder, *folder.parents[:3]):
        each.chmod(0o755)
    if os.geteuid():
        pytest.skip("only root can mount a disk")
    owner = pwd.getpwnam(running.running.system_user).pw_uid
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,uid={owner}", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        running.run(f"CREATE TABLESPACE small LOCATION '{place}'")
        yield "small"
    finally:
        running.stop_at_once()
        subprocess.run(["umount", str(place)], check=True)


def test_a_missing_table_of_the_crm_is_a_config_error(crm):
    deliver(crm, MONDAY, {})
    with fails(crm, ConfigError, 2, "'accounts' is missing"):
        deliver_to(crm, accounts(crm, RISK), TUESDAY, {})
