"""The config as commented YAML."""

import json
import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from portfolio_ml.discovery.guess import Guess
from portfolio_ml.discovery.proposal import USUAL_SHARE, Proposal
from portfolio_ml.schema import TRANSACTIONS
from portfolio_ml.timeline import to_date

_WIDTH = 96
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def config_text(
    name: str, source: str, guessed: Guess, proposal: Proposal, *, base: Path, folder: Path
) -> str:
    """The config of a portfolio, as YAML with comments that say what was guessed.

    Args:
        name: The portfolio's name.
        source: What the user called the files.
        guessed: The mapping.
        proposal: What fits the history.
        base: Where relative sources start from.
        folder: Where the config will lie.
    """
    lines = [
        *_comment("Guessed from the data by portfolio-ml init. Check what is marked UNSURE."),
        f"name: {scalar(name)}",
        "timezone: UTC  # of the times in the file; decides which day a time with a zone is on",
        f"currency: {scalar(guessed.currency)}"
        + ("" if guessed.currency else "  # such as EUR; the file does not tell"),
        "data:",
        *_unsure((*guessed.doubts, *proposal.doubts), 2),
        "  transactions:",
        f"    source: {scalar(_relative(source, base=base, folder=folder))}",
        *_format(guessed),
        "    columns:",
        *_columns(guessed),
        *_share(proposal),
        f"  quarantine: {name}-quarantine.parquet",
        *_targets(proposal),
        f"training: {{snapshots: 8, step_days: {proposal.horizon.step_days}, seed: 7}}",
        f"backtest: {{cutoffs: {proposal.horizon.cutoffs}, bootstrap: 500}}",
        'tracking: {uri: "sqlite:///mlflow.db"}',
        "delivery:",
        f'  - {{kind: sql, url: "sqlite:///{name}-crm.db", table: customer_scores}}',
        f"  - {{kind: parquet, path: {name}-scores.parquet}}",
        f"report: {{path: {name}-report.html}}",
    ]
    return "\n".join(lines) + "\n"


def scalar(text: str) -> str:
    """A text as YAML reads it back.

    Example:
        >>> scalar("InvoiceDate"), scalar("N° client"), scalar("no")
        ('InvoiceDate', '"N° client"', '"no"')
    """
    is_plain = _PLAIN.fullmatch(text) and text.casefold() not in _WORDS_OF_YAML
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def slug(text: str) -> str:
    """A portfolio's name from a file's name.

    Example:
        >>> slug("Sales 2024 (final).csv")
        'Sales-2024-final'
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", Path(text).stem).strip("-")
    return name[:64] or "portfolio"


def _format(guessed: Guess) -> Iterator[str]:
    written = guessed.written.model_dump(exclude_defaults=True, exclude_none=True)
    if written:
        pairs = (f"{k}: {v if isinstance(v, int) else scalar(v)}" for k, v in written.items())
        yield f"    format: {{{', '.join(pairs)}}}"


def _columns(guessed: Guess) -> Iterator[str]:
    for role in TRANSACTIONS.names:
        if role not in guessed.findings:
            continue
        finding = guessed.findings[role]
        yield from _unsure(finding.doubts, 6)
        evidence = f"{finding.confidence}: {', '.join(finding.evidence)}"
        yield f"      {role}: {scalar(finding.column)}  # {_one_line(evidence)}"


def _share(proposal: Proposal) -> Iterator[str]:
    refused = proposal.read - proposal.kept
    told = ", ".join(f"{count:,} x {rule}" for rule, count in proposal.refused.items())
    if proposal.max_quarantined_share > USUAL_SHARE:
        yield from _comment(
            f"{refused:,} of {proposal.read:,} rows ({refused / proposal.read:.1%}) break a rule: "
            f"{told}. They are quarantined, and this share lets the others pass; the usual limit "
            f"is {USUAL_SHARE}.",
            2,
        )
    elif refused:
        yield from _comment(f"{refused:,} of {proposal.read:,} rows break a rule: {told}.", 2)
    yield f"  max_quarantined_share: {proposal.max_quarantined_share}"


def _targets(proposal: Proposal) -> Iterator[str]:
    horizon, span = proposal.horizon, proposal.span
    said = f"The history runs from {to_date(span.first_day)} to {to_date(span.last_day)}"
    if horizon.median_gap is not None:
        said += (
            f"; of those who return, half do so within {horizon.median_gap} days and three of four "
            f"within {horizon.usual_gap}"
        )
    yield from _comment(
        f"{said}. A horizon of {horizon.days} days leaves {horizon.cutoffs} backtest cutoff(s)."
    )
    yield from _unsure(horizon.doubts, 0)
    yield "targets:"
    yield f"  churn: {{horizon_days: {horizon.days}}}"
    yield f"  lifetime_value: {{horizon_days: {horizon.days}, coverage: 0.8}}"
    yield "  segments: {count: auto}"


def _unsure(doubts: Sequence[str], indent: int) -> Iterator[str]:
    for doubt in doubts:
        yield from _comment(f"UNSURE: {doubt}", indent)


def _comment(text: str, indent: int = 0) -> Iterator[str]:
    start = " " * indent + "# "
    yield from textwrap.wrap(_one_line(text), _WIDTH, initial_indent=start, subsequent_indent=start)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _relative(source: str, *, base: Path, folder: Path) -> str:
    path = Path(source)
    if path.is_absolute():
        return source
    return Path(os.path.relpath(base / path, folder)).as_posix()
