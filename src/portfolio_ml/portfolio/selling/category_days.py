"""What each customer bought of each category on each day: what reorders and cross-selling read.

Categories travel as numbers: texts of many millions of lines are slow to group by.
"""

from dataclasses import dataclass

import narwhals as nw
import pyarrow as pa

from portfolio_ml.engine import Frame
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.portfolio.book import Book
from portfolio_ml.timeline import in_history


@dataclass(frozen=True, slots=True)
class CategoryDays:
    """The days on which categories were bought.

    Attributes:
        days: One row per customer, code, day and known_day (from which the purchase was known):
            amount, 1/10,000 unit. Returns are left out, and lines that tell no category.
        categories: The names behind the codes, by code, sorted.
    """

    days: Frame
    categories: tuple[str, ...]


def category_days(book: Book) -> CategoryDays:
    """What was bought by the book's as-of date; computed once, of a book whose lines tell it."""
    return book.once(_of_book)


def category_days_at(inputs: Inputs, as_of_day: int) -> CategoryDays:
    """What was bought and known on a day.

    Args:
        inputs: The portfolio's tables; lines have a category.
        as_of_day: The last day to see.
    """
    engine = inputs.engine
    known = nw.col("known_day") if "known_day" in inputs.columns else nw.col("day")
    is_told = (nw.col("amount") >= 0) & ~nw.col("category").is_null()
    bought = inputs.lines.filter(in_history(known, as_of_day) & is_told)
    counted = engine.collect(bought.group_by("category").agg(lines=nw.len()))
    names = sorted(counted["category"].to_pylist())
    codes = {
        "category": pa.array(names, pa.string()),
        "code": pa.array(range(len(names)), pa.int32()),
    }
    lines = bought.select("customer", "category", "day", "amount", known_day=known)
    coded = lines.join(engine.from_arrow(pa.table(codes)), on="category", how="inner")
    days = coded.group_by("customer", "code", "day", "known_day").agg(
        amount=nw.col("amount").cast(nw.Float64).sum()
    )
    return CategoryDays(engine.keep(days), tuple(names))


def _of_book(book: Book) -> CategoryDays:
    return category_days_at(book.inputs, book.as_of_day)
