"""A portfolio of every optional column and table, drawn at random, each value on its own."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine
from portfolio_ml.events import Events
from portfolio_ml.features.feature import Feature
from portfolio_ml.features.inputs import Inputs, inputs_of
from portfolio_ml.schema import HISTORY, MONEY_SCALE, QUARANTINE
from portfolio_ml.transactions import History, with_numbers

FIRST_DAY, SPAN_DAYS = 18_262, 1_100  # from 2020-01-01
KINDS = ("survey",)


@dataclass(frozen=True, slots=True)
class World:
    """A portfolio's tables, as validated, with or without the days when lines became known."""

    lines: pa.Table
    customers: pa.Table
    interactions: pa.Table
    contacts: pa.Table

    def each(self, change: Callable[[pa.Table], pa.Table]) -> "World":
        """The world with every table changed alike."""
        return World(*map(change, (self.lines, self.customers, self.interactions, self.contacts)))

    def until(self, day: int) -> "World":
        """What had happened, and was recorded, by the end of a day."""

        def happened(table: pa.Table) -> pa.Table:
            names = ("known_day", "day", "valid_from")
            when = table[next(name for name in names if name in table.column_names)]
            return table.filter(pc.fill_null(pc.less_equal(when, day), True))

        return self.each(happened)

    def shuffled(self, rng: np.random.Generator) -> "World":
        """The same rows in another order."""
        return self.each(lambda table: table.take(rng.permutation(table.num_rows)))

    def of(self, ids: Sequence[str]) -> "World":
        """The rows of some customers."""
        chosen = pa.array(ids)
        return self.each(lambda table: table.filter(pc.is_in(table["customer_id"], chosen)))

    def recorded_at_once(self) -> "World":
        """The world in which nothing tells when a line became known."""
        return replace(self, lines=self.lines.drop_columns("known_day"))

    def inputs(self, own: Sequence[Feature], engine: Engine) -> Inputs:
        """What features, and those of one's own, are computed from."""

        def events(table: pa.Table, always: Collection[str]) -> Events:
            return Events(
                frame=engine.from_arrow(table),
                kept=table.num_rows,
                quarantine=QUARANTINE.arrow.empty_table(),
                columns=frozenset(table.column_names) - {*always},
                source="random",
            )

        always = {c.name for c in HISTORY.columns if c.required} - {"order_id"}
        days = self.lines.group_by("day").aggregate([("amount", "sum"), ("amount", "count")])
        lines, customers = with_numbers(self.lines)
        return inputs_of(
            History(
                numbered=engine.from_arrow(lines),
                customers=engine.from_arrow(customers),
                days=days.rename_columns(["day", "amount", "lines"]).sort_by("day"),
                quarantine=QUARANTINE.arrow.empty_table(),
                columns=frozenset(self.lines.column_names) - always,
            ),
            engine,
            customers=CustomerTable(
                frame=engine.from_arrow(self.customers),
                kept=self.customers.num_rows,
                quarantine=QUARANTINE.arrow.empty_table(),
                is_dated=True,
                columns=frozenset(self.customers.column_names) - {"customer_id", "valid_from"},
                static=frozenset(),
                source="random",
            ),
            interactions=events(self.interactions, ("customer_id", "day", "kind")),
            contacts=events(self.contacts, ("customer_id", "day", "action")),
            kinds=KINDS,
            own=own,
        )


def random_world(customers: int, rng: np.random.Generator) -> World:
    """A portfolio of so many customers, with 25 lines, interactions and contacts of each."""
    ids = [f"c{number:02d}" for number in range(customers)]
    count = 25 * customers
    day = _days(rng, count)
    amount = np.where(rng.random(count) < 0.1, -1, 1) * rng.integers(0, 200, count) * MONEY_SCALE
    lines = {
        "customer_id": rng.choice(ids, count),
        "day": day,
        "amount": amount // 4,
        "order_id": _texts(rng, "o", count // 2, count),
        "product_id": _texts(rng, "p", 30, count),
        "category": _texts(rng, "k", 5, count),
        "channel": _texts(rng, "shop", 3, count),
        "quantity": rng.integers(1, 6, count).astype(float),
        "cost": np.abs(amount) // 8,
        "discount": rng.integers(0, 3, count) * MONEY_SCALE,
        "minute": rng.integers(0, 24 * 60, count),
        "known_day": day + rng.integers(0, 3, count) * rng.integers(0, 60, count),
    }
    types = {column.name: column.type for column in HISTORY.columns}
    return World(
        lines=pa.table({n: pa.array(v, types[n]) for n, v in lines.items()}),
        customers=_random_customers(ids, rng),
        interactions=pa.table(
            {
                "customer_id": rng.choice(ids, count),
                "day": pa.array(_days(rng, count), pa.int32()),
                "kind": rng.choice(["call", *KINDS], count),
                "value": rng.integers(0, 11, count).astype(float),
                "channel": _texts(rng, "web", 3, count),
                "minute": pa.array(rng.integers(0, 24 * 60, count), pa.int16()),
            }
        ),
        contacts=pa.table(
            {
                "customer_id": rng.choice(ids, count),
                "day": pa.array(_days(rng, count), pa.int32()),
                "action": rng.choice(["email", "call"], count),
                "campaign": _texts(rng, "x", 4, count),
                "held_out": rng.random(count) < 0.2,
            }
        ),
    )


def _random_customers(ids: Sequence[str], rng: np.random.Generator) -> pa.Table:
    """Two rows of each customer: what always held, and what holds from a day on."""
    count = 2 * len(ids)
    since = [day if row % 2 else None for row, day in enumerate(_days(rng, count).tolist())]
    days = {
        "valid_from": since,
        "signup_date": FIRST_DAY - rng.integers(0, 900, count),
        "ended_at": FIRST_DAY + rng.integers(0, 2_000, count),
        "birthday": rng.integers(0, 12_000, count),
    }
    return pa.table(
        {
            "customer_id": np.repeat(ids, 2),
            **{name: pa.array(values, pa.int32()) for name, values in days.items()},
            "income": rng.integers(20, 90, count) * 1_000.0,
            "service_cost": rng.integers(0, 9, count) * 10.0,
            "region": _texts(rng, "region", 4, count),
            "segment": _texts(rng, "segment", 3, count),
        }
    )


def _days(rng: np.random.Generator, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return rng.integers(FIRST_DAY, FIRST_DAY + SPAN_DAYS, count)


def _texts(rng: np.random.Generator, name: str, kinds: int, count: int) -> pa.Array:
    """Texts of so many kinds; one in ten is unknown."""
    drawn = rng.integers(0, kinds, count)
    is_known = rng.random(count) < 0.9
    return pa.array([f"{name}{n}" if k else None for n, k in zip(drawn, is_known, strict=True)])
