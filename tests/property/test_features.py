"""What holds for the features of any portfolio."""

import random
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.by_hand import assert_as_by_hand, pasts_in
from tests.examples import shown
from tests.histories import HORIZONS, REFERENCE, after, day_of
from tests.portfolios import Known, portfolios

from portfolio_ml.features.table import at, definitions_hash
from portfolio_ml.frozen import Frozen

pytestmark = pytest.mark.property

EARLIER, AS_OF, LATER = (day_of(after(days)) for days in (300, 700, 1000))

examples = shown(3, HealthCheck.too_slow)
few_examples = shown(2, HealthCheck.too_slow)

bought_by = portfolios().filter(lambda drawn: bool(pasts_in(drawn, AS_OF)))
"""Portfolios in which somebody has bought something up to the day `AS_OF`."""


def table_of(engine, drawn, *as_of_days, reference=None):
    references = reference and dict.fromkeys(as_of_days, reference)
    return at(drawn.inputs(engine), as_of_days, horizons=HORIZONS, references=references)


def shuffled(drawn, seed):
    tables = ("lines", "customers", "interactions", "contacts")
    rows = {name: [*getattr(drawn, name)] for name in tables}
    for values in rows.values():
        random.Random(seed).shuffle(values)
    return replace(drawn, **rows)


def known_by(drawn, as_of):
    """What of the portfolio was known at the end of a day."""

    def is_known(row):
        if hasattr(row, "known_day") and "known_day" in drawn.columns:
            return row.known_day <= as_of
        if isinstance(row, Known):
            return row.valid_from is None or day_of(row.valid_from) <= as_of
        return day_of(row.date) <= as_of

    return drawn.where(is_known)


def doubled(line):
    twice = {n: 2 * v for n in ("cost", "discount") if (v := getattr(line, n)) is not None}
    return line._replace(amount=2 * line.amount, **twice)


def one_of(drawn):
    """A customer with a purchase by `AS_OF`, and what is told of nobody else."""
    customer = next(iter(pasts_in(drawn, AS_OF)))
    return customer, drawn.where(lambda row: row.customer == customer)


def row_of(rows, customer):
    return rows.filter(pc.equal(rows["customer_id"], customer))


@examples
@given(drawn=bought_by)
def test_features_are_what_a_calculation_by_hand_gives(engine, drawn):
    table = table_of(engine, drawn, AS_OF, LATER)

    assert_as_by_hand(table, drawn, (AS_OF, LATER), HORIZONS)


@few_examples
@given(drawn=bought_by)
def test_what_was_not_known_on_the_as_of_day_changes_nothing(engine, drawn):
    assert table_of(engine, drawn, AS_OF) == table_of(engine, known_by(drawn, AS_OF), AS_OF)


@few_examples
@given(drawn=bought_by, seed=st.integers(0, 99))
def test_the_order_of_the_rows_changes_nothing(engine, drawn, seed):
    assert table_of(engine, shuffled(drawn, seed), AS_OF) == table_of(engine, drawn, AS_OF)


@few_examples
@given(drawn=bought_by)
def test_other_customers_change_nothing_but_what_is_relative_to_them(engine, drawn):
    customer, own = one_of(drawn)
    inputs = drawn.inputs(engine)
    absolute = [f.name for f in inputs.catalogue.features if not f.is_relative]

    alone = table_of(engine, own, AS_OF).rows
    among = row_of(at(inputs, [AS_OF], horizons=HORIZONS).rows, customer)

    assert among.select(absolute) == alone.select(absolute)


@few_examples
@given(drawn=bought_by)
def test_a_champions_table_of_some_customers_has_their_rows_of_the_table_of_all(engine, drawn):
    customer, own = one_of(drawn)
    inputs = drawn.inputs(engine)
    everybody = at(inputs, [AS_OF], horizons=HORIZONS)
    champion = Frozen(
        reference=everybody.references[AS_OF],
        activity_days=28,
        horizons=HORIZONS,
        features=inputs.catalogue.names,
        features_hash=definitions_hash(inputs.catalogue, HORIZONS),
    )

    assert champion.table(own.inputs(engine), AS_OF).rows == row_of(everybody.rows, customer)


@few_examples
@given(drawn=bought_by)
def test_many_as_of_days_at_once_are_the_same_as_one_at_a_time(engine, drawn):
    days = [day for day in (EARLIER, AS_OF, LATER) if pasts_in(drawn, day)]
    inputs = drawn.inputs(engine)

    together = at(inputs, days, horizons=HORIZONS)
    apart = [at(inputs, [day], horizons=HORIZONS) for day in days]

    assert together.rows == pa.concat_tables([table.rows for table in apart])
    assert together.references == {day: apart[n].references[day] for n, day in enumerate(days)}


@few_examples
@given(drawn=bought_by)
def test_doubling_all_money_doubles_what_is_in_currency_and_nothing_else(engine, drawn):
    richer = replace(drawn, lines=[doubled(line) for line in drawn.lines])
    inputs = drawn.inputs(engine)

    before, now = at(inputs, [AS_OF], horizons=HORIZONS).rows, table_of(engine, richer, AS_OF).rows

    for feature in inputs.catalogue.features:
        was, is_now = (rows[feature.name].to_numpy().astype(float) for rows in (before, now))
        times = 2 if feature.unit.startswith("currency") else 1
        np.testing.assert_allclose(is_now, times * was, rtol=1e-6, atol=1e-12, err_msg=feature.name)


@few_examples
@given(drawn=bought_by)
def test_features_are_float32_and_null_only_where_the_catalogue_says_so(engine, drawn):
    features = drawn.inputs(engine).catalogue.features

    rows = table_of(engine, drawn, AS_OF, reference=REFERENCE).rows

    assert rows.schema.names == ["customer_id", "as_of", *(f.name for f in features)]
    assert rows.schema.types == [pa.string(), pa.int32(), *[pa.float32()] * len(features)]
    assert [f.name for f in features if not f.null and rows[f.name].null_count] == []
    assert all(pc.all(pc.is_finite(rows[f.name])).as_py() is not False for f in features)
