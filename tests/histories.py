"""Small histories: what a test says happened, as the package would have loaded it."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

import pyarrow as pa
from hypothesis import strategies as st

from portfolio_ml.customer_base import BetaGeo, GammaGamma, ParetoNBD
from portfolio_ml.engine import Engine
from portfolio_ml.features.catalogue import catalogue
from portfolio_ml.features.reference import Reference
from portfolio_ml.features.table import Horizons, definitions_hash
from portfolio_ml.frozen import Frozen
from portfolio_ml.schema import HISTORY, MONEY_SCALE, QUARANTINE
from portfolio_ml.transactions import History, with_numbers

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
    purchase_model=ParetoNBD(r=0.4, alpha=45.0, s=0.5, beta=90.0),
    bg_nbd_model=BetaGeo(r=0.3, alpha=40.0, a=0.8, b=2.4),
    spend_model=GammaGamma(p=6.2, q=3.7, v=15.4),
    known_shares={"region": {"north": 0.6, "south": 0.3}},
)
FROZEN = Frozen(
    reference=REFERENCE,
    activity_days=60,
    horizons=HORIZONS,
    features=catalogue().names,
    features_hash=definitions_hash(catalogue(), HORIZONS),
)


def day_of(date: date) -> int:
    """The number of a day, counted from 1970-01-01."""
    return (date - EPOCH).days


class Line(NamedTuple):
    """One line of a history; money is in currency units, a return is negative.

    What is None is unknown; a column that no line knows is not mapped.
    """

    customer: str
    date: date
    amount: float
    order_id: str | None = None
    product_id: str | None = None
    category: str | None = None
    channel: str | None = None
    quantity: float | None = None
    cost: float | None = None
    discount: float | None = None
    minute: int | None = None
    recorded: date | None = None

    @property
    def day(self) -> int:
        """The day number."""
        return day_of(self.date)

    @property
    def known_day(self) -> int:
        """The number of the day from which on the line is in history."""
        return max(self.day, day_of(self.recorded or self.date))

    @property
    def units(self) -> int:
        """The amount in 1/10,000 currency unit."""
        return units_of(self.amount)


OPTIONAL = {
    **{name: name for name in Line._fields[3:-1]},
    "known_day": "recorded",
}
"""The optional columns of a history, each with the field of a line that maps it."""


def units_of(money: float) -> int:
    """Currency units in 1/10,000 of them."""
    return round(Fraction(str(money)) * MONEY_SCALE)


def after(days: int) -> date:
    """The date some days after the histories' first."""
    return START + timedelta(days)


def bought(customer: str, *days: int, amount: float = 10.0) -> list[Line]:
    """One purchase of the amount on each of the days after the histories' first."""
    return [Line(customer, after(day), amount) for day in days]


def columns_of(lines: Iterable[Line]) -> frozenset[str]:
    """The optional columns that are mapped: those that any line knows."""
    kept = list(lines)
    is_known = {
        column: any(getattr(line, field) is not None for line in kept)
        for column, field in OPTIONAL.items()
    }
    return frozenset(column for column, known in is_known.items() if known)


def history_of(
    engine: Engine, lines: Iterable[Line], *, columns: Collection[str] | None = None
) -> History:
    """The lines as a history in the engine.

    Args:
        engine: Where the lines are kept.
        lines: What happened.
        columns: The optional columns that are mapped; where not given, those of `columns_of`.
    """
    kept = list(lines)
    mapped = columns_of(kept) if columns is None else frozenset(columns)
    names = [c.name for c in HISTORY.columns if c.required or c.name in mapped]
    schema = pa.schema([pa.field(name, HISTORY.arrow.field(name).type) for name in names])
    table = pa.table({name: [_held(line, name) for line in kept] for name in names}, schema=schema)
    numbered, customers = with_numbers(table)
    return History(
        numbered=engine.keep(engine.from_arrow(numbered)),
        customers=engine.keep(engine.from_arrow(customers)),
        days=_days(kept),
        quarantine=QUARANTINE.arrow.empty_table(),
        columns=mapped,
    )


def _held(line: Line, column: str) -> str | int | float | None:
    """What a history holds of a line."""
    if column == "customer_id":
        return line.customer
    if column == "amount":
        return line.units
    value = getattr(line, column)
    return units_of(value) if column in ("cost", "discount") and value is not None else value


def _days(lines: list[Line]) -> pa.Table:
    on: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        on[line.day].append(line)
    return pa.table(
        {
            "day": pa.array(sorted(on), pa.int32()),
            "lines": [len(on[day]) for day in sorted(on)],
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


SOME = {
    "order_id": order_ids,
    "product_id": st.sampled_from((None, "p-1", "p-2", "p-3")),
    "category": st.sampled_from((None, "food", "toys", "books")),
    "channel": st.sampled_from((None, "shop", "web")),
    "quantity": st.sampled_from((None, 0.0, 1.0, 2.5, -3.0)),
    "cost": st.sampled_from((None, 0.0, 1.25, 12.5, -4.0)),
    "discount": st.sampled_from((None, 0.0, 0.5, 10.0)),
    "minute": st.sampled_from((None, 0, 359, 360, 719, 720, 1079, 1080, 1439)),
}
"""What may be known of a line."""


@st.composite
def lines(
    draw: st.DrawFn, *, last_day: int = 1_000, columns: Collection[str] | None = None
) -> list[Line]:
    """The lines of one to twelve customers, few or many.

    Days cluster, so that some coincide. Of the optional `columns` lines know some; where these are
    not given, that is the order id or nothing.
    """
    days = st.one_of(st.integers(0, last_day), st.integers(0, 12).map(lambda n: n * last_day // 12))
    dates = days.map(after)
    if columns is None:
        columns = draw(st.sampled_from(((), ("order_id",))))
    told = {**SOME, "known_day": st.one_of(st.none(), dates)}
    known = {  # of a named tuple, hypothesis would fill the fields that have a default too
        field: told[name] if name in columns else st.none() for name, field in OPTIONAL.items()
    }
    line = st.builds(Line, st.sampled_from(CUSTOMERS), dates, amounts, **known)
    return draw(st.lists(line, min_size=draw(st.sampled_from((1, 20, 60)))))
