"""Small portfolios of all tables: lines, customers, interactions and contacts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

import pyarrow as pa
from hypothesis import strategies as st
from tests.histories import CUSTOMERS, OPTIONAL, Line, after, day_of, history_of, lines

from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine
from portfolio_ml.events import Events
from portfolio_ml.features.inputs import Inputs, inputs_of
from portfolio_ml.schema import QUARANTINE

KINDS = ("call", "Web-Chat")
"""The kinds of interactions that get features of their own."""


class Known(NamedTuple):
    """One row of a customers table; what is None is unknown, or has always held."""

    customer: str
    valid_from: date | None = None
    signup_date: date | None = None
    ended_at: date | None = None
    birthday: date | None = None
    income: float | None = None
    service_cost: float | None = None
    region: str | None = None


class Interaction(NamedTuple):
    """One interaction."""

    customer: str
    date: date
    kind: str = "call"
    value: float | None = None


class Contact(NamedTuple):
    """One contact; `held_out` says that it was left out, to compare."""

    customer: str
    date: date
    held_out: bool | None = None


@dataclass(frozen=True)
class Portfolio:
    """What a test says is known; a table that is None is not mapped.

    Attributes:
        lines: What was bought and returned.
        customers: What is known of the customers.
        interactions: What they did beside buying.
        contacts: What was done to keep them.
        columns: The optional columns of lines that are mapped; None: those that any line knows.
        is_dated: Whether the customers table says since when its rows hold.
    """

    lines: Sequence[Line]
    customers: Sequence[Known] | None = None
    interactions: Sequence[Interaction] | None = None
    contacts: Sequence[Contact] | None = None
    columns: Collection[str] | None = None
    is_dated: bool = True

    def where(self, keeps: Any) -> "Portfolio":
        """The portfolio with the rows of its tables for which `keeps` is true."""
        tables = ("lines", "customers", "interactions", "contacts")
        kept = {name: [r for r in getattr(self, name) or () if keeps(r)] for name in tables}
        return replace(
            self, **{n: rows for n, rows in kept.items() if getattr(self, n) is not None}
        )

    def inputs(self, engine: Engine) -> Inputs:
        """What features are computed from."""
        return inputs_of(
            history_of(engine, self.lines, columns=self.columns),
            engine,
            customers=self._customers(engine),
            interactions=None if self.interactions is None else _interactions(self, engine),
            contacts=None if self.contacts is None else _contacts(self, engine),
            kinds=() if self.interactions is None else KINDS,
        )

    def _customers(self, engine: Engine) -> CustomerTable | None:
        if self.customers is None:
            return None
        attributes = frozenset(Known._fields[2:])
        types = dict.fromkeys(("valid_from", "signup_date", "ended_at", "birthday"), pa.int32())
        types |= dict.fromkeys(("income", "service_cost"), pa.float64())
        table = _table(Known, self.customers, types)
        return CustomerTable(
            frame=engine.keep(engine.from_arrow(table)),
            kept=table.num_rows,
            quarantine=QUARANTINE.arrow.empty_table(),
            is_dated=self.is_dated,
            columns=attributes,
            static=frozenset() if self.is_dated else attributes,
            source="customers",
        )


def _interactions(portfolio: Portfolio, engine: Engine) -> Events:
    table = _table(
        Interaction, portfolio.interactions or (), {"day": pa.int32(), "value": pa.float64()}
    )
    return _events(engine, table, "value")


def _contacts(portfolio: Portfolio, engine: Engine) -> Events:
    types = {"day": pa.int32(), "held_out": pa.bool_()}
    table = _table(Contact, portfolio.contacts or (), types)
    table = table.append_column("action", pa.array(["email"] * table.num_rows, pa.string()))
    return _events(engine, table, "held_out")


def _table(kind: Any, rows: Sequence[Any], types: dict[str, pa.DataType]) -> pa.Table:
    """Rows as a table; what no type is given for is text, and dates become day numbers."""
    columns = {}
    for field in kind._fields:
        name = {"customer": "customer_id", "date": "day"}.get(field, field)
        values = [getattr(row, field) for row in rows]
        plain = [day_of(value) if isinstance(value, date) else value for value in values]
        columns[name] = pa.array(plain, types.get(name, pa.string()))
    return pa.table(columns)


def _events(engine: Engine, table: pa.Table, *columns: str) -> Events:
    return Events(
        frame=engine.keep(engine.from_arrow(table)),
        kept=table.num_rows,
        quarantine=QUARANTINE.arrow.empty_table(),
        columns=frozenset(columns),
        source="events",
    )


CUSTOMER_ROWS = st.builds(
    Known,
    st.sampled_from(CUSTOMERS),
    st.one_of(st.none(), st.integers(0, 1_000).map(after)),
    signup_date=st.sampled_from((None, after(-400), after(500), after(900))),
    ended_at=st.sampled_from((None, after(600), after(1_500))),
    birthday=st.sampled_from((None, date(1980, 2, 29), date(1999, 12, 31), after(800))),
    income=st.sampled_from((None, 0.0, 30_000.0, 45_000.5)),
    service_cost=st.sampled_from((None, 0.0, 2.5, 10.0)),
    region=st.sampled_from((None, "north", "south", "ost")),
)
_dates = st.integers(0, 1_000).map(after)
INTERACTIONS = st.builds(
    Interaction,
    st.sampled_from(CUSTOMERS),
    _dates,
    st.sampled_from((*KINDS, "visit")),
    st.sampled_from((None, 0.0, 1.0, 3.7, -2.0)),
)
CONTACTS = st.builds(
    Contact, st.sampled_from(CUSTOMERS), _dates, st.sampled_from((None, False, True))
)


@st.composite
def portfolios(draw: st.DrawFn, *, is_recorded: bool | None = None) -> Portfolio:
    """Portfolios of all tables with all optional columns, over a thousand days.

    With `is_recorded`, lines say when they were recorded; where not given, some portfolios' do.
    """
    told = draw(st.booleans()) if is_recorded is None else is_recorded
    columns = {name for name in OPTIONAL if name != "known_day" or told}
    is_dated = draw(st.booleans())
    customers = draw(
        st.lists(
            CUSTOMER_ROWS,
            max_size=20,
            unique_by=lambda row: (row.customer, row.valid_from if is_dated else None),
        )
    )
    return Portfolio(
        lines=draw(lines(columns=sorted(columns))),
        customers=[r if is_dated else r._replace(valid_from=None) for r in customers],
        interactions=draw(st.lists(INTERACTIONS, max_size=20)),
        contacts=draw(st.lists(CONTACTS, max_size=10)),
        columns=columns,
        is_dated=is_dated,
    )
