"""Segments: centres that say what they are, stable under a seed, even of very few customers."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.simulated import MODEL_INPUTS, simulated

from portfolio_ml.errors import DataError
from portfolio_ml.models import segments
from portfolio_ml.models.files import DESCRIPTION, described
from portfolio_ml.models.segments import (
    COUNTS,
    INPUTS,
    SMALLEST_SHARE,
    SegmentModel,
    fit_segments,
    segment_names,
)

pytestmark = pytest.mark.unit


def fitted(features, *, count="auto", seed=7, names=MODEL_INPUTS):
    return fit_segments(features, names=names, count=count, seed=seed)


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
    days = model.centroids[:, INPUTS.index("purchase_days")]
    assert (np.diff(days) <= 0).all()


def test_a_customer_belongs_to_the_nearest_centre(model, features):
    inputs = features[:, [MODEL_INPUTS.index(name) for name in INPUTS]].astype(float)
    points = np.log1p(np.clip(np.nan_to_num(inputs), 0, None))
    distance = np.linalg.norm(points[:, None] - model.centroids[None], axis=2)
    chosen = model.predict(features)
    assert np.allclose(distance[np.arange(len(points)), chosen], distance.min(axis=1))


def test_each_segment_has_customers(model, features):
    customers = np.bincount(model.predict(features), minlength=len(model.labels))
    assert customers.min() / len(features) == pytest.approx(model.smallest_share, abs=0.01)


def test_profiles_add_up_to_the_portfolio(model, features):
    ltv = np.arange(len(features), dtype=float)
    profiles = model.profiles(features, ltv)
    assert [profile["name"] for profile in profiles] == list(model.labels)
    assert sum(profile["customers"] for profile in profiles) == len(features)
    assert sum(profile["ltv"] for profile in profiles) == pytest.approx(ltv.sum())


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
    monkeypatch.setattr(segments, "FIT_ROWS", 300)
    monkeypatch.setattr(segments, "SAMPLE_ROWS", 100)
    model = fitted(features, count=4)
    assert len(model.labels) == 4
    assert fitted(features, count=4).to_files() == model.to_files()


def test_a_usable_number_of_segments_is_preferred():
    """One odd customer would make a well separated segment of its own; a business cannot use it."""
    rng = np.random.default_rng(2)
    ordinary = rng.lognormal(3, 0.4, (400, 5))
    features = np.vstack([ordinary, [[1, 9e6, 9e6, 9e6, 1]]]).astype(np.float32)
    assert fitted(features, names=INPUTS).smallest_share < SMALLEST_SHARE
    assert fitted(ordinary.astype(np.float32), names=INPUTS).smallest_share >= SMALLEST_SHARE


# Names


def test_a_name_says_how_customers_buy_spend_and_whether_they_are_here():
    place = dict.fromkeys(INPUTS, 0.0)
    centres = [
        place | {"purchase_days": 1, "monetary": 1, "recency_days": -2},
        place | {"purchase_days": -1, "monetary": -1, "overdue_ratio": 1},
        place,
    ]
    assert segment_names(np.array([list(centre.values()) for centre in centres])) == (
        "frequent big spenders, here lately",
        "rare small spenders, long gone",
        "occasional buyers, quiet",
    )


def test_names_that_would_be_alike_are_numbered():
    assert segment_names(np.zeros((3, len(INPUTS)))) == (
        "occasional buyers, quiet (1)",
        "occasional buyers, quiet (2)",
        "occasional buyers, quiet (3)",
    )


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
        ("centroids", [[1, 2, 3], [1, 2]]),
        ("centroids", []),
        ("centroids", None),
        ("stability", None),
    ],
)
def test_a_description_with_another_value_is_refused(model, key, value):
    values = json.loads(model.to_files()[DESCRIPTION]) | {key: value}
    with pytest.raises(DataError, match="description"):
        SegmentModel.from_files({DESCRIPTION: described("segments", values)})


def test_centres_that_fit_no_name_are_refused(model):
    with pytest.raises(ValueError, match="segments with centres"):
        replace(model, labels=(*model.labels, "one more"))
