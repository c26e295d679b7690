"""Cohorts: of those who first bought in the same months, how many bought in each 90 days after."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.features.cut import seen_at
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.timeline import Span, to_date, to_day

PERIOD_DAYS = 90
MONTHS_UP_TO_DAYS = 550
QUARTERS_UP_TO_DAYS = 2200
SMALL = 30

COHORTS: Table = contract_of(
    "cohorts",
    grain="one cohort and period of 90 days after its customers' first purchases",
    key=("cohort", "period"),
    columns=(
        Column(
            "cohort", pa.string(), "when they first bought: 2024-05, 2024-Q2 or 2024, the finer "
            "the shorter the history",
        ),
        Column(
            "period", pa.string(), "days after the customer's own first purchase day, such as "
            "0001-0090",
        ),
        Column("customers", pa.int64(), "of the cohort"),
        Column(
            "bought", pa.int64(), "of them, who bought in the period",
            null="it is not over yet for everyone in the cohort",
        ),
        Column("share", pa.float64(), "bought / customers", null="likewise", decimals=4),
        Column(
            "revenue_per_customer", pa.float64(), "net revenue of the period / customers, "
            "currency units", null="likewise", decimals=2,
        ),
    ),
)  # fmt: skip

TITLE = "Who still buys: cohorts by first purchase"


@dataclass(frozen=True, slots=True)
class Cohort:
    """Those who first bought within some months.

    Attributes:
        name: Such as 2024-Q2.
        span: The first and the last day of these months; the last one at most the as-of day.
    """

    name: str
    span: Span


def cohorts_of(first: date, as_of: date) -> Iterator[Cohort]:
    """The cohorts of a history, the earliest first: months, quarters or years.

    Example:
        >>> [c.name for c in cohorts_of(date(2021, 11, 5), date(2024, 1, 10))][:2]
        ['2021-Q4', '2022-Q1']
    """
    days = (as_of - first).days
    months = 1 if days <= MONTHS_UP_TO_DAYS else 3 if days <= QUARTERS_UP_TO_DAYS else 12
    begin = date(first.year, first.month - (first.month - 1) % months, 1)
    while begin <= as_of:
        later = begin.month - 1 + months
        after = date(begin.year + later // 12, later % 12 + 1, 1)
        name = {1: f"{begin:%Y-%m}", 3: f"{begin.year}-Q{(begin.month + 2) // 3}"}
        last = min(after - timedelta(days=1), as_of)
        yield Cohort(name.get(months, f"{begin.year}"), Span(to_day(begin), to_day(last)))
        begin = after


def cohorts(book: Book) -> Figure:
    """The retention of each cohort, the earliest first, period after period."""
    of = list(cohorts_of(to_date(book.inputs.span.first_day), book.as_of))
    periods = (book.as_of_day - of[0].span.last_day) // PERIOD_DAYS
    if periods < 1:
        why = f"no cohort is older than {PERIOD_DAYS} days: its retention shows later"
        return absent(COHORTS, TITLE, why)
    size, bought, net = _counted(book, of, periods)
    number = np.arange(1, periods + 1)
    ends = np.array([c.span.last_day for c in of])[:, None] + PERIOD_DAYS * number[None, :]
    is_over = (ends <= book.as_of_day).ravel()
    somebody = np.repeat(size > 0, periods)
    rows = list(itertools.product([c.name for c in of], number.tolist()))
    known = np.where(is_over, 1.0, np.nan)[somebody]
    count = np.repeat(size, periods)[somebody]
    columns = {
        "cohort": [name for (name, _), there in zip(rows, somebody, strict=True) if there],
        "period": [_period(k) for (_, k), there in zip(rows, somebody, strict=True) if there],
        "customers": count,
        "bought": pa.array(bought.ravel()[somebody], mask=np.isnan(known)),
        "share": bought.ravel()[somebody] / count * known,
        "revenue_per_customer": net.ravel()[somebody] / MONEY_SCALE / count * known,
    }
    return present(COHORTS, TITLE, columns, as_of=book.as_of, notes=_notes(book, of, size))


def _period(number: int) -> str:
    return f"{PERIOD_DAYS * (number - 1) + 1:04}-{PERIOD_DAYS * number:04}"


def _counted(
    book: Book, of: list[Cohort], periods: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The customers of each cohort; and per cohort and period, the buyers and the net revenue."""
    engine = book.inputs.engine
    seen = seen_at(book.inputs, [book.as_of_day])
    is_first = nw.col("is_purchase") & nw.col("gap_days").is_null()
    first = seen.filter(is_first).select("customer", first_day="day")
    place = np.concatenate([np.full(c.span.days, k) for k, c in enumerate(of)])
    days = np.concatenate([np.arange(c.span.first_day, c.span.last_day + 1) for c in of])
    calendar = pa.table({"first_day": pa.array(days, pa.int32()), "cohort": pa.array(place)})
    placed = engine.keep(first.join(engine.from_arrow(calendar), on="first_day", how="inner"))
    sizes = engine.collect(placed.group_by("cohort").agg(customers=nw.len()))
    after = nw.col("day") - nw.col("first_day")
    later = (
        seen.select("customer", "day", "is_purchase", net=nw.col("spend") - nw.col("returned"))
        .join(placed, on="customer", how="inner")
        .with_columns(period=(after + PERIOD_DAYS - 1) // PERIOD_DAYS)
        .filter((after > 0) & (nw.col("period") <= periods))
    )
    per_customer = later.group_by("customer", "cohort", "period").agg(
        bought=nw.col("is_purchase").any().cast(nw.Int64), net=nw.col("net").sum().cast(nw.Int64)
    )
    found = engine.collect(
        per_customer.group_by("cohort", "period").agg(nw.col("bought", "net").sum())
    )
    size = np.zeros(len(of), np.int64)
    size[sizes["cohort"].to_numpy()] = sizes["customers"].to_numpy()
    shape = (len(of), periods)
    return size, _laid_out(found, "bought", shape), _laid_out(found, "net", shape)


def _laid_out(found: pa.Table, name: str, shape: tuple[int, int]) -> NDArray[np.int64]:
    values = np.zeros(shape, np.int64)
    values[found["cohort"].to_numpy(), found["period"].to_numpy() - 1] = found[name].to_numpy()
    return values


def _notes(book: Book, of: list[Cohort], size: NDArray[np.int64]) -> list[str]:
    begins = to_date(book.inputs.span.first_day)
    told = [f"the history begins on {begins}: {of[0].name} also holds customers from before it"]
    small = [c.name for c, count in zip(of, size, strict=True) if 0 < count < SMALL]
    if small:
        told.append(f"fewer than {SMALL} customers, so shares say little: {', '.join(small)}")
    return told
