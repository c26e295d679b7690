"""The flow: how the active customers of then, and their value, became those of now.

Value is net revenue of the 365 days up to a day, of the customers who are active on it. Always,
in customers and in value: then + recruited + reactivated - lost + change of the stayers = now.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.flow.lifecycle import NONE, Moves, moves
from portfolio_ml.portfolio.stock import YEAR_DAYS
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.wording import counted

FLOW: Table = contract_of(
    "flow",
    grain="one part of the flow",
    key=("part",),
    columns=(
        Column(
            "part", pa.string(), "then, recruited (no customer then), reactivated (inactive "
            "then), lost (inactive now), stayers (active then and now), now",
        ),
        Column("customers", pa.int64(), "how many customers that is"),
        Column(
            "customers_change", pa.int64(), "what they add to the active customers of then; of "
            "then and now, the active customers",
        ),
        Column(
            "value_change", pa.float64(), "what they add to the value of then, net revenue of 365 "
            "days in currency units; of then and now, the value", decimals=2,
        ),
    ),
)  # fmt: skip

TITLE = "How the active customers of then became those of now"


@dataclass(frozen=True, slots=True)
class Flow:
    """Who came, went and stayed; every mask has shape (customers of now,).

    Attributes:
        went: Where each customer stood then and stands now.
        recruited: Active now, no customer then.
        reactivated: Active now, an inactive customer then.
        lost: Active then, inactive now.
        stayers: Active then and now.
        passed: No customer then, and inactive now already.
    """

    went: Moves
    recruited: NDArray[np.bool_]
    reactivated: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    stayers: NDArray[np.bool_]
    passed: NDArray[np.bool_]


def flow_of(went: Moves) -> Flow:
    """Who came, went and stayed."""
    was_none = went.stage_then == NONE
    return Flow(
        went,
        recruited=went.is_active & was_none,
        reactivated=went.is_active & ~was_none & ~went.was_active,
        lost=went.was_active & ~went.is_active,
        stayers=went.was_active & went.is_active,
        passed=was_none & ~went.is_active,
    )


def flow(book: Book) -> Figure:
    """The flow between then and now, in customers and in value."""
    if book.then is None:
        return absent(FLOW, TITLE, book.no_then)
    of = flow_of(moves(book.now, book.then))
    now, then = of.went.revenue, of.went.revenue_then
    active_then, active = of.went.was_active, of.went.is_active
    parts = [
        ("then", active_then, 1, int(then[active_then].sum())),
        ("recruited", of.recruited, 1, int(now[of.recruited].sum())),
        ("reactivated", of.reactivated, 1, int(now[of.reactivated].sum())),
        ("lost", of.lost, -1, -int(then[of.lost].sum())),
        ("stayers", of.stayers, 0, int((now - then)[of.stayers].sum())),
        ("now", active, 1, int(now[active].sum())),
    ]
    columns = {
        "part": [name for name, _, _, _ in parts],
        "customers": [int(who.sum()) for _, who, _, _ in parts],
        "customers_change": [sign * int(who.sum()) for _, who, sign, _ in parts],
        "value_change": [value / MONEY_SCALE for _, _, _, value in parts],
    }
    notes = [*_beside(book, of), *short_then(book)]
    return present(FLOW, TITLE, columns, as_of=book.as_of, notes=notes)


def short_then(book: Book) -> Sequence[str]:
    """What to know of the value of then, where the history covers less than a year before it."""
    if book.then is None or book.days_before_then >= YEAR_DAYS:
        return []
    days = counted(book.days_before_then, "day")
    return [f"the value of then covers {days} only, that of now {YEAR_DAYS}: they do not compare"]


def _beside(book: Book, of: Flow) -> Sequence[str]:
    """Whom the flow does not hold: those inactive at both ends, and the revenue of the inactive."""
    days = book.settings.compare_days
    beside = of.went.revenue[~of.went.is_active].sum() / MONEY_SCALE
    told = [
        f"customers who are inactive now brought {beside:,.2f} {book.currency}".rstrip()
        + f" within the last {YEAR_DAYS} days; it is no part of the value of now"
    ]
    if of.passed.any():
        who = counted(int(of.passed.sum()), "customer")
        told.append(f"{who} came within these {days} days and are inactive already")
    return told
