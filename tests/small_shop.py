"""A small shop that a training takes seconds for: its history, its settings, its trainings."""

import pickle
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml import pipeline, publish, registry
from portfolio_ml.config import Settings, settings_from
from portfolio_ml.models.files import ModelFiles

FIRST_DAY = date(2023, 1, 1)
TRAINED = date(2023, 10, 31)
NOW = datetime(2023, 12, 1, 4, tzinfo=UTC)
CUSTOMERS = 120
LEARNT = "learnt.pickle"


def quietly(text: str) -> None:
    """Tells nobody."""


def history() -> pa.Table:
    """Regulars, occasional buyers, and some who left; their ids could be no figure."""
    rng = np.random.default_rng(3)
    lines = []
    for number in range(CUSTOMERS):
        gap, ticket = ((8, 90), (45, 20), (12, 30))[number % 3]
        until = 120 if number % 3 == 2 else 333
        day = rng.integers(0, 40)
        while day <= until:
            when = FIRST_DAY + timedelta(int(day))
            amount = round(ticket * rng.lognormal(0, 0.2), 2)
            lines.append((f"buyer#{number:04}", when, amount))
            day += 1 + rng.exponential(gap)
    customer, when, amount = zip(*lines, strict=True)
    return pa.table({"customer_id": customer, "timestamp": when, "amount": amount})


def settings_of(folder: Path, *, uri: str = "sqlite:///mlflow.db") -> Settings:
    """The shop's settings, with its sales in the folder."""
    sales = folder / "sales.parquet"
    if not sales.exists():
        pq.write_table(history(), sales)
    horizon = {"horizon_days": 30}
    values = {
        "name": "shop",
        "data": {"transactions": {"source": "sales.parquet"}},
        "targets": {"churn": horizon, "lifetime_value": horizon, "segments": {"count": 3}},
        "training": {"snapshots": 1},
        "backtest": {"cutoffs": 1, "bootstrap": 100},
        "engine": {"threads": 1},
        "tracking": {"uri": uri},
    }
    return settings_from(values, base=folder)


def trained(
    settings: Settings,
    *,
    promote: bool = True,
    keep: bool = False,
    say: Callable[[str], None] = quietly,
) -> pipeline.TrainingResult:
    """One training on all that was known on `TRAINED`; `published` needs what it can `keep`."""

    def kept(models, training, store, **others):
        if keep:
            (settings.base / LEARNT).write_bytes(pickle.dumps((models, training)))
        return publish.publish(models, training, store, **others)

    with (
        pytest.MonkeyPatch.context() as patch,
        pipeline.opened(settings, today=NOW.date(), as_of=TRAINED, say=quietly) as portfolio,
    ):
        patch.setattr("portfolio_ml.pipeline.training.publish", kept)
        return pipeline.train(portfolio, promote=promote, say=say)


def learnt(settings: Settings) -> tuple[Mapping[str, ModelFiles], publish.Training]:
    """What the last training that was told to `keep` it has learnt."""
    models, training = pickle.loads((settings.base / LEARNT).read_bytes())
    return models, training


def published(settings: Settings, *, promote: bool = True) -> publish.Published:
    """Write once more what a training learnt, as any training does at its end."""
    models, training = learnt(settings)
    with registry.opened(settings) as store:
        return publish.publish(models, training, store, settings=settings, promote=promote)


def without_portfolio(settings: Settings) -> Settings:
    """The same, whose rows do not tell what the portfolio's figures say: half of a scoring."""
    return settings.model_copy(
        update={"scoring": settings.scoring.model_copy(update={"portfolio": False})}
    )
