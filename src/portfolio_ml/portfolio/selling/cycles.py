"""Reorder cycles: how long each customer usually waits before it buys a category again.

The logarithm of a gap between purchase days is taken as normal, around the customer's own level.
That level and the spread around it are shrunk to what is usual for the category, the more, the
fewer gaps there are (empirical Bayes with the moments of the portfolio).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from portfolio_ml.engine import Engine, Frame
from portfolio_ml.features.cut import seen_at
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.selling.category_days import category_days
from portfolio_ml.timeline import in_history

ANYTHING = "anything"
"""What stands for a category where a cycle is that of all that a customer buys."""
FEWEST_PURCHASE_DAYS = 3
FEWEST_ALIKE = 20
"""A category with fewer customers than these with a cycle takes what is usual from all."""
PRIOR_GAPS = 5.0
"""A customer's spread is shrunk to the usual one as if so many further gaps had shown it."""
WINDOW = 0.8
"""How likely the next purchase day, if there is one, is to lie in its window."""
LATE = 0.9
"""A gap beyond this share of a customer's gaps is no longer a reorder that is due."""

_GAPS = ("customer", "code", "day", "amount", "gap_days", "next_day")
_OF_ALL = -1
"""The code of `ANYTHING`."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cycles:
    """The cycle of each customer and category, as known on a day; all arrays of one length.

    Attributes:
        day: The last day that was seen.
        customer: The customer's number in the inputs.
        category: The category's name, or `ANYTHING`.
        purchase_days: Days on which the customer had bought it, at least three.
        last_day: The last of them.
        next_day: The next one in the history, after `day`; NaN where there is none.
        level: The mean of the logarithm of the gaps, shrunk.
        spread: The standard deviation with which the next one's lies around it.
        amount: What a purchase day of it usually comes to, 1/10,000 unit: the median.
    """

    day: int
    customer: NDArray[np.int64]
    category: NDArray[np.object_]
    purchase_days: NDArray[np.int64]
    last_day: Numbers
    next_day: Numbers
    level: Numbers
    spread: Numbers
    amount: Numbers

    @property
    def cycle_days(self) -> Numbers:
        """How long the customer usually waits: the median gap."""
        found: Numbers = np.exp(self.level)
        return found

    @property
    def due_day(self) -> Numbers:
        """The day on which the next purchase is due."""
        return np.round(self.last_day + self.cycle_days)

    @property
    def waited_days(self) -> Numbers:
        """The days since the last purchase."""
        return self.day - self.last_day

    @property
    def longest_days(self) -> Numbers:
        """The gap that 90 % of the customer's own do not exceed."""
        found: Numbers = np.exp(self.level + ndtri(LATE) * self.spread)
        return found

    def window(self) -> tuple[Numbers, Numbers]:
        """Between which days the next purchase lies with `WINDOW`, given that it has not come.

        It is said of those who do buy again.
        """
        with np.errstate(divide="ignore"):
            gone = ndtr((np.log(self.waited_days) - self.level) / self.spread)
        tails = [(1 - WINDOW) / 2, (1 + WINDOW) / 2]
        low, high = (
            np.exp(self.level + self.spread * ndtri(gone + (1 - gone) * tail)) for tail in tails
        )
        first = np.maximum(np.floor(self.last_day + low), self.day + 1)
        return first, np.maximum(np.ceil(self.last_day + high), first)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Cycles":
        """Some of them."""
        return Cycles(
            self.day, self.customer[chosen], self.category[chosen], self.purchase_days[chosen],
            self.last_day[chosen], self.next_day[chosen], self.level[chosen], self.spread[chosen],
            self.amount[chosen],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps between the purchase days of customers and categories.

    Attributes:
        days: One row per customer, code and purchase day: amount, gap_days before it, next_day.
            In the rows of the code -1 is all that a customer bought on the day. What was bought on
            fewer than three days is left out.
        categories: The names behind the codes, by code.
    """

    days: Frame
    categories: tuple[str, ...] = ()

    def of(self, numbers: NDArray[np.int64], engine: Engine) -> "Gaps":
        """The same of some customers; computed once."""
        some = engine.from_arrow(pa.table({"customer": pa.array(numbers, pa.int32())}))
        days = self.days.join(some, on="customer", how="semi")
        return Gaps(engine.keep(days), self.categories)


def purchase_gaps(book: Book) -> Gaps:
    """What was bought by the book's as-of date, with the gaps between; computed once."""
    engine, anything = book.inputs.engine, _gaps_of_anything(book.inputs, book.as_of_day)
    if "category" not in book.inputs.columns:
        return Gaps(engine.keep(anything))
    bought = category_days(book)
    days = bought.days
    if "known_day" in book.inputs.columns:
        days = days.group_by("customer", "code", "day").agg(amount=nw.col("amount").sum())
        days = engine.keep(days)
    return Gaps(engine.keep(nw.concat([anything, _with_gaps(days)])), bought.categories)


def _gaps_of_anything(inputs: Inputs, as_of_day: int) -> Frame:
    """The same of all that customers bought; the history has its gaps already."""
    seen = seen_at(inputs, [as_of_day]).filter(nw.col("is_purchase"))
    next_day = nw.when(in_history(nw.col("next_day"), as_of_day)).then(nw.col("next_day"))
    return (
        _often(seen, "customer")
        .select(
            "customer",
            "day",
            "gap_days",
            code=nw.lit(_OF_ALL).cast(nw.Int32),
            amount="spend",
            next_day=next_day,
        )
        .select(*_GAPS)
    )


def _often(days: Frame, *keys: str) -> Frame:
    """The days of what was bought on three or more."""
    counted = days.group_by(*keys).agg(_count=nw.len())
    often = counted.filter(nw.col("_count") >= FEWEST_PURCHASE_DAYS).select(*keys)
    return days.join(often, on=[*keys], how="semi")


def _with_gaps(days: Frame) -> Frame:
    """The days with the gap before and the day after, of what was bought on three or more."""
    keys, day = ("customer", "code"), nw.col("day")
    kept = _often(days, *keys)

    def moved(by: int) -> nw.Expr:
        return day.shift(by).over(*keys, order_by="day")

    gaps = kept.with_columns(gap_days=day - moved(1), next_day=moved(-1))
    return gaps.select(*_GAPS)


def cycles_at(gaps: Gaps, day: int, engine: Engine) -> Cycles:
    """The cycles on a day of customers with three purchase days by then."""
    gap = nw.col("gap_days").cast(nw.Float64).log()
    seen = gaps.days.filter(in_history(nw.col("day"), day)).with_columns(_log=gap, _log2=gap * gap)
    by_code = seen.group_by("customer", "code").agg(
        purchase_days=nw.len().cast(nw.Int64),
        last_day=nw.col("day").max().cast(nw.Float64),
        next_day=nw.col("next_day").max().cast(nw.Float64),
        log=nw.col("_log").sum(),
        log2=nw.col("_log2").sum(),
        amount=nw.col("amount").median(),
    )
    regular = by_code.filter(nw.col("purchase_days") >= FEWEST_PURCHASE_DAYS)
    rows = engine.collect(regular.sort("customer", "code"))
    return _shrunk(rows, day, gaps.categories)


def _shrunk(rows: pa.Table, day: int, names: Sequence[str]) -> Cycles:
    count = _numbers(rows, "purchase_days") - 1
    mean = _numbers(rows, "log") / count
    around = np.maximum(_numbers(rows, "log2") - count * mean**2, 0)
    code = rows["code"].to_numpy()
    usual = _usual(count, mean, around, code + 1)
    level = (count * mean + usual.weight * usual.level) / (count + usual.weight)
    own = (PRIOR_GAPS * usual.within + around) / (PRIOR_GAPS + count - 1)
    next_day = _numbers(rows, "next_day")
    return Cycles(
        day=day,
        customer=rows["customer"].to_numpy().astype(np.int64),
        category=np.array([ANYTHING, *names], object)[code + 1],
        purchase_days=rows["purchase_days"].to_numpy(),
        last_day=_numbers(rows, "last_day"),
        next_day=np.where(next_day > day, next_day, np.nan),
        level=level,
        spread=np.sqrt(np.maximum(own * (1 + 1 / (count + usual.weight)), 1e-6)),
        amount=_numbers(rows, "amount"),
    )


@dataclass(frozen=True, slots=True)
class _Usual:
    """What is usual for the category of each row: level, variance within a customer, prior gaps."""

    level: Numbers
    within: Numbers
    weight: Numbers


def _usual(count: Numbers, mean: Numbers, around: Numbers, code: NDArray[np.int64]) -> _Usual:
    rows_of = np.bincount(code)
    found = np.tile(_moments(count, mean, around), (rows_of.size, 1))
    for each in np.flatnonzero(rows_of >= FEWEST_ALIKE):
        of = code == each
        found[each] = _moments(count[of], mean[of], around[of])
    return _Usual(*found[code].T)


def _moments(count: Numbers, mean: Numbers, around: Numbers) -> Sequence[float]:
    """The mean of the levels, the variance within, and within / between: the prior's gaps."""
    if not count.size:
        return 0.0, 0.0, 0.0
    within = around.sum() / max((count - 1).sum(), 1)
    between = max(float(mean.var()) - within * float((1 / count).mean()), 1e-3)
    return float(mean.mean()), float(within), float(within / between)


def _numbers(rows: pa.Table, name: str) -> Numbers:
    values = rows[name].cast(pa.float64()).combine_chunks()
    return np.asarray(values.fill_null(np.nan).to_numpy(zero_copy_only=False))
