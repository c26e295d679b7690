"""Books of small portfolios at their oddest: what is there, missing, alike, huge or long gone.

The tables are those of a random world, each value drawn on its own, with every optional column and
table beside them; then some are dropped, and a few turns of fate bend what is left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import strategies as st
from tests.books import frozen_with, scores_of

from portfolio_ml.config import Portfolio
from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine
from portfolio_ml.events import Events
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.opportunities import Opportunities
from portfolio_ml.points import Points
from portfolio_ml.portfolio.book import Book, book_of
from portfolio_ml.prospects import Prospects
from portfolio_ml.schema import MONEY_SCALE, POINTS_SCALE, QUARANTINE
from portfolio_ml.testing.random_world import FIRST_DAY, SPAN_DAYS, random_world
from portfolio_ml.timeline import to_date
from portfolio_ml.transactions import History, with_numbers
from portfolio_ml.valuations import Valuations

Tables = dict[str, pa.Table]

LAST_DAY = FIRST_DAY + SPAN_DAYS - 1
DAYS = (LAST_DAY, FIRST_DAY + 400, LAST_DAY + 200, FIRST_DAY + 30, FIRST_DAY)
"""The end, half way, long after the end, and where the history begins; hypothesis likes the first.
"""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "lines": ("customer_id", "day", "amount"),
    "customers": ("customer_id", "valid_from"),
    "interactions": ("customer_id", "day", "kind"),
    "contacts": ("customer_id", "day", "action"),
    "points": ("customer_id", "day", "points", "reason", "expires_day"),
    "opportunities": (
        "opportunity_id", "representative_id", "is_won", "opened_day", "offered_day",
        "closed_day", "known_day", "amount", "customer_id", "category", "segment", "region",
    ),
    "prospects": ("prospect_id",),
    "valuations": ("day", "value", "flow"),
}  # fmt: skip
"""The columns that a table always has."""

GOALS = (
    {"figure": "customers", "target": 5, "by": "2021-12-31"},
    {"figure": "average_ticket", "target": 50, "by": "2023-06-30", "since": "2023-01-01"},
    {
        "figure": "revenue_share",
        "target": 0.5,
        "by": "2023-01-31",
        "section": "region",
        "value": "Atlantis",
    },
    {"figure": "customers", "target": 3, "by": "2030-01-31", "section": "aura", "value": "blue"},
)
SETTINGS: tuple[Mapping[str, Any], ...] = (
    {},
    {
        "compare_days": 30,
        "sections": ["region", ["region", "value_tier"], "aura"],
        "terms": {"region": {"region0": {"payment_term": "30 days"}, "Atlantis": {}}},
        "response": {"uplift": 0.2, "contact_cost": 1.0},
        "goals": GOALS,
        "loyalty": {
            "points_per_unit": 1.0,
            "section": "segment",
            "multipliers": {"segment1": 2.0, "nobody": 0.0},
            "expire_days": 90,
            "tiers": {"silver": 10, "gold": 1000},
        },
        "daily_list": {"contacts": 1, "holdout": 0.5},
        "representatives": {"section": "region", "workload": 1, "fewest_deals": 1},
    },
    {
        "sections": ["lifecycle_stage", "shoe_size"],
        "goals": GOALS[:2],
        "satisfaction": {"kinds": ["call"], "complaints": ["survey"], "satisfied_from": 5},
        "representatives": {"section": "shoe_size"},
        "loyalty": {"section": "shoe_size", "multipliers": {"43": 2.0}},
    },
)


@dataclass(frozen=True)
class Odd:
    """How a portfolio is odd.

    Attributes:
        seed: Draws its values.
        customers: How many there are.
        fates: What befell it, by name in `FATES`.
        tables: The optional tables that it has.
        dropped: The optional columns that it lacks, as `table.column`.
        as_of: The day number at which it is looked at.
        is_scored: Whether champions scored its customers.
        settings: What the config says of the figures.
    """

    seed: int
    customers: int = 12
    fates: tuple[str, ...] = ()
    tables: frozenset[str] = frozenset(REQUIRED) - {"lines"}
    dropped: frozenset[str] = frozenset()
    as_of: int = LAST_DAY
    is_scored: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


@st.composite
def odd_portfolios(draw: st.DrawFn) -> Odd:
    """Any of them."""
    optional = sorted(f"{t}.{c}" for t, c in _optional())
    dropped = st.one_of(st.just(set()), st.sets(st.sampled_from(optional), min_size=1))
    beside = sorted({*REQUIRED} - {"lines"})
    tables = st.one_of(
        st.just(set(beside)),
        st.sets(st.sampled_from(beside)),
    )
    return Odd(
        seed=draw(st.integers(0, 1_000)),
        customers=draw(st.sampled_from((5, 1, 2, 12))),
        fates=tuple(draw(st.lists(st.sampled_from(sorted(FATES)), unique=True, max_size=3))),
        tables=frozenset(draw(tables)),
        dropped=frozenset(draw(dropped)),
        as_of=draw(st.sampled_from(DAYS)),
        is_scored=draw(st.booleans()),
        settings=draw(st.sampled_from(SETTINGS)),
    )


def tables_of(odd: Odd) -> Tables:
    """The tables of such a portfolio."""
    rng = np.random.default_rng(odd.seed)
    tables = _tables(odd.customers, rng)
    for fate in odd.fates:
        tables = FATES[fate](tables, rng)
    kept = {name: t for name, t in tables.items() if name == "lines" or name in odd.tables}
    for each in odd.dropped:
        table, column = each.split(".")
        if table in kept:
            kept[table] = kept[table].drop_columns(column)
    return kept


def odd_book(odd: Odd, engine: Engine, *, tables: Tables | None = None) -> Book | None:
    """The book of such a portfolio, or of these tables; None where nobody had bought yet."""
    held = tables_of(odd) if tables is None else tables
    lines = held["lines"]
    known = lines["known_day" if "known_day" in lines.column_names else "day"]
    bought = pc.and_(pc.less_equal(known, odd.as_of), pc.greater_equal(lines["amount"], 0))
    if not pc.any(bought).as_py():
        return None
    beside = {name: _loaded(name, held[name], engine) for name in held if name != "lines"}
    events = {name: beside.get(name) for name in ("customers", "interactions", "contacts")}
    inputs = inputs_of(_history(lines, engine), engine, **events)
    ids = sorted({*lines["customer_id"].to_pylist()})
    return book_of(
        inputs,
        frozen_with(activity_days=60, tier_edges=(30.0, 80.0, 200.0)),
        as_of=to_date(odd.as_of),
        settings=Portfolio.model_validate(odd.settings),
        scores=_scores(ids, odd.seed) if odd.is_scored else None,
        then_scores=_scores(ids, odd.seed, as_of=odd.as_of - 365) if odd.is_scored else None,
        **beside,
    )


def _optional() -> list[tuple[str, str]]:
    tables = _tables(1, np.random.default_rng(0))
    return [(t, c) for t, held in tables.items() for c in held.column_names if c not in REQUIRED[t]]


def _tables(customers: int, rng: np.random.Generator) -> Tables:
    world = random_world(customers, rng)
    ids = [f"c{number:02d}" for number in range(customers)]
    return {
        "lines": world.lines,
        "customers": _with_relations(world.customers, ids, rng),
        "interactions": world.interactions,
        "contacts": world.contacts,
        "points": _points(ids, rng),
        "opportunities": _opportunities(ids, rng),
        "prospects": _prospects(rng),
        "valuations": _valuations(rng),
    }


def _with_relations(customers: pa.Table, ids: Sequence[str], rng: np.random.Generator) -> pa.Table:
    count = customers.num_rows
    texts = {
        "relationship_type": _texts(["spot", "contract"], count, rng),
        "representative_id": _texts(["Ann", "Bob", "Łuka"], count, rng),
        "referred_by": _texts([*ids, "a stranger"], count, rng),
    }
    for name, held in texts.items():
        customers = customers.append_column(name, held)
    return customers


def _points(ids: Sequence[str], rng: np.random.Generator) -> pa.Table:
    count = 10 * len(ids)
    day = _days(count, rng)
    return pa.table(
        {
            "customer_id": _texts([*ids, "never bought"], count, rng, unknown=0.0),
            "day": pa.array(day, pa.int32()),
            "points": pa.array(rng.integers(-50, 200, count) * POINTS_SCALE // 2, pa.int64()),
            "reason": _texts(["sale", "gift", "expired"], count, rng),
            "expires_day": pa.array(
                day + rng.integers(0, 400, count), pa.int32(), mask=rng.random(count) < 0.3
            ),
        }
    )


def _opportunities(ids: Sequence[str], rng: np.random.Generator) -> pa.Table:
    count = 4 * len(ids)
    opened = _days(count, rng)
    is_open = rng.random(count) < 0.3
    closed = pa.array(opened + rng.integers(0, 90, count), pa.int32(), mask=is_open)
    return pa.table(
        {
            "opportunity_id": [f"d{n}" for n in range(count)],
            "representative_id": _texts(["Ann", "Bob", "Zoë"], count, rng, unknown=0.0),
            "is_won": pa.array(rng.random(count) < 0.5, mask=is_open),
            "opened_day": pa.array(opened, pa.int32(), mask=rng.random(count) < 0.1),
            "offered_day": pa.array(opened + 1, pa.int32(), mask=rng.random(count) < 0.4),
            "closed_day": pc.if_else(pa.array(rng.random(count) < 0.1), None, closed),
            "known_day": pa.array(opened, pa.int32(), mask=rng.random(count) < 0.1),
            "amount": pa.array(
                rng.integers(-5, 5_000, count) * MONEY_SCALE, pa.int64(),
                mask=rng.random(count) < 0.2,
            ),
            "customer_id": _texts([*ids, "a stranger"], count, rng),
            "category": _texts(["k0", "k1"], count, rng),
            "segment": _texts(["segment0", "elsewhere"], count, rng),
            "region": _texts(["region0", "elsewhere"], count, rng),
        }
    )  # fmt: skip


def _prospects(rng: np.random.Generator) -> pa.Table:
    count = 15
    return pa.table(
        {
            "prospect_id": [f"l{n}" for n in range(count)],
            "region": _texts(["region0", "region1", "elsewhere"], count, rng),
            "segment": _texts(["segment0", "segment1"], count, rng),
            "income": pa.array(rng.normal(50_000, 9_000, count), mask=rng.random(count) < 0.2),
        }
    )


def _valuations(rng: np.random.Generator) -> pa.Table:
    days = np.unique(_days(int(rng.integers(0, 12)), rng))
    return pa.table(
        {
            "day": pa.array(days, pa.int32()),
            "value": rng.integers(-10, 1_000, days.size).astype(float),
            "flow": rng.integers(-100, 100, days.size).astype(float),
        }
    )


def _scores(ids: Sequence[str], seed: int, *, as_of: int | None = None) -> pa.Table:
    rng = np.random.default_rng(seed)
    count = len(ids)
    chance, value = rng.random(count), rng.gamma(2, 100, count)
    is_known = rng.random(count) < 0.8
    names = ["p_churn", "p_return", "expected_orders", "ltv", "ltv_low", "ltv_high",
             "value_if_buys", "value_at_risk"]  # fmt: skip
    told = [chance, 1 - chance, 2 * chance, value, value / 2, 2 * value, value, chance * value]
    day = None if as_of is None else to_date(as_of)
    return scores_of(
        {
            "customer_id": who,
            "as_of": day,
            "churn_band": ("low", "high")[int(chance[n] > 0.5)],
            "churn_reasons": "OVERDUE, FEW_PURCHASES" if is_known[n] else None,
            "segment_name": "best" if is_known[n] else "others",
            **{name: float(each[n]) for name, each in zip(names, told, strict=True)},
        }
        for n, who in enumerate(ids)
        if n == 0 or is_known[n]
    )


def _days(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(FIRST_DAY, FIRST_DAY + SPAN_DAYS, count)


def _texts(
    kinds: Sequence[str], count: int, rng: np.random.Generator, *, unknown: float = 0.2
) -> pa.Array:
    mask = rng.random(count) < unknown
    return pa.array(rng.choice(kinds, count).tolist(), pa.string(), mask=mask)


def _history(lines: pa.Table, engine: Engine) -> History:
    numbered, customers = with_numbers(lines)
    days = lines.group_by("day").aggregate([("amount", "sum"), ("amount", "count")])
    days = days.rename_columns(["day", "amount", "lines"]).sort_by("day")
    return History(
        numbered=engine.keep(engine.from_arrow(numbered)),
        customers=engine.keep(engine.from_arrow(customers)),
        days=days.set_column(1, "amount", days["amount"].cast(pa.float64(), safe=False)),
        quarantine=QUARANTINE.arrow.empty_table(),
        columns=frozenset(lines.column_names) - {*REQUIRED["lines"]},
    )


def _loaded(name: str, table: pa.Table, engine: Engine) -> Any:
    if name == "valuations":
        return Valuations(rows=table, quarantine=QUARANTINE.arrow.empty_table(), source="odd")
    shared: dict[str, Any] = {
        "frame": engine.keep(engine.from_arrow(table)),
        "kept": table.num_rows,
        "quarantine": QUARANTINE.arrow.empty_table(),
        "columns": frozenset(table.column_names) - {*REQUIRED[name]},
        "source": "odd",
    }
    if name == "customers":
        return CustomerTable(**shared, is_dated=True, static=frozenset())
    if name == "opportunities":
        return Opportunities(**shared, outcomes={"won": 1, "lost": 1, "open": 1}, undecided=())
    if name == "points":
        return Points(**shared | {"columns": frozenset({"reason", "expires_at"})})
    return {"prospects": Prospects}.get(name, Events)(**shared)


Fate = Callable[[Tables, np.random.Generator], Tables]


def _lines(change: Callable[[pa.Table, np.random.Generator], pa.Table]) -> Fate:
    return lambda tables, rng: tables | {"lines": change(tables["lines"], rng)}


def _set(table: pa.Table, name: str, values: Any) -> pa.Table:
    place = table.schema.get_field_index(name)
    held = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    return table.set_column(place, name, held.cast(table.schema.field(name).type))


def _only_returns_at_the_end(lines: pa.Table, _: np.random.Generator) -> pa.Table:
    is_late = pc.greater(lines["day"], FIRST_DAY + 200)
    back = pc.negate(pc.abs(lines["amount"]))
    return _set(lines, "amount", pc.if_else(is_late, back, lines["amount"]))


def _nobody_bought_lately(lines: pa.Table, _: np.random.Generator) -> pa.Table:
    return lines.filter(pc.less(lines["day"], FIRST_DAY + 350))


def _one_order_each(lines: pa.Table, _: np.random.Generator) -> pa.Table:
    firsts = lines.group_by("customer_id", use_threads=False).aggregate(
        [(name, "first") for name in lines.column_names if name != "customer_id"]
    )
    names = [name.removesuffix("_first") for name in firsts.column_names]
    chosen = firsts.rename_columns(names).select(lines.column_names)
    return _set(chosen, "amount", pc.abs(chosen["amount"]))


def _huge_amounts(lines: pa.Table, rng: np.random.Generator) -> pa.Table:
    is_huge = pa.array(rng.random(lines.num_rows) < 0.3)
    return _set(lines, "amount", pc.if_else(is_huge, 10**11 * MONEY_SCALE, lines["amount"]))


def _nothing_is_worth_anything(lines: pa.Table, _: np.random.Generator) -> pa.Table:
    return _set(lines, "amount", pc.multiply(lines["amount"], 0))


def _everything_in_one_day(lines: pa.Table, _: np.random.Generator) -> pa.Table:
    return _set(lines, "day", pa.repeat(FIRST_DAY, lines.num_rows))


def _one_category(lines: pa.Table, _: np.random.Generator) -> pa.Table:
    return _set(lines, "category", pa.repeat("all", lines.num_rows))


def _strange_ids(tables: Tables, _: np.random.Generator) -> Tables:
    strange = ("'; drop table x; --", "Łukasz", "山田", "", "🦆", " a / b ", "0042", "N/A", "NaN")

    def renamed(text: str | None) -> str | None:
        is_one = text is not None and text[:1] == "c" and text[1:].isdigit()
        return f"{strange[int(text[1:]) % len(strange)]}{text[1:]}" if is_one else text

    def all_renamed(table: pa.Table) -> pa.Table:
        for column in {"customer_id", "referred_by"} & {*table.column_names}:
            held = [renamed(text) for text in table[column].to_pylist()]
            table = _set(table, column, pa.array(held, pa.string()))
        return table

    return {name: all_renamed(table) for name, table in tables.items()}


def _attributes(value: str | None) -> Fate:
    """Every attribute that is a text becomes the value: one section, or an unknown one."""

    def bent(tables: Tables, _: np.random.Generator) -> Tables:
        table = tables["customers"]
        for held in table.schema:
            if pa.types.is_string(held.type) and held.name != "customer_id":
                values = pa.repeat(pa.scalar(value, pa.string()), table.num_rows)
                table = _set(table, held.name, values)
        return tables | {"customers": table}

    return bent


def _all_attributes_unknown(tables: Tables, _: np.random.Generator) -> Tables:
    table = tables["customers"]
    for held in table.schema:
        if held.name not in REQUIRED["customers"]:
            table = _set(table, held.name, pa.nulls(table.num_rows))
    return tables | {"customers": table}


def _contacts_held_out(tables: Tables, _: np.random.Generator) -> Tables:
    table = tables["contacts"]
    held = _set(table, "held_out", pa.repeat(pa.scalar(True), table.num_rows))
    return tables | {"contacts": held}


def _deals_of_one_customer(tables: Tables, _: np.random.Generator) -> Tables:
    deals = tables["opportunities"]
    who = tables["lines"]["customer_id"][0]
    return tables | {"opportunities": _set(deals, "customer_id", pa.repeat(who, deals.num_rows))}


def _points_expired(tables: Tables, _: np.random.Generator) -> Tables:
    points = tables["points"]
    return tables | {"points": _set(points, "expires_day", points["day"])}


def _others_are_empty(tables: Tables, _: np.random.Generator) -> Tables:
    return {name: t if name == "lines" else t.slice(0, 0) for name, t in tables.items()}


def _others_know_nobody(tables: Tables, _: np.random.Generator) -> Tables:
    """The tables beside the lines are about others."""
    for name in ("customers", "interactions", "contacts", "points", "opportunities"):
        ids = pc.binary_join_element_wise("x", tables[name]["customer_id"], "")
        tables = tables | {name: _set(tables[name], "customer_id", ids)}
    return tables


FATES: Mapping[str, Fate] = {
    "only returns at the end": _lines(_only_returns_at_the_end),
    "nobody bought lately": _lines(_nobody_bought_lately),
    "one order each": _lines(_one_order_each),
    "huge amounts": _lines(_huge_amounts),
    "nothing is worth anything": _lines(_nothing_is_worth_anything),
    "everything in one day": _lines(_everything_in_one_day),
    "one category": _lines(_one_category),
    "strange ids": _strange_ids,
    "one section": _attributes("the same"),
    "unknown texts": _attributes(None),
    "empty texts": _attributes(""),
    "attributes unknown": _all_attributes_unknown,
    "contacts held out": _contacts_held_out,
    "deals of one customer": _deals_of_one_customer,
    "points expired": _points_expired,
    "others are empty": _others_are_empty,
    "others know nobody": _others_know_nobody,
}
"""What may befall a portfolio, each by its name."""


def shuffled(tables: Tables, seed: int) -> Tables:
    """The same rows in another order; valuations are sorted when they are loaded."""
    rng = np.random.default_rng(seed)
    return {
        name: t if name == "valuations" else t.take(rng.permutation(t.num_rows))
        for name, t in tables.items()
    }
