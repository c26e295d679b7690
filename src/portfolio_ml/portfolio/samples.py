"""The customers whom figures learn from: all of them, or as many as are enough, drawn by chance."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.features.inputs import Inputs
from portfolio_ml.portfolio.book import Book

LEARNT_FROM = 50_000
"""From so many customers at most is learnt what holds for all; drawn with a fixed seed."""
_SEED = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """Some of the customers.

    Attributes:
        inputs: What is known of them.
        numbers: Their numbers in the inputs, ascending.
        customers: How many they are.
        is_all: Whether all are among them.
    """

    inputs: Inputs
    numbers: NDArray[np.int64]
    customers: int
    is_all: bool

    @property
    def notes(self) -> list[str]:
        """What to say of it; nothing where all are among them."""
        told = f"learnt from {self.customers} customers, drawn with a fixed seed"
        return [] if self.is_all else [told]


def sample(book: Book) -> Sample:
    """The customers with a purchase, or `LEARNT_FROM` of them."""
    count = book.now.count
    numbers = book.now.rows["customer"].to_numpy().astype(np.int64)
    if count <= LEARNT_FROM:
        return Sample(book.inputs, numbers, count, is_all=True)
    drawn = np.sort(np.random.default_rng(_SEED).choice(count, LEARNT_FROM, replace=False))
    found = book.inputs.only(book.now.rows["customer_id"].take(drawn).to_pylist())
    keep = book.inputs.engine.keep
    kept = replace(found, days=keep(found.days))
    if (
        "known_day" in found.columns
    ):  # then the days of a date are made of the lines, again and again
        kept = replace(kept, lines=keep(found.lines))
    return Sample(kept, numbers[drawn], LEARNT_FROM, is_all=False)
