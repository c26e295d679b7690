"""Names are unique and read as words, whatever the segments."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio_ml.models.segment_names import Portrait, segment_names
from portfolio_ml.models.segments import INPUTS

pytestmark = pytest.mark.unit

PLACES = st.one_of(st.floats(-4, 4), st.sampled_from((-1.0, 0.0, 0.5)))
PORTRAITS = st.builds(
    lambda place, days, overdue: Portrait(dict(zip(INPUTS, place, strict=True)), days, overdue),
    st.lists(PLACES, min_size=len(INPUTS), max_size=len(INPUTS)),
    st.integers(1, 50).map(float),
    st.sampled_from((0.0, 0.5, 1.5, 3.0, 8.0)),
)


@given(st.lists(PORTRAITS, min_size=1, max_size=12))
def test_no_two_are_alike_and_none_has_a_number(portraits):
    names = segment_names(portraits)
    assert len({*names}) == len(portraits)
    assert all(re.fullmatch(r"[a-z][a-z, -]*[a-z]", name) and "  " not in name for name in names)
    assert segment_names(portraits) == names


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_random_centres_need_no_ordinals(count, seed):
    centres = np.random.default_rng(seed).normal(size=(count, len(INPUTS))) * 0.4
    portraits = [Portrait(dict(zip(INPUTS, c.tolist(), strict=True)), 4.0, 1.5) for c in centres]
    names = segment_names(portraits)
    assert len({*names}) == count
    assert not any(" of them" in name for name in names)


@given(st.lists(PORTRAITS, min_size=2, max_size=12))
def test_a_refit_that_finds_the_same_keeps_every_name(portraits):
    names = segment_names(portraits)
    again = [
        Portrait(p.place, p.median_purchase_days, p.median_overdue_ratio, name)
        for p, name in zip(portraits, names, strict=True)
    ]
    assert len({*segment_names(again)}) == len(names)
    kept = [
        a == b
        for a, b, n in zip(segment_names(again), names, names, strict=True)
        if " of them" not in n
    ]
    assert all(kept)
