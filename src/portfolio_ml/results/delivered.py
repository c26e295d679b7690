"""What became of deliveries."""

from collections.abc import Sequence

from portfolio_ml.display import SmallTable
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.wording import counted


def receipt_line(receipt: Receipt) -> str:
    """What became of a delivery, in one line."""
    is_file = receipt.target.endswith(receipt.table)
    place = receipt.target if is_file else f"{receipt.target} {receipt.table}"
    if receipt.unchanged == receipt.rows and not receipt.retired:
        return f"{place}: nothing changed ({counted(receipt.unchanged, 'row')})"
    counts = {
        "written": receipt.sent,
        "unchanged": receipt.unchanged,
        "rejected": receipt.rejected,
        "unknown": receipt.unknown,
        "not in the CRM": receipt.absent,
        "erased": receipt.suppressed,
        "still to send": receipt.pending,
        "removed": receipt.retired,
    }
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    late = " to the history only: newer scores stand" if receipt.status == "history_only" else ""
    return f"{place}: {told}{late}"


def deliveries_table(receipts: Sequence[Receipt]) -> SmallTable:
    """What became of every delivery."""
    return SmallTable.of(
        "Deliveries",
        ["target", "table", "rows", "written", "unchanged", "rejected"],
        [[r.target, r.table, r.rows, r.sent, r.unchanged, r.rejected] for r in receipts],
    )
