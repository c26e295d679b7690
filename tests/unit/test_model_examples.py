"""The examples in the docstrings of the models and of what fits, judges and registers them."""

import doctest
import importlib

import pytest

pytestmark = pytest.mark.unit

MODULES = [
    "models.calibration",
    "models.blend",
    "models.files",
    "models.intervals",
    "models.returns",
    "models.seasonality",
    "season",
    "models.segment_identity",
    "models.segment_names",
    "models.segments",
    "models.trees",
    "registry.address",
    "registry.figures",
    "rfm_segments",
    "training",
    "untrusted",
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_hold(name):
    result = doctest.testmod(importlib.import_module(f"portfolio_ml.{name}"))

    assert result.attempted > 0
    assert result.failed == 0
