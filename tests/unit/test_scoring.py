"""Scores: what the champions say of each customer, and within which bounds."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tests.histories import FROZEN, REFERENCE
from tests.simulated import RECIPE, simulated

from portfolio_ml.acting import SMALLEST_CHANCE
from portfolio_ml.errors import DataError
from portfolio_ml.frozen import FILE
from portfolio_ml.models.churn import KIND
from portfolio_ml.models.files import DESCRIPTION, described
from portfolio_ml.models.segment_fitting import fit_segments
from portfolio_ml.scoring import Champions, champions_from, predict
from portfolio_ml.training import fit_candidates

pytestmark = pytest.mark.unit

TARGETS = ("churn", "lifetime_value", "segments")


@pytest.fixture(scope="module")
def candidates():
    return fit_candidates(simulated(150), RECIPE, tier_edges=REFERENCE.tier_edges)


@pytest.fixture(scope="module")
def champions(candidates):
    learned = simulated(150)
    return Champions(
        churn=candidates.churn["blend"],
        lifetime_value=candidates.lifetime_value["blend"],
        segments=fit_segments(learned.features, names=learned.names, count=4, seed=7),
        frozen=dict.fromkeys(TARGETS, FROZEN),
        versions=dict(zip(TARGETS, "345", strict=True)),
    )


@pytest.fixture(scope="module")
def rows():
    """Per target the same customers' features, as a table."""
    later = simulated(200, days=(17_600,), seed=9)
    columns = {name: later.column(name) for name in later.names}
    return dict.fromkeys(TARGETS, pa.table(columns))


@pytest.fixture(scope="module")
def scores(champions, rows):
    return predict(champions, rows, reasons=3)


def test_every_column_has_a_finite_value_per_customer(scores):
    for name in ("p_churn", "ltv", "ltv_low", "ltv_high", "expected_orders", "value_if_buys"):
        column = getattr(scores, name)
        assert column.shape == (200,)
        assert column.dtype == np.float64
        assert np.isfinite(column).all()


def test_churn_is_a_probability(scores):
    assert ((scores.p_churn >= 0) & (scores.p_churn <= 1)).all()


def test_the_interval_contains_the_value(scores):
    assert ((scores.ltv_low <= scores.ltv) & (scores.ltv <= scores.ltv_high)).all()
    assert (scores.ltv >= 0).all()


def test_value_if_buys_is_the_value_over_the_chance_of_a_purchase(scores):
    chance = np.maximum(1 - scores.p_churn, SMALLEST_CHANCE)
    assert scores.value_if_buys == pytest.approx(scores.ltv / chance)
    assert (scores.value_if_buys >= scores.ltv).all()


def test_value_if_buys_is_that_of_the_churn_horizon(champions, rows, scores):
    halved = replace(champions, churn=replace(champions.churn, horizon_days=45))
    assert predict(halved, rows, reasons=3).value_if_buys == pytest.approx(scores.value_if_buys / 2)


def test_value_if_buys_is_not_endless_where_nobody_is_expected(champions, rows):
    sure = replace(champions.churn.calibration, intercept=60.0)
    gone = predict(
        replace(champions, churn=replace(champions.churn, calibration=sure)), rows, reasons=3
    )
    assert gone.p_churn.max() <= 1
    assert gone.value_if_buys == pytest.approx(gone.ltv / SMALLEST_CHANCE)


def test_each_segment_has_its_name(champions, scores):
    labels = dict(zip(champions.segments.ids, champions.segments.labels, strict=True))
    assert [labels[identity] for identity in scores.segment_id] == scores.segment_name.tolist()


def test_each_target_reads_its_own_features(champions, rows, scores):
    """Each champion may have frozen another portfolio, under which features differ."""
    other = simulated(200, days=(17_600,), seed=10)
    table = pa.table({name: other.column(name) for name in other.names})
    for target in TARGETS:
        mixed = predict(champions, rows | {target: table}, reasons=3)
        changed = {
            "churn": not np.array_equal(mixed.p_churn, scores.p_churn),
            "lifetime_value": not np.array_equal(mixed.ltv, scores.ltv),
            "segments": not np.array_equal(mixed.segment_id, scores.segment_id),
        }
        assert changed == {name: name == target for name in TARGETS}


def test_customers_are_scored_alike_alone_or_among_all(champions, rows, scores):
    alone = predict(
        champions, {target: table.slice(17, 1) for target, table in rows.items()}, reasons=3
    )
    for name in ("p_churn", "ltv", "ltv_low", "ltv_high", "value_if_buys", "segment_id"):
        assert getattr(alone, name)[0] == getattr(scores, name)[17]


def test_a_chunked_table_is_scored_as_a_whole_one(champions, rows, scores):
    chunked = {t: pa.concat_tables([r.slice(0, 70), r.slice(70)]) for t, r in rows.items()}
    assert np.array_equal(predict(champions, chunked, reasons=3).ltv, scores.ltv)


@pytest.mark.parametrize(
    ("chosen", "abstention"),
    [
        (("blend", "boosted"), None),
        (("customer_base", "blend"), "customer_base_model:churn"),
        (("blend", "customer_base"), "customer_base_model:lifetime_value"),
        (("customer_base", "customer_base"), "customer_base_model:churn+lifetime_value"),
    ],
)
def test_scores_say_where_no_trees_stand_behind_them(
    champions, candidates, rows, chosen, abstention
):
    churn, value = candidates.churn[chosen[0]], candidates.lifetime_value[chosen[1]]
    mixed = replace(champions, churn=churn, lifetime_value=value)
    assert predict(mixed, rows, reasons=3).abstention == abstention


# Champions from their files


@pytest.fixture
def files(champions):
    models = {target: getattr(champions, target).to_files() for target in TARGETS}
    return {target: content | {FILE: FROZEN.to_json()} for target, content in models.items()}


def test_champions_survive_their_files(champions, files, rows, scores):
    again = champions_from(files, champions.versions)
    assert again.versions == {"churn": "3", "lifetime_value": "4", "segments": "5"}
    assert again.frozen == champions.frozen
    assert np.array_equal(predict(again, rows, reasons=3).ltv_high, scores.ltv_high)


@pytest.mark.parametrize("target", TARGETS)
def test_a_champion_without_its_portfolio_is_refused(champions, files, target):
    del files[target][FILE]
    with pytest.raises(DataError, match="portfolio cannot be read"):
        champions_from(files, champions.versions)


@pytest.mark.parametrize("target", TARGETS)
def test_a_champion_without_its_description_is_refused(champions, files, target):
    del files[target][DESCRIPTION]
    with pytest.raises(DataError, match="description cannot be read"):
        champions_from(files, champions.versions)


def test_a_champion_in_anothers_place_is_refused(champions, files):
    with pytest.raises(DataError, match="another kind"):
        champions_from(files | {"segments": files["churn"]}, champions.versions)


def test_a_champion_that_lacks_everything_is_refused(champions, files):
    files["churn"][DESCRIPTION] = described(KIND, {})
    with pytest.raises(DataError, match="no 'names'"):
        champions_from(files, champions.versions)


@pytest.mark.parametrize("target", TARGETS)
def test_a_champion_of_features_that_its_portfolio_lacks_is_refused(champions, files, target):
    fewer = replace(FROZEN, features=FROZEN.features[:-1])
    assert FROZEN.features[-1] in getattr(champions, target).names
    files[target][FILE] = fewer.to_json()
    with pytest.raises(DataError, match=f"{target} expects features .*{FROZEN.features[-1]}"):
        champions_from(files, champions.versions)


@pytest.mark.parametrize("endless", [np.inf, np.nan])
def test_a_prediction_that_is_no_finite_number_is_refused(champions, rows, endless):
    """As leaves of a billion would give, which are numbers each."""
    value = champions.lifetime_value
    broken = replace(champions, lifetime_value=_Constant(value, endless))
    with pytest.raises(DataError, match=f"predicts a ltv that is no finite number: saw {endless}"):
        predict(broken, rows, reasons=0)


class _Constant:
    """A value model that predicts one value for everybody."""

    def __init__(self, model, predicted):
        self._model, self._predicted = model, predicted

    def __getattr__(self, name):
        return getattr(self._model, name)

    def forecast_and_learned(self, features, *, silence):
        value = np.full(len(features), self._predicted)
        return (value, value, value), value
