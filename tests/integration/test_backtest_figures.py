"""The backtest's figures, computed again from delivered scores and the raw file alone."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from .conftest import FIVE_SEGMENTS, LIGHTEST, ONCE, called, unless_long
from .test_demo import raw  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("cdnow"),  # the demo is walked once
]

CUTOFF, HORIZON = "1998-04-01", 90


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """The scores that a team would have had on the cutoff: trained and scored as of that day."""
    folder = tmp_path_factory.mktemp("then")
    config = folder / "then.yaml"
    config.write_text(
        "name: then\n"
        "data: {transactions: {source: cdnow}}\n"
        "scoring: {portfolio: false}\n"
        "delivery: [{kind: parquet, path: scores.parquet}]\n"
    )
    train = ("train", "--config", config, "--as-of", CUTOFF, "--json", "--quiet")
    trained = called(*train, **unless_long(LIGHTEST, ONCE, FIVE_SEGMENTS))
    assert trained.code == 0, trained.err
    scored = called("score", "--config", config, "--as-of", CUTOFF, "--quiet")
    assert scored.code == 0, scored.err
    winners = {t: j["winner"] for t, j in trained.json["judgements"].items()}
    return pd.read_parquet(folder / "scores.parquet").set_index("customer_id"), winners


@pytest.fixture(scope="module")
def told(cdnow):
    """By target, the winner and its primary figure at that cutoff, as told three months later."""
    folder, _ = cdnow
    models = json.loads((folder / "report.json").read_text())["models"]
    assert [model["cutoffs"][-1] for model in models] == [CUTOFF] * 2
    return {model["target"]: (model["winner"], model["by_cutoff"][-1]) for model in models}


@pytest.fixture(scope="module")
def outcome(raw, delivered):  # noqa: F811 - the fixture
    """What each customer did in the 90 days after the cutoff."""
    scores, _ = delivered
    days = (raw["date"] - pd.Timestamp(CUTOFF)).dt.days
    after = raw[(days > 0) & (days <= HORIZON)].groupby("customer")["amount"]
    bought = after.size().reindex(scores.index, fill_value=0)
    return bought == 0, after.sum().reindex(scores.index, fill_value=0.0)


def test_auroc_is_reproduced(delivered, told, outcome):
    scores, winners = delivered
    churned, _ = outcome
    p_churn = scores["p_churn"].fillna(1 - scores["p_return"])
    winner, auroc = told["churn"]
    assert winner == winners["churn"]
    assert roc_auc_score(churned, p_churn) == pytest.approx(auroc, abs=1e-4)


def test_normalised_gini_is_reproduced(delivered, told, outcome):
    scores, winners = delivered
    _, spend = outcome
    winner, gini = told["lifetime_value"]
    assert winner == winners["lifetime_value"]
    assert _gini(spend, scores["ltv"]) / _gini(spend, spend) == pytest.approx(gini, abs=1e-4)


def _gini(actual, order_by):
    """One customer after the other, best first; those that tie share what they hold."""
    table = pd.DataFrame({"actual": actual, "by": order_by})
    table["actual"] = table.groupby("by")["actual"].transform("mean")
    held = table.sort_values("by", ascending=False)["actual"].cumsum() / table["actual"].sum()
    return float((held - np.arange(1, len(held) + 1) / len(held)).sum())
