"""A world -> its tables, as a business would see them, and its truth."""

from functools import lru_cache

from portfolio_ml.datasets.b2b.accounts import drawn_accounts
from portfolio_ml.datasets.b2b.attributes import customers
from portfolio_ml.datasets.b2b.baskets import catalogue, filled_baskets
from portfolio_ml.datasets.b2b.deals import opportunities
from portfolio_ml.datasets.b2b.lines import transactions
from portfolio_ml.datasets.b2b.lives import lived
from portfolio_ml.datasets.b2b.orders import is_seen, placed_orders, spend_level
from portfolio_ml.datasets.b2b.points import ledger
from portfolio_ml.datasets.b2b.prospects import drawn_prospects
from portfolio_ml.datasets.b2b.relations import contacts, interactions
from portfolio_ml.datasets.b2b.representatives import skills
from portfolio_ml.datasets.b2b.truth import Simulated, truth_of
from portfolio_ml.datasets.b2b.world import World


@lru_cache(maxsize=2)
def simulate(world: World | None = None) -> Simulated:
    """The tables of a simulated portfolio and, apart from them, what is true of it.

    The same world gives the same tables; the last two are kept, so that reading its tables one by
    one simulates once.

    Args:
        world: Its parameters; the default ones where not given.

    Example:
        >>> simulated = simulate(World(accounts=60, years=2))
        >>> [*simulated.tables]  # doctest: +NORMALIZE_WHITESPACE
        ['transactions', 'customers', 'interactions', 'contacts', 'opportunities', 'points',
         'prospects']
        >>> sorted(simulated.truth.best_representatives)[0]
        'construction'
    """
    world = world or World()
    accounts = drawn_accounts(world)
    lives = lived(world, accounts)
    baskets = filled_baskets(world, accounts, lives)
    level = spend_level(world, accounts, lives, skills(world))
    orders = placed_orders(world, accounts, lives, level)
    seen = is_seen(world, orders)
    prospects = drawn_prospects(world, accounts)
    tables = {
        "transactions": transactions(world, accounts, orders, baskets, catalogue(world)),
        "customers": customers(world, accounts, lives),
        "interactions": interactions(world, accounts, lives=lives, orders=orders, seen=seen),
        "contacts": contacts(world, accounts, lives, seen),
        "opportunities": opportunities(world, accounts, seen),
        "points": ledger(world, accounts, orders),
        "prospects": prospects.table,
    }
    truth = truth_of(
        world, accounts, lives=lives, baskets=baskets, level=level, prospects=prospects
    )
    return Simulated(tables, truth)
