"""The folder that a process works in: gone at the end, and where it was killed, by the next one."""

import subprocess
import sys

import pytest

from portfolio_ml.config import DuckDB
from portfolio_ml.engine import opened
from portfolio_ml.engine.folder import PREFIX, working_folder
from portfolio_ml.writers import Writer

pytestmark = pytest.mark.unit

KILLED = """
import os, signal, sys
from pathlib import Path
from portfolio_ml.engine.folder import working_folder
with working_folder(Path(sys.argv[1])) as folder:
    (folder / "rows.arrow").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_is_there_for_the_block_and_no_longer(tmp_path):
    with working_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_the_next_one_removes(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    [left] = tmp_path.iterdir()
    assert (left / "rows.arrow").exists()

    with opened(DuckDB(temp_directory=tmp_path)):
        assert not left.exists()
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_at_work_is_left_alone(tmp_path):
    with working_folder(tmp_path) as ours, working_folder(tmp_path):
        assert ours.is_dir()


@pytest.mark.parametrize(
    "writer", [Writer("elsewhere", 1, "7"), "no writer", None], ids=["host", "text", "none"]
)
def test_what_may_be_somebody_elses_is_left_alone(tmp_path, writer):
    other = tmp_path / f"{PREFIX}other"
    other.mkdir()
    if writer:
        (other / "writer").write_text(str(writer))

    with working_folder(tmp_path):
        assert other.is_dir()
