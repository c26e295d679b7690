"""What a champion keeps of its training, and what today says against it."""

import json
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from portfolio_ml.errors import DataError
from portfolio_ml.features.catalogue import catalogue
from portfolio_ml.metrics import Estimate
from portfolio_ml.monitoring.distribution import OTHERS, Distribution
from portfolio_ml.monitoring.drift import Drift, drifts, psi
from portfolio_ml.monitoring.outcomes import (
    Matured,
    MaturedScores,
    Promise,
    decisive,
    judge_matured,
    promises_of,
)
from portfolio_ml.monitoring.profile import (
    TICKET_CHANGE,
    Profile,
    label_counts,
    still_filling,
    ticket_change,
)
from portfolio_ml.monitoring.verdict import FEATURES_TO_RETRAIN, Monitoring, verdict
from portfolio_ml.watching import drift_today

pytestmark = pytest.mark.unit

DAYS = tuple(range(1000, 1241, 30))
LATER = 1300
ROWS = 2_000


def profile_of(*, features=None, mix=None, behaviour=None, scores=None, days=DAYS, filling=()):
    return Profile(
        days=tuple(days),
        features=features or {},
        scores=scores or {},
        behaviour=behaviour or {},
        mix=mix or {},
        filling=frozenset(filling),
    )


def numbers(rng, *, means, rows=ROWS):
    """The distribution of a normal number around another mean on each date."""
    values = np.concatenate([rng.normal(mean, 1, rows) for mean in means])
    return Distribution.of_numbers(values, np.repeat(np.arange(len(means)), rows))


def seen(profile, values, *, name="x", family="features", day=LATER):
    today = {family: {name: getattr(profile, family)[name].of(values)}}
    (drift,) = drifts(profile, today, as_of_day=day)
    return drift


# Distributions


def test_numbers_are_counted_over_their_own_deciles_and_nulls_apart():
    values = np.array([*range(1, 11), np.nan], dtype=float)
    found = Distribution.of_numbers(values, np.zeros(11, np.int32))
    assert found.edges == (1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert found.counts == ((1,) * 10 + (1,),)
    assert found.of(np.array([0.5, 1.0, 1.5, 99, np.nan, np.inf])).tolist() == [
        2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2,
    ]  # fmt: skip


def test_a_number_that_is_mostly_zero_has_a_bin_for_zero():
    values = np.array([0.0] * 95 + [1, 2, 3, 4, 5])
    found = Distribution.of_numbers(values, np.zeros(100, np.int32))
    assert found.edges == (0.0,)
    assert found.counts == ((95, 5, 0),)


def test_a_number_that_is_never_known_has_its_nulls():
    found = Distribution.of_numbers(np.full(3, np.nan), np.zeros(3, np.int32))
    assert found.counts == ((0, 3),)


def test_rare_and_new_labels_are_the_others():
    found = Distribution.of_labels([{f"c{n:02}": 50 - n for n in range(45)}])
    assert len(found.labels) == 41
    assert found.labels[-1] == OTHERS
    assert found.counts[0][-1] == sum(50 - n for n in range(40, 45))
    assert found.of_counts({"c00": 3, "new": 4}).tolist() == [3, *[0] * 39, 4]


def test_a_profile_survives_json():
    rng = np.random.default_rng(1)
    profile = profile_of(
        features={"x": numbers(rng, means=[0] * len(DAYS))},
        scores={"segment_id": Distribution.of_labels([{"1": 3}] * len(DAYS))},
        filling=["x"],
    )
    assert Profile.from_json(profile.to_json()) == profile


@pytest.mark.parametrize(
    "spoil",
    [
        lambda v: v.pop("days"),
        lambda v: v.update(days=[2, 1]),
        lambda v: v.update(days=[*v["days"][:-1], 10**9]),
        lambda v: v["features"]["x"]["counts"][0].__setitem__(0, 10**30),
        lambda v: v["features"]["x"]["counts"][0].__setitem__(0, -1),
        lambda v: v.update(features=[]),
        lambda v: v["features"]["x"].update(counts=[[1]]),
        lambda v: v["features"]["x"].update(edges=[2, 1]),
        lambda v: v["features"]["x"].update(edges=[float("nan")]),
        lambda v: v["features"]["x"]["counts"].pop(),
    ],
)
def test_a_spoilt_profile_is_refused(spoil):
    profile = profile_of(features={"x": numbers(np.random.default_rng(1), means=[0] * len(DAYS))})
    values = json.loads(profile.to_json())
    spoil(values)
    with pytest.raises(DataError, match="keeps of its training"):
        Profile.from_json(json.dumps(values).encode())


def test_a_profile_keeps_no_extreme_value():
    """Its ends are open: the richest customer's spend is in no file."""
    values = np.append(np.arange(1.0, 100.0), 987_654.0)
    found = Distribution.of_numbers(values, np.zeros(100, np.int32))
    assert max(found.edges) == 90


# Behaviour


def test_spend_is_held_against_the_customers_own_past():
    names = ("spend", "spend_60d", "purchase_days", "purchase_days_60d")
    rows = np.array(
        [
            [90, 60, 4, 1],  # 60 a day now, 10 a day before
            [30, 0, 3, 0],  # did not buy
            [30, 30, 3, 3],  # never bought before
        ],
        np.float32,
    )
    assert np.exp(ticket_change(names, rows)) == pytest.approx([6, np.nan, np.nan], nan_ok=True)


def test_without_the_features_behind_it_nothing_is_held_against_the_past():
    assert ticket_change(("spend",), np.ones((3, 1), np.float32)) is None


def test_windows_longer_than_the_history_are_still_filling():
    names = still_filling(catalogue().features, history_days=200)
    assert {"spend_365d", "spend_trend", "season_ahead_share", "spend_365_to_730d"} <= names
    assert not names & {"spend_180d", "recency_days", "spend", "last_ticket"}


# Drift


def test_psi_of_two_bins_by_hand():
    """(.5 - .25) ln(.5 / .25) + (.5 - .75) ln(.5 / .75) = .25 x .6931 + .25 x .4055"""
    assert psi(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(0.274653, abs=1e-6)


def test_the_expected_psi_is_that_of_sampling():
    rng = np.random.default_rng(3)
    profile = profile_of(features={"x": numbers(rng, means=[0] * len(DAYS))})
    drift = seen(profile, rng.normal(0, 1, 500))
    assert drift.expected_psi == pytest.approx(9 * (1 / 500 + 1 / ROWS), rel=0.05)
    assert drift.psi < 3 * drift.expected_psi
    assert not drift.has_drifted


def test_a_shifted_mean_is_news():
    rng = np.random.default_rng(4)
    profile = profile_of(features={"x": numbers(rng, means=[0] * len(DAYS))})
    up, down = (seen(profile, rng.normal(mean, 1, ROWS)) for mean in (0.3, -0.3))
    assert up.has_drifted
    assert down.has_drifted
    assert up.shift == pytest.approx(0.084, abs=0.03)  # P(X > Y) - 1/2 at 0.3 standard deviations
    assert down.shift == pytest.approx(-up.shift, abs=0.03)


def test_a_wider_spread_is_news_though_the_middle_stays():
    rng = np.random.default_rng(5)
    profile = profile_of(features={"x": numbers(rng, means=[0] * len(DAYS))})
    drift = seen(profile, rng.normal(0, 1.5, ROWS))
    assert drift.has_drifted
    assert abs(drift.shift) < 0.03


def test_nulls_that_come_are_news():
    rng = np.random.default_rng(6)
    profile = profile_of(features={"x": numbers(rng, means=[0] * len(DAYS))})
    values = rng.normal(0, 1, ROWS)
    values[: ROWS // 10] = np.nan
    assert seen(profile, values).has_drifted


def test_a_trifle_in_a_large_portfolio_is_no_news():
    rng = np.random.default_rng(7)
    rows = 200_000
    profile = profile_of(features={"x": numbers(rng, means=[0] * len(DAYS), rows=rows)})
    drift = seen(profile, rng.normal(0.03, 1, rows))
    assert drift.p_value < 1e-6
    assert not drift.has_drifted


def test_ageing_is_no_news_while_a_step_of_the_same_size_is():
    """A mean that grew by .05 a date goes on growing, stands still, or jumps back."""
    rng = np.random.default_rng(8)
    profile = profile_of(features={"x": numbers(rng, means=[0.05 * k for k in range(len(DAYS))])})
    last = 0.05 * (len(DAYS) - 1)
    ahead = 0.05 * (LATER - DAYS[-1]) / 30
    assert not seen(profile, rng.normal(last + ahead, 1, ROWS)).has_drifted
    assert not seen(profile, rng.normal(last, 1, ROWS)).has_drifted
    assert seen(profile, rng.normal(last - 3 * ahead, 1, ROWS)).has_drifted
    assert seen(profile, rng.normal(last + 4 * ahead, 1, ROWS)).has_drifted


def test_what_wavered_in_training_may_waver():
    """The same step: news after dates that stood still, none after dates that went up and down."""
    rng = np.random.default_rng(9)
    calm = profile_of(features={"x": numbers(rng, means=[0] * len(DAYS))})
    restless = profile_of(
        features={"x": numbers(rng, means=[0.3 * (-1) ** k for k in range(len(DAYS))])}
    )
    values = rng.normal(-0.3, 1, ROWS)
    assert seen(calm, values).has_drifted
    assert not seen(restless, values).has_drifted


def test_filling_and_constant_columns_are_not_judged():
    rng = np.random.default_rng(10)
    x = numbers(rng, means=[0] * len(DAYS))
    constant = Distribution.of_numbers(
        np.zeros(len(DAYS) * ROWS), np.repeat(np.arange(len(DAYS)), ROWS)
    )
    profile = profile_of(features={"x": x, "zero": constant}, filling=["x"])
    far = np.full(ROWS, 9.0)
    today = {"features": {n: d.of(far) for n, d in profile.features.items()}}
    states = {d.name: d.state for d in drifts(profile, today, as_of_day=LATER)}
    assert states == {"x": "filling", "zero": "constant"}


def test_few_dates_and_no_new_day_tell_no_drift():
    rng = np.random.default_rng(11)
    few = profile_of(features={"x": numbers(rng, means=[0, 0, 0])}, days=DAYS[:3])
    many = profile_of(features={"x": numbers(rng, means=[0] * len(DAYS))})
    values = rng.normal(5, 1, ROWS)
    for profile, day in ((few, LATER), (many, DAYS[-1])):
        today = {"features": {"x": profile.features["x"].of(values)}}
        assert drifts(profile, today, as_of_day=day) == ()


@pytest.mark.parametrize(
    ("days", "says"),
    [((1, 2, 3, 9), "nothing newer to compare"), ((1, 2), "learnt from 2 dates"), ((), "retrain")],
)
def test_where_drift_cannot_be_told_no_features_are_computed(days, says):
    profiles = {"churn": SimpleNamespace(days=days)} if days else {}
    champions = SimpleNamespace(profiles=profiles)

    found, why = drift_today(
        SimpleNamespace(as_of_day=9), champions, lambda: pytest.fail("features were computed")
    )

    assert found == ()
    assert says in why


def test_a_column_without_a_row_today_is_no_news():
    profile = profile_of(features={"x": numbers(np.random.default_rng(1), means=[0] * len(DAYS))})
    assert not seen(profile, np.empty(0)).has_drifted


def mixed(today, *, before):
    profile = profile_of(mix={"category": Distribution.of_labels([before] * len(DAYS))})
    counts = {"mix": {"category": profile.mix["category"].of_counts(today)}}
    (drift,) = drifts(profile, counts, as_of_day=LATER)
    return drift


def test_a_category_that_vanishes_is_named():
    drift = mixed({"food": 500, "toys": 300}, before={"food": 480, "toys": 310, "books": 12})
    assert drift.has_drifted
    assert drift.vanished == ("books",)


def test_a_category_that_was_rare_may_be_absent():
    drift = mixed({"food": 500, "toys": 300}, before={"food": 480, "toys": 310, "books": 5})
    assert not drift.has_drifted


# Outcomes


def scores(n=400, *, bias=0.0, contacted=0, held_out=0, seed=1, version="3"):
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.05, 0.95, n)
    return MaturedScores(
        target="churn",
        version=version,
        as_of=np.full(n, 18_000, np.int32),
        customer=np.arange(n),
        is_contacted=np.arange(n) < contacted,
        is_held_out=(np.arange(n) >= contacted) & (np.arange(n) < contacted + held_out),
        actual=(rng.random(n) < chance).astype(float),
        predicted=np.clip(chance + bias, 0, 1),
    )


def judged(given, promises=None):
    return judge_matured(
        given,
        promises or {},
        coverage=0.8,
        to_date={18_000: date(2019, 4, 14)},
        seed=7,
        n=100,
    )


PROMISES = {
    "auroc": Promise(0.75, 0.8, 0.85),
    "calibration_error": Promise(0.01, 0.02, 0.03),
}


def test_what_comes_true_keeps_its_promise():
    (all_of_them,) = judged(scores(), PROMISES)
    assert all_of_them.group == "all"
    assert all_of_them.rows == 400
    assert list(all_of_them.broken()) == []
    auroc = all_of_them.figures["auroc"]
    assert auroc.low < auroc.value < auroc.high


def test_chances_that_are_off_break_their_promise():
    (all_of_them,) = judged(scores(bias=-0.25), PROMISES)
    assert list(all_of_them.broken()) == ["calibration_error"]


def test_an_order_that_is_lost_breaks_its_promise():
    given = scores()
    shuffled = np.random.default_rng(2).permutation(given.predicted)
    (all_of_them,) = judged(replace(given, predicted=shuffled), PROMISES)
    assert "auroc" in set(all_of_them.broken())


def test_contacted_customers_are_judged_apart():
    """The contacted were all kept from leaving: that breaks no promise of the model's."""
    given = scores(contacted=150, held_out=100)
    actual = np.where(given.is_contacted, 0.0, given.actual)
    found = {m.group: m for m in judged(replace(given, actual=actual), PROMISES)}
    assert {group: m.rows for group, m in found.items()} == {
        "all": 400,
        "uncontacted": 250,
        "held_out": 100,
        "contacted": 150,
    }
    assert "auroc" not in found["contacted"].figures  # nobody left: there is no order to judge
    assert list(found["all"].broken())
    assert decisive([*found.values()]) == (found["uncontacted"],)
    assert list(found["uncontacted"].broken()) == []


def test_too_few_scores_are_not_judged():
    assert judged(scores(40)) == ()


def test_value_is_judged_by_bias_and_coverage():
    rng = np.random.default_rng(3)
    value = rng.gamma(2, 50, 400)
    given = replace(
        scores(),
        target="lifetime_value",
        actual=1.5 * value,
        predicted=value,
        interval=np.column_stack([0.5 * value, 1.2 * value]),
    )
    promises = {
        "total_bias": Promise(-0.05, 0.0, 0.05),
        "coverage": Promise(0.78, 0.8, 0.82),
        "normalised_gini": Promise(0.5, 0.6, 0.7),
    }
    (all_of_them,) = judged(given, promises)
    assert all_of_them.figures["total_bias"].value == pytest.approx(-1 / 3)
    assert all_of_them.figures["coverage"].value == 0
    assert list(all_of_them.broken()) == ["total_bias", "coverage"]


def test_promises_are_the_winners_at_each_cutoff():
    def score(model, cutoff, value, metric="auroc", population="all"):
        return {
            "model": model,
            "metric": metric,
            "population": population,
            "cutoff": cutoff,
            "value": value,
        }

    told = {
        "winner": "blend",
        "scores": [
            score("blend", "2020-01-01", 0.7),
            score("blend", "2020-04-01", 0.8),
            score("blend", None, 0.75),
            score("blend", "2020-01-01", 0.1, population="active"),
            score("recency", "2020-01-01", 0.2),
            score("blend", "2020-01-01", float("nan"), metric="calibration_error"),
        ],
    }
    assert promises_of(told) == {"auroc": Promise(0.7, pytest.approx(0.75), 0.8)}


# The verdict

VERSIONS = {"churn": "3", "lifetime_value": "3", "segments": "3"}


def drift(name="x", *, family="features", state="drifted", shift=0.1, vanished=()):
    return Drift(family, name, state, 0.2, 0.3, 0.01, shift, 0.01, 1e-9, 1e-8, vanished)


def broken(version="3", group="all"):
    return Matured(
        target="churn",
        version=version,
        group=group,
        first=date(2020, 1, 1),
        last=date(2020, 1, 1),
        rows=400,
        figures={"auroc": Estimate(0.6, 0.57, 0.63, 0.9)},
        promises=PROMISES,
    )


@pytest.mark.parametrize(
    ("found", "matured", "level"),
    [
        ([drift(state="stable")], [], "keep"),
        ([drift()], [], "watch"),
        ([drift(str(k)) for k in range(FEATURES_TO_RETRAIN)], [], "retrain"),
        ([drift("p_churn", family="scores")], [], "retrain"),
        ([drift(TICKET_CHANGE, family="behaviour", shift=-0.06)], [], "retrain"),
        ([drift(TICKET_CHANGE, family="behaviour", shift=0.04)], [], "watch"),
        ([drift("category", family="mix")], [], "watch"),
        ([drift("category", family="mix", vanished=("books",))], [], "retrain"),
        ([drift(state="filling"), drift(state="constant")], [], "keep"),
        ([], [broken()], "retrain"),
        ([], [broken(version="2")], "keep"),
        ([], [broken(group="contacted")], "keep"),
        ([], [broken(group="uncontacted")], "retrain"),
    ],
)
def test_what_findings_add_up_to(found, matured, level):
    said = verdict(found, matured, versions=VERSIONS)
    assert said.level == level
    assert said.reasons


def test_the_gravest_reason_comes_first_and_names_what_was_seen():
    said = verdict([drift("spend_90d")], [broken()], versions=VERSIONS)
    assert said.reasons[0] == (
        "churn: AUROC of version 3 came out at 0.600 (0.570 to 0.630), where its backtest saw "
        "0.750 to 0.850"
    )
    assert "1 of 1 feature has drifted beyond the natural course: spend_90d" in said.reasons[1]
    assert said.reasons[-1] == ("lifetime value: no delivered score of version 3 has matured yet")


def test_what_a_monitoring_saw_comes_back_from_json_as_it_was():
    matured = replace(broken(), figures={"auroc": Estimate(0.1 + 0.2, np.nan, np.nan, 0.9)})
    found = Monitoring(
        as_of=date(2020, 6, 30),
        versions=VERSIONS,
        known_until=date(2020, 1, 31),
        drifts=(drift("category", family="mix", vanished=("books",)), drift()),
        matured=(matured,),
        verdict=verdict([drift()], [matured], versions=VERSIONS),
        contacts=({"action": "call", "contacted": 3, "uplift": None},),
    )
    assert repr(Monitoring.from_json(found.to_json())) == repr(found)


def test_what_no_monitoring_wrote_is_refused_in_a_sentence():
    with pytest.raises(DataError, match=r"^What a monitoring saw cannot be read: .+ Run "):
        Monitoring.from_json("[]")


def test_labels_are_counted_as_text():
    assert label_counts(np.array([2, 10, 2])) == {"10": 1, "2": 2}
