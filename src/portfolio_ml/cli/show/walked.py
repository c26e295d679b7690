"""What the demo did."""

import shlex
from pathlib import Path

from portfolio_ml.cli.printing import (
    print_pairs,
    print_table,
    print_title,
)
from portfolio_ml.datasets import Dataset
from portfolio_ml.pipeline import ScoringResult, TrainingResult
from portfolio_ml.results import (
    summary_table,
)
from portfolio_ml.wording import command


def print_demo(
    chosen: Dataset, trained: TrainingResult, scored: ScoringResult, *, config: Path, page: Path
) -> None:
    """What a person wants to know after the demo."""
    print_title(chosen.title)
    print_table(summary_table([*trained.judgements.values()]))
    headline, currency = scored.facts.headline, scored.facts.currency
    numbers = {
        "customers": f"{headline.customers:,}",
        "active": f"{headline.active_customers:,} ({headline.active_share or 0:.0%})",
        f"expected net spend, {chosen.horizon_days} days": (
            f"{headline.expected_value or 0:,.0f} {currency}"
        ),
        "value at risk": f"{headline.value_at_risk or 0:,.0f} {currency}",
        "active customers expected to leave": f"{headline.expected_churners or 0:,.0f}",
    }
    print_pairs("The portfolio", numbers)
    folder = config.parent
    store = shlex.quote(f"sqlite:///{folder / 'mlflow.db'}")
    places = {
        "scores in the CRM": f"{folder / 'crm.db'} (customer_scores, its history, portfolio_runs)",
        "scores as a file": str(folder / "scores.parquet"),
        "report": f"{folder / page.name} (one file, opens offline)",
        "runs and models": f"{folder / 'mlflow.db'} (mlflow ui --backend-store-uri {store})",
        "config": f"{config} (try: {command('score', config)})",
        "the portfolio's figures": command("portfolio", config),
    }
    print_pairs("Where everything is", places)
