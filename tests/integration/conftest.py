"""The walks that the integration tests look at, each done once."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


def command(*arguments: str | Path, cwd: Path | None = None) -> Finished:
    """`portfolio-ml` on these arguments, in a process of its own and a bare environment."""
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "120"}
    program = str(Path(sys.executable).with_name("portfolio-ml"))
    done = subprocess.run(
        [program, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=550,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def cdnow(tmp_path_factory):
    """The demo on CDNOW: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("cdnow") / "demo"
    done = command("demo", "cdnow", "--dir", folder)
    assert done.code == 0, done.err
    return folder, done
