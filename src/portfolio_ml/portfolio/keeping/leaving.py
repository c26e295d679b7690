"""Why customers left: what happened before the last purchase of those who are inactive.

No cause is proven. A reason is what happened; and it is named only where that happened to more of
those who left than of those who are still there, as far as the portfolio can tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.engine import Frame
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.feelings import kinds_of
from portfolio_ml.portfolio.figure import Figure, contract_of, present
from portfolio_ml.portfolio.keeping.habits import Habits, habits_today
from portfolio_ml.portfolio.keeping.proportions import Estimate, Proportion, lift
from portfolio_ml.portfolio.keeping.talks import FIVE_POINTS
from portfolio_ml.portfolio.stock import YEAR_DAYS, Stock
from portfolio_ml.schema import Column, Table
from portfolio_ml.timeline import in_history

BEFORE_DAYS = 90
"""A complaint, or the end of a contract, so many days before the last purchase still counts."""
CHANGED_DAYS = 180
"""A change of representative so many days before the last purchase still counts."""
AFTER_DAYS = 30
"""What happened so many days after the last purchase may still be why it was the last; whose last
purchase is more recent than that may yet return it."""
UNSATISFIED_BELOW = 3.0
DISCOUNT_FROM = 0.05
SLOWED_FROM = 1.5
FEWEST = 20
"""With fewer customers in either group a reason is named on its own evidence."""

LEAVING: Table = contract_of(
    "leaving_reasons",
    grain="one reason",
    key=("reason",),
    columns=(
        Column("reason", pa.string(), "its code"),
        Column("meaning", pa.string(), "what happened"),
        Column("likely_for", pa.int64(),
               "inactive customers of whom it is named: the first that holds, in this order"),
        Column("left", pa.int64(), "inactive customers of whom it could be told"),
        Column("left_with", pa.int64(), "of them, those to whom it happened"),
        Column("left_share", pa.float64(), "the share of them", null="no customer", decimals=4),
        Column("stayed", pa.int64(), "active customers of whom it could be told"),
        Column("stayed_with", pa.int64(), "of them, those to whom it happened"),
        Column("stayed_share", pa.float64(), "the share of them", null="no customer", decimals=4),
        Column("lift", pa.float64(), "left_share / stayed_share",
               null="stayed_share is 0, or no customer", decimals=3),
        Column("lift_low", pa.float64(), "its 90 % interval, lower end", null="no lift",
               decimals=3),
        Column("lift_high", pa.float64(), "its 90 % interval, upper end",
               null="no lift, or it is 0", decimals=3),
        Column("is_named", pa.bool_(),
               "whether it is named as a reason: false where 20 customers or more on both sides do "
               "not show that it happened to more of those who left (the interval reaches 1)"),
    ),
)  # fmt: skip

TITLE = "Why customers left"

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Reason(NamedTuple):
    """A reason: its code, and what happened, in words."""

    code: str
    words: str


COMPLAINED = Reason("complaint", "complained before leaving")
UNSATISFIED = Reason("low_satisfaction", "was not satisfied when last asked before leaving")
UNDISCOUNTED = Reason("discount_withdrawn", "bought last at less than half the discount of before")
RETURNED = Reason("return_last", "returned something at the end")
REPRESENTATIVE = Reason("representative_changed", "got another representative shortly before")
ENDED = Reason("contract_ended", "the contract ended")
SHRANK = Reason("smaller_orders", "the last purchases were smaller than usual")
SLOWED = Reason("slowed_down", "the last purchases came at longer intervals than usual")
ONCE = Reason("bought_once", "bought once and never again")
UNTOLD = Reason("no_sign", "nothing tells why")
ORDER = (COMPLAINED, UNSATISFIED, UNDISCOUNTED, RETURNED, REPRESENTATIVE, ENDED, SHRANK, SLOWED,
         ONCE)  # fmt: skip
"""The reasons by their evidence: what customers said, what we did, how they bought."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A reason among those who left and those who stayed."""

    reason: Reason
    left: Proportion
    stayed: Proportion

    @property
    def lift(self) -> Estimate:
        """How many times as frequent it is among those who left."""
        return lift(self.left, self.stayed)

    @property
    def is_named(self) -> bool:
        """Whether it happened to more of those who left, or few customers can tell."""
        if min(self.left.whole, self.stayed.whole) < FEWEST or not self.stayed.part:
            return True
        return self.lift.low > 1


@dataclass(frozen=True, slots=True)
class Leaving:
    """Why a stock's customers left.

    Attributes:
        compared: Each reason that could be told of anybody, in the order of evidence.
        code: The likely reason of each inactive customer, shape (customers,); None of the active.
        words: The same in words.
    """

    compared: tuple[Compared, ...]
    code: NDArray[np.object_]
    words: NDArray[np.object_]


def leaving(book: Book) -> Figure:
    """Each reason with how often it came before an inactive customer's last purchase.

    What the portfolio's tables cannot tell, such as complaints without interactions, has no row.
    The last row counts those of whom nothing tells why.
    """
    found = book.once(leaving_of)
    rows = [_row(compared, found) for compared in found.compared]
    untold = int((found.code == UNTOLD.code).sum())
    gone = Proportion(untold, int((~book.now.is_active).sum()))
    rows.append(
        {
            **dict.fromkeys(LEAVING.names),
            "reason": UNTOLD.code,
            "meaning": UNTOLD.words,
            "likely_for": untold,
            "left": gone.whole,
            "left_with": gone.part,
            "left_share": gone.share,
            "stayed": 0,
            "stayed_with": 0,
            "is_named": True,
        }
    )
    columns = {name: [row[name] for row in rows] for name in LEAVING.names if name != "as_of"}
    how = (
        f"{SLOWED.code} and {ONCE.code} say how customers bought, not why they left: seasons slow "
        "them down as well, and who slows down is sooner taken for inactive"
    )
    notes = ["reasons are what happened before, not proven causes", how]
    return present(LEAVING, TITLE, columns, as_of=book.as_of, notes=notes)


def _row(compared: Compared, found: Leaving) -> dict[str, object]:
    times = compared.lift
    return {
        "reason": compared.reason.code,
        "meaning": compared.reason.words,
        "likely_for": int((found.code == compared.reason.code).sum()),
        "left": compared.left.whole,
        "left_with": compared.left.part,
        "left_share": compared.left.share,
        "stayed": compared.stayed.whole,
        "stayed_with": compared.stayed.part,
        "stayed_share": compared.stayed.share,
        "lift": times.value,
        "lift_low": times.low,
        "lift_high": times.high,
        "is_named": compared.is_named,
    }


def leaving_of(book: Book) -> Leaving:
    """The likely reason of each inactive customer: the first in order that holds and is named."""
    stock, is_active = book.now, book.now.is_active
    happened = _happened(book)
    compared = []
    code, words = np.full(stock.count, None, object), np.full(stock.count, None, object)
    code[~is_active], words[~is_active] = UNTOLD
    for reason in ORDER:
        if reason not in happened:
            continue
        with_it, told = happened[reason]
        left, stayed = told & ~is_active, told & is_active
        row = Compared(
            reason,
            Proportion(int((with_it & left).sum()), int(left.sum())),
            Proportion(int((with_it & stayed).sum()), int(stayed.sum())),
        )
        compared.append(row)
        if row.is_named:
            first = with_it & left & (code == UNTOLD.code)
            code[first], words[first] = reason
    return Leaving(tuple(compared), code, words)


def _happened(book: Book) -> Mapping[Reason, tuple[Flags, Flags]]:
    """To whom each reason happened, and of whom it could be told; shape (customers,) each."""
    stock = book.now
    habits = book.once(habits_today)
    return {
        **_said(book),
        **_bought(stock, habits),
        **_changed(book),
        **_ended(stock),
    }


def _bought(stock: Stock, habits: Habits) -> dict[Reason, tuple[Flags, Flags]]:
    """How they bought at the end."""
    everyone = np.ones(stock.count, np.bool_)
    before, after = habits.discount_earlier, habits.discount_recent
    found = {
        RETURNED: (habits.returned_last, stock.column("recency_days") >= AFTER_DAYS),
        SHRANK: (habits.ticket.is_less, np.isfinite(habits.ticket.earlier)),
        SLOWED: (
            habits.gap_recent_days >= SLOWED_FROM * habits.gap_earlier_days,
            np.isfinite(habits.gap_earlier_days),
        ),
        ONCE: (stock.column("purchase_days") == 1, everyone),
    }
    if np.isfinite(before).any():
        is_less = (before >= DISCOUNT_FROM) & (after < before / 2)
        found[UNDISCOUNTED] = (is_less, np.isfinite(before))
    return found


def _said(book: Book) -> dict[Reason, tuple[Flags, Flags]]:
    """What they said around their last purchase."""
    events, stock = book.inputs.interactions, book.now
    if events is None:
        return {}
    kinds = kinds_of(events, book.inputs, book.settings.satisfaction)
    since = nw.col("day") - nw.col("last_day")
    sums: dict[str, nw.Expr] = {}
    if kinds.complaints:
        complained = nw.col("kind").is_in(list(kinds.complaints)) & (since >= -BEFORE_DAYS)
        sums["complaints"] = complained.cast(nw.Float64).sum()
    if kinds.values:
        tells = nw.col("kind").is_in(list(kinds.values)) & (since > -YEAR_DAYS)
        answer = nw.when(tells).then(nw.col("value"))
        is_last = nw.col("_answered") == nw.col("_last")
        sums["satisfaction"] = nw.when(is_last).then(nw.col("value")).mean()
        sums["least"], sums["most"] = answer.min(), answer.max()
    if not sums:
        return {}
    seen = events.filter(in_history(nw.col("day"), stock.as_of_day))
    near = seen.join(_last_days(book), on="customer", how="inner").filter(since <= AFTER_DAYS)
    if kinds.values:
        # The last answer alone: a mean of few answers is low by chance more often than one of many,
        # and those who left had less time to answer.
        near = near.with_columns(_answered=nw.when(~answer.is_null()).then(nw.col("day")))
        near = near.with_columns(_last=nw.col("_answered").max().over("customer"))
    rows = stock.beside(book.inputs.engine.collect(near.group_by("customer", "as_of").agg(**sums)))
    found = {}
    if kinds.complaints:
        found[COMPLAINED] = (rows["complaints"] > 0, np.ones(stock.count, np.bool_))
    if kinds.values and np.isfinite(rows["satisfaction"]).any():
        value = rows["satisfaction"]
        is_of_five = np.nanmin(rows["least"]) >= 0 and np.nanmax(rows["most"]) <= FIVE_POINTS
        below = UNSATISFIED_BELOW if is_of_five else float(np.nanquantile(value, 0.25))
        found[UNSATISFIED] = (value < below, np.isfinite(value))
    return found


def _changed(book: Book) -> dict[Reason, tuple[Flags, Flags]]:
    """Whose representative changed shortly before the last purchase, or right after it."""
    known, stock, name = book.customers, book.now, "representative_id"
    if known is None or not known.is_dated or name not in known.columns:
        return {}
    engine = book.inputs.engine
    told = engine.taken(known.frame).filter(~nw.col(name).is_null())
    before = nw.col(name).shift(1).over("customer_id", order_by="valid_from")
    changes = told.with_columns(_before=before).filter(nw.col("_before") != nw.col(name))
    changes = changes.join(book.inputs.customers, on="customer_id", how="inner")
    since = nw.col("valid_from") - nw.col("last_day")
    near = changes.join(_last_days(book), on="customer", how="inner").filter(
        in_history(nw.col("valid_from"), nw.col("as_of")),
        since >= -CHANGED_DAYS,
        since <= AFTER_DAYS,
    )
    count = nw.len().cast(nw.Float64)
    rows = stock.beside(engine.collect(near.group_by("customer", "as_of").agg(changes=count)))
    has_one = np.array([value is not None for value in stock.texts(name)])
    return {REPRESENTATIVE: (rows["changes"] > 0, has_one)}


def _ended(stock: Stock) -> dict[Reason, tuple[Flags, Flags]]:
    """Whose contract ended, no more than some days before the last purchase."""
    if not stock.has("ended_at"):
        return {}
    ended = stock.column("ended_at")
    last = stock.as_of_day - stock.column("recency_days")
    is_over = (ended <= stock.as_of_day) & (ended >= last - BEFORE_DAYS)
    return {ENDED: (is_over, np.ones(stock.count, np.bool_))}


def _last_days(book: Book) -> Frame:
    """Each customer's last purchase day."""
    stock = book.now
    last = stock.as_of_day - stock.column("recency_days")
    columns: dict[str, Sequence[object] | pa.Array] = {
        "customer": stock.rows["customer"],
        "as_of": pa.repeat(pa.scalar(stock.as_of_day, pa.int32()), stock.count),
        "last_day": pa.array(last.astype(np.int32)),
    }
    return book.inputs.engine.from_arrow(pa.table(columns))
