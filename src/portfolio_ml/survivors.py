"""The rows of merged customers, under the one id that survives.

Applied to all tables together, before anything is computed from them: features, outcomes,
snapshots and scores see one customer.
"""

from dataclasses import replace
from datetime import date

import narwhals as nw

from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine, Frame, Reader, distinct
from portfolio_ml.events import Events
from portfolio_ml.tables import Tables
from portfolio_ml.timeline import to_day
from portfolio_ml.transactions import History

_ALWAYS = to_day(date.min)


def with_survivors(tables: Tables, merged: Frame | None, engine: Reader) -> Tables:
    """The tables, in which only customers are named who were not merged into others.

    What was counted when they were loaded stays as it is.

    Args:
        tables: What was loaded.
        merged: What `Merges.known_on` gives; None for tables that name survivors already.
        engine: Where they are.
    """
    if merged is None:
        return tables
    ids = merged.select(customer_id="old_id", survivor="new_id", steps="steps")
    return replace(
        tables,
        history=_history(tables.history, ids, engine),
        customers=tables.customers and _customers(tables.customers, ids, engine),
        interactions=tables.interactions and _events(tables.interactions, ids),
        contacts=tables.contacts and _events(tables.contacts, ids),
    )


def _history(history: History, ids: Frame, engine: Reader) -> History:
    """The history with its customers numbered anew; itself where no line's customer was merged."""
    found = history.customers.join(ids, on="customer_id", how="left")
    is_merged = ~nw.col("survivor").is_null()
    if not engine.collect(found.select(merged=is_merged.any()))["merged"][0].as_py():
        return history
    named = engine.keep(found.select(before="customer", customer_id=_survivor("customer_id")))
    customers = engine.keep(engine.numbered(distinct(named.select("customer_id"))))
    numbers = named.join(customers, on="customer_id", how="inner").select("before", "customer")
    lines = history.numbered.rename({"customer": "before"})
    renumbered = lines.join(engine.keep(numbers), on="before", how="inner")
    return replace(
        history,
        numbered=renumbered.select(*history.numbered.columns),
        customers=customers,
    )


def _events(events: Events, ids: Frame) -> Events:
    return replace(events, frame=_renamed(events.frame, ids, "customer_id"))


def _renamed(frame: Frame, ids: Frame, column: str) -> Frame:
    """The frame, in one of whose columns merged ids have become the surviving ones."""
    found = frame.join(ids, left_on=column, right_on="customer_id", how="left")
    named = found.with_columns(_survivor(column).alias(column))
    return named.select(*frame.columns)


def _survivor(column: str) -> nw.Expr:
    return nw.coalesce("survivor", column)


def _customers(customers: CustomerTable, ids: Frame, engine: Engine) -> CustomerTable:
    """The table with at most one row per survivor and valid_from, none of them mixed of several.

    From the first day on which a survivor has a row of its own, its own rows hold; those of merged
    ids hold before, as the history of what was known. Of several merged ids the one with fewer
    merges up to the survivor goes first, then the one whose text does.
    """
    rows = customers.frame.join(ids, on="customer_id", how="left")
    since = nw.col("valid_from").fill_null(_ALWAYS)
    firsts = rows.group_by("customer_id", "survivor", "steps").agg(_first=since.min())
    ranked = firsts.with_columns(
        _survivor("customer_id").alias("survivor"), steps=nw.col("steps").fill_null(0)
    )
    by = {"order_by": ["steps", "customer_id"]}
    until = ranked.with_columns(_until=nw.col("_first").cum_min().over("survivor", **by))
    until = until.with_columns(_until=nw.col("_until").shift(1).over("survivor", **by))
    names = customers.frame.columns
    held = customers.frame.join(
        until.select("customer_id", "survivor", "_until"), on="customer_id", how="inner"
    ).filter(nw.col("_until").is_null() | (since < nw.col("_until")))
    named = held.with_columns(customer_id=nw.col("survivor")).select(*names)
    if "referred_by" in names:
        referrer = nw.col("referred_by")
        named = _renamed(named, ids, "referred_by").with_columns(
            referred_by=nw.when(referrer != nw.col("customer_id")).then(referrer)
        )
    return replace(customers, frame=engine.keep(named))
