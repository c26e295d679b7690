"""Whom to act on: profits by hand, and advice that says what is not shown."""

import json
from dataclasses import replace

import numpy as np
import pytest

from portfolio_ml.acting import Advice, Campaigns, Economics
from portfolio_ml.advising import advise
from portfolio_ml.report.words import whom_to_act_on

pytestmark = pytest.mark.unit

# Of a tenth of what a churner would have spent, a contact takes 2.
TENTH = Economics(contact_cost=2.0, success_rate=0.2, margin_share=0.5)


def campaigns(copies=1, *, cutoffs=1, churned=(True, False, True, False), value=np.nan):
    """Customers with 50, 20, 10 and 1 at risk, each that many times; one campaign a cutoff."""
    rows = 4 * copies * cutoffs
    return Campaigns(
        cutoff=np.repeat(np.arange(cutoffs, dtype=np.int32), 4 * copies),
        customer=np.tile(np.arange(4 * copies), cutoffs),
        p_churn=np.resize([0.5, 0.4, 0.2, 0.1], rows),
        value_if_buys=np.resize([100.0, 50.0, 50.0, 10.0], rows),
        churned=np.resize(churned, rows),
        value=np.full(rows, value),
    )


def advised(given, economics=TENTH):
    return advise(given, economics, n=100, seed=7)


def points(advice):
    return [(point.contacts, point.profit.value) for point in advice.curve]


def test_the_curve_adds_up_what_contacts_cost_and_what_churners_bring():
    advice = advised(campaigns())
    # +10 - 2, -2, +5 - 2, -2
    assert points(advice) == pytest.approx([(0, 0), (1, 8), (2, 6), (3, 9), (4, 7)])
    assert [p.threshold for p in advice.curve] == pytest.approx([None, 50, 20, 10, 1])


def test_the_advised_threshold_earns_most_less_the_optimism():
    advice = advised(campaigns())
    assert advice.threshold == pytest.approx(10)
    assert advice.advised.contacts == 3
    assert advice.advised.profit.value + advice.optimism == pytest.approx(9)
    assert advice.optimism > 0
    assert advice.break_even.threshold == pytest.approx(20)
    assert (advice.break_even.contacts, advice.break_even.profit.value) == pytest.approx((2, 6))
    assert (advice.everybody.contacts, advice.everybody.profit.value) == pytest.approx((4, 7))
    assert advice.over_everybody.value == pytest.approx(2 - advice.optimism)
    assert advice.over_break_even.value == pytest.approx(3 - advice.optimism)


def test_figures_are_those_of_one_campaign_however_many_cutoffs_there_were():
    assert points(advised(campaigns(cutoffs=3))) == pytest.approx(points(advised(campaigns())))


def test_capacity_holds_at_every_cutoff():
    advice = advised(campaigns(200, cutoffs=2), replace(TENTH, capacity=300))
    # 200 with 50 at risk, who all churned, then 100 with 20, none of whom did: better without them
    assert (advice.threshold, advice.advised.contacts) == (50, 200)
    assert advice.everybody.contacts == 300
    assert advice.everybody.profit.value == pytest.approx(200 * 8 - 100 * 2)
    assert advice.curve[-1].contacts == advice.candidates == 800


def test_of_customers_drawn_from_all_the_figures_are_those_of_all():
    few, all_of_them = campaigns(50, cutoffs=2), campaigns(200, cutoffs=2)
    economics = replace(TENTH, capacity=300)
    drawn = advise(few, economics, n=100, seed=7, weight=4.0)
    whole = advised(all_of_them, economics)
    assert points(drawn) == pytest.approx(points(whole))
    assert (drawn.threshold, drawn.verdict) == (whole.threshold, whole.verdict)
    assert drawn.advised.contacts == 200
    assert drawn.everybody.contacts == 300  # the capacity is not the sample's
    assert drawn.candidates == 800
    assert drawn.advised.profit.high - drawn.advised.profit.low > (
        whole.advised.profit.high - whole.advised.profit.low
    )


def test_where_capacity_ends_before_profit_does_it_is_the_limit():
    advice = advised(campaigns(200), replace(TENTH, capacity=100))
    assert (advice.verdict, advice.threshold, advice.advised.contacts) == ("capacity", 50, 100)
    assert advice.advised.profit.value + advice.optimism == pytest.approx(100 * 8)


def test_a_free_contact_leaves_out_nobody_with_value_at_risk():
    given = campaigns(100)
    given.value_if_buys[-4:] = 0.0
    advice = advised(given, replace(TENTH, contact_cost=0.0))
    assert advice.verdict == "everybody"
    assert advice.advised.contacts == advice.candidates == 396
    assert advice.threshold == 1


def test_where_nothing_pays_nobody_is_advised():
    advice = advised(campaigns(50, churned=[False] * 4))
    assert advice.verdict == "never"
    assert (advice.threshold, advice.threshold_low, advice.threshold_high) == (None, None, None)
    assert (advice.advised.contacts, advice.advised.profit.value) == (0, 0)
    (told,) = whom_to_act_on(advice)
    assert told.startswith("Acting on nobody is advised")


def test_a_profit_that_four_customers_show_is_not_shown():
    advice = advised(campaigns())
    assert advice.verdict == "unsure"
    assert "not shown to be more than nothing" in next(whom_to_act_on(advice))


def test_a_threshold_that_is_no_surer_than_acting_on_all_is_flat():
    given = campaigns(100, churned=[True] * 4)
    given.churned[3::4] = np.arange(100) < 98  # 1 at risk brings .1 x 10 = 1 and costs .99
    advice = advised(given, replace(TENTH, contact_cost=0.99))
    assert advice.verdict == "flat"
    assert advice.over_everybody.low <= 0
    assert [*whom_to_act_on(advice)][1].endswith("which is no clear difference.")


def test_a_threshold_that_is_surely_better_than_acting_on_all_pays():
    advice = advised(campaigns(200))
    assert advice.verdict == "pays"
    assert (advice.threshold, advice.threshold_low) == (10, 10)
    assert advice.over_everybody.low > 0
    assert "no clear difference" not in [*whom_to_act_on(advice)][1]


@pytest.mark.parametrize("churned", [(True, False, True, False), (False,) * 4])
def test_the_advice_comes_back_from_its_plain_values(churned):
    advice = advised(campaigns(20, churned=churned, value=40.0))
    plain = json.loads(json.dumps(advice.to_dict(), allow_nan=False))
    assert Advice.from_dict(plain) == advice


def test_how_far_the_value_of_buyers_was_off_is_told():
    advice = advised(campaigns(20, value=40.0))
    assert advice.value_bias == pytest.approx((50 + 10) / (40 + 40) - 1)
    assert "−25.0 %" in [*whom_to_act_on(advice)][-1]
    assert np.isnan(advised(campaigns(20)).value_bias)


def test_nobody_with_value_at_risk_is_nobody_to_act_on():
    given = campaigns(5)
    given.value_if_buys[:] = 0.0
    advice = advised(given)
    assert (advice.verdict, advice.candidates, len(advice.curve)) == ("never", 0, 1)
