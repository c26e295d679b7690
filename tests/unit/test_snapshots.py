"""Labelled rows: their order, their outcomes, sampling, and portfolios of extreme sizes."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from tests.by_hand import outcome
from tests.histories import Line, after, bought, day_of, history_of

from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.table import Horizons, at
from portfolio_ml.snapshots import Snapshots, TrainingTable, labelled, matrix
from portfolio_ml.timeline import snapshots as snapshot_days

pytestmark = pytest.mark.unit

HORIZONS = Horizons(churn_days=30, value_days=60)
EARLY, LATE = day_of(after(300)), day_of(after(400))

LINES = [
    *bought("b", 10, 200, 310, 450, amount=20),
    *bought("a", 350, 401, 430, amount=5),
    Line("a", after(440), -5),
    *bought("c", 0),
    *bought("ä", 299, 331),
    Line("d", after(50), -1),
]


def labelled_at(engine, lines, days=(EARLY, LATE)):
    return labelled(inputs_of(history_of(engine, lines), engine), days, horizons=HORIZONS)


def simulated(rows_per_customer):
    """Snapshots of which nothing matters but whose rows they are."""
    customer = np.repeat(np.arange(len(rows_per_customer)), rows_per_customer)
    count = customer.size
    return Snapshots(
        names=("recency_days",),
        features=np.arange(count, dtype=np.float32)[:, None],
        customer=customer,
        day=np.arange(count, dtype=np.int32) % 7,
        churned=np.zeros(count, dtype=bool),
        spend=np.zeros(count),
        returned=np.zeros(count),
        references={},
    )


# What is kept meanwhile


def kept_by(engine):
    return {name for (name,) in engine._connection.sql("SHOW TABLES").fetchall()}


@pytest.fixture(scope="module")
def told(engine):
    """A training table of three dates where value is margin: its rows, and what was kept when."""
    lines = [line._replace(cost=15.0 if line.customer == "b" else 0.0) for line in LINES]
    inputs = inputs_of(history_of(engine, lines), engine)
    before = kept_by(engine)
    weights = {EARLY: 1.0, (EARLY + LATE) // 2: 1.0, LATE: 1.0}
    table = TrainingTable(inputs, weights, HORIZONS, measure="margin")
    there, keep = [], type(engine).keep

    def keeping(self, frame):
        there.append(len(kept_by(self) - before))
        return keep(self, frame)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(engine), "keep", keeping)
        rows = pa.Table.from_batches(table.batches(lambda _: None), table.schema)
    return rows, there, kept_by(engine) - before


def test_what_is_kept_of_a_date_is_dropped_before_the_next_ones(told):
    rows, there, left = told
    assert len(rows["as_of"].unique()) == 3
    assert there == [0, 1] * 3  # of each date its features, then its outcomes
    assert left == set()


def test_a_training_table_where_value_is_margin_has_it_last(told):
    rows, _, _ = told
    assert rows.column_names[-1] == "future_margin"
    cost = [15.0 if spend == 20 else 0.0 for spend in rows["future_spend"].to_pylist()]
    margin = [net - spent for net, spent in zip(rows["future_net"].to_pylist(), cost, strict=True)]
    assert rows["future_margin"].to_pylist() == margin
    assert 5.0 in margin  # of b, who bought for 20 what cost 15


def test_what_is_kept_for_a_feature_table_is_dropped_with_the_last_row(engine):
    inputs = inputs_of(history_of(engine, LINES), engine)
    before = kept_by(engine)
    found = at(inputs, (EARLY, LATE), horizons=HORIZONS)
    assert kept_by(engine) == before
    assert found.rows.num_rows == 7


# Rows


def test_there_is_one_row_per_customer_with_a_purchase_and_snapshot_day(engine):
    found = labelled_at(engine, LINES)

    assert found.day.tolist() == [EARLY] * 3 + [LATE] * 4
    assert len(found) == 7
    assert {*found.references} == {EARLY, LATE}


def test_a_customer_keeps_the_number_over_all_days(engine):
    found = labelled_at(engine, LINES)
    b, c, ae = found.customer[:3]

    assert len({b, c, ae}) == 3
    assert found.customer[found.day == LATE].tolist()[1:] == [b, c, ae]
    assert found.customer[found.day == LATE][0] not in {b, c, ae}


def test_the_order_of_the_lines_does_not_change_the_numbers(engine):
    found, reversed_ = labelled_at(engine, LINES), labelled_at(engine, LINES[::-1])

    assert (found.customer == reversed_.customer).all()


def test_outcomes_are_those_of_the_row_and_zero_where_nothing_happened(engine):
    found = labelled_at(engine, LINES)

    keys = [(EARLY, "b"), (EARLY, "c"), (EARLY, "ä")]
    keys += [(LATE, "a"), (LATE, "b"), (LATE, "c"), (LATE, "ä")]
    wanted = [outcome(LINES, customer, day, HORIZONS) for day, customer in keys]
    assert found.churned.tolist() == [days == 0 for days, _, _ in wanted]
    assert [Fraction(spend) for spend in found.spend] == [spend for _, spend, _ in wanted]
    assert [Fraction(back) for back in found.returned] == [back for _, _, back in wanted]
    assert found.net.tolist() == [20, 0, 10, 5, 20, 0, 0]


def test_features_are_those_of_the_feature_table(engine):
    inputs = inputs_of(history_of(engine, LINES), engine)

    found = labelled(inputs, (EARLY, LATE), horizons=HORIZONS)
    rows = at(inputs, (EARLY, LATE), horizons=HORIZONS).rows

    assert found.names == inputs.catalogue.model_inputs
    assert found.features.dtype == np.float32
    np.testing.assert_array_equal(found.features, matrix(rows, inputs.catalogue.model_inputs))
    np.testing.assert_array_equal(found.column("recency_days"), rows["recency_days"].to_numpy())


def test_null_is_not_a_number_in_a_matrix():
    rows = pa.table({"x": pa.array([None, None], pa.float32()), "y": pa.array([1.0, None])})

    assert np.isnan(matrix(rows, ["x", "y"])).tolist() == [[True, False], [True, True]]


# Time


def test_no_snapshot_sees_or_needs_a_line_after_the_day_its_outcomes_are_known(engine):
    known_until, longest = day_of(after(460)), max(HORIZONS.churn_days, HORIZONS.value_days)
    days = snapshot_days(
        day_of(after(0)), known_until, longest, count=3, step_days=30, min_history_days=28
    )
    future = [*bought("a", 461, 500), *bought("new", 465), Line("b", after(470), -5)]

    blind, seeing = (labelled_at(engine, lines, days) for lines in (LINES, LINES + future))

    assert max(days) + longest <= known_until
    np.testing.assert_array_equal(blind.features, seeing.features)
    assert (blind.churned == seeing.churned).all()
    assert (blind.net == seeing.net).all()


# Parts


def test_the_rows_of_some_days(engine):
    found = labelled_at(engine, LINES)

    late = found.on([LATE, LATE + 1])

    assert late.day.tolist() == [LATE] * 4
    assert late.customer.tolist() == found.customer[3:].tolist()
    assert len(found.on([])) == 0


def test_few_rows_are_kept_whole():
    rows = simulated([3, 4])

    assert rows.at_most(7, seed=1) is rows


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most", [5, 50, 333, 999])
def test_a_sample_is_of_whole_customers_and_never_larger_than_asked_for(most, seed):
    rows = simulated([1, 2, 3, 4] * 100)

    sample = rows.at_most(most, seed)

    assert most - 4 < len(sample) <= most
    for customer in np.unique(sample.customer):
        assert (sample.customer == customer).sum() == (rows.customer == customer).sum()


def test_a_sample_has_at_least_one_customer():
    assert len(simulated([5, 5]).at_most(1, seed=3)) == 5


def test_a_sample_follows_from_the_seed():
    rows = simulated([1] * 100)

    assert rows.at_most(50, 1).customer.tolist() == rows.at_most(50, 1).customer.tolist()
    assert rows.at_most(50, 1).customer.tolist() != rows.at_most(50, 2).customer.tolist()


# Sizes


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        (bought("a", 10), 2),
        (bought("a", *range(0, 460, 7)), 2),
        ([line for n in range(30) for line in bought(f"{n}", 10 * n)], 60),
        ([line for n in range(30) for line in bought(f"{n}", n, 100 + 9 * n, amount=0)], 60),
        ([Line(f"{n}", after(n), -1) for n in range(30)] + bought("a", 350), 1),
    ],
    ids=[
        "one customer, once",
        "one customer, weekly",
        "everybody bought once",
        "all amounts are zero",
        "customers with returns only have no row",
    ],
)
def test_portfolios_of_any_size_are_labelled(engine, lines, rows):
    found = labelled_at(engine, lines)

    assert len(found) == rows
    assert np.isfinite(found.net).all()
    assert not np.isinf(found.features).any()
