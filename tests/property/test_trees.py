"""What the checker lets through harms nobody, and it fails in one way only."""

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.examples import shown
from tests.model_texts import edited, loaded_apart

from portfolio_ml.errors import DataError
from portfolio_ml.models import trees

pytestmark = pytest.mark.property


def _text():
    """Three trees of at most four leaves, without what follows them."""
    rng = np.random.default_rng(0)
    features = rng.gamma(1, 10, (300, 3)).astype(np.float32)
    outcome = (features[:, 0] > features[:, 1]).astype(float)
    parameters = {"objective": "binary", "num_leaves": 4, "verbosity": -1, "num_threads": 1}
    written = lgb.train(parameters, lgb.Dataset(features, outcome), 3).model_to_string()
    return trees.load(written).text


TEXT = _text()


@shown(300)
@given(edited(TEXT))
def test_a_damaged_text_is_refused_or_lawful(text):
    try:
        trees.check(text)
    except DataError:
        return
    assert text.startswith("tree\n")


@shown(2, HealthCheck.too_slow)
@given(st.lists(edited(TEXT), min_size=60, max_size=90))
def test_no_damaged_text_crashes_the_process(texts):
    assert set(loaded_apart([TEXT, *texts])) <= {"loaded", "refused"}


@shown(30)
@given(
    seed=st.integers(0, 2**31 - 1),
    rows=st.integers(3, 120),
    leaves=st.integers(2, 40),
    objective=st.sampled_from(["binary", "tweedie", "regression"]),
)
def test_whatever_lightgbm_fits_is_accepted(seed, rows, leaves, objective):
    rng = np.random.default_rng(seed)
    features = rng.choice([0.0, 1.0, 1e-9, 1e9, -5.5, np.nan], (rows, 3))
    outcome = rng.integers(0, 2, rows).astype(float)
    outcome[:2] = 0, 1
    parameters = {
        "objective": objective,
        "num_leaves": leaves,
        "min_data_in_leaf": 1,
        "verbosity": -1,
        "num_threads": 1,
        "deterministic": True,
    }
    booster = lgb.train(parameters, lgb.Dataset(features, outcome), 5)
    loaded = trees.load(booster.model_to_string())
    assert np.array_equal(loaded.predict(features), booster.predict(features))
