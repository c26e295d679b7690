"""The lifecycle: how many customers stand at each stage, and where those of then stand now."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.stock import Stock
from portfolio_ml.portfolio.sums import summed
from portfolio_ml.schema import MONEY_SCALE, Column, Table

NONE = "none"
"""The stage of then of who was no customer yet."""
LAPSED = "lapsed"
STAGES = ("new", "developing", "mature", "veteran", LAPSED)

LIFECYCLE: Table = contract_of(
    "lifecycle",
    grain="one stage",
    key=("stage",),
    columns=(
        Column("stage", pa.string(), "new, developing, mature, veteran or lapsed"),
        Column("customers", pa.int64(), "customers at it now"),
        Column("customer_share", pa.float64(), "of all customers so far", decimals=4),
        Column("revenue", pa.float64(), "net, last 365 days, currency units", decimals=2),
        Column(
            "customers_then", pa.int64(), "customers at it portfolio.compare_days earlier",
            null="the history does not reach back so far",
        ),
        Column(
            "customer_share_then", pa.float64(), "of all customers by then",
            null="likewise, or there were none", decimals=4,
        ),
        Column(
            "revenue_then", pa.float64(), "net, of the 365 days before then, currency units",
            null="likewise", decimals=2,
        ),
    ),
)  # fmt: skip

TRANSITIONS: Table = contract_of(
    "transitions",
    grain="one way from a stage of then to a stage of now",
    key=("stage_then", "stage"),
    columns=(
        Column(
            "stage_then", pa.string(), "the stage portfolio.compare_days earlier; none for who "
            "was no customer yet",
        ),
        Column("stage", pa.string(), "the stage now"),
        Column("customers", pa.int64(), "who went that way"),
        Column("share", pa.float64(), "of those who were at stage_then", decimals=4),
        Column(
            "revenue_then", pa.float64(), "theirs, net, of the 365 days before then, currency "
            "units", decimals=2,
        ),
        Column(
            "revenue", pa.float64(), "theirs, net, last 365 days, currency units", decimals=2
        ),
    ),
)  # fmt: skip

LIFECYCLE_TITLE = "Lifecycle stages now and then"
TRANSITIONS_TITLE = "From which stage to which"


@dataclass(frozen=True, slots=True)
class Moves:
    """Where the customers of now stood then; every array has shape (customers,).

    Attributes:
        stage_then: `none` for who was no customer yet.
        stage: The stage now.
        was_active: Whether they were active then.
        is_active: Whether they are now.
        revenue_then: Net, of the 365 days before then, in 1/10,000 unit; 0 for newcomers.
        revenue: Net, of the last 365 days.
    """

    stage_then: NDArray[np.object_]
    stage: NDArray[np.object_]
    was_active: NDArray[np.bool_]
    is_active: NDArray[np.bool_]
    revenue_then: NDArray[np.int64]
    revenue: NDArray[np.int64]


def moves(now: Stock, then: Stock) -> Moves:
    """Where each customer went; whoever was a customer then is one now."""
    place = pc.index_in(now.rows["customer"], then.rows["customer"].combine_chunks())
    before = then.rows.select(["lifecycle_stage", "is_active", "revenue"]).take(place)

    def known(name: str, otherwise: object) -> NDArray[np.generic]:
        filled = pc.fill_null(before[name].combine_chunks(), otherwise)
        return np.asarray(filled.to_numpy(zero_copy_only=False))

    return Moves(
        stage_then=known("lifecycle_stage", NONE).astype(object),
        stage=now.texts("lifecycle_stage"),
        was_active=known("is_active", False).astype(bool),
        is_active=now.is_active,
        revenue_then=known("revenue", 0).astype(np.int64),
        revenue=now.money("revenue"),
    )


def lifecycle(book: Book) -> Figure:
    """Each stage with its customers and their revenue, now and then; from new to lapsed."""
    now = _by_stage(book.now)
    then = None if book.then is None else _by_stage(book.then)
    nothing: Sequence[None] = [None] * len(STAGES)
    columns = {
        "stage": list(STAGES),
        "customers": now[0],
        "customer_share": _shares(now[0]),
        "revenue": now[1] / MONEY_SCALE,
        "customers_then": nothing if then is None else then[0],
        "customer_share_then": nothing if then is None else _shares(then[0]),
        "revenue_then": nothing if then is None else then[1] / MONEY_SCALE,
    }
    notes = [book.no_then] if then is None else []
    return present(LIFECYCLE, LIFECYCLE_TITLE, columns, as_of=book.as_of, notes=notes)


def transitions(book: Book) -> Figure:
    """Each way that somebody went, by the stage of then and that of now, from none to lapsed.

    The rows add up to all customers and to the revenue of the portfolio, at both moments.
    """
    if book.then is None:
        return absent(TRANSITIONS, TRANSITIONS_TITLE, book.no_then)
    went = moves(book.now, book.then)
    began = (NONE, *STAGES)
    cell = _code(went.stage_then, began) * len(STAGES) + _code(went.stage, STAGES)
    size = len(began) * len(STAGES)
    counts = np.bincount(cell, minlength=size)
    started = counts.reshape(len(began), -1).sum(axis=1).repeat(len(STAGES))
    there = np.flatnonzero(counts)
    columns = {
        "stage_then": [began[at // len(STAGES)] for at in there],
        "stage": [STAGES[at % len(STAGES)] for at in there],
        "customers": counts[there],
        "share": counts[there] / started[there],
        "revenue_then": summed(went.revenue_then, cell, size)[there] / MONEY_SCALE,
        "revenue": summed(went.revenue, cell, size)[there] / MONEY_SCALE,
    }
    return present(TRANSITIONS, TRANSITIONS_TITLE, columns, as_of=book.as_of)


def _by_stage(stock: Stock) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The customers and the revenue of each stage."""
    stage = _code(stock.texts("lifecycle_stage"), STAGES)
    counts = np.bincount(stage, minlength=len(STAGES)).astype(np.int64)
    return counts, summed(stock.money("revenue"), stage, len(STAGES))


def _code(stage: NDArray[np.object_], stages: Sequence[str]) -> NDArray[np.int64]:
    """The place of each stage among those named."""
    place = pc.index_in(pa.array(stage, pa.string()), pa.array(stages))
    return np.asarray(place.to_numpy(zero_copy_only=False), np.int64)


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    total = counts.sum()
    return counts / total if total else np.full(counts.size, np.nan)
