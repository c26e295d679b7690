"""The loop on a real MLflow store: train, promote, score, new data, monitor, train, gate."""

import json
from datetime import timedelta

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from tests.examples import is_long
from tests.stationary import TRAINED, half_the_rate

import portfolio_ml as pml
from portfolio_ml.cli import app
from portfolio_ml.sinks.files.kept import deliveries_in_files

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("monitor")]

LATER = TRAINED + timedelta(90)
CONTACTED, HELD_OUT = 120, 80
CONFIG = """
name: shop
data:
  transactions: {source: sales.csv}
  contacts: {source: contacts.csv}
targets:
  churn: {horizon_days: 60}
  lifetime_value: {horizon_days: 60}
  segments: {count: 3}
training: {snapshots: 5, step_days: 30, seed: 7}
backtest: {cutoffs: 1, bootstrap: 100}
engine: {threads: 1}
scoring: {portfolio: false}
delivery:
  - DELIVERY
"""
SQL = '{kind: sql, url: "sqlite:///crm.db", table: customer_scores}'


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A config whose customers buy half as often from the day after training on."""
    folder = tmp_path_factory.mktemp("shop")
    sales = half_the_rate(900, 3)
    pacsv.write_csv(sales, folder / "sales.csv")
    everybody = sorted(set(sales["customer_id"].to_pylist()))[: CONTACTED + HELD_OUT]
    contacts = pa.table(
        {
            "customer_id": everybody,
            "timestamp": [str(TRAINED + timedelta(10))] * len(everybody),
            "action": ["email"] * len(everybody),
            "held_out": ["false"] * CONTACTED + ["true"] * HELD_OUT,
        }
    )
    pacsv.write_csv(contacts, folder / "contacts.csv")
    config = folder / "shop.yaml"
    config.write_text(CONFIG.replace("DELIVERY", SQL))
    return config


@pytest.fixture(scope="module")
def loop(shop):
    """Each step's result, in order."""
    settings = pml.load_settings(shop)
    first = pml.train(settings, as_of=TRAINED)
    pml.score(settings, as_of=TRAINED)
    at_once = pml.monitor(settings, as_of=TRAINED)
    monitored = pml.monitor(settings, as_of=LATER)
    second = pml.train(settings, as_of=LATER)
    return first, at_once, monitored, second, pml.monitor(settings, as_of=LATER)


def test_the_first_training_is_promoted(loop):
    first, *_ = loop
    assert all(decision.is_promoted for decision in first.result.decisions.values())


def test_nothing_new_gives_nothing_to_say(loop):
    _, at_once, *_ = loop
    assert at_once.verdict == "keep"
    assert "there is nothing newer to compare" in at_once.reasons[0]


def test_new_data_call_for_training(loop):
    *_, monitored, _, _ = loop
    assert monitored.verdict == "retrain"
    assert monitored.seen.known_until == TRAINED
    drifted = {drift.name for drift in monitored.seen.drifts if drift.has_drifted}
    assert "purchase_days_60d" in drifted
    assert any("have drifted" in reason for reason in monitored.reasons)


def test_matured_scores_are_judged_by_group(loop):
    *_, monitored, _, _ = loop
    found = {(m.target, m.group): m for m in monitored.seen.matured}
    assert {m.version for m in found.values()} == {"1"}
    for target in ("churn", "lifetime_value"):
        everybody = found[target, "all"]
        assert everybody.first == everybody.last == TRAINED
        contacted, held_out = found[target, "contacted"].rows, found[target, "held_out"].rows
        assert 50 <= contacted <= CONTACTED  # some came only after the day of training
        assert 50 <= held_out <= HELD_OUT
        assert everybody.rows == contacted + found[target, "uncontacted"].rows
    churn = found["churn", "uncontacted"]
    assert {"auroc", "calibration_error"} <= set(churn.promises)
    assert churn.figures["auroc"].value > 0.6
    assert found["lifetime_value", "all"].figures["total_bias"].value > 0.2


def test_the_next_training_is_accepted(loop):
    *_, second, after = loop
    assert all(decision.is_promoted for decision in second.result.decisions.values())
    assert set(second.result.versions.values()) == {"2"}
    assert after.verdict == "keep"
    assert dict(after.seen.versions) == dict(second.result.versions)


def test_a_monitoring_shows_itself(loop):
    *_, monitored, _, _ = loop
    shown = repr(monitored)
    assert "retrain" in shown
    assert "Delivered scores that have matured" in shown
    assert "<table>" in monitored._repr_html_()


def test_a_monitoring_is_a_run_without_a_customer(loop, shop):
    from mlflow import MlflowClient  # noqa: PLC0415 - importing it takes seconds

    address = f"sqlite:///{shop.parent}/mlflow.db"
    client = MlflowClient(address, address)
    experiment = client.get_experiment_by_name("shop")
    runs = client.search_runs([experiment.experiment_id], "tags.verdict = 'retrain'")
    assert [run.info.run_name for run in runs] == [f"monitor {LATER}"]
    assert runs[0].data.tags["version.churn"] == "1"
    assert runs[0].data.metrics["drifted"] >= 3
    kept = [*shop.parent.rglob("monitor.json"), *shop.parent.rglob("training_profile.json")]
    assert len(kept) == 3 + 2 * 3  # three monitorings; two trainings of three models
    customers = {line.split(",")[0] for line in (shop.parent / "sales.csv").read_text().split()}
    for path in kept:
        text = path.read_text()
        assert not any(f'"{name.strip(chr(34))}"' in text for name in customers if name)


def test_the_exit_code_says_so_where_it_is_asked_for(loop, shop, capsys):
    """Champions are the second training's now: as of its own day there is nothing to say."""
    arguments = ["monitor", "--config", str(shop), "--as-of", str(LATER), "--json", "--quiet"]
    assert app.run([*arguments, "--fail-on", "watch"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "keep"


def test_a_monitor_that_says_retrain_ends_with_78(loop, shop, capsys, monkeypatch):
    _, _, monitored, _, _ = loop
    monkeypatch.setattr("portfolio_ml.pipeline.monitor", lambda *_, **__: monitored.seen)
    arguments = ["monitor", "--config", str(shop), "--as-of", str(LATER), "--quiet"]
    assert app.run([*arguments, "--fail-on", "retrain"]) == 78
    told = capsys.readouterr()
    assert "Verdict: retrain" in told.out
    assert "portfolio-ml train --config" in told.err


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("scores.parquet", "{kind: parquet, path: scores.parquet}"),
        ("scores", "{kind: parquet, path: scores, partitioned: true}"),
        ("people.csv", "{kind: csv, path: people.csv}"),
    ],
)
def test_a_portfolio_delivered_to_a_file_alone_keeps_its_scores(loop, shop, path, target):
    if path != "people.csv" and not is_long():
        pytest.skip("run by make test-long")
    config = shop.with_name("files.yaml")
    config.write_text(CONFIG.replace("DELIVERY", target))
    settings = pml.load_settings(config)
    pml.score(settings, as_of=TRAINED)
    (kept,) = deliveries_in_files(shop.parent / path)
    assert kept.as_of == TRAINED
    assert dict(kept.versions) == {"churn": "2", "lifetime_value": "2"}
    seen = pml.monitor(settings, as_of=LATER).seen
    assert {(m.target, m.version) for m in seen.matured} == {
        ("churn", "2"),
        ("lifetime_value", "2"),
    }
