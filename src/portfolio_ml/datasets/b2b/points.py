"""The ledger of the loyalty programme: points earned by orders, redeemed, and when they expire."""

import numpy as np
import pyarrow as pa

from portfolio_ml.datasets.b2b.accounts import Accounts
from portfolio_ml.datasets.b2b.days import Floats, Ints, dates
from portfolio_ml.datasets.b2b.lives import MONTH_DAYS
from portfolio_ml.datasets.b2b.orders import Orders
from portfolio_ml.datasets.b2b.world import World

EUR_A_POINT = 10.0
EXPIRE_DAYS = 730
REDEEMS_A_MONTH = 0.12
LEAST_REDEEMED = 500


def ledger(world: World, accounts: Accounts, orders: Orders) -> pa.Table:
    """The entries of members: points of an order, with their expiry, and redeemed ones below 0.

    Larger firms join more often; to be a member changes nothing else. Redeemed points are the
    oldest that have not expired, and never more than there are.
    """
    joined = _joined(world, accounts)
    earned = np.floor(orders.ticket / EUR_A_POINT)
    is_earned = (orders.day >= joined[orders.row]) & (earned > 0)
    row, day, points = orders.row[is_earned], orders.day[is_earned], earned[is_earned]
    spent_row, spent_day, spent = _redeemed(world, row, day, points)
    expires = np.concatenate([day + EXPIRE_DAYS, np.full(len(spent), np.inf)])
    reason = np.where(np.arange(len(expires)) < len(day), "order", "redeemed")
    rows, days = np.concatenate([row, spent_row]), np.concatenate([day, spent_day])
    order = np.lexsort((reason, rows, days))
    every = np.concatenate([points, -spent])
    return pa.table(
        {
            "customer_id": pa.array(accounts.ids[rows[order]]),
            "timestamp": pa.array(dates(days[order], world.first_day)),
            "points": pa.array(every[order]),
            "reason": pa.array(reason[order]),
            "expires_at": pa.array(dates(expires[order], world.first_day)),
        }
    )


def _joined(world: World, accounts: Accounts) -> Floats:
    """The day on which an account joins; infinity for those that never do."""
    chance = world.chance("members")
    joins = chance.random(world.accounts) < 0.45 + 0.12 * accounts.size
    wait = chance.exponential(120.0, world.accounts)
    found: Floats = np.where(joins, np.maximum(accounts.signup, 0) + wait, np.inf)
    return found


def _redeemed(world: World, row: Ints, day: Ints, points: Floats) -> tuple[Ints, Ints, Floats]:
    """What is redeemed: rows, days and points, month by month, oldest points first."""
    chance, months = world.chance("redeeming"), -(-world.days // MONTH_DAYS)
    left = np.zeros((world.accounts, months))
    np.add.at(left, (row, day // MONTH_DAYS), points)
    lasting = EXPIRE_DAYS // MONTH_DAYS - 1
    told = []
    for month in range(1, months):
        draws = chance.random((3, world.accounts))
        valid = slice(max(month - lasting, 0), month)
        balance = left[:, valid].sum(axis=1)
        wish = np.floor(balance * (0.3 + 0.7 * draws[1]) / 100) * 100
        redeems = (draws[0] < REDEEMS_A_MONTH) & (wish >= LEAST_REDEEMED)
        rows = np.flatnonzero(redeems)
        before = np.cumsum(left[rows, valid], axis=1) - left[rows, valid]
        left[rows, valid] -= np.clip(wish[rows, None] - before, 0, left[rows, valid])
        days = month * MONTH_DAYS + np.floor(draws[2][rows] * MONTH_DAYS)
        told.append((rows, days, wish[rows]))
    rows, days, wishes = (np.concatenate(part) for part in zip(*told, strict=True))
    in_time = days < world.days
    return rows[in_time], days[in_time].astype(np.int64), wishes[in_time]
