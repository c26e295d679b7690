"""Any ledger of points: balances beside a plain simulation, entry by entry."""

from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml.engine import Engine
from portfolio_ml.portfolio.loyalty.points_balance import SOON_DAYS, YEAR_DAYS, balances
from portfolio_ml.portfolio.loyalty.points_ledger import Ledger

pytestmark = pytest.mark.property

AS_OF = 500
examples = shown(25, HealthCheck.function_scoped_fixture)


class Entry(NamedTuple):
    """One entry: points, below 0 where used; `lag` days after it points still count."""

    customer: int
    day: int
    points: int
    lag: int | None
    is_return: bool


class Lot:
    """Points that were earned together."""

    def __init__(self, entry: Entry) -> None:
        self.left = entry.points
        self.until = float("inf") if entry.lag is None else entry.day + entry.lag
        self.earned = entry.points
        self.day = entry.day


def simulated(entries: list[Entry]) -> dict[str, int]:
    """One customer's points, followed day by day."""
    lots: list[Lot] = []
    owed = 0
    for entry in sorted(entries, key=lambda e: (e.day, e.points < 0, e.lag is None, e.lag)):
        if entry.points > 0:
            lot = Lot(entry)
            settled = min(owed, lot.left)
            owed, lot.left = owed - settled, lot.left - settled
            lots.append(lot)
            continue
        wanted = -entry.points
        for lot in sorted(lots, key=lambda lot: lot.until):
            if lot.until >= entry.day:
                taken = min(wanted, lot.left)
                wanted, lot.left = wanted - taken, lot.left - taken
        owed += wanted
    alive = [lot for lot in lots if lot.until >= AS_OF]
    recent = [e for e in entries if AS_OF - e.day < YEAR_DAYS and (e.points > 0 or e.is_return)]
    return {
        "first_day": min(e.day for e in entries),
        "earned": sum(lot.earned for lot in lots),
        "returned": sum(-e.points for e in entries if e.is_return),
        "redeemed": sum(-e.points for e in entries if e.points < 0 and not e.is_return),
        "expired": sum(lot.left for lot in lots if lot.until < AS_OF),
        "balance": sum(lot.left for lot in alive) - owed,
        "expiring_90d": sum(lot.left for lot in alive if lot.until <= AS_OF + SOON_DAYS),
        "earned_365d": sum(e.points for e in recent),
        "matured": sum(lot.earned for lot in lots if lot.until < AS_OF),
        "pending": sum(lot.earned for lot in alive if lot.until < float("inf")),
        "pending_left": sum(lot.left for lot in alive if lot.until < float("inf")),
    }


@st.composite
def ledgers(draw: st.DrawFn, *, lags: st.SearchStrategy[int | None]) -> list[Entry]:
    """The entries of some customers; days cluster, so that some coincide."""
    same = draw(lags)
    lag = draw(st.sampled_from((lags, st.just(same))))
    days = st.one_of(st.integers(0, AS_OF), st.sampled_from((100, 130, 499, AS_OF)))
    earned = st.tuples(st.integers(1, 30), lag, st.just(value=False))
    used = st.tuples(st.integers(-40, -1), st.none(), st.booleans())
    entry = st.tuples(st.integers(-1, 3), days, st.one_of(earned, earned, used))
    drawn = draw(st.lists(entry, min_size=1, max_size=40))
    return [Entry(customer, day, *what) for customer, day, what in drawn]


def found(entries: list[Entry], engine: Engine) -> dict[str, dict[str, int]]:
    """The balances by customer."""
    until = [None if e.lag is None or e.points < 0 else e.day + e.lag for e in entries]
    table = pa.table(
        {
            "customer": pa.array([e.customer for e in entries], pa.int64()),
            "day": pa.array([e.day for e in entries], pa.int32()),
            "points": pa.array([e.points for e in entries], pa.int64()),
            "is_return": [e.is_return for e in entries],
            "expires_day": pa.array(until, pa.int32()),
        }
    )
    numbers = sorted({e.customer for e in entries})
    who = {"customer": pa.array(numbers, pa.int64()), "customer_id": [f"c{n}" for n in numbers]}
    ledger = Ledger(
        engine.keep(engine.from_arrow(table)),
        engine.from_arrow(pa.table(who)),
        by_rule=True,
        by_table=True,
    )
    rows = balances(ledger, AS_OF, engine).to_pylist()
    return {
        row["customer_id"]: {k: v for k, v in row.items() if "customer" not in k} for row in rows
    }


@examples
@given(entries=ledgers(lags=st.sampled_from((None, 0, 5, 40, 90, 365))))
def test_balances_are_those_of_a_customer_who_uses_what_expires_first(entries, engine) -> None:
    told = found(entries, engine)

    numbers = {e.customer for e in entries}
    of = {f"c{n}": simulated([e for e in entries if e.customer == n]) for n in numbers}
    assert told == of
    for row in told.values():
        used = row["returned"] + row["redeemed"]
        assert row["earned"] == row["balance"] + used + row["expired"]
