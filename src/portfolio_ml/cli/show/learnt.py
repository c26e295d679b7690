"""What a backtest, a search or a training found."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from portfolio_ml.cli.printing import (
    print_line,
    print_sentence,
    print_table,
)
from portfolio_ml.config import Settings
from portfolio_ml.databases import redacted
from portfolio_ml.judgement import Judgement, Supervised
from portfolio_ml.pipeline import TrainingResult
from portfolio_ml.registry.address import address_of
from portfolio_ml.results import (
    acting_lines,
    acting_table,
    gate_lines,
    judgement_table,
    tuned_table,
    tuned_yaml,
)
from portfolio_ml.tuning import Tuned
from portfolio_ml.wording import command


def judgements(judged: Mapping[Supervised, Judgement]) -> dict[str, Any]:
    """A backtest's result as plain values."""
    return {target: judgement.to_dict() for target, judgement in judged.items()}


def training(result: TrainingResult) -> dict[str, Any]:
    """A training's result as plain values."""
    return {
        "as_of": result.as_of.isoformat(),
        "run_id": result.run_id,
        "versions": dict(result.versions),
        "decisions": {t: d.to_dict() for t, d in result.decisions.items()},
        "judgements": judgements(result.judgements),
    }


def tuned(found: Sequence[Tuned]) -> dict[str, Any]:
    """What the search found per target, as plain values."""
    return {
        each.target: {
            "metric": each.metric,
            "trials": each.trials,
            "is_advised": each.is_advised,
            "best": asdict(each.best),
            "gain": each.gain and asdict(each.gain),
        }
        for each in found
    }


def print_judgements(judged: Mapping[Supervised, Judgement]) -> None:
    """The models against every baseline, cutoff by cutoff, with the gains' intervals."""
    for judgement in judged.values():
        print_table(judgement_table(judgement))
    if "churn" in judged:
        _print_advice(judged["churn"])


def _print_advice(judged: Judgement) -> None:
    """Whom to act on, or why nothing is advised."""
    if table := acting_table(judged):
        print_table(table)
    for line in acting_lines(judged):
        print_sentence(line)


def print_training(result: TrainingResult) -> None:
    """The judgements, then what the gate decided."""
    print_judgements(result.judgements)
    for line in gate_lines(result.decisions, result.versions):
        print_sentence(line)


def print_tuned(found: Sequence[Tuned]) -> None:
    """What the best trials gain, and what belongs into the config."""
    print_table(tuned_table(found))
    print_line(tuned_yaml(found))


def print_after_tuning(found: Sequence[Tuned], config: Path) -> None:
    """What comes next, where there is something to try."""
    if any(each.is_advised for each in found):
        print_line(f"Next: put this into {config} and compare: {command('backtest', config)}")


def print_after_training(settings: Settings, config: Path, *, promote: bool) -> None:
    """Where the runs are, how to look at them, and what comes next."""
    uri = settings.tracking.uri
    print_line(f"Tracked in {redacted(uri)}, experiment {settings.experiment}")
    if uri.startswith("sqlite:"):
        address = shlex.quote(address_of(uri, base=settings.base))
        print_line(f"Look at it: mlflow ui --backend-store-uri {address}")
    if promote:
        print_line(f"Next: {command('score', config)}")
    else:
        print_line("Nothing was promoted, as asked: the champions stay as they were")
