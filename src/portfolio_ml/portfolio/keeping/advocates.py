"""Advocates: customers who are loyal, growing, satisfied, and bring others."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.keeping.habits import habits_today
from portfolio_ml.portfolio.keeping.talks import Talks, talks_today
from portfolio_ml.portfolio.stock import YEAR_DAYS, Stock
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.wording import counted

LOYAL_PURCHASE_DAYS = 5
REGULAR_BELOW = 1.0
"""The standard deviation of the gaps over their mean: 1 is what chance alone would give."""
TWO_YEARS_DAYS = 2 * YEAR_DAYS
GROWING_FROM = 0.25
NEEDED = 3
FEWEST_MARKS = 2
MARKS = ("is_loyal", "is_growing", "is_satisfied", "is_referring")

ADVOCATES: Table = contract_of(
    "advocates",
    grain="one advocate",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "who"),
        Column("marks", pa.int64(), "how many of the four marks the customer has"),
        Column("marks_told", pa.int64(), "how many of them this portfolio can tell"),
        Column("is_loyal", pa.bool_(),
               "a customer for longer than lifecycle.mature_days (two years, as usual), with five "
               "purchase days or more, at gaps more regular than chance",
               null="nobody has been a customer for two years"),
        Column("is_growing", pa.bool_(),
               "a customer for two years, who spent a quarter more in the last 365 days than in "
               "the 365 before, or better", null="nobody has been a customer for two years"),
        Column("is_satisfied", pa.bool_(),
               "mean satisfaction of the last 365 days as configured or better; without that, 4 of "
               "5, or on other scales in the upper quarter; false too for who was not asked",
               null="no interaction tells"),
        Column("is_referring", pa.bool_(), "brought a customer who is active",
               null="the customers table does not tell who brought whom"),
        Column("tenure_days", pa.int64(), "days since the first purchase"),
        Column("purchase_days", pa.int64(), "days with a purchase so far"),
        Column("gap_irregularity", pa.float64(),
               "standard deviation of the gaps between purchase days / their mean: 0 is clockwork, "
               "1 is chance", null="fewer than three purchase days", decimals=3),
        Column("spend_trend", pa.float64(),
               "spend of the last 365 days / that of the 365 before, minus 1",
               null="no spend in the year before the last", decimals=4),
        Column("satisfaction", pa.float64(), "mean of the last 365 days, in its own points",
               null="no interaction tells", decimals=2),
        Column("referred", pa.int64(), "customers with a purchase whom this one brought",
               null="the customers table does not tell who brought whom"),
        Column("referred_active", pa.int64(), "of them, the active ones",
               null="the customers table does not tell who brought whom"),
        Column("referred_revenue", pa.float64(), "their revenue, net, last 365 days",
               null="the customers table does not tell who brought whom", decimals=2),
        Column("revenue", pa.float64(), "of this customer, net, last 365 days", decimals=2),
    ),
)  # fmt: skip

TITLE = "Customers who speak for us"

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Referrals:
    """Whom customers brought; every array has shape (customers,).

    Attributes:
        count: Customers with a purchase whom each one brought.
        active: Of them, the active ones.
        revenue: Of all of them, last 365 days, currency units.
    """

    count: Floats
    active: Floats
    revenue: Floats


def advocates(book: Book) -> Figure:
    """The active customers with three of the marks, or with all where only two can be told.

    Those with most marks come first, then those with the largest revenue, their referrals'
    included.
    """
    stock = book.now
    habits = book.once(habits_today)
    talks = book.once(talks_today)
    brought = referrals_of(stock)
    has_years = stock.column("tenure_days") >= TWO_YEARS_DAYS
    told = {
        **(_grown(book, habits.irregularity) if has_years.any() else {}),
        **_satisfied(talks),
        **({} if brought is None else {"is_referring": brought.active > 0}),
    }
    if len(told) < FEWEST_MARKS:
        return absent(ADVOCATES, TITLE, "too few marks can be told: " + _lacking(told))
    count = np.sum([*told.values()], axis=0)
    revenue = stock.money("revenue") / MONEY_SCALE
    theirs = revenue if brought is None else revenue + brought.revenue
    some = np.flatnonzero(stock.is_active & (count >= min(NEEDED, len(told))))
    some = some[np.lexsort((some, -theirs[some], -count[some]))]
    unknown = np.full(stock.count, np.nan)
    columns = {
        "customer_id": stock.texts("customer_id"),
        "marks": count,
        "marks_told": np.full(stock.count, len(told)),
        **{name: _shown(told.get(name), stock) for name in MARKS},
        "tenure_days": stock.column("tenure_days"),
        "purchase_days": stock.column("purchase_days"),
        "gap_irregularity": habits.irregularity,
        "spend_trend": stock.column("spend_trend"),
        "satisfaction": unknown if talks is None else talks.satisfaction,
        "referred": unknown if brought is None else brought.count,
        "referred_active": unknown if brought is None else brought.active,
        "referred_revenue": unknown if brought is None else brought.revenue,
        "revenue": revenue,
    }
    rows = {name: values[some] for name, values in columns.items()}
    notes = _notes(stock, told, talks, some.size)
    return present(ADVOCATES, TITLE, rows, as_of=book.as_of, notes=notes)


def referrals_of(stock: Stock) -> Referrals | None:
    """Whom each customer brought, as the customers table tells; None where it does not.

    Who names itself, or somebody without a purchase, was brought by nobody here.
    """
    if not stock.has("referred_by"):
        return None
    place = pc.index_in(stock.rows["referred_by"].cast(pa.string()),
                        stock.rows["customer_id"].combine_chunks())  # fmt: skip
    by = np.asarray(pc.fill_null(place.combine_chunks(), -1).to_numpy(), np.int64)
    is_brought = (by >= 0) & (by != np.arange(stock.count))

    def summed(values: NDArray[np.generic]) -> Floats:
        found = np.bincount(by[is_brought], weights=values[is_brought], minlength=stock.count)
        return np.asarray(found, np.float64)

    revenue = stock.money("revenue") / MONEY_SCALE
    return Referrals(summed(np.ones(stock.count)), summed(stock.is_active), summed(revenue))


def _grown(book: Book, irregularity: Floats) -> dict[str, Flags]:
    """Who is loyal and who is growing."""
    stock = book.now
    tenure, days = stock.column("tenure_days"), stock.column("purchase_days")
    is_often = (days >= LOYAL_PURCHASE_DAYS) & (irregularity < REGULAR_BELOW)
    # Without two whole years, the year before was a shorter one, and anybody grows.
    is_growing = stock.column("spend_trend") >= GROWING_FROM
    return {
        "is_loyal": (tenure > book.lifecycle.mature_days) & is_often,
        "is_growing": (tenure >= TWO_YEARS_DAYS) & is_growing,
    }


def _satisfied(talks: Talks | None) -> dict[str, Flags]:
    if talks is None or not np.isfinite(talks.satisfied_from):
        return {}
    return {"is_satisfied": talks.satisfaction >= talks.satisfied_from}


def _shown(mark: Flags | None, stock: Stock) -> NDArray[np.object_]:
    """A mark as its column shows it: null where it cannot be told."""
    shown = np.full(stock.count, None, object)
    if mark is not None:
        shown[:] = mark
    return shown


def _lacking(told: Mapping[str, Flags]) -> str:
    reasons = {
        "is_growing": "nobody has been a customer for two years",
        "is_satisfied": "no interaction tells satisfaction",
        "is_referring": "the customers table has no referred_by",
    }
    return "; ".join(why for name, why in reasons.items() if name not in told)


def _notes(stock: Stock, told: Mapping[str, Flags], talks: Talks | None, count: int) -> list[str]:
    active = counted(int(stock.is_active.sum()), "active customer")
    needed = min(NEEDED, len(told))
    notes = [f"{count:,} of {active} have {needed} of the {len(told)} marks that can be told"]
    for name, flags in told.items():
        has_it = int((flags & stock.is_active).sum())
        notes.append(f"{name}: {counted(has_it, 'active customer')}")
    if talks is not None and "is_satisfied" in told:
        notes.append(
            f"satisfaction is the value of {talks.kinds.words}, and is good from "
            f"{talks.satisfied_from:.3g} on"
        )
    lacking = _lacking(told)
    return [*notes, f"what cannot be told: {lacking}"] if lacking else notes
