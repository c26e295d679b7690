"""Walks off the usual road, from rows to scores: margin, a longer horizon, a thin history."""

import html
import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from portfolio_ml import learning, notebook, pipeline, provenance, registry
from portfolio_ml.acting import Advice
from portfolio_ml.config import settings_from
from portfolio_ml.errors import DataError
from portfolio_ml.features import sample
from portfolio_ml.models.lifetime_value import LifetimeValueModel
from portfolio_ml.pipeline import write_report
from portfolio_ml.report.words import whom_to_act_on

pytestmark = pytest.mark.integration

FIRST_DAY = date(2023, 1, 1)
NOW = datetime(2024, 1, 1, 4, tzinfo=UTC)
CUSTOMERS, DAYS = 80, 160
HORIZON_DAYS = 28
COST_SHARE = 0.75


def quietly(text: str) -> None:
    del text


def history():
    """Customers who buy at a pace of their own, and of whom half leave; three quarters are cost."""
    rng = np.random.default_rng(11)
    lines = []
    for number in range(CUSTOMERS):
        ticket, gap = rng.lognormal(3, 0.4), rng.uniform(4, 30)
        until = DAYS if number % 2 else rng.uniform(10, DAYS)
        day = rng.integers(0, 20)
        while day < until:
            amount = round(ticket * rng.lognormal(0, 0.2), 2)
            lines.append((f"c{number}", FIRST_DAY + timedelta(int(day)), amount))
            day += 1 + rng.exponential(gap)
    lines.append(("c0", FIRST_DAY + timedelta(DAYS - 1), 20.0))
    customer, when, amount = zip(*lines, strict=True)
    cost = [round(COST_SHARE * each, 2) for each in amount]
    names = ("customer_id", "timestamp", "amount", "cost")
    return pa.table(dict(zip(names, (customer, when, amount, cost), strict=True)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the portfolios share one MLflow store."""
    return tmp_path_factory.mktemp("shops")


def settings_of(folder, name, *, acting=None, **value):
    pq.write_table(history(), folder / f"{name}.parquet")
    values = {
        "name": name,
        "data": {"transactions": {"source": f"{name}.parquet"}},
        "targets": {
            "churn": {"horizon_days": HORIZON_DAYS},
            "lifetime_value": {"horizon_days": HORIZON_DAYS} | value,
            "segments": {"count": 3},
        },
        "training": {"snapshots": 2, "step_days": 14},
        "backtest": {"cutoffs": 1, "bootstrap": 100},
        "engine": {"threads": 1},
        "tracking": {"uri": "sqlite:///mlflow.db"},
    } | ({"acting": acting} if acting else {})
    return settings_from(values, base=folder)


def trained(settings, *, promote, as_of=None):
    with pipeline.opened(settings, today=NOW.date(), as_of=as_of, say=quietly) as portfolio:
        return pipeline.train(portfolio, promote=promote, say=quietly)


def scored(settings, *, as_of=None):
    with pipeline.opened(settings, today=NOW.date(), as_of=as_of, say=quietly) as portfolio:
        return pipeline.score(portfolio, now=lambda: NOW, say=quietly)


def champion_of_value(settings):
    with registry.opened(settings) as store:
        return LifetimeValueModel.from_files(store.champion("lifetime_value").files)


def test_a_margin_is_judged_promoted_by_hand_and_scored(folder):
    shop = settings_of(folder, "margin", measure="margin")
    training = trained(shop, promote=False)
    assert training.judgements["lifetime_value"].measure == "margin"
    with pytest.raises(DataError, match="There is no champion for churn, lifetime value"):
        scored(shop)

    with registry.opened(shop) as store:
        for target, version in training.versions.items():
            store.promote(target, version)
    scoring = scored(shop)

    assert scoring.facts.measure == "margin"
    assert champion_of_value(shop).margins.share == pytest.approx(1 - COST_SHARE, abs=0.001)
    rows = scoring.rows.to_pylist()
    assert all(row["ltv_low"] <= row["ltv"] <= row["ltv_high"] for row in rows)
    assert {r["ltv_model_version"] for r in rows} == {training.versions["lifetime_value"]}


def test_a_horizon_that_no_label_reaches_is_told_on_every_row(folder):
    """160 days let 64 days be judged: 32 of a past, 64 to learn from, 64 to be judged by."""
    shop = settings_of(folder, "extended", horizon_days=365)
    training = trained(shop, promote=True)
    told = training.decisions["lifetime_value"].reasons[-1]
    assert "value over 365 days was learnt over 64 days" in told
    scoring = scored(shop)
    model = champion_of_value(shop)
    assert (model.horizon_days, model.predicted_days) == (64, 365)
    assert (scoring.facts.learned_value_days, scoring.facts.value_days) == (64, 365)
    for row in scoring.rows.to_pylist():
        assert row["abstention"].split(", ")[-1] == "horizon_extended:lifetime_value"
        assert row["ltv_low"] <= row["ltv"] <= row["ltv_high"]


def test_a_thin_history_is_scored_unjudged_and_no_more_certain_than_it_was_seen(folder):
    shop, as_of = settings_of(folder, "thin"), FIRST_DAY + timedelta(34)
    training = trained(shop, promote=True, as_of=as_of)
    assert training.judgements == {}
    for target in ("churn", "lifetime_value"):
        assert "customer-base model was not judged" in training.decisions[target].reasons[0]

    rows = scored(shop, as_of=as_of).rows.to_pylist()
    assert {row["abstention"] for row in rows} == {"customer_base_model:churn+lifetime_value"}
    first: dict[str, date] = {}
    for line in history().to_pylist():
        if line["timestamp"] <= as_of:
            first.setdefault(line["customer_id"], line["timestamp"])
    assert len(rows) == len(first)
    least = 1 / (sum((as_of - day).days for day in first.values()) / HORIZON_DAYS + 2)
    chances = [1 - r["p_return"] if r["p_churn"] is None else r["p_churn"] for r in rows]
    assert least <= min(chances) < max(chances) <= 1 - least


def test_a_thin_history_tells_of_how_many_customers_it_rests_on(folder, monkeypatch):
    monkeypatch.setattr(sample, "FEWEST", 10)
    shop = settings_of(folder, "drawn")
    few = shop.training.model_copy(update={"max_rows": CUSTOMERS // 2})
    shop, as_of = shop.model_copy(update={"training": few}), FIRST_DAY + timedelta(34)
    told: list[str] = []
    with pipeline.opened(shop, today=NOW.date(), as_of=as_of, say=quietly) as portfolio:
        found = learning.learned(portfolio, told.append)
        assert learning.today(portfolio, found) is found.sample
        params = provenance.parameters(portfolio, found.sample)
    note = f"rests on {found.sample.customers} of {found.sample.of} customers"
    assert 0 < found.sample.customers < found.sample.of
    assert found.snapshots is None
    for target in ("churn", "lifetime_value"):
        assert found.notes[target][0].startswith(note)
    assert told[-1].startswith(note)
    assert params["customers_learnt_from"] == found.sample.customers
    assert params["customers"] == found.sample.of


def test_whom_to_act_on_is_logged_registered_and_reported(folder):
    shop = settings_of(folder, "acting", acting={"contact_cost": 1.0, "success_rate": 0.5})
    result = notebook.train(shop)
    advice = result.acting
    with registry.opened(shop) as store:
        kept = json.loads(store.champion("churn").files["judgement.json"])["acting"]
    assert Advice.from_dict(kept) == advice

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (run,) = client.search_runs(
        [client.get_experiment_by_name("acting").experiment_id],
        filter_string="attributes.run_name = 'churn'",
    )
    assert run.data.metrics["acting.advised.profit.value"] == advice.advised.profit.value
    plots = [each.path for each in client.list_artifacts(run.info.run_id, "plots")]
    assert "plots/churn_profit.png" in plots

    scores = notebook.score(shop)
    page = write_report(scores.facts, shop).read_text("utf-8")
    assert html.escape(next(whom_to_act_on(advice))) in page

    attention = scores.attention()
    assert attention["value_at_risk"].is_monotonic_decreasing
    segments = scores.segments()
    assert segments["customers"].sum() == len(scores.rows)
    assert segments["ltv_share"].sum() == pytest.approx(1)

    with pytest.raises(DataError, match="customer-base model, whose score no feature adds to"):
        notebook.contributions(shop, ["c0"])  # which is the one that won here
