"""The best representative for each customer, and the workload after the matches."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.representatives.comparison import LEAST_CHANCE
from portfolio_ml.portfolio.representatives.matching import Matching
from portfolio_ml.portfolio.representatives.shrinkage import WIDE
from portfolio_ml.schema import Column, Table

NEARLY_SURE = 0.99
"""A probability beyond this is told as over it: nothing is certain."""
_NO_BEST = "nobody is there to be matched with"
MATCHES: Table = contract_of(
    "matches",
    grain="one customer",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "who"),
        Column("section", pa.string(), "the customer's section"),
        Column("representative_id", pa.string(), "who looks after it now", null="nobody"),
        Column("best_representative_id", pa.string(), "of whom most is expected in the section, "
               "among those with cases enough; one with too few only where nobody has enough",
               null=_NO_BEST),
        Column("value_at_stake", pa.float64(), "a year, currency units: deals begun in the last "
               "365 days; without opportunities, an active customer's revenue of 365 days",
               decimals=2),
        Column("expected_gain", pa.float64(), "a year, currency units, from the present "
               "representative (or from an average one, where there is none) to the best: the "
               "difference in win rate or retention, luck set aside, x value_at_stake",
               null=_NO_BEST, decimals=2),
        Column("gain_low", pa.float64(), "lower end of its 80 % interval", null=_NO_BEST,
               decimals=2),
        Column("gain_high", pa.float64(), "upper end of it", null=_NO_BEST, decimals=2),
        Column("p_better", pa.float64(), "probability that the best is truly better than the "
               "present one", null=f"{_NO_BEST}, or it is the present one", decimals=4),
        Column("cases", pa.int64(), "decided deals of the best one in the section; without "
               "opportunities, its customers who were active portfolio.compare_days ago",
               null=_NO_BEST),
        Column("is_thin", pa.bool_(), "whether the best or the present one rests on fewer cases "
               "than portfolio.representatives.fewest_deals"),
        Column("is_recommended", pa.bool_(), "whether the match with the best is worth it: "
               "p_better is at least 0.8, the best has cases enough, something is at stake, and "
               "representatives differ by more than chance at all"),
        Column("assigned_representative_id", pa.string(), "who is to look after the customer, with "
               "no more customers each than portfolio.representatives.workload; the present one "
               "where no match is worth it", null=_NO_BEST),
        Column("assigned_gain", pa.float64(), "expected gain of that, currency units a year",
               null=_NO_BEST, decimals=2),
        Column("reason", pa.string(), "why the match is recommended, or why it is not"),
    ),
)  # fmt: skip
TITLE = "The best representative for each customer"
WORKLOADS: Table = contract_of(
    "workloads",
    grain="one representative",
    key=("representative_id",),
    columns=(
        Column("representative_id", pa.string(), "who; those who may be given customers"),
        Column("customers", pa.int64(), "customers with a purchase so far, now"),
        Column("assigned", pa.int64(), "customers after all changes that are recommended"),
        Column("most", pa.int64(), "how many there may be"),
        Column("received", pa.int64(), "customers who come from others or from nobody"),
        Column("given", pa.int64(), "customers who go to others"),
        Column("gain", pa.float64(), "expected gain with those received, currency units a year",
               decimals=2),
    ),
)  # fmt: skip
TITLE_WORKLOADS = "Representatives' workload after the matches"


def matches(book: Book, found: Matching | str) -> Figure:
    """The best representative of each customer, the largest recommended gain first.

    Args:
        book: The portfolio.
        found: Its matching, or why there is none.
    """
    if isinstance(found, str):
        return absent(MATCHES, TITLE, found)
    names = pa.array(found.records.names, pa.string())
    best, cell, stake = found.best[found.cell], found.cell, found.stake
    rate, sd, p_better = _of_best(found)
    is_same = found.best == found.present
    is_fit = _is_recommended(found)[cell] & (stake > 0)
    gain = rate[cell] * stake
    customers = book.now.rows["customer_id"].combine_chunks()
    order = np.lexsort((np.arange(stake.size), -gain, ~is_fit))
    section = pa.array(found.records.sections, pa.string()).take(found.section[cell])
    columns: dict[str, Any] = {
        "customer_id": customers,
        "section": section,
        "representative_id": _named(names, found.present[cell]),
        "best_representative_id": _named(names, best),
        "value_at_stake": stake,
        "expected_gain": gain,
        "gain_low": gain - WIDE * sd[cell] * stake,
        "gain_high": gain + WIDE * sd[cell] * stake,
        "p_better": np.where(is_same, np.nan, p_better)[cell],
        "cases": found.compared.cases[found.best, found.section][cell],
        "is_thin": _is_thin(found)[cell],
        "is_recommended": is_fit,
        "assigned_representative_id": _named(names, found.assigned),
        "assigned_gain": _gain_of(found),
        "reason": _reasons(found).take(np.where(stake > 0, cell, cell + found.best.size)),
    }
    sorted_rows = {name: _taken(values, order) for name, values in columns.items()}
    moved, is_new = _moved(found), found.present[cell] < 0
    total = float(_gain_of(found)[moved].sum())
    summary = (
        f"{int(is_fit.sum())} of {stake.size} customers would do better with another "
        f"representative; within the limit of {found.most} customers each, "
        f"{int((moved & ~is_new).sum())} change hands and {int(is_new.sum())} who have none get "
        f"one, for {total:,.0f} a year expected"
    )
    notes = [summary, *found.notes]
    return present(MATCHES, TITLE, sorted_rows, as_of=book.as_of, notes=notes)


def workloads(book: Book, found: Matching | str) -> Figure:
    """How many customers each representative has, and would have, the largest gain first.

    Args:
        book: The portfolio.
        found: Its matching, or why there is none.
    """
    if isinstance(found, str):
        return absent(WORKLOADS, TITLE_WORKLOADS, found)
    size, before = found.records.names.size, found.present[found.cell]
    moved = _moved(found)
    held = np.bincount(before[before >= 0], minlength=size)
    has = np.bincount(found.assigned, minlength=size)
    gain = np.bincount(found.assigned[moved], weights=_gain_of(found)[moved], minlength=size)
    received = np.bincount(found.assigned[moved], minlength=size)
    given = np.bincount(before[moved & (before >= 0)], minlength=size)
    people = np.flatnonzero(found.compared.is_candidate)
    people = people[np.lexsort((found.records.names[people].astype(str), -gain[people]))]
    columns = {
        "representative_id": found.records.names[people].tolist(),
        "customers": held[people],
        "assigned": has[people],
        "most": np.full(people.size, found.most),
        "received": received[people],
        "given": given[people],
        "gain": gain[people],
    }
    return present(WORKLOADS, TITLE_WORKLOADS, columns, as_of=book.as_of, notes=found.notes)


def _of_best(found: Matching) -> tuple[NDArray[np.float64], ...]:
    """By how much the best is better, how unsure that is, and the chance of it, per cell."""
    cells = np.arange(found.best.size)
    parts = found.compared.against(found.present, found.section)
    gain, sd, p_better = (part[cells, found.best] for part in parts)
    return gain, sd, p_better


def _is_recommended(found: Matching) -> NDArray[np.bool_]:
    """Where a match with the best is worth it, per cell."""
    may = found.compared.may_move(found.present, found.section)
    return np.asarray(may[np.arange(found.best.size), found.best])


def _is_thin(found: Matching) -> NDArray[np.bool_]:
    """Where the best or the present one rests on few cases, per cell."""
    thin = found.compared.is_thin
    is_held = found.present >= 0
    return np.asarray(
        thin[found.best, found.section] | (is_held & thin[found.present, found.section])
    )


def _moved(found: Matching) -> NDArray[np.bool_]:
    """Who changes hands, or gets a representative."""
    return np.asarray(found.assigned != found.present[found.cell])


def _gain_of(found: Matching) -> NDArray[np.float64]:
    """The expected gain of each customer's assignment, currency units a year."""
    gain = found.compared.against(found.present, found.section)[0]
    return np.asarray(gain[found.cell, found.assigned] * found.stake)


def _reasons(found: Matching) -> pa.Array:
    """Per cell, why its match is recommended or not; then the same where nothing is at stake."""
    p_better = _of_best(found)[2]
    told = [_reason(found, cell, p_better[cell]) for cell in range(found.best.size)]
    is_same = found.best == found.present
    idle = "no deal begun in 365 days" if found.records.is_by_deals else "inactive, or no revenue"
    without = [
        text if same else f"nothing is at stake: {idle}"
        for text, same in zip(told, is_same, strict=True)
    ]
    return pa.array([*told, *without], pa.string())


def _reason(found: Matching, cell: int, p_better: float) -> str:
    best, present_one, section = found.best[cell], found.present[cell], found.section[cell]
    compared = found.compared
    what = "deals" if found.records.is_by_deals else "customers"
    done = "won" if found.records.is_by_deals else "kept"
    cases = compared.cases[best, section]
    few = (
        f"; of {cases} {what} only, too few to judge by" if compared.is_thin[best, section] else ""
    )
    if best == present_one:
        return f"is with the best of the section{few}"
    new, old = compared.expected[best, section], compared.expected[present_one, section]
    whose = "with an average one" if present_one < 0 else "now"
    expected = f"{new:.0%} of {what} {done} to be expected, {old:.0%} {whose}{few}"
    if not compared.is_evident:
        return f"{expected}; but representatives differ no more than chance would have it"
    if p_better < LEAST_CHANCE:
        return f"{expected}; but better with a probability of {p_better:.0%} only"
    sure = f"of {p_better:.0%}" if p_better < NEARLY_SURE else f"over {NEARLY_SURE:.0%}"
    return f"{expected}; better with a probability {sure}"


def _named(names: pa.Array, place: NDArray[np.int64]) -> pa.Array:
    """Names by place; null where it is -1."""
    return names.take(pa.array(place, mask=place < 0))


def _taken(values: Any, order: NDArray[np.int64]) -> Any:  # noqa: ANN401 - an array of either kind
    return values.take(order) if isinstance(values, pa.Array) else values[order]
