"""Champions carried to a host without MLflow, and into another registry, on real data."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from portfolio_ml import bundles, registry
from portfolio_ml.bundles import MANIFEST
from portfolio_ml.champions import champions_in_force
from portfolio_ml.cli import app
from portfolio_ml.config import load_settings

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("cdnow"),  # the demo is walked once
]

LINEAGE = ["run_id", "scored_at"]  # what tells one run from another


@pytest.fixture(scope="module")
def exported(cdnow, tmp_path_factory):
    """What `models export` told of the demo's champions, as JSON."""
    folder, _ = cdnow
    out = tmp_path_factory.mktemp("exported") / "models"
    command = ["models", "export", "--config", str(folder / "cdnow.yaml"), "--out", str(out)]
    with contextlib.redirect_stdout(io.StringIO()) as told:
        assert app.run([*command, "--json", "--quiet"]) == 0
    return json.loads(told.getvalue())


def portfolio_ml(*arguments, cwd=None, **environment):
    """The command line in a process of its own."""
    program = "from portfolio_ml.cli.app import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def host(cdnow, exported, tmp_path_factory):
    """A folder with the bundle and a config that trusts it, and nothing of a registry."""
    folder = tmp_path_factory.mktemp("host")
    shutil.copytree(exported["folder"], folder / "models")
    config = yaml.safe_load((cdnow[0] / "cdnow.yaml").read_text())
    config["scoring"] = {"bundle": "models", "bundle_digest": exported["digest"]}
    (folder / "cdnow.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="module")
def without_mlflow(tmp_path_factory):
    """The environment of a host where MLflow cannot be imported."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "mlflow.py").write_text("raise ImportError('there is no MLflow here')")
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}


@pytest.fixture(scope="module")
def scored(host, without_mlflow):
    """What scoring on that host told."""
    tried = subprocess.run(
        [sys.executable, "-c", "import mlflow"],
        env=os.environ | without_mlflow,
        capture_output=True,
        check=False,
    )
    assert b"there is no MLflow here" in tried.stderr
    done = portfolio_ml("score", "-c", "cdnow.yaml", "--json", cwd=host, **without_mlflow)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_host_without_mlflow_gives_the_same_rows(cdnow, host, scored):
    ours = pq.read_table(cdnow[0] / "scores.parquet").drop(LINEAGE)
    theirs = pq.read_table(host / "scores.parquet").drop(LINEAGE)
    assert theirs.num_rows == 23_570
    assert theirs.equals(ours)
    assert theirs.schema.equals(ours.schema)


@pytest.mark.long
def test_a_host_without_mlflow_makes_the_page(host, without_mlflow):
    done = portfolio_ml("report", "-c", "cdnow.yaml", "-q", cwd=host, **without_mlflow)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the bundle in models" in (host / "report.html").read_text()


def test_the_host_never_began_a_registry(host, scored):
    assert not (host / "mlflow.db").exists()


def test_an_export_tells_what_to_trust(exported):
    told = exported["models"]
    assert exported["portfolio"] == "cdnow"
    assert {t: each["version"] for t, each in told.items()} == dict.fromkeys(told, "1")
    assert told["churn"]["as_of"] == "1998-06-30"
    assert all(each["card"] for each in told.values())


def test_an_export_twice_has_one_digest(cdnow, exported, capsys, tmp_path):
    command = ["models", "export", "-c", str(cdnow[0] / "cdnow.yaml"), "-q"]
    assert app.run([*command, "--out", str(tmp_path / "again")]) == 0
    told = capsys.readouterr().out
    assert f"digest: {exported['digest']}" in told
    assert yaml.safe_load(told.splitlines()[-1]) == {
        "scoring": {"bundle": str(tmp_path / "again"), "bundle_digest": exported["digest"]}
    }


def test_verify_tells_what_a_digest_is_worth(exported, capsys):
    folder, digest = exported["folder"], exported["digest"]
    assert app.run(["models", "verify", folder]) == 0
    assert "only --digest can tell" in capsys.readouterr().out
    assert app.run(["models", "verify", folder, "--digest", digest]) == 0
    assert "the one of that digest" in capsys.readouterr().out
    assert app.run(["models", "verify", folder, "--digest", "0" * 64]) == 65
    assert "not the one that is trusted" in capsys.readouterr().err


def test_a_bundle_that_was_changed_is_not_scored_with(host, tmp_path, capsys):
    shutil.copytree(host, tmp_path / "host")
    manifest = tmp_path / "host" / "models" / MANIFEST
    manifest.write_text(manifest.read_text().replace('"1998-06-30"', '"1998-07-01"'))
    assert app.run(["score", "-c", str(tmp_path / "host" / "cdnow.yaml"), "-q"]) == 65
    assert "not the one that is trusted" in capsys.readouterr().err


def test_an_import_registers_and_promotes_only_where_asked(cdnow, exported, tmp_path, capsys):
    config = tmp_path / "cdnow.yaml"
    shutil.copy(cdnow[0] / "cdnow.yaml", config)
    settings = load_settings(config)
    folder, digest = exported["folder"], exported["digest"]
    command = ["models", "import", folder, "--digest", digest, "-c", str(config), "--quiet"]
    assert app.run(command) == 0
    assert "registered as version 1" in capsys.readouterr().out
    with registry.opened(settings) as store:
        assert store.champion("churn") is None
    assert app.run([*command, "--promote", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["registered"] for each in told["models"].values()} == {"2"}
    there, _ = champions_in_force(settings, lambda _: None)
    bundle = bundles.read(Path(folder), digest=digest)
    assert there.versions == dict.fromkeys(bundle.champions, "2")
    files = bundle.champions["churn"].files
    assert there.churn.to_files().items() <= files.items()
    assert there.frozen["churn"].to_json() == files["portfolio.json"]


def test_an_import_of_another_portfolios_bundle_is_refused(cdnow, exported, tmp_path, capsys):
    config = tmp_path / "shop.yaml"
    config.write_text((cdnow[0] / "cdnow.yaml").read_text().replace("name: cdnow", "name: shop"))
    command = ["models", "import", exported["folder"], "--digest", exported["digest"]]
    assert app.run([*command, "-c", str(config), "-q"]) == 65
    assert "another portfolio's" in capsys.readouterr().err
    assert not (tmp_path / "mlflow.db").exists()


def test_a_bundle_without_its_digest_is_a_fault_of_the_config(host, tmp_path, capsys):
    config = yaml.safe_load((host / "cdnow.yaml").read_text())
    del config["scoring"]["bundle_digest"]
    (tmp_path / "cdnow.yaml").write_text(yaml.safe_dump(config))
    assert app.run(["score", "-c", str(tmp_path / "cdnow.yaml")]) == 2
    assert "bundle and bundle_digest go together" in capsys.readouterr().err
