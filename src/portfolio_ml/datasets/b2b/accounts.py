"""Who the accounts are: attributes, how they change over the years, and what is special of some."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.datasets.b2b.days import Bools, Floats, Ints
from portfolio_ml.datasets.b2b.world import (
    CATEGORIES,
    REGIONS,
    SEGMENTS,
    SIZES,
    World,
)

SIZE_SHARES = (0.42, 0.34, 0.17, 0.07)
SEGMENT_SHARES = (0.26, 0.24, 0.18, 0.12, 0.20)
RELATIONSHIP_SHARES = (0.26, 0.30, 0.44)
CHANGES_A_YEAR = {"region": 0.012, "segment": 0.02, "representative": 0.15}
SIZE_LOG_SPEND = 1.2  # from one size to the next
SEGMENT_LOG_SPEND = (0.3, 0.4, -0.4, 0.2, -0.5)
MEAN_SATISFACTION = 3.8
SHORTEST_GAP_DAYS, LONGEST_GAP_DAYS = 7.0, 150.0
CYCLES = (28, 35, 42, 56, 70, 84)  # days
COSTLY_BELOW = 4.0  # times the median spend: no large account costs more than it earns
BEFORE_HISTORY = 0.45  # of the accounts were there already

Codes = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts, in the order of their sign-up; days count from the history's first one.

    Attributes:
        ids: What they are called.
        signup: The day of signing up; negative before the history.
        region, segment, representative: Which, on every day: a row per account.
        relationship, size: Which, for good.
        needs: What an account needs of such goods, EUR a year.
        spend: What it buys here of them, at its usual pace, EUR a year.
        gap: Its usual days from one order to the next.
        satisfaction: Its usual satisfaction, 1 to 5.
        cycle: The days after which it reorders one category; infinite where it has no cycle.
        steady_category: Which one that is, or would be.
        is_underserved, is_advocate, is_unprofitable, buys: What holds of it; `buys` is false for
            those that only signed up.
        referred_by: The account that brought it; -1 for none.
        birthday: That of the person in charge there, as a day number since 1970.
        service_cost: What its service costs, EUR a year.
    """

    ids: NDArray[np.str_]
    signup: Ints
    region: Codes
    segment: Codes
    representative: Codes
    relationship: Codes
    size: Codes
    needs: Floats
    spend: Floats
    gap: Floats
    satisfaction: Floats
    cycle: Floats
    steady_category: Codes
    is_underserved: Bools
    is_advocate: Bools
    is_unprofitable: Bools
    buys: Bools
    referred_by: Ints
    birthday: Ints
    service_cost: Floats


def drawn_accounts(world: World) -> Accounts:
    """The accounts of a world."""
    chance, n = world.chance("accounts"), world.accounts
    signup = _signups(world)
    size = _codes(chance, SIZE_SHARES, n)
    first_segment = _codes(chance, SEGMENT_SHARES, n)
    first_region = _codes(chance, np.full(len(REGIONS), 1 / len(REGIONS)), n)
    relationship = _codes(chance, RELATIONSHIP_SHARES, n)
    spread = np.clip(chance.normal(size=n), -2.6, 2.6)
    told = log_spend_told(world, size, first_segment)
    rest = np.sqrt(max(world.spend_spread**2 - float(np.var(told)), 0.1))
    needs = world.median_spend * np.exp(told + rest * spread)
    special = _special(world)
    spend = needs * np.where(special["is_underserved"], 1 - world.underserved_depth, 1.0)
    z = np.log(needs / world.median_spend) / world.spend_spread
    special["is_unprofitable"] &= spend < COSTLY_BELOW * world.median_spend
    gap = np.exp(np.log(32.0) - 0.3 * z + 0.45 * chance.normal(size=n))
    satisfaction = chance.normal(MEAN_SATISFACTION, 0.5, n) + 0.6 * special["is_advocate"]
    cycle = chance.choice(CYCLES, n).astype(float)
    service = (250 + 0.05 * spend) * np.exp(0.4 * chance.normal(size=n))
    costly = 0.5 * spend + 600  # beyond any margin
    region = _over_time(world, "region", first_region, signup)
    return Accounts(
        ids=np.array([f"A{number:05d}" for number in range(1, n + 1)]),
        signup=signup,
        region=region,
        segment=_over_time(world, "segment", first_segment, signup),
        representative=_representatives(world, region[:, 0], signup),
        relationship=relationship,
        size=size,
        needs=needs,
        spend=spend,
        gap=np.clip(gap, SHORTEST_GAP_DAYS, LONGEST_GAP_DAYS),
        cycle=np.where(special.pop("is_steady"), cycle, np.inf),
        steady_category=chance.integers(0, len(CATEGORIES), n).astype(np.int16),
        satisfaction=np.clip(satisfaction, 1.5, 4.9),
        buys=chance.random(n) > 0.03,
        referred_by=_referrers(world, signup, special["is_advocate"]),
        birthday=chance.integers(-5_400, 9_400, n),  # from 1955 to 1995
        service_cost=np.where(special["is_unprofitable"], service + costly, service).round(-1),
        **special,
    )


def log_spend_told(world: World, size: Codes | Ints, segment: Codes | Ints) -> Floats:
    """What an account's size and segment tell of the log of its yearly spend; 0 on average."""
    of_size = SIZE_LOG_SPEND * np.arange(len(SIZES))
    of_segment = np.array(SEGMENT_LOG_SPEND)
    of_size -= of_size @ np.array(SIZE_SHARES)
    of_segment -= of_segment @ np.array(SEGMENT_SHARES)
    told: Floats = world.attribute_effect * (of_size[size] + of_segment[segment])
    return told


def _codes(chance: np.random.Generator, shares: object, count: int) -> Codes:
    cuts = np.cumsum(np.asarray(shares))
    found: Codes = np.searchsorted(cuts[:-1], chance.random(count), side="right").astype(np.int16)
    return found


def _signups(world: World) -> Ints:
    chance, n = world.chance("signups"), world.accounts
    before = -chance.exponential(900.0, round(BEFORE_HISTORY * n)) - 1
    since = chance.uniform(0, world.days - 1, n - len(before))
    return np.sort(np.floor(np.concatenate([before, since])).astype(np.int64))


def _special(world: World) -> dict[str, Bools]:
    """Who is special; each kind is drawn by itself, so that one share moves no other."""
    return {
        f"is_{kind}": world.chance(kind).random(world.accounts) < share
        for kind, share in {
            "steady": world.steady_share,
            "underserved": world.underserved_share,
            "advocate": world.advocate_share,
            "unprofitable": world.unprofitable_share,
        }.items()
    }


def _over_time(world: World, name: str, first: Codes, signup: Ints) -> Codes:
    """Which value holds on every day of the history, changes included."""
    kinds = {"region": len(REGIONS), "segment": len(SEGMENTS)}.get(name, world.representatives)
    grid = np.repeat(first[:, None], world.days, axis=1)
    chance = world.chance(f"changes of {name}")
    count = chance.poisson(CHANGES_A_YEAR[name] * world.years * world.accounts)
    rows = chance.integers(0, world.accounts, count)
    days = np.sort(chance.integers(1, world.days, count))
    further = chance.integers(1, max(kinds, 2), count)
    for row, day, step in zip(rows, days, further, strict=True):
        if day > signup[row]:
            grid[row, day:] = (grid[row, day] + step) % kinds
    return grid


def _representatives(world: World, region: Codes, signup: Ints) -> Codes:
    """Most accounts are looked after by somebody at home in their region, some by anybody."""
    chance, count = world.chance("representatives"), world.representatives
    teams = max(count // len(REGIONS), 1)
    at_home = (region + len(REGIONS) * chance.integers(0, teams, world.accounts)) % count
    anybody = chance.integers(0, count, world.accounts)
    first = np.where(chance.random(world.accounts) < 0.6, at_home, anybody).astype(np.int16)
    return _over_time(world, "representative", first, signup)


def _referrers(world: World, signup: Ints, is_advocate: Bools) -> Ints:
    """Who brought whom: an eighth of the newcomers was brought, mostly by advocates if any are."""
    chance, n = world.chance("referrals"), world.accounts
    found = np.full(n, -1)
    draws, kinds = chance.random(n), chance.random(n)
    for row in np.flatnonzero((signup > 0) & (chance.random(n) < 0.125)):
        known = np.flatnonzero(signup < signup[row] - 180)
        advocates = known[is_advocate[known]]
        among = advocates if len(advocates) and kinds[row] < 0.8 else known
        if len(among):
            found[row] = among[int(draws[row] * len(among))]
    return found
