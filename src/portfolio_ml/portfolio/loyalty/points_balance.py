"""Balances: what each customer earned, used, let expire and has left of a programme's points.

Used are the points that expire first, of those that the customer has. Where all of a customer's
points expire after the same time, what expired by a day is a matter of sums: along the days on
which points expire, it is the most by which what was earned until there exceeds what was used until
there. Where times differ, entries are followed (`points_used`). Points used
beyond those that there were are owed, and settled by the next ones.
"""

from collections.abc import Mapping

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.engine import Engine, Frame
from portfolio_ml.portfolio.loyalty.points_ledger import Ledger
from portfolio_ml.portfolio.loyalty.points_used import NEVER, left_over
from portfolio_ml.timeline import in_history, in_window

SOON_DAYS = 90
YEAR_DAYS = 365
_LONGEST = 1_000_000
"""A time to expiry of so many days or more is for ever."""
_FOLLOWED = ("customer", "day", "is_use", "until")

Ints = NDArray[np.int64]


def balances(ledger: Ledger, as_of_day: int, engine: Engine) -> pa.Table:
    """One row per customer with an entry, sorted by customer_id; points in 1/10,000 of one.

    Columns: customer, customer_id, first_day (of an entry), earned, returned (taken back by
    returns), redeemed, expired, balance (earned = returned + redeemed + expired + balance, always;
    below 0 where more was used than there was), expiring_90d (of the balance, what expires within
    90 days), earned_365d (net of what was taken back), matured (what of the earned has passed its
    expiry, used or not), pending and pending_left (what of the earned, and of the balance, expires
    later).

    Args:
        ledger: The entries up to the as-of day.
        as_of_day: The as-of day; points that expire on it still count.
        engine: Where the entries are.
    """
    entries = _timed(ledger.entries)
    sums = engine.collect(_sums(entries, as_of_day).join(ledger.customers, on="customer").sort(
        "customer_id"))  # fmt: skip
    column = {name: _ints(sums[name]) for name in sums.column_names if name != "customer_id"}
    used = column["returned"] + column["redeemed"]
    expired = column["matured"].copy()
    differ = column["lags_differ"] > 0
    if (one := (used > 0) & ~differ).any():
        found = engine.collect(_expired(_of(entries, column["customer"][one], engine), as_of_day))
        _put(expired, column["customer"], found["customer"], _ints(found["expired"]))
    gone = used + expired
    soon = np.maximum(column["until_soon"] - gone, 0)
    pending = np.maximum(column["matured"] + column["pending"] - gone, 0)
    if (several := (used > 0) & differ).any():
        rows = _of(entries, column["customer"][several], engine).sort(*_FOLLOWED)
        followed = _followed(engine.collect(rows.select(*_FOLLOWED, "points")), as_of_day)
        for name, array in (("expired", expired), ("soon", soon), ("pending_left", pending)):
            _put(array, column["customer"], followed["customer"], followed[name])
    told = ("first_day", "earned", "returned", "redeemed")
    return pa.table(
        {
            "customer": column["customer"],
            "customer_id": sums["customer_id"],
            **{name: column[name] for name in told},
            "expired": expired,
            "balance": column["earned"] - used - expired,
            "expiring_90d": soon,
            "earned_365d": column["earned_365d"],
            "matured": column["matured"],
            "pending": column["pending"],
            "pending_left": pending,
        }
    )


def _timed(entries: Frame) -> Frame:
    """The entries with `is_earned`, `is_use` and `until`: their expiry, or the day of their use."""
    is_earned = nw.col("points") > 0
    expires = nw.col("expires_day").cast(nw.Int64).fill_null(int(NEVER))
    until = nw.when(is_earned).then(expires).otherwise(nw.col("day").cast(nw.Int64))
    return entries.with_columns(is_earned=is_earned, is_use=~is_earned, until=until)


def _sums(entries: Frame, as_of_day: int) -> Frame:
    points, until, is_earned = nw.col("points"), nw.col("until"), nw.col("is_earned")
    is_recent = in_window(as_of_day - nw.col("day"), YEAR_DAYS)
    lag = nw.when(is_earned).then(nw.min_horizontal(until - nw.col("day"), nw.lit(_LONGEST)))

    def summed(value: nw.Expr, where: nw.Expr) -> nw.Expr:
        return nw.when(where).then(value).otherwise(0).sum().cast(nw.Int64)

    return entries.group_by("customer").agg(
        first_day=nw.col("day").min(),
        lags_differ=(lag.max() - lag.min()).fill_null(0).cast(nw.Int64),
        earned=summed(points, is_earned),
        returned=summed(-points, nw.col("is_return")),
        redeemed=summed(-points, ~is_earned & ~nw.col("is_return")),
        matured=summed(points, is_earned & _is_past(until, as_of_day)),
        pending=summed(points, is_earned & ~_is_past(until, as_of_day) & (until < int(NEVER))),
        until_soon=summed(points, is_earned & in_history(until, as_of_day + SOON_DAYS)),
        earned_365d=summed(points, is_recent & (is_earned | nw.col("is_return"))),
    )


def _is_past(until: nw.Expr, as_of_day: int) -> nw.Expr:
    """Whether points have expired: the last day on which they count lies before the as-of day."""
    return in_history(until, as_of_day - 1)


def _of(entries: Frame, customers: Ints, engine: Engine) -> Frame:
    """The entries of some customers."""
    chosen = engine.from_arrow(pa.table({"customer": pa.array(customers, pa.int64())}))
    return entries.join(chosen, on="customer", how="semi")


def _expired(entries: Frame, as_of_day: int) -> Frame:
    """What expired of each customer's points, where all expire after the same time.

    On the day on which points expire they can still be used, so uses come first.
    """
    running = nw.col("points").cum_sum().over("customer", order_by=["until", "is_earned"])
    excess = entries.with_columns(_excess=running.cast(nw.Int64))
    has_expired = nw.col("is_earned") & _is_past(nw.col("until"), as_of_day)
    most = nw.when(has_expired).then(nw.col("_excess")).max()
    found = excess.group_by("customer").agg(expired=most)
    return found.select(
        "customer", expired=nw.max_horizontal(nw.col("expired").fill_null(0), nw.lit(0))
    )


def _followed(rows: pa.Table, as_of_day: int) -> Mapping[str, Ints]:
    """What expired and what is left, of customers whose entries are followed one by one."""
    customer, points = _ints(rows["customer"]), _ints(rows["points"])
    until = np.where(points > 0, _ints(rows["until"]), NEVER)
    left = left_over(customer, _ints(rows["day"]), points, until)
    starts = np.flatnonzero(np.r_[True, customer[1:] != customer[:-1]])

    def summed(where: NDArray[np.bool_]) -> Ints:
        return np.asarray(np.add.reduceat(np.where(where, left, 0), starts), np.int64)

    is_left = until >= as_of_day
    return {
        "customer": customer[starts],
        "expired": summed(~is_left),
        "soon": summed(is_left & (until <= as_of_day + SOON_DAYS)),
        "pending_left": summed(is_left & (until < NEVER)),
    }


def _ints(column: pa.ChunkedArray | pa.Array) -> Ints:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(whole.to_numpy(zero_copy_only=False), np.int64)


def _put(into: Ints, customers: Ints, who: pa.ChunkedArray | Ints, values: Ints) -> None:
    """Values of some customers, put where each of them stands."""
    order = np.argsort(customers)
    numbers = who if isinstance(who, np.ndarray) else _ints(who)
    into[order[np.searchsorted(customers[order], numbers)]] = values
