"""Load -> the validated lines of a portfolio, and what became of the other rows."""

import hashlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml import currencies, merges
from portfolio_ml.config import Settings
from portfolio_ml.engine import Engine, Frame, Kind, Reader
from portfolio_ml.errors import DataError
from portfolio_ml.schema import HISTORY, TRANSACTIONS
from portfolio_ml.sources import unread
from portfolio_ml.timeline import Span, in_history, to_date, to_day
from portfolio_ml.validation import (
    LARGEST_NUMBER,
    Refusing,
    Rule,
    customer_rules,
    money,
    parsed,
    shown,
    tells_minutes,
    timestamp_rules,
    validated,
    value,
    values_of,
    within,
)

_KINDS: Mapping[str, Kind] = {
    "customer_id": "text",
    "timestamp": "day",
    "amount": "number",
    "order_id": "text",
    "product_id": "text",
    "category": "text",
    "channel": "text",
    "quantity": "number",
    "cost": "number",
    "discount": "number",
    "minute": "minute",
    "currency": "text",
    "recorded_at": "day",
}


@dataclass(frozen=True, slots=True)
class History(Refusing):
    """The validated lines of a portfolio and what became of the others.

    Attributes:
        numbered: One row per kept line; computed once. Of the columns in `schema.HISTORY`, those
            that are required, and the others where `columns` names them; with `customer`, the
            number of who bought, instead of the id.
        customers: `customer` and `customer_id` of everyone whom a line names, or who survives
            whom it names; the numbers ascend with the ids.
        days: One row per day with lines: day, lines, amount (1/10,000 unit).
        quarantine: The refused rows, as in `schema.QUARANTINE`.
        columns: The optional columns that the source has: all but customer_id, day and amount.
        currency: What the amounts are in; empty where neither config nor rows tell.
        source: What the lines' source is called, for people.
    """

    numbered: Frame
    customers: Frame
    days: pa.Table
    quarantine: pa.Table
    columns: frozenset[str] = frozenset()
    currency: str = ""
    source: str | None = None

    @property
    def lines(self) -> Frame:
        """The lines with their customers' ids, as in `schema.HISTORY`."""
        named = self.numbered.join(self.customers, on="customer", how="inner")
        return named.select("customer_id", *self.numbered.drop("customer").columns)

    @property
    def has_orders(self) -> bool:
        """Whether lines carry an order id; otherwise each line is an order."""
        return "order_id" in self.columns

    @property
    def span(self) -> Span:
        """First and last day with a line."""
        return Span(self.days["day"][0].as_py(), self.days["day"][-1].as_py())

    def known_from(self, engine: Engine) -> int:
        """The first day on which a purchase was known; the first one with a line without any.

        Where lines were recorded late, as those of a system that another one replaced, it lies
        long after the first line.
        """
        known = nw.col("known_day" if "known_day" in self.columns else "day")
        bought = self.numbered.filter(nw.col("amount") >= 0)
        found: int | None = engine.collect(bought.select(day=known.min()))["day"][0].as_py()
        return self.span.first_day if found is None else found

    @property
    def told_span(self) -> str:
        """The first and the last day with a line, in words."""
        return f"lines from {to_date(self.span.first_day)} to {to_date(self.span.last_day)}"

    @property
    def kept(self) -> int:
        """Rows kept."""
        lines: int = pc.sum(self.days["lines"], min_count=0).as_py()
        return lines

    @property
    def digest(self) -> str:
        """SHA-256 of the totals per day."""
        rows = "\n".join(",".join(map(str, day.values())) for day in self.days.to_pylist())
        return hashlib.sha256(rows.encode()).hexdigest()

    def until(self, as_of: date, engine: Engine, *, quiet_days: int = 0) -> "History":
        """The history as it was known on `as_of`: lines dated or recorded later are not there.

        Args:
            as_of: The last day to see.
            engine: Where the lines are.
            quiet_days: How many days after the last line `as_of` may be.

        Raises:
            DataError: `as_of` lies before the first line, or too far after the last one, or
                nothing had been recorded by then.
        """
        day, span = to_day(as_of), self.span
        if not span.first_day <= day <= span.last_day + quiet_days:
            raise DataError(
                f"{as_of} lies outside the history",
                where=self.source,
                saw=self.told_span,
                do="choose an --as-of within it",
            )
        if "known_day" not in self.columns:
            days = self.days.filter(pc.less_equal(self.days["day"], day))
            lines = self.numbered.filter(in_history(nw.col("day"), day))
            return replace(self, numbered=lines, days=days)
        lines = self.numbered.filter(in_history(nw.col("known_day"), day))
        days = _by_day(lines, engine)
        if not days.num_rows:
            raise DataError(
                f"not a line had been recorded by {as_of}",
                where=self.source,
                saw=self.told_span,
                do="choose a later --as-of, or check recorded_at in data.transactions.columns",
            )
        return replace(self, numbered=lines, days=days)


def load(
    settings: Settings,
    engine: Reader,
    *,
    today: date,
    table: object = None,
    merged: Frame | None = None,
) -> History:
    """The portfolio's history, validated row by row.

    Args:
        settings: Where the transactions are and what their columns are called.
        engine: Where the rows are kept.
        today: The wall clock's date; rows dated later than tomorrow are refused.
        table: The transactions themselves, in any form that Narwhals accepts (pandas, Polars,
            Arrow, ...), instead of those at the configured source.
        merged: Whose lines are whose, as `merges.Merges.known_on` gives it; None where all are
            those of the customer whom they name.

    Raises:
        ConfigError: The source, its mapping or the rates are wrong.
        DataError: A column is missing, nothing is left, too many rows break a rule, or the
            amounts are in several currencies, or too large for their sum to be exact.
    """
    raw = unread(settings, engine, table=table)
    rates = currencies.rates_of(settings, is_told="currency" in raw.columns)
    rows = parsed(raw, _KINDS, engine, of=TRANSACTIONS, settings=settings)
    # Numbered before the lines are written without ids: to read one column twice costs less than
    # to write the text of every line.
    named = values_of("customer_id", raw, engine, of=TRANSACTIONS, settings=settings)
    numbers, customers = merges.numbered(named, merged, engine)
    who = {"left_on": "_customer_id", "right_on": "customer_id"}
    converted = _converted(rows.join(numbers, how="left", **who), rates)
    split = validated(
        converted,
        [*rules(today), *_currency_rules(raw.columns, has_rates=rates is not None)],
        _held(converted),
        engine,
        of=TRANSACTIONS,
        settings=settings,
        where=raw.label,
    )
    days = _by_day(split.kept, engine)
    columns = _optional(split.kept, raw.columns, engine)
    always = [c.name for c in HISTORY.columns if c.required]
    names = [name for name in HISTORY.names[1:] if name in {*always, *columns}]
    return History(
        numbered=split.kept.select("customer", *names),
        customers=customers,
        days=days,
        quarantine=split.quarantine,
        columns=columns,
        currency=_currency(split.kept, settings, engine, where=raw.label),
        source=raw.label,
    )


def with_numbers(lines: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Lines in memory with `customer` instead of `customer_id`, and the customers of a history.

    Example:
        >>> lines, customers = with_numbers(pa.table({"customer_id": ["b", "a", "b"]}))
        >>> lines["customer"].to_pylist(), customers["customer_id"].to_pylist()
        ([1, 0, 1], ['a', 'b'])
    """
    ids = pc.unique(lines["customer_id"]).sort()
    numbers = pa.array(range(len(ids)), pa.int32())
    customer = pc.index_in(lines["customer_id"], ids)
    position = lines.column_names.index("customer_id")
    numbered = lines.set_column(position, "customer", customer)
    return numbered, pa.table({"customer": numbers, "customer_id": ids})


def rules(today: date) -> tuple[Rule, ...]:
    """The rules a row must keep, in the order in which they are tried.

    Example:
        >>> [rule.name for rule in rules(date(2024, 3, 1)) if rule.column == "customer_id"]
        ['customer_id_missing']
    """
    amount = value("amount")
    is_no_number = amount.is_null() | amount.is_nan()
    return (
        *customer_rules(),
        *timestamp_rules(TRANSACTIONS, today),
        Rule("amount_missing", "amount", is_no_number & shown("amount").is_null()),
        Rule(
            "amount_unreadable",
            "amount",
            is_no_number,
            advice="say how numbers are written in data.transactions.format, "
            "check data.transactions.columns",
        ),
        Rule("amount_out_of_range", "amount", amount.abs() > LARGEST_NUMBER),
    )


def _currency_rules(mapped: Container[str], *, has_rates: bool) -> Iterator[Rule]:
    if "currency" in mapped:
        yield Rule("currency_missing", "currency", value("currency").is_null())
    if has_rates:
        yield Rule(
            "currency_unknown",
            "currency",
            value("rate").is_null(),
            advice="add its worth to data.rates",
        )


def _converted(rows: Frame, rates: Mapping[str, float] | None) -> Frame:
    """The rows with their currency's code in capitals and, by the rates, money in one."""
    names = rows.collect_schema().names()
    if "_currency" in names:
        rows = rows.with_columns(_currency=value("currency").str.to_uppercase())
    if rates is None:
        return rows
    rated = rows.with_columns(_rate=currencies.rate(value("currency"), rates))
    sums = [name for name in ("amount", "cost", "discount") if f"_{name}" in names]
    worth = value("rate").fill_null(1.0)
    return rated.with_columns(**{f"_{name}": value(name) * worth for name in sums})


def _held(rows: Frame) -> dict[str, nw.Expr]:
    """What is kept of a row, by name; what the source does not have is left out."""
    there = {name.removeprefix("_") for name in rows.collect_schema().names()}
    texts = ("product_id", "category", "channel", "minute")
    held = {
        "customer": nw.col("customer"),
        "day": value("timestamp"),
        "amount": money(value("amount")),
        "order_id": value("order_id") if "order_id" in there else nw.lit(None, dtype=nw.String),
        **{name: value(name) for name in texts if name in there},
    }
    if "quantity" in there:
        held["quantity"] = within(value("quantity"), LARGEST_NUMBER)
    if "cost" in there:
        held["cost"] = money(value("cost"))
    if "discount" in there:
        held["discount"] = money(nw.when(value("discount") >= 0).then(value("discount")))
    if "recorded_at" in there:
        held["known_day"] = nw.max_horizontal(value("timestamp"), value("recorded_at"))
    if "currency" in there and "rate" not in there:
        held["currency"] = value("currency")
    return held


def _optional(kept: Frame, mapped: Container[str], engine: Engine) -> frozenset[str]:
    """The optional columns that the source has; `minute` only where a time of day is told."""
    names = {c.name for c in HISTORY.columns} & {*kept.collect_schema().names()}
    known = names - {"customer_id", "day", "amount", "minute"}
    if "order_id" not in mapped:
        known.remove("order_id")
    return frozenset(known | ({"minute"} if tells_minutes(kept, engine) else set()))


def _currency(kept: Frame, settings: Settings, engine: Engine, *, where: str) -> str:
    """What the amounts are in; mixed ones are refused where no rate has converted them."""
    own = currencies.code(settings.currency)
    if "currency" not in kept.collect_schema().names():
        return own
    counts = engine.collect(kept.group_by("currency").agg(rows=nw.len()))
    rows = {row["currency"]: row["rows"] for row in counts.to_pylist()}
    currencies.demand_one(rows, settings, where=where)
    return own or next(iter(rows))


def _by_day(lines: Frame, engine: Engine) -> pa.Table:
    return engine.collect(
        lines.group_by("day")
        .agg(
            lines=nw.len(),
            amount=nw.col("amount").sum().cast(nw.Float64),
        )
        .sort("day")
    )
