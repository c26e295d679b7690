"""Shares, how sure they are, and how they differ."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from portfolio_ml.portfolio.keeping.proportions import Proportion, difference, lift


@st.composite
def proportions(draw: st.DrawFn, *, smallest: int = 1) -> Proportion:
    whole = draw(st.integers(smallest, 500))
    return Proportion(draw(st.integers(0, whole)), whole)


def test_newcombes_own_example_comes_out_at_his_confidence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Newcombe (1998), table II, method 10: 56/70 - 48/80, 95 %.
    monkeypatch.setattr("portfolio_ml.portfolio.keeping.proportions.CONFIDENCE", 0.95)

    found = difference([(Proportion(56, 70), Proportion(48, 80))])

    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_an_empty_side_says_nothing() -> None:
    full = (Proportion(3, 10), Proportion(1, 10))

    assert isnan(difference([(Proportion(3, 10), Proportion(0, 0))]).value)
    assert difference([full, (Proportion(9, 9), Proportion(0, 0))]) == difference([full])
    assert isnan(lift(Proportion(3, 10), Proportion(0, 10)).value)
    assert isnan(lift(Proportion(0, 0), Proportion(1, 10)).value)


def test_likes_are_compared_with_likes() -> None:
    # Taken together, 55 of 110 against 55 of 110: no difference. Within each pair there is one.
    strata = [(Proportion(50, 100), Proportion(4, 10)), (Proportion(5, 10), Proportion(51, 100))]

    found = difference(strata)

    assert found.value == pytest.approx((0.1 - 0.01) / 2)


@given(proportions(), proportions())
def test_an_interval_holds_its_share(a: Proportion, b: Proportion) -> None:
    low, high = a.interval
    found = difference([(a, b)])

    assert 0 <= low <= a.share <= high <= 1
    assert -1 <= found.low <= found.value <= found.high <= 1


@given(proportions(), proportions())
def test_sides_that_change_places_change_the_sign(a: Proportion, b: Proportion) -> None:
    one, other = difference([(a, b)]), difference([(b, a)])

    assert one.value == pytest.approx(-other.value)
    assert one.low == pytest.approx(-other.high)


@given(proportions(), st.integers(1, 5))
def test_parts_of_one_pair_join_to_a_surer_whole(a: Proportion, parts: int) -> None:
    b = Proportion(a.whole - a.part, a.whole)
    whole = difference([(a, b)] * parts)

    assert whole.value == pytest.approx(difference([(a, b)]).value)
    assert whole.high - whole.low <= difference([(a, b)]).high - difference([(a, b)]).low + 1e-12


def test_a_lift_is_that_of_scipy() -> None:
    found = lift(Proportion(12, 40), Proportion(6, 60))
    ratio = stats.contingency.relative_risk(12, 40, 6, 60)

    assert found.value == pytest.approx(3.0)
    assert found.low == pytest.approx(ratio.confidence_interval(0.9).low)


@pytest.mark.parametrize(("part", "whole"), [(0, 7), (3, 7), (7, 7), (120, 1000)])
def test_an_interval_is_wilsons(part: int, whole: int) -> None:
    known = stats.binomtest(part, whole).proportion_ci(0.9, method="wilson")

    assert Proportion(part, whole).interval == pytest.approx((known.low, known.high))
