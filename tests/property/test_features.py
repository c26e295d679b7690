"""What holds for the features of any history."""

import random

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.by_hand import assert_as_by_hand, pasts
from tests.histories import (
    HORIZONS,
    REFERENCE,
    after,
    day_of,
    has_orders,
    history_of,
    lines,
)

from portfolio_ml.features.catalogue import CATALOGUE
from portfolio_ml.features.feature import Stage
from portfolio_ml.features.table import at, days_of

pytestmark = pytest.mark.property

EARLIER, AS_OF, LATER = (day_of(after(days)) for days in (300, 700, 1000))

OWN = [f.name for f in CATALOGUE if f.stage in {Stage.HISTORY, Stage.CUSTOMER}]
CURRENCY = [f.name for f in CATALOGUE if f.unit == "currency"]
NEVER_NULL = [f.name for f in CATALOGUE if not f.null]

examples = settings(max_examples=10, deadline=None)
few_examples = settings(max_examples=4, deadline=None)

histories = lines(last_day=1000).filter(lambda drawn: bool(pasts(drawn, AS_OF)))
"""Lines of which at least one is a purchase up to the day `AS_OF`."""


def table_of(engine, drawn, *as_of_days, like=None, reference=None):
    """The feature table at the days, with order ids where the lines `like` have some."""
    history = history_of(engine, drawn, orders=has_orders(like or drawn))
    return at(
        days_of(history, engine),
        as_of_days,
        engine=engine,
        horizons=HORIZONS,
        references=reference and dict.fromkeys(as_of_days, reference),
    )


def split(drawn):
    """The lines of one customer with a purchase by `AS_OF`, and the name."""
    customer = next(iter(pasts(drawn, AS_OF)))
    return customer, [line for line in drawn if line.customer == customer]


def row_of(table, customer):
    return table.rows.filter(pc.equal(table.rows["customer_id"], customer))


@examples
@given(drawn=histories)
def test_features_are_what_a_calculation_by_hand_gives(engine, drawn):
    table = table_of(engine, drawn, AS_OF, LATER)

    assert_as_by_hand(table, drawn, (AS_OF, LATER), HORIZONS)


@few_examples
@given(drawn=histories)
def test_lines_after_the_as_of_day_change_nothing(engine, drawn):
    known = [line for line in drawn if line.day <= AS_OF]

    assert table_of(engine, drawn, AS_OF) == table_of(engine, known, AS_OF, like=drawn)


@few_examples
@given(drawn=histories, seed=st.integers(0, 99))
def test_the_order_of_the_lines_changes_nothing(engine, drawn, seed):
    shuffled = random.Random(seed).sample(drawn, len(drawn))

    assert table_of(engine, shuffled, AS_OF) == table_of(engine, drawn, AS_OF)


@few_examples
@given(drawn=histories)
def test_other_customers_change_nothing_but_what_is_relative_to_them(engine, drawn):
    customer, own = split(drawn)

    alone = table_of(engine, own, AS_OF, like=drawn)
    among = table_of(engine, drawn, AS_OF)

    assert row_of(among, customer).select(OWN) == alone.rows.select(OWN)


@few_examples
@given(drawn=histories)
def test_under_a_frozen_reference_a_customer_alone_is_as_among_all(engine, drawn):
    customer, own = split(drawn)
    frozen = table_of(engine, drawn, AS_OF).references[AS_OF]

    for reference in (REFERENCE, frozen):
        alone = table_of(engine, own, AS_OF, LATER, like=drawn, reference=reference)
        among = table_of(engine, drawn, AS_OF, LATER, reference=reference)
        assert row_of(among, customer) == alone.rows


@few_examples
@given(drawn=histories)
def test_a_reference_that_is_given_back_gives_the_same_rows(engine, drawn):
    table = table_of(engine, drawn, AS_OF)

    again = table_of(engine, drawn, AS_OF, reference=table.references[AS_OF])

    assert again == table


@few_examples
@given(drawn=histories)
def test_many_as_of_days_at_once_are_the_same_as_one_at_a_time(engine, drawn):
    days = [day for day in (EARLIER, AS_OF, LATER) if pasts(drawn, day)]

    together = table_of(engine, drawn, *days)
    apart = [table_of(engine, drawn, day) for day in days]

    assert together.rows == pa.concat_tables([table.rows for table in apart])
    assert together.references == {day: apart[n].references[day] for n, day in enumerate(days)}


@few_examples
@given(drawn=histories)
def test_doubling_all_amounts_doubles_the_features_in_currency_and_no_other(engine, drawn):
    doubled = [line._replace(amount=2 * line.amount) for line in drawn]

    before, now = table_of(engine, drawn, AS_OF).rows, table_of(engine, doubled, AS_OF).rows

    for name in CURRENCY:
        twice = pc.multiply(before[name], pa.scalar(2, pa.float32()))
        before = before.set_column(before.column_names.index(name), name, twice)
    assert now == before


@few_examples
@given(drawn=histories)
def test_features_are_float32_and_null_only_where_the_catalogue_says_so(engine, drawn):
    rows = table_of(engine, drawn, AS_OF).rows

    assert rows.schema.names == ["customer_id", "as_of", *(f.name for f in CATALOGUE)]
    assert rows.schema.types == [pa.string(), pa.int32(), *[pa.float32()] * len(CATALOGUE)]
    assert [name for name in NEVER_NULL if rows[name].null_count] == []
    assert all(pc.all(pc.is_finite(rows[f.name])).as_py() is not False for f in CATALOGUE)
