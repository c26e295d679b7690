"""Small histories: what a test says happened, as the package would have loaded it."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

import pyarrow as pa
from hypothesis import strategies as st

from portfolio_ml.customer_base import BetaGeo, GammaGamma
from portfolio_ml.engine import Engine
from portfolio_ml.features.reference import Reference
from portfolio_ml.features.table import Horizons
from portfolio_ml.schema import HISTORY, MONEY_SCALE, QUARANTINE
from portfolio_ml.transactions import History

EPOCH = date(1970, 1, 1)
START = date(2020, 1, 1)
HORIZONS = Horizons(churn_days=90, value_days=180)

# What a champion froze of some other portfolio.
REFERENCE = Reference(
    day=18_000,
    score_edges={
        "rfm_r": (20.0, 60.0, 150.0, 400.0),
        "rfm_f": (1.0, 2.0, 3.0, 6.0),
        "rfm_m": (5.0, 20.0, 35.0, 80.0),
    },
    tier_edges=(30.0, 80.0, 200.0),
    gap_days=45.0,
    purchase_model=BetaGeo(r=0.3, alpha=40.0, a=0.8, b=2.4),
    spend_model=GammaGamma(p=6.2, q=3.7, v=15.4),
)


def day_of(date: date) -> int:
    """The number of a day, counted from 1970-01-01."""
    return (date - EPOCH).days


class Line(NamedTuple):
    """One line of a history; the amount is in currency units, a return is negative."""

    customer: str
    date: date
    amount: float
    order_id: str | None = None

    @property
    def day(self) -> int:
        """The day number."""
        return day_of(self.date)

    @property
    def units(self) -> int:
        """The amount in 1/10,000 currency unit."""
        return round(Fraction(str(self.amount)) * MONEY_SCALE)


def after(days: int) -> date:
    """The date some days after the histories' first."""
    return START + timedelta(days)


def bought(customer: str, *days: int, amount: float = 10.0) -> list[Line]:
    """One purchase of the amount on each of the days after the histories' first."""
    return [Line(customer, after(day), amount) for day in days]


def has_orders(lines: Iterable[Line]) -> bool:
    """Whether any line has an order id: whether the column is mapped."""
    return any(line.order_id is not None for line in lines)


def history_of(engine: Engine, lines: Iterable[Line], *, orders: bool | None = None) -> History:
    """The lines as a history in the engine.

    Args:
        engine: Where the lines are kept.
        lines: What happened.
        orders: Whether order ids are mapped; where not given, they are if any line has one.
    """
    kept = list(lines)
    is_mapped = has_orders(kept) if orders is None else orders
    columns = [
        [line.customer for line in kept],
        [line.day for line in kept],
        [line.units for line in kept],
        [line.order_id for line in kept],
    ]
    schema = pa.schema([HISTORY.arrow.field(c.name) for c in HISTORY.columns if c.required])
    table = pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema)
    return History(
        lines=engine.keep(engine.from_arrow(table)),
        days=_days(kept),
        quarantine=QUARANTINE.arrow.empty_table(),
        columns=frozenset({"order_id"} if is_mapped else ()),
    )


def _days(lines: list[Line]) -> pa.Table:
    on: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        on[line.day].append(line)
    return pa.table(
        {
            "day": pa.array(sorted(on), pa.int32()),
            "lines": [len(on[day]) for day in sorted(on)],
            "customers": [len({line.customer for line in on[day]}) for day in sorted(on)],
            "amount": [float(sum(line.units for line in on[day])) for day in sorted(on)],
        }
    )


CUSTOMERS = ("a", "B", "0042", "o'Brien; --", "Łukasz", *(f"c{n}" for n in range(7)))

amounts = st.one_of(
    st.sampled_from((0.0, 9.99, 10.0, 20.0, -10.0)),
    st.integers(-5_000, 30_000).map(lambda cents: cents / 100),
)
"""Amounts in cents, some of which come often."""

order_ids = st.sampled_from((None, "o-1", "o-2", "o-3"))


@st.composite
def lines(draw: st.DrawFn, *, last_day: int = 1_000) -> list[Line]:
    """The lines of one to twelve customers: few or many, with or without order ids.

    Days cluster, so that some coincide.
    """
    days = st.one_of(st.integers(0, last_day), st.integers(0, 12).map(lambda n: n * last_day // 12))
    orders = draw(st.sampled_from((st.none(), order_ids)))
    line = st.builds(Line, st.sampled_from(CUSTOMERS), days.map(after), amounts, orders)
    return draw(st.lists(line, min_size=draw(st.sampled_from((1, 20, 60)))))
