"""All tables of a portfolio, loaded and validated: the transactions, and those beside them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import narwhals as nw
import pyarrow as pa

from portfolio_ml import (
    customers,
    events,
    merges,
    opportunities,
    points,
    prospects,
    survivors,
    transactions,
    valuations,
)
from portfolio_ml.config import Settings
from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine, Frame, Reader, distinct
from portfolio_ml.events import Events
from portfolio_ml.merges import Merges
from portfolio_ml.opportunities import Opportunities
from portfolio_ml.points import Points
from portfolio_ml.prospects import Prospects
from portfolio_ml.schema import (
    CONTACTS,
    CUSTOMER_MERGES,
    CUSTOMERS,
    INTERACTIONS,
    OPPORTUNITIES,
    POINTS,
    PROSPECTS,
    TRANSACTIONS,
    VALUATIONS,
    Table,
)
from portfolio_ml.steps import Say
from portfolio_ml.transactions import History
from portfolio_ml.validation import TooManyRefusedError
from portfolio_ml.valuations import Valuations

Beside = CustomerTable | Events | Opportunities | Points | Prospects | Valuations
"""A table beside the transactions, loaded."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a portfolio; None where one is not configured.

    Attributes:
        history: The transactions' lines.
        customers: What is known of each customer.
        interactions: What customers did beside buying.
        contacts: What was done to win or keep them.
        opportunities: The deals of each representative.
        points: What customers earned and redeemed of a loyalty programme.
        prospects: Who may become a customer.
        valuations: What the portfolio was worth at some dates.
        merges: Which of them turned out to be one.
        merged: What of the merges is known by the date for which the tables were loaded, as
            `Merges.known_on` gives it: ids that no table names. None without merges.
    """

    history: History
    customers: CustomerTable | None = None
    interactions: Events | None = None
    contacts: Events | None = None
    opportunities: Opportunities | None = None
    points: Points | None = None
    prospects: Prospects | None = None
    valuations: Valuations | None = None
    merges: Merges | None = None
    merged: Frame | None = None

    @property
    def others(self) -> Mapping[str, Beside | Merges]:
        """The tables beside the transactions, by name."""
        named = {
            CUSTOMERS.name: self.customers,
            INTERACTIONS.name: self.interactions,
            CONTACTS.name: self.contacts,
            OPPORTUNITIES.name: self.opportunities,
            POINTS.name: self.points,
            PROSPECTS.name: self.prospects,
            VALUATIONS.name: self.valuations,
            CUSTOMER_MERGES.name: self.merges,
        }
        return {name: table for name, table in named.items() if table is not None}

    @property
    def quarantine(self) -> pa.Table:
        """The refused rows of all of them, as in `schema.QUARANTINE`."""
        return pa.concat_tables([t.quarantine for t in (self.history, *self.others.values())])


def load_all(
    settings: Settings,
    engine: Reader,
    *,
    today: date,
    say: Say,
    table: object = None,
    as_of: date | None = None,
) -> Tables:
    """Every table that the settings name, the rows of merged customers under who survives.

    Args:
        settings: Where the tables are and what their columns are called.
        engine: Where the rows are kept.
        today: The wall clock's date; what is dated later than tomorrow is refused.
        say: Told what is being done.
        table: The transactions themselves, instead of those at the configured source.
        as_of: The day by whose end merges are known; `today` where not given.

    Raises:
        ConfigError: A source, its mapping or the rates are wrong.
        DataError: A table cannot be used.
        TooManyRefusedError: More rows of a table than allowed break a rule; its quarantine holds
            the refused rows of the tables before it as well.
    """
    data = settings.data
    known, merged = None, None
    if data.customer_merges is not None:
        _tell(CUSTOMER_MERGES, say)
        known = merges.load(settings, engine)
        merged = known.known_on(as_of or today, engine)
    _tell(TRANSACTIONS, say)
    try:
        history = transactions.load(settings, engine, today=today, table=table, merged=merged)
    except TooManyRefusedError as error:
        raise (error.after(known.quarantine) if known else error) from None
    loaded = Tables(history, merges=known, merged=merged)
    try:
        for of, load in beside(settings, engine, today=today):
            if getattr(data, of.name) is not None:
                _tell(of, say)
                rows: dict[str, Any] = {of.name: load()}
                loaded = replace(loaded, **rows)
    except TooManyRefusedError as error:
        raise error.after(loaded.quarantine) from None
    return _of_survivors(loaded, engine)


def beside(
    settings: Settings, engine: Reader, *, today: date
) -> Iterable[tuple[Table, Callable[[], Beside]]]:
    """The tables that may stand beside the transactions, in order, and what loads each."""
    return (
        (CUSTOMERS, partial(customers.load, settings, engine)),
        (INTERACTIONS, partial(events.load, INTERACTIONS, settings, engine, today=today)),
        (CONTACTS, partial(events.load, CONTACTS, settings, engine, today=today)),
        (OPPORTUNITIES, partial(opportunities.load, settings, engine, today=today)),
        (POINTS, partial(points.load, settings, engine, today=today)),
        (PROSPECTS, partial(prospects.load, settings, engine)),
        (VALUATIONS, partial(valuations.load, settings, engine, today=today)),
    )


def _of_survivors(tables: Tables, engine: Engine) -> Tables:
    """The tables beside the transactions, with the rows of merged customers under who survives."""
    merged, known, leads = tables.merged, tables.customers, tables.prospects
    if merged is None:
        return tables
    calls, letters = tables.interactions, tables.contacts
    deals, entries = tables.opportunities, tables.points
    return replace(
        tables,
        customers=None if known is None else survivors.of_customers(known, merged, engine),
        interactions=None if calls is None else survivors.of_rows(calls, merged),
        contacts=None if letters is None else survivors.of_rows(letters, merged),
        opportunities=None if deals is None else survivors.of_rows(deals, merged),
        points=None if entries is None else survivors.of_rows(entries, merged),
        prospects=None if leads is None else survivors.of_prospects(leads, merged),
    )


def unlisted_customers(tables: Tables, engine: Engine) -> int | None:
    """How many customers with transactions the customers table lacks; None without one."""
    if tables.customers is None:
        return None
    buyers = distinct(tables.history.lines.select("customer_id"))
    listed = distinct(tables.customers.frame.select("customer_id"))
    missing = buyers.join(listed, on="customer_id", how="anti").select(nw.len().alias("missing"))
    return int(engine.collect(missing)["missing"][0].as_py())


def _tell(of: Table, say: Say) -> None:
    say(f"loading and validating {of.name}")
