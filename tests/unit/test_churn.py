"""Churn models: probabilities from three candidates, stored as data."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.simulated import simulated

from portfolio_ml.errors import DataError
from portfolio_ml.metrics import auroc, calibration_slope
from portfolio_ml.models.calibration import Calibration
from portfolio_ml.models.churn import (
    CANDIDATES,
    CUSTOMER_BASE,
    ChurnModel,
    churn_candidates,
    fit_churn_trees,
)
from portfolio_ml.models.files import DESCRIPTION, TREES, described
from portfolio_ml.models.trees import DEFAULTS
from portfolio_ml.training import recency_weight

pytestmark = pytest.mark.unit


def fitted(snapshots, seed=7):
    weight = recency_weight(snapshots.day)
    fit = fit_churn_trees(snapshots, weight, seed=seed, parameters=DEFAULTS)
    return churn_candidates(snapshots, weight, fit, horizon_days=90, seed=seed)


@pytest.fixture(scope="module")
def learned():
    return simulated(seed=1)


@pytest.fixture(scope="module")
def later():
    return simulated(seed=2)


@pytest.fixture(scope="module")
def models(learned):
    return fitted(learned)


@pytest.fixture(params=CANDIDATES)
def model(request, models):
    return models[request.param]


def test_there_is_every_candidate(models):
    assert set(models) == {"blend", "boosted", "customer_base"}
    assert all(model.candidate == name for name, model in models.items())


def test_predictions_are_probabilities_that_tell_leavers(model, later):
    predicted = model.predict(later.features)
    assert predicted.shape == (len(later),)
    assert ((predicted > 0) & (predicted < 1)).all()
    assert auroc(later.churned, predicted) > 0.7


def test_predictions_are_calibrated_on_other_customers(model, later):
    predicted = model.predict(later.features)
    assert predicted.mean() == pytest.approx(later.churned.mean(), abs=0.04)
    assert calibration_slope(later.churned, predicted) == pytest.approx(1, abs=0.35)


def test_calibration_keeps_the_customer_bases_order(models, later):
    predicted = models["customer_base"].predict(later.features)
    base = later.column(CUSTOMER_BASE)
    order = np.argsort(base, kind="stable")
    assert (np.diff(predicted[order]) >= 0).all()


def test_a_blend_lies_between_its_parts_before_calibration(models, later):
    neutral = {name: replace(m, calibration=Calibration()) for name, m in models.items()}
    parts = [neutral[name].predict(later.features) for name in ("boosted", "customer_base")]
    blend = neutral["blend"].predict(later.features)
    assert (blend >= np.minimum(*parts) - 1e-12).all()
    assert (blend <= np.maximum(*parts) + 1e-12).all()


def test_a_model_survives_its_files(model, later):
    again = ChurnModel.from_files(model.to_files())
    assert np.array_equal(again.predict(later.features), model.predict(later.features))
    assert again.to_files() == model.to_files()


def test_two_fits_of_one_seed_are_the_same_files(models, learned):
    again = fitted(learned)
    assert {c: m.to_files() for c, m in again.items()} == {
        c: m.to_files() for c, m in models.items()
    }


@pytest.mark.parametrize("churned", [True, False])
def test_one_outcome_alone_leaves_the_customer_base(learned, churned):
    snapshots = replace(learned, churned=np.full(len(learned), churned))
    models = fitted(snapshots)
    assert set(models) == {"customer_base"}
    predicted = models["customer_base"].predict(snapshots.features)
    assert np.isfinite(predicted).all()
    assert models["customer_base"].trees is None


@pytest.mark.parametrize("outcome", [True, False])
def test_one_customers_outcome_alone_leaves_the_customer_base(learned, outcome):
    """Held out, that customer would leave nothing to tell apart."""
    churned = np.where(learned.customer == 11, outcome, not outcome)
    assert set(fitted(replace(learned, churned=churned))) == {"customer_base"}


@pytest.mark.parametrize("customers", [1, 2, 3, 4, 10])
def test_a_handful_of_customers_is_no_error(customers):
    snapshots = simulated(customers, seed=3)
    for model in fitted(snapshots).values():
        assert np.isfinite(model.predict(snapshots.features)).all()


DESCRIBED = ("candidate", "names", "horizon_days", "calibration", "stayers")


@pytest.mark.parametrize("key", DESCRIBED)
def test_a_description_without_a_value_is_refused(models, key):
    files = models["boosted"].to_files()
    values = json.loads(files[DESCRIPTION])
    del values[key]
    with pytest.raises(DataError, match=f"no '{key}'"):
        ChurnModel.from_files(files | {DESCRIPTION: described("churn", values)})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("candidate", "unheard of"),
        ("candidate", "customer_base"),
        ("candidate", None),
        ("names", None),
        ("names", ["recency_days"]),
        ("horizon_days", "soon"),
        ("calibration", 1),
        ("calibration", {"intercept": 0, "slope": -1}),
        ("calibration", {"intercept": None, "slope": 1}),
        ("stayers", None),
        ("stayers", []),
        ("stayers", ["a"]),
    ],
)
def test_a_description_with_another_value_is_refused(models, key, value):
    files = models["boosted"].to_files()
    values = json.loads(files[DESCRIPTION]) | {key: value}
    with pytest.raises(DataError, match="description"):
        ChurnModel.from_files(files | {DESCRIPTION: described("churn", values)})


def test_names_in_another_order_than_the_trees_are_refused(models):
    files = models["boosted"].to_files()
    values = json.loads(files[DESCRIPTION])
    values["names"] = values["names"][::-1]
    with pytest.raises(DataError, match="other features"):
        ChurnModel.from_files(files | {DESCRIPTION: described("churn", values)})


def test_missing_trees_are_refused(models):
    files = models["boosted"].to_files()
    with pytest.raises(DataError, match="do not go together"):
        ChurnModel.from_files({DESCRIPTION: files[DESCRIPTION]})


def test_damaged_trees_are_refused(models):
    files = models["boosted"].to_files()
    for damaged in (b"", b"\xff" + files[TREES], files[TREES][:-40]):
        with pytest.raises(DataError):
            ChurnModel.from_files(files | {TREES: damaged})
