"""What a scoring did."""

from pathlib import Path
from typing import Any

from portfolio_ml.cli.printing import (
    print_line,
)
from portfolio_ml.pipeline import ScoringResult
from portfolio_ml.report.words import young_history
from portfolio_ml.results import (
    receipt_line,
)
from portfolio_ml.wording import command, counted


def scoring(result: ScoringResult) -> dict[str, Any]:
    """A scoring's result as plain values."""
    return {
        "as_of": result.as_of.isoformat(),
        "customers": result.rows.num_rows,
        "receipts": [receipt.as_row() for receipt in result.receipts],
        "faults": [str(fault) for fault in result.faults],
    }


def print_scoring(result: ScoringResult) -> None:
    """How many customers were scored, and what became of the rows."""
    print_line(f"{counted(result.rows.num_rows, 'customer')} scored as of {result.as_of}")
    for receipt in result.receipts:
        print_line(receipt_line(receipt))
    if not result.receipts and not result.faults:
        print_line("Delivered nowhere: the config names no delivery")
    if note := young_history(result.facts):
        print_line(f"Note: {note}")


def print_after_scoring(config: Path) -> None:
    """What comes next."""
    print_line(f"Next: {command('report', config)}")
