"""The registered models as others call them: over HTTP from `mlflow models serve`, and on Spark."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.java import lacks_for_spark
from tests.simulated import simulated
from tests.small_models import registered, small_models

from portfolio_ml.models.serving import outputs

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("serving")]

ROWS = 20
PATIENCE_SECONDS = 240
SERVE = (sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local")


@pytest.fixture(scope="module")
def models():
    return small_models()


@pytest.fixture(scope="module")
def store(tmp_path_factory, models):
    """The address of a registry whose champions are the models."""
    shop = registered(models, tmp_path_factory.mktemp("served"))
    return f"sqlite:///{shop.base}/mlflow.db"


@pytest.fixture(scope="module")
def table():
    """Customers, some of whose features are null."""
    snapshots = simulated(ROWS, days=(17_600,), seed=3)
    return pd.DataFrame(snapshots.features, columns=list(snapshots.names))


def environment(store):
    """What MLflow's own commands run in; Spark's workers run the same Python."""
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONWARNINGS": "ignore",
    }


@pytest.fixture(scope="module")
def servers(store, tmp_path_factory):
    """`mlflow models serve` on loopback, for churn and for lifetime value: their addresses."""
    started = {}
    logs = tmp_path_factory.mktemp("logs")
    try:
        for target in ("churn", "lifetime-value"):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            model = f"models:/shop-{target}@champion"
            where = ("--host", "127.0.0.1", "--port", str(port))
            with (logs / target).open("wb") as log:
                serving = subprocess.Popen(
                    [*SERVE, "-m", model, *where],
                    env=environment(store),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            started[target] = (serving, f"http://127.0.0.1:{port}", logs / target)
        for serving, address, log in started.values():
            _wait_for(serving, address, log)
        yield {target: address for target, (_, address, _) in started.items()}
    finally:
        for serving, _, _ in started.values():
            os.killpg(serving.pid, signal.SIGTERM)
            serving.wait(timeout=60)


def _wait_for(serving, address, log):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert serving.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{address}/ping", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(log.read_text())


def answered(address, table):
    """The predictions that a server gives for the rows of a table."""
    rows = [[None if np.isnan(v) else v for v in row] for row in table.to_numpy(float).tolist()]
    question = urllib.request.Request(
        f"{address}/invocations",
        data=json.dumps({"dataframe_split": {"columns": [*table], "data": rows}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(question, timeout=60) as answer:
        return pd.DataFrame(json.load(answer)["predictions"])


def test_http_answers_with_the_calibrated_probability(servers, models, table):
    found = answered(servers["churn"], table)
    expected = outputs(models["churn"], table)
    assert [*found] == ["p_churn"]
    assert found["p_churn"].between(0, 1).all()
    assert np.array_equal(found["p_churn"], expected["p_churn"])


def test_http_answers_with_value_and_interval(servers, models, table):
    found = answered(servers["lifetime-value"], table)
    expected = outputs(models["lifetime_value"], table)
    assert [*found] == ["ltv", "ltv_low", "ltv_high"]
    assert (found["ltv_low"] <= found["ltv"]).all()
    assert (found["ltv"] <= found["ltv_high"]).all()
    for name, values in expected.items():
        assert np.array_equal(found[name], values), name


def test_http_tells_which_column_is_missing(servers, table):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        answered(servers["churn"], table.drop(columns="recency_days"))
    assert refusal.value.code == 400
    assert "recency_days" in refusal.value.read().decode()


ON_SPARK = textwrap.dedent("""
    import json
    import sys
    import mlflow
    import pandas as pd
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import struct

    table = pd.read_parquet(sys.argv[1])
    options = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # it lives for seconds
    builder = SparkSession.builder.config("spark.driver.extraJavaOptions", options)
    spark = builder.master("local[1]").getOrCreate()
    rows = spark.createDataFrame(table.reset_index(names="row"))
    given = struct(*table.columns)
    udf = lambda target, kind: mlflow.pyfunc.spark_udf(
        spark, f"models:/shop-{target}@champion", result_type=kind, env_manager="local"
    )
    value = "ltv double, ltv_low double, ltv_high double"
    scored = rows.select(
        "row", udf("churn", "double")(given).alias("p_churn"),
        udf("lifetime-value", value)(given).alias("value"),
    ).orderBy("row").select("p_churn", "value.*").toPandas()
    print("scored", scored.to_json(double_precision=15))
    spark.stop()
""")


@pytest.mark.long  # a Spark of its own, a minute of Java
def test_spark_gives_the_same_numbers(store, models, table, tmp_path):
    if lacks := lacks_for_spark():
        pytest.skip(lacks)
    table.to_parquet(tmp_path / "customers.parquet")
    done = subprocess.run(
        [sys.executable, "-c", ON_SPARK, str(tmp_path / "customers.parquet")],
        env=environment(store),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.split("scored ")[1])
    expected = outputs(models["churn"], table) | outputs(models["lifetime_value"], table)
    assert [*found] == [*expected]
    for name, values in expected.items():
        np.testing.assert_allclose([*found[name].values()], values, rtol=1e-12, atol=1e-14)
