"""Touches: what kinds of interactions and contacts there were, and whom they reached."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa

from portfolio_ml.engine import Engine, Frame
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.contact.satisfaction import Scale, scales
from portfolio_ml.portfolio.feelings import kinds_of
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.schema import Column, Table
from portfolio_ml.timeline import in_history, in_window

WINDOWS_DAYS = (30, 90, 365)
NO_TOUCHES = (
    "there are neither interactions nor contacts: name their tables under data.interactions and "
    "data.contacts"
)
NO_SATISFACTION = (
    "satisfaction is missing: no kind of interactions but complaints, or none of those that "
    "portfolio.satisfaction.kinds names, has ten values or more on a scale from 1 to 5 or from 0 "
    "to 10"
)
TOUCHES: Table = contract_of(
    "touches",
    grain="one kind of interaction, or one action of ours",
    key=("source", "kind"),
    columns=(
        Column("source", pa.string(), "interaction, or contact: by us and not held out"),
        Column("kind", pa.string(), "its kind or action"),
        *(
            Column(f"touches_{days}d", pa.int64(), f"how many, last {days} days")
            for days in WINDOWS_DAYS
        ),
        Column("touches_ever", pa.int64(), "how many in all of the history"),
        Column("customers_365d", pa.int64(), "customers with one, last 365 days"),
        Column(
            "reach", pa.float64(), "the share of today's active customers with one, last 365 days",
            null="nobody is active", decimals=4,
        ),
        Column("last_date", pa.date32(), "the last one"),
        Column(
            "mean_value", pa.float64(), "of their values, last 365 days", null="none was told",
            decimals=2,
        ),
        Column(
            "is_satisfaction", pa.bool_(), "whether the values are taken for satisfaction"
        ),
    ),
)  # fmt: skip

TITLE = "Touches by kind"


def touches(book: Book) -> Figure:
    """Each kind of interaction and each of our actions, the commonest of the last year first."""
    seen = seen_touches(book)
    if not seen:
        return absent(TOUCHES, TITLE, NO_TOUCHES)
    engine = book.inputs.engine
    active = book.now.rows["customer"].filter(pa.array(book.now.is_active)).combine_chunks()
    told = {scale.kind: scale for scale in scales_of(book, seen)}
    rows = [
        {"source": "interaction" if name == "touches" else "contact", **row}
        for name, frame in seen.items()
        for row in _by_kind(frame, engine, active)
    ]
    rows.sort(key=lambda row: (-row["touches_365d"], row["source"], row["kind"]))
    for row in rows:
        row["reach"] = row["active"] / len(active) if len(active) else None
        row["is_satisfaction"] = row["source"] == "interaction" and row["kind"] in told
    columns = {name: [row[name] for row in rows] for name in TOUCHES.names if name != "as_of"}
    columns["last_date"] = pa.array(columns["last_date"], pa.int32()).cast(pa.date32())
    notes = [scale.said for scale in told.values()] or [NO_SATISFACTION]
    return present(TOUCHES, TITLE, columns, as_of=book.as_of, notes=notes)


def seen_touches(book: Book) -> dict[str, Frame]:
    """The interactions and contacts in history, each with customer, kind, age_days and value."""
    frames = {"touches": book.inputs.interactions, "contacts": book.inputs.contacts}
    found = {}
    for name, frame in frames.items():
        if frame is None:
            continue
        there = frame.collect_schema().names()
        kind = "kind" if "kind" in there else "action"
        value = nw.col("value") if "value" in there else nw.lit(None, dtype=nw.Float64)
        found[name] = frame.filter(in_history(nw.col("day"), book.as_of_day)).select(
            "customer",
            "day",
            kind=nw.col(kind),
            value=value,
            age_days=book.as_of_day - nw.col("day"),
        )
    return found


def touches_in(days: int) -> nw.Expr:
    """How many touches there were in the last days."""
    return in_window(nw.col("age_days"), days).cast(nw.Int64).sum()


def scales_of(book: Book, seen: Mapping[str, Frame]) -> Sequence[Scale]:
    """The kinds of interactions that tell satisfaction, among what `seen_touches` gives.

    Of those that the config names, where it does. Complaints, whose value is how grave they are,
    are none of them.
    """
    if "touches" not in seen:
        return []
    settings, engine = book.settings.satisfaction, book.inputs.engine
    complaints = kinds_of(seen["touches"], book.inputs, settings).complaints
    found = [scale for scale in scales(seen["touches"], engine) if scale.kind not in complaints]
    return [scale for scale in found if settings.kinds is None or scale.kind in settings.kinds]


def _by_kind(frame: Frame, engine: Engine, active: pa.Array) -> list[dict[str, Any]]:
    customers = engine.from_arrow(pa.table({"customer": active, "one": pa.repeat(1, len(active))}))
    recent = in_window(nw.col("age_days"), WINDOWS_DAYS[-1])
    kinds = frame.group_by("kind").agg(
        **{f"touches_{days}d": touches_in(days) for days in WINDOWS_DAYS},
        touches_ever=nw.len().cast(nw.Int64),
        last_date=nw.col("day").max(),
    )
    of_year = frame.filter(recent)
    people = of_year.group_by("kind", "customer").agg(
        total=nw.col("value").sum(), told=nw.col("value").count()
    )
    people = people.join(customers, on="customer", how="left")
    reached = people.group_by("kind").agg(
        customers_365d=nw.len().cast(nw.Int64),
        active=nw.col("one").sum().cast(nw.Int64),
        total=nw.col("total").sum(),
        told=nw.col("told").sum().cast(nw.Int64),
    )
    rows = engine.collect(kinds.join(reached, on="kind", how="left")).to_pylist()
    return [
        row
        | {
            "customers_365d": row["customers_365d"] or 0,
            "active": row["active"] or 0,
            "mean_value": row["total"] / row["told"] if row["told"] else None,
        }
        for row in rows
    ]
