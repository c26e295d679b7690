"""The season of a portfolio's purchases: found where years repeat it, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
from tests.histories import Line, after, day_of, history_of

from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.season import (
    PARTS,
    YEAR_DAYS,
    Season,
    fit_season,
    period_paces,
    seasons,
    whole_years,
)
from portfolio_ml.timeline import Span

pytestmark = pytest.mark.unit

DAY = 20_000
HALVES = (1.5,) * 6 + (0.5,) * 6  # half a year fast, half a year slow
NEVER = (1.0,) * PARTS
RATES = 2.0 / (1 + np.arange(10 * PARTS))  # purchases of a customer at an age, in twelfths


def bought(customers, pace):
    """What so many customers buy, without any chance: by when they came and when they buy."""
    parts = np.arange(len(customers))
    age = parts[None, :] - parts[:, None]
    rate = np.where(age >= 0, RATES[np.maximum(age, 0)], 0.0)
    return np.asarray(customers)[:, None] * rate * np.asarray(pace)[None, :]


def season_of(customers, pace, years=2):
    """The season that a portfolio of whole years shows."""
    customers = np.asarray(customers, float)
    return fit_season(customers, bought(customers, pace), day=DAY, years=years)


EVENLY = np.full(2 * PARTS, 500.0)
GROWING = 500.0 * 1.15 ** np.arange(2 * PARTS)


class TestElapsed:
    """Days as the season's clock counts them."""

    SEASON = Season(DAY, HALVES, years=2, p_value=0.01)

    @pytest.mark.parametrize(
        ("first", "last", "spent"),
        [
            (0, 10, 15),  # ten fast days
            (200, 210, 5),  # ten slow ones
            (-10, 10, 5 + 15),  # the slow half year ends with the history
            (-365, 0, 365),
            (-730, 365, 3 * 365),
            (7, 7, 0),
        ],
    )
    def test_is_worked_out_by_hand(self, first, last, spent):
        first, last = DAY + np.array([float(first)]), DAY + np.array([float(last)])
        assert self.SEASON.elapsed(first, last) == pytest.approx([spent])

    def test_is_the_calendar_without_a_season(self):
        flat = replace(self.SEASON, pace=NEVER)
        first = DAY + np.linspace(-900, 900, 7)
        assert flat.elapsed(first, first + 33) == pytest.approx(np.full(7, 33))

    @pytest.mark.parametrize("pace", [(1.0,) * 11, (0.0, *NEVER[1:]), (np.nan, *NEVER[1:])])
    def test_needs_twelve_paces_above_zero(self, pace):
        with pytest.raises(ValueError, match="12 paces above 0"):
            replace(self.SEASON, pace=pace)

    def test_survives_json(self):
        assert Season.from_dict(self.SEASON.to_dict()) == self.SEASON


class TestPeriodPaces:
    """What the time alone does, beside growth and age."""

    def test_growth_and_ageing_are_no_pace(self):
        customers = 1e6 * np.array([1.0, 2.0, 8.0, 1.0])
        assert period_paces(customers, bought(customers, np.ones(4))) == pytest.approx(1, abs=1e-3)

    def test_the_pace_of_a_period_is_recovered(self):
        customers = 1e6 * np.array([1.0, 2.0, 8.0, 1.0])
        found = period_paces(customers, bought(customers, [1.0, 1.0, 1.5, 0.5]))
        assert found / found[0] == pytest.approx([1.0, 1.0, 1.5, 0.5], rel=1e-3)

    def test_empty_periods_are_no_error(self):
        nothing = np.zeros((3, 3))
        assert period_paces(np.array([5.0, 0, 0]), nothing) == pytest.approx(1, abs=1e-9)


class TestFitting:
    """A season is believed where years repeat it."""

    @pytest.mark.parametrize("customers", [EVENLY, GROWING], ids=["even", "growing"])
    def test_a_season_that_two_years_repeat_is_recovered(self, customers):
        season = season_of(customers, HALVES * 2)
        assert season.p_value < 0.02
        assert season.years == 2
        assert season.day == DAY
        assert np.mean(season.pace) == pytest.approx(1)
        assert season.pace == pytest.approx(HALVES, rel=0.12)

    @pytest.mark.parametrize("customers", [EVENLY, GROWING], ids=["even", "growing"])
    def test_an_even_year_has_none(self, customers):
        assert season_of(customers, NEVER * 2) is None

    def test_a_yearly_wave_of_new_customers_is_none(self):
        assert season_of(np.tile([900.0] * 6 + [100.0] * 6, 2), NEVER * 2) is None

    def test_a_straight_trend_is_none(self):
        assert season_of(EVENLY, np.exp(np.arange(2 * PARTS) / PARTS)) is None

    def test_a_wave_of_one_year_alone_is_none(self):
        assert season_of(EVENLY, HALVES + NEVER) is None

    def test_the_second_year_may_not_contradict_the_first(self):
        assert season_of(EVENLY, HALVES + HALVES[::-1]) is None

    def test_where_all_came_at_once_time_and_age_cannot_be_told_apart(self):
        assert season_of([5000.0] + [0.0] * (2 * PARTS - 1), HALVES * 2) is None

    def test_few_purchases_show_none(self):
        assert season_of(EVENLY / 500, HALVES * 2) is None

    def test_more_years_show_a_weaker_one(self):
        weak = tuple(1 + 0.12 * (np.array(HALVES) - 1))
        customers = np.full(4 * PARTS, 500.0)
        assert season_of(customers[: 2 * PARTS], weak * 2) is None
        found = season_of(customers, weak * 4, years=4)
        assert found.pace == pytest.approx(weak, rel=0.02)

    def test_a_year_may_lack_its_first_weeks(self):
        short = 2 * PARTS - 1
        found = season_of(EVENLY[:short], (HALVES * 2)[1:])
        assert found.pace == pytest.approx(HALVES, rel=0.12)


def test_years_count_from_the_end_and_five_are_enough():
    assert whole_years(Span(1, 2 * YEAR_DAYS)) == 2
    assert whole_years(Span(1, 20 * YEAR_DAYS)) == 5


# From a history

WEEKS = 2 * 52 + 4


def seasonal_lines():
    """A customer comes every other week, and buys thrice as often in a year's first half."""
    return [
        Line(f"{customer}", after(7 * week + customer % 7), 10.0)
        for customer in range(WEEKS // 2)
        for week in range(2 * customer, WEEKS)
        if week == 2 * customer or (7 * week) % YEAR_DAYS < YEAR_DAYS / 2 or week % 3 == 0
    ]


LINES = seasonal_lines()
LAST = day_of(after(7 * WEEKS))


def found(engine, lines, *days):
    return seasons(inputs_of(history_of(engine, lines), engine), days)


def test_a_history_of_two_years_shows_its_season(engine):
    season = found(engine, LINES, LAST)[LAST]
    ahead, behind = season.pace[:5], season.pace[6:10]
    assert min(ahead) > 2 * max(behind)


def test_counts_are_those_of_a_plain_loop(engine):
    came, customers, purchases = {}, np.zeros(25), np.zeros((25, 25))
    for line in LINES:
        part = 24 - (LAST - line.day) * PARTS // YEAR_DAYS
        if line.customer in came:
            purchases[came[line.customer], part] += 1
        else:
            came[line.customer] = part
            customers[part] += 1
    expected = fit_season(customers, purchases, day=LAST, years=2)
    assert found(engine, LINES, LAST) == {LAST: expected}


def test_what_comes_after_the_day_changes_nothing(engine):
    earlier = [line for line in LINES if line.day <= LAST - 20]
    assert len(earlier) < len(LINES)
    assert found(engine, LINES, LAST - 20) == found(engine, earlier, LAST - 20) != {}


def test_less_than_two_years_show_nothing(engine):
    assert found(engine, LINES, LAST - 100, day_of(after(300))) == {}


@pytest.mark.parametrize("years_ago", [4, 50])
def test_a_lone_line_of_long_ago_makes_no_years_of_the_time_between(engine, years_ago):
    lone = Line("lone", after(-years_ago * YEAR_DAYS), 10.0)
    season = found(engine, [lone, *LINES], LAST)[LAST]
    expected = found(engine, LINES, LAST)[LAST]
    assert (season.years, season.pace) == (2, pytest.approx(expected.pace, rel=0.01))


@pytest.mark.parametrize("years_ago", [4, 50])
def test_a_lone_line_of_long_ago_makes_no_season(engine, years_ago):
    rng = np.random.default_rng(0)
    lone = Line("lone", after(-years_ago * YEAR_DAYS), 10.0)
    steady = [
        Line(f"{customer}", after(int(day)), 10.0)
        for customer in range(200)
        for day in np.cumsum(rng.exponential(30, 30))
        if day < 900
    ]
    assert found(engine, [lone, *steady], day_of(after(890))) == {}


def test_a_day_on_which_no_purchase_was_known_yet_shows_nothing(engine):
    late = [line._replace(recorded=after(7 * WEEKS)) for line in LINES]
    assert found(engine, late, LAST - 1) == {}
    assert found(engine, late, LAST - 1, LAST) == found(engine, LINES, LAST) != {}
