"""Key dates ahead: birthdays, anniversaries, contracts that end, and seasons that begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, contract_of, present
from portfolio_ml.portfolio.selling.peak_months import SIGNIFICANT, peak_months
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.timeline import to_date, to_day

CONTRACT_ENDS = "contract ends"
CONTRACT_DAYS = 60
"""A contract's end is a key date so many days ahead."""
PLACEHOLDER_SHARE = 0.05
"""A birthday that more than this share of the customers have in common, year and all, is not one:
systems fill in a date where none is known."""
PLACEHOLDER_CUSTOMERS = 5
"""... if at least so many customers have it."""
OLDEST_YEARS = 120
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

KEY_DATES: Table = contract_of(
    "key_dates",
    grain="one customer and key date ahead",
    key=("customer_id", "kind"),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        Column(
            "kind", pa.string(), "birthday; anniversary of the signup date or, without it, of the "
            "first purchase; contract ends; season: the month in which it always spends most",
        ),
        Column(
            "date", pa.date32(), "the day; of 29 February in other years, 28 February; of a "
            "season, its month's first day",
        ),
        Column("days_ahead", pa.int64(), "date - as_of, at least 0"),
        Column("years", pa.int64(), "how old the customer or the relationship becomes, or how "
               "many years had the season", null="a contract ends"),
        Column("is_active", pa.bool_(), "whether the customer is within the activity window"),
        Column("revenue", pa.float64(), "net, last 365 days, currency units", decimals=2),
        Column("reason", pa.string(), "why, in words"),
    ),
)  # fmt: skip

TITLE = "Key dates ahead"


@dataclass(frozen=True, slots=True)
class _Dates:
    """Key dates of one kind: whose (the place among today's customers), when, and why."""

    kind: str
    place: NDArray[np.int64]
    day: NDArray[np.int64]
    years: Sequence[int | None]
    reasons: Sequence[str]


def key_dates(book: Book) -> Figure:
    """The key dates ahead, the nearest first, and on one day the largest revenue first.

    Kinds of which the customers table has no column are left out, and told in the notes.
    """
    notes: list[str] = []
    kinds = [
        *_birthdays(book, notes),
        _anniversaries(book, notes),
        *_contracts(book, notes),
        *_seasons(book, notes),
    ]
    place = np.concatenate([kind.place for kind in kinds])
    day = np.concatenate([kind.day for kind in kinds])
    kind_of = [kind.kind for kind in kinds for _ in kind.day]
    revenue = book.now.money("revenue")[place]
    order = np.lexsort((np.array(kind_of, str), place, -revenue, day))
    years = [year for kind in kinds for year in kind.years]
    reasons = [reason for kind in kinds for reason in kind.reasons]
    columns = {
        "customer_id": book.now.rows["customer_id"].take(pa.array(place[order])),
        "kind": [kind_of[n] for n in order],
        "date": pa.array(day[order], pa.int32()).cast(pa.date32()),
        "days_ahead": day[order] - book.as_of_day,
        "years": [years[n] for n in order],
        "is_active": book.now.is_active[place][order],
        "revenue": revenue[order] / MONEY_SCALE,
        "reason": [reasons[n] for n in order],
    }
    return present(KEY_DATES, TITLE, columns, as_of=book.as_of, notes=notes)


def next_occurrence(days: NDArray[np.int64], as_of: date) -> NDArray[np.int64]:
    """The next return of each day of the year, on the date or after it, as day numbers.

    Of 29 February, 28 February in years without one.

    Args:
        days: Day numbers.
        as_of: The date.

    Example:
        >>> leap_day = (date(1992, 2, 29) - date(1970, 1, 1)).days
        >>> to_date(next_occurrence(np.array([leap_day]), date(2022, 12, 24))[0])
        datetime.date(2023, 2, 28)
    """
    dates = days.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    number = month.astype(np.int64) % 12
    of_month = (dates - month).astype(np.int64)

    def in_year(year: int) -> NDArray[np.int64]:
        months = (number + 12 * (year - 1970)).astype("datetime64[M]")
        last = (months + 1).astype("datetime64[D]").astype(np.int64) - 1
        first = months.astype("datetime64[D]").astype(np.int64)
        return np.asarray(np.minimum(first + of_month, last), np.int64)

    this, today = in_year(as_of.year), to_day(as_of)
    return np.asarray(np.where(this >= today, this, in_year(as_of.year + 1)), np.int64)


def _attribute(book: Book, name: str) -> NDArray[np.float64]:
    """An attribute that is a date, as day numbers; NaN where unknown."""
    values = book.now.rows[name].cast(pa.int32()).cast(pa.float64()).combine_chunks()
    return np.asarray(values.fill_null(np.nan).to_numpy(zero_copy_only=False))


def _birthdays(book: Book, notes: list[str]) -> list[_Dates]:
    if not book.now.has("birthday"):
        notes.append("no birthdays: the customers table has no column birthday")
        return []
    day = _attribute(book, "birthday")
    known = np.flatnonzero(day <= book.as_of_day)
    born, count = np.unique(day[known], return_counts=True)
    is_filled = (count >= PLACEHOLDER_CUSTOMERS) & (count > PLACEHOLDER_SHARE * known.size)
    if is_filled.any():
        told = ", ".join(str(to_date(int(one))) for one in born[is_filled])
        notes.append(
            f"{count[is_filled].sum()} customers have the birthday {told} in common: taken for "
            "unknown"
        )
        known = known[~np.isin(day[known], born[is_filled])]
    place, when, years = _returning(book, known, day[known].astype(np.int64))
    is_alive = years <= OLDEST_YEARS
    place, when, years = place[is_alive], when[is_alive], years[is_alive]
    reasons = [f"turns {year} on {_said(day)}" for year, day in zip(years, when, strict=True)]
    return [_Dates("birthday", place, when, years.tolist(), reasons)]


def _anniversaries(book: Book, notes: list[str]) -> _Dates:
    first = book.as_of_day - book.now.column("tenure_days")
    has_signup = book.now.has("signup_date")
    signup = _attribute(book, "signup_date") if has_signup else np.full(first.size, np.nan)
    if not has_signup:
        notes.append("anniversaries are of the first purchase: there is no column signup_date")
    is_signup = signup <= book.as_of_day
    day = np.where(is_signup, signup, first).astype(np.int64)
    place, when, years = _returning(book, np.arange(day.size), day)
    reasons = [
        f"{_years(year)} since {'it signed up' if signed else 'its first purchase'} on {_said(one)}"
        for year, one, signed in zip(years, when, is_signup[place], strict=True)
    ]
    return _Dates("anniversary", place, when, years.tolist(), reasons)


def _contracts(book: Book, notes: list[str]) -> list[_Dates]:
    if not book.now.has("ended_at"):
        notes.append("no contracts' ends: the customers table has no column ended_at")
        return []
    ends = _attribute(book, "ended_at")
    ahead = ends - book.as_of_day
    place = np.flatnonzero((ahead >= 0) & (ahead <= CONTRACT_DAYS))
    day = ends[place].astype(np.int64)
    reasons = [f"the contract ends on {_said(one)}" for one in day]
    return [_Dates(CONTRACT_ENDS, place, day, [None] * place.size, reasons)]


def _seasons(book: Book, notes: list[str]) -> list[_Dates]:
    peaks = peak_months(book.inputs, book.as_of_day)
    if not peaks.asked:
        notes.append("no seasons: nobody has bought for two whole years")
        return []
    told = (
        f"{peaks.customer.size} of {peaks.asked} customers with two years or more had the same "
        f"peak month in each, about {peaks.by_chance:.0f} would by chance"
    )
    if peaks.p_value > SIGNIFICANT:
        notes.append(f"no seasons: {told}")
        return []
    notes.append(f"seasons: {told}")
    day = _month_starts(book.as_of)[peaks.month - 1]
    is_next = day - book.as_of_day <= _ahead(book)
    numbers = book.now.rows["customer"].to_numpy()
    place = np.searchsorted(numbers, peaks.customer[is_next])
    reasons = [
        f"spent most in {_MONTHS[month - 1]} in each of the last {years} years"
        for month, years in zip(peaks.month[is_next], peaks.years[is_next], strict=True)
    ]
    return [_Dates("season", place, day[is_next], peaks.years[is_next].tolist(), reasons)]


def _month_starts(as_of: date) -> NDArray[np.int64]:
    """The day on which each month, from January on, begins next, on the date or after it."""
    years = [as_of.year + (date(as_of.year, month, 1) < as_of) for month in range(1, 13)]
    return np.array([to_day(date(year, month, 1)) for month, year in enumerate(years, 1)], np.int64)


def _returning(
    book: Book, place: NDArray[np.int64], day: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Whose day returns soon, when, and how many years after; not the day itself."""
    when = next_occurrence(day, book.as_of)
    years = when.astype("datetime64[D]").astype("datetime64[Y]") - day.astype(
        "datetime64[D]"
    ).astype("datetime64[Y]")
    is_near = (when - book.as_of_day <= _ahead(book)) & (years.astype(np.int64) > 0)
    return place[is_near], when[is_near], years.astype(np.int64)[is_near]


def _ahead(book: Book) -> int:
    return book.settings.daily_list.key_date_days


def _said(day: int) -> str:
    found = to_date(int(day))
    return f"{found.day} {_MONTHS[found.month - 1]}"


def _years(count: int) -> str:
    return "1 year" if count == 1 else f"{count} years"
