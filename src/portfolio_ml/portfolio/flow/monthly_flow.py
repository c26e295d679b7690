"""The flow month by month: who came, came back and went, and the value that moved with them.

Customers are counted by what happens in a month: a first purchase recruits, a purchase after more
than the activity window reactivates, and a customer is lost on the day on which the window has
passed since the last purchase. Value is net revenue of the 365 days up to a month's end, of those
active then. Always, in customers and in value:
start + recruited + reactivated - lost + change of the stayers = end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.engine import Frame
from portfolio_ml.features.cut import seen_at
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, contract_of, present
from portfolio_ml.portfolio.flow.spells import spells
from portfolio_ml.portfolio.stock import YEAR_DAYS
from portfolio_ml.portfolio.sums import summed
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.timeline import Span, to_date, to_day

MONTHS = 24

MONTHLY_FLOW: Table = contract_of(
    "monthly_flow",
    grain="one month",
    key=("month",),
    columns=(
        Column("month", pa.string(), "such as 2024-06"),
        Column("last_day", pa.date32(), "its last day, or the as-of day"),
        Column("active_start", pa.int64(), "active customers when it began"),
        Column("recruited", pa.int64(), "bought for the first time"),
        Column("reactivated", pa.int64(), "bought after more than the activity window"),
        Column("lost", pa.int64(), "their activity window passed without a purchase"),
        Column("active_end", pa.int64(), "active customers on its last day"),
        Column("value_start", pa.float64(), "of those active when it began, net revenue of the "
               "365 days before, currency units", decimals=2),
        Column("value_recruited", pa.float64(), "of the recruited, on its last day", decimals=2),
        Column("value_reactivated", pa.float64(), "of the reactivated, likewise", decimals=2),
        Column("value_lost", pa.float64(), "of the lost, when it began", decimals=2),
        Column("value_stayers", pa.float64(), "by how much the value of the others changed",
               decimals=2),
        Column("value_end", pa.float64(), "of those active on its last day", decimals=2),
    ),
)  # fmt: skip

TITLE = f"Who came and went, month by month, over the last {MONTHS} months"


@dataclass(frozen=True, slots=True)
class Months:
    """Some months in a row.

    Attributes:
        ends: The day before the first month, then the last day of each, as day numbers.
    """

    ends: NDArray[np.int64]

    @property
    def count(self) -> int:
        """How many months there are."""
        return self.ends.size - 1

    @property
    def names(self) -> list[str]:
        """The months, as in 2024-06."""
        return [f"{to_date(day):%Y-%m}" for day in self.ends[1:].tolist()]

    def index(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of the first of the ends that is not before a day; their count for none.

        Example:
            >>> Months(np.array([30, 58])).index(np.array([0, 30, 31, 59])).tolist()
            [0, 0, 1, 2]
        """
        return np.searchsorted(self.ends, days, side="left").astype(np.int64)


def months_until(as_of: date, first: date, *, count: int = MONTHS) -> Months:
    """The last months of a history, the month of the as-of date included.

    Example:
        >>> months = months_until(date(2024, 3, 10), date(2024, 1, 15))
        >>> months.names
        ['2024-01', '2024-02', '2024-03']
        >>> [to_date(int(day)).isoformat() for day in months.ends]
        ['2023-12-31', '2024-01-31', '2024-02-29', '2024-03-10']
    """
    ends = [as_of]
    while len(ends) <= count and ends[-1] >= first:
        ends.append(ends[-1].replace(day=1) - timedelta(days=1))
    return Months(np.array([to_day(day) for day in reversed(ends)], np.int64))


def monthly_flow(book: Book) -> Figure:
    """The flow of each of the last 24 months, the earliest first; the last may be in progress."""
    engine, first = book.inputs.engine, book.inputs.span.first_day
    months = months_until(book.as_of, to_date(first))
    calendar = _calendar(book, months)
    placed = engine.keep(_placed(spells(book), calendar))
    events = engine.collect(placed.group_by("is_first", "begun", "ended").agg(customers=nw.len()))
    value = engine.collect(_value(book, placed, calendar))
    columns = {
        "month": months.names,
        "last_day": [to_date(int(day)) for day in months.ends[1:]],
        **_customers(events, months.count),
        **{name: held / MONEY_SCALE for name, held in _values(value, months.count).items()},
    }
    return present(MONTHLY_FLOW, TITLE, columns, as_of=book.as_of, notes=_notes(book, months))


def _calendar(book: Book, months: Months) -> Frame:
    """Each day with the place of the first month's end from it on, and of that 365 days later."""
    last = book.as_of_day + book.frozen.activity_days
    days = np.arange(book.inputs.span.first_day, last + 1)
    table = {
        "day": days,
        "from_end": months.index(days),
        "gone_end": months.index(days + YEAR_DAYS),
    }
    return book.inputs.engine.from_arrow(
        pa.table({name: pa.array(values, pa.int32()) for name, values in table.items()})
    )


def _placed(spell: Frame, calendar: Frame) -> Frame:
    """The spells with the first month's end at which they go on, and the first at which not.

    Spells that had ended by the first of the ends are left out.
    """
    at = calendar.select(day="day", end="from_end")
    begun = at.rename({"day": "first_day", "end": "begun"})
    ended = at.rename({"day": "ended_day", "end": "ended"})
    joined = spell.join(begun, on="first_day", how="inner").join(ended, on="ended_day", how="inner")
    return joined.filter(nw.col("ended") > 0).select("customer", "is_first", "begun", "ended")


def _value(book: Book, placed: Frame, calendar: Frame) -> Frame:
    """What days add to the value at month's ends: summed over those that are alike.

    A day counts from `low` up to and including `high`, the ends within 365 days of it at which
    its customer is in the spell.
    """
    net = (nw.col("spend") - nw.col("returned")).alias("net")
    days = seen_at(book.inputs, [book.as_of_day]).select("customer", "day", net)
    dated = days.join(calendar, on="day", how="inner").filter(nw.col("gone_end") > 0)
    both = dated.join(placed, on="customer", how="inner").with_columns(
        low=nw.max_horizontal("from_end", "begun"),
        high=nw.min_horizontal("gone_end", "ended") - 1,
    )
    counted = both.filter(nw.col("low") <= nw.col("high"))
    keys = ("is_first", "begun", "ended", "low", "high")
    return counted.group_by(*keys).agg(net=nw.col("net").sum().cast(nw.Int64))


def _customers(events: pa.Table, months: int) -> dict[str, NDArray[np.int64]]:
    """The counts of each month."""
    is_first, begun, ended, count = _arrays(events, "is_first", "begun", "ended", "customers")

    def on(place: NDArray[np.int64], who: NDArray[np.bool_]) -> NDArray[np.int64]:
        return summed(count[who], place[who], months + 2)

    everyone = np.ones(begun.size, bool)
    active = np.cumsum(on(begun, everyone) - on(ended, everyone))
    return {
        "active_start": active[:months],
        "recruited": on(begun, is_first.astype(bool))[1 : months + 1],
        "reactivated": on(begun, ~is_first.astype(bool))[1 : months + 1],
        "lost": on(ended, everyone)[1 : months + 1],
        "active_end": active[1 : months + 1],
    }


def _values(value: pa.Table, months: int) -> dict[str, NDArray[np.int64]]:
    """The value that moved in each month, in 1/10,000 unit."""
    is_first, begun, ended, low, high, net = _arrays(
        value, "is_first", "begun", "ended", "low", "high", "net"
    )
    held = np.zeros(months + 1, np.int64)
    moved = {name: np.zeros(months + 1, np.int64) for name in ("recruited", "reactivated", "lost")}
    for end in range(months + 1):
        counts = (low <= end) & (end <= high)
        held[end] = net[counts].sum()
        comes = counts & (begun == end)
        moved["recruited"][end] = net[comes & (is_first == 1)].sum()
        moved["reactivated"][end] = net[comes & (is_first == 0)].sum()
        if end < months:
            moved["lost"][end + 1] = net[counts & (ended == end + 1)].sum()
    came, back, gone = (of[1:] for of in moved.values())
    start, end_value = held[:-1], held[1:]
    return {
        "value_start": start,
        "value_recruited": came,
        "value_reactivated": back,
        "value_lost": gone,
        "value_stayers": end_value - start - came - back + gone,
        "value_end": end_value,
    }


def _arrays(table: pa.Table, *names: str) -> list[NDArray[np.int64]]:
    columns = (table[name].combine_chunks() for name in names)
    return [c.to_numpy(zero_copy_only=False).astype(np.int64) for c in columns]


def _notes(book: Book, months: Months) -> Sequence[str]:
    window = book.frozen.activity_days
    told = [f"the activity window is {window} days: who is lost bought last so many days earlier"]
    seen = Span(book.inputs.span.first_day, int(months.ends[0])).days
    if seen < max(window, YEAR_DAYS):
        told.append(
            f"the history begins on {to_date(book.inputs.span.first_day)}: who had been a customer "
            "before it is counted as recruited on the first purchase in it, and value grows until "
            f"it holds {YEAR_DAYS} days"
        )
    tomorrow = book.as_of + timedelta(days=1)
    if tomorrow.day != 1:
        told.append(f"{months.names[-1]} is in progress: it is told up to {book.as_of}")
    return told
