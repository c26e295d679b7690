"""What each account buys: the products there are, and when it begins to buy each category."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.datasets.b2b.accounts import Accounts
from portfolio_ml.datasets.b2b.days import Floats, Ints
from portfolio_ml.datasets.b2b.lives import MONTH_DAYS, Lives
from portfolio_ml.datasets.b2b.world import CATEGORIES, World

PRODUCTS = 60
TYPICAL_PRICE = (6.0, 34.0, 22.0, 26.0, 14.0, 11.0, 8.0, 9.0)  # EUR, by category
PAIRS = 4
PAIR_DAYS = 182
BEGINS_A_MONTH = 0.01  # probability to begin with a category, without a lead
# How much each segment needs of each category, beside the average, where segments say all of it.
_AFFINITY = np.array(
    [
        [2.0, 1.8, 1.4, 1.6, 1.2, 0.4, 0.4, 0.4],  # construction
        [1.4, 1.4, 1.4, 0.8, 1.4, 0.7, 1.4, 0.7],  # manufacturing
        [0.3, 0.4, 0.7, 0.8, 0.5, 2.2, 1.2, 0.9],  # hospitality
        [0.3, 0.3, 0.8, 0.7, 1.8, 2.0, 0.7, 1.3],  # healthcare
        [0.5, 0.5, 0.7, 0.4, 0.5, 1.1, 2.2, 1.7],  # retail
    ]
)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The products, in the order of their categories.

    Attributes:
        ids: What they are called.
        category: Which category each belongs to.
        price: EUR a unit on the history's first day; prices rise by 2 % a year.
    """

    ids: NDArray[np.str_]
    category: Ints
    price: Floats


@dataclass(frozen=True, slots=True)
class Baskets:
    """What each account buys.

    Attributes:
        begun: The day on which an account begins to buy a category: a row per account; minus
            infinity for what it has always bought, infinity for what it never does.
        taste: How much of its basket goes to each category, once it buys it: a row per account.
        pairs: category, and the one that it leads to.
    """

    begun: Floats
    taste: Floats
    pairs: tuple[tuple[int, int], ...]


def catalogue(world: World) -> Catalogue:
    """The products of a world."""
    chance = world.chance("products")
    category = np.sort(np.arange(PRODUCTS) % len(CATEGORIES))
    price = np.array(TYPICAL_PRICE)[category] * np.exp(0.6 * chance.normal(size=PRODUCTS))
    ids = np.array([f"{CATEGORIES[c][:3].upper()}-{n:03d}" for n, c in enumerate(category, 101)])
    return Catalogue(ids, category.astype(np.int64), np.maximum(price, 1.0).round(2))


def filled_baskets(world: World, accounts: Accounts, lives: Lives) -> Baskets:
    """When each account begins to buy each category, led by what it began to buy before."""
    first = _first_categories(world, accounts)
    begun = np.where(
        first, np.where(accounts.signup < 0, -np.inf, accounts.signup)[:, None], np.inf
    )
    chance, pairs, needs = world.chance("categories"), _pairs(world), affinity(world)
    part = np.where(accounts.is_underserved, 1 - world.underserved_depth, 1.0)[:, None]
    for day in range(0, world.days, MONTH_DAYS):
        draws = chance.random((2, *begun.shape))
        times = np.ones(begun.shape)
        for lead, led in pairs:
            is_led = (begun[:, lead] < day) & (day - begun[:, lead] <= PAIR_DAYS)
            times[is_led, led] += world.cross_sell_lift
        likely = BEGINS_A_MONTH * needs[accounts.segment[:, day]] * times * part
        begins = lives.alive[:, [day]] & np.isinf(begun) & (begun > 0)
        begins &= draws[0] < np.minimum(likely, 0.9)
        begun[begins] = np.floor(day + draws[1][begins] * MONTH_DAYS)
    taste = needs[accounts.segment[:, 0]] * np.exp(0.6 * chance.normal(size=begun.shape))
    return Baskets(begun, taste, pairs)


def affinity(world: World) -> Floats:
    """How much each segment needs of each category: a row per segment, 1 where it says nothing."""
    found: Floats = _AFFINITY ** (0.6 * world.attribute_effect)
    return found


def _first_categories(world: World, accounts: Accounts) -> NDArray[np.bool_]:
    """One or two categories, one more if the account was there before, and its steady one."""
    chance = world.chance("first categories")
    draws = chance.exponential(size=(world.accounts, len(CATEGORIES)))
    order = (draws / affinity(world)[accounts.segment[:, 0]]).argsort(axis=1).argsort(axis=1)
    count = chance.integers(1, 3, world.accounts) + (accounts.signup < 0)
    is_first = order < np.where(accounts.is_underserved, 1, count)[:, None]
    is_own = np.arange(len(CATEGORIES)) == accounts.steady_category[:, None]
    found: NDArray[np.bool_] = is_first | (is_own & np.isfinite(accounts.cycle)[:, None])
    return found


def _pairs(world: World) -> tuple[tuple[int, int], ...]:
    """Pairs of categories, each category in one of them."""
    order = world.chance("pairs").permutation(len(CATEGORIES))
    return tuple((int(order[2 * n]), int(order[2 * n + 1])) for n in range(PAIRS))
