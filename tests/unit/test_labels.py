"""Outcomes at the edges of their windows."""

import pytest
from tests.histories import Line, after, bought, day_of, history_of

from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.table import Horizons
from portfolio_ml.labels import outcomes

pytestmark = pytest.mark.unit

AS_OF = day_of(after(100))
HORIZONS = Horizons(churn_days=30, value_days=60)


def outcomes_of(engine, lines, as_of_days=(AS_OF,), horizons=HORIZONS):
    inputs = inputs_of(history_of(engine, lines), engine)
    found = outcomes(inputs, as_of_days, horizons=horizons).join(inputs.customers, on="customer")
    rows = engine.collect(found.drop("customer"))
    return {(row.pop("customer_id"), row.pop("as_of")): row for row in rows.to_pylist()}


def outcome(days, spend, returned=0):
    return {
        "future_purchase_days": days,
        "future_spend": pytest.approx(spend),
        "future_returned": pytest.approx(returned),
    }


@pytest.mark.parametrize(
    ("day", "found"),
    [
        (99, None),
        (100, None),
        (101, outcome(1, 10)),
        (130, outcome(1, 10)),
        (131, outcome(0, 10)),
        (160, outcome(0, 10)),
        (161, None),
    ],
)
def test_the_window_begins_the_day_after_and_ends_with_the_horizons_last_day(engine, day, found):
    assert outcomes_of(engine, bought("a", day)).get(("a", AS_OF)) == found


def test_the_value_horizon_may_be_the_shorter_one(engine):
    lines = bought("a", 110, 160)

    found = outcomes_of(engine, lines, horizons=Horizons(churn_days=60, value_days=30))

    assert found == {("a", AS_OF): outcome(2, 10)}


def test_who_bought_only_beyond_the_value_horizon_spent_nothing_within_it(engine):
    found = outcomes_of(engine, bought("a", 160), horizons=Horizons(churn_days=60, value_days=30))

    assert found == {("a", AS_OF): outcome(1, 0)}


def test_purchases_of_one_day_are_one_purchase_day(engine):
    assert outcomes_of(engine, bought("a", 110, 110, 120)) == {("a", AS_OF): outcome(2, 30)}


def test_a_return_is_no_purchase_and_is_told_apart(engine):
    lines = [Line("a", after(110), -4), Line("b", after(110), -4), *bought("b", 110, 140)]

    found = outcomes_of(engine, lines)

    assert found == {("a", AS_OF): outcome(0, 0, 4), ("b", AS_OF): outcome(1, 20, 4)}


def test_a_free_purchase_is_a_purchase(engine):
    assert outcomes_of(engine, bought("a", 110, amount=0)) == {("a", AS_OF): outcome(1, 0)}


def test_who_did_nothing_has_no_row(engine):
    assert outcomes_of(engine, bought("a", 50, 300)) == {}


def test_as_of_days_are_apart_and_one_given_twice_counts_once(engine):
    lines = bought("a", 101, 131)

    found = outcomes_of(engine, lines, (AS_OF + 30, AS_OF, AS_OF))

    assert found == {("a", AS_OF): outcome(1, 20), ("a", AS_OF + 30): outcome(1, 10)}


def test_a_margin_is_what_is_left_after_the_cost(engine):
    lines = [
        Line("a", after(0), 5, cost=1),
        Line("a", after(110), 30, cost=20),
        Line("a", after(120), 10, cost=14),
        Line("a", after(125), -10, cost=14),
        Line("b", after(0), 5, cost=1),
        Line("b", after(130), 8, cost=11),
        Line("b", after(161), 9, cost=1),
    ]
    inputs = inputs_of(history_of(engine, lines), engine)
    found = outcomes(inputs, [AS_OF], horizons=HORIZONS, measure="margin")
    rows = engine.collect(found.join(inputs.customers, on="customer")).to_pylist()
    assert {row["customer_id"]: row["future_margin"] for row in rows} == {"a": 10.0, "b": -3.0}


def test_a_margin_is_no_outcome_where_value_is_revenue(engine):
    lines = [Line("a", after(110), 30, cost=20)]
    assert outcomes_of(engine, lines)["a", AS_OF] == outcome(1, 30)
