"""What trees add by features: the looked-up values are LightGBM's own."""

import lightgbm as lgb
import numpy as np
import pytest

from portfolio_ml.models import tree_shares
from portfolio_ml.models.tree_shares import MOST_SPLITS, contributions, raw_scores, shares_of

pytestmark = pytest.mark.unit


def shares(booster):
    return shares_of(booster.dump_model()["tree_info"])


def fitted(*, leaves=7, rounds=20, **options):
    """An ensemble on features with ties, zeros and gaps."""
    rng = np.random.default_rng(7)
    features = np.round(rng.normal(size=(2_000, 6)), 1).astype(np.float32)
    features[rng.random(features.shape) < 0.2] = np.nan
    known = np.nan_to_num(features, nan=3.0)
    outcome = (known[:, 0] + known[:, 1] * known[:, 2] + rng.normal(size=2_000) > 0.5).astype(float)
    told = {"objective": "binary", "num_leaves": leaves, "verbosity": -1, "num_threads": 1}
    booster = lgb.train({**told, **options}, lgb.Dataset(features, outcome), rounds)
    features[:3] = np.array([[np.inf], [-np.inf], [0.0]])
    return lgb.Booster(model_str=booster.model_to_string()), features


every_kind = pytest.mark.parametrize(
    "options",
    [
        {},
        {"leaves": 2},
        {"leaves": MOST_SPLITS + 1},
        {"use_missing": False},
        {"zero_as_missing": True},
        {"min_data_in_leaf": 1_500},  # no tree finds a split
    ],
)


@every_kind
def test_the_values_are_those_of_lightgbm(options):
    booster, features = fitted(**options)
    expected = np.asarray(booster.predict(features, pred_contrib=True))[:, :-1]
    found = contributions(shares(booster), features)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@every_kind
@pytest.mark.parametrize("objective", ["binary", "tweedie"])
def test_the_raw_scores_are_those_of_lightgbm_to_the_last_bit(options, objective):
    booster, features = fitted(**options, objective=objective)
    expected = booster.predict(features, raw_score=True)
    assert np.array_equal(raw_scores(shares(booster), features), expected)


@pytest.mark.parametrize("exact", [1.0, 1 + 2**-24, 1 - 2**-26, 1e-46, -1e-46, 3.5e38, 1e299])
def test_a_threshold_parts_the_same_rows_as_its_nearest_value_below(exact):
    """Thresholds are float64, values are float32."""
    near = np.array([exact, 1, 0, 1e38, np.inf], np.float64).clip(None, 3.4e38).astype(np.float32)
    values = np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf), -near])
    split = tree_shares.Split(0, tree_shares._threshold(exact), "NaN", default_left=False)
    left = split.goes_left(tree_shares.Column.of(values))
    assert np.array_equal(left, values.astype(np.float64) <= exact)


def test_a_row_has_the_same_values_whoever_is_beside_it(monkeypatch):
    monkeypatch.setattr(tree_shares, "ROWS_AT_ONCE", 64)
    booster, features = fitted()
    known = shares(booster)
    together = contributions(known, features)
    alone = np.concatenate([contributions(known, features[[k]]) for k in range(100)])
    assert np.array_equal(together[:100], alone)


def test_larger_trees_are_left_to_lightgbm():
    booster, _ = fitted(leaves=MOST_SPLITS + 2)
    assert shares(booster) is None


def test_trees_without_rows_are_left_to_lightgbm():
    booster, _ = fitted(leaves=2, rounds=1)
    lines = booster.model_to_string().split("\n")
    text = "\n".join("leaf_count=0 0" if line.startswith("leaf_count") else line for line in lines)
    assert shares(lgb.Booster(model_str=text)) is None
