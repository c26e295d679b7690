"""What the portfolio's figures say of each customer: columns of the customer rows."""

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.today.terms import terms_of

_SOURCES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "potential_gap": ("potential", "potential_gap"),
        "winback_value": ("winback", "winback_value"),
        "next_category": ("next_category", "category"),
        "priority_rank": ("daily_list", "rank"),
        "action": ("daily_list", "action"),
    }
)
"""Per column of the customer rows, the figure that has it and what it is called there."""

NEEDS = (*dict.fromkeys(figure for figure, _ in _SOURCES.values()), "matches")
"""The figures that the columns come from."""


def customer_figures(book: Book, found: Mapping[str, Figure]) -> pa.Table:
    """One row per customer of today's stock: customer_id, and the columns; null where none.

    Args:
        book: What the figures were computed from.
        found: The figures that `NEEDS` names.
    """
    customers = book.now.rows["customer_id"].combine_chunks()
    columns: dict[str, pa.Array] = {"customer_id": customers}
    for column, (name, held) in _SOURCES.items():
        rows = found[name].rows
        place = pc.index_in(customers, rows["customer_id"].combine_chunks())
        columns[column] = rows[held].combine_chunks().take(place)
    columns["best_representative"] = _newly_assigned(found["matches"].rows, customers)
    terms = terms_of(book.now, book.settings.terms)
    return pa.table(columns | {name: pa.array(held, pa.string()) for name, held in terms.items()})


def _newly_assigned(matches: pa.Table, customers: pa.Array) -> pa.Array:
    """Who is to look after each customer; null where that is who does."""
    present = pc.fill_null(matches["representative_id"], "")
    assigned = matches["assigned_representative_id"].combine_chunks()
    changes = pc.fill_null(pc.not_equal(assigned, present.combine_chunks()), fill_value=False)
    told = pc.if_else(changes, assigned, None)
    place = pc.index_in(customers, matches["customer_id"].combine_chunks())
    return told.take(place)
