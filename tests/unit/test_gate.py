"""The gate's decisions on judgements made up for it."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from portfolio_ml.gate import (
    LOWEST_STAYING,
    TOLERANCE,
    decide,
    decide_segments,
    decide_unjudged,
)
from portfolio_ml.judgement import PRIMARY, Judgement, Predictions, Score
from portfolio_ml.metrics import Difference
from portfolio_ml.models.segment_identity import Migration, Move
from portfolio_ml.models.segments import (
    INPUTS,
    LOWEST_STABILITY,
    SMALLEST_SHARE,
    Scaling,
    SegmentModel,
)

pytestmark = pytest.mark.unit

CANDIDATES = ("blend", "boosted", "customer_base")


def gain(estimate, spread=0.01):
    return Difference(estimate, estimate - spread, estimate + spread, level=0.9, n=500)


def a_judgement(target="churn", *, winner="boosted", gains=None, figures=None):
    """What the backtest would say: gains in the primary metric, and mean figures by model."""
    base = {"baseline": gain(0.02)} | {c: gain(0.01) for c in CANDIDATES if c != winner}
    figures = figures or {}
    scores = [
        Score(model, metric, "all", None, value)
        for metric, values in figures.items()
        for model, value in values.items()
    ]
    nothing = np.empty(0)
    return Judgement(
        target=target,
        cutoffs=(date(2020, 1, 1),),
        winner=winner,
        best_baseline="baseline",
        scores=tuple(scores),
        gains={PRIMARY[target]: base | (gains or {})},
        curves={},
        predictions=Predictions(
            cutoff=nothing.astype(np.int32),
            customer=nothing.astype(np.int64),
            is_active=nothing.astype(bool),
            actual=nothing,
            candidates=dict.fromkeys(CANDIDATES, nothing),
            baselines={"baseline": nothing},
        ),
    )


def decided(judgement, *, champion="blend", max_loss=0.002, coverage=0.8, over_champion=None):
    return decide(
        judgement,
        champion=champion,
        max_loss=max_loss,
        coverage=coverage,
        over_champion=over_champion,
    )


@pytest.mark.parametrize("target", PRIMARY)
def test_without_a_champion_the_challenger_becomes_it(target):
    decision = decided(a_judgement(target), champion=None)
    assert (decision.target, decision.is_promoted) == (target, True)
    assert decision.reasons[1] == "there is no champion yet"


@pytest.mark.parametrize("target", PRIMARY)
def test_a_champion_whose_recipe_is_gone_is_replaced(target):
    decision = decided(a_judgement(target), champion="forest")
    assert (decision.target, decision.is_promoted) == (target, True)
    assert decision.reasons[1] == "the champion's recipe (forest) can no longer be fitted"


def test_the_same_recipe_is_promoted_on_newer_data():
    decision = decided(a_judgement(winner="blend"), champion="blend")
    assert decision.is_promoted
    assert "won again" in decision.reasons[1]


def test_a_better_recipe_is_promoted():
    assert decided(a_judgement(gains={"blend": gain(0.05)})).is_promoted


def test_a_worse_recipe_is_refused_with_its_figures():
    decision = decided(a_judgement(gains={"blend": gain(-0.05)}))
    assert not decision.is_promoted
    assert decision.reasons[1] == (
        "AUROC against the champion's recipe (blend (trees + customer base)): -0.0500, "
        "at worst -0.0600, allowed -0.0020"
    )


@pytest.mark.parametrize(("low", "is_promoted"), [(-0.0019, True), (-0.002, False), (-0.1, False)])
def test_what_counts_is_the_lower_end_of_the_gain(low, is_promoted):
    surely = replace(gain(0.03), low=low)
    assert decided(a_judgement(gains={"blend": surely})).is_promoted is is_promoted


def test_how_much_may_be_lost_is_configured():
    judgement = a_judgement(gains={"blend": gain(-0.005)})
    assert not decided(judgement, max_loss=0.01).is_promoted
    assert decided(judgement, max_loss=0.02).is_promoted


def test_a_challenger_behind_the_best_baseline_is_refused():
    behind = a_judgement(gains={"blend": gain(0.05), "baseline": gain(-0.001)})
    assert not decided(behind).is_promoted


def test_a_challenger_level_with_the_best_baseline_is_not_ahead_of_it():
    level = a_judgement(gains={"blend": gain(0.05), "baseline": gain(0.0)})
    assert not decided(level).is_promoted


@pytest.mark.parametrize(("lost", "is_promoted"), [(0.001, True), (-0.002, True), (-0.0021, False)])
def test_against_the_champion_as_it_stands_no_more_may_be_lost_than_is_allowed(lost, is_promoted):
    decision = decided(a_judgement(winner="blend"), over_champion={"auroc": gain(lost, spread=0.5)})
    assert decision.is_promoted is is_promoted
    assert decision.reasons[-1] == (
        "AUROC against the champion as it stands, on outcomes that it did not know: "
        f"{lost:+.4f} ({lost - 0.5:+.4f} to {lost + 0.5:+.4f}), allowed -0.0020"
    )


@pytest.mark.parametrize(("spread", "is_promoted"), [(0.099, True), (0.0, False)])
def test_what_candidates_are_chosen_by_counts_only_where_the_loss_is_sure(spread, is_promoted):
    lost = {"log_loss": gain(-0.1, spread=spread)}
    decision = decided(a_judgement(winner="blend"), over_champion=lost)
    assert decision.is_promoted is is_promoted
    assert decision.reasons[-1].startswith(
        "log loss against the champion as it stands".capitalize()
    )


def test_a_gain_that_is_undefined_is_refused():
    nan = float("nan")
    undefined = Difference(nan, nan, nan, level=0.9, n=0)
    assert not decided(a_judgement(gains={"blend": undefined})).is_promoted


def beside(metric, ours, theirs, target="churn"):
    return a_judgement(
        target, gains={"blend": gain(0.05)}, figures={metric: {"boosted": ours, "blend": theirs}}
    )


@pytest.mark.parametrize(("by", "is_promoted"), [(0.9, True), (1.1, False), (-5, True)])
def test_calibration_may_be_worse_by_its_tolerance(by, is_promoted):
    worse = 0.05 + by * TOLERANCE["calibration_error"]
    decision = decided(beside("calibration_error", worse, 0.05))
    assert decision.is_promoted is is_promoted
    assert decision.reasons[-1].startswith("calibration error is")


def test_a_tolerance_may_be_used_up():
    spent = beside("calibration_error", TOLERANCE["calibration_error"], 0.0)
    assert decided(spent).is_promoted


@pytest.mark.parametrize("missing", ["boosted", "blend"])
def test_a_figure_that_one_of_the_two_lacks_is_not_compared(missing):
    figures = {"boosted": 0.9, "blend": 0.9} | {missing: float("nan")}
    judgement = a_judgement(gains={"blend": gain(0.05)}, figures={"calibration_error": figures})
    decision = decided(judgement)
    assert decision.is_promoted
    assert len(decision.reasons) == 2


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("bias", "is_promoted"), [(0.10, True), (0.16, False)])
def test_total_bias_counts_either_way(sign, bias, is_promoted):
    judgement = beside("total_bias", sign * bias, 0.1, "lifetime_value")
    assert decided(judgement).is_promoted is is_promoted


@pytest.mark.parametrize(
    ("ours", "is_promoted"), [(0.79, True), (0.84, True), (0.7, False), (0.9, False)]
)
def test_coverage_counts_by_its_distance_from_nominal(ours, is_promoted):
    judgement = beside("coverage", ours, 0.82, "lifetime_value")
    assert decided(judgement, coverage=0.8).is_promoted is is_promoted


def test_one_rule_that_fails_is_enough_and_all_are_told():
    judgement = a_judgement(
        "lifetime_value",
        gains={"blend": gain(0.05)},
        figures={
            "total_bias": {"boosted": 0.0, "blend": 0.0},
            "coverage": {"boosted": 0.5, "blend": 0.8},
        },
    )
    decision = decided(judgement)
    assert not decision.is_promoted
    assert len(decision.reasons) == 4


def test_the_gain_over_the_best_baseline_is_told_first():
    opening = decided(a_judgement()).reasons[0]
    assert opening == (
        "the gain of boosted trees over baseline in AUROC is +0.0200 (+0.0100 to +0.0300)"
    )


@pytest.mark.parametrize(
    ("target", "named"), [("churn", "recent purchase days"), ("lifetime_value", "recent spend")]
)
def test_a_baseline_that_repeats_the_past_is_named_by_what_it_repeats(target, named):
    level = {"persistence": gain(0.02)}
    judgement = replace(a_judgement(target, gains=level), best_baseline="persistence")
    assert f"the gain of boosted trees over {named} in " in decided(judgement).reasons[0]


# Models that no outcome has judged


@pytest.mark.parametrize("target", PRIMARY)
@pytest.mark.parametrize(
    ("champion", "is_promoted", "ending"),
    [
        (None, True, "there is no champion yet"),
        ("customer_base", True, "the champion is a customer-base model too"),
        ("boosted", False, "the champion (boosted trees) stays"),
    ],
)
def test_a_model_that_was_not_judged_replaces_only_its_like(target, champion, is_promoted, ending):
    decision = decide_unjudged(target, champion=champion, why="there are no outcomes yet")
    assert (decision.target, decision.is_promoted) == (target, is_promoted)
    assert decision.reasons == (
        "the customer-base model was not judged: there are no outcomes yet",
        ending,
    )


def test_a_decision_is_json():
    decision = decided(a_judgement())
    assert json.loads(json.dumps(decision.to_dict())) == {
        "target": "churn",
        "is_promoted": True,
        "reasons": list(decision.reasons),
    }


# Segments


def segments(**figures):
    given = {"smallest_share": 0.1, "stability": 0.9, "separation": 0.3} | figures
    nothing = np.zeros(len(INPUTS))
    return SegmentModel(
        names=INPUTS,
        inputs=INPUTS,
        scaling=Scaling(nothing, nothing, nothing, nothing + 1),
        candidate="k_means",
        centres=np.zeros((2, len(INPUTS))),
        precision=np.ones((2, len(INPUTS))),
        bias=np.zeros(2),
        ids=(1, 2),
        labels=("a", "b"),
        highest_id=2,
        **given,
    )


def moved(staying, *, segments_before=2):
    """Of 1000 customers, so many stay in segment 1; the others come to 2."""
    moves = (Move(1, 1, staying), Move(1, 2, 1000 - staying))
    return Migration(moves, segments_before=segments_before)


STAYING = moved(970)


def decided_segments(model, *, count="auto", has_champion=True, migration=STAYING):
    return decide_segments(model, count=count, has_champion=has_champion, migration=migration)


@pytest.mark.parametrize(
    ("figures", "is_promoted"),
    [
        ({}, True),
        ({"smallest_share": SMALLEST_SHARE, "stability": LOWEST_STABILITY}, True),
        ({"smallest_share": 0.019}, False),
        ({"stability": 0.49}, False),
    ],
)
def test_segments_pass_on_size_and_stability(figures, is_promoted):
    decision = decided_segments(segments(**figures))
    assert decision.target == "segments"
    assert decision.is_promoted is is_promoted
    assert len(decision.reasons) == 3


@pytest.mark.parametrize("staying", [1000 * LOWEST_STAYING - 1, 1000 * LOWEST_STAYING])
def test_segments_pass_where_enough_customers_keep_theirs(staying):
    decision = decided_segments(segments(), migration=moved(int(staying)))
    assert decision.is_promoted is (staying / 1000 >= LOWEST_STAYING)
    assert decision.reasons[-1] == f"{staying / 1000:.1%} of customers stay in their segment"


def test_a_number_that_was_asked_for_may_be_small_and_move_customers():
    asked = segments(smallest_share=0.01)
    assert decided_segments(asked, count=2).is_promoted
    assert decided_segments(asked, count=2, migration=moved(100, segments_before=5)).is_promoted
    assert not decided_segments(asked, count=2, migration=moved(100)).is_promoted
    assert not decided_segments(segments(stability=0.1), count=2).is_promoted


def test_the_first_segments_become_champion_for_nobody_could_be_scored_without():
    decision = decided_segments(segments(stability=0.1), has_champion=False, migration=None)
    assert decision.is_promoted
    assert decision.reasons[-1] == "there is no champion yet"


def test_segments_that_cannot_be_compared_with_the_champions_say_so():
    decision = decided_segments(segments(), migration=None)
    assert decision.is_promoted
    assert decision.reasons[-1] == (
        "the champion's segments cannot be found in today's features: all ids are new"
    )
