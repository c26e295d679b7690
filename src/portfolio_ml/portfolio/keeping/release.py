"""Release: customers who cost more than they bring, and whether they fit where money is earned.

The list is no advice to drop anyone: with those who fit, prices and the cost to serve are looked
at; only those who fit nowhere are candidates.
"""

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.features.cut import KEYS, seen_at
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.keeping.texts import joined, only
from portfolio_ml.portfolio.stock import YEAR_DAYS, Stock
from portfolio_ml.portfolio.sums import grouped
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.timeline import in_window
from portfolio_ml.wording import counted

FEWEST = 20
"""A section of fewer customers tells nothing of whether money is earned in it."""
EVERYBODY = "all customers"
_NO_SECTIONS = ("lifecycle_stage", "segment_name")

RELEASE: Table = contract_of(
    "release",
    grain="one active customer of over a year who cost more than it brought",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "who"),
        Column("is_candidate", pa.bool_(),
               "whether the customer fits no section where money is earned: may be let go"),
        Column("result", pa.float64(),
               "margin - service cost of the last 365 days, currency units, below 0", decimals=2),
        Column("result_before", pa.float64(),
               "margin - service cost of the 365 days before those",
               null="lines tell no cost, or the customer came later", decimals=2),
        Column("revenue", pa.float64(), "net, last 365 days", decimals=2),
        Column("margin", pa.float64(), "net of cost, last 365 days",
               null="lines tell no cost: revenue stands for it, so the loss is larger", decimals=2),
        Column("service_cost", pa.float64(), "of a year, as the customers table has it",
               null="the customers table tells none", decimals=2),
        Column("fits", pa.string(),
               "the sections of the customer where money is earned, that is, whose active "
               "customers of over a year bring more than they cost together; joined by '; '",
               null="there is none"),
    ),
)  # fmt: skip

TITLE = "Customers who cost more than they bring"
NO_COST = (
    "neither what lines cost nor what customers cost to serve is known: map cost in the "
    "transactions, or service_cost in the customers table"
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Results:
    """What each customer brought; shape (customers,), currency units.

    Attributes:
        margin: Of the last 365 days; NaN where lines tell no cost.
        service_cost: Of a year; NaN where it is not known.
        result: Margin (revenue, where there is none) minus service cost (0, where not known).
    """

    margin: Floats
    service_cost: Floats
    result: Floats


def release(book: Book) -> Figure:
    """The customers who cost more than they brought over the last year.

    Those who fit nowhere come first, then the largest losses. Only active customers of over a year
    are judged: the first year is an investment, and who has left need not be let go.
    """
    stock = book.now
    has_margin, has_service = stock.has("margin"), stock.has("service_cost")
    if not has_margin and not has_service:
        return absent(RELEASE, TITLE, NO_COST)
    found = results_of(stock)
    fits = fits_of(book, found)
    is_losing = (found.result < 0) & is_judged_of(stock)
    some = np.flatnonzero(is_losing)
    is_candidate = np.array([fit is None for fit in fits], np.bool_)
    some = some[np.lexsort((some, found.result[some], ~is_candidate[some]))]
    before = _before(book, found)
    columns: dict[str, NDArray[Any]] = {
        "customer_id": stock.texts("customer_id"),
        "is_candidate": is_candidate,
        "result": found.result,
        "result_before": before,
        "revenue": stock.money("revenue") / MONEY_SCALE,
        "margin": found.margin,
        "service_cost": found.service_cost,
        "fits": fits,
    }
    rows = {name: values[some] for name, values in columns.items()}
    notes = _notes(book, found, some, is_candidate[some])
    again = int((before[some] < 0).sum())
    if np.isfinite(before[some]).any():
        notes.append(f"{again:,} of them did in the year before, too")
    return present(RELEASE, TITLE, rows, as_of=book.as_of, notes=notes)


def results_of(stock: Stock) -> Results:
    """What each customer brought over the last year, service included."""
    unknown = np.full(stock.count, np.nan)
    margin = stock.money("margin") / MONEY_SCALE if stock.has("margin") else unknown
    service = stock.column("service_cost") if stock.has("service_cost") else unknown
    brought = margin if stock.has("margin") else stock.money("revenue") / MONEY_SCALE
    return Results(margin, service, brought - np.nan_to_num(service))


def is_judged_of(stock: Stock) -> NDArray[np.bool_]:
    """Which customers are judged: the active ones of over a year."""
    return stock.is_active & (stock.column("tenure_days") > YEAR_DAYS)


def fits_of(book: Book, found: Results) -> NDArray[np.object_]:
    """The sections of each customer where money is earned, in words; None where there is none.

    A section counts whose customers together bring more than they cost: the active ones of over a
    year, 20 at least. Not the median customer, whose result is
    often next to nothing and falls on either side by chance. Where all of a customer's sections are
    smaller, all customers together are the section. The stage of life and the champion's segments
    are no sections to fit in: they say how a customer buys, and not who it is.
    """
    stock = book.now
    is_judged = is_judged_of(stock)
    result = np.where(is_judged, found.result, 0.0)
    told = np.zeros(stock.count, np.bool_)
    parts = []
    for names in book.sections:
        if not all(map(stock.has, names)) or set(names) & {*_NO_SECTIONS}:
            continue
        label = stock.section(*names)
        _, number = grouped(label)
        is_enough = np.bincount(number, weights=is_judged) >= FEWEST
        does_earn = np.bincount(number, weights=result) > 0
        is_told = is_enough[number] & stock.is_known(*names)
        told |= is_told
        named = np.array([f"{' x '.join(names)} "], object) + label
        parts.append(only(named, is_told & does_earn[number]))
    everybody = np.full(stock.count, EVERYBODY, object)
    parts.append(only(everybody, ~told & bool(result.sum() > 0)))
    return joined(parts, "; ")


def _before(book: Book, found: Results) -> Floats:
    """The result of the year before, at today's service cost; NaN where it cannot be told."""
    stock = book.now
    if not stock.has("margin"):
        return np.full(stock.count, np.nan)
    is_before = in_window(nw.col("age_days") - YEAR_DAYS, YEAR_DAYS)
    margin = nw.when(is_before).then(nw.col("margin")).otherwise(0).sum()
    seen = seen_at(book.inputs, [stock.as_of_day])
    sums = book.inputs.engine.collect(seen.group_by(*KEYS).agg(margin=margin))
    before = stock.beside(sums)["margin"] / MONEY_SCALE - np.nan_to_num(found.service_cost)
    return np.where(stock.column("tenure_days") >= YEAR_DAYS, before, np.nan)


def _notes(
    book: Book, found: Results, some: NDArray[np.int64], is_candidate: NDArray[np.bool_]
) -> list[str]:
    unit = f" {book.currency}" if book.currency else ""
    losing = counted(int(some.size), "customer")
    lost = f"{losing} of over a year cost {-found.result[some].sum():,.0f}{unit} more than brought"
    fit = int(is_candidate.sum())
    notes = [f"{lost}; {fit:,} of them fit no section where money is earned"]
    if np.isnan(found.margin).all():
        notes.append("lines tell no cost: revenue stands for margin, so losses are larger")
    if np.isnan(found.service_cost).all():
        notes.append("what customers cost to serve is not known, and taken as nothing")
    return notes
