"""Books of tiny portfolios, and that of the resellers, for tests of the portfolio's figures."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from tests.histories import FROZEN, Line, after, day_of, history_of

from portfolio_ml.config import Lifecycle, Portfolio, Settings, settings_from
from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine, Frame
from portfolio_ml.events import Events
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.frozen import Frozen
from portfolio_ml.opening import Opened, opened
from portfolio_ml.portfolio.book import Book, book_of
from portfolio_ml.portfolio.stock import frozen_at
from portfolio_ml.schema import (
    CONTACTS,
    CUSTOMER_ROWS,
    CUSTOMERS,
    INTERACTIONS,
    POINTS_SCALE,
    QUARANTINE,
    Table,
)
from portfolio_ml.valuations import Valuations

FOLDER = "PORTFOLIO_ML_DATA"
RESELLERS_AS_OF = date(2020, 4, 30)  # the last whole month
NO_DATA = f"{FOLDER} names no folder with further data sets"


def frozen_with(*, activity_days: int = 60, tier_edges: Sequence[float] = ()) -> Frozen:
    """What a champion froze, with another activity window or other tiers."""
    reference = FROZEN.reference
    if tier_edges:
        reference = replace(reference, tier_edges=tuple(tier_edges))
    return replace(FROZEN, reference=reference, activity_days=activity_days)


def small_book(
    lines: Iterable[Line],
    engine: Engine,
    *,
    as_of: date,
    frozen: Frozen | None = None,
    settings: Mapping[str, Any] | None = None,
    scores: Iterable[Mapping[str, Any]] | None = None,
    customers: Iterable[Mapping[str, Any]] | None = None,
    interactions: Iterable[Mapping[str, Any]] | None = None,
    contacts: Iterable[Mapping[str, Any]] | None = None,
    then_scores: pa.Table | None = None,
    valuations: Valuations | None = None,
    lifecycle: Lifecycle | None = None,
) -> Book:
    """The book of a few lines; tables beside them as rows, dates as `date`.

    Scores are rows with customer_id and any columns of the customer rows; the others are null.
    """
    known = None if customers is None else customer_table(customers, engine)
    talks = None if interactions is None else events(interactions, INTERACTIONS, engine)
    letters = None if contacts is None else events(contacts, CONTACTS, engine)
    history = history_of(engine, lines)
    inputs = inputs_of(history, engine, customers=known, interactions=talks, contacts=letters)
    return book_of(
        inputs,
        frozen or frozen_with(),
        as_of=as_of,
        settings=Portfolio.model_validate(settings or {}),
        scores=None if scores is None else scores_of(scores),
        then_scores=then_scores,
        currency="EUR",
        customers=known,
        interactions=talks,
        contacts=letters,
        valuations=valuations,
        lifecycle=lifecycle or Lifecycle(),
    )


def scores_of(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Customer rows of which only some columns are told."""
    kept = [{name: row.get(name) for name in CUSTOMER_ROWS.names} for row in rows]
    nullable = pa.schema([f.with_nullable(True) for f in CUSTOMER_ROWS.arrow])
    return pa.Table.from_pylist(kept, schema=nullable)


def customer_table(rows: Iterable[Mapping[str, Any]], engine: Engine) -> CustomerTable:
    """A customers table: customer_id, maybe valid_from, and attributes."""
    kept = [{"valid_from": None, **row} for row in rows]
    names = {name for row in kept for name in row}
    numbers = {"income", "service_cost"}
    days = {"valid_from", "signup_date", "ended_at", "birthday"}
    types = {
        name: pa.int32() if name in days else pa.float64() if name in numbers else pa.string()
        for name in ["customer_id", "valid_from", *sorted(names - {*CUSTOMERS.key})]
    }
    return CustomerTable(
        frame=engine.keep(engine.from_arrow(_arrow(kept, types))),
        kept=len(kept),
        quarantine=QUARANTINE.arrow.empty_table(),
        is_dated=any(row["valid_from"] is not None for row in kept),
        columns=frozenset(names) - {*CUSTOMERS.key},
        static=frozenset(),
        source="a test",
    )


def events(rows: Iterable[Mapping[str, Any]], of: Table, engine: Engine) -> Events:
    """Interactions or contacts, each with a `date`."""
    kept = [{"day" if k == "date" else k: v for k, v in row.items()} for row in rows]
    names = {name for row in kept for name in row}
    types = {
        c.name if c.name != "timestamp" else "day": c.type if c.name != "timestamp" else pa.int32()
        for c in of.columns
        if c.name in names or c.name == "timestamp" or c.required
    }
    always = {"day", *(c.name for c in of.columns if c.required)}
    return Events(
        frame=engine.keep(engine.from_arrow(_arrow(kept, types))),
        kept=len(kept),
        quarantine=QUARANTINE.arrow.empty_table(),
        columns=frozenset(types) - always,
        source="a test",
    )


@dataclass(frozen=True)
class PointsRows:
    """A loaded table of points."""

    frame: Frame
    columns: frozenset[str] = field(default=frozenset({"reason", "expires_at"}))


def points_of(
    engine: Engine,
    entries: Sequence[tuple[str, int, float, int | None, str | None]],
    *,
    tells_expiry: bool = True,
) -> PointsRows:
    """A table of entries: customer, day after the histories' first, points, expiry and reason."""
    zero = day_of(after(0))
    table = pa.table(
        {
            "customer_id": [e[0] for e in entries],
            "day": pa.array([zero + e[1] for e in entries], pa.int32()),
            "points": pa.array([round(e[2] * POINTS_SCALE) for e in entries], pa.int64()),
            "reason": pa.array([e[4] for e in entries], pa.string()),
            "expires_day": pa.array(
                [None if e[3] is None else zero + e[3] for e in entries], pa.int32()
            ),
        }
    )
    named = {"reason", "expires_at"} if tells_expiry else {"reason"}
    return PointsRows(engine.keep(engine.from_arrow(table)), frozenset(named))


def _arrow(rows: Sequence[Mapping[str, Any]], types: Mapping[str, pa.DataType]) -> pa.Table:
    def held(value: object) -> object:
        return day_of(value) if isinstance(value, date) else value

    columns = {n: pa.array([held(r.get(n)) for r in rows], type=t) for n, t in types.items()}
    return pa.table(columns)


def data_folder() -> Path:
    """The folder with further data sets; without it the test is skipped."""
    if not os.environ.get(FOLDER):
        pytest.skip(NO_DATA)
    return Path(os.environ[FOLDER])


def reseller_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The resellers' lines, as a plain table, and their customers.

    A reseller's representative is who sold its orders, and changes on the day of the first order
    that another one sold: the rows are dated by valid_from.
    """
    folder = data_folder() / "adventureworks"
    lines = pd.read_parquet(folder / "reseller_sales.parquet")
    products = pacsv.read_csv(folder / "Product.csv").to_pandas()
    resellers = pacsv.read_csv(folder / "Resellers.csv").to_pandas()
    kinds = products.set_index("ProductKey")["Subcategory"]
    lines = pd.DataFrame(
        {
            "customer_id": lines["ResellerKey"].astype(str),
            "timestamp": pd.to_datetime(lines["OrderDate"]),
            "amount": lines["SalesAmount"].astype(float),
            "order_id": lines["SalesOrderNumber"].astype(str),
            "product_id": lines["ProductKey"].astype(str),
            "category": lines["ProductKey"].map(kinds).astype(str),
            "quantity": lines["OrderQuantity"].astype(float),
            "cost": lines["TotalProductCost"].astype(float),
            "representative_id": lines["EmployeeKey"].astype(str),
        }
    )
    sold = lines.sort_values(["customer_id", "timestamp", "order_id"])
    sold = sold.drop_duplicates(["customer_id", "timestamp"])
    changed = sold["representative_id"] != sold.groupby("customer_id")["representative_id"].shift()
    dated = sold.loc[changed, ["customer_id", "timestamp", "representative_id"]]
    dated = dated.rename(columns={"timestamp": "valid_from"})
    resellers["customer_id"] = resellers["ResellerKey"].astype(str)
    known = resellers.rename(columns={"BusinessType": "segment", "Country_Region": "region"})
    customers = dated.merge(known[["customer_id", "segment", "region"]], on="customer_id")
    return lines.drop(columns="representative_id"), customers


def reseller_settings(folder: Path, portfolio: Mapping[str, Any] | None = None) -> Settings:
    """Settings of the resellers' portfolio, with its tables in the folder."""
    lines, customers = reseller_tables()
    lines.to_parquet(folder / "lines.parquet", index=False)
    customers.to_parquet(folder / "customers.parquet", index=False)
    values = {
        "name": "resellers",
        "currency": "USD",
        "data": {
            "transactions": {"source": "lines.parquet"},
            "customers": {"source": "customers.parquet"},
        },
        "engine": {"threads": 1},
        "portfolio": dict(portfolio or {}),
    }
    return settings_from(values, base=folder)


@contextmanager
def opened_book(
    settings: Settings, *, as_of: date, scores: pa.Table | None = None
) -> Iterator[Book]:
    """The book of a portfolio without champions, for the length of a `with` block."""
    with opened(settings, today=as_of, as_of=as_of, say=lambda _: None) as portfolio:
        yield book_of_opened(portfolio, scores=scores)


def book_of_opened(portfolio: Opened, *, scores: pa.Table | None = None) -> Book:
    """The book of an opened portfolio, with what holds at its as-of date."""
    frozen = frozen_at(portfolio.inputs, portfolio.as_of_day, horizons=portfolio.recipe.horizons)
    return book_of(
        portfolio.inputs,
        frozen,
        as_of=portfolio.as_of,
        settings=portfolio.settings.portfolio,
        scores=scores,
        currency=portfolio.history.currency,
        customers=portfolio.customers,
        interactions=portfolio.interactions,
        contacts=portfolio.contacts,
        opportunities=portfolio.opportunities,
        points=portfolio.points,
        prospects=portfolio.prospects,
        valuations=portfolio.valuations,
        lifecycle=portfolio.settings.lifecycle,
    )
