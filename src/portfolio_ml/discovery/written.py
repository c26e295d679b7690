"""The config as commented YAML."""

import json
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from portfolio_ml.config import CsvFormat
from portfolio_ml.discovery.customers import CustomersGuess
from portfolio_ml.discovery.guess import Guess
from portfolio_ml.discovery.proposal import USUAL_SHARE, Proposal
from portfolio_ml.discovery.roles import Finding
from portfolio_ml.schema import CUSTOMERS, TRANSACTIONS
from portfolio_ml.timeline import to_date
from portfolio_ml.wording import counted

_WIDTH = 96
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def config_text(
    name: str,
    source: str,
    guessed: Guess,
    proposal: Proposal,
    *,
    base: Path,
    folder: Path,
    customers: CustomersGuess | None = None,
) -> str:
    """The config of a portfolio, as YAML with comments that say what was guessed.

    Args:
        name: The portfolio's name.
        source: What the user called the files.
        guessed: The mapping.
        proposal: What fits the history.
        base: Where relative sources start from.
        folder: Where the config will lie.
        customers: The columns of the customers file, where there is one.
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
        *_format(guessed.written),
        "    columns:",
        *_columns(guessed.findings, TRANSACTIONS.names),
        *(_customers(customers, proposal, base=base, folder=folder) if customers else ()),
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


def _format(written: CsvFormat) -> Iterator[str]:
    given = written.model_dump(exclude_defaults=True, exclude_none=True)
    if given:
        pairs = (f"{k}: {v if isinstance(v, int) else scalar(v)}" for k, v in given.items())
        yield f"    format: {{{', '.join(pairs)}}}"


def _columns(findings: Mapping[str, Finding], roles: Iterable[str]) -> Iterator[str]:
    for role in roles:
        if role not in findings:
            continue
        finding = findings[role]
        yield from _unsure(finding.doubts, 6)
        evidence = f"{finding.confidence}: {', '.join(finding.evidence)}"
        yield f"      {role}: {scalar(finding.column)}  # {_one_line(evidence)}"


def _customers(
    guessed: CustomersGuess, proposal: Proposal, *, base: Path, folder: Path
) -> Iterator[str]:
    match = guessed.match
    yield from _comment(
        f"{match.found:,} of {match.buyers:,} customers with transactions ({match.share:.0%}) are "
        "in this file.",
        2,
    )
    yield from _unsure(guessed.all_doubts(proposal.max_quarantined_share), 2)
    yield "  customers:"
    yield f"    source: {scalar(_relative(guessed.source, base=base, folder=folder))}"
    yield from _format(guessed.written)
    yield "    columns:"
    yield from _columns(guessed.findings, CUSTOMERS.names)
    if guessed.others:
        others = ", ".join(guessed.others)
        yield from _comment(
            f"Not mapped: {others}. Any of them may be an attribute under a name of your own, in "
            "lower case, such as shoe_size: Schuhgröße.",
            6,
        )
    if guessed.may_be_static:
        yield from _comment(
            "Without valid_from the file tells what each attribute is today, not what it was on "
            "the days that a model learns from, so it may tell what came later. It enters models "
            "only where you say that it never changes:",
            4,
        )
        yield f"    # static: [{', '.join(guessed.may_be_static)}]"


def _share(proposal: Proposal) -> Iterator[str]:
    refused, read = proposal.read - proposal.kept, counted(proposal.read, "row")
    told = ", ".join(f"{count:,} x {rule}" for rule, count in proposal.refused.items())
    if proposal.max_quarantined_share > USUAL_SHARE:
        yield from _comment(
            f"{refused:,} of {read} ({refused / proposal.read:.1%}) broke a rule: "
            f"{told}. They are quarantined, and this share lets the others pass; the usual limit "
            f"is {USUAL_SHARE}.",
            2,
        )
    elif refused:
        yield from _comment(f"{refused:,} of {read} broke a rule: {told}.", 2)
    yield f"  max_quarantined_share: {proposal.max_quarantined_share}"


def _targets(proposal: Proposal) -> Iterator[str]:
    horizon, span = proposal.horizon, proposal.span
    said = f"The history runs from {to_date(span.first_day)} to {to_date(span.last_day)}"
    if horizon.median_gap is not None:
        said += (
            f"; of those who return, half do so within {counted(horizon.median_gap, 'day')} "
            f"and three of four within {horizon.usual_gap}"
        )
    yield from _comment(
        f"{said}. A horizon of {horizon.days} days leaves "
        f"{counted(horizon.cutoffs, 'backtest cutoff')}."
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
