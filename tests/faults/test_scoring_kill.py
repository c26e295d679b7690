"""Scorings killed half-way: each target has its old rows or the new ones, and a re-run ends.

`make test-faults` kills whole commands at moments spread over their time; here they die at a step.
"""

import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing
from datetime import timedelta

import pyarrow.parquet as pq
import pytest
from tests.small_shop import NOW, TRAINED, quietly, settings_of, trained

from portfolio_ml import pipeline
from portfolio_ml.config import ParquetTarget, SqlTarget

pytestmark = [
    pytest.mark.faults,
    pytest.mark.xdist_group("training_kill"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own use of its libraries
]

HERE = multiprocessing.get_context("forkserver")
SECOND = TRAINED + timedelta(days=29)
TARGETS = (
    SqlTarget(kind="sql", url="sqlite:///crm.db", table="customer_scores"),
    ParquetTarget(kind="parquet", path="scores.parquet"),
)


def settings_at(folder):
    """The shop's, with two targets and a folder to spill to."""
    settings = settings_of(folder)
    spill = {"temp_directory": folder / "spill"}
    engine = settings.engine.model_copy(update=spill)
    return settings.model_copy(update={"engine": engine, "delivery": TARGETS})


def score(folder, day, say=quietly):
    settings = settings_at(folder)
    with pipeline.opened(settings, today=NOW.date(), as_of=day, say=quietly) as portfolio:
        return pipeline.score(portfolio, now=lambda: NOW, say=say)


def die_at(folder, words) -> None:
    """Score, and be killed when a step is told that begins so."""

    def say(text) -> None:
        if str(text).startswith(words):
            os.kill(os.getpid(), signal.SIGKILL)

    score(folder, SECOND, say)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder whose champions have delivered once."""
    HERE.set_forkserver_preload(["tests.small_shop", "mlflow"])
    folder = tmp_path_factory.mktemp("scored")
    trained(settings_at(folder))
    score(folder, TRAINED)
    return folder


def newest(folder) -> dict[str, str]:
    """The date of each target's rows, all of which have it; and that of the newest receipt."""
    with closing(sqlite3.connect(folder / "crm.db")) as crm:
        [(table,)] = crm.execute("SELECT DISTINCT as_of FROM customer_scores").fetchall()
        [(receipt,)] = crm.execute("SELECT MAX(as_of) FROM portfolio_runs").fetchall()
    [day] = pq.read_table(folder / "scores.parquet")["as_of"].unique().to_pylist()
    return {"table": table, "receipt": receipt, "file": str(day)}


def test_a_scoring_killed_at_a_step_is_finished_by_a_plain_run(shop):
    old, new = str(TRAINED), str(SECOND)
    for words, there in (
        ("delivering to customer_scores", old),
        ("delivering to scores.parquet", new),
    ):
        process = HERE.Process(target=die_at, args=(shop, words))
        process.start()
        process.join(300)
        assert process.exitcode == -signal.SIGKILL
        assert newest(shop) == {"table": there, "receipt": there, "file": old}
    assert [*(shop / "spill").iterdir()] != []
    done = score(shop, SECOND)
    assert done.faults == ()
    assert newest(shop) == {"table": new, "receipt": new, "file": new}
    assert [*(shop / "spill").iterdir()] == []
    assert [*shop.glob(".*")] == []
