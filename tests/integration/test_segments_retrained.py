"""Segments over two trainings: the ids go on, the move is logged, newcomers get theirs at night."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml import pipeline, registry
from portfolio_ml.config import settings_from
from portfolio_ml.models.segments import SegmentModel

pytestmark = pytest.mark.integration

FIRST_DAY = date(2023, 1, 1)
TRAINED, RETRAINED = date(2023, 10, 31), date(2023, 11, 25)
NEWCOMER = "newcomer"
NOW = datetime(2023, 12, 1, 4, tzinfo=UTC)


def quietly(text: str) -> None:
    del text


def history():
    """Regulars, occasional buyers, and some who left; one comes after the first training."""
    rng = np.random.default_rng(3)
    lines = [(NEWCOMER, TRAINED + timedelta(5), 20.0)]
    for number in range(240):
        gap, ticket, until = ((8, 90), (45, 20), (12, 30))[number % 3] + (
            120 if number % 3 == 2 else 333,
        )
        day = rng.integers(0, 40)
        while day <= until:
            when = FIRST_DAY + timedelta(int(day))
            lines.append((f"c{number}", when, round(ticket * rng.lognormal(0, 0.2), 2)))
            day += 1 + rng.exponential(gap)
    customer, when, amount = zip(*lines, strict=True)
    return pa.table({"customer_id": customer, "timestamp": when, "amount": amount})


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    pq.write_table(history(), folder / "sales.parquet")
    horizon = {"horizon_days": 30}
    values = {
        "name": "shop",
        "data": {"transactions": {"source": "sales.parquet"}},
        "targets": {"churn": horizon, "lifetime_value": horizon},
        "training": {"snapshots": 2, "step_days": 30},
        "backtest": {"cutoffs": 1, "bootstrap": 100},
        "engine": {"threads": 1},
        "scoring": {"portfolio": False},
        "tracking": {"uri": "sqlite:///mlflow.db"},
    }
    return settings_from(values, base=folder)


def opened(shop, as_of):
    return pipeline.opened(shop, today=NOW.date(), as_of=as_of, say=quietly)


def champion(shop):
    with registry.opened(shop) as store:
        return SegmentModel.from_files(store.champion("segments").files)


@pytest.fixture(scope="module")
def walk(shop):
    """The champions of two trainings, what the second decided, and a night's scores between."""
    with opened(shop, TRAINED) as portfolio:
        pipeline.train(portfolio, promote=True, say=quietly)
    first = champion(shop)
    with opened(shop, RETRAINED) as portfolio:
        night = pipeline.score(portfolio, now=lambda: NOW, say=quietly).rows
        result = pipeline.train(portfolio, promote=True, say=quietly)
    return first, champion(shop), result, night


def test_ids_and_names_go_on(walk):
    first, second, result, _ = walk
    before, after = (dict(zip(m.ids, m.labels, strict=True)) for m in (first, second))
    shared = {*before} & {*after}
    assert len(shared) >= len(before) - 1
    assert sum(before[i] == after[i] for i in shared) >= len(shared) - 1
    assert result.decisions["segments"].reasons[-1].endswith("of customers stay in their segment")


def test_the_migration_is_kept_with_the_run(shop, walk):
    first, second, result, night = walk
    with registry.opened(shop):
        client = mlflow.MlflowClient(f"sqlite:///{shop.base / 'mlflow.db'}")
        parent = client.get_run(result.run_id)
        runs = client.search_runs(
            [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{result.run_id}'"
        )
        run = next(run for run in runs if run.info.run_name == "segments")
        path = client.download_artifacts(run.info.run_id, "migration.json", str(shop.base))
    moved = json.loads(Path(path).read_text())
    assert moved["staying_share"] > 0.5
    assert sum(move["customers"] for move in moved["moves"]) == night.num_rows
    assert {move["before_id"] for move in moved["moves"]} <= {*first.ids}
    assert {move["id"] for move in moved["moves"]} == {*second.ids}
    assert run.data.params["candidate"] in {"k_means", "gaussian_mixture"}


def test_a_customer_who_came_after_the_training_has_a_segment_that_night(walk):
    first, _, _, night = walk
    (row,) = (row for row in night.to_pylist() if row["customer_id"] == NEWCOMER)
    assert row["segment_name"] == dict(zip(first.ids, first.labels, strict=True))[row["segment_id"]]
    assert row["segment_model_version"] == "1"
    assert row["rfm_segment"]
