"""Recipes: which snapshots they learn from, what they weigh, and what they refuse."""

import re
from dataclasses import replace

import numpy as np
import pytest
from tests.histories import REFERENCE
from tests.simulated import RECIPE, simulated

from portfolio_ml.config import settings_from
from portfolio_ml.errors import DataError
from portfolio_ml.features.table import Horizons
from portfolio_ml.models.trees import DEFAULTS, TreeParameters
from portfolio_ml.timeline import Span
from portfolio_ml.training import Recipe, demand_history, fit_candidates, recency_weight

pytestmark = pytest.mark.unit


def of_horizons(churn_days, value_days):
    return replace(RECIPE, horizons=Horizons(churn_days=churn_days, value_days=value_days))


def test_the_settings_describe_the_recipe():
    given = {
        "name": "shop",
        "data": {"transactions": {"source": "cdnow"}},
        "targets": {
            "churn": {"horizon_days": 30},
            "lifetime_value": {"horizon_days": 60, "coverage": 0.9},
            "segments": {"count": 5},
        },
        "training": {
            "snapshots": 4,
            "step_days": 15,
            "max_rows": 1000,
            "seed": 3,
            "trees": {"churn": {"leaves": 5, "min_leaf_rows": 50}},
        },
    }
    assert Recipe.of(settings_from(given)) == Recipe(
        horizons=Horizons(churn_days=30, value_days=60),
        coverage=0.9,
        segments=5,
        snapshots=4,
        step_days=15,
        max_rows=1000,
        seed=3,
        churn_trees=TreeParameters(leaves=5, min_leaf_rows=50),
        value_trees=DEFAULTS,
    )


def test_the_trees_of_each_target_are_held_back_as_the_recipe_says():
    recipe = replace(
        RECIPE, churn_trees=TreeParameters(leaves=2), value_trees=TreeParameters(leaves=3)
    )
    fitted = fit_candidates(simulated(200), recipe, tier_edges=REFERENCE.tier_edges)
    for models, leaves in ((fitted.churn, 2), (fitted.lifetime_value, 3)):
        texts = [f.decode() for n, f in models["boosted"].to_files().items() if n.endswith(".txt")]
        for text in texts:
            grown = {int(n) for n in re.findall(r"^num_leaves=(\d+)$", text, re.MULTILINE)}
            assert grown == {leaves}


@pytest.mark.parametrize(
    ("recipe", "is_shared"),
    [
        (of_horizons(90, 90), True),
        (of_horizons(90, 30), False),
        (replace(of_horizons(90, 90), value_trees=TreeParameters(leaves=3)), False),
    ],
)
def test_churn_and_value_share_the_chance_of_a_purchase_where_they_ask_the_same(recipe, is_shared):
    assert recipe.shares_trees == is_shared
    if is_shared:
        fitted = fit_candidates(simulated(200), recipe, tier_edges=REFERENCE.tier_edges)
        churn, value = fitted.churn["boosted"].trees, fitted.lifetime_value["boosted"].trees
        assert churn.text == value.silence.text


@pytest.mark.parametrize(
    ("churn", "value", "longest", "history"),
    [(30, 30, 30, 28), (90, 30, 90, 45), (30, 365, 365, 182)],
)
def test_history_before_a_snapshot_is_half_the_longer_horizon_or_four_weeks(
    churn, value, longest, history
):
    recipe = of_horizons(churn, value)
    assert (recipe.longest_days, recipe.min_history_days) == (longest, history)


def test_no_snapshot_is_learned_whose_outcome_is_not_known():
    for known_until in range(100, 500, 7):
        days = RECIPE.snapshot_days(0, known_until)
        assert all(day + RECIPE.longest_days <= known_until for day in days)
        assert len(days) <= RECIPE.snapshots


# Histories that are too short


@pytest.mark.parametrize("horizon", [7, 28, 60, 90, 365])
def test_a_history_is_refused_exactly_where_there_is_no_snapshot(horizon):
    recipe = of_horizons(horizon, horizon)
    needed = horizon + recipe.min_history_days
    demand_history(Span(100, 100 + needed - 1), recipe)
    with pytest.raises(DataError, match=f"needs at least {needed} days: saw {needed - 1} days"):
        demand_history(Span(100, 100 + needed - 2), recipe)


@pytest.mark.parametrize("days", [*range(42, 140, 3), 365, 1000])
def test_the_horizon_that_the_refusal_advises_fits(days):
    with pytest.raises(DataError) as refusal:
        demand_history(Span(0, days - 1), of_horizons(10 * days, 90))
    advised = int(refusal.value.do.split()[4])
    demand_history(Span(0, days - 1), of_horizons(advised, advised))


def test_a_history_of_days_is_told_to_wait():
    with pytest.raises(DataError, match="Wait for more history"):
        demand_history(Span(0, 20), RECIPE)


# Fitting


def test_a_row_loses_half_its_weight_with_each_year():
    day = np.array([1000, 1000 - 365, 1000 - 730], np.int32)
    assert recency_weight(day).tolist() == [1, 0.5, 0.25]


@pytest.fixture(scope="module")
def snapshots():
    return simulated(150)


def test_candidates_of_one_seed_are_the_same_files(snapshots):
    """Both targets are fitted at once, in threads of their own."""
    first, again = (
        fit_candidates(snapshots, RECIPE, tier_edges=REFERENCE.tier_edges) for _ in range(2)
    )
    for target in ("churn", "lifetime_value"):
        files, files_again = (
            {name: model.to_files() for name, model in getattr(candidates, target).items()}
            for candidates in (first, again)
        )
        assert files == files_again


def test_no_more_rows_are_learned_than_asked(snapshots):
    few = replace(RECIPE, max_rows=200)
    chosen = snapshots.at_most(few.max_rows, few.seed)
    candidates = fit_candidates(snapshots, few, tier_edges=REFERENCE.tier_edges)
    expected = fit_candidates(chosen, RECIPE, tier_edges=REFERENCE.tier_edges)
    assert len(chosen) < len(snapshots)
    assert candidates.churn["boosted"].to_files() == expected.churn["boosted"].to_files()


def test_models_know_their_horizons_and_coverage(snapshots):
    recipe = replace(of_horizons(30, 60), coverage=0.7)
    candidates = fit_candidates(snapshots, recipe, tier_edges=REFERENCE.tier_edges)
    assert {m.horizon_days for m in candidates.churn.values()} == {30}
    assert {m.horizon_days for m in candidates.lifetime_value.values()} == {60}
    assert {m.intervals.coverage for m in candidates.lifetime_value.values()} == {0.7}


def test_nothing_to_learn_leaves_the_customer_base_models(snapshots):
    nothing = np.zeros(len(snapshots))
    gone = replace(snapshots, churned=nothing == 0, spend=nothing, returned=nothing)
    candidates = fit_candidates(gone, RECIPE, tier_edges=REFERENCE.tier_edges)
    assert set(candidates.churn) == set(candidates.lifetime_value) == {"customer_base"}


class TestExcludedPeriods:
    STRIKE = Span(400, 420)

    def test_are_days_of_the_recipe(self):
        given = {
            "name": "shop",
            "data": {"transactions": {"source": "cdnow"}},
            "excluded_periods": [{"first": "1970-01-03", "last": "1970-01-05", "reason": "strike"}],
        }
        assert Recipe.of(settings_from(given)).excluded == (Span(2, 4),)

    def test_are_in_no_snapshots_outcome(self):
        recipe = replace(RECIPE, excluded=(self.STRIKE,))
        for known_until in range(100, 700, 7):
            for day in recipe.snapshot_days(0, known_until):
                window = {*range(day + 1, day + recipe.longest_days + 1)}
                assert not window & {*range(400, 421)}

    def test_that_leave_nothing_to_learn_from_are_told_as_such(self):
        recipe = replace(RECIPE, excluded=(Span(100, 599),))
        with pytest.raises(DataError) as caught:
            demand_history(Span(100, 600), recipe)
        assert str(caught.value) == (
            "There is no snapshot to learn from: the 90 days after each touch an excluded period "
            "(in excluded_periods): saw 1970-04-11 to 1971-08-23. "
            "Exclude less, set shorter horizons, or wait for more history."
        )

    def test_are_not_blamed_for_a_short_history(self):
        recipe = replace(RECIPE, excluded=(Span(0, 1_000),))
        with pytest.raises(DataError, match="The history is too short"):
            demand_history(Span(0, 50), recipe)
