"""What was read, refused, and written as tables."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from portfolio_ml.cli.printing import (
    print_line,
    print_rows,
)
from portfolio_ml.exports import Export
from portfolio_ml.opening import Validation
from portfolio_ml.opportunities import Opportunities
from portfolio_ml.results import (
    by_need,
    left_out_text,
    refused_by_rule,
)
from portfolio_ml.timeline import to_date
from portfolio_ml.wording import counted


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
