"""Activity, lifecycle stage and value tier at their boundaries, and the activity window."""

import pyarrow as pa
import pytest
from tests.histories import HORIZONS, Line, after, bought, day_of, history_of

from portfolio_ml.config import Lifecycle
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.table import at
from portfolio_ml.standing import activity_windows, repurchase_at, standing_of

pytestmark = pytest.mark.unit

AS_OF = day_of(after(1000))


def rows_of(recency=0, tenure=0, net_spend=0, trend=None):
    return pa.table(
        {
            "recency_days": pa.array([recency], pa.float32()),
            "tenure_days": pa.array([tenure], pa.float32()),
            "net_spend": pa.array([net_spend], pa.float32()),
            "spend_trend": pa.array([trend], pa.float32()),
        }
    )


def standing(**row):
    return standing_of(rows_of(**row), activity_days=56, tier_edges=(40.0, 70.0, 90.0))


# At a date


@pytest.mark.parametrize(("recency", "is_active"), [(0, True), (55, True), (56, False)])
def test_active_is_who_bought_within_the_window_the_as_of_day_included(recency, is_active):
    found = standing(recency=recency, tenure=900)

    assert found.is_active.tolist() == [is_active]
    assert (found.lifecycle_stage[0] == "lapsed") is not is_active


@pytest.mark.parametrize(
    ("tenure", "trend", "stage"),
    [
        (0, None, "new"),
        (365, -0.9, "new"),
        (366, -0.9, "developing"),
        (730, -0.9, "developing"),
        (731, None, "mature"),
        (731, -0.25, "mature"),
        (731, -0.26, "veteran"),
        (731, 4.0, "mature"),
    ],
)
def test_the_stage_follows_from_tenure_and_for_the_mature_from_the_trend(tenure, trend, stage):
    assert standing(tenure=tenure, trend=trend).lifecycle_stage.tolist() == [stage]


def test_other_limits_of_the_stages_are_a_matter_of_the_config():
    rows = [("new", 20, None), ("developing", 100, None), ("veteran", 900, -0.15)]
    limits = Lifecycle(new_days=30, mature_days=180, declining_below=-0.1)

    for stage, tenure, trend in rows:
        found = standing_of(
            rows_of(tenure=tenure, trend=trend),
            activity_days=56,
            tier_edges=(40.0, 70.0, 90.0),
            lifecycle=limits,
        )
        assert found.lifecycle_stage.tolist() == [stage]


def test_the_inactive_have_lapsed_whatever_their_tenure():
    for tenure in (100, 500, 900):
        assert standing(recency=60, tenure=tenure, trend=-1).lifecycle_stage.tolist() == ["lapsed"]


@pytest.mark.parametrize(
    ("net_spend", "tier"),
    [(-5, "D"), (40, "D"), (40.01, "C"), (70, "C"), (70.01, "B"), (90, "B"), (90.01, "A")],
)
def test_the_tier_is_above_the_edges_that_net_spend_exceeds(net_spend, tier):
    assert standing(net_spend=net_spend).value_tier.tolist() == [tier]


def test_of_a_hundred_customers_ten_are_a_twenty_b_thirty_c_and_the_rest_d(engine):
    lines = [line for n in range(1, 101) for line in bought(f"{n:03}", 990, amount=n / 3)]
    inputs = inputs_of(history_of(engine, lines), engine)
    table = at(inputs, [AS_OF], horizons=HORIZONS)

    found = standing_of(table.rows, activity_days=28, tier_edges=table.references[AS_OF].tier_edges)

    assert found.value_tier.tolist() == ["D"] * 40 + ["C"] * 30 + ["B"] * 20 + ["A"] * 10


def test_nobody_has_no_standing():
    found = standing_of(rows_of().slice(1), activity_days=56, tier_edges=(1.0, 2.0, 3.0))

    assert found.is_active.size == found.lifecycle_stage.size == found.value_tier.size == 0


# The activity window


def windows(engine, lines, *days):
    found = activity_windows(inputs_of(history_of(engine, lines), engine), days)
    return [found[day] for day in days]


def test_the_return_curve_is_the_one_worked_out_by_hand(engine):
    # a: gaps of 10 and 10, 20 days open, a third each; b: a gap of 30, open for 0 days, a half
    # each. At 10 days 3/3 + 1/2 are at risk and 2/3 return; at 30 days 1/2 is and returns.
    lines = bought("a", 960, 970, 980) + bought("b", 970, 1000)
    inputs = inputs_of(history_of(engine, lines), engine)

    found = repurchase_at(inputs, [AS_OF])[AS_OF]

    assert found.days.tolist() == [10, 30]
    assert found.returned == pytest.approx([4 / 9, 1])
    assert found.percentile(4 / 9) == 10
    assert found.percentile(0.9) == 30


def test_the_window_is_in_whole_weeks_and_has_at_least_four(engine):
    for gap, window in ((1, 28), (28, 28), (29, 35), (35, 35), (36, 42)):
        assert windows(engine, bought("a", 1000 - gap, 1000), AS_OF) == [window]


def test_where_nobody_came_back_the_window_is_the_shortest(engine):
    assert windows(engine, bought("a", 5) + bought("b", 900), AS_OF) == [28]


def test_who_never_returns_does_not_stretch_the_window(engine):
    lines = bought("a", 900, 950) + [line for n in range(99) for line in bought(f"{n}", n)]

    assert windows(engine, lines, AS_OF) == [56]


def test_a_daily_buyer_does_not_speak_for_everyone(engine):
    lines = bought("daily", *range(700, 1001))
    lines += [line for n in range(9) for line in bought(f"{n}", 800 + n, 900 + n, 1000)]

    assert windows(engine, lines, AS_OF) == [105]


def test_each_day_knows_its_own_past_and_a_return_ends_no_gap(engine):
    lines = [*bought("a", 0, 40), Line("a", after(60), -1), *bought("a", 140)]

    days = [day_of(after(n)) for n in (39, 139, 140)]

    assert windows(engine, lines, *days) == [28, 42, 105]
