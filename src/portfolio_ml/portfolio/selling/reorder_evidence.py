"""How well due reorders were told in the history."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.selling.cycles import ANYTHING, WINDOW, Cycles
from portfolio_ml.portfolio.selling.reordering import (
    SOON_DAYS,
    STATES,
    Reordering,
    is_in,
    is_regular,
    reordering,
)
from portfolio_ml.schema import Column, Table
from portfolio_ml.timeline import to_date

_Z = 1.959964

REORDER_EVIDENCE: Table = contract_of(
    "reorder_evidence",
    grain="what is reordered, how regularly, and whether it was due",
    key=("what", "regularity", "state"),
    columns=(
        Column("what", pa.string(), "a category, or anything at all"),
        Column("regularity", pa.string(), "regular: gaps that scatter little; irregular"),
        Column("state", pa.string(), "due, overdue; not listed: the cycles that were neither"),
        Column("cycles", pa.int64(), "customers and categories, once per day looked ahead from"),
        Column(
            "bought_soon", pa.float64(), f"the share that was bought within {SOON_DAYS} days",
            decimals=4,
        ),
        Column(
            "bought_again", pa.float64(), "the share that was bought again by the as-of date",
            decimals=4,
        ),
        Column(
            "in_window", pa.float64(), f"of those bought again, and of windows over by the as-of "
            f"date, the share within the window that was said to hold {WINDOW:.0%}",
            null="there are none", decimals=4,
        ),
        Column("in_window_low", pa.float64(), "lower end of its 95 % interval (Wilson)",
               null="likewise", decimals=4),
        Column("in_window_high", pa.float64(), "upper end", null="likewise", decimals=4),
    ),
)  # fmt: skip

TITLE = "How well due reorders were told"


def reorder_evidence(book: Book, learnt: Reordering | None = None) -> Figure:
    """What became of the reorders that would have been listed on days in the history.

    Args:
        book: The portfolio.
        learnt: What `reordering` says of it, where that is at hand.
    """
    learnt = learnt or reordering(book)
    looks = learnt.looks
    if not looks:
        why = "the history is shorter than half a year: there is no day to look ahead from"
        return absent(REORDER_EVIDENCE, TITLE, why)
    rows = [
        {
            "what": what,
            "regularity": regularity,
            "state": state,
            **_became(
                [look.where(_is_of(look, what, regularity, state)) for look in looks],
                book.as_of_day,
            ),
        }
        for what in ("a category", ANYTHING)
        for regularity in ("regular", "irregular")
        for state in STATES
    ]
    columns = {
        name: [row[name] for row in rows if row["cycles"]] for name in REORDER_EVIDENCE.names[1:]
    }
    told = ", ".join(str(to_date(look.day)) for look in looks)
    notes = [f"looked ahead from {told}", *learnt.notes]
    return present(REORDER_EVIDENCE, TITLE, columns, as_of=book.as_of, notes=notes)


def _became(parts: Sequence[Cycles], as_of_day: int) -> dict[str, object]:
    waited = np.concatenate([part.next_day - part.day for part in parts])
    is_within, can_be = [], []
    for part in parts:
        low, high = part.window()
        can_be.append((high <= as_of_day) & ~np.isnan(part.next_day))
        is_within.append((part.next_day >= low) & (part.next_day <= high))
    asked, hit = np.concatenate(can_be), np.concatenate(is_within)
    share, low_end, high_end = _wilson(int(hit[asked].sum()), int(asked.sum()))
    return {
        "cycles": waited.size,
        "bought_soon": float((waited <= SOON_DAYS).mean()) if waited.size else 0.0,
        "bought_again": float((~np.isnan(waited)).mean()) if waited.size else 0.0,
        "in_window": share,
        "in_window_low": low_end,
        "in_window_high": high_end,
    }


def _is_of(look: Cycles, what: str, regularity: str, state: str) -> NDArray[np.bool_]:
    is_what = (look.category == ANYTHING) == (what == ANYTHING)
    is_as_regular = is_regular(look) == (regularity == "regular")
    return np.asarray(is_what & is_as_regular & is_in(look, state))


def _wilson(hits: int, count: int) -> tuple[float | None, float | None, float | None]:
    if not count:
        return None, None, None
    share, square = hits / count, _Z**2 / count
    middle = (share + square / 2) / (1 + square)
    half = _Z * np.sqrt(share * (1 - share) / count + square / count / 4) / (1 + square)
    return share, float(max(middle - half, 0)), float(min(middle + half, 1))
