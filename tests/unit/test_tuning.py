"""Tuning: which outcomes it may look at, what it advises, and how it stops and goes on."""

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.simulated import FIRST_DAY, RECIPE, simulated

import portfolio_ml
from portfolio_ml import search, tuning
from portfolio_ml.backtesting import evaluation_days
from portfolio_ml.config import settings_from
from portfolio_ml.errors import DataError
from portfolio_ml.metrics import Difference
from portfolio_ml.models.trees import DEFAULTS, TreeParameters
from portfolio_ml.results import tuned_yaml
from portfolio_ml.search import Trial
from portfolio_ml.timeline import Span
from portfolio_ml.training import Recipe
from portfolio_ml.tuning import Budget, Question, Tuned, tuning_days

pytestmark = pytest.mark.unit

GAIN = Difference(0.01, 0.005, 0.02, 0.9, 100)
LAST = date(2024, 6, 30)
SHOP = {
    "name": "shop",
    "data": {"transactions": {"source": "table"}},
    "targets": {"churn": {"horizon_days": 30}, "lifetime_value": {"horizon_days": 30}},
    "training": {"snapshots": 3},
    "backtest": {"cutoffs": 2, "bootstrap": 100},
}


@pytest.fixture(scope="module")
def snapshots():
    return simulated(240)


def shop_of(changed_from=None):
    """Lines of 120 customers over 360 days; from a day on, other ones, but on the last day."""
    rng, other = np.random.default_rng(5), np.random.default_rng(6)
    lines = []
    for customer in range(120):
        rate, ticket = rng.gamma(1.5, 0.02) + 0.01, rng.lognormal(3, 0.5)
        stays = rng.exponential(250)
        for day in range(360):
            draws = (rng.random(), rng.lognormal(0, 0.3))
            if changed_from is not None and day >= changed_from:
                draws = (other.random() / 3, 5 * other.lognormal(0, 1))
            if day in (0, 359) or (draws[0] < rate and day < stays):
                lines.append((f"c{customer}", LAST - timedelta(359 - day), ticket * draws[1]))
    return pd.DataFrame(lines, columns=["customer_id", "timestamp", "amount"])


class Stopwatch:
    """Each look at it takes so many seconds."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def tuned(snapshots, folder, *, trials=None, minutes=60.0, stopwatch=lambda: 0.0, **given):
    @contextmanager
    def opened(question):
        name = f"{question.target} {question.digest}"
        with search.opened(
            "sqlite:///tuning.db", name, base=folder, space=question.space, seed=question.seed
        ) as found:
            yield found

    given = {"targets": ("churn",), "say": lambda _: None} | given
    return tuning.tune(
        snapshots,
        RECIPE,
        budget=Budget(minutes=minutes, trials=trials, stopwatch=stopwatch),
        bootstrap=100,
        opened=opened,
        **given,
    )


# Which outcomes


@pytest.mark.parametrize("cutoffs", [1, 2, 3])
@pytest.mark.parametrize("last_day", [17_400, 17_720, 18_500])
def test_no_outcome_of_a_tuning_day_is_one_that_a_cutoff_is_judged_on(cutoffs, last_day):
    span = Span(FIRST_DAY, last_day)
    first = min(evaluation_days(span, RECIPE, cutoffs))
    days = tuning_days(span, RECIPE, cutoffs)
    assert days
    assert max(days) + RECIPE.longest_days <= first
    assert set(days) == set(RECIPE.snapshot_days(FIRST_DAY, first))


def searched(folder, **changed):
    """A search for better churn trees on a shop, and what its first trial came to."""
    settings = settings_from(SHOP, base=folder)
    found = portfolio_ml.tune(
        settings, transactions=shop_of(**changed), trials=2, targets=["churn"]
    )
    with closing(sqlite3.connect(folder / "tuning.db")) as database:
        return found, database.execute("SELECT value FROM trial_values").fetchone()


@pytest.fixture(scope="module")
def as_it_was(tmp_path_factory):
    return searched(tmp_path_factory.mktemp("shop"))


def test_lines_after_the_last_outcome_that_tuning_may_see_change_nothing(as_it_was, tmp_path):
    # 360 days and two cutoffs, 30 days apart: the first is judged on what follows day 299.
    found, value = searched(tmp_path, changed_from=300)
    assert repr(found) == repr(as_it_was[0])
    assert [each.best for each in found.found] == [each.best for each in as_it_was[0].found]
    assert value == as_it_was[1]


def test_lines_before_it_do(as_it_was, tmp_path):
    _, value = searched(tmp_path, changed_from=280)
    assert value != as_it_was[1]


def test_a_history_that_is_too_short_for_a_backtest_is_too_short_for_tuning():
    with pytest.raises(DataError, match="too short for a backtest"):
        tuning_days(Span(0, 200), RECIPE, 3)


def test_the_halves_part_customers_and_cross_the_folds(snapshots):
    question = Question("churn", snapshots, 7)
    searched = tuning._searched_rows(question)
    looked_at = set(snapshots.customer[searched])
    assert looked_at.isdisjoint(snapshots.customer[~searched])
    assert len(looked_at) == 120


# What is advised


def test_the_defaults_are_the_first_trial(snapshots, tmp_path):
    [found] = tuned(snapshots, tmp_path, trials=1)
    assert found.trials == 1
    assert found.best == replace(DEFAULTS, min_leaf_rows=20)
    assert found.gain is None
    assert not found.is_advised


def test_the_first_trial_predicts_what_the_defaults_do(snapshots):
    question = Question("churn", snapshots, 7)
    explicit = question.held_out(question.defaults)
    implicit = question.held_out(asdict(DEFAULTS) | {"min_leaf_rows": 0})
    np.testing.assert_array_equal(explicit, implicit)


@pytest.mark.parametrize(("low", "is_advised"), [(0.001, True), (-0.001, False), (np.nan, False)])
def test_only_a_gain_whose_interval_lies_above_zero_is_advised(low, is_advised):
    gain = Difference(0.01, low, 0.02, 0.9, 100)
    assert Tuned("churn", "log_loss", 9, DEFAULTS, gain).is_advised is is_advised


def test_the_lead_of_the_best_of_many_is_not_its_gain(snapshots):
    """The search's half says how trials rank; only the other half says what the best gains."""
    question = Question("churn", snapshots, 7)
    twin = dict(question.defaults) | {"bagging_fraction": 0.81}
    lucky = [Trial(question.defaults, -0.6), Trial(twin, -0.1)]
    found = tuning._tuned(question, lucky, 100)
    assert found.best.bagging_fraction == 0.81
    assert abs(found.gain.estimate) < 0.05
    assert found.gain.low < found.gain.estimate < found.gain.high


def test_a_real_gain_is_advised(snapshots):
    question = Question("churn", snapshots, 7)
    useless = dict(question.defaults) | {"leaves": 2, "l2": 1e6, "learning_rate": 0.01}
    trials = [Trial(useless, -0.6), Trial(question.defaults, -0.5)]
    as_defaults = _WithDefaults(question, useless)
    assert tuning._tuned(as_defaults, trials, 100).is_advised


class _WithDefaults:
    """A question whose defaults are others."""

    def __init__(self, question, defaults):
        self._question, self.defaults = question, defaults

    def __getattr__(self, name):
        return getattr(self._question, name)


def test_where_chance_decides_the_defaults_are_kept(tmp_path):
    rows = simulated(200)
    rng = np.random.default_rng(3)
    churned = rng.random(200)[rows.customer] < 0.5
    spend = np.where(churned, 0.0, rng.lognormal(3, 1, 200)[rows.customer])
    chance = replace(rows, churned=churned, spend=spend, returned=np.zeros(len(rows)))
    found = tuned(chance, tmp_path, trials=8, targets=tuning.TARGETS)
    assert [each.trials for each in found] == [8, 8]
    assert not any(each.is_advised for each in found)


def test_an_outcome_that_nobody_has_is_refused(snapshots, tmp_path):
    nobody = replace(snapshots, churned=np.zeros(len(snapshots), bool))
    with pytest.raises(DataError, match="Churn is met too rarely to tune on"):
        tuned(nobody, tmp_path, trials=1)


# When it stops, and goes on


def test_trials_of_earlier_runs_count(snapshots, tmp_path):
    told = []
    tuned(snapshots, tmp_path, trials=2)
    [found] = tuned(snapshots, tmp_path, trials=4, say=told.append)
    assert found.trials == 4
    assert told[0] == "churn: going on after 2 trials"
    assert [line[:14] for line in told[1:3]] == ["churn: trial 3", "churn: trial 4"]


def test_a_search_that_goes_on_finds_what_one_without_a_break_finds(snapshots, tmp_path):
    (tmp_path / "whole").mkdir()
    for trials in (1, 2, 4):
        [found] = tuned(snapshots, tmp_path, trials=trials)
    assert [found] == [*tuned(snapshots, tmp_path / "whole", trials=4)]


def test_trials_on_other_rows_do_not_count(snapshots, tmp_path):
    tuned(snapshots, tmp_path, trials=2)
    changed = replace(snapshots, churned=~snapshots.churned)
    [found] = tuned(changed, tmp_path, trials=1)
    assert found.trials == 1


def test_after_its_minutes_no_trial_is_begun_but_the_defaults_are_tried(snapshots, tmp_path):
    found = tuned(snapshots, tmp_path, minutes=1, stopwatch=Stopwatch(45), targets=tuning.TARGETS)
    assert [each.trials for each in found] == [1, 1]


def test_the_targets_share_the_minutes(snapshots, tmp_path):
    found = tuned(snapshots, tmp_path, minutes=1, stopwatch=Stopwatch(8), targets=tuning.TARGETS)
    assert [each.trials for each in found] == [4, 2]


# What goes into the config


@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize("customers", [10, 300])
def test_a_config_takes_whatever_may_be_advised(end, customers):
    question = Question("churn", simulated(customers), 7)
    values = {name: getattr(d, end) for name, d in question.space.items()}
    tried = Tuned("churn", "log_loss", 9, tuning._parameters(values), GAIN)
    given = {"name": "shop", "data": {"transactions": {"source": "cdnow"}}}
    recipe = Recipe.of(settings_from(given | yaml.safe_load(tuned_yaml([tried]))))
    assert asdict(recipe.churn_trees) == values
    assert all(d.low <= question.defaults[name] <= d.high for name, d in question.space.items())


def test_the_block_is_what_a_config_takes():
    best = TreeParameters(5, 0.05, 12.5, 300, 0.6, 0.9)
    block = tuned_yaml(
        [Tuned("churn", "log_loss", 9, best, GAIN), Tuned("lifetime_value", "g", 4, DEFAULTS, None)]
    )
    assert "# lifetime_value: keep the defaults; of 4 trials, none surely gains" in block
    given = {"name": "shop", "data": {"transactions": {"source": "cdnow"}}}
    recipe = Recipe.of(settings_from(given | yaml.safe_load(block)))
    assert (recipe.churn_trees, recipe.value_trees) == (best, DEFAULTS)
