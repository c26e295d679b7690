"""What each representative achieved with the customers of each section: counts, nothing estimated.

A section is a value of the attribute by which representatives are compared. Today's customers
count for the representative who looks after them; retention is told of those who were active at
the earlier date that the portfolio is compared with (a year ago, as usual), for the representative
and section of that time; deals count for whoever the opportunity names.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.stock import UNKNOWN, YEAR_DAYS, Stock

Integers = NDArray[np.int64]

REPRESENTATIVE = "representative_id"
NOBODY = "nobody"
"""The representative of customers who have none."""
NO_REPRESENTATIVES = (
    "nothing tells who looks after whom: map representative_id in data.customers, or load "
    "opportunities"
)


@dataclass(frozen=True)
class TrackRecords:
    """Counts per representative and section; arrays of shape (representatives, sections).

    Attributes:
        names: The representatives, sorted; `NOBODY` is among them where customers have none.
        sections: The sections, sorted.
        customers: Whom each looks after, with a purchase so far.
        active: Of them, those within the activity window.
        revenue: Net, of the last 365 days, in 1/10,000 currency unit.
        orders: Of the last 365 days.
        ticket_error: The standard error of the log of revenue / orders; NaN without orders.
        active_then: Who was active at the earlier date and looked after by the representative.
        kept: Of them, those who are active now.
        decided: Deals won or lost so far.
        won: Of them, those won.
        in_office: Who looks after a customer or had a deal in the last 365 days, shape
            (representatives,).
        representative_of: The place of each of today's customers' representative in `names`.
        section_of: The place of each of today's customers' section in `sections`.
    """

    names: NDArray[np.object_]
    sections: NDArray[np.object_]
    customers: Integers
    active: Integers
    revenue: Integers
    orders: Integers
    ticket_error: NDArray[np.float64]
    active_then: Integers
    kept: Integers
    decided: Integers
    won: Integers
    in_office: NDArray[np.bool_]
    representative_of: Integers
    section_of: Integers

    @property
    def is_by_deals(self) -> bool:
        """Whether representatives are compared by deals won; else by customers kept."""
        return bool(self.decided.any())

    @property
    def successes(self) -> Integers:
        """Deals won, or customers kept where no deal is known."""
        return self.won if self.is_by_deals else self.kept

    @property
    def trials(self) -> Integers:
        """Deals decided, or customers active then where no deal is known."""
        return self.decided if self.is_by_deals else self.active_then

    @property
    def is_person(self) -> NDArray[np.bool_]:
        """Who is a representative, and not `NOBODY`; shape (representatives,)."""
        return np.asarray(self.names != NOBODY)


def why_absent(book: Book, deals: pa.Table | None, *, section: str | None = None) -> str:
    """Why there are no track records; empty where there are."""
    if not book.now.has(REPRESENTATIVE) and deals is None:
        return NO_REPRESENTATIVES
    if section is None or book.now.has(section):
        return ""
    there = sorted(book.now.attributes - {REPRESENTATIVE})
    known = f"one of {', '.join(there)}" if there else "value_tier or lifecycle_stage"
    return (
        f"customers have no attribute {section!r}: set portfolio.representatives.section to {known}"
    )


def track_records(
    book: Book, deals: pa.Table | None = None, *, section: str | None = None
) -> TrackRecords:
    """What each representative achieved by the book's date.

    Args:
        book: The portfolio.
        deals: The opportunities as known on the book's date: representative_id, is_won (null
            while open), opened_day, customer_id and, where they tell it, the section's column;
            None where none are configured.
        section: The attribute by which customers are told apart; None for one section of all.
    """
    now, then = book.now, book.then
    parts = {"now": _labels(now, section)}
    if then is not None:
        parts["then"] = _labels(then, section, now)
    if deals is not None:
        parts["deals"] = (deals[REPRESENTATIVE], _section_of_deals(deals, now, section))
    names, people = _numbered({key: people for key, (people, _) in parts.items()}, NOBODY)
    sections, places = _numbered({key: place for key, (_, place) in parts.items()}, UNKNOWN)
    shape = (names.size, sections.size)

    def counted(part: str, what: NDArray[np.generic] | None = None) -> Integers:
        sums = np.zeros(shape[0] * shape[1], np.int64)
        if part in parts:
            cells = people[part] * shape[1] + places[part]
            of = 1 if what is None else what.astype(np.int64)
            np.add.at(sums, cells, of)
        return sums.reshape(shape)

    revenue, orders = now.money("revenue"), now.money("orders_365d")
    was_active, is_kept = _kept(now, then)
    is_decided, is_won, is_late = _decided(deals, book.as_of_day)
    held = counted("now")
    cell = people["now"] * sections.size + places["now"]
    in_office = held.any(axis=1) | counted("deals", is_late).any(axis=1)
    return TrackRecords(
        names=names,
        sections=sections,
        customers=held,
        active=counted("now", now.is_active),
        revenue=counted("now", revenue),
        orders=counted("now", orders),
        ticket_error=_ticket_error(revenue, orders, cell, names.size * sections.size).reshape(
            shape
        ),
        active_then=counted("then", was_active),
        kept=counted("then", is_kept),
        decided=counted("deals", is_decided),
        won=counted("deals", is_won),
        in_office=in_office & (names != NOBODY),
        representative_of=people["now"],
        section_of=places["now"],
    )


def _labels(
    stock: Stock, section: str | None, otherwise: Stock | None = None
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The representative and section of each customer; the section as it is today, if need be."""
    nothing = pa.chunked_array([pa.nulls(stock.count, pa.string())])
    people = stock.rows[REPRESENTATIVE] if stock.has(REPRESENTATIVE) else nothing
    if section is None:
        return people, nothing
    if stock.has(section):
        return people, stock.rows[section].cast(pa.string())
    if otherwise is None or not otherwise.has(section):
        return people, nothing
    place = pc.index_in(stock.rows["customer_id"], otherwise.rows["customer_id"].combine_chunks())
    return people, otherwise.rows[section].cast(pa.string()).take(place)


def _section_of_deals(deals: pa.Table, now: Stock, section: str | None) -> pa.ChunkedArray:
    """The deal's own section; where it tells none, that of its customer today."""
    nothing = pa.chunked_array([pa.nulls(deals.num_rows, pa.string())])
    if section is None:
        return nothing
    own = deals[section].cast(pa.string()) if section in deals.column_names else nothing
    place = pc.index_in(deals["customer_id"], now.rows["customer_id"].combine_chunks())
    return pc.coalesce(own, now.rows[section].cast(pa.string()).take(place))


def _numbered(
    labels: dict[str, pa.ChunkedArray], unknown: str
) -> tuple[NDArray[np.object_], dict[str, Integers]]:
    """All that occur, sorted, and the number of each label."""
    coded = {
        key: pc.fill_null(values, unknown).combine_chunks().dictionary_encode()
        for key, values in labels.items()
    }
    names = sorted({name for codes in coded.values() for name in codes.dictionary.to_pylist()})
    place = {name: number for number, name in enumerate(names)}
    numbers = {}
    for key, codes in coded.items():
        own = np.array([place[name] for name in codes.dictionary.to_pylist()], np.int64)
        numbers[key] = own[codes.indices.to_numpy()] if len(codes) else np.zeros(0, np.int64)
    return np.array(names, np.object_), numbers


def _kept(now: Stock, then: Stock | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of the customers of then: who was active, and of them, who is still active now."""
    if then is None:
        return np.zeros(0, bool), np.zeros(0, bool)
    place = np.searchsorted(now.rows["customer"].to_numpy(), then.rows["customer"].to_numpy())
    return then.is_active, then.is_active & now.is_active[place]


def _decided(
    deals: pa.Table | None, as_of_day: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Of the deals: which are decided, which are won, which began or ended in the last year."""
    if deals is None:
        return np.zeros(0, bool), np.zeros(0, bool), np.zeros(0, bool)
    since = pc.greater(pc.coalesce(deals["closed_day"], deals["opened_day"]), as_of_day - YEAR_DAYS)
    found = (
        pc.is_valid(deals["is_won"]),
        pc.fill_null(deals["is_won"], False),
        pc.or_(pc.is_null(deals["is_won"]), pc.fill_null(since, False)),
    )
    decided, won, late = (
        np.asarray(values.combine_chunks().to_numpy(zero_copy_only=False), bool) for values in found
    )
    return decided, won, late


def _ticket_error(
    revenue: Integers, orders: Integers, cell: Integers, size: int
) -> NDArray[np.float64]:
    """The standard error of log(revenue / orders) per cell; NaN where that is no number.

    By the ratio estimator: how far customers' revenue departs from their orders at the cell's
    ticket, relative to it, with one spread for all cells, so that a cell of one customer has one.
    """
    brought = np.bincount(cell, weights=revenue, minlength=size)
    counted = np.bincount(cell, weights=orders, minlength=size)
    squares = np.bincount(cell, weights=orders.astype(np.float64) ** 2, minlength=size)
    is_told = (brought > 0) & (counted > 0)
    ticket = np.divide(brought, counted, out=np.full(size, np.nan), where=is_told)
    among = is_told[cell] & (orders > 0)
    off = revenue[among] / ticket[cell[among]] - orders[among]
    free = max(int(among.sum() - is_told.sum()), 1)
    whole = float(np.sum(orders[among].astype(np.float64) ** 2))
    spread = float(np.sum(off**2)) / whole * among.sum() / free if whole else 0.0
    error = np.full(size, np.nan)
    error[is_told] = np.sqrt(np.maximum(spread, 1e-12) * squares[is_told]) / counted[is_told]
    return error
