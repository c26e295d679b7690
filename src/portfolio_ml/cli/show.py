"""Results as tables for people and as plain values for `--json`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from portfolio_ml.cli.printing import console
from portfolio_ml.datasets import Dataset
from portfolio_ml.judgement import Judgement, Supervised
from portfolio_ml.metrics import METRICS
from portfolio_ml.pipeline import ScoringResult, TrainingResult
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.timeline import to_date
from portfolio_ml.transactions import History

NAMES = {"bg_nbd": "BG/NBD", "bg_nbd_gamma_gamma": "BG/NBD + Gamma-Gamma"}
TITLES = {"churn": "Churn", "lifetime_value": "Lifetime value", "segments": "Segments"}


def validation(history: History) -> dict[str, Any]:
    """What loading kept and refused."""
    refused = history.quarantine["rule"].value_counts().to_pylist()
    return {
        "read": history.kept + history.quarantined,
        "kept": history.kept,
        "quarantined": history.quarantined,
        "rules": {row["values"]: row["counts"] for row in refused},
        "first_day": to_date(history.span.first_day).isoformat(),
        "last_day": to_date(history.span.last_day).isoformat(),
        "digest": history.digest,
    }


def training(result: TrainingResult) -> dict[str, Any]:
    """A training's result as plain values."""
    return {
        "as_of": result.as_of.isoformat(),
        "run_id": result.run_id,
        "versions": dict(result.versions),
        "decisions": {t: d.to_dict() for t, d in result.decisions.items()},
        "judgements": {t: j.to_dict() for t, j in result.judgements.items()},
    }


def scoring(result: ScoringResult) -> dict[str, Any]:
    """A scoring's result as plain values."""
    return {
        "as_of": result.as_of.isoformat(),
        "customers": result.rows.num_rows,
        "receipts": [receipt.as_table().to_pylist()[0] for receipt in result.receipts],
    }


def print_judgements(judgements: Mapping[Supervised, Judgement]) -> None:
    """The models against every baseline, cutoff by cutoff, with the gains' intervals."""
    for target, judgement in judgements.items():
        label = METRICS[judgement.primary].label
        table = _table(f"{TITLES[target]}: {label} by cutoff, and the chosen model's gain (90 %)")
        for name in ("", *map(str, judgement.cutoffs), "mean", "gain"):
            table.add_column(name, justify="right" if name else "left", no_wrap=True)
        for model in (*judgement.predictions.candidates, *judgement.predictions.baselines):
            values = [
                judgement.value(model, judgement.primary, cutoff=d) for d in judgement.cutoffs
            ]
            mean = judgement.value(model, judgement.primary)
            name = f"{_named(model)} *" if model == judgement.winner else _named(model)
            table.add_row(name, *map(_rate, [*values, mean]), _gain(judgement, model))
        console().print(table)


def print_training(result: TrainingResult) -> None:
    """The judgements, then what the gate decided."""
    print_judgements(result.judgements)
    out = console()
    for target, decision in result.decisions.items():
        verdict = "accepted" if decision.is_promoted else "refused"
        out.print(
            f"{TITLES[target]}: version {result.versions[target]} {verdict}: "
            + "; ".join(decision.reasons),
            highlight=False,
        )


def print_scoring(result: ScoringResult) -> None:
    """How many customers were scored, and what became of the rows."""
    out = console()
    out.print(f"{result.rows.num_rows:,} customers scored as of {result.as_of}")
    for receipt in result.receipts:
        out.print(receipt_line(receipt), highlight=False, soft_wrap=True)


def print_demo(
    chosen: Dataset, trained: TrainingResult, scored: ScoringResult, *, config: Path, page: Path
) -> None:
    """What a person wants to know after the demo."""
    out = console()
    out.rule(chosen.title)
    _print_models(trained, out)
    headline = scored.facts.headline
    numbers = {
        "customers": f"{headline.customers:,}",
        "active": f"{headline.active_customers:,} ({headline.active_share or 0:.0%})",
        f"expected net spend, {chosen.horizon_days} days": f"{headline.expected_value or 0:,.0f}",
        "value at risk": f"{headline.value_at_risk or 0:,.0f}",
        "active customers expected to leave": f"{headline.expected_churners or 0:,.0f}",
    }
    _print_pairs("The portfolio", numbers, out)
    folder = config.parent
    places = {
        "scores in the CRM": f"{folder / 'crm.db'} (customer_scores, its history, portfolio_runs)",
        "scores as a file": str(folder / "scores.parquet"),
        "report": str(page),
        "runs and models": f"{folder / 'mlflow.db'} "
        f"(mlflow ui --backend-store-uri sqlite:///{folder / 'mlflow.db'})",
        "config": f"{config} (try: portfolio-ml score --config {config})",
    }
    _print_pairs("Where everything is", places, out)


def _print_models(trained: TrainingResult, console: Console) -> None:
    table = _table("The models, over the backtest's cutoffs")
    for name in ("", "measured by", "model", "best baseline", "gain (90 %)"):
        table.add_column(name, overflow="fold")
    for target, judgement in trained.judgements.items():
        best = judgement.best_baseline
        values = [judgement.value(m, judgement.primary) for m in (judgement.winner, best)]
        table.add_row(
            TITLES[target],
            METRICS[judgement.primary].label,
            f"{_rate(values[0])} {_named(judgement.winner)}",
            f"{_rate(values[1])} {_named(best)}",
            _gain(judgement, best),
        )
    console.print(table)


def _print_pairs(title: str, pairs: Mapping[str, str], console: Console) -> None:
    table = _table(title, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(name, value)
    console.print(table)


def receipt_line(receipt: Receipt) -> str:
    """A receipt in one line."""
    is_file = receipt.target.endswith(receipt.table)
    place = receipt.target if is_file else f"{receipt.target} {receipt.table}"
    if receipt.sent == 0 and receipt.rejected == 0 and receipt.unknown == 0:
        return f"{place}: nothing changed ({receipt.unchanged:,} rows)"
    counts = {
        "written": receipt.sent,
        "unchanged": receipt.unchanged,
        "rejected": receipt.rejected,
        "unknown": receipt.unknown,
    }
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    late = " to the history only: newer scores stand" if receipt.status == "history_only" else ""
    return f"{place}: {told}{late}"


def _gain(judgement: Judgement, opponent: str) -> str:
    if opponent == judgement.winner:
        return ""
    gain = judgement.gains[judgement.primary][opponent]
    return f"{gain.estimate:+.3f} ({gain.low:+.3f}, {gain.high:+.3f})"


def _rate(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _named(model: str) -> str:
    return NAMES.get(model, model.replace("_", " "))


def _table(title: str, *, show_header: bool = True) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_header=show_header)
