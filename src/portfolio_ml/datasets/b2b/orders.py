"""When each account orders, and what its orders are worth."""

from dataclasses import dataclass

import numpy as np

from portfolio_ml.datasets.b2b.accounts import Accounts
from portfolio_ml.datasets.b2b.days import Bools, Floats, Ints, day_reached, workday
from portfolio_ml.datasets.b2b.lives import LAPSED_DAYS, Lives
from portfolio_ml.datasets.b2b.world import SEGMENTS, World

STEADY_PART = 0.3  # of an account's spend goes into what it reorders at a steady cycle
TICKET_SPREAD = 0.35
OWN_GROWTH_SPREAD = 0.08  # of accounts beside their segment, log spend a year


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders, by day and account.

    Attributes:
        row, day: Whose, and when.
        is_steady: Whether it is a reorder of the account's steady category.
        ticket: What it is about to be worth, EUR.
    """

    row: Ints
    day: Ints
    is_steady: Bools
    ticket: Floats


def growths(world: World) -> Floats:
    """How the log of spend changes a year, by segment."""
    ranks = np.linspace(-1.0, 1.0, len(SEGMENTS))
    found: Floats = world.growth_spread * world.chance("growths").permutation(ranks)
    return found


def spend_level(world: World, accounts: Accounts, lives: Lives, skill: Floats) -> Floats:
    """What an account's orders are worth beside its usual ones, on every day: a row per account.

    It follows the growth of the segment, the skill of the representative and the cooling.
    """
    years = (np.arange(world.days) - world.days / 2) / 365.25
    own = OWN_GROWTH_SPREAD * world.chance("growth of accounts").normal(size=world.accounts)
    growth = growths(world)[accounts.segment] * years + own[:, None] * years
    care = world.skill_on_spend * skill[accounts.representative, accounts.segment]
    level: Floats = np.exp(growth + care) * (1 - 0.4 * lives.cooling)
    return level


def placed_orders(world: World, accounts: Accounts, lives: Lives, level: Floats) -> Orders:
    """The orders of a world."""
    parts = []
    has_cycle = np.isfinite(accounts.cycle)
    yearly = accounts.spend / 365.25
    of_orders = yearly * accounts.gap * np.where(has_cycle, 1 - STEADY_PART, 1.0)
    of_reorders = yearly * np.where(has_cycle, accounts.cycle, 0.0) * STEADY_PART
    for is_steady, marks, clock, ticket in (
        (False, lives.marks, lives.clock, of_orders),
        (True, lives.steady_marks, lives.steady_clock, of_reorders),
    ):
        row, number = np.nonzero(marks <= clock[:, -1:])
        day = day_reached(clock, row, marks[row, number])
        parts.append((row, day, np.full(len(row), is_steady), ticket[row]))
    row, day, steady, ticket = (np.concatenate(part) for part in zip(*parts, strict=True))
    noise = world.chance("tickets").normal(0, TICKET_SPREAD, len(row))
    spread = np.where(steady, 0.05 / TICKET_SPREAD, 1.0) * noise
    ticket = ticket * level[row, day] * np.exp(spread)
    moved = workday(day, world.first_day)
    order = np.lexsort((steady, row, moved))
    order = order[moved[order] < world.days]
    return Orders(row[order], moved[order], steady[order], ticket[order])


def is_seen(world: World, orders: Orders) -> Bools:
    """Whether an account has ordered within the last 120 days, on every day: a row per account.

    It is all that the business knows of who is still there; whom it visits, asks and offers to
    follows from it, and so tells no more than the orders do.
    """
    last = np.full((world.accounts, world.days), -LAPSED_DAYS - 1)
    last[orders.row, orders.day] = orders.day
    found: Bools = np.arange(world.days) - np.maximum.accumulate(last, axis=1) <= LAPSED_DAYS
    return found
