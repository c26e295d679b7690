"""Newcomers against the champion as it stands: good ones, spoilt ones, and its own twins."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.histories import FROZEN, REFERENCE
from tests.simulated import DAYS, FIRST_DAY, RECIPE, simulated

from portfolio_ml.backtesting import backtest
from portfolio_ml.frozen import FILE
from portfolio_ml.gate import decide
from portfolio_ml.incumbent import gain_over
from portfolio_ml.metrics import Difference
from portfolio_ml.models.files import DESCRIPTION
from portfolio_ml.training import fit_candidates

pytestmark = pytest.mark.unit

CUTOFF = DAYS[-1] + 120
LEARNT = (CUTOFF - 150, CUTOFF - 120, CUTOFF - 90)
HORIZON = RECIPE.horizons.churn_days


def world(customers, *, seed=0):
    """Customers on the days to learn from and at the cutoff."""
    return simulated(customers, days=(*LEARNT, CUTOFF), seed=seed)


def champion_of(snapshots, *, known_until=CUTOFF, candidate="customer_base"):
    """The churn champion's files, with the last day that it knew."""
    reference = replace(REFERENCE, day=known_until)
    learnt = snapshots.on(LEARNT)
    fitted = fit_candidates(learnt, RECIPE, tier_edges=REFERENCE.tier_edges).churn[candidate]
    return fitted.to_files() | {FILE: replace(FROZEN, reference=reference).to_json()}


def judged(snapshots, *, recipe=RECIPE):
    """What the backtest says at the one cutoff."""
    return backtest(
        snapshots,
        recipe,
        first_day=FIRST_DAY - 700,
        evaluated=(CUTOFF,),
        activity_days={CUTOFF: 60},
        seasons={},
        bootstrap=100,
        progress=lambda _: None,
    )["churn"]


def shuffled(snapshots):
    """The rows to learn from with one another's labels; those at the cutoff as they are."""
    is_learnt = snapshots.day < CUTOFF
    order = np.arange(len(snapshots))
    order[is_learnt] = np.random.default_rng(5).permutation(order[is_learnt])
    outcomes = {name: getattr(snapshots, name)[order] for name in ("churned", "spend", "returned")}
    return replace(snapshots, **outcomes)


@pytest.fixture(scope="module")
def snapshots():
    return world(400)


@pytest.fixture(scope="module")
def champion(snapshots):
    return champion_of(snapshots)


@pytest.fixture(scope="module")
def told(snapshots):
    return judged(snapshots)


def gain(champion, told, snapshots, *, horizon_days=HORIZON):
    return gain_over(champion, told, snapshots, horizon_days=horizon_days, n=100, seed=7)


def decided(champion, told, snapshots):
    named = json.loads(champion[DESCRIPTION])["candidate"]
    gained = gain(champion, told, snapshots)
    return decide(told, champion=named, max_loss=0.002, coverage=0.8, over_champion=gained)


def test_the_champions_twin_is_its_equal_and_accepted(champion, told, snapshots):
    assert told.winner == "customer_base"  # the simulated chance is close to the truth
    for of_metric in gain(champion, told, snapshots).values():
        assert of_metric.estimate == pytest.approx(0, abs=1e-9)
    assert decided(champion, told, snapshots).is_promoted


def test_a_newcomer_that_learnt_from_shuffled_labels_is_refused(champion, snapshots):
    """Its order is that of the customer-base model still; its chances tell nothing."""
    newcomer = judged(shuffled(snapshots))
    assert gain(champion, newcomer, snapshots)["log_loss"].high < -0.03
    decision = decided(champion, newcomer, snapshots)
    assert not decision.is_promoted
    assert "Log loss against the champion as it stands" in decision.reasons[-1]


def test_a_champion_that_knew_the_outcomes_is_not_asked(snapshots, told):
    knowing = champion_of(snapshots, known_until=CUTOFF + 1)
    assert gain(knowing, told, snapshots) == {}


def test_a_champion_of_another_horizon_is_not_asked(champion, told, snapshots):
    assert gain(champion, told, snapshots, horizon_days=HORIZON + 1) == {}


def test_a_champion_that_cannot_be_read_is_not_asked(champion, told, snapshots):
    assert gain(champion | {DESCRIPTION: b"{}"}, told, snapshots) == {}


def test_what_is_lost_is_weighed_by_metric(told):
    """The primary metric by its estimate, the other only where the loss is sure."""

    def promoted(**gains):
        found = {
            metric: Difference(estimate, estimate - 0.01, estimate + 0.01, level=0.9, n=100)
            for metric, estimate in gains.items()
        }
        return decide(
            told, champion=told.winner, max_loss=0.002, coverage=0.8, over_champion=found
        ).is_promoted

    assert promoted(auroc=-0.001, log_loss=-0.009)
    assert not promoted(auroc=-0.003, log_loss=0.01)
    assert not promoted(auroc=0.01, log_loss=-0.013)


@pytest.mark.parametrize("seed", range(3))
def test_champions_do_not_flap_over_a_new_seed(champion, snapshots, seed):
    """Twenty seeds in `make test-monitor`."""
    newcomer = judged(snapshots, recipe=replace(RECIPE, seed=200 + seed))
    assert newcomer.winner == "customer_base"
    assert abs(gain(champion, newcomer, snapshots)["auroc"].estimate) < 0.01
