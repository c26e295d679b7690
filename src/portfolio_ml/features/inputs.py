"""What features are computed from: a portfolio's tables, brought to the grains they aggregate.

Everything here is computed once and knows no as-of date; `table.at` cuts it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import narwhals as nw
import pyarrow as pa

from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine, Frame
from portfolio_ml.events import Events
from portfolio_ml.features.catalogue import Catalogue, catalogue
from portfolio_ml.features.days import days_of
from portfolio_ml.features.feature import Feature
from portfolio_ml.timeline import Span
from portfolio_ml.transactions import History

RANGES_READ_ALL = 4
"""Up to so many ranges of customers each read through the lines of all the others.

With more, that would cost more than to lay lines and days out by range first, and twice the
customers would take four times as long.
"""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The tables that features are computed from.

    Attributes:
        engine: Where they are.
        catalogue: The features that they allow.
        customers: `customer` (a number from 0 that ascends with the id) and `customer_id`, of
            everyone whom a line names, be it later than any as-of day.
        lines: One row per validated line, as in `schema.HISTORY`, with `customer`.
        days: One row per customer and day with lines, as `days_of` gives it.
        columns: The optional columns of the lines.
        span: The first and last day of the history.
        attributes: One row per customer and valid_from, as in `customers.CustomerTable`, with
            `customer`; only attributes that may be used.
        interactions: One row per interaction, as in `events.Events`, with `customer`.
        contacts: One row per contact that was not held out, likewise.
    """

    engine: Engine
    catalogue: Catalogue
    customers: Frame
    lines: Frame
    days: Frame
    columns: frozenset[str]
    span: Span
    attributes: Frame | None = None
    interactions: Frame | None = None
    contacts: Frame | None = None

    def parts(self, dates: int) -> Sequence["Inputs"]:
        """The same for one range of customers after the other, ascending.

        Each is small enough for the engine's memory where features are computed at as many dates.
        """
        found = _ranges(self.customers, self.engine, dates)
        if len(found) == 1:
            return [self]
        return [self.each(partial(_within, numbers=numbers)) for numbers in found]

    def count(self) -> int:
        """How many customers there are, be their first line later than any as-of day."""
        return _count(self.customers, self.engine)

    def only(self, customer_ids: Sequence[str]) -> "Inputs":
        """The same for some of the customers; ids that no line names are left out."""
        return self._chosen(
            self.customers.join(self._ids(customer_ids), on="customer_id", how="inner")
        )

    def without(self, customer_ids: Sequence[str]) -> "Inputs":
        """The same without some customers."""
        if not customer_ids:
            return self
        return self._chosen(
            self.customers.join(self._ids(customer_ids), on="customer_id", how="anti")
        )

    def sampled(self, below: str, *, salt: str) -> "Inputs":
        """The same for the customers whose digest comes before a text, each computed once.

        Args:
            below: The first digits of a digest.
            salt: What is set before each id.
        """
        told = self.engine.with_digest(self.customers, "customer_id", salt=salt)
        some = self._chosen(told.filter(nw.col("digest") < below).drop("digest"))
        return some.each(self.engine.keep)

    def _ids(self, customer_ids: Sequence[str]) -> Frame:
        ids = pa.array(sorted({*customer_ids}), pa.string())
        return self.engine.from_arrow(pa.table({"customer_id": ids}))

    def _chosen(self, customers: Frame) -> "Inputs":
        """The same for those of the customers who are in the frame."""
        chosen = self.engine.keep(customers)
        numbers = chosen.select("customer")
        return replace(
            self.each(lambda frame: frame.join(numbers, on="customer", how="semi")),
            customers=chosen,
        )

    def each(self, part: Callable[[Frame], Frame]) -> "Inputs":
        """The same with a part of each table that has a row for what a customer did or is."""

        def of(frame: Frame | None) -> Frame | None:
            return None if frame is None else part(frame)

        return replace(
            self,
            lines=part(self.lines),
            days=part(self.days),
            attributes=of(self.attributes),
            interactions=of(self.interactions),
            contacts=of(self.contacts),
        )


def inputs_of(
    history: History,
    engine: Engine,
    *,
    customers: CustomerTable | None = None,
    interactions: Events | None = None,
    contacts: Events | None = None,
    kinds: Iterable[str] = (),
    own: Iterable[Feature] = (),
) -> Inputs:
    """What features are computed from, prepared for any as-of dates.

    Args:
        history: The validated lines.
        engine: Where they are computed.
        customers: What is known of the customers.
        interactions: What they did beside buying.
        contacts: What was done to win or keep them.
        kinds: The kinds of interactions that get features of their own.
        own: The user's own features.

    Raises:
        ConfigError: One of the user's own features needs what is not there.
    """
    numbered = engine.taken(history.customers)
    lines, days = _laid_out(history, numbered, engine)

    def of(frame: Frame) -> Frame:
        return _of(engine.taken(frame), numbered)

    usable = _usable(customers)
    have = {*history.columns, *(f"customers.{name}" for name in usable)}
    for name, events in {"interactions": interactions, "contacts": contacts}.items():
        if events is not None:
            have |= {name, *(f"{name}.{column}" for column in events.columns)}
    return Inputs(
        engine=engine,
        catalogue=catalogue(have, attributes=usable, kinds=kinds, own=own),
        customers=numbered,
        lines=lines,
        days=days,
        columns=history.columns,
        span=history.span,
        attributes=_attributes(customers, usable, numbered, engine),
        interactions=None if interactions is None else of(interactions.frame),
        contacts=None if contacts is None else of(_treated(contacts)),
    )


def _laid_out(history: History, customers: Frame, engine: Engine) -> tuple[Frame, Frame]:
    """The lines and the day table; of many customers, what a range of them needs lies together."""
    lines, columns, span = engine.taken(history.numbered), history.columns, history.span
    ranges = _ranges(customers, engine, dates=1)
    if len(ranges) <= RANGES_READ_ALL:
        return lines, engine.keep(days_of(lines, columns, span, engine))
    lines = engine.together(lines, "customer", size=len(ranges[0]))
    parts = (_within(lines, numbers) for numbers in ranges)
    return lines, engine.keep_each(days_of(part, columns, span, engine) for part in parts)


def _ranges(customers: Frame, engine: Engine, dates: int) -> Sequence[range]:
    """The customers' numbers in ranges, ascending, that fit memory at as many dates."""
    last = engine.collect(customers.select(last=nw.col("customer").max()))["last"][0].as_py()
    everybody = range(0 if last is None else last + 1)
    if engine.rows_at_once is None:
        return [everybody]
    parts = -(-_count(customers, engine) // max(engine.rows_at_once // dates, 1))
    size = -(-len(everybody) // max(parts, 1))
    return [everybody[first : first + size] for first in everybody[:: max(size, 1)]] or [everybody]


def _count(customers: Frame, engine: Engine) -> int:
    counted: int = engine.collect(customers.select(count=nw.len()))["count"][0].as_py()
    return counted


def _within(frame: Frame, numbers: range) -> Frame:
    """The rows of customers whose numbers lie in a range."""
    number = nw.col("customer")
    return frame.filter((number >= numbers.start) & (number < numbers.stop))


def _of(frame: Frame, numbered: Frame) -> Frame:
    """The rows of customers with lines, with `customer` instead of the id."""
    return frame.join(numbered, on="customer_id", how="inner").drop("customer_id")


def _usable(customers: CustomerTable | None) -> tuple[str, ...]:
    """The attributes that may be used: all of a dated table, the static ones of another."""
    if customers is None:
        return ()
    if customers.is_dated:
        return ("valid_from", *sorted(customers.columns))
    return tuple(sorted(customers.static))


def _attributes(
    customers: CustomerTable | None, usable: Sequence[str], numbered: Frame, engine: Engine
) -> Frame | None:
    if customers is None or not usable:
        return None
    names = [name for name in usable if name != "valid_from"]
    frame = customers.frame.select("customer_id", "valid_from", *names)
    return _of(engine.taken(frame), numbered)


def _treated(contacts: Events) -> Frame:
    """The contacts that took place: those held out for comparison did not."""
    if "held_out" not in contacts.columns:
        return contacts.frame
    return contacts.frame.filter(~nw.col("held_out").fill_null(value=False))
