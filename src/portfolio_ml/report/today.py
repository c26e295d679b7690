"""What needs attention today: the daily list's head, and what is in it by occasion."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.report.people import People, Person

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Kind:
    """The lines of one occasion on the list.

    Attributes:
        occasion: Its code.
        lines: How many there are, those to be left alone included.
        amount: What is in them, currency units.
    """

    occasion: str
    lines: int
    amount: float


@dataclass(frozen=True, slots=True)
class Today:
    """The daily list in short.

    Attributes:
        first: The customers to contact who have most in them; those held out are passed over.
        lines: Lines on the list.
        held_out: Of them, customers to leave alone.
        amount: What is in all lines, currency units.
        kinds: By occasion, most in it first.
        absent: Why there is no list; empty where there is one.
        notes: What to know of it, in sentences.
    """

    first: tuple[Person, ...]
    lines: int
    held_out: int
    amount: float
    kinds: tuple[Kind, ...]
    absent: str
    notes: tuple[str, ...]


def today(figures: Mapping[str, Figure], people: People) -> Today:
    """The daily list in short.

    Args:
        figures: The portfolio's figures, by name; `daily_list` is one of them.
        people: The customers worth attention, those on the list first.
    """
    figure = figures["daily_list"]
    rows = figure.rows
    kinds = rows.group_by("occasion", use_threads=False).aggregate(
        [([], "count_all"), ("amount", "sum")]
    )
    found = [Kind(k["occasion"], k["count_all"], k["amount_sum"]) for k in kinds.to_pylist()]
    to_contact = (p for p in people.shown if p.listed is not None and not p.listed.held_out)
    return Today(
        first=tuple(p for p, _ in zip(to_contact, range(SHOWN), strict=False)),
        lines=rows.num_rows,
        held_out=pc.sum(rows["held_out"]).as_py() or 0,
        amount=pc.sum(rows["amount"]).as_py() or 0.0,
        kinds=tuple(sorted(found, key=lambda kind: (-kind.amount, kind.occasion))),
        absent=figure.absent,
        notes=figure.notes,
    )
