"""A made-up portfolio as large as a retailer's, in a file: what the benchmarks read.

Few customers buy often and most seldom, few products sell much, and everyone has a favourite
category. All orders are drawn first, a few bytes each; their lines are drawn and written in the
order of time, a part at a time, so that memory does not hold them all.

Run it as `python -m benchmarks.portfolio FILE [--rows 20000000] [--customers 1000000]`.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

FIRST_DAY = np.datetime64("2022-01-01", "m")
DAYS = 3 * 365
MINUTES_PER_DAY = 1440
PRODUCTS = 2_000
CATEGORIES = 40
CHANNELS = {"shop": 0.6, "web": 0.3, "app": 0.1}
LINES_PER_ORDER = 2.5
FAVOURITE_SHARE = 0.4
RETURNED_SHARE = 0.03
DISCOUNTED_SHARE = 0.2
SPARE = 1.02  # orders are drawn until there are enough lines, so somewhat more than needed
ORDERS_AT_ONCE = 200_000

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders in the order of time: one value each.

    Attributes:
        customer: The number of who ordered.
        minute: When, in minutes since the first day.
        lines: How many lines it has.
    """

    customer: Whole
    minute: Whole
    lines: Whole

    def parts(self) -> Iterator[tuple[int, "Orders"]]:
        """Some orders after the other, each with the number of the first."""
        for first in range(0, self.minute.size, ORDERS_AT_ONCE):
            some = slice(first, first + ORDERS_AT_ONCE)
            yield first, Orders(self.customer[some], self.minute[some], self.lines[some])


class Shelf:
    """The products: the lower a number, the better it sells."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.category = rng.integers(0, CATEGORIES, PRODUCTS)
        self.price = np.round(np.exp(rng.normal(2.2, 0.8, PRODUCTS)), 2)
        share = 1 / np.arange(1, PRODUCTS + 1) ** 0.9
        self._sold_up_to = np.cumsum(share / share.sum())
        self._ranked = np.argsort(self.category, kind="stable")
        self._count = np.bincount(self.category, minlength=CATEGORIES)
        self._first = np.cumsum(self._count) - self._count

    def any(self, count: int) -> Whole:
        """So many products, the better-selling ones more often."""
        return np.searchsorted(self._sold_up_to[:-1], self._rng.random(count))

    def of(self, category: Whole) -> Whole:
        """A product of each of the categories, the better-selling ones more often."""
        nth = (self._rng.random(category.size) ** 2 * self._count[category]).astype(np.int64)
        product: Whole = self._ranked[self._first[category] + nth]
        return product


def make(path: Path, *, rows: int, customers: int, seed: int = 7) -> None:
    """Write a portfolio of so many lines and customers; the same seed gives the same file."""
    rng = np.random.default_rng(seed)
    orders = _orders(rng, rows, customers)
    favourite = rng.integers(0, CATEGORIES, customers)
    shelf = Shelf(rng)
    writer = None
    for first, some in orders.parts():
        table = _lines(rng, some, first_order=first, favourite=favourite, shelf=shelf)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def _orders(rng: np.random.Generator, rows: int, customers: int) -> Orders:
    """One order of each customer and more of some, until they have as many lines as wanted."""
    rate = rng.gamma(0.7, 1.0, customers) + 0.05
    more = max(SPARE * rows / LINES_PER_ORDER / customers - 1, 0)
    again = rng.poisson(rate / rate.mean() * more)
    others = rng.permutation(np.repeat(np.arange(customers), again))
    customer = np.concatenate([np.arange(customers), others])
    lines = rng.geometric(1 / LINES_PER_ORDER, customer.size)
    enough = int(np.searchsorted(np.cumsum(lines), rows)) + 1
    customer, lines = customer[:enough], lines[:enough]
    lines[-1] -= max(int(lines.sum()) - rows, 0)
    minute = _minutes(rng, customer, customers)
    order = np.argsort(minute, kind="stable")
    return Orders(customer[order], minute[order], lines[order])


def _minutes(rng: np.random.Generator, customer: Whole, customers: int) -> Whole:
    """When each order is: a customer buys from a first day on, and most go at some time."""
    start = rng.uniform(0, DAYS - 30, customers)
    life = np.minimum(rng.exponential(900, customers), DAYS - start)
    day = (start[customer] + rng.random(customer.size) * life[customer]).astype(np.int64)
    minute = np.clip(rng.normal(14 * 60, 4 * 60, customer.size), 0, MINUTES_PER_DAY - 1)
    return day * MINUTES_PER_DAY + minute.astype(np.int64)


def _lines(
    rng: np.random.Generator, orders: Orders, *, first_order: int, favourite: Whole, shelf: Shelf
) -> pa.Table:
    order = np.repeat(np.arange(orders.minute.size), orders.lines)
    customer = orders.customer[order]
    product = shelf.any(order.size)
    is_favourite = rng.random(order.size) < FAVOURITE_SHARE
    product[is_favourite] = shelf.of(favourite[customer[is_favourite]])
    quantity = rng.geometric(0.6, order.size).astype(np.float64)
    worth = shelf.price[product] * quantity
    is_discounted = rng.random(order.size) < DISCOUNTED_SHARE
    discount = np.where(is_discounted, np.round(worth * 0.1, 2), 0.0)
    sign = np.where(rng.random(order.size) < RETURNED_SHARE, -1, 1)
    channel = rng.choice(len(CHANNELS), order.size, p=[*CHANNELS.values()])
    return pa.table(
        {
            "customer_id": _named("C", customer, 7),
            "timestamp": (FIRST_DAY + orders.minute[order]).astype("datetime64[us]"),
            "amount": sign * np.round(worth - discount, 2),
            "order_id": pa.array(first_order + order).cast(pa.string()),
            "product_id": _named("P", product, 4),
            "category": _named("cat", shelf.category[product], 2),
            "quantity": quantity,
            "cost": sign * np.round(worth * 0.6, 2),
            "discount": discount,
            "channel": pa.array([*CHANNELS]).take(pa.array(channel)),
        }
    )


def _named(letter: str, numbers: Whole, digits: int) -> pa.Array:
    """Names such as C0000042."""
    values, position = np.unique(numbers, return_inverse=True)
    return pa.array([f"{letter}{n:0{digits}}" for n in values]).take(pa.array(position))


def main() -> None:
    """Write a portfolio."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    make(given.file, rows=given.rows, customers=given.customers, seed=given.seed)


if __name__ == "__main__":
    main()
