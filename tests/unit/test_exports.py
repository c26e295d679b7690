"""Tables written a batch at a time: whole or not at all, and what they hold."""

import os
import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import portfolio_ml as pml
from portfolio_ml.cli import app
from portfolio_ml.features import page
from portfolio_ml.schema import TRAINING_ROWS
from portfolio_ml.sinks.files import write_batches

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
SCHEMA = pa.schema([("n", pa.int64())])


def batch(*numbers: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array(numbers, pa.int64())], schema=SCHEMA)


def test_batches_become_one_file(tmp_path):
    assert write_batches(iter([batch(1, 2), batch(3)]), SCHEMA, tmp_path / "a.parquet") == 3
    assert pq.read_table(tmp_path / "a.parquet")["n"].to_pylist() == [1, 2, 3]
    assert [f.name for f in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError, SystemExit])
@pytest.mark.parametrize("before", [None, b"older"])
def test_what_ends_early_leaves_no_half_file(tmp_path, fault, before):
    file = tmp_path / "a.parquet"
    if before:
        file.write_bytes(before)

    def batches():
        yield batch(1)
        raise fault

    with pytest.raises(fault):
        write_batches(batches(), SCHEMA, file)
    assert [f.read_bytes() for f in tmp_path.iterdir()] == ([before] if before else [])


PROGRAM = """
import sys, time
from portfolio_ml import exports
from portfolio_ml.cli import app
true = exports._features
def slow(portfolio, progress):
    for batch in true(portfolio, progress):
        yield batch
        print("half", file=sys.stderr, flush=True)
        time.sleep(60)
exports._features = slow
sys.argv = ["portfolio-ml", "features", "-c", "shop.yaml", "-q"]
app.main()
"""


@pytest.fixture
def shop(tmp_path):
    rng = np.random.default_rng(1)
    first = date(2023, 1, 1)
    rows = [
        f"c{c},{first + timedelta(int(d))},{a}"
        for c, d, a in zip(
            rng.integers(0, 40, 600),
            rng.integers(0, 500, 600),
            rng.integers(1, 99, 600),
            strict=True,
        )
    ]
    (tmp_path / "sales.csv").write_text("\n".join(["customer_id,timestamp,amount", *rows, ""]))
    (tmp_path / "shop.yaml").write_text(
        "name: shop\ndata: {transactions: {source: sales.csv}}\n"
        "targets: {churn: {horizon_days: 60}, lifetime_value: {horizon_days: 90}}\n"
        "training: {snapshots: 3}\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM]
)
def test_a_signal_half_way_leaves_the_older_file(shop, number):
    (shop / "features.parquet").write_bytes(b"older")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=shop, stderr=subprocess.PIPE, text=True
    )
    while process.stderr.readline() != "half\n":
        assert process.poll() is None
    os.kill(process.pid, number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == "portfolio-ml: interrupted\n"
    assert sorted(f.name for f in shop.iterdir()) == ["features.parquet", "sales.csv", "shop.yaml"]
    assert (shop / "features.parquet").read_bytes() == b"older"


def test_the_training_table_has_known_outcomes_and_groups(shop):
    settings = pml.load_settings(shop / "shop.yaml")
    assert (
        app.run(["snapshots", "-c", str(shop / "shop.yaml"), "-o", f"{shop}/s.parquet", "-q"]) == 0
    )
    table = pq.read_table(shop / "s.parquet")
    rows = table.to_pandas(date_as_object=False)
    assert {*TRAINING_ROWS.names} < {*rows.columns}
    assert table.schema.field("as_of").type == pa.date32()
    last = max(line.split(",")[1] for line in (shop / "sales.csv").read_text().split()[1:])
    assert str(rows["outcome_until"].max().date()) <= last
    assert ((rows["outcome_until"] - rows["as_of"]).dt.days == 90).all()
    assert rows.groupby("customer_id")["group"].nunique().max() == 1
    assert rows["group"].nunique() == rows["customer_id"].nunique()
    assert (rows["churned"] == (rows["future_purchase_days"] == 0)).all()
    assert rows.loc[rows["as_of"] == rows["as_of"].max(), "weight"].eq(1).all()
    assert rows["weight"].lt(1).any()
    given = pml.training_table(settings)
    assert given.equals(rows)


def test_the_committed_page_of_features_is_that_of_the_catalogue():
    committed = (ROOT / "docs/reference/features.md").read_text(encoding="utf-8")
    assert committed == page.markdown(), "run make docs-features"
