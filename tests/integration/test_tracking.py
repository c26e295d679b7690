"""What MLflow holds after the demo."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from tests.examples import is_long

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("cdnow"),  # the demo is walked once
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own use of its libraries
    pytest.mark.filterwarnings("ignore::UserWarning:mlflow"),  # and of its own types
]

TARGETS = ("churn", "lifetime_value", "segments")


@pytest.fixture(scope="module")
def client(cdnow):
    folder, _ = cdnow
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    return MlflowClient(uri, uri)


@pytest.fixture(scope="module")
def runs(client):
    experiment = client.get_experiment_by_name("cdnow")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_has_a_finished_run_under_one_parent(runs, target):
    run = runs[target]
    assert run.info.status == "FINISHED"
    parent = runs["train 1998-06-30"]
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.data.params
    assert parent.data.params["rows_kept"] == "69659"
    assert parent.data.tags["data_digest"]


def test_metrics_are_there_per_cutoff_and_overall(client, runs):
    cutoffs = [0, 1, 2] if is_long() else [0, 1]
    for target, metric in (("churn", "auroc"), ("lifetime_value", "normalised_gini")):
        run = runs[target]
        history = client.get_metric_history(run.info.run_id, metric)
        assert [point.step for point in sorted(history, key=lambda p: p.step)] == cutoffs
        mean = np.mean([point.value for point in history])
        assert run.data.metrics[f"{metric}_mean"] == pytest.approx(mean)
    assert runs["segments"].data.metrics["stability"] > 0.5


@pytest.mark.parametrize("target", TARGETS)
def test_each_run_has_plots(client, runs, target):
    plots = client.list_artifacts(runs[target].info.run_id, "plots")
    assert plots
    assert all(plot.path.endswith(".png") and plot.file_size > 5_000 for plot in plots)


@pytest.mark.parametrize("target", TARGETS)
def test_the_champion_can_be_loaded_and_predicts(client, target):
    name = f"cdnow-{target.replace('_', '-')}"
    assert int(client.get_model_version_by_alias(name, "champion").version) == 1
    model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    columns = [column.name for column in model.metadata.signature.inputs]
    given = pd.DataFrame(np.ones((3, len(columns)), dtype=np.float32), columns=columns)
    answer = model.predict(given)
    assert len(answer) == 3
    expected = {
        "churn": ["p_churn"],
        "lifetime_value": ["ltv", "ltv_low", "ltv_high"],
        "segments": ["segment_id", "segment_name"],
    }
    assert list(answer.columns) == expected[target]


def test_no_customer_id_is_in_the_store(cdnow):
    """CDNOW's ids are five digits; a few that no figure could be are looked for."""
    folder, _ = cdnow
    wanted = [b'"00001"', b'"23570"', b"'00042'"]
    for path in [folder / "mlflow.db", *(folder / "mlartifacts").rglob("*")]:
        if path.is_file():
            content = path.read_bytes()
            assert not any(word in content for word in wanted), path
