"""What holds for the Kaplan-Meier estimate of any gaps."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio_ml.repurchase import repurchase_times

pytestmark = pytest.mark.property

gaps = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from((0.1, 0.25, 1 / 3, 0.5, 1.0)), st.booleans()),
    max_size=60,
)


def arrays(gaps):
    days, weight, is_closed = zip(*gaps, strict=True) if gaps else ((), (), ())
    return np.array(days, float), np.array(weight, float), np.array(is_closed, bool)


@given(gaps)
def test_the_share_of_those_returned_rises_and_is_a_share(gaps):
    found = repurchase_times(*arrays(gaps))
    assert (np.diff(found.days) > 0).all()
    assert (np.diff(found.returned) >= 0).all()
    assert ((found.returned >= 0) & (found.returned <= 1)).all()


@given(gaps)
def test_it_is_the_product_of_those_who_stayed_away(gaps):
    days, weight, is_closed = arrays(gaps)
    found = repurchase_times(days, weight, is_closed)
    away = Fraction(1)
    for day, returned in zip(found.days, found.returned, strict=True):
        at_risk = sum(Fraction(w) for d, w in zip(days, weight, strict=True) if d >= day)
        ended = sum(
            Fraction(w) for d, w, c in zip(days, weight, is_closed, strict=True) if d == day and c
        )
        away *= 1 - ended / at_risk
        assert returned == pytest.approx(float(1 - away), abs=1e-9)


@given(gaps, st.sampled_from((0.01, 3.0, 1e6)))
def test_a_common_factor_of_the_weights_changes_nothing(gaps, factor):
    days, weight, is_closed = arrays(gaps)
    one, other = (repurchase_times(days, w, is_closed) for w in (weight, weight * factor))
    assert np.allclose(one.returned, other.returned, rtol=0, atol=1e-9)


@given(gaps, st.integers(1, 60))
def test_longer_open_gaps_make_returns_rarer(gaps, length):
    days, weight, is_closed = arrays(gaps)
    more = (np.append(days, length), np.append(weight, 1.0), np.append(is_closed, False))
    fewer, found = repurchase_times(*more), repurchase_times(days, weight, is_closed)
    assert (fewer.returned <= found.returned + 1e-9).all()


@given(gaps, st.floats(0, 1), st.floats(0, 1))
def test_a_percentile_is_a_gap_that_was_seen_and_rises_with_the_share(gaps, one, other):
    found = repurchase_times(*arrays(gaps))
    low, high = found.percentile(min(one, other)), found.percentile(max(one, other))
    if not found.days.size:
        assert low is high is None
    else:
        assert low in found.days
        assert low <= high


@given(gaps)
def test_nobody_returned_before_the_percentile_of_a_day_reached(gaps):
    found = repurchase_times(*arrays(gaps))
    for day, returned in zip(found.days, found.returned, strict=True):
        assert found.percentile(returned / found.returned[-1]) <= day
