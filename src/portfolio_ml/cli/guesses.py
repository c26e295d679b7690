"""What `init` guessed, for people and as plain values; and what a person says to it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import typer

from portfolio_ml.config import CsvFormat
from portfolio_ml.discovery import (
    REQUIRED,
    CustomersGuess,
    Finding,
    Guess,
    Proposal,
    Sighting,
)
from portfolio_ml.timeline import to_date
from portfolio_ml.wording import command, counted


def described(
    guessed: Guess, proposal: Proposal, config: Path, *, customers: CustomersGuess | None = None
) -> dict[str, Any]:
    """What was guessed and proposed, as plain values."""
    horizon = proposal.horizon
    return {
        "config": str(config),
        "columns": _columns(guessed.findings),
        "customers_table": _customers(customers, proposal) if customers else None,
        "format": guessed.written.model_dump(exclude_defaults=True),
        "currency": guessed.currency,
        "read": proposal.read,
        "kept": proposal.kept,
        "quarantined": dict(proposal.refused),
        "max_quarantined_share": proposal.max_quarantined_share,
        "customers": proposal.customers,
        "repeated": proposal.repeated,
        "first_day": to_date(proposal.span.first_day).isoformat(),
        "last_day": to_date(proposal.span.last_day).isoformat(),
        "horizon_days": horizon.days,
        "cutoffs": horizon.cutoffs,
        "median_gap_days": horizon.median_gap,
        "usual_gap_days": horizon.usual_gap,
        "unsure": [*guessed.doubts, *proposal.doubts, *horizon.doubts],
    }


def _columns(findings: Mapping[str, Finding]) -> dict[str, Any]:
    return {
        role: {
            "column": f.column,
            "confidence": f.confidence,
            "evidence": list(f.evidence),
            "unsure": list(f.doubts),
            "others": list(f.others),
        }
        for role, f in findings.items()
    }


def _customers(guessed: CustomersGuess, proposal: Proposal) -> dict[str, Any]:
    return {
        "columns": _columns(guessed.findings),
        "not_mapped": list(guessed.others),
        "format": guessed.written.model_dump(exclude_defaults=True),
        "read": guessed.read,
        "quarantined": dict(guessed.refused),
        "customers_found": guessed.match.found,
        "customers_with_transactions": guessed.match.buyers,
        "unsure": list(guessed.all_doubts(proposal.max_quarantined_share)),
    }


def print_guess(guessed: Guess, *, error: bool = False) -> None:
    """The mapping with its evidence, and what is unsure about it."""
    stream = sys.stderr if error else sys.stdout
    _print_findings("Columns", guessed.findings, guessed.written, stream)
    for doubt in guessed.doubts:
        print(f"Unsure: {doubt}", file=stream)


def print_customers(guessed: CustomersGuess, proposal: Proposal) -> None:
    """The mapping of the customers file, whether its ids are those of buyers, and the doubts."""
    _print_findings("Columns of the customers", guessed.findings, guessed.written, sys.stdout)
    match = guessed.match
    print(
        f"Customers: {match.found:,} of {counted(match.buyers, 'customer')} with transactions "
        f"({match.share:.0%}) are in {guessed.source}"
    )
    for doubt in guessed.all_doubts(proposal.max_quarantined_share):
        print(f"Unsure: {doubt}")


def _print_findings(
    title: str, findings: Mapping[str, Finding], form: CsvFormat, stream: TextIO
) -> None:
    width = max(len(f.column) for f in findings.values())
    longest = max(12, *map(len, findings))
    print(f"{title}:", file=stream)
    for role, f in findings.items():
        told = "; ".join(f.evidence)
        print(f"  {role:<{longest}} {f.column:<{width}}  {f.confidence:<6}  {told}", file=stream)
    written = form.model_dump(exclude_defaults=True, exclude_none=True)
    if written:
        said = ", ".join(f"{name} {value!r}" for name, value in written.items())
        print(f"Format: {said}", file=stream)
    for role, f in findings.items():
        for doubt in f.doubts:
            print(f"Unsure about {role}: {doubt}", file=stream)


def print_proposal(proposal: Proposal, config: Path) -> None:
    """What the history says, and where the config is."""
    horizon, span = proposal.horizon, proposal.span
    print(
        f"History: {proposal.kept:,} of {counted(proposal.read, 'row')} by "
        f"{counted(proposal.customers, 'customer')} "
        f"from {to_date(span.first_day)} to {to_date(span.last_day)}"
    )
    for rule, count in proposal.refused.items():
        print(f"  {counted(count, 'row')} quarantined: {rule}")
    if proposal.repeated:
        print(
            f"  {counted(proposal.repeated, 'row')} repeated: kept, as equal rows may be two units"
        )
    if horizon.median_gap is not None:
        print(
            f"Rhythm: of those who return, half do so within {counted(horizon.median_gap, 'day')}, "
            f"three of four within {horizon.usual_gap}"
        )
    print(f"Horizon: {horizon.days} days, with {counted(horizon.cutoffs, 'backtest cutoff')}")
    for doubt in (*proposal.doubts, *horizon.doubts):
        print(f"Unsure: {doubt}")
    print(f"Written: {config}")
    print(f"Next: {command('validate', config)}")


def asked(guessed: Guess, seen: Sighting) -> dict[str, str]:
    """What a person says to each needed column, and to each that is unsure."""
    names = [p.name for p in seen.profiles]
    print(f"All columns: {', '.join(names)}", file=sys.stderr)
    chosen = {}
    for role, finding in guessed.findings.items():
        if role in REQUIRED or finding.confidence == "unsure":
            chosen[role] = _column(role, finding.column, names)
    is_open = guessed.findings["timestamp"].doubts and guessed.written.date_format
    if is_open and chosen["timestamp"] == guessed.findings["timestamp"].column:
        chosen["date_format"] = typer.prompt(
            "date_format", default=guessed.written.date_format, err=True
        )
    return {role: c for role, c in chosen.items() if c != _known(guessed).get(role)}


def _known(guessed: Guess) -> dict[str, str]:
    return {**guessed.columns, "date_format": guessed.written.date_format or ""}


def _column(role: str, guess: str, names: list[str]) -> str:
    while True:
        answer: str = typer.prompt(f"{role} is in column", default=guess, err=True).strip()
        factors = answer.split(" * ") if role == "amount" and answer not in names else [answer]
        if len(factors) <= 2 and all(factor in names for factor in factors):
            return answer
        print(f"There is no column {answer!r}.", file=sys.stderr)
