"""Customer rows, and a CRM to deliver them to, for tests of deliveries over HTTP."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from tests.contract.hubspot import TOKEN

from portfolio_ml.config.delivery_sections import HubSpotTarget
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.crm import Crm
from portfolio_ml.sinks.receipts import Run
from portfolio_ml.sinks.vendors.limits import Clock, Patience

NOW = datetime(2024, 3, 8, 6, 30, tzinfo=UTC)
QUICK = Patience(timeout=10.0, first_pause=0.001, longest_pause=0.002, jitter=0.001)
COLUMNS = {
    "p_churn": "pm_churn",
    "ltv": "pm_ltv",
    "is_active": "pm_active",
    "lifecycle_stage": "pm_band",
    "expected_next_order_date": "pm_next",
}


@dataclass
class FakeClock:
    """Time that passes when somebody sleeps, and a little with every look."""

    now: float = 1000.0
    slept: float = 0.0

    def seconds(self) -> float:
        self.now += 0.0001
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds

    @property
    def clock(self) -> Clock:
        return Clock(self.seconds, self.sleep)


def names(count: int) -> list[str]:
    """Customers' ids."""
    return [f"c{number:06}" for number in range(count)]


def scores(count: int, day: int = 1, *, changed: Callable[[int], int] = lambda n: 0) -> pa.Table:
    """Rows whose figures follow from the customer's number and its version.

    Args:
        count: The number of customers.
        day: The day of March 2024 that they are as of.
        changed: The version of a customer's figures.
    """
    figures = {
        pa.string(): lambda n, v: f"text {v}",
        pa.bool_(): lambda n, v: (n + v) % 2 == 0,
        pa.int8(): lambda n, v: (n + v) % 5 + 1,
        pa.int32(): lambda n, v: n + v,
        pa.int64(): lambda n, v: n + v,
        pa.float64(): lambda n, v: (n % 97) / 100 + v,
        pa.date32(): lambda n, v: date(2024, 4, 1 + (n + v) % 28),
        pa.timestamp("us", tz="UTC"): lambda n, v: NOW,
    }
    versions = [changed(number) for number in range(count)]
    columns = []
    for column in CUSTOMER_ROWS.columns:
        made = figures[column.type]
        values = [made(number, version) for number, version in enumerate(versions)]
        columns.append(pa.array(values, column.type))
    rows = pa.table(columns, names=CUSTOMER_ROWS.names)
    rows = rows.set_column(0, "customer_id", pa.array(names(count), pa.string()))
    place = rows.column_names.index("as_of")
    return rows.set_column(place, "as_of", pa.array([date(2024, 3, day)] * count, pa.date32()))


def run(day: int = 1, run_id: str | None = None) -> Run:
    """The run of a day."""
    return Run(run_id or f"r{day}", date(2024, 3, day), {"churn": "3"}, lambda: NOW)


def crm(address: str, folder: Path, *, clock: Clock | None = None, **target: Any) -> Crm:
    """A HubSpot to deliver to, with a state database in the folder."""
    settings = {
        "kind": "hubspot",
        "token": TOKEN,
        "id_property": "customer_no",
        "columns": COLUMNS,
        "base_url": address,
    }
    return Crm(
        HubSpotTarget.model_validate(settings | target),
        url="sqlite:///state.db",
        base=folder,
        table="hubspot_contacts",
        clock=clock or Clock(),
        patience=QUICK,
    )


def waiting(to: Crm, seconds: float) -> Crm:
    """The same with more or less patience for what a CRM asks to wait."""
    return replace(to, patience=replace(to.patience, longest_wait=seconds))


def asked(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of the state database."""
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        return connection.execute(query).fetchall()


def states(folder: Path) -> dict[str, int]:
    """How many rows of the outbox are in each state."""
    return dict(asked(folder, "SELECT state, COUNT(*) FROM portfolio_outbox GROUP BY 1"))


def wanted(count: int, *, changed: Callable[[int], int] = lambda n: 0) -> dict[str, dict[str, str]]:
    """What the CRM should hold, calculated apart."""
    found = {}
    for number, customer in enumerate(names(count)):
        version = changed(number)
        figure = f"{(number % 97) / 100 + version:.2f}".rstrip("0").rstrip(".")
        found[customer] = {
            "pm_churn": figure,
            "pm_ltv": figure,
            "pm_active": "true" if (number + version) % 2 == 0 else "false",
            "pm_band": f"text {version}",
            "pm_next": f"2024-04-{1 + (number + version) % 28:02}",
        }
    return found
