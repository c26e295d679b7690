"""What a season does to predictions of churn and value, by hand and in models."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.histories import REFERENCE
from tests.simulated import RECIPE, simulated

from portfolio_ml.errors import DataError
from portfolio_ml.models.churn import ChurnModel
from portfolio_ml.models.files import DESCRIPTION, described
from portfolio_ml.models.lifetime_value import LifetimeValueModel
from portfolio_ml.models.seasonality import AS_OF, FACTS, MOST, Seasonality, seasonality_of
from portfolio_ml.models.serving import outputs
from portfolio_ml.monitoring.profile import FILE, Profile, Seen, with_profiles
from portfolio_ml.season import Season
from portfolio_ml.training import fit_candidates

pytestmark = pytest.mark.unit

MODEL = REFERENCE.purchase_model
NAMES = (*FACTS, AS_OF)
DAY = 17_450
CREST_AHEAD = Season(DAY, (1.6,) * 6 + (0.4,) * 6, years=2, p_value=0.01)
TROUGH_AHEAD = replace(CREST_AHEAD, pace=CREST_AHEAD.pace[::-1])
FLAT = replace(CREST_AHEAD, pace=(1.0,) * 12)

# (repeat days, span, tenure) of a regular, one who came once, and one silent for a while
CUSTOMERS = ((5.0, 150.0, 160.0), (0.0, 0.0, 30.0), (3.0, 100.0, 130.0))


def rows(customers=CUSTOMERS, day=DAY):
    return np.array([(*customer, day) for customer in customers], np.float32)


def stretch(season, day=DAY):
    return Seasonality(season, MODEL).stretch(rows(day=day), NAMES, horizon_days=90)


def shift(season, day=DAY):
    return Seasonality(season, MODEL).shift(rows(day=day), NAMES, horizon_days=90)


class TestEffects:
    """Stretch and shift."""

    def test_without_waves_there_are_none(self):
        assert stretch(FLAT) == pytest.approx(np.ones(3))
        assert shift(FLAT) == pytest.approx(np.zeros(3), abs=1e-9)

    def test_are_the_customer_base_models_on_the_other_clock(self):
        # Each of the last 182.5 days counts for 0.4 of an average one, each of the next for 1.6.
        x, span, tenure = np.array(CUSTOMERS).T
        _, usual = MODEL.forecast(x, span, tenure, horizon=90)
        _, paced = MODEL.forecast(x, 0.4 * span, 0.4 * tenure, horizon=90)
        assert stretch(CREST_AHEAD) == pytest.approx(1.6 * paced / usual)
        usual = MODEL.p_no_purchase(x, span, tenure, 90)
        paced = MODEL.p_no_purchase(x, 0.4 * span, 0.4 * tenure, 1.6 * 90)
        odds = np.log(paced / (1 - paced)) - np.log(usual / (1 - usual))
        assert shift(CREST_AHEAD) == pytest.approx(odds, abs=1e-5)

    def test_a_crest_brings_purchases_and_a_trough_silence(self):
        assert (stretch(CREST_AHEAD) > 1).all()
        assert (shift(CREST_AHEAD) < 0).all()
        assert (stretch(TROUGH_AHEAD) < 1).all()
        assert (shift(TROUGH_AHEAD) > 0).all()

    def test_depend_on_the_time_of_the_year_alone(self):
        assert stretch(CREST_AHEAD, DAY + 365) == pytest.approx(stretch(CREST_AHEAD))
        half_a_year_on = stretch(CREST_AHEAD, DAY + 182)
        assert half_a_year_on == pytest.approx(stretch(TROUGH_AHEAD), rel=0.05)

    def test_are_bounded(self):
        wild = Season(DAY, (1.99,) * 6 + (0.01,) * 6, years=2, p_value=0.01)
        assert stretch(wild).max() == MOST
        assert np.abs(shift(wild)).max() == pytest.approx(np.log(MOST))

    def test_survive_json(self):
        before = Seasonality(CREST_AHEAD, MODEL, learned=0.3)
        after = Seasonality.from_dict(json.loads(json.dumps(before.to_dict())))
        assert after.season == CREST_AHEAD
        assert after.learned == 0.3
        assert after.shift(rows(), NAMES, horizon_days=90) == pytest.approx(shift(CREST_AHEAD))


def test_no_season_tells_models_nothing():
    assert seasonality_of(None, MODEL) is None


# In models


@pytest.fixture(scope="module")
def snapshots():
    """Simulated rows whose purchases tell one story."""
    found = simulated(200)
    features, names = found.features.copy(), found.names
    repeats = found.column("purchase_days") - 1
    span = np.where(repeats > 0, found.column("tenure_days") - found.column("recency_days"), 0)
    features[:, names.index("repeat_days")] = repeats
    features[:, names.index("purchase_span_days")] = span
    return replace(found, features=features)


@pytest.fixture(scope="module")
def plain(snapshots):
    return fit_candidates(snapshots, RECIPE, tier_edges=REFERENCE.tier_edges)


@pytest.fixture(scope="module")
def seasonal(snapshots):
    return fit_candidates(
        snapshots,
        RECIPE,
        tier_edges=REFERENCE.tier_edges,
        seasonality=seasonality_of(CREST_AHEAD, MODEL),
    )


def on(snapshots, model, day):
    """What a model expects of the rows as of another day."""
    return replace(snapshots, day=np.full_like(snapshots.day, day)).inputs(model.names)


any_candidate = pytest.mark.parametrize("candidate", ["blend", "boosted", "customer_base"])


@any_candidate
def test_value_and_churn_follow_the_year_together(snapshots, seasonal, candidate):
    value, churn = seasonal.lifetime_value[candidate], seasonal.churn[candidate]
    before_crest, before_trough = DAY, DAY + 182
    high, low = (value.predict(on(snapshots, value, d)) for d in (before_crest, before_trough))
    assert high.sum() > 1.5 * low.sum()
    stays, leaves = (churn.predict(on(snapshots, churn, d)) for d in (before_crest, before_trough))
    assert stays.mean() < leaves.mean() - 0.05


@pytest.mark.parametrize("target", ["churn", "lifetime_value"])
def test_trees_are_the_same_with_and_without(plain, seasonal, target):
    with_season, without = (getattr(c, target)["boosted"].to_files() for c in (seasonal, plain))
    assert {n for n in without if with_season[n] != without[n]} == {DESCRIPTION}


def test_what_trees_learnt_of_it_is_taken_out_again(snapshots, plain, seasonal):
    model = seasonal.lifetime_value["boosted"]
    total = model.predict(snapshots.inputs(model.names)).sum()
    usual = plain.lifetime_value["boosted"].predict(snapshots.features).sum()
    assert total == pytest.approx(usual, rel=0.05)
    assert model.seasonality.learned != 0


@any_candidate
def test_the_interval_contains_the_value(snapshots, seasonal, candidate):
    model = seasonal.lifetime_value[candidate]
    features = on(snapshots, model, DAY)
    low, high = model.interval(features)
    value = model.predict(features)
    assert ((low <= value) & (value <= high)).all()


@any_candidate
@pytest.mark.parametrize("kind", [ChurnModel, LifetimeValueModel])
def test_a_model_survives_its_files(snapshots, seasonal, candidate, kind):
    models = seasonal.churn if kind is ChurnModel else seasonal.lifetime_value
    model, again = models[candidate], kind.from_files(models[candidate].to_files())
    features = on(snapshots, model, DAY + 100)
    assert again.to_files() == model.to_files()
    assert np.array_equal(again.predict(features), model.predict(features))


def test_reasons_are_told_of_what_trees_learnt(snapshots, plain, seasonal):
    model = seasonal.churn["blend"]
    found = model.contributions(snapshots.inputs(model.names))
    assert np.array_equal(found, plain.churn["blend"].contributions(snapshots.features))


def test_a_served_model_asks_for_the_day(snapshots, seasonal):
    files = seasonal.churn["blend"].to_files()
    table = pd.DataFrame(snapshots.features, columns=list(snapshots.names))
    with pytest.raises(DataError, match="as_of"):
        outputs(files, table)
    given = outputs(files, table.assign(as_of=snapshots.day))
    model = seasonal.churn["blend"]
    expected = model.predict(snapshots.inputs(model.names))
    assert np.array_equal(given["p_churn"], expected)


def test_the_profile_of_a_training_holds_what_a_served_model_says(snapshots, seasonal):
    """A training keeps the scores of its own rows, for which it must name their days."""
    files = seasonal.churn["blend"].to_files()
    rows = (snapshots.names, snapshots.features, snapshots.day)
    seen = Seen(*rows, mix={}, filling=frozenset())
    kept = Profile.from_json(with_profiles({"churn": files}, seen)["churn"][FILE])
    assert {*kept.scores} == {"p_churn"}
    assert AS_OF not in kept.features


@pytest.mark.parametrize("target", ["churn", "lifetime_value"])
def test_the_registrys_made_up_example_is_answered(seasonal, target):
    """Each column holds 1, 2 and 3: counts must be whole numbers, and nobody's age below them."""
    model = getattr(seasonal, target)["blend"]
    numbers = np.arange(1, 4, dtype=np.float32)
    given = outputs(model.to_files(), pd.DataFrame(dict.fromkeys(model.names, numbers)))
    assert np.isfinite(np.column_stack(list(given.values()))).all()


def test_a_model_tells_the_pace_ahead(plain, seasonal):
    model = seasonal.lifetime_value["blend"]
    assert model.pace_ahead(DAY) == pytest.approx(1.6)
    assert model.pace_ahead(DAY + 365 - 45) == pytest.approx((0.4 + 1.6) / 2)
    assert plain.lifetime_value["blend"].pace_ahead(DAY) is None


def test_without_a_season_models_do_not_mention_it(plain):
    for model in (plain.churn["blend"], plain.lifetime_value["blend"]):
        assert "seasonality" not in json.loads(model.to_files()[DESCRIPTION])
        assert AS_OF not in model.names


@pytest.mark.parametrize(
    "change",
    [
        {"season": None},
        {"season": CREST_AHEAD.to_dict() | {"pace": [1.0] * 11}},
        {"season": CREST_AHEAD.to_dict() | {"pace": [-1.0] + [1.0] * 11}},
        {"learned": "much"},
        {"purchase_model": {}},
    ],
)
@pytest.mark.parametrize("kind", [ChurnModel, LifetimeValueModel])
def test_a_season_that_is_none_is_refused(seasonal, kind, change):
    models = seasonal.churn if kind is ChurnModel else seasonal.lifetime_value
    files = models["blend"].to_files()
    values = json.loads(files[DESCRIPTION])
    values["seasonality"] |= change
    described_again = described(values["kind"], values)
    with pytest.raises(DataError, match="description"):
        kind.from_files(files | {DESCRIPTION: described_again})


@pytest.mark.parametrize("kind", [ChurnModel, LifetimeValueModel])
def test_a_season_and_the_day_go_together(seasonal, kind):
    model = (seasonal.churn if kind is ChurnModel else seasonal.lifetime_value)["customer_base"]
    with pytest.raises(ValueError, match="go together"):
        replace(model, seasonality=None)
