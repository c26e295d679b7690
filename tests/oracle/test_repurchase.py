"""The Kaplan-Meier estimate against published figures and SciPy's."""

import numpy as np
import pytest
from scipy.stats import CensoredData, ecdf

from portfolio_ml.repurchase import repurchase_times

pytestmark = pytest.mark.oracle

# Weeks of remission under 6-mercaptopurine (Freireich et al. 1963); open ends are censored.
CLOSED = [6, 6, 6, 7, 10, 13, 16, 22, 23]
OPEN = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]


def estimate(closed, still_open):
    gaps = np.array([*closed, *still_open], float)
    is_closed = np.repeat([True, False], [len(closed), len(still_open)])
    return repurchase_times(gaps, np.ones(gaps.size), is_closed)


def test_freireichs_remissions_come_out_as_published():
    # Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure Time Data, chapter 1
    found = estimate(CLOSED, OPEN)
    assert found.days.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert 1 - found.returned == pytest.approx(
        [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4
    )


@pytest.mark.parametrize("seed", range(5))
def test_scipy_agrees(seed):
    generator = np.random.default_rng(seed)
    gaps = generator.integers(1, 40, 200).astype(float)
    closed, still_open = np.split(gaps, [generator.integers(1, 199)])
    found = estimate(closed, still_open)
    expected = ecdf(CensoredData(uncensored=closed, right=still_open)).sf
    assert 1 - found.returned == pytest.approx(expected.evaluate(found.days))
