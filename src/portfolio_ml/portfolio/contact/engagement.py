"""Engagement: how often customers were in touch, how satisfied they are, what we did ourselves."""

from collections.abc import Mapping

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.engine import Engine, Frame
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.contact.satisfaction import Satisfaction, satisfaction
from portfolio_ml.portfolio.contact.touches import (
    NO_SATISFACTION,
    NO_TOUCHES,
    WINDOWS_DAYS,
    scales_of,
    seen_touches,
    touches_in,
)
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.schema import MONEY_SCALE, Column, Table

_COUNTS = {
    "touches": "interactions of any kind",
    "contacts": "contacts by us, those held out not among them",
}

ENGAGEMENT: Table = contract_of(
    "engagement",
    grain="one active customer who was ever in touch",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        *(
            Column(
                f"{name}_{days}d", pa.int64(), f"{what}, last {days} days", null="no such table"
            )
            for name, what in _COUNTS.items()
            for days in WINDOWS_DAYS
        ),
        Column("last_touch", pa.date32(), "the last interaction or contact"),
        Column("last_kind", pa.string(), "what that was: its kind or action"),
        Column("days_since", pa.int64(), "days from it to as_of"),
        Column(
            "satisfaction", pa.float64(), "mean answer of the last 365 days, 0 for the lowest and "
            "1 for the highest of the scale", null="none told", decimals=4,
        ),
        Column("answers", pa.int64(), "how many answers that is", null="likewise"),
        Column(
            "satisfaction_trend", pa.float64(), "satisfaction minus that of the 365 days before",
            null="none told in one of the two years", decimals=4,
        ),
        Column(
            "trend_is_clear", pa.bool_(), "whether it is beyond two standard errors of so few "
            "answers", null="likewise",
        ),
        Column("revenue", pa.float64(), "net, last 365 days, currency units", decimals=2),
    ),
)  # fmt: skip

TITLE = "Who is in touch, and how satisfied"


def engagement(book: Book) -> Figure:
    """Each active customer's touches; those who were not heard of for longest come last.

    Customers with a purchase who never were in touch are not listed, and counted in the notes.
    """
    seen = seen_touches(book)
    if not seen:
        return absent(ENGAGEMENT, TITLE, NO_TOUCHES)
    engine, today = book.inputs.engine, book.as_of_day
    numbers = book.now.rows["customer"].to_numpy()
    last_day, last_kind = _last(seen, engine, numbers)
    is_listed = book.now.is_active & (last_day >= 0)
    columns = {
        **{
            f"{name}_{days}d": counts[is_listed]
            for name in _COUNTS
            for days, counts in _counts(seen.get(name), engine, numbers).items()
        },
        "customer_id": book.now.rows["customer_id"].filter(pa.array(is_listed)),
        "last_touch": pa.array(last_day[is_listed], pa.int32()).cast(pa.date32()),
        "last_kind": last_kind.filter(pa.array(is_listed)),
        "days_since": today - last_day[is_listed],
        "revenue": book.now.money("revenue")[is_listed] / MONEY_SCALE,
    }
    told, notes = _satisfaction(book, seen)
    columns |= {name: values.filter(pa.array(is_listed)) for name, values in told.items()}
    never = int((book.now.is_active & (last_day < 0)).sum())
    notes.append(f"{never} of {int(book.now.is_active.sum())} active customers were never in touch")
    figure = present(ENGAGEMENT, TITLE, columns, as_of=book.as_of, notes=notes)
    order = [("days_since", "ascending"), ("revenue", "descending"), ("customer_id", "ascending")]
    return Figure(ENGAGEMENT, TITLE, figure.rows.sort_by(order), notes=figure.notes)


def _counts(
    frame: Frame | None, engine: Engine, numbers: NDArray[np.int64]
) -> Mapping[int, NDArray[np.float64]]:
    """Touches of each customer by window; NaN without such a table."""
    if frame is None:
        return {days: np.full(numbers.size, np.nan) for days in WINDOWS_DAYS}
    table = engine.collect(
        frame.group_by("customer").agg(**{f"d{days}": touches_in(days) for days in WINDOWS_DAYS})
    )
    place, is_known = _places(table, numbers)
    found = {days: np.zeros(numbers.size) for days in WINDOWS_DAYS}
    for days in WINDOWS_DAYS:
        found[days][place] = table[f"d{days}"].to_numpy()[is_known]
    return found


def _last(
    seen: Mapping[str, Frame], engine: Engine, numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], pa.Array]:
    """The day of each customer's last touch, -1 without one, and what it was."""
    every = nw.concat([frame.select("customer", "day", "kind") for frame in seen.values()])
    last = nw.col("day").max().over("customer")
    latest = every.filter(nw.col("day") == last).group_by("customer", "day")
    table = engine.collect(latest.agg(kind=nw.col("kind").min()))
    place, is_known = _places(table, numbers)
    day, row = np.full(numbers.size, -1), np.full(numbers.size, -1)
    day[place], row[place] = table["day"].to_numpy()[is_known], np.flatnonzero(is_known)
    return day, table["kind"].combine_chunks().take(pa.array(row, mask=row < 0))


def _places(
    table: pa.Table, numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where today's customers of a table stand, and which of its rows are of one."""
    wanted = table["customer"].to_numpy()
    place = np.clip(np.searchsorted(numbers, wanted), 0, max(numbers.size - 1, 0))
    is_known = numbers[place] == wanted
    return place[is_known], np.asarray(is_known)


def _satisfaction(book: Book, seen: Mapping[str, Frame]) -> tuple[dict[str, pa.Array], list[str]]:
    """The columns of satisfaction, one value per customer of today, and how it was chosen."""
    size = book.now.count
    by = scales_of(book, seen)
    if not by:
        names = ("satisfaction", "answers", "satisfaction_trend", "trend_is_clear")
        return dict.fromkeys(names, pa.nulls(size)), [NO_SATISFACTION]
    found = satisfaction(seen["touches"], book.inputs.engine, by=by)
    numbers = book.now.rows["customer"].to_numpy()
    place, is_known = _places(pa.table({"customer": found.customer}), numbers)
    row = np.full(size, -1)
    row[place] = np.flatnonzero(is_known)
    return _columns(found, row), [scale.said for scale in by]


def _columns(found: Satisfaction, row: NDArray[np.int64]) -> dict[str, pa.Array]:
    """What customers told, by their rows of it; null without a row, and where they told nothing."""
    has_level, has_trend = ~np.isnan(found.level), ~np.isnan(found.trend)
    return {
        name: pa.array(values, mask=~has).take(pa.array(row, mask=row < 0))
        for name, values, has in (
            ("satisfaction", found.level, has_level),
            ("answers", found.answers, has_level),
            ("satisfaction_trend", found.trend, has_trend),
            ("trend_is_clear", found.is_clear, has_trend),
        )
    }
