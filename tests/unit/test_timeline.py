"""The as-of day and its edges."""

from datetime import date

import narwhals as nw
import pyarrow as pa
import pytest

from portfolio_ml.timeline import (
    Span,
    cutoffs,
    in_history,
    in_outcome,
    in_window,
    is_among_last,
    snapshots,
    to_date,
    to_day,
    touched,
)

pytestmark = pytest.mark.unit


def judged(expression: nw.Expr, **columns: list[int | None]) -> list[bool | None]:
    """What the expression says of each row."""
    frame = nw.from_native(pa.table({k: pa.array(v, pa.int32()) for k, v in columns.items()}))
    return frame.select(is_so=expression)["is_so"].to_list()


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (date(1970, 1, 1), 0),
        (date(1969, 12, 31), -1),
        (date(1900, 1, 1), -25567),
        (date(2000, 3, 1), 11017),  # 2000 was a leap year
    ],
)
def test_a_day_counts_from_the_epoch(value, day):
    assert to_day(value) == day
    assert to_date(day) == value


def test_history_ends_with_the_as_of_day():
    assert judged(in_history(nw.col("day"), 10), day=[9, 10, 11]) == [True, True, False]


def test_history_may_end_on_another_day_in_every_row():
    shown = judged(in_history(nw.col("day"), nw.col("as_of")), day=[5, 5], as_of=[4, 5])
    assert shown == [False, True]


def test_a_window_holds_the_as_of_day_and_so_many_days_in_all():
    shown = judged(in_window(nw.col("age"), 3), age=[-1, 0, 2, 3])
    assert shown == [False, True, True, False]


def test_the_outcome_begins_after_the_as_of_day_and_ends_with_the_horizon():
    shown = judged(in_outcome(nw.col("day"), 10, 5), day=[10, 11, 15, 16])
    assert shown == [False, True, True, False]


def test_an_event_is_among_the_last_where_its_kth_successor_is_not_in_history():
    shown = judged(is_among_last(nw.col("later"), 10), later=[None, 11, 10, 9])
    assert shown == [True, True, False, False]


def test_a_span_counts_both_its_ends():
    assert Span(5, 5).days == 1


class TestCutoffs:
    def test_are_one_horizon_apart_and_leave_the_last_outcome_whole(self):
        assert cutoffs(Span(0, 1000), 90, 3, min_history_days=1) == (730, 820, 910)

    def test_keep_one_with_just_enough_history(self):
        assert cutoffs(Span(0, 100), 10, 1, min_history_days=91) == (90,)

    def test_leave_out_one_with_a_day_too_little(self):
        assert cutoffs(Span(0, 100), 10, 1, min_history_days=92) == ()


class TestSnapshots:
    def test_end_where_the_outcome_is_just_known(self):
        found = snapshots(0, 300, 90, count=1, step_days=30, min_history_days=1)
        assert found == (210,)

    def test_are_a_step_apart_and_ascending(self):
        found = snapshots(0, 300, 90, count=3, step_days=7, min_history_days=1)
        assert found == (196, 203, 210)

    def test_are_fewer_where_history_is_short(self):
        found = snapshots(150, 300, 90, count=9, step_days=30, min_history_days=31)
        assert found == (180, 210)


class TestExcludedPeriods:
    @pytest.mark.parametrize(
        ("period", "is_touched"),
        [
            (Span(1, 10), False),
            (Span(10, 11), True),
            (Span(12, 13), True),
            (Span(15, 99), True),
            (Span(16, 99), False),
        ],
    )
    def test_touch_a_window_that_has_one_of_their_days(self, period, is_touched):
        assert bool(touched(10, 5, [period])) is is_touched

    def test_make_a_snapshot_give_way_to_an_earlier_one(self):
        found = snapshots(
            0, 300, 90, count=3, step_days=30, min_history_days=1, excluded=[Span(210, 220)]
        )
        assert found == (30, 60, 90)

    def test_may_leave_no_snapshot(self):
        everything = [Span(-1_000, 1_000)]
        assert (
            snapshots(0, 300, 90, count=3, step_days=30, min_history_days=1, excluded=everything)
            == ()
        )

    def test_make_a_cutoff_step_back_and_those_before_it_follow(self):
        found = cutoffs(Span(0, 1000), 90, 3, min_history_days=1, excluded=[Span(950, 960)])
        assert found == (679, 769, 859)

    def test_make_a_cutoff_jump_over_several(self):
        periods = [Span(950, 960), Span(870, 870)]
        assert cutoffs(Span(0, 1000), 90, 1, min_history_days=1, excluded=periods) == (779,)

    def test_leave_a_cutoff_whose_window_they_follow(self):
        assert cutoffs(Span(0, 1000), 90, 1, min_history_days=1, excluded=[Span(0, 910)]) == (910,)
