"""Concentration: how much of the revenue rests on how few customers, and how that moved.

Counted are the customers who bought within the last 365 days: the long gone would only make the
rest look fewer. Revenue is net. Whoever brought back as much as they bought, or more, counts as a
customer of no revenue, so that shares lie between 0 and 1; how much that is, the notes tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.metrics import gini, lorenz_curve
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.stock import YEAR_DAYS, Stock
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.wording import counted

TOP_SHARE = 0.2
CORE_SHARE = 0.8
CURVE_POINTS = 100

_MOMENT = Column("moment", pa.string(), "now, or then: portfolio.compare_days earlier")
_OF_CORE = f"of those that make up {CORE_SHARE:.0%} of the revenue"

CONCENTRATION: Table = contract_of(
    "concentration",
    grain="one moment",
    key=("moment",),
    columns=(
        Column("moment", pa.string(), "now, then (portfolio.compare_days earlier), or change"),
        Column("day", pa.date32(), "the last day of the revenue", null="of the change"),
        Column("customers", pa.int64(), "those who bought within 365 days up to that day"),
        Column("revenue", pa.float64(), "net, of those who brought any, currency units",
               decimals=2),
        Column("top_customers", pa.int64(), "a fifth of the customers, rounded up"),
        Column("top_share", pa.float64(), "of the revenue that this fifth brought", decimals=4),
        Column("core_customers", pa.int64(), f"the fewest that make up {CORE_SHARE:.0%} of it"),
        Column("core_customer_share", pa.float64(), "core_customers / customers", decimals=4),
        Column("gini", pa.float64(), "0: all bring the same; near 1: one brings all (Gini 1912)",
               decimals=4),
        Column("largest_share", pa.float64(), "of the revenue from the largest customer",
               decimals=4),
        Column("largest_10_share", pa.float64(), "of the revenue from the ten largest",
               decimals=4),
    ),
)  # fmt: skip

LORENZ: Table = contract_of(
    "lorenz",
    grain="one point of the curve at one moment",
    key=("moment", "point"),
    columns=(
        _MOMENT,
        Column("point", pa.string(), "the percentage of customers, from 000 to 100"),
        Column("customer_share", pa.float64(), "of the customers", decimals=2),
        Column(
            "smallest_hold", pa.float64(), "share of the revenue from so many of the smallest "
            "customers (Lorenz 1905)", decimals=4,
        ),
        Column(
            "largest_hold", pa.float64(), "share of the revenue from so many of the largest",
            decimals=4,
        ),
    ),
)  # fmt: skip

CORE_CUSTOMERS: Table = contract_of(
    "core_customers",
    grain=f"one customer {_OF_CORE}",
    key=("customer_id",),
    columns=(
        Column("rank", pa.int64(), "1 brought the most"),
        Column("customer_id", pa.string(), "the customer"),
        Column("revenue", pa.float64(), "net, last 365 days, currency units", decimals=2),
        Column("revenue_share", pa.float64(), "of the revenue", decimals=4),
        Column("cumulative_share", pa.float64(), "with all of a lower rank", decimals=4),
        Column(
            "revenue_then", pa.float64(), "the same, portfolio.compare_days earlier",
            null="no customer then, or the history does not reach back so far", decimals=2,
        ),
        Column("is_active", pa.bool_(), "bought within the activity window"),
    ),
)  # fmt: skip

TITLE = "How few customers bring how much"
LORENZ_TITLE = "The share of revenue by the share of customers"
CORE_TITLE = f"The customers that make up {CORE_SHARE:.0%} of the revenue"
NO_REVENUE = f"nobody brought revenue within the last {YEAR_DAYS} days"


@dataclass(frozen=True, slots=True)
class Ranked:
    """The customers of one moment by revenue, the largest first; equal ones by their id.

    Attributes:
        stock: Of which moment.
        place: Their rows in the stock, shape (customers,).
        revenue: What they brought, floored at 0, in 1/10,000 unit, shape (customers,).
        brought_back: What those below 0 brought back beyond what they bought.
        below: How many they are.
    """

    stock: Stock
    place: NDArray[np.intp]
    revenue: NDArray[np.int64]
    brought_back: int
    below: int

    @property
    def total(self) -> int:
        """The revenue of all of them."""
        return int(self.revenue.sum())

    @property
    def core(self) -> int:
        """The fewest customers that make up 80 % of it."""
        reached = np.cumsum(self.revenue) * 5 >= self.total * 4  # whole numbers: exact
        return int(np.argmax(reached)) + 1

    def share_of(self, customers: int) -> float:
        """The share of the revenue that so many of the largest brought."""
        return float(self.revenue[:customers].sum() / self.total)


def ranked(stock: Stock) -> Ranked | None:
    """Those who bought within the last 365 days, by revenue; None where they brought none."""
    bought = np.flatnonzero(stock.column("purchase_days_365d") > 0)
    net = stock.money("revenue")[bought]
    order = np.argsort(-net, kind="stable")  # the stock is sorted by customer_id
    revenue = np.maximum(net[order], 0)
    if not revenue.sum() > 0:
        return None
    return Ranked(stock, bought[order], revenue, int(-net[net < 0].sum()), int((net < 0).sum()))


def concentration(book: Book) -> Figure:
    """The 80/20 of the portfolio now, a year ago, and how it moved."""
    now = ranked(book.now)
    if now is None:
        return absent(CONCENTRATION, TITLE, NO_REVENUE)
    then = None if book.then is None else ranked(book.then)
    measured = [_measured("now", now)] + ([_measured("then", then)] if then else [])
    if then and not _is_short(book):
        measured.append(_change(*measured))
    columns = {
        name: [row[name] for row in measured] for name in CONCENTRATION.names if name != "as_of"
    }
    notes = [_dependence(now), *_moved(book, now, then), *_below(book, now)]
    return present(CONCENTRATION, TITLE, columns, as_of=book.as_of, notes=notes)


def lorenz(book: Book) -> Figure:
    """The Lorenz curve now and a year ago, at each hundredth of the customers."""
    stocks = {"now": book.now, **({} if book.then is None else {"then": book.then})}
    curves = {moment: found for moment, stock in stocks.items() if (found := ranked(stock))}
    if "now" not in curves:
        return absent(LORENZ, LORENZ_TITLE, NO_REVENUE)
    share = np.arange(CURVE_POINTS + 1) / CURVE_POINTS
    smallest = [lorenz_curve(of.revenue).at(share) for of in curves.values()]
    columns = {
        "moment": np.repeat([*curves], share.size).tolist(),
        "point": [f"{round(100 * x):03}" for x in share] * len(curves),
        "customer_share": np.tile(share, len(curves)),
        "smallest_hold": np.concatenate(smallest),
        "largest_hold": np.concatenate([1 - held[::-1] for held in smallest]),
    }
    notes = [] if book.then is not None else [book.no_then]
    return present(LORENZ, LORENZ_TITLE, columns, as_of=book.as_of, notes=notes)


def core_customers(book: Book) -> Figure:
    """The customers that make up 80 % of the revenue, the largest first."""
    now = ranked(book.now)
    if now is None:
        return absent(CORE_CUSTOMERS, CORE_TITLE, NO_REVENUE)
    count = now.core
    place, revenue = now.place[:count], now.revenue[:count]
    columns = {
        "rank": np.arange(1, count + 1),
        "customer_id": book.now.rows["customer_id"].combine_chunks().take(pa.array(place)),
        "revenue": revenue / MONEY_SCALE,
        "revenue_share": revenue / now.total,
        "cumulative_share": np.cumsum(revenue) / now.total,
        "revenue_then": book.then_of_now("revenue")[place] / MONEY_SCALE,
        "is_active": book.now.is_active[place],
    }
    return present(CORE_CUSTOMERS, CORE_TITLE, columns, as_of=book.as_of, notes=_gone(book, now))


def _measured(moment: str, of: Ranked) -> dict[str, object]:
    count, top = of.revenue.size, _fifth(of)
    return {
        "moment": moment,
        "day": of.stock.as_of,
        "customers": count,
        "revenue": of.total / MONEY_SCALE,
        "top_customers": top,
        "top_share": of.share_of(top),
        "core_customers": of.core,
        "core_customer_share": of.core / count,
        "gini": gini(of.revenue),
        "largest_share": of.share_of(1),
        "largest_10_share": of.share_of(10),
    }


def _fifth(of: Ranked) -> int:
    """How many the top 20 % are, rounded up: a person is whole."""
    return -(-of.revenue.size // round(1 / TOP_SHARE))


def _change(now: dict[str, object], then: dict[str, object]) -> dict[str, object]:
    """By how much each number moved."""
    moved: dict[str, object] = {"moment": "change", "day": None}
    for name, value in now.items():
        before = then[name]
        if isinstance(value, int | float) and isinstance(before, int | float):
            moved[name] = value - before
    return moved


def _dependence(now: Ranked) -> str:
    top = _fifth(now)
    return (
        f"the largest 20% ({counted(top, 'customer')}) bring {now.share_of(top):.0%} of the "
        f"revenue, where 80% is the rule of thumb; the largest customer brings "
        f"{now.share_of(1):.1%}, the largest ten {now.share_of(10):.1%}"
    )


def _moved(book: Book, now: Ranked, then: Ranked | None) -> Sequence[str]:
    if book.then is None:
        return [book.no_then]
    if then is None:
        return [f"nobody had brought revenue in the {YEAR_DAYS} days up to {book.then.as_of}"]
    if _is_short(book):
        covered = counted(book.days_before_then, "day")
        return [f"then's revenue covers {covered} only: it does not tell how the shares moved"]
    before, after = (of.share_of(_fifth(of)) for of in (then, now))
    return [f"the share of the largest 20% went from {before:.1%} to {after:.1%}"]


def _is_short(book: Book) -> bool:
    return book.days_before_then < YEAR_DAYS


def _below(book: Book, now: Ranked) -> Sequence[str]:
    """What was floored, so that nobody wonders why the revenue is another than elsewhere."""
    if not now.below:
        return []
    back = now.brought_back / MONEY_SCALE
    return [
        f"{counted(now.below, 'customer')} brought back {back:,.2f} {book.currency}".rstrip()
        + " more than they bought; they count as customers without revenue"
    ]


def _gone(book: Book, now: Ranked) -> Sequence[str]:
    inactive = int((~book.now.is_active[now.place[: now.core]]).sum())
    if not inactive:
        return []
    return [f"inactive now: {inactive:,} of these {counted(now.core, 'customer')}"]
