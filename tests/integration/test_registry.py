"""The registry on a real MLflow store in SQLite, in a folder with an awkward name."""

import json
import shutil
import subprocess
import sys
import textwrap
import time
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
from tests.histories import FROZEN, REFERENCE
from tests.simulated import RECIPE, simulated

from portfolio_ml import registry
from portfolio_ml.config import settings_from
from portfolio_ml.errors import (
    ConfigError,
    DataError,
    NothingToDoError,
    ServiceUnavailableError,
)
from portfolio_ml.frozen import FILE
from portfolio_ml.models.files import TREES
from portfolio_ml.models.segment_fitting import fit_segments
from portfolio_ml.models.serving import outputs
from portfolio_ml.registry import TARGETS, Figure
from portfolio_ml.scoring import champions_from
from portfolio_ml.training import fit_candidates

pytestmark = pytest.mark.integration


def settings_of(folder, *, name="shop", uri="sqlite:///store/mlflow.db"):
    return settings_from(
        {
            "name": name,
            "data": {"transactions": {"source": "cdnow"}},
            "tracking": {"uri": uri},
        },
        base=folder,
    )


@pytest.fixture(scope="module")
def snapshots():
    return simulated(120)


@pytest.fixture(scope="module")
def models(snapshots):
    """Per target a model as data, with the portfolio that it froze."""
    candidates = fit_candidates(snapshots, RECIPE, tier_edges=REFERENCE.tier_edges)
    fitted = {
        "churn": candidates.churn["blend"],
        "lifetime_value": candidates.lifetime_value["boosted"],
        "segments": fit_segments(snapshots.features, names=snapshots.names, count=4, seed=7),
    }
    frozen = FROZEN.to_json()
    return {target: model.to_files() | {FILE: frozen} for target, model in fitted.items()}


@pytest.fixture(scope="module")
def shop(tmp_path_factory, models):
    """The settings of a portfolio whose champions are version 1; creating it takes seconds."""
    shop = settings_of(tmp_path_factory.mktemp("müller & söhne"))
    with registry.opened(shop) as store:
        store.prepare()
        with store.run("train 2020-01-01") as parent:
            store.log(parent, params={"seed": 7, "long": "x" * 900}, tags={"data_digest": "f00d"})
            for target, files in models.items():
                with store.run(target, parent=parent) as run_id:
                    store.log(
                        run_id,
                        params={"candidate": "blend"},
                        figures=[
                            Figure("auroc", 0.7, 0),
                            Figure("auroc", 0.8, 1),
                            Figure("auroc_mean", 0.75),
                            Figure("undefined", float("nan")),
                        ],
                        files={"judgement.json": b"{}", "plots/gains.png": b"\x89PNG"},
                    )
                    store.promote(target, store.register(target, run_id, files))
    return shop


@pytest.fixture
def client(shop):
    from mlflow import MlflowClient  # noqa: PLC0415 - importing it takes seconds

    address = f"sqlite:///{shop.base}/store/mlflow.db"
    return MlflowClient(address, address)


@pytest.fixture
def runs(shop, client):
    experiment = client.get_experiment_by_name("shop")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


@pytest.fixture
def artifacts(shop, client):
    """The churn champion's folder of data files, restored after the test."""
    number = client.get_model_version_by_alias("shop-churn", "champion").version
    source = client.get_model_version("shop-churn", number).source
    folder = shop.base / "store" / "mlartifacts" / "models" / source.removeprefix("models:/")
    files = folder / "artifacts" / "artifacts" / "files"
    kept = shop.base / "kept"
    shutil.copytree(files, kept)
    yield files
    shutil.rmtree(files, ignore_errors=True)
    shutil.move(kept, files)


# Champions


@pytest.mark.parametrize("target", TARGETS)
def test_a_champion_is_the_files_that_were_registered(shop, models, target):
    with registry.opened(shop) as store:
        champion = store.champion(target)
    assert champion == registry.Registered(target, "1", models[target])


def test_champions_load_without_mlflow(shop, snapshots):
    with registry.opened(shop) as store:
        found = {target: store.champion(target) for target in TARGETS}
    champions = champions_from({t: c.files for t, c in found.items()}, dict.fromkeys(TARGETS, "1"))
    assert np.isfinite(champions.churn.predict(snapshots.features)).all()


def test_another_portfolio_in_the_same_store_has_no_champion(shop):
    other = settings_of(shop.base, name="other")
    with registry.opened(other) as store:
        assert store.champion("churn") is None
        store.prepare()
        store.prepare()
        assert store.champion("churn") is None


def test_a_promoted_version_is_champion_and_the_one_before_stays_at_hand(shop, client, models):
    """A portfolio of its own, so that the other tests' champions stay."""
    aside = settings_of(shop.base, name="aside")

    def aliases():
        found = client.get_registered_model("aside-segments").aliases
        return {alias: str(number) for alias, number in found.items()}

    with registry.opened(aside) as store:
        store.prepare()
        with store.run("three versions") as run_id:
            for _ in range(3):
                store.register("segments", run_id, models["segments"])
        store.promote("segments", "1")
        assert aliases() == {"champion": "1"}
        store.challenge("segments", "2")
        assert aliases() == {"champion": "1", "challenger": "2"}
        assert store.champion("segments").version == "1"
        store.promote("segments", "3")
        assert aliases() == {"champion": "3", "previous": "1", "challenger": "2"}
        with pytest.raises(NothingToDoError, match="Version 3 is the champion already"):
            store.promote("segments", "3")
        store.promote("segments", "2")
        assert aliases() == {"champion": "2", "previous": "3"}
        assert store.champion("segments").version == "2"

        assert store.rollback("segments", reason="worse").previous == "1"
        assert aliases() == {"champion": "3", "previous": "1"}
        assert store.rollback("segments", reason="worse still").previous is None
        assert aliases() == {"champion": "1"}
        with pytest.raises(ConfigError, match=r"nothing to roll back to.*champion: 1"):
            store.rollback("segments", reason="once more")
        told = [(m.action, m.before, m.version, m.reason) for m in store.moves("segments")]
        assert told == [
            ("promoted", None, "1", ""),
            ("promoted", "1", "3", ""),
            ("promoted", "3", "2", ""),
            ("rolled back", "2", "3", "worse"),
            ("rolled back", "3", "1", "worse still"),
        ]
    tags = client.get_model_version("aside-segments", "1").tags
    assert json.loads(tags["rolled_back_to"])["reason"] == "worse still"
    assert json.loads(tags["promoted"])["by"]


def test_a_version_whose_files_are_others_is_not_promoted(shop, client, models):
    """A portfolio of its own, so that the other tests' champions stay."""
    cracked = settings_of(shop.base, name="cracked")
    with registry.opened(cracked) as store:
        store.prepare()
        with store.run("two versions") as run_id:
            for _ in range(2):
                store.register("segments", run_id, models["segments"])
        store.promote("segments", "1")
        source = client.get_model_version("cracked-segments", "2").source.removeprefix("models:/")
        folder = shop.base / "store" / "mlartifacts" / "models" / source
        (folder / "artifacts" / "artifacts" / "files" / FILE).write_bytes(b"{}")
        with pytest.raises(DataError, match="not the ones"):
            store.promote("segments", "2")
        with pytest.raises(ConfigError, match=r"no version 3.*versions 1, 2"):
            store.promote("segments", "3")
        assert store.aliases("segments") == {"champion": "1"}


def test_a_decision_about_another_champion_is_void(shop, models):
    raced = settings_of(shop.base, name="raced")
    with registry.opened(raced) as store:
        store.prepare()
        with store.run("two versions") as run_id:
            for _ in range(2):
                store.register("segments", run_id, models["segments"])
        store.promote("segments", "1", instead_of=None)
        with pytest.raises(registry.ChampionChangedError, match="version 1 instead of none"):
            store.promote("segments", "2", instead_of=None)
        assert store.promote("segments", "2", instead_of="1").before == "1"


def test_the_highest_segment_id_only_grows(shop):
    counted = settings_of(shop.base, name="counted")
    with registry.opened(counted) as store:
        assert store.highest_segment_id() == 0
        store.prepare()
        for given, kept in ((4, 4), (9, 9), (3, 9)):
            store.keep_highest_segment_id(given)
            assert store.highest_segment_id() == kept


# Files that are not the registered ones


def _swapped(files):
    (files / TREES).write_bytes(
        (files / TREES).read_bytes().replace(b"num_leaves=", b"num_leaves=9")
    )


def _cut(files):
    (files / TREES).write_bytes((files / TREES).read_bytes()[:-1])


def _extended(files):
    (files / "more.txt").write_text("one more")


def _nested(files):
    (files / "more").mkdir()
    (files / "more" / TREES).write_text("one more")


def _missing(files):
    (files / TREES).unlink()


def _emptied(files):
    shutil.rmtree(files)
    files.mkdir()


def _gone(files):
    shutil.rmtree(files)


def _a_folder(files):
    (files / TREES).unlink()
    (files / TREES).mkdir()
    (files / TREES / "inside").touch()


@pytest.mark.parametrize(
    "tamper", [_swapped, _cut, _extended, _nested, _missing, _emptied, _gone, _a_folder]
)
def test_other_files_than_the_registered_are_refused(shop, artifacts, tamper):
    tamper(artifacts)
    with registry.opened(shop) as store, pytest.raises(DataError, match=r"not the ones|no files"):
        store.champion("churn")


def test_a_champion_without_digests_is_refused(shop, client):
    tags = client.get_model_version("shop-segments", "1").tags
    for name in tags:
        client.delete_model_version_tag("shop-segments", "1", name)
    try:
        with registry.opened(shop) as store, pytest.raises(DataError, match="not on record"):
            store.champion("segments")
    finally:
        for name, value in tags.items():
            client.set_model_version_tag("shop-segments", "1", name, value)


# The model that MLflow serves


@pytest.mark.parametrize("target", TARGETS)
def test_the_served_model_predicts_as_the_plain_one(shop, models, snapshots, target):
    import mlflow  # noqa: PLC0415 - importing it takes seconds

    table = pd.DataFrame(snapshots.features, columns=list(snapshots.names))
    with registry.opened(shop):
        served = mlflow.pyfunc.load_model(f"models:/shop-{target.replace('_', '-')}@champion")
        answer = served.predict(table)
    expected = outputs(models[target], table)
    assert list(answer.columns) == list(expected)
    for name, values in expected.items():
        assert np.array_equal(answer[name].to_numpy(), values)


def test_a_served_model_names_its_inputs_and_outputs(shop, snapshots):
    import mlflow  # noqa: PLC0415 - importing it takes seconds

    with registry.opened(shop):
        signature = mlflow.models.get_model_info("models:/shop-churn@champion").signature
    assert signature.inputs.input_names() == list(snapshots.names)
    assert {column.type.name for column in signature.inputs} == {"float"}
    assert signature.outputs.input_names() == ["p_churn"]


def test_nothing_in_the_artifacts_is_pickled(shop):
    files = [path for path in (shop.base / "store").rglob("*") if path.is_file()]
    files = [path for path in files if path.parent.name != "__pycache__"]  # of a model served here
    assert {path.suffix for path in files} <= {
        ".db", ".json", ".png", ".py", ".txt", ".yaml", "",
    }  # fmt: skip
    assert [path.name for path in files if path.suffix == ""].count("MLmodel") > 0
    for path in files:
        assert not path.read_bytes().startswith((b"\x80", b"PK"))


def test_a_model_requires_this_package_and_mlflow_alone(shop):
    expected = [f"{name}=={version(name)}" for name in ("mlflow", "portfolio-ml")]
    for path in (shop.base / "store").rglob("requirements.txt"):
        assert path.read_text().split() == expected


def test_the_example_is_made_up(shop, snapshots):
    """Every column holds the same three numbers, which are nobody's."""
    examples = list((shop.base / "store").rglob("input_example.json"))
    assert examples
    for path in examples:
        given = json.loads(path.read_text())
        assert given["columns"] == list(snapshots.names)
        assert given["data"] == [[value] * len(snapshots.names) for value in (1.0, 2.0, 3.0)]


# Runs


def test_a_run_has_what_was_logged(client, runs):
    run = runs["churn"]
    assert run.info.status == "FINISHED"
    assert run.data.params == {"candidate": "blend"}
    assert run.data.metrics == {"auroc": 0.8, "auroc_mean": 0.75}
    assert [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, "auroc")] == [
        (0, 0.7),
        (1, 0.8),
    ]
    found = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"judgement.json", "plots"} <= found
    assert [f.path for f in client.list_artifacts(run.info.run_id, "plots")] == ["plots/gains.png"]


def test_runs_of_targets_lie_under_the_trainings(runs):
    parent = runs["train 2020-01-01"]
    assert parent.data.tags["data_digest"] == "f00d"
    assert parent.data.tags["portfolio"] == "shop"
    assert len(parent.data.params["long"]) == 500
    for target in TARGETS:
        assert runs[target].data.tags["mlflow.parentRunId"] == parent.info.run_id


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_a_run_that_fails_is_marked_as_failed(shop, client, fault):
    with registry.opened(shop) as store, pytest.raises(fault), store.run("failing") as run_id:
        raise fault
    assert client.get_run(run_id).info.status == "FAILED"


def test_more_figures_than_mlflow_takes_at_once_are_logged(shop, client):
    figures = [Figure("many", float(step), step) for step in range(2100)]
    with registry.opened(shop) as store, store.run("many") as run_id:
        store.log(run_id, figures=figures)
    assert len(client.get_metric_history(run_id, "many")) == 2100


# The store


def test_a_store_that_does_not_answer_is_told_within_seconds(tmp_path):
    start = time.monotonic()
    nobody = settings_of(tmp_path, uri="http://ann:s3cret@127.0.0.1:9")
    with pytest.raises(ServiceUnavailableError) as refusal, registry.opened(nobody):
        pass
    assert time.monotonic() - start < 20
    assert refusal.value.exit_code == 69
    assert "s3cret" not in str(refusal.value)


def test_a_driver_that_is_not_there_is_an_expected_error(tmp_path, monkeypatch):
    def without_driver(*_):
        raise ModuleNotFoundError("No module named 'MySQLdb'")

    monkeypatch.setattr("mlflow.MlflowClient", without_driver)
    other = settings_of(tmp_path, uri="mysql://ann:s3cret@127.0.0.1/ml")
    with pytest.raises(ConfigError, match=r"driver .*MySQLdb") as refusal, registry.opened(other):
        pass
    assert "s3cret" not in str(refusal.value)


def test_what_mlflow_refuses_is_an_expected_error(shop):
    with pytest.raises(ServiceUnavailableError, match="shop-churn"), registry.opened(shop) as store:
        store.challenge("churn", "99")


def test_files_that_cannot_be_fetched_are_an_expected_error(shop, monkeypatch):
    def broken(**_):
        raise ConnectionError

    with registry.opened(shop) as store:
        monkeypatch.setattr("mlflow.artifacts.download_artifacts", broken)
        with pytest.raises(ServiceUnavailableError, match="cannot be fetched"):
            store.champion("churn")


def test_mlflows_own_settings_are_left_as_they_were(shop):
    import mlflow  # noqa: PLC0415 - importing it takes seconds

    before = mlflow.get_tracking_uri()
    with registry.opened(shop):
        assert mlflow.get_tracking_uri() != before
    assert mlflow.get_tracking_uri() == before


def test_mlflow_is_silent_and_tells_nobody(shop, models, tmp_path):
    """In a process of its own, on a new store, with every warning an error."""
    for name, content in models["churn"].items():
        (tmp_path / name).write_bytes(content)
    program = textwrap.dedent("""
        import json
        import sys
        from pathlib import Path
        import numpy as np
        import pandas as pd
        from portfolio_ml import registry
        from portfolio_ml.config import settings_from

        base = Path(sys.argv[1])
        files = {path.name: path.read_bytes() for path in base.iterdir()}
        settings = settings_from(
            {"name": "quiet", "data": {"transactions": {"source": "cdnow"}}}, base=base / "new"
        )
        with registry.opened(settings) as store:
            import mlflow
            from mlflow.telemetry.client import get_telemetry_client

            assert get_telemetry_client() is None
            store.prepare()
            with store.run("train") as run_id:
                store.log(run_id, params={"a": 1}, files={"plots/a.png": b"a"})
                store.promote("churn", store.register("churn", run_id, files))
            names = json.loads(store.champion("churn").files["model.json"])["names"]
            table = pd.DataFrame(np.ones((2, len(names)), dtype=np.float32), columns=names)
            mlflow.pyfunc.load_model("models:/quiet-churn@champion").predict(table)
    """)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
