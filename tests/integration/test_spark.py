"""The command line on Spark: the same table, a quiet terminal, and one sentence where it fails."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.java import lacks_for_spark

from portfolio_ml.cli import app

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("spark")]

CONFIG = "name: cdnow\ndata: {transactions: {source: cdnow}}\n"
LOCAL = """
engine:
  kind: spark
  master: "local[2]"
  options:
    spark.sql.shuffle.partitions: 2
    spark.driver.extraJavaOptions: "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""


def done_by(
    command: str, folder: Path, engine: str = "", **environment: str
) -> subprocess.CompletedProcess:
    """A command in a process of its own."""
    (folder / "shop.yaml").write_text(CONFIG + engine)
    program = str(Path(sys.executable).with_name("portfolio-ml"))
    return subprocess.run(
        [program, command, "-c", "shop.yaml", "-q"],
        cwd=folder,
        env={n: os.environ[n] for n in ("PATH", "PYTHONPATH") if n in os.environ} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def home():
    """Where Java is."""
    if lacks := lacks_for_spark():
        pytest.skip(lacks)
    return {"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {}


@pytest.mark.long
def test_spark_says_what_duckdb_says(home, tmp_path):
    said = [done_by("validate", tmp_path, engine, **home) for engine in ("", LOCAL)]
    assert [(done.returncode, done.stderr) for done in said] == [(0, ""), (0, "")]
    assert said[0].stdout == said[1].stdout
    assert [file.name for file in tmp_path.iterdir()] == ["shop.yaml"]


@pytest.mark.long  # the tables themselves are compared in tests/parity, in one Spark
def test_spark_writes_the_table_that_duckdb_writes(home, tmp_path):
    tables, said = [], []
    for engine in ("", LOCAL):
        done = done_by("features", tmp_path, engine, **home)
        assert (done.returncode, done.stderr) == (0, "")
        tables.append(pq.read_table(tmp_path / "features.parquet"))
        said.append(done.stdout)
    expected, found = tables
    assert said[0] == said[1]
    assert found.schema == expected.schema
    assert found.select(["customer_id", "as_of"]) == expected.select(["customer_id", "as_of"])
    for name in expected.column_names[2:]:
        ours, theirs = (t[name].to_numpy(zero_copy_only=False) for t in (expected, found))
        np.testing.assert_allclose(theirs, ours, rtol=1e-6, atol=1e-9, err_msg=name)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["features.parquet", "shop.yaml"]


@pytest.mark.parametrize(
    ("module", "where"),
    [("pyspark.sql", "master: local"), ("grpc", "remote: 'sc://127.0.0.1:9'")],
)
def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, capsys, module, where):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "shop.yaml").write_text(CONFIG + f"engine: {{kind: spark, {where}}}\n")
    assert app.run(["features", "-c", str(tmp_path / "shop.yaml"), "-q"]) == 2
    told = capsys.readouterr().err
    assert "pip install 'portfolio-ml[spark]'" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("engine", "environment", "said"),
    [
        ("master: local", {"JAVA_HOME": "/nowhere"}, "Java from 17 on"),
        pytest.param(
            "master: local, options: {spark.driver.memory: lots}",
            {},
            "correct engine.options",
            marks=pytest.mark.long,
        ),
        ("master: local, temp_directory: nowhere", {}, "is not there"),
    ],
)
def test_what_keeps_spark_from_starting_is_told_in_a_sentence(tmp_path, engine, environment, said):
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    done = done_by("features", tmp_path, f"engine: {{kind: spark, {engine}}}\n", **environment)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["shop.yaml"]
