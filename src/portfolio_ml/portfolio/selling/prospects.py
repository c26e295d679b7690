"""Prospects by how like the best customers and unlike the worst they are.

The best are the quarter of the customers who brought most in the first year after their first
purchase, the worst the quarter who brought least; so old and new customers are compared alike, and
those who soon left are among the worst.
"""

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from portfolio_ml.features.cut import seen_at
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.selling.likeness import (
    Likeness,
    Trait,
    evidence,
    likeness,
    trait,
    weighed,
)
from portfolio_ml.schema import MONEY_SCALE, Column, Table

PERIODS_DAYS = (365, 180, 90)
"""The first one after their first purchase that half of the customers have behind them; or else
the shortest."""
FEWEST_CUSTOMERS = 120
QUARTER = 0.25
NO_TRAITS = (
    "representative_id", "ended_at", "signup_date", "service_cost", "referred_by", "valid_from",
)  # fmt: skip
"""What comes of being a customer is no trait of a prospect."""
NAMED = 3
BANDS = 5
NO_PROSPECTS = "there are no prospects: name their table under data.prospects"
NO_SHARED = (
    "customers and prospects share no attribute that tells customers apart: the same columns are "
    "needed in both tables"
)

PROSPECT_FIT: Table = contract_of(
    "prospect_fit",
    grain="one prospect",
    key=("prospect_id",),
    columns=(
        Column("prospect_id", pa.string(), "the prospect"),
        Column("rank", pa.int64(), "1 for the best fit; equal ones share it"),
        Column(
            "fit", pa.float64(), "of the best and the worst customers as like as this, the share "
            "that is among the best", decimals=4,
        ),
        Column(
            "expected_value", pa.float64(), "mean net spend in the first year (or the period in "
            "the notes) of the fifth of the customers who are as like, currency units", decimals=2,
        ),
        Column("alike", pa.string(), "what makes it like the best", null="nothing does"),
        Column("unlike", pa.string(), "what makes it like the worst", null="nothing does"),
        Column("traits_known", pa.int64(), "attributes of it that weigh something"),
    ),
)  # fmt: skip

PROSPECT_TRAITS: Table = contract_of(
    "prospect_traits",
    grain="one attribute and level of it",
    key=("attribute", "level"),
    columns=(
        Column("attribute", pa.string(), "the attribute"),
        Column("level", pa.string(), "its value, or range of values"),
        Column("best", pa.int64(), "customers with it among the best"),
        Column("worst", pa.int64(), "customers with it among the worst"),
        Column("prospects", pa.int64(), "prospects with it"),
        Column(
            "times_commoner", pa.float64(), "how many times as common it is among the best, "
            "shrunk to 1 where few have it", decimals=2,
        ),
    ),
)  # fmt: skip

TITLE = "Prospects by their likeness to the best customers"
TRAITS_TITLE = "What the best customers have in common"


@dataclass(frozen=True, slots=True)
class Fit:
    """What prospects are judged by.

    Attributes:
        ids: The prospects.
        traits: The attributes that customers and prospects share.
        found: What tells the best customers from the worst.
        best: The best customers, by their places in today's stock.
        worst: The worst ones.
        asked: Those with the period behind them.
        value: What each customer brought in it, 1/10,000 unit.
        period_days: How long it is.
    """

    ids: pa.Array
    traits: tuple[Trait, ...]
    found: Likeness
    best: NDArray[np.int64]
    worst: NDArray[np.int64]
    asked: NDArray[np.int64]
    value: NDArray[np.float64]
    period_days: int

    @property
    def judged(self) -> str:
        """How well it tells them apart, for people."""
        found = self.found
        return (
            f"one of the best customers is ranked above one of the worst in {found.auroc:.0%} "
            f"(95 % interval {found.auroc_low:.0%} to {found.auroc_high:.0%}; chance 50%) of "
            "pairs that were left out"
        )

    @property
    def no_better(self) -> str:
        """Why prospects are not ranked, where attributes do no better than chance."""
        return f"what is known of customers does not tell the best from the worst: {self.judged}"


def prospect_fit(book: Book, fit: Fit | str | None = None) -> Figure:
    """The prospects, the best fit first; absent where attributes do no better than chance.

    Args:
        book: The portfolio.
        fit: What `fit_of` says of it, where that is at hand.
    """
    fit = fit_of(book) if fit is None else fit
    if isinstance(fit, str):
        return absent(PROSPECT_FIT, TITLE, fit)
    if not fit.found.tells:
        return absent(PROSPECT_FIT, TITLE, fit.no_better)
    of_customers, of_prospects = evidence(fit.traits, fit.found.weights)
    score = expit(fit.found.intercept + fit.found.slope * of_prospects)
    order = np.lexsort((np.asarray(fit.ids.to_pylist(), str), -score))
    alike, unlike, known = _words(fit)
    _, place = np.unique(-score, return_inverse=True)
    columns = {
        "prospect_id": fit.ids.take(pa.array(order)),
        "rank": (np.cumsum(np.r_[0, np.bincount(place)])[place] + 1)[order],
        "fit": score[order],
        "expected_value": _expected(fit, of_customers, of_prospects)[order],
        "alike": [alike[n] for n in order],
        "unlike": [unlike[n] for n in order],
        "traits_known": known[order],
    }
    return present(PROSPECT_FIT, TITLE, columns, as_of=book.as_of, notes=_notes(fit))


def prospect_traits(book: Book, fit: Fit | str | None = None) -> Figure:
    """The levels of the shared attributes, those that tell most first.

    Args:
        book: The portfolio.
        fit: What `fit_of` says of it, where that is at hand.
    """
    fit = fit_of(book) if fit is None else fit
    if isinstance(fit, str):
        return absent(PROSPECT_TRAITS, TRAITS_TITLE, fit)
    if not fit.found.tells:
        return absent(PROSPECT_TRAITS, TRAITS_TITLE, fit.no_better)
    rows: list[dict[str, Any]] = [
        {
            "attribute": each.name,
            "level": level,
            "best": int((each.customers[fit.best] == number).sum()),
            "worst": int((each.customers[fit.worst] == number).sum()),
            "prospects": int((each.prospects == number).sum()),
            "times_commoner": float(np.exp(weight[number])),
        }
        for each, weight in zip(fit.traits, fit.found.weights, strict=True)
        for number, level in enumerate(each.levels)
    ]
    rows.sort(key=lambda row: (-abs(np.log(row["times_commoner"])), row["attribute"], row["level"]))
    columns = {name: [row[name] for row in rows] for name in PROSPECT_TRAITS.names[1:]}
    return present(PROSPECT_TRAITS, TRAITS_TITLE, columns, as_of=book.as_of, notes=_notes(fit))


def fit_of(book: Book) -> Fit | str:
    """What prospects are judged by; or why they cannot be."""
    if book.prospects is None:
        return NO_PROSPECTS
    table = book.inputs.engine.collect(book.prospects.frame.sort("prospect_id"))
    first = book.now.column("tenure_days") + 1
    if (first >= PERIODS_DAYS[-1]).sum() < FEWEST_CUSTOMERS:
        return (
            f"fewer than {FEWEST_CUSTOMERS} customers bought first {PERIODS_DAYS[-1]} days ago or "
            "earlier: too few to tell the best from the worst"
        )
    fewest = max(FEWEST_CUSTOMERS, book.now.count / 2)
    long = (days for days in PERIODS_DAYS if (first >= days).sum() >= fewest)
    period_days = next(long, PERIODS_DAYS[-1])
    asked = np.flatnonzero(first >= period_days)
    value = _value(book, period_days)
    low, high = np.quantile(value[asked], [QUARTER, 1 - QUARTER])
    if low == high:
        return "half of the customers brought the same: there are no best and worst"
    best, worst = asked[value[asked] >= high], asked[value[asked] <= low]
    judged = np.concatenate([best, worst])
    traits = tuple(
        found
        for name in sorted(book.now.attributes & {*table.column_names} - {*NO_TRAITS})
        if (found := _trait(book, table, name, judged)) is not None
    )
    if not traits:
        return NO_SHARED
    return Fit(
        ids=table["prospect_id"].combine_chunks(),
        traits=traits,
        found=likeness(traits, best=best, worst=worst),
        best=best,
        worst=worst,
        asked=asked,
        value=value,
        period_days=period_days,
    )


def _trait(book: Book, table: pa.Table, name: str, judged: NDArray[np.int64]) -> Trait | None:
    columns = [rows[name].combine_chunks() for rows in (book.now.rows, table)]
    if name != "birthday":
        return trait(name, *columns, judged=judged)
    ages = [
        pa.array(
            (book.as_of_day - column.cast(pa.float64()).fill_null(np.nan).to_numpy()) / 365.25,
            from_pandas=True,
        )
        for column in columns
    ]
    return trait("age in years", *ages, judged=judged)


def _value(book: Book, days: int) -> NDArray[np.float64]:
    """What each of today's customers brought within so many days of its first purchase."""
    first = book.as_of_day - book.now.column("tenure_days")
    numbers = book.now.rows["customer"].combine_chunks()
    began = book.inputs.engine.from_arrow(
        pa.table({"customer": numbers, "first_day": pa.array(first.astype(np.int32))})
    )
    age = nw.col("day") - nw.col("first_day")
    seen = seen_at(book.inputs, [book.as_of_day]).join(began, on="customer", how="inner")
    sums = (
        seen.filter((age >= 0) & (age < days))
        .group_by("customer")
        .agg(value=(nw.col("spend") - nw.col("returned")).sum())
    )
    table = book.inputs.engine.collect(sums.sort("customer"))
    found = np.zeros(book.now.count)
    found[np.searchsorted(numbers.to_numpy(), table["customer"].to_numpy())] = table[
        "value"
    ].to_numpy()
    return found


def _expected(
    fit: Fit, of_customers: NDArray[np.float64], of_prospects: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean value of the customers in each prospect's fifth, by likeness."""
    told = of_customers[fit.asked]
    edges = np.unique(np.quantile(told, np.arange(1, BANDS) / BANDS))
    band = np.searchsorted(edges, told, side="right")
    count = np.bincount(band, minlength=edges.size + 1)
    total = np.bincount(band, weights=fit.value[fit.asked], minlength=edges.size + 1)
    mean = np.divide(total, count, out=np.zeros(count.size), where=count > 0) / MONEY_SCALE
    return np.asarray(mean[np.searchsorted(edges, of_prospects, side="right")])


def _words(fit: Fit) -> tuple[list[str | None], list[str | None], NDArray[np.int64]]:
    """What makes each prospect like the best and like the worst, and of how much is known."""
    weights = np.stack(
        [
            weighed(weight, each.prospects)
            for each, weight in zip(fit.traits, fit.found.weights, strict=True)
        ]
    )
    said = np.stack(
        [
            np.array([f"{each.name} {level}" for level in each.levels] + [""], object)[
                each.prospects
            ]
            for each in fit.traits
        ]
    )

    def told(sign: int) -> list[str | None]:
        order = np.argsort(-sign * weights, axis=0, kind="stable")[:NAMED]
        largest = np.take_along_axis(sign * weights, order, axis=0)
        words = np.take_along_axis(said, order, axis=0)
        return [
            "; ".join(w for w, weight in zip(ws, of, strict=True) if weight > 0) or None
            for ws, of in zip(words.T, largest.T, strict=True)
        ]

    known = np.sum([each.prospects >= 0 for each in fit.traits], axis=0)
    return told(1), told(-1), np.asarray(known, np.int64)


def _notes(fit: Fit) -> list[str]:
    names = ", ".join(each.name for each in fit.traits)
    who = (
        f"the best {fit.best.size} and the worst {fit.worst.size} of {fit.asked.size} customers "
        f"by what they brought in their first {fit.period_days} days"
    )
    return [fit.judged, who, f"compared by {names}"]
