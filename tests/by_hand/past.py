"""What one customer had done, and what was known of them, at the end of a day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

from tests.histories import EPOCH, Line, columns_of
from tests.portfolios import Contact, Interaction, Known, Portfolio

Number = Fraction | float | int
YEAR = 365


def exact(money: float | None) -> Fraction:
    """The money as it is written; 0 where it is not known."""
    return Fraction(str(money or 0))


class Seen(NamedTuple):
    """A line of history, and how many days ago it was."""

    age: int
    line: Line

    @property
    def amount(self) -> Fraction:
        """Currency units; a return is negative."""
        return Fraction(self.line.units, 10_000)


@dataclass(frozen=True)
class Past:
    """What one customer had done at the end of the day `as_of`, and what was known of them."""

    as_of: int
    lines: tuple[Seen, ...]
    has_orders: bool
    known: tuple[Known, ...] = ()
    interactions: tuple[tuple[int, Interaction], ...] = ()
    contacts: tuple[tuple[int, Contact], ...] = ()

    @property
    def purchases(self) -> list[Seen]:
        return [seen for seen in self.lines if seen.amount >= 0]

    @property
    def ages(self) -> list[int]:
        """The ages of the purchase days, latest first."""
        return sorted({seen.age for seen in self.purchases})

    @property
    def gaps(self) -> list[int]:
        """The days between neighbouring purchase days, latest first."""
        return [earlier - later for later, earlier in zip(self.ages, self.ages[1:], strict=False)]

    def date_of(self, age: int) -> date:
        return EPOCH + timedelta(self.as_of - age)

    def bought_on(self, ages: Iterable[int]) -> list[Seen]:
        chosen = {*ages}
        return [seen for seen in self.purchases if seen.age in chosen]

    def spend_on(self, age: int) -> Fraction:
        return total(seen.amount for seen in self.bought_on([age]))

    def orders_on(self, age: int) -> int:
        ids = [seen.line.order_id for seen in self.bought_on([age])]
        return len(set(ids)) if self.has_orders else len(ids)

    def since(self, youngest: int, oldest: int | None = None) -> list[Seen]:
        """The lines, returns among them, of some ages."""
        return [s for s in self.lines if youngest <= s.age and (oldest is None or s.age <= oldest)]

    def attributes(self, days_ago: int) -> Known | None:
        """The row that held some days before; the one that has always held is the first."""
        day = EPOCH + timedelta(self.as_of - days_ago)
        rows = [row for row in self.known if row.valid_from is None or row.valid_from <= day]
        return max(rows, key=lambda row: row.valid_from or date.min, default=None)


def pasts(lines: Iterable[Line], as_of: int) -> dict[str, Past]:
    """The past of every customer with a purchase by the end of the day `as_of`."""
    return pasts_in(Portfolio(list(lines)), as_of)


def pasts_in(portfolio: Portfolio, as_of: int) -> dict[str, Past]:
    """The same, with what else the portfolio tells."""
    mapped = columns_of(portfolio.lines) if portfolio.columns is None else portfolio.columns
    found = {}
    for customer in sorted({line.customer for line in portfolio.lines}, key=str.encode):
        own = portfolio.where(lambda row, customer=customer: row.customer == customer)
        found[customer] = Past(
            as_of=as_of,
            lines=tuple(
                Seen(as_of - line.day, line)
                for line in own.lines
                if (line.known_day if "known_day" in mapped else line.day) <= as_of
            ),
            has_orders="order_id" in mapped,
            known=tuple(own.customers or ()),
            interactions=tuple(_until(as_of, own.interactions or ())),
            contacts=tuple(
                (age, event)
                for age, event in _until(as_of, own.contacts or ())
                if not event.held_out
            ),
        )
    return {customer: past for customer, past in found.items() if past.purchases}


def _until(as_of: int, events):
    aged = ((as_of - (event.date - EPOCH).days, event) for event in events)
    return [(age, event) for age, event in aged if age >= 0]


def total(values: Iterable[Fraction | float]) -> Fraction:
    return sum(values, Fraction(0))


def mean(values: Iterable[Number]) -> Fraction | None:
    listed = [Fraction(value) for value in values]
    return total(listed) / len(listed) if listed else None


def ratio(part: Number, whole: Number) -> Number | None:
    """A part of a whole above 0."""
    return Fraction(part) / Fraction(whole) if whole > 0 else None


def change(now: Number | None, before: Number | None) -> Number | None:
    """How much larger than what was above 0 before."""
    return None if now is None or before is None or before <= 0 else now / before - 1


def minus(left: Number | None, right: Number | None) -> Number | None:
    return None if left is None or right is None else left - right
