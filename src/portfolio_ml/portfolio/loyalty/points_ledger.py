"""The ledger of a loyalty programme: points by the configured rule, or from a table, or both.

By the rule, net spend earns points the day it is spent, and a return takes points back. Points are
not rounded for an order, since programmes round in their own ways: they are held in whole 1/10,000
of a point (`schema.POINTS_SCALE`), like money, so that balances do not depend on an order.
"""

from dataclasses import dataclass
from typing import Protocol

import narwhals as nw
import numpy as np
import pyarrow as pa

from portfolio_ml.config import Loyalty
from portfolio_ml.engine import Engine, Frame, distinct
from portfolio_ml.features.cut import seen_at
from portfolio_ml.portfolio.book import Book
from portfolio_ml.schema import MONEY_SCALE, POINTS_SCALE
from portfolio_ml.timeline import in_history

RETURN = "return"
"""The reason of an entry that takes points back for goods that were returned."""


class PointsTable(Protocol):
    """What is asked of a loaded table of points."""

    @property
    def frame(self) -> Frame:
        """One row per entry: customer_id, day, points, reason and expires_day."""

    @property
    def columns(self) -> frozenset[str]:
        """Those of `reason` and `expires_at` that the source has."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The entries of a programme up to a day.

    Attributes:
        entries: One row per entry: customer (a number), day, points (1/10,000 of one; below 0
            where they were used), is_return (whether a return took them back), expires_day (the
            last day on which they count; null where they never expire, and where they were used).
        customers: `customer` and `customer_id` of everyone who may have an entry.
        by_rule: Whether the rule gave points.
        by_table: Whether a table did.
    """

    entries: Frame
    customers: Frame
    by_rule: bool
    by_table: bool


def ledger_of(book: Book, points: PointsTable | None = None) -> Ledger | None:
    """The ledger at the book's as-of date; None where nothing gives points.

    Args:
        book: The portfolio; its settings hold the rule.
        points: The table of points. Entries whose table tells no expiry expire as the rule says.
    """
    rule = book.settings.loyalty or Loyalty()
    engine, by_rule = book.inputs.engine, rule.points_per_unit is not None
    parts = [_by_rule(book, rule)] if by_rule else []
    customers = book.inputs.customers.select(nw.col("customer").cast(nw.Int64), "customer_id")
    if points is not None:
        seen = engine.taken(points.frame).filter(in_history(nw.col("day"), book.as_of_day))
        customers = engine.keep(_with_strangers(customers, seen, engine))
        tells_expiry = "expires_at" in points.columns
        parts.append(_by_table(seen.join(customers, on="customer_id", how="inner"), rule,
                               tells_expiry=tells_expiry))  # fmt: skip
    if not parts:
        return None
    return Ledger(
        entries=engine.keep(nw.concat(parts) if len(parts) > 1 else parts[0]),
        customers=customers,
        by_rule=by_rule,
        by_table=points is not None,
    )


def _by_rule(book: Book, rule: Loyalty) -> Frame:
    """What net spend earned, day by day, and what returns took back."""
    days = seen_at(book.inputs, [book.as_of_day]).select("customer", "day", "spend", "returned")
    rate = nw.lit((rule.points_per_unit or 0.0) * POINTS_SCALE / MONEY_SCALE)
    if rule.multipliers:
        days = days.join(_multipliers(book, rule), on="customer", how="left")
        rate = rate * nw.col("multiplier").fill_null(1.0)

    def entries(money: str, *, is_return: bool) -> Frame:
        points = (nw.col(money) * rate).round().cast(nw.Int64)
        expires = nw.lit(None, dtype=nw.Int32)
        if not is_return and rule.expire_days is not None:
            expires = (nw.col("day") + rule.expire_days).cast(nw.Int32)
        rows = days.select(
            customer=nw.col("customer").cast(nw.Int64),
            day=nw.col("day"),
            points=-points if is_return else points,
            is_return=nw.lit(is_return),
            expires_day=expires,
        )
        return rows.filter(nw.col("points") != 0)

    return nw.concat([entries("spend", is_return=False), entries("returned", is_return=True)])


def _multipliers(book: Book, rule: Loyalty) -> Frame:
    """Each customer's multiplier, by the section that the customer is in today."""
    numbers = book.now.rows["customer"].to_numpy()
    if rule.section is None or not book.now.has(rule.section):
        numbers, found = numbers[:0], np.ones(0)
    else:
        section = book.now.section(rule.section)
        found = np.array([rule.multipliers.get(str(name), 1.0) for name in section])
    return book.inputs.engine.from_arrow(
        pa.table({"customer": pa.array(numbers, pa.int64()), "multiplier": found})
    )


def _by_table(entries: Frame, rule: Loyalty, *, tells_expiry: bool) -> Frame:
    points, day = nw.col("points"), nw.col("day")
    expires = nw.col("expires_day")
    if not tells_expiry:
        expires = nw.lit(None, dtype=nw.Int32)
        if rule.expire_days is not None:
            expires = day + rule.expire_days
    is_return = (points < 0) & (nw.col("reason").str.to_lowercase() == RETURN).fill_null(
        value=False
    )
    rows = entries.select(
        customer=nw.col("customer"),
        day=day,
        points=points.cast(nw.Int64),
        is_return=is_return,
        expires_day=nw.when(points > 0).then(expires).cast(nw.Int32),
    )
    return rows.filter(nw.col("points") != 0)


def _with_strangers(customers: Frame, entries: Frame, engine: Engine) -> Frame:
    """The customers, and members without a line: their numbers lie below 0."""
    named = distinct(entries.select("customer_id"))
    strangers = engine.collect(named.join(customers, on="customer_id", how="anti"))
    ids = strangers["customer_id"].combine_chunks().sort()
    if not len(ids):
        return customers
    numbers = pa.array(np.arange(-len(ids), 0), pa.int64())
    others = engine.from_arrow(pa.table({"customer": numbers, "customer_id": ids}))
    return nw.concat([customers, others])
