"""A shop whose models are trained, scored on either engine."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tests import small_shop

from portfolio_ml import pipeline
from portfolio_ml.config import Settings, settings_from

BEFORE, TODAY = date(2023, 11, 1), date(2023, 11, 29)
SPARK = {
    "kind": "spark",
    "options": {
        "spark.sql.shuffle.partitions": "3",
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
    },
}


@dataclass(frozen=True)
class Shop:
    """A shop whose models are trained."""

    folder: Path

    def settings(self, engine: dict, *targets: dict, state: str, **others: Any) -> Settings:
        trained = small_shop.settings_of(self.folder)
        given = {
            "name": trained.name,
            "data": {"transactions": {"source": "sales.parquet"}},
            "targets": {
                "churn": {"horizon_days": 30},
                "lifetime_value": {"horizon_days": 30},
                "segments": {"count": 3},
            },
            "engine": engine,
            "tracking": {"uri": "sqlite:///mlflow.db"},
            "scoring": {"portfolio": False},
            "delivery": [*targets],
            "state": {"url": f"sqlite:///{state}"},
            **others,
        }
        return settings_from(given, base=self.folder)

    def scored(
        self, settings: Settings, *, as_of: date = TODAY, **others
    ) -> pipeline.ScoringResult:
        with pipeline.opened(
            settings, today=small_shop.NOW.date(), as_of=as_of, say=small_shop.quietly
        ) as portfolio:
            return pipeline.score(
                portfolio, now=lambda: small_shop.NOW, say=small_shop.quietly, **others
            )
