"""Twenty runs of what `make test` looks at a few times; `make test-monitor`, before a release."""

from collections import Counter
from dataclasses import replace

import pytest
from tests.simulated import RECIPE
from tests.stationary import (
    a_category_vanishes,
    a_third_spends_more,
    half_the_rate,
    monitored,
    stationary,
)
from tests.unit.test_incumbent import HORIZON, champion_of, judged, world

from portfolio_ml.incumbent import gain_over

pytestmark = pytest.mark.campaign

RUNS = range(20)


@pytest.mark.parametrize("customers", [1_000, 3_000])
@pytest.mark.parametrize("after_days", [30, 90])
def test_at_most_one_false_alarm_in_twenty_runs(customers, after_days):
    levels = Counter(
        monitored(stationary(customers, seed), after_days=after_days).level for seed in RUNS
    )
    assert levels["watch"] + levels["retrain"] <= 1, levels


@pytest.mark.parametrize("change", [half_the_rate, a_third_spends_more, a_category_vanishes])
def test_what_happens_is_caught(change):
    levels = Counter(monitored(change(3_000, 100 + seed)).level for seed in RUNS)
    assert levels["retrain"] >= 19, levels


def test_champions_do_not_flap_in_a_null_world():
    """The champion's recipe with twenty new seeds: the same candidate wins, and is as good."""
    snapshots = world(400)
    champion = champion_of(snapshots)
    winners, gains = Counter(), []
    for seed in RUNS:
        told = judged(snapshots, recipe=replace(RECIPE, seed=100 + seed))
        winners[told.winner] += 1
        gained = gain_over(champion, told, snapshots, horizon_days=HORIZON, n=100, seed=7)
        gains.append(gained["auroc"].estimate)
    assert winners["customer_base"] >= 19, winners
    assert max(map(abs, gains)) < 0.01
