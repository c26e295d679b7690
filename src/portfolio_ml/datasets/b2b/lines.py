"""The lines of the orders: products, amounts, costs and discounts; and what is returned."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.datasets.b2b.accounts import Accounts
from portfolio_ml.datasets.b2b.baskets import Baskets, Catalogue
from portfolio_ml.datasets.b2b.days import Floats, Ints, moments, workday
from portfolio_ml.datasets.b2b.orders import Orders
from portfolio_ml.datasets.b2b.world import CATEGORIES, SEGMENTS, World

EXTRA_LINES = 1.4
MARGIN = 0.27
USUAL_DISCOUNT = 0.047
RETURNED_LINES = 0.03
PRICE_RISE = 0.02  # a year
CHANNELS = ("field", "phone", "web", "edi")

_Columns = dict[str, NDArray[Any]]  # by name, each of its own type


def transactions(
    world: World, accounts: Accounts, orders: Orders, baskets: Baskets, goods: Catalogue
) -> pa.Table:
    """The lines of the orders, and of what is returned, as in `schema.TRANSACTIONS`."""
    order, category, ticket = _lines(world, accounts, orders, baskets)
    sold = _sold(world, accounts, orders, goods, (order, category, ticket))
    back = _returned(world, sold)
    every = {name: np.concatenate([sold[name], back[name]]) for name in sold}
    row = every.pop("row")
    del every["day"]
    in_order = np.lexsort((every["product_id"], every["order_id"], every["timestamp"]))
    table = {"customer_id": accounts.ids[row], **every}
    return pa.table({name: pa.array(values[in_order]) for name, values in table.items()})


def margins(world: World) -> Floats:
    """What is left of net spend after the cost of the goods, as a share by segment."""
    ranks = np.linspace(-1.0, 1.0, len(SEGMENTS))
    found: Floats = MARGIN + world.margin_spread * world.chance("margins").permutation(ranks)
    return found


def _lines(
    world: World, accounts: Accounts, orders: Orders, baskets: Baskets
) -> tuple[Ints, Ints, Floats]:
    """The order, category and worth of each line."""
    chance = world.chance("lines")
    extra = np.minimum(chance.poisson(EXTRA_LINES, len(orders.row)), 7)
    counts = np.where(orders.is_steady, 1, 1 + extra)
    order = np.repeat(np.arange(len(orders.row)), counts)
    row, day = orders.row[order], orders.day[order]
    buys = baskets.begun[row] <= day[:, None]
    is_own = np.arange(len(CATEGORIES)) == accounts.steady_category[row, None]
    is_reordered = is_own & np.isfinite(accounts.cycle)[row, None]
    weights = baskets.taste[row] * buys * np.where(is_reordered, 1e-9, 1.0)
    cuts = np.cumsum(weights, axis=1)
    drawn = (cuts < cuts[:, -1:] * (1.0 - chance.random((len(row), 1)))).sum(axis=1)
    category = np.where(orders.is_steady[order], accounts.steady_category[row], drawn)
    parts = chance.exponential(size=len(order)) + 0.3
    share = parts / np.bincount(order, parts, len(counts))[order]
    begun, led = _first_of_categories(orders, baskets, world.days)
    return (
        np.concatenate([order, begun]),
        np.concatenate([category, led]).astype(np.int64),
        np.concatenate([orders.ticket[order] * share, 0.25 * orders.ticket[begun]]),
    )


def _first_of_categories(orders: Orders, baskets: Baskets, days: int) -> tuple[Ints, Ints]:
    """The order with which an account begins to buy a category, for all that began in history."""
    row, category = np.nonzero((baskets.begun >= 0) & np.isfinite(baskets.begun))
    plain = np.flatnonzero(~orders.is_steady)
    key = orders.row[plain] * days + orders.day[plain]
    plain, key = plain[np.argsort(key, kind="stable")], np.sort(key)
    begun = np.minimum(baskets.begun[row, category], days - 1).astype(np.int64)
    place = np.searchsorted(key, row * days + begun)
    follows = place < len(plain)
    found, row, category = plain[place[follows]], row[follows], category[follows]
    is_own = orders.row[found] == row
    return found[is_own], category[is_own]


def _sold(
    world: World,
    accounts: Accounts,
    orders: Orders,
    goods: Catalogue,
    lines: tuple[Ints, Ints, Floats],
) -> _Columns:
    chance, (order, category, ticket) = world.chance("products of lines"), lines
    row, day, count = orders.row[order], orders.day[order], len(order)
    product = _products(chance, row, category, orders.is_steady[order], goods)
    price = goods.price[product] * (1 + PRICE_RISE) ** (day / 365.25)
    quantity = np.maximum(np.rint(ticket / price), 1.0)
    worth = (quantity * price).round(2)
    usual = world.chance("discounts").beta(1.2, 6.0, world.accounts) * 0.4
    rate = usual[row] * (chance.random(count) < 0.7)
    discount = (worth * rate).round(2)
    kept = 1 - margins(world)[accounts.segment[row, day]]
    cost = worth * (1 - USUAL_DISCOUNT) * kept * np.exp(0.06 * chance.normal(size=count))
    return {
        "row": row,
        "day": day,
        "timestamp": moments(orders.day, world.first_day, chance)[order],
        "order_id": np.char.mod("O%06d", np.arange(1, len(orders.row) + 1))[order],
        "product_id": goods.ids[product],
        "category": np.array(CATEGORIES)[category],
        "quantity": quantity,
        "amount": (worth - discount).round(2),
        "cost": cost.round(2),
        "discount": discount,
        "channel": _channels(world, accounts, orders)[order],
    }


def _products(
    chance: np.random.Generator,
    row: Ints,
    category: Ints,
    is_steady: NDArray[np.bool_],
    goods: Catalogue,
) -> Ints:
    """The product of each line: mostly the account's favourite in the category."""
    first = np.searchsorted(goods.category, np.arange(len(CATEGORIES)))
    there = np.bincount(goods.category, minlength=len(CATEGORIES))[category]
    favourite = (row * 7 + category * 3) % there
    other = np.floor(chance.random(len(row)) * there).astype(np.int64)
    is_favourite = is_steady | (chance.random(len(row)) < 0.6)
    found: Ints = first[category] + np.where(is_favourite, favourite, other)
    return found


def _channels(world: World, accounts: Accounts, orders: Orders) -> NDArray[np.str_]:
    """How an order came in: mostly the account's usual way; large accounts by EDI."""
    chance = world.chance("channels")
    usual = chance.choice(3, world.accounts, p=[0.2, 0.3, 0.5])
    usual = np.where((accounts.size >= 2) & (chance.random(world.accounts) < 0.4), 3, usual)
    other = chance.choice(3, len(orders.row), p=[0.2, 0.4, 0.4])
    found = np.where(chance.random(len(other)) < 0.75, usual[orders.row], other)
    return np.array(CHANNELS)[found]


def _returned(world: World, sold: _Columns) -> _Columns:
    """Lines that come back some days later, wholly or in part, at the price that was paid."""
    chance = world.chance("returned goods")
    count = len(sold["row"])
    is_back = chance.random(count) < RETURNED_LINES
    part, wait = 1.0 - chance.random(count), chance.integers(3, 25, count)
    day = workday(sold["day"] + wait, world.first_day)
    chosen = np.flatnonzero(is_back & (day < world.days))
    back = {name: values[chosen] for name, values in sold.items()}
    quantity = np.ceil(back["quantity"] * part[chosen])
    share = quantity / back["quantity"]
    return back | {
        "day": day[chosen],
        "timestamp": moments(day[chosen], world.first_day, chance),
        "order_id": np.array([f"R{name[1:]}" for name in back["order_id"]], sold["order_id"].dtype),
        "quantity": -quantity,
        "amount": -(back["amount"] * share).round(2),
        "cost": -(back["cost"] * share).round(2),
        "discount": np.zeros(len(chosen)),
    }
