"""A registered model's predictions, from its files and named columns."""

import numpy as np
import pandas as pd
import pytest
from tests.histories import REFERENCE
from tests.simulated import RECIPE, simulated

from portfolio_ml.errors import DataError
from portfolio_ml.models import trees
from portfolio_ml.models.files import DESCRIPTION, described
from portfolio_ml.models.segment_fitting import fit_segments
from portfolio_ml.models.serving import model_of, outputs, predictions
from portfolio_ml.training import fit_candidates

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def snapshots():
    return simulated(120)


@pytest.fixture(scope="module")
def models(snapshots):
    candidates = fit_candidates(snapshots, RECIPE, tier_edges=REFERENCE.tier_edges)
    segments = fit_segments(snapshots.features, names=snapshots.names, count=4, seed=7)
    return {
        "churn": candidates.churn["blend"],
        "lifetime_value": candidates.lifetime_value["boosted"],
        "segments": segments,
    }


@pytest.fixture(scope="module")
def table(snapshots):
    return pd.DataFrame(snapshots.features, columns=list(snapshots.names))


def test_churn_gives_its_probability(models, snapshots, table):
    given = outputs(models["churn"].to_files(), table)
    assert list(given) == ["p_churn"]
    assert np.array_equal(given["p_churn"], models["churn"].predict(snapshots.features))


def test_lifetime_value_gives_the_value_and_its_interval(models, snapshots, table):
    model, given = models["lifetime_value"], outputs(models["lifetime_value"].to_files(), table)
    low, high = model.interval(snapshots.features)
    assert list(given) == ["ltv", "ltv_low", "ltv_high"]
    assert np.array_equal(given["ltv"], model.predict(snapshots.features))
    assert np.array_equal(given["ltv_low"], low)
    assert np.array_equal(given["ltv_high"], high)


def test_segments_give_number_and_name(models, snapshots, table):
    model, given = models["segments"], outputs(models["segments"].to_files(), table)
    assert list(given) == ["segment_id", "segment_name"]
    place = model.predict(snapshots.features)
    assert given["segment_id"].tolist() == [model.ids[k] for k in place]
    assert given["segment_name"].tolist() == [model.labels[k] for k in place]


def test_a_model_is_parsed_once_for_any_number_of_tables(models, table, monkeypatch):
    model = model_of(models["lifetime_value"].to_files())
    monkeypatch.delattr(trees.lgb, "Booster")
    for part in (table.head(3), table):
        expected = models["lifetime_value"].predict(part.to_numpy(np.float32))
        assert np.array_equal(predictions(model, part)["ltv"], expected)


@pytest.mark.parametrize("target", ["churn", "lifetime_value", "segments"])
def test_columns_are_found_by_name(models, table, target):
    files = models[target].to_files()
    shuffled = table[table.columns[::-1]].assign(more="text").astype({"recency_days": float})
    given, expected = outputs(files, shuffled), outputs(files, table)
    assert all(np.array_equal(given[name], expected[name]) for name in expected)


def test_a_missing_column_is_named_with_those_that_are_there(models, table):
    with pytest.raises(DataError, match=r"'recency_days' is missing .*'gap_change'"):
        outputs(models["churn"].to_files(), table.drop(columns="recency_days"))


@pytest.mark.parametrize(
    "files", [{}, {DESCRIPTION: b"[]"}, {DESCRIPTION: described("horoscope", {})}]
)
def test_files_that_are_no_model_are_refused(files, table):
    with pytest.raises(DataError, match=r"cannot be read|no known kind"):
        outputs(files, table)
