"""Due reorders: what customers usually buy again about now, by their own cycles."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, contract_of, present
from portfolio_ml.portfolio.selling.cycles import (
    ANYTHING,
    FEWEST_PURCHASE_DAYS,
    Cycles,
)
from portfolio_ml.portfolio.selling.reordering import (
    CYCLE_UP_TO,
    SOON_DAYS,
    Reordering,
    is_in,
    reordering,
)
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.wording import counted

MOST_PER_CUSTOMER = 3
"""Of a customer, so many due categories are listed, those with the largest amounts."""

REORDERS: Table = contract_of(
    "reorders",
    grain="one customer and category, or one customer and `anything`, of which a reorder is due",
    key=("customer_id", "category"),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        Column("category", pa.string(), "what is due; `anything` is its next purchase at all"),
        Column("purchase_days", pa.int64(), "days on which it bought that; at least three"),
        Column("last_date", pa.date32(), "the last of them"),
        Column(
            "cycle_days", pa.float64(), "its usual gap, shrunk to what is usual for the category",
            decimals=1,
        ),
        Column("due_date", pa.date32(), "last_date + cycle_days"),
        Column("overdue_days", pa.int64(), "as_of - due_date; negative while it is ahead"),
        Column(
            "window_from", pa.date32(), "if it buys again, it does so from this day on ..."
        ),
        Column("window_to", pa.date32(), "... to this day, with a probability of 80 %"),
        Column(
            "usual_amount", pa.float64(), "the median of its purchase days of that, currency units",
            decimals=2,
        ),
        Column(
            "bought_soon", pa.float64(), f"the share of such reorders, as due or overdue and as "
            f"regular, that were bought within {SOON_DAYS} days in the history",
            null="the history is too short to tell", decimals=4,
        ),
        Column(
            "expected_amount", pa.float64(), "bought_soon x usual_amount, currency units",
            null="likewise", decimals=2,
        ),
        Column("reason", pa.string(), "why, in words"),
    ),
)  # fmt: skip

TITLE = "Reorders that are due"


def reorders(book: Book, learnt: Reordering | None = None) -> Figure:
    """What is due, the largest expected amount first; of each customer at most three categories.

    Without categories, only the customers' next purchases at all are told.

    Args:
        book: The portfolio.
        learnt: What `reordering` says of it, where that is at hand.
    """
    learnt = learnt or reordering(book)
    today, cycles = book.as_of_day, learnt.now
    due = _largest(cycles.where(~is_in(cycles, "not listed")))
    soon = learnt.soon(due)
    amount = due.amount / MONEY_SCALE
    order = np.argsort(-np.nan_to_num(soon, nan=1.0) * amount, kind="stable")
    due, soon, amount = due.where(order), soon[order], amount[order]
    low, high = due.window()
    overdue = (today - due.due_day).astype(np.int64)
    cycle = due.cycle_days
    columns = {
        "customer_id": _ids(book, due.customer),
        "category": due.category.tolist(),
        "purchase_days": due.purchase_days,
        "last_date": _dates(due.last_day),
        "cycle_days": cycle,
        "due_date": _dates(due.due_day),
        "overdue_days": overdue,
        "window_from": _dates(low),
        "window_to": _dates(high),
        "usual_amount": amount,
        "bought_soon": soon,
        "expected_amount": soon * amount,
        "reason": [
            _reason(category, days, waited, since)
            for category, days, waited, since in zip(
                due.category, cycle, due.waited_days, overdue, strict=True
            )
        ],
    }
    known = (
        f"{counted(len(cycles.customer), 'cycle')} known, of customers who bought the same on at "
        f"least {FEWEST_PURCHASE_DAYS} days"
    )
    scattered = int((cycles.spread > CYCLE_UP_TO).sum())
    notes = [known, f"{scattered:,} of them scatter too much to call one due"]
    if "category" not in book.inputs.columns:
        notes.append("lines tell no category: only the next purchase at all is told")
    return present(REORDERS, TITLE, columns, as_of=book.as_of, notes=notes)


def _largest(due: Cycles) -> Cycles:
    """The largest amounts first, with at most so many categories of each customer."""
    is_all = due.category == ANYTHING
    order = np.lexsort((due.category.astype(str), -due.amount, is_all, due.customer))
    due, is_all = due.where(order), is_all[order]
    starts = np.flatnonzero(np.r_[True, due.customer[1:] != due.customer[:-1]])
    sizes = np.diff(np.r_[starts, due.customer.size])
    rank = np.arange(due.customer.size) - np.repeat(starts[: sizes.size], sizes)
    kept = due.where(is_all | (rank < MOST_PER_CUSTOMER)) if due.customer.size else due
    return kept.where(np.lexsort((kept.category.astype(str), kept.customer, -kept.amount)))


def _reason(category: str, cycle: float, waited: float, overdue: int) -> str:
    what = "buys" if category == ANYTHING else f"buys {category}"
    when = (
        f"{counted(overdue, 'day')} overdue"
        if overdue > 0
        else f"due in {counted(-overdue, 'day')}"
        if overdue
        else "due today"
    )
    every, ago = counted(round(cycle), "day"), counted(round(waited), "day")
    return f"{what} every {every.removeprefix('1 ')}, last {ago} ago: {when}"


def _ids(book: Book, customers: NDArray[np.int64]) -> pa.ChunkedArray:
    place = np.searchsorted(book.now.rows["customer"].to_numpy(), customers)
    return book.now.rows["customer_id"].take(pa.array(place))


def _dates(days: NDArray[np.float64]) -> pa.Array:
    return pa.array(days.astype(np.int32), pa.int32()).cast(pa.date32())
