"""Whether features stay as they are where the future, the order or other customers change."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import isclose
from typing import Literal

import narwhals as nw
import numpy as np

from portfolio_ml import engine as engines
from portfolio_ml.config import Spark
from portfolio_ml.engine import Engine
from portfolio_ml.errors import ConfigError
from portfolio_ml.features.account import KNOWN_SHARE
from portfolio_ml.features.catalogue import Catalogue
from portfolio_ml.features.feature import Feature
from portfolio_ml.features.reference import READ
from portfolio_ml.features.soundness import demand_sound
from portfolio_ml.features.table import Horizons, at, customers_at
from portfolio_ml.testing.random_world import FIRST_DAY, World, random_world
from portfolio_ml.timeline import to_date

AS_OF_DAYS = (FIRST_DAY + 500, FIRST_DAY + 730, FIRST_DAY + 960)
HORIZONS = Horizons(churn_days=90, value_days=90)
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
    world = random_world(customers, np.random.default_rng(seed))
    with _opened(engine) as opened:
        try:
            _check(world, chosen, opened, np.random.default_rng(seed))
        except ConfigError as error:
            raise AssertionError(str(error)) from None


def _check(
    late: World, features: Sequence[Feature], engine: Engine, rng: np.random.Generator
) -> None:
    world = late.recorded_at_once()
    demand_sound(features, world.inputs(features, engine))
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
    world: World, features: Sequence[Feature], engine: Engine, as_of_days: Sequence[int]
) -> Values:
    inputs = world.inputs(features, engine)
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
