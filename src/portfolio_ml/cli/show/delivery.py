"""What deliveries did or would do, as plain values for `--json`, and drawn for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from portfolio_ml.cli.printing import print_line
from portfolio_ml.delivering import Deliveries, Rehearsal
from portfolio_ml.results import receipt_line
from portfolio_ml.sinks.differences import Change
from portfolio_ml.sinks.erasure import Erased
from portfolio_ml.wording import counted

Filled = Sequence[tuple[date, Deliveries]]

FIGURES_SHOWN = 4


def deliveries(done: Deliveries) -> dict[str, Any]:
    """The receipts, and what was wrong at targets without one."""
    return {
        "receipts": [receipt.as_row() for receipt in done.receipts],
        "faults": [str(fault) for fault in done.faults],
    }


def print_deliveries(done: Deliveries) -> None:
    """The receipts, a line each."""
    for receipt in done.receipts:
        print_line(receipt_line(receipt))


def filled(done: Filled) -> dict[str, Any]:
    """The same, for every date."""
    return {"dates": [{"as_of": day.isoformat(), **deliveries(each)} for day, each in done]}


def print_filled(done: Filled) -> None:
    """The same, for every date."""
    for day, each in done:
        for receipt in each.receipts:
            print_line(f"{day}  {receipt_line(receipt)}")
    if not done:
        print_line("Nobody had bought on any of these dates")


def rehearsal(seen: Sequence[Rehearsal]) -> dict[str, Any]:
    """The receipts that would be left, and some of the rows that would change."""
    return {
        "dry_run": True,
        "targets": [
            {"receipt": each.receipt.as_row(), "changes": [asdict(c) for c in each.changes]}
            for each in seen
        ],
    }


def print_rehearsal(seen: Sequence[Rehearsal]) -> None:
    """What would be written where, and a few of the rows with their figures before and after."""
    for each in seen:
        print_line(f"Would be: {receipt_line(each.receipt)}")
        for change in each.changes:
            print_line(f"  {change.customer_id}: {_figures(change)}")
    print_line("Nothing was written" if seen else "Delivered nowhere: the config names no delivery")


def _figures(change: Change) -> str:
    if change.is_new:
        return "new"
    shown = list(change.figures.items())[:FIGURES_SHOWN]
    text = ", ".join(f"{name} {_plain(a)} -> {_plain(b)}" for name, (a, b) in shown)
    more = len(change.figures) - len(shown)
    return text + (f" and {counted(more, 'figure')} more" if more else "")


def _plain(value: object) -> str:
    return "null" if value is None else str(value)


def migrated(done: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The columns that were added, per delivered table."""
    return {"added": {table: [*columns] for table, columns in done.items()}}


def print_migrated(done: Mapping[str, Sequence[str]]) -> None:
    """The same, in lines."""
    for table, columns in done.items():
        print_line(f"{table}: brought to this version's shape ({', '.join(columns)})")


def erased(done: tuple[tuple[Erased, ...], bool]) -> dict[str, Any]:
    """What was removed where."""
    places, is_new = done
    return {"removed": [asdict(each) for each in places], "was_suppressed_before": not is_new}


def print_erased(done: tuple[tuple[Erased, ...], bool]) -> None:
    """The same, in lines."""
    places, is_new = done
    for each in places:
        print_line(f"{each.place}: {counted(each.rows, 'row')} removed")
    again = "" if is_new else " already"
    print_line(f"No later run writes this customer anywhere: the hash is{again} on the list")
