"""Segments: centres that say what they are, stable under a seed, even of very few customers."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture
from tests.simulated import MODEL_INPUTS, simulated

from portfolio_ml.errors import DataError
from portfolio_ml.models import segment_fitting, segments
from portfolio_ml.models.files import DESCRIPTION, described
from portfolio_ml.models.segment_fitting import COUNTS, fit_segments
from portfolio_ml.models.segment_profiles import profiles
from portfolio_ml.models.segments import INPUTS, SMALLEST_SHARE, Scaling, SegmentModel

pytestmark = pytest.mark.unit


def fitted(features, *, count="auto", seed=7, names=MODEL_INPUTS):
    return fit_segments(features, names=names, count=count, seed=seed)


def points_of(model, features):
    """The customers in the model's own space."""
    return model.scaling.points(features[:, [model.names.index(name) for name in INPUTS]])


def of(*rows):
    """Features of customers who differ in the segments' inputs only."""
    return np.array(rows, dtype=np.float32)


@pytest.fixture(scope="module")
def features():
    return simulated(800, days=(17_450,), seed=3).features


@pytest.fixture(scope="module")
def model(features):
    return fitted(features)


def test_the_number_of_segments_is_one_that_is_tried(model):
    assert len(model.labels) in COUNTS
    assert model.smallest_share >= SMALLEST_SHARE


def test_a_given_number_of_segments_is_kept(features):
    assert len(fitted(features, count=3).labels) == 3


def test_two_fits_of_one_seed_are_the_same_file(model, features):
    assert fitted(features).to_files() == model.to_files()


def test_the_order_of_customers_changes_nobody_much(model, features):
    """The starts of k-means are drawn from rows: the segments found are the same, or nearly."""
    order = np.random.default_rng(1).permutation(len(features))
    again = fitted(features[order], count=len(model.labels)).predict(features)
    table = np.histogram2d(model.predict(features), again, bins=len(model.labels))[0]
    assert table.max(axis=1).sum() / len(features) > 0.8


def test_names_are_unique(model):
    assert len(set(model.labels)) == len(model.labels)


def test_segments_are_ordered_by_purchase_days(model):
    days = model.centres[:, INPUTS.index("purchase_days")]
    assert (np.diff(days) <= 0).all()


@pytest.mark.parametrize("count", [3, 5, 12])
def test_k_means_assigns_as_scikit_learn_does(model, features, count):
    points = points_of(model, features)
    peer = KMeans(count, n_init=2, random_state=1).fit(points)
    ours = replace(
        model,
        candidate="k_means",
        centres=peer.cluster_centers_,
        precision=np.ones((count, len(INPUTS))),
        bias=np.zeros(count),
        ids=tuple(range(1, count + 1)),
        labels=tuple("abcdefghijkl"[:count]),
        highest_id=count,
    )
    assert np.array_equal(ours.predict(features), peer.predict(points))


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("candidate", ["k_means", "gaussian_mixture"])
def test_a_fit_assigns_as_scikit_learn_does(model, features, candidate, count):
    points = points_of(model, features)
    fit = segment_fitting._fitted(points, candidate, count, 5)
    peer = {
        "k_means": KMeans(count, n_init=5, random_state=5),
        "gaussian_mixture": GaussianMixture(
            count,
            covariance_type="diag",
            reg_covar=segment_fitting.SMALLEST_VARIANCE,
            random_state=5,
        ),
    }[candidate].fit(points)
    assert np.array_equal(fit.labels, peer.predict(points))


def test_the_scaling_is_that_of_the_portfolio(features):
    """By hand: logarithms, cut at the outer half percent, in steps of their spread."""
    values = features[:, [MODEL_INPUTS.index(name) for name in INPUTS]]
    logs = np.log1p(values.astype(float))
    cut = logs.clip(np.quantile(logs, 0.005, axis=0), np.quantile(logs, 0.995, axis=0))
    steps = np.maximum(cut.std(axis=0), 0.5)
    assert np.allclose(Scaling.of(values).points(values), (cut - cut.mean(axis=0)) / steps)


def test_an_input_in_which_customers_hardly_differ_stays_small():
    values = np.array([[100.0], [101.0], [102.0]], dtype=np.float32)
    assert np.abs(Scaling.of(values).points(values)).max() < 0.03


def test_one_giant_has_no_segment_of_its_own():
    rng = np.random.default_rng(2)
    ordinary = rng.lognormal(3, 0.8, (400, 5))
    features = np.vstack([ordinary, [[1, 9e6, 9e6, 9e6, 1]]]).astype(np.float32)
    assert fitted(features, names=INPUTS).smallest_share >= SMALLEST_SHARE


def test_predictions_do_not_depend_on_the_chunks(model, features, monkeypatch):
    whole = model.predict(features)
    monkeypatch.setattr(segments, "CHUNK_ROWS", 7)
    assert np.array_equal(model.predict(features), whole)


def test_each_segment_has_customers(model, features):
    customers = np.bincount(model.predict(features), minlength=len(model.labels))
    assert customers.min() / len(features) == pytest.approx(model.smallest_share, abs=0.01)


def test_profiles_add_up_to_the_portfolio(model, features):
    ltv = np.arange(len(features), dtype=float)
    found = profiles(model, features, ltv=ltv, p_churn=np.full(len(features), 0.25))
    assert [profile["name"] for profile in found] == list(model.labels)
    assert [profile["id"] for profile in found] == list(model.ids)
    assert sum(profile["customers"] for profile in found) == len(features)
    assert sum(profile["ltv"] for profile in found) == pytest.approx(ltv.sum())
    assert all(profile["p_churn"] == 0.25 for profile in found)
    for share in ("customer_share", "spend_share", "ltv_share"):
        assert sum(profile[share] for profile in found) == pytest.approx(1)


def test_profiles_of_drawn_customers_tell_of_all_whom_they_stand_for(model, features):
    ltv, p_churn = np.arange(len(features), dtype=float), np.full(len(features), 0.25)
    drawn, alone = (
        profiles(model, features, ltv=ltv, p_churn=p_churn, weight=weight) for weight in (2.5, 1)
    )
    for some, one in zip(drawn, alone, strict=True):
        assert some["customers"] == round(2.5 * one["customers"])
        assert some["spend"] == pytest.approx(2.5 * one["spend"])
        assert some["ltv"] == pytest.approx(2.5 * one["ltv"])
        assert some["customer_share"] == one["customer_share"]
        assert some["medians"] == one["medians"]


def test_a_profile_says_what_is_usual(model, features):
    nowhere = features[model.predict(features) != 0]
    nowhere[:, MODEL_INPUTS.index("spend_change_90d")] = np.nan
    nothing = np.zeros(len(nowhere))
    empty, second, *_ = profiles(model, nowhere, ltv=nothing, p_churn=nothing)
    among = nowhere[model.predict(nowhere) == 1]
    recency = np.median(among[:, MODEL_INPUTS.index("recency_days")])
    assert second["medians"]["recency_days"] == pytest.approx(recency)
    assert second["medians"]["spend_change_90d"] is None
    assert second["ltv_share"] is None
    assert (empty["customers"], empty["p_churn"]) == (0, None)
    assert json.loads(json.dumps(second, allow_nan=False)) == second


@pytest.mark.parametrize("distinct", [1, 2, 3])
@pytest.mark.parametrize("copies", [1, 40])
@pytest.mark.parametrize("count", ["auto", 2, 5])
def test_few_distinct_customers_make_as_few_segments(distinct, copies, count):
    rows = of((5, 300, 9, 40, 0.2), (200, 210, 1, 15, 4), (40, 90, 3, 300, 1))[:distinct]
    features = np.repeat(rows, copies, axis=0)
    model = fitted(features, count=count, names=INPUTS)
    expected = 2 if (distinct, count) == (3, 2) else distinct
    assert len(model.labels) == len(set(model.labels)) == expected
    assert set(model.predict(features)) == set(range(expected))
    assert np.isfinite([model.stability, model.separation, model.smallest_share]).all()


def test_customers_who_hardly_differ_are_no_warning():
    rng = np.random.default_rng(1)
    features = of((5, 300, 9, 40, 0.2)) * (1 + rng.random((60, 5)) * 1e-6)
    fitted(features.astype(np.float32), names=INPUTS)


def test_unknown_and_negative_inputs_count_as_none():
    model = fitted(of((5, 300, 9, 40, 0.2), (200, 210, 1, 15, 4)), names=INPUTS)
    known, unknown = of((5, 0, 9, 0, 0)), of((5, np.nan, 9, -3, np.nan))
    assert model.predict(known).tolist() == model.predict(unknown).tolist()


def test_a_portfolio_too_large_is_sampled(features, monkeypatch):
    monkeypatch.setattr(segment_fitting, "FIT_ROWS", 300)
    monkeypatch.setattr(segment_fitting, "SEARCH_ROWS", 100)
    monkeypatch.setattr(segment_fitting, "SILHOUETTE_ROWS", 50)
    model = fitted(features, count=4)
    assert len(model.labels) == 4
    assert fitted(features, count=4).to_files() == model.to_files()


def test_without_a_usable_number_all_are_one_segment():
    """Nineteen of twenty customers are the same, and the others all different."""
    rng = np.random.default_rng(2)
    same = np.repeat(of((5, 300, 9, 40, 0.2)), 980, axis=0)
    odd = rng.lognormal(3, 2, (16, 5)).astype(np.float32)
    model = fitted(np.vstack([same, odd]), names=INPUTS)
    assert model.smallest_share >= SMALLEST_SHARE
    assert model.labels == ("all customers",)


def test_a_number_that_is_asked_for_may_leave_small_segments():
    features = np.repeat(of((5, 300, 9, 40, 0.2), (200, 210, 1, 15, 4)), 300, axis=0)
    features = np.vstack([features, of((90, 90, 90, 900, 0.1), (91, 90, 90, 900, 0.1))])
    features = np.vstack([features, features[-2:]])
    model = fitted(features, count=3, names=INPUTS)
    assert len(model.ids) == 3
    assert model.smallest_share < SMALLEST_SHARE


# Files


def test_a_model_survives_its_files(model, features):
    again = SegmentModel.from_files(model.to_files())
    assert again.to_files() == model.to_files()
    assert np.array_equal(again.predict(features), model.predict(features))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("names", ["recency_days"]),
        ("labels", []),
        ("labels", ["one"]),
        ("labels", ["the same"] * 4),
        ("inputs", ["recency_days"]),
        ("ids", [1, 1]),
        ("ids", [0, 1, 2, 3]),
        ("highest_id", 0),
        ("low", [0]),
        ("bias", [0]),
        ("precision", [[1]]),
        ("centres", [[1, 2, 3], [1, 2]]),
        ("centres", []),
        ("centres", None),
        ("stability", None),
    ],
)
def test_a_description_with_another_value_is_refused(model, key, value):
    values = json.loads(model.to_files()[DESCRIPTION]) | {key: value}
    with pytest.raises(DataError, match="description"):
        SegmentModel.from_files({DESCRIPTION: described("segments", values)})


def test_centres_that_fit_no_name_are_refused(model):
    with pytest.raises(ValueError, match="segments with centres"):
        replace(model, ids=(*model.ids, 99), highest_id=99)
