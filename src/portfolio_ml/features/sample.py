"""Customers drawn before anything is computed of them, where a table of all would be too large.

Whole customers are drawn, by a digest of their ids and the seed. So who is drawn depends neither
on the run, the order of the lines nor the engine; who is drawn at one rate is drawn at every
higher one; and a customer stays in the sample while the portfolio around it changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw

from portfolio_ml.features.inputs import Inputs
from portfolio_ml.wording import counted

FEWEST = 1_000
"""Of fewer customers than these none is left out: so few are never too many to compute."""

_DIGITS = 8  # of the digest, in hexadecimal, that a rate is told by


@dataclass(frozen=True, slots=True)
class Sample:
    """Some of the customers, who stand for all.

    Attributes:
        inputs: What their features are computed from.
        customers: How many were drawn.
        of: How many there are, be their first line later than any as-of day.
    """

    inputs: Inputs
    customers: int
    of: int

    @property
    def weight(self) -> float:
        """How many customers each one stands for: together they weigh what all do.

        Example:
            >>> from portfolio_ml.features.sample import Sample
            >>> Sample(None, customers=25, of=100).weight
            4.0
        """
        return self.of / self.customers

    @property
    def note(self) -> str | None:
        """How many were drawn, in words; None where everybody is there.

        Example:
            >>> print(Sample(None, customers=181_000, of=5_000_000).note)
            rests on 181,000 of 5,000,000 customers, drawn by training.max_rows
        """
        if self.customers == self.of:
            return None
        return (
            f"rests on {self.customers:,} of {counted(self.of, 'customer')}, "
            "drawn by training.max_rows"
        )


def drawn(inputs: Inputs, as_of_days: Sequence[int], *, most: int, seed: int) -> Sample:
    """So many customers that their rows at all of the as-of days are `most`, give or take chance.

    A customer has a row from its first purchase day on. Everybody is drawn where all rows fit, and
    never fewer than some `FEWEST`.

    Args:
        inputs: What features are computed from.
        as_of_days: Day numbers.
        most: How many rows there should be.
        seed: Another one draws other customers.
    """
    count, days = inputs.count(), sorted({*as_of_days})
    if count <= FEWEST or count * len(days) <= most:
        return Sample(inputs, count, count)
    rate = most / max(_rows(inputs, days), 1)
    if rate >= 1:
        return Sample(inputs, count, count)
    rate = max(rate, FEWEST / count)
    some = inputs.sampled(below(rate), salt=f"{seed}:")
    return Sample(some, some.count(), count)


def below(rate: float) -> str:
    """The digest that this share of all digests lies below, as text.

    Example:
        >>> below(0.5), below(0.01)
        ('80000000', '028f5c28')
    """
    return f"{int(rate * 16**_DIGITS):0{_DIGITS}x}"


def _rows(inputs: Inputs, days: Sequence[int]) -> int:
    """How many rows the customers have at these days."""
    bought = inputs.days.filter(nw.col("is_purchase"))
    first = bought.group_by("customer").agg(first=nw.col("day").min())
    counts = inputs.engine.collect(first.group_by("first").agg(customers=nw.len()))
    first_day, customers = counts["first"].to_numpy(), counts["customers"].to_numpy()
    return int(sum(customers[first_day <= day].sum() for day in days))
