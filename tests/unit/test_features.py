"""The feature table at the edges: days, sizes, references and the digest of the definitions."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from tests.histories import HORIZONS, REFERENCE, Line, after, bought, day_of, history_of

from portfolio_ml.customers import CustomerTable
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.features.account import DAYS, NUMBERS
from portfolio_ml.features.catalogue import catalogue
from portfolio_ml.features.feature import Stage, features_hash
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.reference import Reference, _spend_model
from portfolio_ml.features.table import Horizons, at, computed, definitions_hash
from portfolio_ml.schema import QUARANTINE
from portfolio_ml.timeline import to_date

pytestmark = pytest.mark.unit

AS_OF = day_of(after(1000))
CATALOGUE = catalogue({"order_id"}).features
COLUMNS = {"product_id", "category", "quantity", "cost", "discount", "channel", "minute"}
TABLES = {"interactions", "interactions.value", "contacts"}
ATTRIBUTES = ("valid_from", *DAYS, *NUMBERS, "region")
ALL = catalogue(
    COLUMNS | TABLES | {f"customers.{name}" for name in ATTRIBUTES},
    attributes=ATTRIBUTES,
    kinds=["call"],
).features
UNITS = {
    "as given", "categories", "channels", "currency", "currency per 60 days", "currency per year",
    "cycles", "day number", "days", "events", "lines", "month", "nats", "orders", "probability",
    "products", "purchase days", "ratio", "score", "share", "units", "yes = 1",
}  # fmt: skip


def table_of(engine, lines, as_of_days=(AS_OF,), **known):
    inputs = inputs_of(history_of(engine, lines), engine)
    return at(inputs, as_of_days, horizons=HORIZONS, **known)


# The catalogue


def test_names_are_given_once_and_every_unit_is_known():
    names = [feature.name for feature in ALL]

    assert len(set(names)) == len(names)
    assert {feature.unit for feature in ALL} == UNITS


@pytest.mark.parametrize("kinds", [["interaction"], ["call", "call"], ["a b", "A-b"]])
def test_kinds_whose_features_would_have_one_name_are_refused(kinds):
    with pytest.raises(ConfigError, match="Several features would be called") as caught:
        catalogue(TABLES, kinds=kinds)
    assert "in data.interactions.kinds" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["customer", "as_of", "spend", "reference_region", "region_known_share"]
)
def test_an_attribute_that_would_hide_a_column_is_refused(name):
    attributes = ["valid_from", "region", name]
    have = {f"customers.{each}" for each in attributes}
    with pytest.raises(ConfigError, match=f"attribute '{name}'.*own_{name}: {name}, or leave"):
        catalogue(have, attributes=attributes)


def test_an_attribute_may_be_called_valid_until(engine):
    days = [AS_OF - 800, AS_OF - 100]
    rows = {"customer_id": ["ann"] * 2, "valid_from": days, "valid_until": ["long", "longer"]}
    people = CustomerTable(
        frame=engine.from_arrow(pa.table(rows)),
        kept=2,
        quarantine=QUARANTINE.arrow.empty_table(),
        is_dated=True,
        columns=frozenset({"valid_until"}),
        static=frozenset(),
        source="people.csv",
    )
    history = history_of(engine, bought("ann", 980, 990))
    inputs = inputs_of(history, engine, customers=people)
    [row] = at(inputs, [AS_OF], horizons=HORIZONS).rows.to_pylist()
    assert (row["valid_until_known_share"], row["valid_until_changed_365d"]) == (1, 1)


def test_models_learn_from_all_but_numbers_that_mean_nothing_to_them():
    found = catalogue()

    assert {*found.names} - {*found.model_inputs} == {
        "peak_month", "expected_next_order_day", "rfm_r", "rfm_f", "rfm_m",
        *(name for name in found.names if name.endswith("day_share")),
    }  # fmt: skip


def test_what_is_left_out_tells_what_it_needs():
    found = catalogue({"category"})

    assert "categories" in found.names
    assert found.left_out["products"] == ("product_id",)
    assert found.left_out["income_change_365d"] == ("customers.income", "customers.valid_from")
    assert {*found.left_out} & {*found.names} == set()


def test_a_catalogue_of_some_names_keeps_its_order():
    assert catalogue().only(["spend", "recency_days"]).names == ("recency_days", "spend")


def test_a_name_that_a_portfolio_lacks_is_missed_with_what_it_needs():
    with pytest.raises(DataError, match=r"1 feature that.*no product_id, which products needs"):
        catalogue().only(["spend", "products"])
    both = r"2 features that.*no cost, product_id, which products and others need\. Map"
    with pytest.raises(DataError, match=both):
        catalogue().only(["spend", "products", "margin"])


def test_a_name_that_no_column_would_give_is_missed_without_one():
    with pytest.raises(
        DataError, match=r"saw nothing that gives call_value_365d\. Name its module"
    ):
        catalogue().only(["call_value_365d", "spend"])


def test_only_the_expectations_of_models_come_without_an_expression():
    without = {feature.stage for feature in ALL if feature.value is None}

    assert without == {Stage.MODEL}
    assert all(f.value is None for f in ALL if f.stage is Stage.MODEL)


@pytest.mark.parametrize("part", ["name", "unit", "window", "null", "formula"])
def test_the_digest_changes_with_every_part_of_a_definition(part):
    first, *others = CATALOGUE

    assert features_hash([replace(first, **{part: "another"}), *others]) != features_hash(CATALOGUE)


def test_the_digest_of_a_table_changes_with_either_horizon():
    horizons = [Horizons(*days) for days in ((90, 90), (90, 91), (91, 90))]

    assert len({definitions_hash(catalogue(), each) for each in horizons}) == 3


# Days


def test_an_as_of_day_given_twice_counts_once(engine):
    lines = bought("a", 100, 900)

    assert table_of(engine, lines, (AS_OF, AS_OF)) == table_of(engine, lines, (AS_OF,))


def test_rows_are_sorted_by_as_of_day_and_customer_in_any_order_of_days(engine):
    lines = bought("b", 0, 900) + bought("a", 5)
    days = (AS_OF, AS_OF - 500)

    rows = table_of(engine, lines, days).rows

    assert rows["as_of"].to_pylist() == [AS_OF - 500, AS_OF - 500, AS_OF, AS_OF]
    assert rows["customer_id"].to_pylist() == ["a", "b", "a", "b"]


def test_a_day_before_anybody_bought_has_no_rows_and_no_reference(engine):
    lines = [Line("a", after(0), -5), *bought("a", 900)]

    table = table_of(engine, lines, (AS_OF - 500, AS_OF))

    assert table.rows["as_of"].to_pylist() == [AS_OF]
    assert [*table.references] == [AS_OF]


def test_without_a_single_purchase_there_is_nobody_to_fit_a_reference_on(engine):
    with pytest.raises(DataError, match="Nobody has bought anything"):
        table_of(engine, [Line("a", after(0), -5)])


def test_without_a_single_purchase_a_given_reference_gives_no_rows(engine):
    rows = table_of(engine, [Line("a", after(0), -5)], references={AS_OF: REFERENCE}).rows

    assert rows.num_rows == 0
    assert rows.schema.names == ["customer_id", "as_of", *(f.name for f in CATALOGUE)]


def test_a_day_without_a_given_reference_is_an_error_and_no_row_is_lost(engine):
    with pytest.raises(KeyError):
        table_of(engine, bought("a", 0), (AS_OF, AS_OF - 1), references={AS_OF: REFERENCE})


@pytest.mark.parametrize(("first", "expected"), [(18_000, 18_005), (-400, -395)])
def test_half_a_day_before_the_next_purchase_is_rounded_up_before_1970_too(engine, first, expected):
    lines = [Line("a", to_date(first + day), 10.0) for day in (0, 3)]
    reference = {first + 9: replace(REFERENCE, gap_days=0.0)}
    rows = table_of(engine, lines, [first + 9], references=reference).rows
    assert rows["typical_gap_days"].to_pylist() == [1.5]
    assert rows["expected_next_order_day"].to_pylist() == [expected]


def test_a_table_gives_the_rows_of_a_day_and_its_dates(engine):
    table = table_of(engine, bought("a", 100, 900), (AS_OF - 1, AS_OF))

    assert table.on(AS_OF)["as_of"].to_pylist() == [AS_OF]
    assert table.dated_rows()["as_of"].to_pylist() == [after(999), after(1000)]
    assert isinstance(table.dated_rows()["as_of"][0].as_py(), date)


def test_the_first_half_of_the_progress_is_the_fitting_of_each_day_the_second_its_reading(engine):
    told = []

    table_of(engine, bought("a", 100, 900), (AS_OF - 1, AS_OF), progress=told.append)

    assert told == [0.25, 0.5, 0.75]


def test_what_is_not_yet_collected_knows_how_many_rows_it_has(engine):
    lines = [*bought("a", 0), *bought("b", 10), *bought("c", 1001)]
    inputs = inputs_of(history_of(engine, lines), engine)
    found = computed(inputs, (AS_OF,), horizons=HORIZONS, references={AS_OF: REFERENCE})

    assert found.count() == 2


# Sizes


@pytest.mark.parametrize(
    "lines",
    [
        bought("a", 1000),
        bought("a", *range(0, 1000, 50)),
        [line for n in range(40) for line in bought(f"{n:02}", 20 * n, amount=n)],
        [line for n in range(40) for line in bought(f"{n:02}", 20 * n, 20 * n + n + 1, amount=0)],
        [line for n in range(40) for line in bought(f"{n:02}", 1000)],
        bought("a", *range(1000), amount=1e12),
    ],
    ids=[
        "one purchase today",
        "one customer",
        "everybody bought once",
        "all amounts are zero",
        "everybody bought today",
        "a trillion every day",
    ],
)
def test_a_portfolio_of_any_size_has_finite_features(engine, lines):
    rows = table_of(engine, lines).rows

    assert rows.num_rows == len({line.customer for line in lines})
    for feature in CATALOGUE:
        values = rows[feature.name].drop_null()
        assert np.isfinite(values.to_numpy()).all(), feature.name
        assert bool(feature.null) or not rows[feature.name].null_count


def test_where_nobody_bought_twice_own_spend_and_the_mean_count_alike(engine):
    table = table_of(engine, bought("a", 10, amount=5) + bought("b", 700, amount=25))

    assert table.rows["expected_ticket"].to_pylist() == [10, 20]
    assert "count alike" in table.references[AS_OF].spend_model.warnings[0]


def test_the_mean_that_stands_in_is_the_same_in_whatever_order_the_customers_come():
    rng = np.random.default_rng(0)
    monetary = rng.integers(1, 10_000, 500) / 7

    found = {_spend_model(np.ones(500), rng.permutation(monetary)).v for _ in range(20)}

    assert len(found) == 1


def test_where_nothing_was_ever_paid_nothing_is_expected(engine):
    table = table_of(engine, bought("a", 10, 20, amount=0) + bought("b", 700, amount=0))

    assert table.rows["expected_spend"].to_pylist() == [0, 0]


# What is relative to the portfolio


def test_a_single_customer_has_the_middle_scores(engine):
    row = table_of(engine, bought("a", 10, 20)).rows.to_pylist()[0]

    assert [row[name] for name in ("rfm_r", "rfm_f", "rfm_m")] == [3, 3, 3]


def test_ten_customers_fall_into_five_pairs(engine):
    lines = [line for n in range(10) for line in bought(f"{n}", *range(10 * n + 1), amount=n)]

    rows = table_of(engine, lines).rows

    assert rows["rfm_r"].to_pylist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert rows["rfm_f"].to_pylist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert rows["rfm_m"].to_pylist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_customers_who_always_pay_the_same_price_tie(engine):
    lines = [line for n in range(1, 50) for line in bought(f"{n:02}", *range(n), amount=0.1)]

    rows = table_of(engine, lines).rows

    assert set(rows["monetary"].to_pylist()) == {np.float32(0.1)}
    assert set(rows["rfm_m"].to_pylist()) == {3}


def test_tiers_are_parted_at_the_40th_70th_and_90th_percentile_of_net_spend(engine):
    lines = [line for n in range(1, 101) for line in bought(f"{n:03}", n, amount=n)]

    assert table_of(engine, lines).references[AS_OF].tier_edges == (40.0, 70.0, 90.0)


def test_a_reference_survives_as_json_values():
    assert Reference.from_dict(REFERENCE.to_dict()) == REFERENCE
