"""Deliveries disturbed again and again: after each, the tables are the old ones or the new ones."""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.crm import MONDAY, TUESDAY, Crm, postgresql_crm, sqlite_crm
from tests.killed import Deliverer, deliver_many, deliverer
from tests.servers import Server

Disturb = Callable[[Crm, Deliverer], object]


def killed(crm: Crm, delivery: Deliverer) -> None:
    """The client's process ends at once."""
    delivery.kill()


def terminated(server: Server) -> Disturb:
    """The server ends the delivery's connection."""

    def disturb(crm: Crm, delivery: Deliverer) -> None:
        server.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{_database(crm)}'"
        )

    return disturb


def stopped(server: Server) -> Disturb:
    """The server stops as if the power failed, and starts again."""

    def disturb(crm: Crm, delivery: Deliverer) -> None:
        server.stop_at_once()
        server.start()

    return disturb


def on_postgresql(
    server: Server, folder: Path, *, rows: int, disturbances: list[tuple[Disturb, int]]
) -> Counter[str]:
    """Tuesday's delivery after Monday's, disturbed so often; gives how often it ended how.

    Each begins with the old state, which is a template that the database is made anew from where
    a delivery arrived.
    """
    old = postgresql_crm(server, folder)
    deliver_many(old, MONDAY, rows)
    crm = _anew(server, old, folder)
    moments, ended = random.Random(7), Counter[str]()
    with deliverer(crm, TUESDAY, rows) as delivery:
        assert delivery.measure() == "done"
        states = {"old": old.state(), "new": crm.state()}
        assert states["old"] != states["new"]
        crm = _anew(server, old, folder, of=crm)
        for disturb, times in disturbances:
            for _ in range(times):
                delivery.disturbed(moments, lambda: disturb(crm, delivery))  # noqa: B023 - at once
                _wait_for_silence(server, crm)
                found = _named(crm.state(), states)
                ended[found] += 1
                if found == "new":
                    crm = _anew(server, old, folder, of=crm)
        assert delivery.measure() == "done"
        assert crm.state() == states["new"]
    return ended


def on_sqlite(folder: Path, *, rows: int, kills: int) -> Counter[str]:
    """The same for a file; the process is killed."""
    old, crm = sqlite_crm(folder / "old"), sqlite_crm(folder / "new")
    old.base.mkdir()
    deliver_many(old, MONDAY, rows)
    _copy(old, crm)
    moments, ended = random.Random(7), Counter[str]()
    with deliverer(crm, TUESDAY, rows) as delivery:
        assert delivery.measure() == "done"
        states = {"old": old.state(), "new": crm.state()}
        _copy(old, crm)
        for _ in range(kills):
            delivery.disturbed(moments, delivery.kill)
            found = _named(crm.state(), states)
            ended[found] += 1
            if found == "new":  # once more would leave another receipt: all rows unchanged
                _copy(old, crm)
        assert delivery.measure() == "done"
        assert crm.state() == states["new"]
    return ended


def _copy(old: Crm, crm: Crm) -> None:
    """The folder of the old database in place of the other's."""
    shutil.rmtree(crm.base, ignore_errors=True)
    shutil.copytree(old.base, crm.base)


def _wait_for_silence(server: Server, crm: Crm) -> None:
    """Until the server has noticed that the client is gone: it may be at the commit."""
    others = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{_database(crm)}'"
    while server.run(others):
        time.sleep(0.01)


def _named(state: str, states: dict[str, str]) -> str:
    [name] = [name for name, known in states.items() if known == state] or ["torn"]
    return name


def _anew(server: Server, old: Crm, folder: Path, *, of: Crm | None = None) -> Crm:
    """A copy of the old database, in place of another where one is given."""
    template = _database(old)
    if of is None:
        return postgresql_crm(server, folder, options=f"TEMPLATE {template}")
    server.run(f"DROP DATABASE {_database(of)} WITH (FORCE)")
    server.run(f"CREATE DATABASE {_database(of)} TEMPLATE {template}")
    return of


def _database(crm: Crm) -> str:
    return crm.url.partition("@/")[2].partition("?")[0]
