"""Goals: what is attained, what is missing, whether the pace is enough, and who closes the gap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.goals.attained import Attained, attained
from portfolio_ml.portfolio.goals.closers import Closers, closers
from portfolio_ml.schema import Column, Table

NO_GOALS = "the config sets no goals: see portfolio.goals"
POTENTIAL_ONLY = (
    "what customers would add to a ticket or a share is their distance from their peers: what "
    "could be, and no forecast"
)
_UNIT = "customers, currency units per order, or a share from 0 to 1"
_NOT_KNOWN = "not known; note says why"
_NO_PACE = "no pace is known, or its day has passed"
_GOAL = Column("goal", pa.string(), "the goal's number in the config, from 1")
GOALS: Table = contract_of(
    "goals",
    grain="one goal",
    key=("goal",),
    columns=(
        _GOAL,
        Column("figure", pa.string(), "customers (the active ones), average_ticket (revenue / "
               "orders of 365 days) or revenue_share (of the revenue of 365 days)"),
        Column("of", pa.string(), "whom it is about, such as region: North"),
        Column("target", pa.float64(), f"what is to be reached: {_UNIT}", decimals=4),
        Column("since", pa.date32(), "from which day its pace is told"),
        Column("by", pa.date32(), "the last day on which it may be reached"),
        Column("attained", pa.float64(), f"today: {_UNIT}", null=_NOT_KNOWN, decimals=4),
        Column("attained_since", pa.float64(), "what it was on since", null=_NOT_KNOWN,
               decimals=4),
        Column("gap", pa.float64(), "target - attained; 0 where it is reached", null=_NOT_KNOWN,
               decimals=4),
        Column("planned", pa.float64(), "what it would be today on a straight line from since to "
               "the target", null=_NOT_KNOWN, decimals=4),
        Column("pace_per_month", pa.float64(), "change so far per month of 30.44 days",
               null=_NOT_KNOWN, decimals=4),
        Column("needed_per_month", pa.float64(), "change a month that would reach it",
               null="not known, or its day has passed", decimals=4),
        Column("projected", pa.float64(), "what it will be on its day at the pace so far",
               null=_NO_PACE, decimals=4),
        Column("status", pa.string(), "reached, on track, behind, missed, or unknown"),
        Column("customers_needed", pa.int64(), "customers who together would close the gap, those "
               "who add most first: the rows of goal_customers",
               null="reached, its day has passed, or nobody is known who would"),
        Column("closes_gap", pa.bool_(), "whether they would",
               null="reached, its day has passed, or not known"),
        Column("note", pa.string(), "what is to be known of it", null="nothing"),
    ),
)  # fmt: skip
TITLE = "Goals"
GOAL_CUSTOMERS: Table = contract_of(
    "goal_customers",
    grain="one goal and customer who would help to reach it",
    key=("goal", "customer_id"),
    columns=(
        _GOAL,
        Column("place", pa.int64(), "1 is who adds most"),
        Column("customer_id", pa.string(), "who"),
        Column("adds", pa.float64(), "expected, in the unit of the goal: for customers the "
               "probability of a return within the churn horizon; for average_ticket and "
               "revenue_share what the goal's figure gains", decimals=6),
        Column("reaches", pa.float64(), "what the goal's figure comes to with all up to this one",
               decimals=4),
        Column("reason", pa.string(), "why this customer"),
    ),
)  # fmt: skip
TITLE_CUSTOMERS = "Customers who would close the gaps"


@dataclass(frozen=True)
class Progress:
    """A goal, how it stands and who would close its gap."""

    found: Attained
    by_whom: Closers


def progress(book: Book) -> tuple[Progress, ...]:
    """How the goals of the config stand, in its order, and who would close their gaps."""
    return tuple(Progress(found, closers(book, found)) for found in attained(book))


def goals(book: Book, all_of: Sequence[Progress]) -> Figure:
    """The goals of the config, in its order.

    Args:
        book: The portfolio.
        all_of: Its progress.
    """
    if not all_of:
        return absent(GOALS, TITLE, NO_GOALS)
    rows = [_row(number, progress) for number, progress in enumerate(all_of, 1)]
    columns = {name: [row[name] for row in rows] for name in GOALS.names if name != "as_of"}
    notes = [f"goal {row['goal']}: {row['note']}" for row in rows if row["note"]]
    return present(GOALS, TITLE, columns, as_of=book.as_of, notes=notes)


def goal_customers(book: Book, all_of: Sequence[Progress]) -> Figure:
    """Who would close the gap of each goal, by goal and place.

    Args:
        book: The portfolio.
        all_of: Its progress.
    """
    if not all_of:
        return absent(GOAL_CUSTOMERS, TITLE_CUSTOMERS, NO_GOALS)
    parts = [one.by_whom for one in all_of]
    ids = book.now.rows["customer_id"].combine_chunks()
    columns = {
        "goal": [str(n) for n, part in enumerate(parts, 1) for _ in part.reasons],
        "place": np.concatenate([np.arange(part.place.size) + 1 for part in parts]),
        "customer_id": ids.take(np.concatenate([part.place for part in parts])),
        "adds": np.concatenate([part.adds for part in parts]),
        "reaches": np.concatenate([part.reaches for part in parts]),
        "reason": [reason for part in parts for reason in part.reasons],
    }
    notes = [f"goal {n}: {part.why}" for n, part in enumerate(parts, 1) if part.why]
    if any(one.found.goal.figure != "customers" and one.by_whom.reasons for one in all_of):
        notes.append(POTENTIAL_ONLY)
    return present(GOAL_CUSTOMERS, TITLE_CUSTOMERS, columns, as_of=book.as_of, notes=notes)


def _row(number: int, progress: Progress) -> dict[str, object]:
    found, by_whom, goal = progress.found, progress.by_whom, progress.found.goal
    note = "; ".join(dict.fromkeys(text for text in (found.why, by_whom.why) if text))
    return {
        "goal": str(number),
        "figure": goal.figure,
        "of": "all customers" if goal.section is None else f"{goal.section}: {goal.value}",
        "target": goal.target,
        "since": found.since,
        "by": goal.by,
        "attained": found.now,
        "attained_since": found.then,
        "gap": found.gap,
        "planned": found.planned,
        "pace_per_month": found.pace,
        "needed_per_month": found.needed_pace,
        "projected": found.projected,
        "status": found.status,
        "customers_needed": len(by_whom.place) or None,
        "closes_gap": by_whom.closes if found.is_open else None,
        "note": note or None,
    }
