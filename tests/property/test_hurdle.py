"""What holds for the hurdle of spend, whatever was bought and asked."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.simulated import simulated

from portfolio_ml.models.hurdle import Hurdle, fit_value_trees
from portfolio_ml.models.trees import DEFAULTS

pytestmark = pytest.mark.property

few_examples = settings(max_examples=6, deadline=None)


@few_examples
@example(customers=40, unit=1e9, odd=np.nan, seed=0)
@given(
    customers=st.sampled_from([1, 2, 5, 40]),
    unit=st.sampled_from([1e-4, 1.0, 1e9]),
    odd=st.sampled_from([0.0, -1e30, 1e30, np.inf, np.nan]),
    seed=st.integers(0, 9),
)
def test_foretold_spend_is_finite_and_never_negative(customers, unit, odd, seed):
    """Of one customer or many, in any currency; also for features nobody has seen before."""
    rows = simulated(customers, days=(17_360, 17_390), seed=seed)
    rows.spend[:] *= unit
    found = fit_value_trees(rows, np.ones(len(rows)), seed=seed, parameters=DEFAULTS)
    assert found is not None or customers < 40
    if found is None:
        return
    asked = np.vstack([rows.features, np.full((1, len(rows.names)), odd, np.float32)])
    foretold, amount = found.hurdle.predict(asked), found.hurdle.amount.predict(asked)
    assert np.isfinite(foretold).all()
    assert np.isfinite(found.held_out).all()
    assert (found.held_out >= 0).all()
    assert ((foretold >= 0) & (foretold <= amount)).all()
    assert foretold.max() <= 2 * rows.spend.max()
    stored = Hurdle.from_files(found.hurdle.to_files(), names=rows.names)
    assert (stored.predict(asked) == foretold).all()
