"""What stands beside the lines of the made-up portfolio: customers, deals, contacts and the like.

Sizes go with the customers: two interactions and two contacts each, a deal of every fifth, a
prospect for every twentieth. Every table is written once, next to the lines.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.portfolio import DAYS, FIRST_DAY, MINUTES_PER_DAY

REPRESENTATIVES, REGIONS, SEGMENTS = 50, 8, 5
SECOND_ROW_SHARE = 0.1
"""Of so many customers another representative took over at some time."""
HELD_OUT_SHARE = 0.2
EVENTS_PER_CUSTOMER = 2
CUSTOMERS_PER_DEAL, CUSTOMERS_PER_PROSPECT, CUSTOMERS_PER_MEMBER = 5, 20, 10

Columns = Mapping[str, object]


def tables_beside(lines: Path, customers: int) -> Mapping[str, Path]:
    """The files of the other tables, by their sections of the config; made where missing.

    Args:
        lines: The file of the lines.
        customers: How many customers there are.
    """
    makers: Mapping[str, Callable[[np.random.Generator, int], Columns]] = {
        "customers": lambda rng, count: _customers(rng, _lines_of(lines, count)),
        "interactions": _interactions,
        "contacts": _contacts,
        "opportunities": _opportunities,
        "points": _points,
        "prospects": lambda rng, count: _prospects(rng, _lines_of(lines, count)),
        "valuations": _valuations,
    }
    found = {}
    for seed, (name, make) in enumerate(makers.items()):
        path = lines.with_suffix(f".{name}.of_all.parquet")
        if not path.exists():
            pq.write_table(pa.table(dict(make(np.random.default_rng(seed), customers))), path)
        found[name] = path
    return found


def _lines_of(file: Path, customers: int) -> NDArray[np.int64]:
    """How many lines each customer has."""
    counted: pa.Table = (
        duckdb.connect()
        .execute(
            f"SELECT CAST(customer_id[2:] AS INTEGER) AS customer, count(*) AS lines FROM '{file}' "
            "GROUP BY ALL"
        )
        .to_arrow_table()
    )
    lines = np.zeros(customers, np.int64)
    lines[counted["customer"].to_numpy()] = counted["lines"].to_numpy()
    return lines


def _customers(rng: np.random.Generator, lines: NDArray[np.int64]) -> Columns:
    """Everyone since always, and again those whom another representative took over."""
    count = lines.size
    again = np.flatnonzero(rng.random(count) < SECOND_ROW_SHARE)
    who = np.concatenate([np.arange(count), again])
    since = np.concatenate([np.full(count, np.datetime64("NaT", "us")), _times(rng, again.size)])
    known = {name: values.take(pa.array(who)) for name, values in _traits(rng, lines).items()}
    return {
        "customer_id": _ids("C", who),
        "valid_from": since,
        **known,
        "representative_id": _one_of(rng, "R", REPRESENTATIVES, who.size),
        "service_cost": np.round(rng.gamma(2.0, 5.0, count), 2)[who],
    }


def _prospects(rng: np.random.Generator, lines: NDArray[np.int64]) -> Columns:
    """Leads as some customers are."""
    some = rng.choice(lines, lines.size // CUSTOMERS_PER_PROSPECT)
    return {"prospect_id": _ids("L", np.arange(some.size)), **_traits(rng, some)}


def _traits(rng: np.random.Generator, lines: NDArray[np.int64]) -> dict[str, pa.Array]:
    """What is known of somebody; who buys much earns more."""
    born = np.datetime64("1950-01-01", "D") + rng.integers(0, 50 * 365, lines.size)
    income = rng.lognormal(10.0, 0.5, lines.size) * (1 + 0.3 * np.log1p(lines))
    return {
        "region": _one_of(rng, "region ", REGIONS, lines.size),
        "segment": _one_of(rng, "segment ", SEGMENTS, lines.size),
        "birthday": pa.array(born),
        "income": pa.array(np.round(income)),
    }


def _interactions(rng: np.random.Generator, customers: int) -> Columns:
    """Surveys, calls and complaints."""
    count = EVENTS_PER_CUSTOMER * customers
    kind = rng.choice(3, count, p=[0.4, 0.5, 0.1])
    told = np.where(kind == 0, rng.integers(1, 6, count), np.nan)
    return {
        "customer_id": _ids("C", rng.integers(0, customers, count)),
        "timestamp": _times(rng, count),
        "kind": pa.array(["survey", "call", "complaint"]).take(pa.array(kind)),
        "value": pa.array(told, from_pandas=True),
    }


def _contacts(rng: np.random.Generator, customers: int) -> Columns:
    count = EVENTS_PER_CUSTOMER * customers
    return {
        "customer_id": _ids("C", rng.integers(0, customers, count)),
        "timestamp": _times(rng, count),
        "action": _one_of(rng, "action ", 4, count),
        "campaign": _one_of(rng, "campaign ", 12, count),
        "held_out": rng.random(count) < HELD_OUT_SHARE,
    }


def _opportunities(rng: np.random.Generator, customers: int) -> Columns:
    count = customers // CUSTOMERS_PER_DEAL
    opened = _times(rng, count)
    offered = opened + rng.integers(1, 15 * MINUTES_PER_DAY, count).astype("timedelta64[m]")
    closed = offered + rng.integers(1, 60 * MINUTES_PER_DAY, count).astype("timedelta64[m]")
    over = FIRST_DAY + np.timedelta64(DAYS, "D")
    is_open = closed >= over
    outcome = rng.choice(2, count, p=[0.35, 0.65])
    return {
        "opportunity_id": _ids("O", np.arange(count)),
        "representative_id": _one_of(rng, "R", REPRESENTATIVES, count),
        "customer_id": _ids("C", rng.integers(0, customers, count)),
        "outcome": pa.array(np.where(is_open, "", np.where(outcome == 0, "won", "lost"))),
        "opened_at": opened,
        "offered_at": np.where(offered < over, offered, np.datetime64("NaT")),
        "closed_at": np.where(is_open, np.datetime64("NaT"), closed),
        "amount": np.round(rng.lognormal(7.0, 1.0, count), 2),
        "segment": _one_of(rng, "segment ", SEGMENTS, count),
        "region": _one_of(rng, "region ", REGIONS, count),
    }


def _points(rng: np.random.Generator, customers: int) -> Columns:
    """A programme of every tenth customer: three entries that earn, one that redeems a part."""
    who = np.repeat(np.arange(0, customers, CUSTOMERS_PER_MEMBER), 4)
    begun = np.repeat(rng.integers(0, DAYS - 400, who.size // 4), 4)
    day = begun + np.tile([0, 100, 200, 300], who.size // 4)
    points = np.where(np.arange(who.size) % 4 == 3, -50, rng.integers(20, 500, who.size))
    on = FIRST_DAY.astype("datetime64[D]") + day
    expires = np.where(points > 0, on + np.timedelta64(365, "D"), np.datetime64("NaT"))
    return {
        "customer_id": _ids("C", who),
        "timestamp": on.astype("datetime64[us]"),
        "points": points.astype(np.float64),
        "expires_at": pa.array(expires.astype("datetime64[D]")),
    }


def _valuations(rng: np.random.Generator, _: int) -> Columns:
    months = np.arange("2022-01", "2024-12", dtype="datetime64[M]").astype("datetime64[D]")
    return {
        "date": pa.array(months),
        "value": 1e6 * np.cumprod(rng.normal(1.01, 0.02, months.size)),
    }


def _times(rng: np.random.Generator, count: int) -> NDArray[np.datetime64]:
    minutes = rng.integers(0, DAYS * MINUTES_PER_DAY, count)
    return (FIRST_DAY + minutes).astype("datetime64[us]")


def _one_of(rng: np.random.Generator, letter: str, names: int, count: int) -> pa.Array:
    told = pa.array([f"{letter}{number:02}" for number in range(names)])
    return told.take(pa.array(rng.integers(0, names, count)))


def _ids(letter: str, numbers: NDArray[np.int64]) -> pa.Array:
    """Names such as those that the lines have: C0000042."""
    values, place = np.unique(numbers, return_inverse=True)
    return pa.array([f"{letter}{number:07}" for number in values]).take(pa.array(place))
