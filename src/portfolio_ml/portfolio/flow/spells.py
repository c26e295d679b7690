"""Spells: for each customer, the periods without a break in which they were active.

A spell begins with the first purchase, or with one after the activity window had passed without
any; it ends on the day on which the window has passed since its last purchase. On a day a customer
is active where a spell has begun and not ended, which is what `standing` says too.
"""

import narwhals as nw

from portfolio_ml.engine import Frame
from portfolio_ml.features.cut import seen_at
from portfolio_ml.portfolio.book import Book
from portfolio_ml.timeline import in_history, is_among_last


def spells(book: Book) -> Frame:
    """The spells of all customers, from the history at the as-of date.

    One row per spell, not sorted: customer; first_day, its first purchase; last_day, its last;
    ended_day, the first day on which the customer is not active any more, which lies after the
    as-of day where the spell goes on; is_first, whether the customer had not bought before.
    """
    window = book.frozen.activity_days
    bought = seen_at(book.inputs, [book.as_of_day]).filter(nw.col("is_purchase"))
    gap, day = nw.col("gap_days"), nw.col("day")
    begins = gap.is_null() | (gap > window)
    ends = nw.col("is_last") | (nw.col("next_day") - day > window)
    edges = bought.filter(begins | ends).select(
        "customer",
        "day",
        begins=begins,
        ends=ends,
        is_first=gap.is_null(),
    )
    later = nw.col("day").shift(-1).over("customer", order_by="day")
    paired = edges.with_columns(last_day=nw.when(nw.col("ends")).then(day).otherwise(later))
    begun = paired.filter(nw.col("begins"))
    return begun.select(
        "customer",
        "last_day",
        "is_first",
        first_day=day,
        ended_day=nw.col("last_day") + window,
    )


def active_on(spell: Frame, as_of: nw.Expr) -> Frame:
    """The spells in which a customer is active on a day, which may be an expression of theirs."""
    has_begun = in_history(nw.col("first_day"), as_of)
    return spell.filter(has_begun & is_among_last(nw.col("ended_day"), as_of))
