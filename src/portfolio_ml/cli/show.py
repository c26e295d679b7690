"""Results as plain values for `--json`, and drawn for people."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from portfolio_ml.champions import Succession, all_moves
from portfolio_ml.cli.printing import (
    print_line,
    print_pairs,
    print_rows,
    print_sentence,
    print_table,
    print_title,
)
from portfolio_ml.config import Settings
from portfolio_ml.databases import redacted
from portfolio_ml.datasets import Dataset
from portfolio_ml.exports import Export
from portfolio_ml.judgement import Judgement, Supervised
from portfolio_ml.monitoring.verdict import Monitoring
from portfolio_ml.opening import Validation
from portfolio_ml.opportunities import Opportunities
from portfolio_ml.pipeline import ScoringResult, TrainingResult
from portfolio_ml.registry import Move
from portfolio_ml.registry.address import address_of
from portfolio_ml.report.words import young_history
from portfolio_ml.results import (
    acting_lines,
    acting_table,
    by_need,
    champions_table,
    contacts_table,
    drift_table,
    gate_lines,
    judgement_table,
    left_out_text,
    matured_table,
    moves_table,
    receipt_line,
    refused_by_rule,
    summary_table,
    tuned_table,
    tuned_yaml,
    verdict_lines,
)
from portfolio_ml.timeline import to_date
from portfolio_ml.transfer import Carried
from portfolio_ml.tuning import Tuned
from portfolio_ml.wording import TARGET_NAMES, command, counted


def validation(checked: Validation) -> dict[str, Any]:
    """What loading kept and refused of the transactions, and of each other table."""
    history, others = checked.history, checked.tables.others
    facts: dict[str, Any] = {
        "read": history.kept + history.quarantined,
        "kept": history.kept,
        "repeated": checked.repeated,
        "quarantined": history.quarantined,
        "rules": _by_rule(history.quarantine),
        "first_day": to_date(history.span.first_day).isoformat(),
        "last_day": to_date(history.span.last_day).isoformat(),
        "digest": history.digest,
        "quarantine": str(checked.quarantine) if checked.quarantine else None,
        "tables": {
            name: {
                "read": table.kept + table.quarantined,
                "kept": table.kept,
                "quarantined": table.quarantined,
                "rules": _by_rule(table.quarantine),
            }
            for name, table in others.items()
        },
    }
    if deals := checked.tables.opportunities:
        facts["tables"]["opportunities"] |= deals.outcomes
    if notes := [*_notes(checked)]:
        facts["note"] = "; ".join(notes)
    return facts


def _notes(checked: Validation) -> Iterator[str]:
    """What is no error, and should be known."""
    if checked.unlisted:
        buyers = f"{counted(checked.unlisted, 'customer')} with transactions"
        yield f"{buyers} missing from {checked.tables.others['customers'].source}"
    deals = checked.tables.opportunities
    if deals and deals.kept == deals.outcomes["open"]:
        values = ", ".join(map(repr, deals.undecided)) or "nothing"
        yield (
            f"no opportunity of {deals.source} is won or lost: they say {values}; name the values "
            "that mean it under data.opportunities.won and lost"
        )


def _by_rule(quarantine: pa.Table) -> dict[str, int]:
    refused = quarantine["rule"].value_counts().to_pylist()
    return {row["values"]: row["counts"] for row in refused}


def export(written: Export) -> dict[str, Any]:
    """What was written, where it is, and which features the data has no columns for."""
    return {
        "rows": written.rows,
        "features": len(written.features),
        "features_hash": written.features_hash,
        "file": str(written.file),
        "left_out": [
            {"needs": [*needs], "features": [*names]}
            for needs, names in by_need(written.left_out).items()
        ],
    }


def snapshots_facts(written: Export) -> dict[str, Any]:
    """The same, with the snapshot dates."""
    dates = [to_date(day).isoformat() for day in written.as_of_days]
    return {"dates": dates, **export(written)}


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


def scoring(result: ScoringResult) -> dict[str, Any]:
    """A scoring's result as plain values."""
    return {
        "as_of": result.as_of.isoformat(),
        "customers": result.customers,
        "receipts": [receipt.as_row() for receipt in result.receipts],
        "faults": [str(fault) for fault in result.faults],
    }


def monitoring(seen: Monitoring) -> dict[str, Any]:
    """What a monitoring saw and says, as plain values."""
    return seen.to_dict()


def print_monitoring(seen: Monitoring) -> None:
    """What has drifted, how delivered scores did, and the verdict with its reasons."""
    if seen.drifts:
        print_table(drift_table(seen))
    if seen.matured:
        print_table(matured_table(seen))
    if seen.contacts:
        print_table(contacts_table(seen))
    for line in verdict_lines(seen):
        print_line(line)


def print_validation(checked: Validation) -> None:
    """What was kept and refused, and how many of the kept rows repeat another."""
    facts = validation(checked) | {"rules": refused_by_rule(checked.history.quarantine)}
    if checked.repeated:
        facts["repeated"] = repeated_text(checked.repeated)
    del facts["tables"]
    for name, table in checked.tables.others.items():
        counts = {"read": table.kept + table.quarantined, "kept": table.kept}
        if isinstance(table, Opportunities):
            counts |= table.outcomes
        facts[name] = counts | refused_by_rule(table.quarantine)
    print_rows({name: value for name, value in facts.items() if value not in (None, {})})


def print_export(written: Export) -> None:
    """What was written, and how many features need columns that the data lacks."""
    print_rows({name: v for name, v in export(written).items() if name != "left_out"})
    if written.left_out:
        print_line(f"left out: {left_out_text(written.left_out)}")


def print_snapshots(written: Export) -> None:
    """The same, with the snapshot dates."""
    print_line(f"dates: {', '.join(snapshots_facts(written)['dates'])}")
    print_export(written)


def repeated_text(count: int) -> str:
    """How many rows repeat another, and what becomes of them."""
    return f"{counted(count, 'row')} (kept: equal rows may be two units, or a file loaded twice)"


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


def move(done: Move) -> dict[str, Any]:
    """A promotion or rollback as plain values."""
    return {
        "target": done.target,
        "action": done.action,
        "version": done.version,
        "before": done.before,
        "previous": done.previous,
        "at": done.at.isoformat(),
        "by": done.by,
        "reason": done.reason,
        "run_id": done.run_id,
    }


def succession(found: Sequence[Succession]) -> dict[str, Any]:
    """The versions in use and the record, per target, as plain values."""
    return {
        each.target: {"aliases": dict(each.aliases), "moves": [move(m) for m in each.moves]}
        for each in found
    }


def print_move(done: Move) -> None:
    """What was done, and what a rollback from there would lead to."""
    instead = f" instead of version {done.before}" if done.before else ""
    print_line(f"{TARGET_NAMES[done.target]}: version {done.version} is the champion{instead}")
    if done.previous:
        print_line(f"A rollback would lead to version {done.previous}")


def print_succession(found: Sequence[Succession]) -> None:
    """The versions in use, then how the champions changed."""
    print_table(champions_table(found))
    print_table(moves_table(all_moves(found)))


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


def print_scoring(result: ScoringResult) -> None:
    """How many customers were scored, and what became of the rows."""
    print_line(f"{counted(result.customers, 'customer')} scored as of {result.as_of}")
    for receipt in result.receipts:
        print_line(receipt_line(receipt))
    if not result.receipts and not result.faults:
        print_line("Delivered nowhere: the config names no delivery")
    if note := young_history(result.facts):
        print_line(f"Note: {note}")


def print_after_scoring(config: Path) -> None:
    """What comes next."""
    print_line(f"Next: {command('report', config)}")


def carried(found: Carried) -> dict[str, Any]:
    """A bundle as plain values, and the versions that its models became here."""
    bundle = found.bundle
    return {
        "folder": str(found.folder),
        "digest": found.digest,
        "portfolio": bundle.portfolio,
        "portfolio_ml_version": bundle.package_version,
        "models": {
            target: {
                "version": each.version,
                "candidate": each.candidate,
                "as_of": each.as_of,
                "trained_at": each.trained_at,
                "card": each.card,
                "registered": found.versions.get(target),
            }
            for target, each in bundle.champions.items()
        },
    }


def print_exported(found: Carried) -> None:
    """Where the bundle is, and how another host comes to trust it."""
    _print_bundle(found)
    print_line("To score with it, copy the folder and put this into the config of that host:")
    print_line(
        f"scoring: {{bundle: {json.dumps(str(found.folder))}, bundle_digest: {found.digest}}}"
    )


def print_imported(found: Carried) -> None:
    """What was in the bundle, and which versions it became."""
    _print_bundle(found)
    for target, number in found.versions.items():
        print_line(f"{TARGET_NAMES[target]}: registered as version {number}")


def print_verified(found: Carried, *, trusted: bool) -> None:
    """What is in the bundle, and what the check was worth."""
    _print_bundle(found)
    print_line(
        "The bundle is whole, and the one of that digest"
        if trusted
        else "The bundle is whole; whether it is the one you trust, only --digest can tell"
    )


def _print_bundle(found: Carried) -> None:
    bundle = found.bundle
    print_line(f"{bundle.portfolio}, in {found.folder}, by portfolio-ml {bundle.package_version}")
    for target, each in bundle.champions.items():
        print_line(f"\nVersion {each.version} of {target}\n{each.card}")
    print_line(f"\ndigest: {found.digest}")


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
    places = {
        "scores in the CRM": f"{folder / 'crm.db'} (customer_scores, its history, portfolio_runs)",
        "scores as a file": str(folder / "scores.parquet"),
        "report": f"{folder / page.name} (one file, opens offline)",
        "runs and models": f"{folder / 'mlflow.db'} "
        f"(mlflow ui --backend-store-uri sqlite:///{folder / 'mlflow.db'})",
        "config": f"{config} (try: {command('score', config)})",
        "the portfolio's figures": command("portfolio", config),
    }
    print_pairs("Where everything is", places)
