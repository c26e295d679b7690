"""A training against a real MLflow server over HTTP, and what becomes of one whose server goes."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.error import URLError

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from tests.small_shop import (
    CUSTOMERS,
    NOW,
    TRAINED,
    history,
    published,
    quietly,
    settings_of,
    trained,
    without_portfolio,
)

from portfolio_ml import champions, pipeline, registry
from portfolio_ml.config import ParquetTarget
from portfolio_ml.errors import NothingToDoError, ServiceUnavailableError

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("tracking_server"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own use of its libraries
]

TARGETS = registry.TARGETS


class Line:
    """A telephone line to a port on this machine, which can be cut and mended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._calls: list[socket.socket] = []
        self.is_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._answer, daemon=True).start()

    def cut(self) -> None:
        self.is_cut = True
        for call in self._calls:
            with suppress(OSError):
                call.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_cut = False

    def hang_up(self) -> None:
        self.cut()
        self._listener.close()

    def _answer(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                if self.is_cut:
                    caller.close()
                    continue
                called = socket.create_connection(("127.0.0.1", self._port))
                self._calls += [caller, called]
                for ends in ((caller, called), (called, caller)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                target.sendall(content)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nobody waits before a server that is gone is tried again."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


SERVER = """
import os
import sys

import uvicorn
from mlflow import server

port, database, artifacts = sys.argv[1:]
os.environ[server.BACKEND_STORE_URI_ENV_VAR] = database
os.environ[server.ARTIFACT_ROOT_ENV_VAR] = "mlflow-artifacts:/"
os.environ[server.ARTIFACTS_DESTINATION_ENV_VAR] = artifacts
os.environ[server.SERVE_ARTIFACTS_ENV_VAR] = "true"
uvicorn.run("mlflow.server.fastapi_app:app", host="127.0.0.1", port=int(port))
"""
"""What `mlflow server` begins in another process; its own takes eight CPU seconds to do so."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server's port and folder."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    arguments = [str(port), f"sqlite:///{folder}/server.db", str(folder / "artifacts")]
    switches = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *arguments],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=os.environ | switches,
            start_new_session=True,
        )
    try:
        wait_for(port, process, folder / "log")
        yield port, folder
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(port: int, process: subprocess.Popen, log) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        with suppress(URLError, OSError):
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/health").status == 200:
                return
        time.sleep(0.2)
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def line(server):
    port, _ = server
    line = Line(port)
    yield line
    line.hang_up()


@pytest.fixture(scope="module")
def shop(line, tmp_path_factory):
    uri = f"http://127.0.0.1:{line.port}"
    return without_portfolio(settings_of(tmp_path_factory.mktemp("shop"), uri=uri))


@pytest.fixture(scope="module")
def training(shop):
    return trained(shop, keep=True)


@pytest.fixture
def client(shop):
    return MlflowClient(shop.tracking.uri, shop.tracking.uri)


@pytest.fixture
def runs(client, training):
    experiment = client.get_experiment_by_name("shop")
    found = client.search_runs([experiment.experiment_id])
    return {run.info.run_name: run for run in found if run.info.status == "FINISHED"}


def artifact(client, run, path, folder) -> str:
    local = client.download_artifacts(run.info.run_id, path, str(folder))
    return Path(local).read_text(encoding="utf-8")


def names(client, run, path=None) -> set[str]:
    return {file.path for file in client.list_artifacts(run.info.run_id, path)}


def test_the_parent_run_says_what_was_trained_on_what(client, runs, training, tmp_path):
    run = runs["train 2023-10-31"]
    assert run.info.run_id == training.run_id
    (used,) = run.inputs.dataset_inputs
    digest = run.data.tags["data_digest"]
    assert (used.dataset.name, used.dataset.digest) == ("shop-transactions", digest[:36])
    known = pc.sum(pc.less_equal(history()["timestamp"], TRAINED)).as_py()
    assert json.loads(used.dataset.profile)["rows_kept"] == known
    assert "buyer#" not in used.dataset.source + used.dataset.schema + used.dataset.profile
    config = artifact(client, run, "config.yaml", tmp_path)
    assert "name: shop" in config
    versions = json.loads(artifact(client, run, "environment.json", tmp_path))
    assert {"python", "lightgbm", "mlflow", "portfolio-ml"} <= {*versions}
    assert run.data.tags["portfolio_ml_version"] == versions["portfolio-ml"]


def test_each_target_has_its_run_with_a_card_and_plots(client, runs, tmp_path):
    for target in TARGETS:
        run = runs[target]
        assert run.data.tags["mlflow.parentRunId"] == runs["train 2023-10-31"].info.run_id
        assert {"model_card.md", "judgement.json", "gate.json", "plots"} <= names(client, run)
        assert "## Limits" in artifact(client, run, "model_card.md", tmp_path)
    value = {
        path.removeprefix("plots/lifetime_value_")
        for path in names(client, runs["lifetime_value"], "plots")
    }
    assert {"deciles.png", "lorenz.png", "coverage_by_tier.png"} <= value
    churn = {path.removeprefix("plots/churn_") for path in names(client, runs["churn"], "plots")}
    assert {"calibration.png", "gains.png", "lift.png", "importance_no_purchase.png"} <= churn


def test_the_champions_score(shop, training):
    with pipeline.opened(shop, today=NOW.date(), as_of=TRAINED, say=quietly) as portfolio:
        rows = pipeline.score(portfolio, now=lambda: NOW, say=quietly).rows
    assert rows.num_rows == CUSTOMERS
    assert set(rows["churn_model_version"].to_pylist()) == {training.versions["churn"]}


def test_the_server_holds_no_customer(server, training):
    _, folder = server
    for path in folder.rglob("*"):
        if path.is_file():
            assert b"buyer#" not in path.read_bytes(), path


@pytest.mark.long  # promotions, scorings and the monitor lose their server in the tests below
@pytest.mark.usefixtures("training")
def test_a_server_that_goes_meanwhile_costs_nothing_but_the_training(
    shop, line, monkeypatch, capsys
):
    def in_force():
        with registry.opened(shop) as store:
            return {target: store.champion(target).version for target in TARGETS}

    before, original = in_force(), MlflowClient.create_model_version

    def gone(*arguments, **named):
        line.cut()
        return original(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_model_version", gone)
        with pytest.raises(ServiceUnavailableError) as refusal:
            published(shop)
    assert refusal.value.exit_code == 69
    with pytest.raises(ServiceUnavailableError) as refusal:
        published(shop)
    assert refusal.value.exit_code == 69
    line.mend()
    assert in_force() == before
    assert published(shop, promote=False).tidied.runs >= 2
    assert in_force() == before
    assert capsys.readouterr().out == ""  # results alone go there


@pytest.fixture
def cut_at(line, monkeypatch):
    """Cut the line when the client is asked for something, for the length of a block."""

    @contextmanager
    def cut(method):
        original = getattr(MlflowClient, method)

        def gone(*arguments, **named):
            line.cut()
            return original(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, method, gone)
            with pytest.raises(ServiceUnavailableError, match="tracking store") as refusal:
                yield
        assert refusal.value.exit_code == 69
        line.mend()

    return cut


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize("method", ["search_registered_models", "get_model_version_download_uri"])
def test_a_server_that_goes_while_champions_are_loaded_delivers_nothing(shop, cut_at, method):
    """The same command with the server delivers all."""
    there = shop.base / "scores.parquet"
    there.unlink(missing_ok=True)
    to_file = ParquetTarget(kind="parquet", path="scores.parquet")
    delivering = shop.model_copy(update={"delivery": (to_file,)})
    with pipeline.opened(delivering, today=NOW.date(), as_of=TRAINED, say=quietly) as portfolio:
        with cut_at(method):
            pipeline.score(portfolio, now=lambda: NOW, say=quietly)
        assert not there.exists()
        if method == "search_registered_models":
            return  # the other one goes the same way to its end
        done = pipeline.score(portfolio, now=lambda: NOW, say=quietly)
    assert done.faults == ()
    assert pq.read_table(there).num_rows == CUSTOMERS


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize(
    "method",
    [
        pytest.param("set_registered_model_tag", marks=pytest.mark.long),
        "set_registered_model_alias",
        pytest.param("set_model_version_tag", marks=pytest.mark.long),
    ],
)
def test_a_server_that_goes_during_a_promotion_leaves_one_that_the_same_command_finishes(
    shop, cut_at, newer, method
):
    with registry.opened(shop) as store:
        before = store.aliases("churn")["champion"]
    with cut_at(method):
        champions.promote(shop, "churn", newer[before], reason="by hand")
    if method == "set_model_version_tag":  # the champion changed; its record did not arrive
        with pytest.raises(NothingToDoError):
            champions.promote(shop, "churn", newer[before], reason="by hand")
    else:
        champions.promote(shop, "churn", newer[before], reason="by hand")
    with registry.opened(shop) as store:
        assert store.aliases("churn")["champion"] == newer[before]
        assert store.aliases("churn")["previous"] == before
        moves = store.moves("churn")
    assert (moves[-1].version, moves[-1].before) == (newer[before], before)


@pytest.fixture(scope="module")
def newer(shop, training):
    """To each of two versions of the model of churn, the other one."""
    first, second = training.versions["churn"], published(shop, promote=False).versions["churn"]
    return {first: second, second: first}


@pytest.mark.usefixtures("training")
def test_a_server_that_goes_while_the_monitor_looks_is_told_and_the_next_looks_again(shop, cut_at):
    with pipeline.opened(shop, today=NOW.date(), as_of=TRAINED, say=quietly) as portfolio:
        with cut_at("log_batch"):
            pipeline.monitor(portfolio, say=quietly)
        assert pipeline.monitor(portfolio, say=quietly).verdict.level == "keep"


def test_the_server_runs_on_sqlite(server, training):
    _, folder = server
    with closing(sqlite3.connect(folder / "server.db")) as store:
        assert store.execute("SELECT count(*) FROM registered_models").fetchone() == (3,)
