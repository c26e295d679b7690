"""Customers drawn before their features are computed: who, how many, and what of them stays."""

from dataclasses import replace
from hashlib import md5

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.histories import HORIZONS, after, bought, day_of, history_of

from portfolio_ml.features import sample as module
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.sample import below, drawn
from portfolio_ml.features.table import at
from portfolio_ml.snapshots import TrainingTable

pytestmark = pytest.mark.unit

EARLY, LATE = day_of(after(300)), day_of(after(400))
CUSTOMERS = 60
LINES = [
    line
    for number in range(CUSTOMERS)
    for line in bought(f"c{number}", number, 200 + number, 310 + 2 * number, amount=5 + number)
]


@pytest.fixture(scope="module")
def inputs(engine):
    return inputs_of(history_of(engine, LINES), engine)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(module, "FEWEST", 10)


def ids(inputs):
    return set(inputs.engine.collect(inputs.customers)["customer_id"].to_pylist())


def test_everybody_is_there_where_all_rows_fit(inputs):
    found = drawn(inputs, (EARLY, LATE), most=2 * CUSTOMERS, seed=7)

    assert found.inputs is inputs
    assert (found.customers, found.of, found.weight, found.note) == (CUSTOMERS, CUSTOMERS, 1, None)


def test_rows_before_the_first_purchase_take_no_place(inputs):
    days = (day_of(after(9)), LATE)  # on the first of them ten customers have bought

    assert drawn(inputs, days, most=CUSTOMERS + 10, seed=7).inputs is inputs
    assert drawn(inputs, days, most=CUSTOMERS + 9, seed=7).inputs is not inputs


def test_fewer_than_some_are_never_parted(inputs, monkeypatch):
    some = drawn(inputs, (LATE,), most=1, seed=7).inputs
    assert ids(some) == ids(inputs.sampled(below(10 / CUSTOMERS), salt="7:"))

    monkeypatch.setattr(module, "FEWEST", CUSTOMERS)
    assert drawn(inputs, (LATE,), most=1, seed=7).inputs is inputs


def test_who_is_drawn_follows_from_the_id_and_the_seed_alone(inputs):
    threshold = below(0.5)
    by_hand = {
        f"c{number}"
        for number in range(CUSTOMERS)
        if md5(f"7:c{number}".encode(), usedforsecurity=False).hexdigest() < threshold
    }

    found = drawn(inputs, (LATE,), most=CUSTOMERS // 2, seed=7)

    assert ids(found.inputs) == by_hand
    assert found.customers == len(by_hand)
    assert found.weight == CUSTOMERS / len(by_hand)
    assert ids(drawn(inputs, (LATE,), most=CUSTOMERS // 2, seed=8).inputs) != by_hand


def test_no_line_and_no_day_of_the_others_stays(inputs, engine):
    found = drawn(inputs, (LATE,), most=CUSTOMERS // 2, seed=7)

    for table in (found.inputs.lines, found.inputs.days):
        assert engine.collect(table.select("customer").unique()).num_rows == found.customers


def test_a_smaller_sample_lies_within_a_larger_one(inputs):
    few, more = (ids(drawn(inputs, (LATE,), most=most, seed=7).inputs) for most in (15, 40))

    assert few < more


def test_a_drawn_customers_features_are_those_among_all(inputs):
    everybody = at(inputs, (EARLY, LATE), horizons=HORIZONS)
    some = drawn(inputs, (EARLY, LATE), most=CUSTOMERS, seed=7).inputs

    found = at(some, (EARLY, LATE), horizons=HORIZONS, references=everybody.references).rows

    is_drawn = pc.is_in(everybody.rows["customer_id"], pa.array(sorted(ids(some))))
    assert 0 < some.count() < CUSTOMERS
    assert found.equals(everybody.rows.filter(is_drawn))


def test_drawn_rows_weigh_as_much_as_the_customers_they_stand_for(inputs):
    found = drawn(inputs, (EARLY, LATE), most=CUSTOMERS, seed=7)
    table = TrainingTable(found.inputs, {EARLY: 1.0, LATE: found.weight}, HORIZONS)

    rows = pa.Table.from_batches(table.batches(lambda _: None))

    assert set(rows["customer_id"].to_pylist()) == ids(found.inputs)
    assert set(rows["weight"].to_pylist()) == {1.0, found.weight}


def test_what_else_is_known_of_the_drawn_comes_along(inputs, engine):
    numbers = nw.col("customer").cast(nw.Int32)
    called = engine.from_arrow(
        pa.table({"customer": range(CUSTOMERS), "day": [EARLY] * CUSTOMERS})
    ).with_columns(customer=numbers)
    known = replace(inputs, interactions=called)

    found = drawn(known, (LATE,), most=CUSTOMERS // 2, seed=7)

    assert engine.collect(found.inputs.interactions).num_rows == found.customers
