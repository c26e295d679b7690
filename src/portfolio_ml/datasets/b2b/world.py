"""The parameters of a simulated wholesaler: how large it is, and what is planted in it.

Every effect is one number with a unit, and 0 plants nothing. What is drawn for one part of the
world (accounts, orders, deals, ...) is drawn from a stream of its own, so that changing one effect
leaves the chance in all other parts as it was.
"""

from dataclasses import dataclass, replace
from datetime import date
from zlib import crc32

import numpy as np

from portfolio_ml.errors import ConfigError
from portfolio_ml.timeline import to_day

REGIONS = ("North", "East", "South", "West", "Central", "Coast")
SEGMENTS = ("construction", "manufacturing", "hospitality", "healthcare", "retail")
RELATIONSHIPS = ("contract", "framework", "spot")
SIZES = ("1-9", "10-49", "50-249", "250+")
CATEGORIES = (
    "fasteners",
    "tools",
    "electrical",
    "plumbing",
    "safety",
    "cleaning",
    "packaging",
    "office",
)


@dataclass(frozen=True, slots=True)
class World:
    """A wholesaler's portfolio to simulate; amounts are in EUR.

    Attributes:
        seed: What chance is drawn from; the same seed gives the same tables.
        accounts: How many customers there are over the whole history.
        years: How long the history is.
        last_day: Its last day.
        representatives: How many look after the accounts.
        prospects: How many have not bought yet.
        median_spend: The median account's spend, EUR a year.
        spend_spread: How unequal accounts are: standard deviation of the log of yearly spend.
        season: How far the pace of orders rises above, and falls below, the usual over a year, as
            a share; segments peak in different months.
        churn_rate: Accounts that leave without a sign, per account and year; twice that in an
            account's first half year.
        return_rate: Lapsed accounts that come back without being asked, per account and year.
        held_out_share: Accounts of a campaign that are left alone, at random, as a share.
        skill_spread: How far representatives differ by segment: standard deviation of the log odds
            that a deal is won.
        skill_on_spend: How far spend follows the skill of the representative in charge: log spend
            per log odds.
        cooling_rate: Accounts that begin to cool down, per account and year, at average
            satisfaction.
        cooling_depth: The share of an account's pace that is lost by the day it stops.
        satisfaction_effect: How much likelier an account is to leave, to cool down or to complain
            for each point less of satisfaction: log rate per point (of 1 to 5).
        satisfaction_drop: How far satisfaction falls before an account cools down, points.
        response_uplift: How much likelier a lapsed account is to return within 90 days of a
            win-back contact: probability added, on average over relationship types.
        cross_sell_lift: How many times likelier an account begins to buy a category within six
            months of beginning to buy the one that leads to it, minus 1.
        steady_share: Accounts that reorder one category at a steady cycle, as a share.
        underserved_share: Accounts that buy much of what they need elsewhere, as a share.
        underserved_depth: How much of it they buy elsewhere, as a share.
        advocate_share: Accounts that are satisfied, stay longer and bring others, as a share.
        attribute_effect: How much an account's size and segment say of its spend, and the segment
            of what it buys and in which season: 1 for the usual differences (a factor of 3.3 in
            spend from one size to the next), 0 for none.
        fit_effect: How much a prospect's likeness to good accounts says of whether it will buy:
            log odds per standard deviation of log spend as its attributes tell it.
        growth_spread: How far segments differ in growth: the fastest, and minus the slowest, as
            the change of log spend a year.
        margin_spread: How far segments differ in margin: the best, and minus the worst, as a share
            of net spend above the average.
        unprofitable_share: Accounts whose service costs more than they earn, as a share of those
            that spend less than four times the median.

    Raises:
        ConfigError: There is nothing to simulate, or a share is none.

    Example:
        >>> World().null().skill_spread
        0.0
    """

    seed: int = 7
    accounts: int = 1_200
    years: int = 4
    last_day: date = date(2025, 9, 30)
    representatives: int = 12
    prospects: int = 400
    median_spend: float = 8_000.0
    spend_spread: float = 1.5
    season: float = 0.3
    churn_rate: float = 0.11
    return_rate: float = 0.08
    held_out_share: float = 0.3
    skill_spread: float = 0.7
    skill_on_spend: float = 0.15
    cooling_rate: float = 0.1
    cooling_depth: float = 0.75
    satisfaction_effect: float = 0.8
    satisfaction_drop: float = 1.2
    response_uplift: float = 0.15
    cross_sell_lift: float = 7.0
    steady_share: float = 0.35
    underserved_share: float = 0.15
    underserved_depth: float = 0.7
    advocate_share: float = 0.05
    attribute_effect: float = 1.0
    fit_effect: float = 1.0
    growth_spread: float = 0.08
    margin_spread: float = 0.08
    unprofitable_share: float = 0.05

    def __post_init__(self) -> None:
        counts = ("accounts", "years", "representatives", "prospects")
        few = [name for name in counts if getattr(self, name) < 1]
        shares = [name for name in self.__slots__ if name.endswith(("_share", "_depth", "season"))]
        wrong = few + [name for name in shares if not 0 <= getattr(self, name) < 1]
        if wrong:
            raise ConfigError(
                "a simulated portfolio needs counts of at least 1 and shares from 0 to below 1",
                saw=", ".join(f"{name} = {getattr(self, name)}" for name in wrong),
            )

    def null(self) -> "World":
        """The same world in which nothing is planted: every effect is 0.

        Customers still come, buy in a rhythm and at a level of their own, follow the year, leave
        without a sign and change hands. What their service costs and their deals are worth follows
        that level, and a contract's end is told; nothing else that is known of them says more of
        what they buy than their orders do.
        """
        return replace(self, **dict.fromkeys(EFFECTS, 0.0))  # type: ignore[arg-type]  # the effects are all floats

    @property
    def days(self) -> int:
        """How many days the history has."""
        return round(365.25 * self.years)

    @property
    def first_day(self) -> int:
        """The number of its first day."""
        return to_day(self.last_day) - self.days + 1

    def chance(self, part: str) -> np.random.Generator:
        """The stream of random numbers of one part of the world."""
        return np.random.default_rng([self.seed, crc32(part.encode("ascii"))])


EFFECTS = (
    "skill_spread",
    "skill_on_spend",
    "cooling_rate",
    "satisfaction_effect",
    "satisfaction_drop",
    "response_uplift",
    "cross_sell_lift",
    "steady_share",
    "underserved_share",
    "advocate_share",
    "attribute_effect",
    "fit_effect",
    "growth_spread",
    "margin_spread",
    "unprofitable_share",
)
"""The parameters of `World` that plant something; 0 each in the null world."""
