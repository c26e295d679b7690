"""The package's job done plainly: all features in pandas, rows as wide, scores and their history.

`benchmarks/score_plain.py` is the job that somebody would write; this is the job that the package
does, as somebody would write it. The features are those of `benchmarks/features_pandas.py`, which
are the catalogue but for the columns of the customer-base models. Value is the chance of a purchase
times what is spent where there is one, in an interval. Rows have the columns of the package's, and
are written twice: into the table of scores, which is replaced, and to the end of a history.

Run it as `python -m benchmarks.score_whole train LINES MODELS AS_OF` and then as
`python -m benchmarks.score_whole score LINES MODELS AS_OF --url URL --steps FILE`.
"""

import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.features_pandas import features_of
from benchmarks.score_plain import (
    AT_RISK,
    HORIZON_DAYS,
    SEGMENTS,
    SIZE,
    THREADS,
    Models,
    bands_of,
    delivered,
    read,
    reasons_of,
    run,
    tiers_of,
)
from benchmarks.steps import Steps

KEY = "customer_id"
COVERED = (0.1, 0.9)
GRID = {
    5: ("new", "potential loyalists", "potential loyalists", "champions", "champions"),
    4: ("promising", "potential loyalists", "potential loyalists", "loyal", "champions"),
    3: ("about to sleep", "needing attention", "needing attention", "loyal", "loyal"),
    2: ("hibernating", "about to sleep", "at risk", "at risk", "at risk"),
    1: ("lost", "lost", "hibernating", "can't lose them", "can't lose them"),
}


def train(source: Path, as_of: date) -> Models:
    """Models of what followed the day that lies a horizon before `as_of`."""
    past = features_of(source, as_of=as_of - timedelta(HORIZON_DAYS), say=_silently).set_index(KEY)
    lines = read(source, as_of)
    after = lines[lines["age"] < HORIZON_DAYS].groupby(KEY, observed=True)["amount"]
    spend = after.sum().reindex(past.index).fillna(0)
    bought = past.index.isin(after.size().index)
    churn = LGBMClassifier(**SIZE, n_jobs=THREADS, verbose=-1).fit(past, ~bought)
    amount = LGBMRegressor(**SIZE, n_jobs=THREADS, verbose=-1).fit(past[bought], spend[bought])
    clusters = KMeans(SEGMENTS, random_state=7, n_init=3)
    segments = make_pipeline(StandardScaler(), clusters).fit(_points(past))
    value = (1 - chance_of(churn, past)) * amounts_of(amount, past)
    ratios = np.quantile(spend / np.maximum(value, 0.01), COVERED)
    return {"churn": churn, "amount": amount, "segments": segments, "ratios": ratios}


def score(source: Path, models: Models, as_of: date, *, url: str, steps: Steps) -> None:
    """Score every customer, replace the table of scores and add to their history."""
    with steps.timed("read and features"):
        found = features_of(source, as_of=as_of, say=_silently).set_index(KEY)
    with steps.timed("predict"):
        p_churn = chance_of(models["churn"], found)
        amount = amounts_of(models["amount"], found)
        segment = models["segments"].predict(_points(found))
    with steps.timed("reasons"):
        is_active = (found["recency_days"] < 2 * HORIZON_DAYS).to_numpy()
        reasons = reasons_of(models["churn"], found, is_active & (p_churn >= AT_RISK))
    with steps.timed("rows"):
        rows = pd.DataFrame(index=found.index)
        rows["as_of"] = pd.Timestamp(as_of)
        _stand(rows, found, is_active)
        _predict(rows, p_churn, amount, ratios=models["ratios"])
        rows["churn_reasons"] = reasons
        _look_ahead(rows, found)
        rows["segment_id"] = segment
        rows["segment_name"] = [f"segment {number}" for number in segment]
        _sign(rows)
        rows = rows.reset_index()
    with steps.timed("to_sql"):
        delivered(rows, url, {"whole_scores": "replace", "whole_scores_history": "append"})


def chance_of(churn: LGBMClassifier, found: pd.DataFrame) -> np.ndarray:
    """The chance of no purchase."""
    chances: np.ndarray = np.asarray(churn.predict_proba(found))[:, 1]
    return chances


def amounts_of(amount: LGBMRegressor, found: pd.DataFrame) -> np.ndarray:
    """What is spent where there is a purchase."""
    amounts: np.ndarray = np.maximum(0.0, np.asarray(amount.predict(found)))
    return amounts


def _stand(rows: pd.DataFrame, found: pd.DataFrame, is_active: np.ndarray) -> None:
    """Where the customers stand."""
    tenure = found["tenure_days"]
    rows["is_active"] = is_active
    rows["lifecycle_stage"] = np.select(
        [~is_active, tenure <= 365, tenure <= 730, found["spend_trend"] < -0.25],
        ["lapsed", "new", "developing", "veteran"],
        default="mature",
    )
    rows["value_tier"] = tiers_of(found["net_spend"])
    for name in ("rfm_r", "rfm_f", "rfm_m"):
        rows[name] = found[name].astype("int8")
    joint = (rows["rfm_f"] + rows["rfm_m"]) // 2
    names = np.array([GRID[recency] for recency in range(1, 6)])
    rows["rfm_segment"] = names[rows["rfm_r"] - 1, joint - 1]


def _predict(
    rows: pd.DataFrame, p_churn: np.ndarray, amount: np.ndarray, *, ratios: np.ndarray
) -> None:
    """What the models say, in the columns of the package."""
    is_active, value = rows["is_active"], (1 - p_churn) * amount
    rows["p_churn"] = p_churn.round(6)
    rows["p_return"] = (1 - rows["p_churn"]).where(~is_active)
    rows["churn_band"] = bands_of(p_churn)
    rows["ltv"] = value.round(2)
    rows["ltv_low"], rows["ltv_high"] = (np.round(ratio * value, 2) for ratio in ratios)
    rows["value_if_buys"] = amount.round(2)
    rows["value_at_risk"] = (p_churn * amount).round(2)
    inactive = ["p_churn", "churn_band", "value_at_risk"]
    rows[inactive] = rows[inactive].where(is_active)


def _look_ahead(rows: pd.DataFrame, found: pd.DataFrame) -> None:
    """When the customers' own rhythm would have them back, and how often."""
    rows["expected_orders"] = (found["rate_per_year"] * HORIZON_DAYS / 365).round(4)
    rows["expected_next_order_date"] = pd.to_datetime(found["expected_next_order_day"], unit="D")
    rows["missed_cycles"] = found["missed_cycles"].astype("Int32")


def _sign(rows: pd.DataFrame) -> None:
    """What made the rows, and when."""
    rows["abstention"] = None
    for name in ("churn_model_version", "ltv_model_version", "segment_model_version"):
        rows[name] = "1"
    rows["features_hash"] = "all of features_pandas"
    rows["run_id"] = uuid.uuid4().hex
    rows["scored_at"] = datetime.now(UTC)


def _points(found: pd.DataFrame) -> np.ndarray:
    points: np.ndarray = np.log1p(found.fillna(0).clip(lower=0).to_numpy())
    return points


def _silently(_: str) -> None:
    """The steps that count are those of the whole job."""


if __name__ == "__main__":
    run(train, score)
