"""The classic RFM segments: a rule for every cell of the grid, as documented."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from portfolio_ml.rfm_segments import GRID, rfm_segments

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[2] / "docs" / "explanation" / "segments.md"
NAMES = {name for row in GRID.values() for name in row}
CELLS = np.array([*product(range(1, 6), repeat=3)], np.int8)


def test_every_cell_of_the_grid_has_exactly_one_segment():
    found = rfm_segments(*CELLS.T)
    assert found.shape == (125,)
    assert {*found.tolist()} == NAMES
    for (r, f, m), name in zip(CELLS.tolist(), found, strict=True):
        assert name == GRID[r][(f + m) // 2 - 1]


@pytest.mark.parametrize(
    ("r", "f", "m", "expected"),
    [
        (5, 5, 5, "champions"),
        (5, 4, 4, "champions"),
        (4, 4, 4, "loyal"),
        (5, 1, 1, "new"),
        (5, 2, 1, "new"),
        (4, 1, 2, "promising"),
        (4, 2, 2, "potential loyalists"),
        (3, 1, 1, "about to sleep"),
        (3, 3, 2, "needing attention"),
        (2, 5, 5, "at risk"),
        (1, 5, 5, "can't lose them"),
        (1, 1, 5, "hibernating"),
        (1, 1, 1, "lost"),
    ],
)
def test_well_known_corners(r, f, m, expected):
    assert rfm_segments(*np.array([[r], [f], [m]], np.int8)).tolist() == [expected]


def test_the_documented_grid_is_the_one_that_is_used():
    lines = DOCS.read_text().splitlines()
    for recency, row in GRID.items():
        assert f"| **{recency}** | " + " | ".join(row) + " |" in lines
