"""Whom to act on, for any campaign."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio_ml.acting import Campaigns, Economics
from portfolio_ml.advising import advise

pytestmark = pytest.mark.property


@st.composite
def campaigns(draw):
    rows = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Campaigns(
        cutoff=rng.integers(0, draw(st.integers(1, 3)), rows).astype(np.int32),
        customer=rng.integers(0, rows, rows),
        p_churn=rng.uniform(0, 1, rows).round(draw(st.integers(1, 6))),
        value_if_buys=rng.gamma(0.5, 40, rows).round(draw(st.integers(0, 6))),
        churned=rng.random(rows) < draw(st.floats(0, 1)),
        value=rng.gamma(0.5, 40, rows),
    )


economics = st.builds(
    Economics,
    contact_cost=st.floats(0, 20),
    success_rate=st.floats(0.01, 1),
    margin_share=st.floats(0.01, 1),
    capacity=st.none() | st.integers(1, 30),
)


def advised(given_campaigns, given_economics):
    return advise(given_campaigns, given_economics, n=20, seed=7)


@given(campaigns(), economics)
def test_no_threshold_earns_more_than_the_advised_one(past, costs):
    advice = advised(past, costs)
    apparent = advice.advised.profit.value + advice.optimism
    assert (
        apparent >= max(0.0, advice.break_even.profit.value, advice.everybody.profit.value) - 1e-9
    )
    if costs.capacity is None:
        assert apparent >= max(point.profit.value for point in advice.curve) - 1e-9
    assert advice.optimism >= 0
    assert advice.advised.contacts <= min(advice.candidates, costs.capacity or np.inf) + 1e-9


@given(campaigns(), economics, st.sampled_from([0.25, 2.0, 1024.0]))
def test_another_currency_scales_money_and_acts_on_the_same_customers(past, costs, rate):
    ours = advised(past, costs)
    theirs = advised(
        replace(past, value_if_buys=past.value_if_buys * rate, value=past.value * rate),
        replace(costs, contact_cost=costs.contact_cost * rate),
    )
    assert theirs.advised.contacts == ours.advised.contacts
    assert theirs.verdict == ours.verdict
    assert theirs.advised.profit.value == pytest.approx(ours.advised.profit.value * rate)
    if ours.threshold is not None:
        assert theirs.threshold == pytest.approx(ours.threshold * rate)


@given(campaigns(), economics)
def test_free_contacts_leave_out_nobody_where_any_churned(past, costs):
    advice = advised(past, replace(costs, contact_cost=0.0, capacity=None))
    if (past.churned & (past.value_at_risk > 0)).any():
        assert advice.advised.contacts == advice.candidates
    else:
        assert advice.threshold is None


@given(campaigns(), economics)
def test_a_dearer_contact_never_earns_more(past, costs):
    dearer = replace(costs, contact_cost=costs.contact_cost + 1)
    ours, theirs = (
        advice.advised.profit.value + advice.optimism
        for advice in (advised(past, costs), advised(past, dearer))
    )
    assert theirs <= ours + 1e-9
