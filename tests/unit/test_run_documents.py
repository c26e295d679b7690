"""What a run keeps beside its figures: the config, the card, importance, who writes it."""

import json
import os
import socket
import subprocess
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml
from tests.histories import REFERENCE
from tests.simulated import RECIPE, simulated

from portfolio_ml import writers
from portfolio_ml.config import load_settings, public_yaml, settings_from
from portfolio_ml.gate import Decision
from portfolio_ml.judgement import Predictions, SectionScore, unjudged
from portfolio_ml.judging import _sections
from portfolio_ml.metrics import METRICS
from portfolio_ml.models.importance import importance
from portfolio_ml.registry.environment import commit, packages
from portfolio_ml.report.card import CardFacts, card
from portfolio_ml.report.charts.runs import judgement_plots
from portfolio_ml.training import fit_candidates
from portfolio_ml.writers import LONGEST, Writer, at_work

pytestmark = pytest.mark.unit


# The config


SECRETS = """
name: shop
data:
  transactions:
    source: postgresql://ann:${DB_PASSWORD}@db/sales?sslpassword=s3cret
    query: "SELECT * FROM sales WHERE shop = '${SHOP}'"
engine:
  kind: spark
  remote: sc://spark:15002/;token=s3cret
  options: {spark.hadoop.fs.s3a.secret.key: s3cret}
tracking: {uri: "http://bob:s3cret@mlflow:5000"}
delivery:
  - {kind: sql, url: "postgresql://crm:${DB_PASSWORD}@db/crm"}
  - {kind: sql, url: "sqlite:///crm.db"}
"""


def test_no_secret_is_shown_and_all_else_is(tmp_path, monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "s3cret-too")
    monkeypatch.setenv("SHOP", "s3cret-shop")
    config = tmp_path / "shop.yaml"
    config.write_text(SECRETS)
    text = public_yaml(load_settings(config))
    assert "s3cret" not in text
    shown = yaml.safe_load(text)
    assert shown["data"]["transactions"]["source"] == "postgresql://***@db/sales"
    assert shown["data"]["transactions"]["query"] == "SELECT * FROM sales WHERE shop = '${SHOP}'"
    assert shown["engine"]["remote"] == "sc://spark:15002/"
    assert shown["engine"]["options"] == {"spark.hadoop.fs.s3a.secret.key": "***"}
    assert shown["tracking"]["uri"] == "http://***@mlflow:5000"
    assert [target["url"] for target in shown["delivery"]] == [
        "postgresql://***@db/crm",
        "sqlite:///crm.db",
    ]
    assert shown["targets"]["churn"] == {"horizon_days": 90}


def test_a_secret_from_the_environment_alone_is_not_shown(monkeypatch):
    monkeypatch.setenv("PORTFOLIO_ML__TRACKING__URI", "http://bob:s3cret@mlflow:5000")
    settings = settings_from({"name": "shop", "data": {"transactions": {"source": "cdnow"}}})
    assert "s3cret" not in public_yaml(settings)


def test_a_secret_that_is_no_address_is_not_shown_wherever_it_stands(monkeypatch):
    monkeypatch.setenv("PORTFOLIO_ML__STATE__KEY", "s3cret-key")
    hubspot = {"kind": "hubspot", "token": "s3cret", "columns": {"ltv": "ltv"}}
    salesforce = {
        "kind": "salesforce",
        "login_url": "https://acme.my.salesforce.com",
        "client_id": "s3cret-id",
        "username": "ann",
        "private_key": "s3cret-key",
        "external_id": "Customer__c",
        "columns": {"ltv": "Ltv__c"},
    }
    settings = settings_from(
        {
            "name": "shop",
            "data": {"transactions": {"source": "sales.csv"}},
            "delivery": [hubspot, salesforce],
        }
    )
    text = public_yaml(settings)
    assert "s3cret" not in text
    shown = yaml.safe_load(text)
    assert shown["state"] == {"url": "sqlite:///portfolio_state.db", "key": "***"}
    assert shown["data"]["transactions"]["source"] == "sales.csv"
    assert [shown["delivery"][0]["token"], shown["delivery"][1]["client_secret"]] == ["***", None]
    assert shown["delivery"][1]["login_url"] == "https://acme.my.salesforce.com"


def test_what_is_shown_is_a_config_again(tmp_path):
    settings = settings_from(
        {"name": "shop", "data": {"transactions": {"source": "cdnow"}}}, base=tmp_path
    )
    (tmp_path / "again.yaml").write_text(public_yaml(settings))
    again = load_settings(tmp_path / "again.yaml")
    assert again.model_dump() == settings.model_dump()


# The card


def facts(target, judgement, **changes):
    given = {
        "portfolio": "shop",
        "target": target,
        "judgement": judgement,
        "importance": {},
        "params": {
            "as_of": "2024-03-01",
            "rows_kept": 100,
            "rows_quarantined": 2,
            "snapshots": "2023-12-01",
            "excluded_periods": "none",
            "seed": 7,
            "churn_horizon_days": 90,
            "value_horizon_days": 90,
            "value_extended_days": None,
        },
        "tags": {"data_digest": "f00d", "features_hash": "beef", "portfolio_ml_version": "1"},
        "decision": Decision(target, False, ("the champion | stays",)),
        "currency": "EUR",
        "coverage": 0.8,
    }
    return CardFacts(**given | changes)


def judged(**changes):
    gain = {"estimate": 0.02, "low": 0.01, "high": 0.03}
    section = {"rows": 50, "actual": 10.0, "predicted": 9.0, "primary": None, "coverage": 0.75}
    score = {"model": "blend", "metric": "normalised_gini", "population": "all", "value": 0.7}
    return {
        "target": "lifetime_value",
        "cutoffs": ["2023-06-01"],
        "winner": "blend",
        "best_baseline": "past_spend",
        "primary": "normalised_gini",
        "scores": [score | {"cutoff": None}, score | {"cutoff": "2023-06-01"}],
        "gains": {"normalised_gini": {"past_spend": gain}},
        "curves": {},
        "sections": [{"section": "value_tier", "part": "A", **section}],
    } | changes


def test_a_card_says_what_from_which_data_how_good_for_whom_and_where_it_ends():
    told = card(facts("lifetime_value", judged(), importance={"amount": {"spend_90d": 0.25}}))
    assert "# Lifetime value: shop" in told
    assert "net spend in EUR within 90 days" in told
    assert "| Digest of the data | f00d |" in told
    assert "| net spend so far | baseline | +0.0200 | +0.0100 to +0.0300 |" in told
    assert "| A | 50 | 10.00 | 9.00 | – | 75.0 % |" in told
    assert "| spend_90d | 25.0 % |" in told
    assert "## Limits" in told
    assert "## The gate: refused\n\n- the champion | stays" in told


def test_a_value_that_is_stretched_is_told_over_its_own_horizon():
    params = facts("lifetime_value", judged()).params | {"value_extended_days": 365}
    told = card(facts("lifetime_value", judged(), params=params))
    assert "within 365 days" in told
    assert "in the next 90 days" in told


def test_a_card_of_what_nothing_judged_says_so():
    told = card(facts("churn", unjudged("churn")))
    assert "No outcome has judged it" in told
    assert "customer-base model" in told


def test_the_coverage_by_tier_is_drawn_where_there_are_intervals():
    assert [*judgement_plots(judged(), coverage=0.8)] == ["lifetime_value_coverage_by_tier.png"]
    assert judgement_plots(judged(sections=[]), coverage=0.8) == {}


# Performance by section


def test_each_part_of_the_customers_is_judged_on_its_own_by_hand():
    predictions = Predictions(
        cutoff=np.zeros(4, np.int32),
        customer=np.arange(4),
        is_active=np.array([True, True, False, False]),
        actual=np.array([30.0, 10.0, 0.0, 0.0]),
        candidates={"blend": np.array([20.0, 12.0, 1.0, 1.0])},
        baselines={},
        intervals={"blend": np.array([[10.0, 40.0], [11.0, 14.0], [0.0, 1.0], [0.0, 2.0]])},
        sections={"activity": np.array(["active", "active", "inactive", "inactive"])},
    )
    active, inactive = _sections(predictions, "blend", METRICS["normalised_gini"])
    assert active == SectionScore("activity", "active", 2, 20.0, 16.0, 1.0, 0.5)
    assert inactive == SectionScore("activity", "inactive", 2, 0.0, 1.0, None, 1.0)


# Importance and environment


def test_importance_is_each_features_share_of_the_gain_largest_first():
    candidates = fit_candidates(simulated(120), RECIPE, tier_edges=REFERENCE.tier_edges)
    found = importance(candidates.churn["boosted"].to_files())
    assert [*found] == ["no purchase"]
    shares = [*found["no purchase"].values()]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0
    assert [*importance(candidates.lifetime_value["boosted"].to_files())] == [
        "no purchase",
        "amount of those who buy",
    ]
    assert importance(candidates.churn["customer_base"].to_files()) == {}


def test_the_versions_are_those_of_what_is_required_and_there():
    found = packages()
    assert {"python", "portfolio-ml", "lightgbm", "duckdb"} <= {*found}
    assert json.dumps(found)


def test_the_commit_of_a_checkout_is_told_and_whether_files_differ_from_it(tmp_path):
    assert commit(tmp_path) is None

    def git(*arguments):
        who = ["-c", "user.name=ann", "-c", "user.email=ann@example.com"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *who, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    git("init", "--quiet")
    (tmp_path / "shop.yaml").write_text("name: shop\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    assert commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "shop.yaml").write_text("name: other\n")
    assert commit(tmp_path) == f"{git('rev-parse', 'HEAD')}-dirty"


# Who writes


BEGUN = datetime(2024, 3, 1, tzinfo=UTC)


def test_a_process_has_left_what_it_is_not_at_work_on():
    this = Writer.read(str(Writer.this()))
    assert this == Writer.this()
    with at_work("a run"):
        assert not this.has_left("a run", begun=BEGUN, now=BEGUN)
        assert this.has_left("another run", begun=BEGUN, now=BEGUN)
    assert this.has_left("a run", begun=BEGUN, now=BEGUN)


def test_a_process_that_ended_has_left_even_before_anyone_has_waited_for_it():
    process = subprocess.Popen(["sleep", "60"])
    there = Writer(socket.gethostname(), process.pid, writers._began(process.pid))
    later = Writer(socket.gethostname(), process.pid, "1")  # that had the same number
    assert not there.has_left("a run", begun=BEGUN, now=BEGUN)
    assert later.has_left("a run", begun=BEGUN, now=BEGUN)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert there.has_left("a run", begun=BEGUN, now=BEGUN)
    process.wait()
    assert there.has_left("a run", begun=BEGUN, now=BEGUN)


def test_another_machines_process_is_given_a_day():
    elsewhere = Writer("elsewhere", 1, "1")
    assert not elsewhere.has_left("a run", begun=BEGUN, now=BEGUN + LONGEST)
    assert elsewhere.has_left("a run", begun=BEGUN, now=BEGUN + LONGEST + timedelta(seconds=1))
    assert not elsewhere.has_left("a run", begun=BEGUN, now=None)


def test_what_is_no_writer_is_none():
    assert Writer.read("") is None
