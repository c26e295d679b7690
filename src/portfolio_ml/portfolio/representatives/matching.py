"""Which representative would do best by each customer, and who looks after whom within limits.

The gain of a match is the difference in what is to be expected of the two representatives in the
customer's section, luck set aside, times what is at stake with the customer in a year: of the
share of deals won times the amount of deals begun with it in the last 365 days; or, where no
opportunities are known, of the share of customers kept times the revenue of the last 365 days, of
active customers.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.representatives.assignment import assigned
from portfolio_ml.portfolio.representatives.comparison import Comparison, compared
from portfolio_ml.portfolio.representatives.representatives import NO_CASES, in_words
from portfolio_ml.portfolio.representatives.track_records import (
    TrackRecords,
    track_records,
    why_absent,
)
from portfolio_ml.portfolio.stock import YEAR_DAYS
from portfolio_ml.schema import MONEY_SCALE

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Matching:
    """The matches of a portfolio; per customer where not said otherwise.

    Attributes:
        records: What the comparison rests on.
        stake: The value at stake, currency units.
        cell: The customer's section and present representative.
        present: The place of the present representative, -1 for none; shape (cells,).
        section: The place of the section, shape (cells,).
        best: The place of the best one, -1 for none; shape (cells,).
        compared: What is expected of whom.
        most: How many customers each may have.
        assigned: The place of who is to look after the customer, -1 for nobody.
        notes: What people should know of it.
    """

    records: TrackRecords
    stake: NDArray[np.float64]
    cell: NDArray[np.int64]
    present: NDArray[np.int64]
    section: NDArray[np.int64]
    best: NDArray[np.int64]
    compared: Comparison
    most: int
    assigned: NDArray[np.int64]
    notes: tuple[str, ...]


def matching(book: Book, deals: pa.Table | None = None) -> Matching | str:
    """The matches, or why there are none.

    Args:
        book: The portfolio.
        deals: The opportunities as known on its date: representative_id, is_won, opened_day,
            closed_day, customer_id, amount and maybe the section; None where none are configured.
    """
    settings = book.settings.representatives
    if why := why_absent(book, deals, section=settings.section):
        return why
    records = track_records(book, deals, section=settings.section)
    if not records.trials.any():
        return NO_CASES
    comparison = compared(records, fewest=settings.fewest_deals)
    if not comparison.is_candidate.any():
        return "no representative looks after a customer or had a deal in the last 365 days"
    persons = np.where(records.is_person, np.arange(records.names.size), -1)
    key = records.section_of * (records.names.size + 1) + persons[records.representative_of] + 1
    cells, cell = np.unique(key, return_inverse=True)
    section, present = np.divmod(cells, records.names.size + 1)
    present = present - 1
    stake, of_what = _stakes(book, deals, records)
    most, told = _most(records, comparison, settings.workload)
    shared = _shared_out(comparison, present, section, cell=cell, stake=stake, most=most)
    return Matching(
        records=records,
        stake=stake,
        cell=np.asarray(cell, np.int64),
        present=present,
        section=section,
        best=comparison.best(section),
        compared=comparison,
        most=most,
        assigned=shared,
        notes=(in_words(records, comparison.chance), of_what, *told),
    )


def _stakes(book: Book, deals: pa.Table | None, records: TrackRecords) -> tuple[Floats, str]:
    """What is at stake with each customer in a year, currency units, and what that is."""
    now = book.now
    if not records.is_by_deals or deals is None:
        revenue = np.where(now.is_active, np.maximum(now.money("revenue"), 0), 0)
        return revenue / MONEY_SCALE, (
            "the gain is retention, luck set aside, x the revenue of the last 365 days, for want "
            "of decided deals"
        )
    recent = deals.filter(pc.greater(deals["opened_day"], book.as_of_day - YEAR_DAYS))
    recent = recent.filter(pc.is_valid(recent["amount"]))
    place = pc.index_in(recent["customer_id"], now.rows["customer_id"].combine_chunks())
    known = pc.fill_null(place, -1).to_numpy()
    amount = np.maximum(recent["amount"].to_numpy()[known >= 0], 0)
    if not amount.any():
        return np.maximum(now.money("revenue"), 0) / MONEY_SCALE, (
            "the gain is the win rate, luck set aside, x the revenue of the last 365 days: no deal "
            "of that time tells its customer and amount"
        )
    total = np.zeros(now.count, np.int64)
    np.add.at(total, known[known >= 0], amount)
    return total / MONEY_SCALE, (
        "the gain is the win rate, luck set aside, x the amount of deals begun with the customer "
        "in the last 365 days"
    )


def _most(
    records: TrackRecords, comparison: Comparison, workload: int | None
) -> tuple[int, list[str]]:
    """How many customers each representative may have, and what is to be known of it."""
    held = records.customers.sum(axis=1)
    most = workload or int(held[comparison.is_candidate].max())
    people, customers = int(comparison.is_candidate.sum()), int(held.sum())
    least = -(-customers // people)
    if most >= least:
        return most, []
    too_few = (
        f"{people} representatives with {most} customers each cannot look after {customers}: "
        f"{least} each are assumed; see portfolio.representatives.workload"
    )
    return least, [too_few]


def _shared_out(
    comparison: Comparison,
    present: Integers,
    section: Integers,
    *,
    cell: Integers,
    stake: Floats,
    most: int,
) -> Integers:
    """Who is to look after each customer: the assignment with the largest expected gain.

    A customer stays or goes where a match is worth it, and stays where nothing is at stake; those
    of nobody, and of whoever has too many, may go to any representative.
    """
    gain = comparison.against(present, section)[0]
    is_allowed = comparison.may_move(present, section)
    people = comparison.is_candidate.size
    held = np.bincount(present[cell] + 1, minlength=people + 1)[1:]
    is_held = present >= 0
    must = ~is_held | (held[present] > most)
    is_allowed[must] |= comparison.is_candidate
    is_allowed[is_held, present[is_held]] = True
    found = present[cell]
    is_open = must[cell] | (stake > 0)
    staying = np.bincount(found[~is_open], minlength=people)
    limit = np.where(comparison.is_candidate, most, 0) - staying
    small = np.median(stake[stake > 0]) * 1e-6 if (stake > 0).any() else 1.0
    valued = np.maximum(stake, small)[is_open]
    rate = np.where(is_allowed, gain, -np.inf)
    found[is_open] = assigned(valued, cell[is_open], rate, limit=limit)
    return found
