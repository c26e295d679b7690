"""Whoever is merged: the tables are those of a business that always used the surviving ids."""

import csv
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml import merges, pipeline
from portfolio_ml.config import settings_from
from portfolio_ml.errors import DataError
from portfolio_ml.tables import load_all

pytestmark = pytest.mark.property

IDS = ("a", "b", "c", "d", "007", "7", "o'Brien")
FIRST, AS_OF, TODAY = date(2022, 1, 1), date(2024, 3, 1), date(2024, 3, 10)
QUIETLY = {"today": TODAY, "say": lambda text: None}

examples = shown(10, HealthCheck.function_scoped_fixture)
few_examples = shown(2, HealthCheck.function_scoped_fixture, HealthCheck.too_slow)

ids = st.sampled_from(IDS)
days = st.integers(0, (AS_OF - FIRST).days).map(lambda n: FIRST + timedelta(n))
merge_days = st.sampled_from((None, FIRST, AS_OF, AS_OF + timedelta(1)))
regions = st.sampled_from(("north", "south", "west", ""))


@dataclass(frozen=True)
class Shop:
    """What is in the tables of a shop, as text; dates are dates."""

    transactions: list[tuple]
    interactions: list[tuple]
    contacts: list[tuple]
    customers: list[tuple]


HEADERS = {
    "transactions": ("customer_id", "timestamp", "amount", "order_id"),
    "interactions": ("customer_id", "timestamp", "kind"),
    "contacts": ("customer_id", "timestamp", "action"),
    "customers": ("customer_id", "valid_from", "region", "referred_by"),
    "customer_merges": ("old_id", "new_id", "merged_at"),
}
customer_rows = st.lists(
    st.tuples(ids, st.one_of(st.none(), days), regions, st.sampled_from((*IDS, ""))),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[:2],
)
shops = st.builds(
    Shop,
    st.lists(
        st.tuples(ids, days, st.integers(-5, 50), st.sampled_from("xyz")), min_size=1, max_size=25
    ).map(lambda rows: [*rows, ("a", AS_OF, 10, "x")]),
    st.lists(st.tuples(ids, days, st.sampled_from(("call", "visit"))), min_size=1, max_size=8),
    st.lists(st.tuples(ids, days, st.just("letter")), min_size=1, max_size=8),
    customer_rows,
)


@st.composite
def forests(draw: st.DrawFn) -> list[tuple]:
    """Merges without a circle: everybody's new id comes later in some order."""
    order = draw(st.permutations(IDS))
    rows = []
    for place, old in enumerate(order[:-1]):
        if draw(st.booleans()):
            rows.append((old, draw(st.sampled_from(order[place + 1 :])), draw(merge_days)))
    return draw(st.permutations(rows))


def known(rows: list[tuple]) -> dict[str, str]:
    """The next id of each that was merged by the as-of date."""
    return {old: new for old, new, on in rows if on is None or on <= AS_OF}


def path(customer: str, after: dict[str, str]) -> list[str]:
    """The ids from one to its survivor, both included."""
    found = [customer]
    while found[-1] in after:
        found.append(after[found[-1]])
    return found


def customers_by_hand(rows: list[tuple], after: dict[str, str]) -> list[tuple]:
    """Each survivor's own rows, and before the first of them those of the next in line."""
    found = []
    for survivor in {path(customer, after)[-1] for customer in IDS}:
        lines = [path(c, after) for c in IDS if path(c, after)[-1] == survivor]
        until = None
        for line in sorted(lines, key=lambda line: (len(line), line[0])):
            own = [row for row in rows if row[0] == line[0]]
            for _, since, region, referrer in own:
                if until is None or (since or date.min) < until:
                    by = path(referrer, after)[-1]
                    found.append((survivor, since, region, "" if by == survivor else by))
            firsts = [since or date.min for _, since, *_ in own]
            until = min([*firsts, *([] if until is None else [until])], default=None)
    return found


def by_survivors(shop: Shop, after: dict[str, str]) -> Shop:
    """The shop as it would be if nobody had ever had another id than the surviving one."""

    def named(rows):
        return [(path(row[0], after)[-1], *row[1:]) for row in rows]

    return Shop(
        named(shop.transactions),
        named(shop.interactions),
        named(shop.contacts),
        customers_by_hand(shop.customers, after),
    )


@pytest.fixture
def settings(tmp_path):
    """Settings of a shop, with merges or without."""

    def settings(shop: Shop, merged: list[tuple] | None = None):
        tables = {name: getattr(shop, name) for name in HEADERS if hasattr(shop, name)}
        if merged is not None:
            tables["customer_merges"] = merged
        for name, rows in tables.items():
            with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as text:
                csv.writer(text).writerows([HEADERS[name], *rows])
        data = {name: {"source": f"{name}.csv"} for name in tables}
        values = {"name": "shop", "data": data, "engine": {"threads": 1}}
        return settings_from(values, base=tmp_path)

    return settings


@few_examples
@given(shop=shops, merged=forests())
def test_features_are_those_of_a_history_whose_ids_were_replaced(settings, shop, merged):
    bought = [(c, on, abs(amount), order) for c, on, amount, order in shop.transactions]
    shop = replace(shop, transactions=bought)
    tables = []
    for other in ((shop, merged), (by_survivors(shop, known(merged)),)):
        with pipeline.opened(settings(*other), as_of=AS_OF, **QUIETLY) as portfolio:
            tables.append(pipeline.features(portfolio, say=lambda text: None).dated_rows())
    found, expected = (table.to_pandas() for table in tables)
    assert found.equals(expected)


@examples
@given(shop=shops, merged=forests())
def test_all_tables_are_those_of_a_business_with_the_surviving_ids(engine, settings, shop, merged):
    after = known(merged)
    by_hand = by_survivors(shop, after)
    tables = load_all(settings(shop, merged), engine, as_of=AS_OF, **QUIETLY)
    frames = {
        "transactions": tables.history.lines.select("customer_id", "day", "amount"),
        "interactions": tables.interactions.frame.select("customer_id", "day", "kind"),
        "contacts": tables.contacts.frame.select("customer_id", "day", "action"),
    }
    found = {name: engine.collect(frame).to_pylist() for name, frame in frames.items()}
    people = engine.collect(tables.customers.frame).to_pylist()
    told = {row["old_id"]: row["new_id"] for row in engine.collect(tables.merged).to_pylist()}
    ids = engine.collect(tables.history.customers.sort("customer")).to_pylist()
    assert told == {old: path(old, after)[-1] for old in after}
    for name, rows in found.items():
        scale = 10_000 if name == "transactions" else 1
        assert sorted(tuple(row.values()) for row in rows) == sorted(
            (who, (on - date(1970, 1, 1)).days, what * scale if scale > 1 else what)
            for who, on, what, *_ in getattr(by_hand, name)
        )
    assert ids == [
        {"customer": n, "customer_id": who}
        for n, who in enumerate(sorted({row[0] for row in by_hand.transactions}))
    ]
    expected = [
        (who, since and (since - date(1970, 1, 1)).days, region or None, referrer or None)
        for who, since, region, referrer in by_hand.customers
    ]
    assert sorted((tuple(row.values()) for row in people), key=repr) == sorted(expected, key=repr)


@examples
@given(after=st.dictionaries(ids, ids))
def test_merges_are_followed_or_refused_for_the_circles_that_are_there(engine, tmp_path, after):
    after = {old: new for old, new in after.items() if old != new}
    with (tmp_path / "merges.csv").open("w", encoding="utf-8", newline="") as text:
        csv.writer(text).writerows([("old_id", "new_id"), *after.items()])
    data = {
        "transactions": {"source": "x.csv"},
        "customer_merges": {"source": "merges.csv"},
    }
    settings = settings_from({"name": "shop", "data": data}, base=tmp_path)

    def on(old: str, steps: int) -> str:
        for _ in range(steps):
            old = after.get(old, old)
        return old

    circles = {old for old in after if any(on(old, n) == old for n in range(1, len(IDS) + 1))}
    if circles:
        with pytest.raises(DataError, match=f"{len(circles)} customers were merged in a circle"):
            merges.load(settings, engine)
        return
    found = engine.collect(merges.load(settings, engine).known_on(TODAY, engine)).to_pylist()
    assert {row["old_id"]: (row["new_id"], row["steps"]) for row in found} == {
        old: (path(old, after)[-1], len(path(old, after)) - 1) for old in after
    }
