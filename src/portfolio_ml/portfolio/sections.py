"""Sections: the portfolio by value tier, lifecycle stage, segment and attributes, or crossed.

The sections of one dimension add up to the portfolio in customers, revenue, orders and value at
risk; customers of whom the attribute is not known are a section of their own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import NO_SCORES, Book
from portfolio_ml.portfolio.figure import Figure, contract_of, present
from portfolio_ml.portfolio.stock import Stock
from portfolio_ml.portfolio.sums import grouped, ratio, summed
from portfolio_ml.schema import MONEY_SCALE, Column, Table

USUALLY_INACTIVE = 0.5
"""The share of a customer database that is often said to be inactive: a rule of thumb, no source
counts it; it stands beside the portfolio's own figure for comparison."""

SECTIONS: Table = contract_of(
    "sections",
    grain="one section of one dimension",
    key=("dimension", "section"),
    columns=(
        Column("dimension", pa.string(), "what parts the customers, such as region x value_tier"),
        Column("section", pa.string(), "the value of it, such as North / A"),
        Column("customers", pa.int64(), "customers with a purchase so far"),
        Column("active", pa.int64(), "of them, those within the activity window"),
        Column("active_share", pa.float64(), "active / customers", decimals=4),
        Column("inactive_share", pa.float64(), "the other ones / customers", decimals=4),
        Column("revenue", pa.float64(), "net, last 365 days, currency units", decimals=2),
        Column(
            "revenue_share", pa.float64(), "of the portfolio's", null="that is not above 0",
            decimals=4,
        ),
        Column("orders", pa.int64(), "of the last 365 days"),
        Column(
            "average_ticket", pa.float64(), "revenue / orders", null="no order in 365 days",
            decimals=2,
        ),
        Column(
            "repurchase_days", pa.float64(), "median over customers of their typical gap",
            decimals=1,
        ),
        Column(
            "margin", pa.float64(), "net of cost, last 365 days, currency units",
            null="lines tell no cost", decimals=2,
        ),
        Column(
            "margin_share", pa.float64(), "margin / revenue",
            null="lines tell no cost, or no revenue", decimals=4,
        ),
        Column(
            "churn", pa.float64(), "mean p_churn of the active", null="no scores, or nobody active",
            decimals=4,
        ),
        Column(
            "value_at_risk", pa.float64(), "sum of p_churn x value if the customer buys",
            null="no scores", decimals=2,
        ),
    ),
)  # fmt: skip

TITLE = "The portfolio by section"


def sections(book: Book) -> Figure:
    """Each section of each dimension, the largest revenue first.

    A dimension that names a column which the portfolio lacks is left out, and told in the notes.
    """
    there = [names for names in book.sections if all(map(book.now.has, names))]
    lacking = [names for names in book.sections if names not in there]
    parts = [_dimension(book.now, names, has_scores=book.has_scores) for names in there]
    columns = {
        name: [value for part in parts for value in part[name]]
        for name in SECTIONS.names
        if name != "as_of"
    }
    notes = [f"no section by {' x '.join(names)}: there is no such column" for names in lacking]
    if not book.has_scores:
        notes.append(f"churn and value at risk are missing: {NO_SCORES}")
    return present(SECTIONS, TITLE, columns, as_of=book.as_of, notes=[_inactive(book.now), *notes])


def _inactive(stock: Stock) -> str:
    share = 1 - stock.is_active.mean() if stock.count else 0.0
    return (
        f"{share:.0%} of the customers are inactive; {USUALLY_INACTIVE:.0%} is often quoted as "
        "usual, a rule of thumb"
    )


def _dimension(
    stock: Stock, names: Sequence[str], *, has_scores: bool
) -> dict[str, Sequence[object]]:
    """The sections of one dimension, as columns."""
    label = stock.section(*names)
    found, place = grouped(label)
    revenue = summed(stock.money("revenue"), place, found.size)
    order = np.lexsort((found, -revenue))
    customers = np.bincount(place, minlength=found.size).astype(np.int64)
    active = np.bincount(place[stock.is_active], minlength=found.size)
    orders = summed(stock.money("orders_365d"), place, found.size)
    margin = (
        summed(stock.money("margin"), place, found.size) / MONEY_SCALE
        if stock.has("margin")
        else np.full(found.size, np.nan)
    )
    whole = revenue.sum()
    gaps = stock.column("typical_gap_days")
    columns: dict[str, NDArray[Any]] = {
        "dimension": np.full(found.size, " x ".join(names), object),
        "section": found.astype(object),
        "customers": customers,
        "active": active,
        "active_share": active / customers,
        "inactive_share": 1 - active / customers,
        "revenue": revenue / MONEY_SCALE,
        "revenue_share": revenue / whole if whole > 0 else np.full(found.size, np.nan),
        "orders": orders,
        "average_ticket": ratio(revenue / MONEY_SCALE, orders),
        "repurchase_days": np.array([np.median(gaps[place == n]) for n in range(found.size)]),
        "margin": margin,
        "margin_share": ratio(margin, revenue / MONEY_SCALE),
        **_risk(stock, place, found.size, has_scores=has_scores),
    }
    return {name: values[order].tolist() for name, values in columns.items()}


def _risk(
    stock: Stock, place: NDArray[np.int64], size: int, *, has_scores: bool
) -> dict[str, NDArray[np.float64]]:
    if not has_scores:
        return dict.fromkeys(("churn", "value_at_risk"), np.full(size, np.nan))
    p_churn, at_risk = stock.column("p_churn"), stock.column("value_at_risk")
    is_scored = ~np.isnan(p_churn)
    total = np.bincount(place[is_scored], weights=p_churn[is_scored], minlength=size)
    count = np.bincount(place[is_scored], minlength=size)
    value = np.bincount(place, weights=np.nan_to_num(at_risk), minlength=size)
    return {"churn": ratio(total, count), "value_at_risk": np.asarray(value, np.float64)}
