"""The time to the next purchase day, on gaps few enough to work out by hand."""

import numpy as np
import pytest

from portfolio_ml.repurchase import RepurchaseTimes, repurchase_times

pytestmark = pytest.mark.unit


def times(*gaps: tuple[float, float, bool]) -> RepurchaseTimes:
    """The estimate from gaps given as (days, weight, whether a purchase ended it)."""
    days, weight, is_closed = zip(*gaps, strict=True) if gaps else ((), (), ())
    return repurchase_times(
        np.array(days, float), np.array(weight, float), np.array(is_closed, bool)
    )


class TestTheEstimate:
    def test_of_closed_gaps_is_their_share(self):
        found = times((7, 1, True), (7, 1, True), (14, 1, True), (30, 1, True))
        assert found.days.tolist() == [7, 14, 30]
        assert found.returned == pytest.approx([0.5, 0.75, 1.0])

    def test_takes_an_open_gap_out_of_those_at_risk_after_its_length(self):
        # at 7 days 1 of 3 returned, at 14 days 1 of the 1 whom 10 open days have left at risk
        found = times((7, 1, True), (10, 1, False), (14, 1, True))
        assert found.returned == pytest.approx([1 / 3, 1.0])

    def test_counts_an_open_gap_of_the_same_length_as_still_at_risk(self):
        found = times((7, 1, True), (7, 1, False))
        assert found.returned == pytest.approx([0.5])

    def test_levels_off_where_the_longest_gap_is_open(self):
        # 1 of 4 returned, then 1 of the 3 left: 3/4 of 2/3 stay away
        found = times((7, 1, True), (14, 1, True), (90, 1, False), (99, 1, False))
        assert found.returned == pytest.approx([1 / 4, 1 / 2])

    def test_weighs_gaps(self):
        # a daily buyer's four gaps of weight 1/4 against one customer's of weight 1
        found = times(*[(1, 0.25, True)] * 4, (30, 1, True))
        assert found.returned == pytest.approx([0.5, 1.0])

    def test_does_not_mind_the_order(self):
        gaps = [(14, 1, True), (7, 2, False), (7, 1, True), (21, 0.5, True)]
        one, other = times(*gaps), times(*reversed(gaps))
        assert one.days.tolist() == other.days.tolist()
        assert one.returned == pytest.approx(other.returned)

    @pytest.mark.parametrize("gaps", [(), ((30, 1, False),)])
    def test_of_no_closed_gap_is_empty(self, gaps):
        found = times(*gaps)
        assert found.days.size == found.returned.size == 0


class TestAPercentile:
    found = times((7, 1, True), (14, 1, True), (21, 1, True), (28, 1, True), (99, 4, False))

    @pytest.mark.parametrize(
        ("share", "days"), [(0.0, 7), (0.25, 7), (0.26, 14), (0.5, 14), (0.9, 28), (1.0, 28)]
    )
    def test_is_that_of_those_who_return(self, share, days):
        assert self.found.returned[-1] == pytest.approx(0.5)
        assert self.found.percentile(share) == days

    def test_is_none_where_nobody_returned(self):
        assert times((30, 1, False)).percentile(0.9) is None
