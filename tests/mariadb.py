"""A real MariaDB server for tests, or a skip that says why there is none."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

WAIT_SECONDS = 60

_numbers = itertools.count(1)


@dataclass(frozen=True)
class MariaDb:
    """A running server, reached through its socket."""

    socket: Path

    def url(self, database: str, *, kind: str = "mariadb+pymysql", login: str = "root") -> str:
        """The URL of one of its databases."""
        return f"{kind}://{login}@localhost/{database}?unix_socket={self.socket}"

    def fresh(self) -> str:
        """The name of a new database, whose own character set is not the package's."""
        name = f"crm_{next(_numbers)}"
        self.ask(f"CREATE DATABASE {name} CHARACTER SET latin1")
        return name

    def ask(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run statements as root; gives the rows of the last one."""
        with closing(self.connected(database)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            rows = list(cursor.fetchall())
            connection.commit()
            return rows

    def connected(self, database: str | None = None) -> pymysql.Connection:
        return pymysql.connect(unix_socket=str(self.socket), user="root", database=database)


@contextmanager
def mariadb() -> Iterator[MariaDb]:
    """A server for the length of a `with` block.

    It never runs as root, and listens on a socket alone; its folder does not lie in pytest's own,
    which each run closes to all other users.
    """
    daemon = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    install = shutil.which("mariadb-install-db")
    if not daemon or not install:
        pytest.skip("there is no MariaDB (Debian: apt-get install mariadb-server)")
    with tempfile.TemporaryDirectory(prefix="maria-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        if user := _other_user():
            shutil.chown(folder, user)
        data, socket = f"--datadir={folder / 'data'}", folder / "socket"
        installing = [install, "--no-defaults", data, "--skip-test-db", "--force"]
        installing.append("--auth-root-authentication-method=normal")
        subprocess.run(installing, user=user, check=True, capture_output=True)
        small = ["--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=2"]
        quiet = ["--skip-networking", f"--log-error={folder / 'log'}", f"--socket={socket}"]
        running = subprocess.Popen([daemon, "--no-defaults", data, *quiet, *small], user=user)
        try:
            _wait_for(socket, running, folder / "log")
            yield MariaDb(socket)
        finally:
            running.kill()
            running.wait()


def _other_user() -> str | None:
    """Whom the server runs as: another than root, or whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "mysql" if "mysql" in names else "nobody"


def _wait_for(socket: Path, running: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while running.poll() is None and time.monotonic() < until:
        if socket.exists():
            MariaDb(socket).connected().close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"MariaDB does not start: {log.read_text()[-2000:]}")
