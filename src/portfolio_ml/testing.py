"""What tests of a user's own features call: do they see the future, the order, or other customers?

```python
from portfolio_ml.testing import check_features
from my_features import FEATURES

def test_my_features():
    check_features(FEATURES)
```
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isclose
from typing import Literal

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml import engine as engines
from portfolio_ml.config import Spark
from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine
from portfolio_ml.errors import ConfigError
from portfolio_ml.events import Events
from portfolio_ml.features.account import KNOWN_SHARE
from portfolio_ml.features.catalogue import Catalogue
from portfolio_ml.features.feature import Feature
from portfolio_ml.features.inputs import Inputs, inputs_of
from portfolio_ml.features.reference import READ
from portfolio_ml.features.soundness import demand_sound
from portfolio_ml.features.table import Horizons, at, customers_at
from portfolio_ml.schema import HISTORY, MONEY_SCALE, QUARANTINE
from portfolio_ml.timeline import to_date
from portfolio_ml.transactions import History, with_numbers

FIRST_DAY, SPAN_DAYS = 18_262, 1_100  # from 2020-01-01
AS_OF_DAYS = (FIRST_DAY + 500, FIRST_DAY + 730, FIRST_DAY + 960)
HORIZONS = Horizons(churn_days=90, value_days=90)
KINDS = ("survey",)
# Features leave as float32; sums of fractions may differ in the last digits.
TOLERANCE = 1e-5

Values = dict[tuple[str, int], dict[str, float | None]]


def check_features(
    features: Collection[Feature],
    *,
    engine: Engine | Literal["duckdb", "spark"] | None = None,
    customers: int = 40,
    seed: int = 0,
) -> None:
    """Check features on random histories that have every optional column and table.

    Of each customer, at each of several as-of dates, the value must be the same with and without
    the rows after that date, in any order of the rows, with and without other customers (unless
    the feature's stage is `PORTFOLIO`), and with many dates computed at once or one at a time.

    Args:
        features: The features, such as a module's `FEATURES`.
        engine: Where to compute them: an open engine, or the name of one; DuckDB by default.
        customers: How many customers the histories have.
        seed: Makes the histories.

    Raises:
        AssertionError: A value differs, or a feature cannot be computed, in one sentence.

    Example:
        >>> import narwhals as nw
        >>> lines = nw.col("lines").max()
        >>> check_features([Feature(name="most_lines", family="own", unit="lines",
        ...                         formula="most lines on one day", value=lines)])
    """
    chosen = tuple(features)
    world = _random_world(customers, np.random.default_rng(seed))
    with _opened(engine) as opened:
        try:
            _check(world, chosen, opened, np.random.default_rng(seed))
        except ConfigError as error:
            raise AssertionError(str(error)) from None


@dataclass(frozen=True, slots=True)
class _World:
    """A portfolio's tables, as validated, with or without the days when lines became known."""

    lines: pa.Table
    customers: pa.Table
    interactions: pa.Table
    contacts: pa.Table

    def each(self, change: Callable[[pa.Table], pa.Table]) -> "_World":
        """The world with every table changed alike."""
        return _World(*map(change, (self.lines, self.customers, self.interactions, self.contacts)))

    def until(self, day: int) -> "_World":
        """What had happened, and was recorded, by the end of a day."""

        def happened(table: pa.Table) -> pa.Table:
            names = ("known_day", "day", "valid_from")
            when = table[next(name for name in names if name in table.column_names)]
            return table.filter(pc.fill_null(pc.less_equal(when, day), True))

        return self.each(happened)

    def shuffled(self, rng: np.random.Generator) -> "_World":
        """The same rows in another order."""
        return self.each(lambda table: table.take(rng.permutation(table.num_rows)))

    def of(self, ids: Sequence[str]) -> "_World":
        """The rows of some customers."""
        chosen = pa.array(ids)
        return self.each(lambda table: table.filter(pc.is_in(table["customer_id"], chosen)))

    def recorded_at_once(self) -> "_World":
        """The world in which nothing tells when a line became known."""
        return replace(self, lines=self.lines.drop_columns("known_day"))


def _check(
    late: _World, features: Sequence[Feature], engine: Engine, rng: np.random.Generator
) -> None:
    world = late.recorded_at_once()
    demand_sound(features, _inputs(world, features, engine))
    together = _values(world, features, engine, AS_OF_DAYS)

    again = _values(world.shuffled(rng), features, engine, AS_OF_DAYS)
    _demand_equal(together, again, "in another order of the rows", "it depends on their order")

    ids = sorted({name for name, _ in together})
    own = [feature for feature in features if not feature.is_relative]
    alone = _values(world.of(ids[::3]), own, engine, AS_OF_DAYS)
    _demand_equal(
        {key: together[key] for key in alone},
        alone,
        "where other customers are left out",
        "it looks at other customers",
    )

    for day in AS_OF_DAYS:
        on_day = {key: values for key, values in together.items() if key[1] == day}
        cut = _values(world.until(day), features, engine, [day])
        _demand_equal(on_day, cut, "without the rows after that day", "it sees the future")

    day = AS_OF_DAYS[1]
    _demand_equal(
        {key: values for key, values in together.items() if key[1] == day},
        _values(world, features, engine, [day]),
        "where that date is computed alone",
        "as-of dates are mixed up",
    )
    _demand_equal(
        _values(late, features, engine, [day]),
        _values(late.until(day), features, engine, [day]),
        "without the rows that were recorded after that day",
        "it sees the future",
    )


def _demand_equal(expected: Values, found: Values, where: str, why: str) -> None:
    for (customer, day), values in found.items():
        for name, value in values.items():
            other = expected.get((customer, day), {}).get(name)
            if not _is_equal(value, other):
                raise AssertionError(
                    f"the feature {name!r} of customer {customer!r} as of {to_date(day)} is "
                    f"{_shown(other)}, and {_shown(value)} {where}: {why}"
                )
    if missing := sorted(expected.keys() - found.keys()):
        customer, day = missing[0]
        raise AssertionError(f"customer {customer!r} has no row as of {to_date(day)} {where}")


def _is_equal(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _shown(value: float | None) -> str:
    return "null" if value is None else f"{value:g}"


def _values(
    world: _World, features: Sequence[Feature], engine: Engine, as_of_days: Sequence[int]
) -> Values:
    inputs = _inputs(world, features, engine)
    names = [feature.name for feature in features]
    if any(feature.is_relative for feature in features):
        fitted = (n for n in inputs.catalogue.names if n in READ or n.endswith(KNOWN_SHARE))
        needed = replace(inputs, catalogue=_needed([*names, *fitted], inputs.catalogue))
        rows = at(needed, as_of_days, horizons=HORIZONS).rows
    else:
        needed = replace(inputs, catalogue=_needed(names, inputs.catalogue))
        frame = customers_at(needed, as_of_days).join(inputs.customers, on="customer", how="inner")
        numbers = (nw.col(name).cast(nw.Float32) for name in names)
        rows = engine.collect(frame.select("customer_id", "as_of", *numbers))
    return {
        (row["customer_id"], row["as_of"]): {name: _or_none(row[name]) for name in names}
        for row in rows.to_pylist()
    }


def _needed(names: Sequence[str], catalogue: Catalogue) -> Catalogue:
    """The features of these names and those that they may read: to compute all takes long."""
    values = {feature.name: repr(feature.value) for feature in catalogue.features}
    found: set[str] = set()
    wanted = {"purchase_days", *names}
    while wanted:
        found |= wanted
        written = {word for name in wanted for word in re.findall(r"\w+", values[name])}
        wanted = (written & values.keys()) - found
    return replace(catalogue, features=tuple(f for f in catalogue.features if f.name in found))


def _or_none(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)


def _inputs(world: _World, features: Sequence[Feature], engine: Engine) -> Inputs:
    def events(table: pa.Table, always: Collection[str]) -> Events:
        return Events(
            frame=engine.from_arrow(table),
            kept=table.num_rows,
            quarantine=QUARANTINE.arrow.empty_table(),
            columns=frozenset(table.column_names) - {*always},
            source="random",
        )

    always = {c.name for c in HISTORY.columns if c.required} - {"order_id"}
    days = world.lines.group_by("day").aggregate([("amount", "sum"), ("amount", "count")])
    lines, customers = with_numbers(world.lines)
    return inputs_of(
        History(
            numbered=engine.from_arrow(lines),
            customers=engine.from_arrow(customers),
            days=days.rename_columns(["day", "amount", "lines"]).sort_by("day"),
            quarantine=QUARANTINE.arrow.empty_table(),
            columns=frozenset(world.lines.column_names) - always,
        ),
        engine,
        customers=CustomerTable(
            frame=engine.from_arrow(world.customers),
            kept=world.customers.num_rows,
            quarantine=QUARANTINE.arrow.empty_table(),
            is_dated=True,
            columns=frozenset(world.customers.column_names) - {"customer_id", "valid_from"},
            static=frozenset(),
            source="random",
        ),
        interactions=events(world.interactions, ("customer_id", "day", "kind")),
        contacts=events(world.contacts, ("customer_id", "day", "action")),
        kinds=KINDS,
        own=features,
    )


@contextmanager
def _opened(engine: Engine | Literal["duckdb", "spark"] | None) -> Iterator[Engine]:
    if engine is None or engine == "duckdb":
        with engines.opened() as opened:
            yield opened
    elif engine == "spark":
        settings = Spark(kind="spark", master="local[2]")
        with (
            engines.reading(settings) as reader,
            engines.computing(settings, reader) as opened_spark,
        ):
            yield opened_spark
    else:
        yield engine


def _random_world(customers: int, rng: np.random.Generator) -> _World:
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
    return _World(
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
