"""Representatives: what each achieved, beside what is to be expected of each, luck set aside."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.representatives.shrinkage import (
    Shrunk,
    chance_of_difference,
    means,
    rates,
)
from portfolio_ml.portfolio.representatives.track_records import (
    REPRESENTATIVE,
    TrackRecords,
    track_records,
    why_absent,
)
from portfolio_ml.portfolio.sums import ratio
from portfolio_ml.schema import MONEY_SCALE, Column, Table

MOST_CHANCE = 0.05
"""Representatives are said to differ where chance alone makes them differ so at most this often."""
NO_CASES = "nothing tells representatives apart: no decided deal, and nobody active a year ago"
_NO_YEAR = "no customer was active under the representative then, or it is nobody"
_NO_DEALS = "no decided deal, or it is nobody"
_NO_ORDER = "no order in 365 days, or no revenue"


def _shrunk_columns(name: str, of: str, null: str, decimals: int) -> tuple[Column, ...]:
    likely = "lower end", "upper end"
    return (
        Column(
            f"{name}_shrunk", pa.float64(), f"{of} to be expected, luck set aside: drawn towards "
            "that of the peers the more, the fewer cases there are", null=null, decimals=decimals,
        ),
        *(
            Column(
                f"{name}_{side}", pa.float64(), f"{end} of the 80 % interval of {name}_shrunk",
                null=null, decimals=decimals,
            )
            for side, end in zip(("low", "high"), likely, strict=True)
        ),
    )  # fmt: skip


_COLUMNS = (
    Column("rank", pa.int64(), "by win_rate_shrunk, or by retention_shrunk where no deal is known; "
           "1 is the best", null="nothing to compare by, or it is nobody"),
    Column("customers", pa.int64(), "customers with a purchase so far"),
    Column("active", pa.int64(), "of them, those within the activity window"),
    Column("active_share", pa.float64(), "active / customers", null="no customer", decimals=4),
    Column("revenue", pa.float64(), "net, last 365 days, currency units", decimals=2),
    Column("orders", pa.int64(), "of the last 365 days"),
    Column("average_ticket", pa.float64(), "revenue / orders", null="no order in 365 days",
           decimals=2),
    *_shrunk_columns("ticket", "revenue / orders", _NO_ORDER, 2),
    Column("active_then", pa.int64(), "customers who were active portfolio.compare_days ago (a "
           "year, as usual), under the representative of that time"),
    Column("retention", pa.float64(), "share of them who are active now", null=_NO_YEAR,
           decimals=4),
    *_shrunk_columns("retention", "retention", _NO_YEAR, 4),
    Column("decided", pa.int64(), "deals won or lost so far"),
    Column("won", pa.int64(), "of them, those won"),
    Column("win_rate", pa.float64(), "won / decided", null=_NO_DEALS, decimals=4),
    *_shrunk_columns("win_rate", "win_rate", _NO_DEALS, 4),
    Column("is_thin", pa.bool_(), "fewer decided deals (or active_then, where no deal "
           "is known) than portfolio.representatives.fewest_deals: too few to judge by"),
)  # fmt: skip
_WHO = Column("representative_id", pa.string(), "who; nobody for customers without one")

REPRESENTATIVES: Table = contract_of(
    "representatives", grain="one representative", key=("representative_id",),
    columns=(_WHO, *_COLUMNS),
)  # fmt: skip
BY_SECTION: Table = contract_of(
    "representatives_by_section",
    grain="one representative and section",
    key=("section", "representative_id"),
    columns=(
        Column("section", pa.string(), "the value of portfolio.representatives.section"),
        _WHO,
        *_COLUMNS,
    ),
)
TITLE = "Representatives"
TITLE_BY_SECTION = "Representatives by section"


def representatives(book: Book, deals: pa.Table | None = None) -> Figure:
    """The results of each representative, the largest revenue first.

    They are compared with each other over all sections: one with the harder customers looks worse.

    Args:
        book: The portfolio.
        deals: The opportunities as known on its date; None where none are configured.
    """
    if why := why_absent(book, deals):
        return absent(REPRESENTATIVES, TITLE, why)
    records = track_records(book, deals)
    columns = _columns(records, book.settings.representatives.fewest_deals)
    order = np.lexsort((columns["representative_id"].astype(str), -columns["revenue"]))
    notes = _notes(book, records, deals)
    return present(REPRESENTATIVES, TITLE, _taken(columns, order), as_of=book.as_of, notes=notes)


def representatives_by_section(book: Book, deals: pa.Table | None = None) -> Figure:
    """The results of each representative in each section, by section and rank.

    Args:
        book: The portfolio.
        deals: The opportunities as known on its date; None where none are configured.
    """
    section = book.settings.representatives.section
    if why := why_absent(book, deals, section=section):
        return absent(BY_SECTION, TITLE_BY_SECTION, why)
    records = track_records(book, deals, section=section)
    columns = _columns(records, book.settings.representatives.fewest_deals)
    last = np.nan_to_num(columns["rank"], nan=np.inf)
    order = np.lexsort(
        (
            columns["representative_id"].astype(str),
            -columns["revenue"],
            last,
            columns["section"].astype(str),
        )
    )
    notes = _notes(book, records, deals)
    return present(
        BY_SECTION, TITLE_BY_SECTION, _taken(columns, order), as_of=book.as_of, notes=notes
    )


def differ_by_chance(records: TrackRecords) -> float:
    """How likely representatives would differ so much within sections if they were all alike."""
    people = np.flatnonzero(records.is_person)
    trials = records.trials[people]
    peers = np.broadcast_to(np.arange(records.sections.size), trials.shape)
    return chance_of_difference(
        records.successes[people].ravel(), trials.ravel(), peers=peers.ravel()
    )


def in_words(records: TrackRecords, chance: float) -> str:
    """Whether representatives differ by more than chance, in a sentence.

    Args:
        records: Their track records.
        chance: How likely they would differ so much if they were all alike.
    """
    what = "win rates" if records.is_by_deals else "retention"
    if not records.trials.any():
        return NO_CASES
    if chance > MOST_CHANCE:
        return (
            f"by {what}, representatives differ no more than chance would have it (p = "
            f"{chance:.2g}): no order among them is safe"
        )
    return f"by {what}, representatives differ by more than chance (p = {chance:.2g})"


def _notes(book: Book, records: TrackRecords, deals: pa.Table | None) -> list[str]:
    notes = [in_words(records, differ_by_chance(records))]
    if deals is None:
        notes.append("win rates are missing: no opportunities are configured")
    if book.then is None:
        notes.append("retention is missing: the history is too short to look back on")
    elif book.now.has(REPRESENTATIVE) and not _is_dated(book):
        notes.append(
            "the customers table tells no valid_from: retention counts for the representative of "
            "today, whoever it was then"
        )
    elif not book.now.has(REPRESENTATIVE):
        notes.append("customers tell no representative_id: only deals are told")
    return notes


def _is_dated(book: Book) -> bool:
    return book.customers is not None and book.customers.is_dated


def _columns(records: TrackRecords, fewest: int) -> dict[str, NDArray[Any]]:
    """The cells in which there is anything to tell, as columns."""
    told = records.customers + records.active_then + records.decided
    person, section = np.nonzero(told)
    is_person = records.is_person[person]
    cells = (person, section)
    customers, active = records.customers[cells], records.active[cells]
    revenue, orders = records.revenue[cells], records.orders[cells]
    ticket = ratio(revenue / MONEY_SCALE, orders)
    trials = records.trials[cells]
    columns: dict[str, NDArray[Any]] = {
        "representative_id": records.names[person],
        "section": records.sections[section],
        "customers": customers,
        "active": active,
        "active_share": ratio(active, customers),
        "revenue": revenue / MONEY_SCALE,
        "orders": orders,
        "average_ticket": ticket,
        **_ticket(ticket, records.ticket_error[cells], section),
        "is_thin": trials < fewest,
    }
    for name, counted, of in (
        ("retention", records.kept, records.active_then),
        ("win_rate", records.won, records.decided),
    ):
        columns |= _rate(name, counted[cells], of[cells], section, is_person=is_person)
    by = columns["win_rate_shrunk" if records.is_by_deals else "retention_shrunk"]
    return columns | {
        "active_then": records.active_then[cells],
        "decided": records.decided[cells],
        "won": records.won[cells],
        "rank": _ranked(by, section),
    }


def _rate(
    name: str,
    counted: NDArray[np.int64],
    of: NDArray[np.int64],
    section: NDArray[np.int64],
    *,
    is_person: NDArray[np.bool_],
) -> dict[str, NDArray[np.float64]]:
    """A share and what is to be expected of it, where there are cases and someone to be judged."""
    among = np.flatnonzero((of > 0) & is_person)
    raw = np.full(of.size, np.nan)
    raw[among] = counted[among] / of[among]
    shrunk = rates(counted[among], of[among], peers=section[among]) if among.size else None
    return {name: raw, **_spread_out(name, shrunk, among, of.size)}


def _ticket(
    ticket: NDArray[np.float64], error: NDArray[np.float64], section: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """The ticket to be expected; shrunk on the scale of logs."""
    among = np.flatnonzero((ticket > 0) & ~np.isnan(error))
    shrunk = means(np.log(ticket[among]), error[among], peers=section[among])
    found = _spread_out("ticket", shrunk, among, ticket.size)
    return {name: np.exp(values) for name, values in found.items()}


def _spread_out(
    name: str, shrunk: Shrunk | None, among: NDArray[np.int64], size: int
) -> dict[str, NDArray[np.float64]]:
    """The shrunk values in their places; NaN elsewhere."""
    names = {"shrunk": "mean", "low": "low", "high": "high"}
    columns = {f"{name}_{side}": np.full(size, np.nan) for side in names}
    if shrunk is not None:
        for side, attribute in names.items():
            columns[f"{name}_{side}"][among] = getattr(shrunk, attribute)
    return columns


def _ranked(by: NDArray[np.float64], section: NDArray[np.int64]) -> NDArray[np.float64]:
    """The rank within each section, from 1; equals share the better one, NaN has none."""
    ranks = np.full(by.size, np.nan)
    for number in np.unique(section):
        among = np.flatnonzero((section == number) & ~np.isnan(by))
        ascending = np.sort(-by[among])
        ranks[among] = np.searchsorted(ascending, -by[among]) + 1
    return ranks


def _taken(
    columns: dict[str, NDArray[Any]], order: NDArray[np.int64]
) -> dict[str, Sequence[object]]:
    return {name: values[order].tolist() for name, values in columns.items()}
