"""The examples in the docstrings of the models and of what fits, judges and registers them."""

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
