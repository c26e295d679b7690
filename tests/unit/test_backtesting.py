"""The backtest: what is known at a cutoff, who wins, and how sure that is."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from tests.simulated import FIRST_DAY, RECIPE, simulated

from portfolio_ml import backtesting
from portfolio_ml.backtesting import backtest, evaluation_days, judgeable, needed_days
from portfolio_ml.errors import DataError
from portfolio_ml.features.table import Horizons
from portfolio_ml.judgement import CURVE_POINTS, LEVEL, Predictions
from portfolio_ml.judging import judge
from portfolio_ml.metrics import (
    CHURN_METRICS,
    VALUE_METRICS,
    auroc,
    coverage,
    log_loss,
    normalised_gini,
)
from portfolio_ml.timeline import Span, to_date, to_day

pytestmark = pytest.mark.unit

SPAN = Span(FIRST_DAY, 17_720)
CUTOFFS = (17_540, 17_630)
ACTIVITY = {17_540: 40, 17_630: 60}


def judged(snapshots, *, recipe=RECIPE, progress=lambda _: None):
    return backtest(
        snapshots,
        recipe,
        first_day=FIRST_DAY,
        evaluated=CUTOFFS,
        activity_days=ACTIVITY,
        seasons={},
        bootstrap=20,
        progress=progress,
    )


@pytest.fixture(scope="module")
def snapshots():
    return simulated(150, days=needed_days(SPAN, RECIPE, CUTOFFS))


@pytest.fixture(scope="module")
def judgements(snapshots):
    return judged(snapshots)


# Days


def test_cutoffs_are_one_horizon_apart_and_before_the_end():
    assert evaluation_days(SPAN, RECIPE, 2) == CUTOFFS


def test_every_day_that_is_learned_or_judged_is_needed():
    days = needed_days(SPAN, RECIPE, CUTOFFS)
    learned = {day for until in (*CUTOFFS, 17_720) for day in RECIPE.snapshot_days(17_000, until)}
    assert days == tuple(sorted(learned | set(CUTOFFS)))


@pytest.mark.parametrize("horizon", [7, 28, 60, 90, 365])
def test_a_backtest_is_refused_exactly_where_there_is_no_cutoff(horizon):
    recipe = replace(RECIPE, horizons=Horizons(horizon, horizon))
    needed = 2 * horizon + recipe.min_history_days
    assert len(evaluation_days(Span(100, 100 + needed - 1), recipe, 3)) == 1
    with pytest.raises(DataError, match=f"need at least {needed} days: saw {needed - 1} days"):
        evaluation_days(Span(100, 100 + needed - 2), recipe, 3)


@pytest.mark.parametrize("days", [*range(42, 240, 3), 365, 1000])
def test_the_horizon_that_the_refusal_advises_fits(days):
    span = Span(0, days - 1)
    with pytest.raises(DataError) as refusal:
        evaluation_days(span, replace(RECIPE, horizons=Horizons(days, days)), 3)
    advised = int(refusal.value.do.split()[4])
    assert evaluation_days(span, replace(RECIPE, horizons=Horizons(advised, advised)), 3)


def test_a_history_of_weeks_is_told_to_wait():
    with pytest.raises(DataError, match="Wait for more history"):
        evaluation_days(Span(0, 40), RECIPE, 3)


def test_no_cutoffs_outcome_touches_an_excluded_period():
    recipe = replace(RECIPE, excluded=(Span(17_600, 17_600),))
    assert evaluation_days(SPAN, recipe, 2) == (17_509, 17_630)


def test_a_cutoff_without_a_snapshot_that_is_clear_is_left_out():
    recipe = replace(RECIPE, excluded=(Span(FIRST_DAY, 17_500),))
    assert evaluation_days(SPAN, recipe, 3) == (17_630,)
    assert recipe.snapshot_days(FIRST_DAY, 17_630)


def test_excluded_periods_that_leave_no_cutoff_are_told_as_such():
    recipe = replace(RECIPE, excluded=(Span(FIRST_DAY, 17_700),))
    with pytest.raises(DataError, match="There is no cutoff to judge at") as caught:
        evaluation_days(SPAN, recipe, 3)
    assert caught.value.where == "excluded_periods"


# A value horizon that history can judge


def asking(value_days, *, churn_days=30, excluded=()):
    return replace(RECIPE, horizons=Horizons(churn_days, value_days), excluded=excluded)


def history(first, last):
    return Span(*(to_day(date.fromisoformat(day)) for day in (first, last)))


def test_a_horizon_that_history_can_judge_stays_as_it_was_asked_for():
    """912 days: half a year of past, a year to learn from, a year to be judged by."""
    asked = asking(365)
    assert judgeable(history("2021-01-01", "2023-07-01"), asked, 3) is asked


@pytest.mark.parametrize(
    ("first", "last", "longest"),
    [
        ("2021-01-01", "2023-06-30", 364),  # 911 days: 182 + 364 + 364 = 910
        ("2023-01-01", "2024-06-29", 218),  # 546 days: 109 + 218 + 218 = 545
        ("2023-01-01", "2023-05-18", 55),  # 138 days: 28 + 55 + 55
        ("2023-01-01", "2023-05-02", 47),  # 122 days: 28 + 47 + 47
    ],
)
def test_a_longer_one_is_learnt_over_the_longest_that_history_can_judge(first, last, longest):
    span = history(first, last)
    found = judgeable(span, asking(365), 3)
    assert found == replace(asking(longest), extended_days=365)
    assert evaluation_days(span, found, 3) == (span.last_day - longest,)
    assert judgeable(span, found, 3) is found


def test_the_last_day_before_an_excluded_period_ends_what_can_be_judged():
    """Of 300 days the last 100 are excluded; 200 leave 80 + 80 days after a past of 40."""
    strike = Span(200, 299)
    found = judgeable(Span(0, 299), asking(200, excluded=(strike,)), 3)
    assert (found.horizons.value_days, found.extended_days) == (80, 200)
    assert evaluation_days(Span(0, 299), found, 3) == (119,)


@pytest.mark.parametrize(
    ("days", "asked"),
    [
        (224, asking(365, churn_days=90)),  # churn alone needs 45 + 90 + 90 days
        (83, asking(100, churn_days=28)),  # the shortest needs 28 + 28 + 28
        (100, asking(301)),  # beyond three times the history
    ],
)
def test_where_no_shorter_horizon_helps_the_recipe_stays_as_it_is(days, asked):
    assert judgeable(Span(0, days - 1), asked, 3) is asked


@pytest.mark.parametrize(
    ("days", "asked", "longest"),
    [
        (225, asking(365, churn_days=90), 90),
        (84, asking(100, churn_days=28), 28),
        (100, asking(300), 36),  # 28 + 36 + 36
    ],
)
def test_a_day_more_is_enough(days, asked, longest):
    found = judgeable(Span(0, days - 1), asked, 3)
    assert found.horizons == Horizons(asked.horizons.churn_days, longest)
    assert found.extended_days == asked.horizons.value_days


# What is known at a cutoff


def test_only_outcomes_known_at_the_cutoff_are_learned(snapshots, monkeypatch):
    learned = []

    def spied(rows, recipe, **others):
        learned.append(set(rows.day.tolist()))
        return fit(rows, recipe, **others)

    fit = backtesting.fit_candidates
    monkeypatch.setattr(backtesting, "fit_candidates", spied)
    judged(snapshots)
    assert learned == [{17_390, 17_420, 17_450}, {17_480, 17_510, 17_540}]
    for cutoff, days in zip(CUTOFFS, learned, strict=True):
        assert max(days) + RECIPE.longest_days <= cutoff


def test_what_happened_after_a_cutoff_changes_no_prediction(snapshots, judgements):
    """The last cutoff's outcomes are turned round: nothing predicted anywhere may move."""
    after = snapshots.day == max(CUTOFFS)
    other = replace(
        snapshots,
        churned=snapshots.churned ^ after,
        spend=np.where(after, 1000 - snapshots.spend, snapshots.spend),
    )
    for target, judgement in judged(other).items():
        before = judgements[target].predictions
        for name, predicted in judgement.predictions.candidates.items():
            assert np.array_equal(predicted, before.candidates[name])


def test_predictions_are_pooled_over_the_cutoffs(snapshots, judgements):
    rows = snapshots.on(CUTOFFS)
    churn, value = (judgements[t].predictions for t in ("churn", "lifetime_value"))
    assert sorted(set(churn.cutoff)) == list(CUTOFFS)
    assert np.array_equal(churn.actual, rows.churned)
    assert np.array_equal(value.actual, rows.net)
    for name, ends in value.intervals.items():
        assert (
            (ends[:, 0] <= value.candidates[name]) & (value.candidates[name] <= ends[:, 1])
        ).all()
    assert not churn.intervals


def test_who_is_active_is_decided_by_each_cutoffs_window(snapshots, judgements):
    rows = snapshots.on(CUTOFFS)
    window = np.where(rows.day == CUTOFFS[0], *ACTIVITY.values())
    predictions = judgements["churn"].predictions
    assert np.array_equal(predictions.is_active, rows.column("recency_days") < window)


def test_a_candidate_that_one_cutoff_cannot_fit_is_left_out(snapshots):
    early = snapshots.day < 17_480
    judgement = judged(replace(snapshots, churned=snapshots.churned | early))["churn"]
    assert set(judgement.predictions.candidates) == {"customer_base"}
    assert judgement.winner == "customer_base"


def test_a_horizon_is_compared_with_the_nearest_window(snapshots, judgements):
    rows = snapshots.on(CUTOFFS)
    value = judgements["lifetime_value"].predictions.baselines
    assert np.array_equal(value["persistence"], rows.column("spend_90d"))
    churn = judgements["churn"].predictions.baselines
    assert np.array_equal(churn["persistence"], -rows.column("purchase_days_90d"))


def test_two_backtests_of_one_seed_agree(snapshots, judgements):
    for target, judgement in judged(snapshots).items():
        assert judgement.to_dict() == judgements[target].to_dict()


def test_progress_is_told(snapshots):
    told = []
    judged(snapshots, progress=told.append)
    assert told == [
        "refitting as of 2018-01-09 (1 of 2)",
        "refitting as of 2018-04-09 (2 of 2)",
        "judging",
    ]
    assert [step.share for step in told[:2]] == [0.0, 0.5]


# Judging


@pytest.mark.parametrize("target", ["churn", "lifetime_value"])
def test_a_mean_is_that_of_the_cutoffs(judgements, target):
    judgement = judgements[target]
    for population in ("all", "active"):
        values = [
            judgement.value(judgement.winner, judgement.primary, population=population, cutoff=day)
            for day in judgement.cutoffs
        ]
        mean = judgement.value(judgement.winner, judgement.primary, population=population)
        assert mean == pytest.approx(np.mean(values))


def test_figures_are_those_of_the_predictions(judgements):
    churn, value = judgements["churn"], judgements["lifetime_value"]
    day, last = to_date(CUTOFFS[1]), churn.predictions.cutoff == CUTOFFS[1]
    actual, predicted = churn.predictions.actual, churn.predictions.candidates["boosted"]
    active = last & churn.predictions.is_active
    assert churn.value("boosted", "auroc", cutoff=day) == auroc(actual[last], predicted[last])
    assert churn.value("boosted", "log_loss", population="active", cutoff=day) == log_loss(
        actual[active], predicted[active]
    )
    ends = value.predictions.intervals["blend"][last]
    assert value.value("blend", "coverage", cutoff=day) == coverage(
        value.predictions.actual[last], *ends.T
    )
    assert value.value("past_spend", "normalised_gini", cutoff=day) == normalised_gini(
        value.predictions.actual[last], value.predictions.baselines["past_spend"][last]
    )


def test_a_baselines_scores_are_judged_by_their_order_only(judgements):
    churn = judgements["churn"]
    assert {s.metric for s in churn.scores if s.model == "recency"} == {
        m.name for m in CHURN_METRICS if m.by_rank
    }
    assert np.isnan(churn.value("recency", "log_loss"))


def test_the_best_baseline_has_the_best_primary_metric(judgements):
    churn = judgements["churn"]
    aurocs = {b: churn.value(b, "auroc") for b in churn.predictions.baselines}
    assert aurocs[churn.best_baseline] == max(aurocs.values())


def judged_chances(better_by, customers=400):
    """The winner where the trees' chances are nearer to the outcome than the blend's."""
    rng = np.random.default_rng(3)
    churned = (rng.random(customers) < 0.5).astype(float)
    blend = np.clip(0.5 + 0.1 * (churned - 0.5) + rng.normal(0, 0.1, customers), 0.05, 0.95)
    towards = np.where(churned > 0, 1.0, -1.0)
    boosted = np.clip(blend + better_by * towards, 0.01, 0.99)
    predictions = Predictions(
        cutoff=np.zeros(customers, np.int32),
        customer=np.arange(customers),
        is_active=np.ones(customers, bool),
        actual=churned,
        candidates={"blend": blend, "boosted": boosted, "customer_base": np.full(customers, 0.5)},
        baselines={"recency": rng.random(customers)},
    )
    return judge("churn", predictions, CHURN_METRICS, n=100, seed=7)


def test_a_candidate_that_is_ahead_of_the_blend_beyond_chance_wins():
    judged = judged_chances(better_by=0.2)
    assert judged.winner == "boosted"
    assert judged.gains["log_loss"]["blend"].low > 0


def test_the_blend_stays_where_another_is_ahead_by_chance():
    rng = np.random.default_rng(5)
    judged = judged_chances(better_by=0.1 * rng.normal(size=400) + 0.018)
    assert judged.value("boosted", "log_loss") < judged.value("blend", "log_loss")
    assert judged.winner == "blend"


def test_the_blend_loses_to_nobody_who_is_worse():
    judged = judged_chances(better_by=-0.2)
    assert judged.winner == "blend"


@pytest.mark.parametrize(
    ("target", "metrics"),
    [("churn", {"auroc", "log_loss"}), ("lifetime_value", {"normalised_gini"})],
)
def test_gains_are_against_every_other(judgements, target, metrics):
    judgement = judgements[target]
    candidates = set(judgement.predictions.candidates) - {judgement.winner}
    baselines = set(judgement.predictions.baselines)
    assert set(judgement.gains) == metrics
    assert set(judgement.gains[judgement.primary]) == candidates | baselines
    for name, gain in judgement.gains[judgement.primary].items():
        ours, theirs = (judgement.value(m, judgement.primary) for m in (judgement.winner, name))
        assert gain.estimate == pytest.approx(ours - theirs)
        assert gain.low <= gain.estimate <= gain.high
        assert gain.level == LEVEL
    if "log_loss" in metrics:
        assert set(judgement.gains["log_loss"]) == candidates


def test_a_judgement_is_json_without_a_customer(judgements):
    for judgement in judgements.values():
        told = json.loads(json.dumps(judgement.to_dict(), allow_nan=False))
        assert told["winner"] == judgement.winner
        assert "predictions" not in told
        assert "customer" not in told
        longest = max(len(points) for points in told["curves"].values())
        assert longest <= CURVE_POINTS


def test_curves_are_for_drawing(judgements):
    churn, value = judgements["churn"].curves, judgements["lifetime_value"].curves
    rows = len(judgements["churn"].predictions.actual)
    assert sum(point["rows"] for point in churn["calibration"]) == rows
    assert (churn["gains"][0]["found"], churn["gains"][-1]["found"]) == (0, pytest.approx(1))
    assert [point["decile"] for point in value["deciles"]] == list(range(1, 11))


def made(candidates, actual, *, baselines=None, cutoff=None):
    """Predictions as a test makes them up: one row a customer."""
    rows = len(actual)
    return Predictions(
        cutoff=np.zeros(rows, np.int32) if cutoff is None else np.array(cutoff, np.int32),
        customer=np.arange(rows),
        is_active=np.zeros(rows, bool),
        actual=np.array(actual, float),
        candidates={name: np.array(values, float) for name, values in candidates.items()},
        baselines={"none": np.zeros(rows)} if baselines is None else baselines,
    )


def test_churn_is_won_by_log_loss_not_by_order():
    """A candidate in perfect order, but far off in level, loses to one that is nearly right."""
    predictions = made(
        {"ordered": [0.001, 0.002, 0.003, 0.004], "level": [0.7, 0.3, 0.6, 0.8]}, [0, 0, 1, 1]
    )
    judgement = judge("churn", predictions, CHURN_METRICS, n=10, seed=1)
    assert judgement.value("ordered", "auroc") > judgement.value("level", "auroc")
    assert judgement.winner == "level"


def test_value_is_not_won_by_predicting_nothing():
    """On sparse data zero has the smallest absolute error."""
    actual = [0, 0, 0, 0, 0, 0, 5, 90]
    predictions = made({"zero": [0] * 8, "ranked": [10, 10, 10, 10, 10, 10, 20, 40]}, actual)
    judgement = judge("lifetime_value", predictions, VALUE_METRICS, n=10, seed=1)
    assert judgement.value("zero", "mae") < judgement.value("ranked", "mae")
    assert judgement.winner == "ranked"


def test_nobody_active_leaves_those_figures_out():
    judgement = judge("churn", made({"only": [0.2, 0.8]}, [0, 1]), CHURN_METRICS, n=10, seed=1)
    assert {score.population for score in judgement.scores} == {"all"}
    assert np.isnan(judgement.value("only", "auroc", population="active"))
    assert judgement.cutoffs == (date(1970, 1, 1),)


def test_a_cutoff_without_both_outcomes_is_left_out_of_the_mean():
    predictions = made({"only": [0.2, 0.8, 0.3, 0.4]}, [0, 1, 0, 0], cutoff=[1, 1, 2, 2])
    judgement = judge("churn", predictions, CHURN_METRICS, n=10, seed=1)
    assert np.isnan(judgement.value("only", "auroc", cutoff=date(1970, 1, 3)))
    assert judgement.value("only", "auroc") == 1


def test_no_shared_candidate_is_refused(snapshots, monkeypatch):
    fits = iter(["boosted", "customer_base"])

    def one_each(rows, recipe, **others):
        name = next(fits)
        candidates = fit(rows, recipe, **others)
        return replace(
            candidates,
            churn={name: candidates.churn[name]},
        )

    fit = backtesting.fit_candidates
    monkeypatch.setattr(backtesting, "fit_candidates", one_each)
    with pytest.raises(DataError, match="No candidate could be fitted at every cutoff"):
        judged(snapshots)
