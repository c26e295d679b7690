"""The walks that the integration tests look at, each done once."""

import functools
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.examples import is_long

from portfolio_ml import publish
from portfolio_ml.cli import app

LIGHTER = {"TRAINING__SNAPSHOTS": "2", "BACKTEST__BOOTSTRAP": "100"}
"""What makes a walk learn from fewer rows."""

LIGHTEST = LIGHTER | {
    "TRAINING__SNAPSHOTS": "1",
    "TRAINING__TREES__CHURN__LEARNING_RATE": "0.2",
    "TRAINING__TREES__LIFETIME_VALUE__LEARNING_RATE": "0.2",
}
"""Fewer still, and its trees four times as fast: for CDNOW's 23,570 customers."""

ONCE = {"BACKTEST__CUTOFFS": "1"}
"""And be judged at the last cutoff alone."""

TWICE = {"BACKTEST__CUTOFFS": "2"}
"""Or at two of them."""

FIVE_SEGMENTS = {"TARGETS__SEGMENTS__COUNT": "5"}
"""And not look for the number of segments."""

CHARTED: dict[tuple, dict[str, bytes]] = {}
"""The pictures of this process's trainings."""


def unless_long(*settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of such a walk, which wins over any config; `make test-long` has none."""
    given = {} if is_long() else {name: v for each in settings for name, v in each.items()}
    return {f"PORTFOLIO_ML__{name}": value for name, value in given.items()}


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


def command(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> Finished:
    """`portfolio-ml` on these arguments, in a process of its own and a bare environment.

    What it runs is the package that the tests import, wherever that lies.
    """
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment = kept | {"COLUMNS": "120"} | variables
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


def called(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> Finished:
    """The same in this process, which has imported what takes a new one seconds."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("COLUMNS", "120")
        for name, value in variables.items():
            patch.setenv(name, value)
        if cwd is not None:
            patch.chdir(cwd)
        code = app.run([*map(str, arguments)])
    return Finished(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session", autouse=True)
def tables_made_once(tmp_path_factory):
    """MLflow migrates the tables of a new store fifty times, which takes two seconds of CPU.

    It does so for the first store of this process; the tables of others are copies.
    """
    from mlflow.store.db import utils  # noqa: PLC0415 - importing it takes seconds

    migrate, kept = utils._upgrade_db, tmp_path_factory.mktemp("tables") / "mlflow.db"

    def copied(engine):
        if engine.url.get_backend_name() != "sqlite":
            return migrate(engine)
        is_first = not kept.exists()
        if is_first:
            migrate(engine)
        made = Path(engine.url.database)
        source, target = (made, kept) if is_first else (kept, made)
        try:
            with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
                one.backup(other)
        except sqlite3.OperationalError:  # no room: MLflow itself finds out
            migrate(engine)
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "_upgrade_db", copied)
        yield


@pytest.fixture(scope="module", autouse=True)
def drawn_once():
    """One picture stands for the dozen plots of each training in this process.

    All of them are drawn in processes of their own, in the demo and the notebooks, and one by one
    in the report's unit tests; `make test-long` draws all.
    """
    import vl_convert  # noqa: PLC0415 - likewise

    draw = vl_convert.vegalite_to_png
    once = functools.cache(lambda: draw({"mark": "point", "data": {"values": []}}))
    with pytest.MonkeyPatch.context() as patch:
        if not is_long():
            patch.setattr(vl_convert, "vegalite_to_png", lambda *_, **__: once())
        yield


@pytest.fixture(scope="module", autouse=True)
def charted_once():
    """The pictures of a process's first training stand for those of every like one.

    Building a dozen charts is a quarter of what publishing takes. Those of another target, winner
    or judgement are built; `make test-long` builds all.
    """
    build = publish._plots

    def once(target, judged, files, settings):
        said = frozenset(name for name, value in judged.items() if value)
        key = (target, judged.get("winner"), said)
        if key not in CHARTED:
            CHARTED[key] = build(target, judged, files, settings)
        return CHARTED[key]

    with pytest.MonkeyPatch.context() as patch:
        if not is_long():
            patch.setattr(publish, "_plots", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def tried_once():
    """MLflow loads each model that is logged and has it predict; here a process's first alone.

    That registered models answer is seen in `test_serving`; `make test-long` has all of them tried.
    """
    from mlflow.models import utils  # noqa: PLC0415 - likewise

    waiting = iter([utils._validate_serving_input])

    def tried(**model):
        for validate in waiting:
            validate(**model)

    with pytest.MonkeyPatch.context() as patch:
        if not is_long():
            patch.setattr(utils, "_validate_serving_input", tried)
        yield


@pytest.fixture(scope="session")
def cdnow(tmp_path_factory):
    """The demo on CDNOW: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("cdnow") / "demo"
    done = command("demo", "cdnow", "--dir", folder, **unless_long(LIGHTEST, TWICE, FIVE_SEGMENTS))
    assert done.code == 0, done.err
    return folder, done
