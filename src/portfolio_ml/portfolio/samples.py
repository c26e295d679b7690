"""The customers whom figures learn from: all of them, or as many as are enough, drawn by chance."""

from dataclasses import dataclass

import numpy as np

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
        customers: How many they are.
        is_all: Whether all are among them.
    """

    inputs: Inputs
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
    if count <= LEARNT_FROM:
        return Sample(book.inputs, count, is_all=True)
    drawn = np.random.default_rng(_SEED).choice(count, LEARNT_FROM, replace=False)
    ids = book.now.rows["customer_id"].take(np.sort(drawn)).to_pylist()
    found = book.inputs.only(ids)
    engine = book.inputs.engine
    kept = Inputs(
        engine=engine,
        catalogue=found.catalogue,
        customers=found.customers,
        lines=engine.keep(found.lines),
        days=engine.keep(found.days),
        columns=found.columns,
        span=found.span,
    )
    return Sample(kept, LEARNT_FROM, is_all=False)
