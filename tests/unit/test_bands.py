"""Churn bands: where they begin, and when they stay."""

import numpy as np
import pyarrow as pa
import pytest

from portfolio_ml.bands import churn_bands
from portfolio_ml.config import Bands

pytestmark = pytest.mark.unit

EDGES = Bands(medium=0.4, high=0.7, margin=0.05)


def band(chance, before=None):
    [found] = churn_bands(
        pa.array([chance], pa.float64()), pa.array([before], pa.string()), EDGES
    ).to_pylist()
    return found


@pytest.mark.parametrize(
    ("chance", "expected"),
    [
        (0.0, "low"),
        (0.399999, "low"),
        (0.4, "medium"),
        (0.699999, "medium"),
        (0.7, "high"),
        (1.0, "high"),
        (None, None),
    ],
)
def test_without_a_band_before_the_edges_decide(chance, expected):
    assert band(chance) == expected


@pytest.mark.parametrize(
    ("chance", "before", "expected"),
    [
        (0.44, "low", "low"),
        (0.46, "low", "medium"),
        (0.36, "medium", "medium"),
        (0.34, "medium", "low"),
        (0.74, "medium", "medium"),
        (0.76, "medium", "high"),
        (0.66, "high", "high"),
        (0.64, "high", "medium"),
        (0.1, "high", "low"),
        (0.9, "low", "high"),
        (0.5, "what nobody wrote", "medium"),
        (None, "high", None),
    ],
)
def test_a_band_is_kept_until_its_edge_is_passed_by_the_margin(chance, before, expected):
    assert band(chance, before) == expected


def test_a_customer_who_trembles_on_an_edge_never_flips():
    generator = np.random.default_rng(1)
    before = band(0.41)
    seen = set()
    for chance in 0.4 + generator.uniform(-0.04, 0.04, 200):
        before = band(float(chance), before)
        seen.add(before)
    assert seen == {"medium"}


def test_nobody_has_no_band():
    nobody = pa.array([], pa.float64()), pa.array([], pa.string())
    assert churn_bands(*nobody, EDGES).to_pylist() == []
