"""How long each account buys: who leaves, cools down, is contacted, and comes back.

The history is walked month by month, because what we do depends on what was seen by then: a
win-back campaign goes to accounts that have not bought for a while, some of which are only slow.
"""

from dataclasses import dataclass

import numpy as np

from portfolio_ml.datasets.b2b.accounts import (
    CYCLES,
    MEAN_SATISFACTION,
    SHORTEST_GAP_DAYS,
    Accounts,
)
from portfolio_ml.datasets.b2b.days import Bools, Floats, Ints, day_reached
from portfolio_ml.datasets.b2b.world import World

MONTH_DAYS = 30
WARNING_DAYS = 60  # satisfaction falls for so long before an account cools down
COOLING_DAYS = 180
LAPSED_DAYS = 120  # without an order, for a campaign
CAMPAIGN_MONTHS = 3
GIVEN_UP_DAYS = 900
REST_DAYS = 270  # between two contacts of one account
RETURN_DAYS = 90
RETURNED_PACE = 0.8
HALF_YEAR = 182
CYCLE_JITTER = 0.06  # standard deviation of a cycle, as a share of it
UPLIFT_BY_RELATIONSHIP = (1.75, 1.1, 0.5)
PEAK = 150  # the day of the year on which accounts order most, and how much later a segment does
PEAK_LATER = (10, -50, 40, 180, 160)


@dataclass(frozen=True, slots=True)
class Treatments:
    """The contacts of the win-back campaigns, one element each.

    Attributes:
        row, day: Whom, and when.
        held_out: Whether the account was left alone.
        uplift: The probability of a return within 90 days that a contact adds; 0 for an account
            that had not left.
        returned: Whether it came back within 90 days, asked or not.
    """

    row: Ints
    day: Ints
    held_out: Bools
    uplift: Floats
    returned: Bools


@dataclass(frozen=True, slots=True)
class Lives:
    """What became of the accounts; days count from the history's first one.

    Attributes:
        alive: Whether an account is a customer, on every day: a row per account.
        cooling: How far it has cooled down, from 0 to 1, on every day.
        satisfaction: 1 to 5, on every day.
        clock: The days of its usual pace that have passed by the end of each day, season and
            cooling taken into account.
        steady_clock: The same without the season.
        marks, steady_marks: What the clocks show at each order: a row per account.
        treatments: The win-back contacts.
        spells: account, start, end and beginning of the cooling of each time as a customer; the
            end and the cooling are infinite where there is none by the last day.
    """

    alive: Bools
    cooling: Floats
    satisfaction: Floats
    clock: Floats
    steady_clock: Floats
    marks: Floats
    steady_marks: Floats
    treatments: Treatments
    spells: Floats


def lived(world: World, accounts: Accounts) -> Lives:
    """What became of the accounts of a world."""
    walk = _Walk(world, accounts)
    for month, begin in enumerate(range(0, world.days, MONTH_DAYS)):
        end = min(begin + MONTH_DAYS, world.days)
        walk.arrive(end)
        walk.leave(begin, end)
        if month % CAMPAIGN_MONTHS == 1:
            walk.win_back(begin)
        walk.come_back(begin, end)
        walk.pass_days(begin, end)
    return walk.lives()


def season_of(world: World) -> Floats:
    """The pace of orders on every day by segment, 1 over a year: a row per segment."""
    day_of_year = (np.arange(world.days) + world.first_day + 0.5) % 365.25
    peak = PEAK + world.attribute_effect * np.array(PEAK_LATER)[:, None]
    turns = 2 * np.pi * (day_of_year - peak) / 365.25
    quiet = np.where((day_of_year > 357) | (day_of_year < 5), 0.4, 1.0)  # over the holidays
    pace: Floats = (1 + world.season * np.cos(turns)) * quiet
    return pace


def response_of(world: World, accounts: Accounts) -> Floats:
    """The probability of a return that a contact adds, by account."""
    uplift: Floats = world.response_uplift * np.array(UPLIFT_BY_RELATIONSHIP)[accounts.relationship]
    return np.minimum(uplift, 0.9)


def order_marks(world: World, accounts: Accounts) -> tuple[Floats, Floats]:
    """What each account's clocks show at its orders, and at its reorders of a steady cycle.

    Gaps of the account's own regularity, added up; accounts without a cycle reorder never.
    """
    chance = world.chance("rhythm")
    count = int(2 * world.days / SHORTEST_GAP_DAYS) + 30  # enough for the liveliest season
    regularity = np.exp(chance.uniform(np.log(1.5), np.log(8.0), world.accounts))[:, None]
    gaps = chance.gamma(regularity, accounts.gap[:, None] / regularity, (world.accounts, count))
    begin = chance.random(world.accounts) * accounts.gap
    gaps[:, 0] = np.where(accounts.signup < 0, begin, 1e-6)
    cycle = accounts.cycle[:, None]
    jitter = chance.normal(1.0, CYCLE_JITTER, (world.accounts, world.days // min(CYCLES) + 3))
    steps = cycle * np.clip(jitter, 0.5, 1.5)
    steps[:, 0] *= 1.0 - chance.random(world.accounts)
    return np.cumsum(gaps, axis=1), np.cumsum(steps, axis=1)


class _Walk:
    """The state of all accounts on the way through the history."""

    def __init__(self, world: World, accounts: Accounts) -> None:
        n, days = world.accounts, world.days
        self._world, self._accounts = world, accounts
        self._chance = {part: world.chance(part) for part in ("leaving", "return", "campaign")}
        self._start, self._stop, self._cools, self._returns = np.full((4, n), np.inf)
        self._contacted, self._pace = np.full(n, -np.inf), np.ones(n)
        self._alive = np.zeros((n, days), bool)
        self._cooling, self._fallen = np.zeros((n, days)), np.zeros((n, days))
        self._clock, self._steady_clock = np.zeros((n, days)), np.zeros((n, days))
        self._marks, self._steady_marks = order_marks(world, accounts)
        self._season = season_of(world)
        self._response = response_of(world, accounts)
        self._treated: list[tuple[Ints, Ints, Bools, Floats]] = []
        self._spells: list[Floats] = []

    def arrive(self, end: int) -> None:
        """Who signed up before `end` becomes a customer."""
        comes = np.isinf(self._start) & (self._accounts.signup < end)
        self._start[comes] = np.maximum(self._accounts.signup[comes], 0)

    def leave(self, begin: int, end: int) -> None:
        """Some leave without a sign, others begin to cool down."""
        world, accounts = self._world, self._accounts
        draws = self._chance["leaving"].random((4, world.accounts))
        is_settled = np.isfinite(self._start) & np.isinf(self._stop)
        unsatisfied = MEAN_SATISFACTION - accounts.satisfaction
        years = (end - begin) / 365.25 * np.exp(world.satisfaction_effect * unsatisfied)
        is_young = begin - accounts.signup < HALF_YEAR
        leaves = is_settled & (draws[0] < 1 - np.exp(-world.churn_rate * (1 + is_young) * years))
        cools = is_settled & ~leaves & (draws[1] < 1 - np.exp(-world.cooling_rate * years))
        moment = np.maximum(begin, self._start) + draws[2:] * (end - begin)
        self._stop[leaves] = np.ceil(moment[0][leaves])
        self._cools[cools] = np.ceil(moment[1][cools]) + WARNING_DAYS
        self._stop[cools] = self._cools[cools] + COOLING_DAYS

    def win_back(self, day: int) -> None:
        """A campaign to those who have not bought for long; some of them are left alone."""
        draws = self._chance["campaign"].random((3, self._world.accounts))
        silent = self._silent_days(day)
        is_asked = (silent >= LAPSED_DAYS) & (silent < GIVEN_UP_DAYS)
        rows = np.flatnonzero(is_asked & (day - self._contacted >= REST_DAYS))
        held_out = draws[0][rows] < self._world.held_out_share
        uplift = np.where(self._stop[rows] <= day, self._response[rows], 0.0)
        responds = rows[~held_out & (draws[1][rows] < uplift)]
        self._returns[responds] = np.ceil(day + 3 + draws[2][responds] * (RETURN_DAYS - 10))
        self._contacted[rows] = day
        self._treated.append((rows, np.full(len(rows), day), held_out, uplift))

    def come_back(self, begin: int, end: int) -> None:
        """Those who decided to, asked or not, are customers again, and order on that day."""
        draws = self._chance["return"].random((2, self._world.accounts))
        likely = 1 - np.exp(-self._world.return_rate * (end - begin) / 365.25)
        unasked = (self._stop <= begin) & np.isinf(self._returns) & (draws[0] < likely)
        self._returns[unasked] = np.floor(begin + draws[1][unasked] * (end - begin))
        rows = np.flatnonzero(self._returns < end)
        self._end_spells(rows)
        self._start[rows], self._pace[rows] = self._returns[rows], RETURNED_PACE
        self._stop[rows] = self._cools[rows] = self._returns[rows] = np.inf
        if begin:
            _order_now(self._marks, self._clock[:, begin - 1], rows)

    def pass_days(self, begin: int, end: int) -> None:
        """The clocks go on, by the pace of each day."""
        day, now = np.arange(begin, end), slice(begin, end)
        alive = (day >= self._start[:, None]) & (day < self._stop[:, None])
        since = day - self._cools[:, None]
        cooling = np.where(alive, np.clip(since / COOLING_DAYS, 0, 1), 0.0)
        pace = alive * self._pace[:, None] * (1 - self._world.cooling_depth * cooling)
        pace *= self._accounts.buys[:, None]
        season = self._season[self._accounts.segment[:, now], day]
        for clock, steps in ((self._clock, pace * season), (self._steady_clock, pace)):
            before = clock[:, begin - 1] if begin else np.zeros(len(clock))
            clock[:, now] = before[:, None] + np.cumsum(steps, axis=1)
        self._alive[:, now], self._cooling[:, now] = alive, cooling
        self._fallen[:, now] = alive * np.clip(1 + since / WARNING_DAYS, 0, 1)

    def lives(self) -> Lives:
        """What became of everybody."""
        self._end_spells(np.flatnonzero(np.isfinite(self._start)))
        spells = np.concatenate(self._spells)
        spells[:, 2:][spells[:, 2:] >= self._world.days] = np.inf
        usual = self._accounts.satisfaction[:, None]
        return Lives(
            alive=self._alive,
            cooling=self._cooling,
            satisfaction=np.clip(usual - self._world.satisfaction_drop * self._fallen, 1.0, 5.0),
            clock=self._clock,
            steady_clock=self._steady_clock,
            marks=self._marks,
            steady_marks=self._steady_marks,
            treatments=_treatments(self._treated, spells),
            spells=spells[np.lexsort((spells[:, 1], spells[:, 0]))],
        )

    def _end_spells(self, rows: Ints) -> None:
        told = (rows, self._start[rows], self._stop[rows], self._cools[rows])
        self._spells.append(np.column_stack([np.asarray(part, float) for part in told]))

    def _silent_days(self, day: int) -> Ints:
        """Days since the last order of each account; -1 for those without any."""
        found = np.full(self._world.accounts, -1)
        for marks, clock in (
            (self._marks, self._clock),
            (self._steady_marks, self._steady_clock),
        ):
            passed = (marks <= clock[:, day - 1 : day]).sum(axis=1)
            rows = np.flatnonzero(passed)
            last = day_reached(clock[:, :day], rows, marks[rows, passed[rows] - 1])
            silent = day - last
            known = found[rows]
            found[rows] = np.where(known < 0, silent, np.minimum(known, silent))
        return found


def _order_now(marks: Floats, clock: Floats, rows: Ints) -> None:
    """Move the marks that lie ahead so that the next order comes as soon as the clock goes on."""
    ahead = marks[rows] > clock[rows, None]
    following = np.where(ahead, marks[rows], np.inf).min(axis=1)
    marks[rows] -= ahead * (following - clock[rows] - 1e-6)[:, None]


def _treatments(told: list[tuple[Ints, Ints, Bools, Floats]], spells: Floats) -> Treatments:
    rows, days, held_out, uplift = (np.concatenate(part) for part in zip(*told, strict=True))
    begun = spells[spells[:, 1] > 0]
    returned = np.zeros(len(rows), bool)
    for row, start in begun[:, :2]:
        returned |= (rows == row) & (days < start) & (start <= days + RETURN_DAYS)
    return Treatments(rows, days, held_out, uplift, returned)
