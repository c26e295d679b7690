"""The contract with the CRM: columns, types, nulls and dates of the customer rows."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from tests.histories import HORIZONS, REFERENCE, after, bought, day_of, history_of

from portfolio_ml.config import Bands
from portfolio_ml.customer_rows import CUSTOMER_FIGURES, Lineage, customer_rows, with_figures
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.table import at
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.scoring import Predictions
from portfolio_ml.standing import Standing, standing_of

pytestmark = pytest.mark.unit

AS_OF = date(2024, 5, 31)
LINEAGE = Lineage(
    versions={"churn": "3", "lifetime_value": "2", "segments": "7"},
    features_hash="0123456789abcdef",
    run_id="run",
    scored_at=datetime(2024, 6, 1, 4, 30, tzinfo=UTC),
)
STANDING = Standing(
    is_active=np.array([True, False, True]),
    lifecycle_stage=np.array(["new", "lapsed", "veteran"]),
    value_tier=np.array(["D", "A", "B"]),
)


def features(expected_next=(19_900.0, 19_000.0, 20_500.0)):
    scores = {name: pa.array([1, 3, 5], pa.float32()) for name in ("rfm_r", "rfm_f", "rfm_m")}
    days = pa.array(expected_next, pa.float32())
    missed = pa.array([0.0, 3.0, None], pa.float32())
    return pa.table(
        {
            "customer_id": ["a", "b", "ç"],
            "expected_next_order_day": days,
            "missed_cycles": missed,
            **scores,
        },
    )


def predictions(count=3, abstention=None):
    return Predictions(
        p_churn=np.linspace(0.25, 0.75, count),
        churn_reasons=pa.array((["OVERDUE, LOW_SPEND", None, "FEW_PURCHASES"] * count)[:count]),
        ltv=np.full(count, 120.0),
        ltv_low=np.full(count, 20.0),
        ltv_high=np.full(count, 300.0),
        expected_orders=np.full(count, 1.5),
        value_if_buys=np.full(count, 80.0),
        segment_id=np.arange(count, dtype=np.int64),
        segment_name=np.array([f"segment {n}" for n in range(count)], dtype=str),
        abstention=abstention,
    )


NOTHING_BEFORE = pa.table(
    {"customer_id": pa.array([], pa.string()), "churn_band": pa.array([], pa.string())}
)


def rows(
    *,
    table=None,
    predicted=None,
    standing=STANDING,
    as_of=AS_OF,
    lineage=LINEAGE,
    bands_before=NOTHING_BEFORE,
):
    return customer_rows(
        features() if table is None else table,
        predicted or predictions(),
        standing,
        as_of=as_of,
        lineage=lineage,
        bands=Bands(medium=0.4, high=0.7, margin=0.1),
        bands_before=bands_before,
    )


def test_the_columns_and_their_types_are_those_of_the_contract():
    found = rows()

    assert found.schema == CUSTOMER_ROWS.arrow
    assert found.num_rows == 3
    found.validate(full=True)


def test_only_columns_of_which_the_contract_knows_a_null_have_one():
    found = rows()

    with_nulls = {name for name in found.column_names if found[name].null_count}
    assert with_nulls <= {column.name for column in CUSTOMER_ROWS.columns if column.null}
    assert with_nulls == {
        "p_churn",
        "p_return",
        "churn_band",
        "churn_reasons",
        "value_at_risk",
        "missed_cycles",
        "abstention",
        *CUSTOMER_FIGURES,
    }


def test_what_the_figures_say_comes_beside_each_customer_and_is_null_for_others():
    found = rows()
    figures = pa.table(
        {"customer_id": found["customer_id"].slice(1, 1)}
        | {name: pa.array([None]) for name in CUSTOMER_FIGURES}
        | {"priority_rank": pa.array([3]), "action": pa.array(["keep"])}
    )

    told = with_figures(found, figures)

    assert told.schema == found.schema
    ranks = told["priority_rank"].to_pylist()
    assert ranks == [None, 3, *[None] * (found.num_rows - 2)]
    assert told["action"][1].as_py() == "keep"


def test_bands_are_those_of_the_chance_or_of_the_delivery_before():
    before = pa.table({"customer_id": ["ç", "x"], "churn_band": ["medium", "low"]})

    assert rows().to_pydict()["churn_band"] == ["low", None, "high"]
    assert rows(bands_before=before).to_pydict()["churn_band"] == ["low", None, "medium"]


def test_missed_cycles_are_whole_numbers():
    assert rows().to_pydict()["missed_cycles"] == [0, 3, None]


def test_the_active_may_leave_and_the_inactive_return():
    found = rows().to_pydict()

    assert found["p_churn"] == [0.25, None, 0.75]
    assert found["p_return"] == [None, 0.5, None]
    assert found["value_at_risk"] == [0.25 * 80, None, 0.75 * 80]


@pytest.mark.parametrize("is_active", [True, False])
def test_everybody_may_be_active_or_inactive(is_active):
    standing = Standing(np.full(3, is_active), STANDING.lifecycle_stage, STANDING.value_tier)

    found = rows(standing=standing)

    assert found["p_churn"].null_count == (0 if is_active else 3)
    assert found["p_return"].null_count == (3 if is_active else 0)


def test_values_arrive_in_the_row_of_their_customer():
    first, second, third = rows().to_pylist()

    assert (first["customer_id"], second["customer_id"], third["customer_id"]) == ("a", "b", "ç")
    assert second["lifecycle_stage"] == "lapsed"
    assert second["value_tier"] == "A"
    assert [third[name] for name in ("rfm_r", "rfm_f", "rfm_m")] == [5, 5, 5]
    assert [second["rfm_segment"], third["rfm_segment"]] == ["needing attention", "champions"]
    assert (third["segment_id"], third["segment_name"]) == (2, "segment 2")
    assert third["is_active"] is True


def test_every_row_says_where_it_comes_from():
    for row in rows().to_pylist():
        assert row["as_of"] == AS_OF
        assert row["scored_at"] == LINEAGE.scored_at
        assert row["run_id"] == "run"
        assert row["features_hash"] == "0123456789abcdef"
        assert row["churn_model_version"] == "3"
        assert row["ltv_model_version"] == "2"
        assert row["segment_model_version"] == "7"


def test_a_clock_in_another_zone_tells_the_same_instant():
    zone = datetime(2024, 6, 1, 6, 30).astimezone().tzinfo
    lineage = Lineage(LINEAGE.versions, "h", "r", LINEAGE.scored_at.astimezone(zone))

    found = rows(lineage=lineage)

    assert found["scored_at"].to_pylist() == [LINEAGE.scored_at] * 3


def test_a_day_number_becomes_its_date():
    found = rows(table=features((0.0, 19_782.0, -1.0)))

    dates = [date(1970, 1, 1), date(2024, 2, 29), date(1969, 12, 31)]
    assert found["expected_next_order_date"].to_pylist() == dates


def test_what_was_held_back_is_said_in_every_row():
    found = rows(predicted=predictions(abstention="customer_base_model:churn"))

    assert found["abstention"].to_pylist() == ["customer_base_model:churn"] * 3


def test_no_customers_give_no_rows_of_the_same_shape():
    nobody = Standing(*(array[:0] for array in (np.array([True]), np.array([""]), np.array([""]))))

    found = rows(table=features().slice(3), predicted=predictions(0), standing=nobody)

    assert found.schema == CUSTOMER_ROWS.arrow
    assert found.num_rows == 0


def test_the_next_order_is_expected_a_typical_gap_after_the_last(engine):
    # a: gaps of 20, 40 and 60 days and the portfolio's 45 are a typical gap of 41.25 days.
    # b: one purchase, so the portfolio's own gap.
    lines = bought("a", 0, 20, 60, 120) + bought("b", 115)
    as_of = after(130)
    table = at(
        inputs_of(history_of(engine, lines), engine),
        [day_of(as_of)],
        horizons=HORIZONS,
        references={day_of(as_of): REFERENCE},
    ).rows
    standing = standing_of(table, activity_days=28, tier_edges=REFERENCE.tier_edges)

    found = rows(table=table, predicted=predictions(2), standing=standing, as_of=as_of)

    assert found["customer_id"].to_pylist() == ["a", "b"]
    dates = [after(120) + timedelta(41), after(115) + timedelta(45)]
    assert found["expected_next_order_date"].to_pylist() == dates
    assert found["lifecycle_stage"].to_pylist() == ["new", "new"]
