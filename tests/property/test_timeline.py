"""What holds for every history, horizon and step."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio_ml.timeline import Span, cutoffs, snapshots, to_date, to_day, touched

pytestmark = pytest.mark.property

days = st.integers(-40_000, 40_000)
lengths = st.integers(0, 3_000)
horizons = st.integers(1, 400)
counts = st.integers(1, 12)


@given(st.dates())
def test_a_date_survives_as_a_day(value):
    assert to_date(to_day(value)) == value


@given(st.dates(), st.dates())
def test_days_are_as_far_apart_as_their_dates(one, other):
    assert to_day(one) - to_day(other) == (one - other).days


@given(st.integers(to_day(date.min), to_day(date.max)))
def test_a_day_survives_as_a_date(day):
    assert to_day(to_date(day)) == day


@given(first=days, length=lengths, horizon=horizons, count=counts, least=st.integers(1, 1_000))
def test_cutoffs_have_their_history_and_whole_outcomes_that_do_not_overlap(
    first, length, horizon, count, least
):
    span = Span(first, first + length)
    found = cutoffs(span, horizon, count, min_history_days=least)
    assert len(found) <= count
    assert all(later - earlier == horizon for earlier, later in pairwise(found))
    assert all(first + least - 1 <= day <= span.last_day - horizon for day in found)


@given(first=days, length=lengths, horizon=horizons, count=counts, step=st.integers(1, 90))
def test_snapshots_are_never_nearer_than_the_horizon_to_what_is_known(
    first, length, horizon, count, step
):
    known = first + length
    found = snapshots(first, known, horizon, count=count, step_days=step, min_history_days=1)
    assert all(first <= day <= known - horizon for day in found)
    assert all(later - earlier == step for earlier, later in pairwise(found))


@st.composite
def histories_with_periods(draw: st.DrawFn) -> tuple[Span, list[Span]]:
    """A history, and excluded periods in and around it."""
    length = draw(lengths)
    starts, durations = st.integers(-100, length + 100), st.integers(0, 200)
    periods = draw(st.lists(st.tuples(starts, durations), max_size=4))
    return Span(0, length), [Span(start, start + more) for start, more in periods]


@given(known=histories_with_periods(), horizon=horizons, count=counts, step=st.integers(1, 90))
def test_no_snapshots_outcome_has_a_day_of_an_excluded_period(known, horizon, count, step):
    span, excluded = known
    found = snapshots(
        0,
        span.last_day,
        horizon,
        count=count,
        step_days=step,
        min_history_days=1,
        excluded=excluded,
    )
    left_out = {day for period in excluded for day in range(period.first_day, period.last_day + 1)}
    possible = [
        day
        for day in range(span.last_day - horizon, -1, -step)
        if not left_out & {*range(day + 1, day + horizon + 1)}
    ]
    assert found == tuple(reversed(possible[:count]))


@given(known=histories_with_periods(), horizon=horizons, count=counts, least=st.integers(1, 1_000))
def test_cutoffs_are_the_latest_whose_outcomes_have_no_day_of_an_excluded_period(
    known, horizon, count, least
):
    span, excluded = known
    found = cutoffs(span, horizon, count, min_history_days=least, excluded=excluded)
    expected, day = [], span.last_day - horizon
    while day >= least - 1 and len(expected) < count:
        if touched(day, horizon, excluded):
            day -= 1
        else:
            expected.append(day)
            day -= horizon
    assert found == tuple(reversed(expected))
