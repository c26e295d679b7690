"""The rows of merged customers beside the transactions, under the one id that survives.

Applied right after validation, before anything is computed: features, outcomes, snapshots and
scores see one customer. What was counted when a table was loaded stays as it is.
"""

from dataclasses import replace
from datetime import date
from typing import TypeVar

import narwhals as nw

from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine, Frame
from portfolio_ml.events import Events
from portfolio_ml.merges import with_survivor
from portfolio_ml.opportunities import Opportunities
from portfolio_ml.points import Points
from portfolio_ml.prospects import Prospects
from portfolio_ml.timeline import to_day

_ALWAYS = to_day(date.min)
Rows = TypeVar("Rows", Events, Opportunities, Points)


def of_rows(rows: Rows, merged: Frame) -> Rows:
    """The events, deals or points, each of the customer who survives.

    Args:
        rows: What was loaded.
        merged: What `merges.Merges.known_on` gives.
    """
    return replace(rows, frame=_renamed(rows.frame, merged, "customer_id"))


def of_prospects(prospects: Prospects, merged: Frame) -> Prospects:
    """The prospects, each referred by the customer who survives.

    Args:
        prospects: What was loaded.
        merged: What `merges.Merges.known_on` gives.
    """
    if "referred_by" not in prospects.columns:
        return prospects
    return replace(prospects, frame=_renamed(prospects.frame, merged, "referred_by"))


def of_customers(customers: CustomerTable, merged: Frame, engine: Engine) -> CustomerTable:
    """The table with at most one row per survivor and valid_from, none of them mixed of several.

    From the first day on which a survivor has a row of its own, its own rows hold; those of merged
    ids hold before, as the history of what was known. Of several merged ids the one with fewer
    merges up to the survivor goes first, then the one whose text does. Nobody is referred by
    themselves.

    Args:
        customers: What was loaded.
        merged: What `merges.Merges.known_on` gives.
        engine: Where the rows are kept.
    """
    names, since = customers.frame.columns, nw.col("valid_from").fill_null(_ALWAYS)
    until = _until(customers.frame.with_columns(_since=since), merged)
    held = customers.frame.join(until, on="customer_id", how="inner")
    held = held.filter(nw.col("_until").is_null() | (since < nw.col("_until")))
    named = held.with_columns(customer_id=nw.col("_survivor")).select(*names)
    if "referred_by" in names:
        referrer = nw.col("referred_by")
        named = _renamed(named, merged, "referred_by").with_columns(
            referred_by=nw.when(referrer != nw.col("customer_id")).then(referrer)
        )
    return replace(customers, frame=engine.keep(named))


def _until(rows: Frame, merged: Frame) -> Frame:
    """Each customer_id, its survivor, and the day `_until` which its rows hold; null for ever."""
    firsts = rows.group_by("customer_id").agg(_first=nw.col("_since").min())
    steps = merged.select(customer_id="old_id", steps="steps")
    ranked = with_survivor(firsts, merged).join(steps, on="customer_id", how="left")
    ranked = ranked.with_columns(nw.col("steps").fill_null(0))
    order = ["steps", "customer_id"]
    lowest = nw.col("_first").cum_min().over("_survivor", order_by=order)
    before = nw.col("_lowest").shift(1).over("_survivor", order_by=order)
    until = ranked.with_columns(_lowest=lowest).with_columns(_until=before)
    return until.select("customer_id", "_survivor", "_until")


def _renamed(frame: Frame, merged: Frame, column: str) -> Frame:
    """The frame, in one of whose columns merged ids have become the surviving ones."""
    named = with_survivor(frame, merged, column)
    return named.with_columns(nw.col("_survivor").alias(column)).select(*frame.columns)
