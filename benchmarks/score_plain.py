"""The nightly job as a good data scientist writes it in an afternoon: pandas, LightGBM, `to_sql`.

Features are group-bys over the columns that are needed, with texts as numbers first. The models
have about as many trees of about the same size as the package's. Reasons are the three features
that SHAP says push the churn score up most, for the customers at risk alone. The table is replaced:
there is no history, no receipt, and nothing is checked.

Run it as `python -m benchmarks.score_plain train LINES MODELS AS_OF` and then as
`python -m benchmarks.score_plain score LINES MODELS AS_OF --url URL --steps FILE`.
"""

import argparse
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

import joblib
import numpy as np
import pandas as pd
import sqlalchemy as sa
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.steps import Steps

HORIZON_DAYS = 90
WINDOWS = (30, 90, 180, 365)
COLUMNS = ("customer_id", "timestamp", "amount", "order_id", "product_id", "category", "quantity")
SIZE: dict[str, Any] = {"n_estimators": 150, "num_leaves": 7, "learning_rate": 0.05}
THREADS = 2
SEGMENTS = 6
AT_RISK = 0.4
CHUNK_ROWS = 10_000

Models = dict[str, Any]
IfExists = Literal["replace", "append"]


class Train(Protocol):
    """Models of what followed the day that lies a horizon before `as_of`."""

    def __call__(self, source: Path, as_of: date) -> Models:
        """Train them on the lines in `source`."""


class Score(Protocol):
    """Score every customer, and deliver the rows."""

    def __call__(
        self, source: Path, models: Models, as_of: date, *, url: str, steps: Steps
    ) -> None:
        """Score them from the lines in `source`."""


def read(source: Path, as_of: date) -> pd.DataFrame:
    """The lines up to and including a day, with numbers for texts but for the customer's."""
    end = pd.Timestamp(as_of + timedelta(1))
    lines = pd.read_parquet(source, columns=[*COLUMNS], filters=[("timestamp", "<", end)])
    lines["customer_id"] = lines["customer_id"].astype("category")
    for name in ("order_id", "product_id", "category"):
        lines[name] = pd.factorize(lines[name])[0]
    lines["age"] = (pd.Timestamp(as_of) - lines.pop("timestamp").dt.normalize()).dt.days
    return lines


def features(lines: pd.DataFrame) -> pd.DataFrame:
    """Recency, frequency, money and some more, a row per customer with a purchase."""
    bought, returned = lines[lines["amount"] >= 0], lines[lines["amount"] < 0]
    by_customer = bought.groupby("customer_id", observed=True)
    found = by_customer.agg(
        recency_days=("age", "min"),
        tenure_days=("age", "max"),
        purchase_days=("age", "nunique"),
        orders=("order_id", "nunique"),
        lines=("amount", "size"),
        spend=("amount", "sum"),
        largest_line=("amount", "max"),
        units=("quantity", "sum"),
        products=("product_id", "nunique"),
        categories=("category", "nunique"),
    )
    for days in WINDOWS:
        recent = bought[bought["age"] < days].groupby("customer_id", observed=True)
        found[f"spend_{days}d"] = recent["amount"].sum()
        found[f"orders_{days}d"] = recent["order_id"].nunique()
    back = returned.groupby("customer_id", observed=True)["amount"]
    found["returned"] = -back.sum()
    found["return_lines"] = back.size()
    found = found.fillna(0)
    found["ticket"] = found["spend"] / found["orders"]
    found["gap_days"] = (found["tenure_days"] - found["recency_days"]) / (
        found["purchase_days"] - 1
    ).clip(lower=1)
    found["overdue"] = found["recency_days"] / found["gap_days"].clip(lower=1)
    found["trend"] = found["spend_90d"] / found["spend_180d"].clip(lower=0.01)
    return found


def train(source: Path, as_of: date) -> Models:
    """Models of what followed the day that lies a horizon before `as_of`."""
    past = features(read(source, as_of - timedelta(HORIZON_DAYS)))
    lines = read(source, as_of)
    after = lines[lines["age"] < HORIZON_DAYS].groupby("customer_id", observed=True)["amount"]
    spend = after.sum().reindex(past.index).fillna(0)
    churned = ~past.index.isin(after.size().index)
    churn = LGBMClassifier(**SIZE, n_jobs=THREADS, verbose=-1).fit(past, churned)
    value = LGBMRegressor(**SIZE, n_jobs=THREADS, verbose=-1).fit(past, spend)
    clusters = KMeans(SEGMENTS, random_state=7, n_init=3)
    segments = make_pipeline(StandardScaler(), clusters).fit(np.log1p(past.clip(lower=0)))
    return {"churn": churn, "value": value, "segments": segments}


def score(source: Path, models: Models, as_of: date, *, url: str, steps: Steps) -> None:
    """Score every customer and replace the table of scores."""
    with steps.timed("read"):
        lines = read(source, as_of)
    with steps.timed("features"):
        found = features(lines)
    with steps.timed("predict"):
        p_churn = models["churn"].predict_proba(found)[:, 1]
        value = models["value"].predict(found).clip(min=0)
        segment = models["segments"].predict(np.log1p(found.clip(lower=0)))
    with steps.timed("reasons"):
        is_active = (found["recency_days"] < 2 * HORIZON_DAYS).to_numpy()
        reasons = reasons_of(models["churn"], found, is_active & (p_churn >= AT_RISK))
    with steps.timed("rows"):
        rows = rows_of(found, p_churn=p_churn, value=value, segment=segment, as_of=as_of)
        rows["is_active"] = is_active
        rows["churn_reasons"] = reasons
    with steps.timed("to_sql"):
        delivered(rows, url, {"plain_scores": "replace"})


def reasons_of(model: LGBMClassifier, found: pd.DataFrame, at_risk: np.ndarray) -> pd.Series:
    """The three features that push the score up most, for those at risk; none for the others."""
    some = found[at_risk]
    told = pd.Series(None, index=found.index, dtype=object)
    if len(some):
        pushes = np.asarray(model.predict(some, pred_contrib=True))[:, :-1]
        names = found.columns.to_numpy()[np.argsort(-pushes, axis=1)[:, :3]]
        told[at_risk] = [", ".join(chosen) for chosen in names]
    return told


def rows_of(
    found: pd.DataFrame,
    *,
    p_churn: np.ndarray,
    value: np.ndarray,
    segment: np.ndarray,
    as_of: date,
) -> pd.DataFrame:
    """What the CRM is given of each customer."""
    rows = found[["recency_days", "purchase_days", "spend", "spend_365d"]].round(2).reset_index()
    rows["customer_id"] = rows["customer_id"].astype(str)
    rows.insert(1, "as_of", as_of)
    worse = {"rfm_r": -found["recency_days"], "rfm_f": found["purchase_days"]}
    for name, values in (worse | {"rfm_m": found["ticket"]}).items():
        rows[name] = np.ceil(values.rank(pct=True).to_numpy() * 5).astype(int)
    rows["value_tier"] = tiers_of(found["spend"])
    rows["p_churn"] = p_churn.round(6)
    rows["churn_band"] = bands_of(p_churn)
    rows["ltv"] = value.round(2)
    rows["value_at_risk"] = (p_churn * value).round(2)
    rows["segment"] = segment
    rows["scored_at"] = datetime.now(UTC)
    return rows


def tiers_of(spend: pd.Series) -> np.ndarray:
    """A for the tenth of the customers who spent most, then B, C and D."""
    share = spend.rank(pct=True).to_numpy()
    return np.array([*"DCBA"])[np.searchsorted([0.4, 0.7, 0.9], share)]


def bands_of(p_churn: np.ndarray) -> np.ndarray:
    """The chance of churn in words."""
    return np.select([p_churn >= 0.7, p_churn >= AT_RISK], ["high", "medium"], "low")


def delivered(rows: pd.DataFrame, url: str, tables: Mapping[str, IfExists]) -> None:
    """Write the rows to each of the tables, which is replaced or added to."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    for table, if_exists in tables.items():
        rows.to_sql(table, engine, if_exists=if_exists, index=False, chunksize=CHUNK_ROWS)
    engine.dispose()


def run(train: Train, score: Score) -> None:
    """Train the models, or score every customer with them."""
    steps = Steps()
    parser = argparse.ArgumentParser(description=run.__doc__)
    parser.add_argument("what", choices=["train", "score"])
    parser.add_argument("source", type=Path, help="the lines, a Parquet file")
    parser.add_argument("models", type=Path, help="the file of the models")
    parser.add_argument("as_of", type=date.fromisoformat, help="the last day to see")
    parser.add_argument("--url", help="the database")
    parser.add_argument("--steps", type=Path, help="where to write what each step cost")
    given = parser.parse_args()
    if given.what == "train":
        joblib.dump(train(given.source, given.as_of), given.models)
        return
    models = joblib.load(given.models)
    score(given.source, models, given.as_of, url=given.url, steps=steps)
    steps.write(given.steps)


if __name__ == "__main__":
    run(train, score)
