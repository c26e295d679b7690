"""Load -> validated rows + quarantined rows, counted.

read = kept + quarantined, always. A row is quarantined under the first rule that it breaks.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml import currencies
from portfolio_ml.config import Settings
from portfolio_ml.engine import Engine, Frame, Kind, Reading
from portfolio_ml.errors import DataError, TryAgainLaterError
from portfolio_ml.schema import MONEY_SCALE, QUARANTINE, TRANSACTIONS
from portfolio_ml.sources import Unread, unread
from portfolio_ml.timeline import Span, in_history, to_date, to_day

EARLIEST = date(1900, 1, 1)
LARGEST_AMOUNT = 1e12
CLOCK_SLACK_DAYS = 1

_KINDS: Mapping[str, Kind] = {
    "customer_id": "text",
    "timestamp": "day",
    "amount": "number",
    "order_id": "text",
    "currency": "text",
}
_JUDGED = {*(column.name for column in TRANSACTIONS.columns if column.required), "currency"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a row must not be: `broken` is true for a row that breaks it."""

    name: str
    column: str
    broken: nw.Expr


@dataclass(frozen=True, slots=True)
class History:
    """The validated lines of a portfolio and what became of the others.

    Attributes:
        lines: One row per kept line, as in `schema.HISTORY`; computed once.
        days: One row per day with lines: day, lines, customers, amount (1/10,000 unit).
        quarantine: The refused rows, as in `schema.QUARANTINE`.
        has_orders: Whether lines carry an order id; otherwise each line is an order.
        currency: What the amounts are in; empty where neither config nor rows tell.
        source: What the lines' source is called, for people.
    """

    lines: Frame
    days: pa.Table
    quarantine: pa.Table
    has_orders: bool
    currency: str = ""
    source: str | None = None

    @property
    def span(self) -> Span:
        """First and last day with a line."""
        return Span(self.days["day"][0].as_py(), self.days["day"][-1].as_py())

    @property
    def kept(self) -> int:
        """Rows kept."""
        lines: int = pc.sum(self.days["lines"], min_count=0).as_py()
        return lines

    @property
    def quarantined(self) -> int:
        """Rows refused."""
        refused: int = self.quarantine.num_rows
        return refused

    @property
    def digest(self) -> str:
        """SHA-256 of the totals per day."""
        rows = "\n".join(",".join(map(str, day.values())) for day in self.days.to_pylist())
        return hashlib.sha256(rows.encode()).hexdigest()

    def until(self, as_of: date, *, quiet_days: int = 0) -> "History":
        """The history as it was known on `as_of`: later lines are not there.

        Args:
            as_of: The last day to see.
            quiet_days: How many days after the last line `as_of` may be.

        Raises:
            DataError: `as_of` lies before the first line, or too far after the last one.
        """
        day, span = to_day(as_of), self.span
        if not span.first_day <= day <= span.last_day + quiet_days:
            raise DataError(
                f"{as_of} lies outside the history",
                where=self.source,
                saw=f"lines from {to_date(span.first_day)} to {to_date(span.last_day)}",
                do="choose an --as-of within it",
            )
        known = self.days.filter(pc.less_equal(self.days["day"], day))
        return replace(self, lines=self.lines.filter(in_history(nw.col("day"), day)), days=known)


class TooManyRefusedError(DataError):
    """More rows break a rule than the config allows; `quarantine` holds them."""

    def __init__(self, what: str, *, quarantine: pa.Table, **more: str) -> None:
        super().__init__(what, **more)
        self.quarantine = quarantine

    def with_rows_in(self, place: str) -> "TooManyRefusedError":
        """The same error, which also says where the refused rows are."""
        do = f"look at the refused rows in {place}" + (f"; {self.do}" if self.do else "")
        more = {"where": self.where, "saw": self.saw, "do": do}
        given = {name: text for name, text in more.items() if text is not None}
        return TooManyRefusedError(self.what, quarantine=self.quarantine, **given)


def load(settings: Settings, engine: Engine, *, today: date, table: object = None) -> History:
    """The portfolio's history, validated row by row.

    Args:
        settings: Where the transactions are and what their columns are called.
        engine: Where the rows are kept.
        today: The wall clock's date; rows dated later than tomorrow are refused.
        table: The transactions themselves, in any form that Narwhals accepts (pandas, Polars,
            Arrow, ...), instead of those at the configured source.

    Raises:
        ConfigError: The source, its mapping or the rates are wrong.
        DataError: A column is missing, nothing is left, too many rows break a rule, or the
            amounts are in several currencies.
    """
    raw = unread(settings, engine, table=table)
    rates = currencies.rates_of(settings, is_told="currency" in raw.columns)
    parsed = _converted(_parsed(raw, engine, settings), rates)
    judged = engine.keep(parsed.with_columns(_rule=_first_broken(_asked(parsed, today))))
    own = currencies.code(settings.currency)
    history = _split(judged, engine, has_orders="order_id" in raw.columns)
    history = replace(history, currency=own, source=raw.label)
    _check_share(history, settings, where=raw.label)
    if rates is not None or "currency" not in raw.columns:
        return history
    rows = _rows_by_currency(judged, engine)
    currencies.demand_one(rows, settings, where=raw.label)
    return replace(history, currency=own or next(iter(rows)))


def rules(today: date) -> tuple[Rule, ...]:
    """The rules a row must keep, in the order in which they are tried.

    Example:
        >>> [rule.name for rule in rules(date(2024, 3, 1)) if rule.column == "customer_id"]
        ['customer_id_missing']
    """
    latest = to_day(today) + CLOCK_SLACK_DAYS
    day, amount = nw.col("_timestamp"), nw.col("_amount")
    return (
        Rule("customer_id_missing", "customer_id", nw.col("_customer_id").is_null()),
        Rule("timestamp_missing", "timestamp", nw.col("_text_timestamp").is_null()),
        Rule("timestamp_unreadable", "timestamp", day.is_null()),
        Rule("timestamp_before_1900", "timestamp", day < to_day(EARLIEST)),
        Rule("timestamp_in_the_future", "timestamp", day > latest),
        Rule("amount_missing", "amount", nw.col("_text_amount").is_null()),
        Rule("amount_unreadable", "amount", amount.is_null() | amount.is_nan()),
        Rule("amount_out_of_range", "amount", amount.abs() > LARGEST_AMOUNT),
    )


_CURRENCY_RULES = {
    "_currency": Rule("currency_missing", "currency", nw.col("_currency").is_null()),
    "_rate": Rule("currency_unknown", "currency", nw.col("_rate").is_null()),
}


def _parsed(raw: Unread, engine: Engine, settings: Settings) -> Frame:
    """What each column says as its kind, and as `_text_...` what the rules show of it."""
    kinds = {name: kind for name, kind in _KINDS.items() if name in raw.columns}
    readings = [_reading(f"_{name}", kind, raw.factors(name)) for name, kind in kinds.items()]
    readings += [_reading(f"_text_{n}", "text", raw.factors(n)) for n in kinds if n in _JUDGED]
    written = settings.data.transactions.format
    return engine.parsed(raw.frame, readings, timezone=settings.timezone, written=written)


def _converted(parsed: Frame, rates: Mapping[str, float] | None) -> Frame:
    """The rows with their currency's code in capitals and, by the rates, amounts in one."""
    if "_currency" in parsed.collect_schema().names():
        parsed = parsed.with_columns(nw.col("_currency").str.to_uppercase())
    if rates is None:
        return parsed
    rated = parsed.with_columns(_rate=currencies.rate(nw.col("_currency"), rates))
    return rated.with_columns(_amount=nw.col("_amount") * nw.col("_rate").fill_null(1.0))


def _asked(parsed: Frame, today: date) -> list[Rule]:
    present = parsed.collect_schema().names()
    return [*rules(today), *(rule for name, rule in _CURRENCY_RULES.items() if name in present)]


_ADVICE = {
    "timestamp_unreadable": "say how dates are written in data.transactions.format.date_format, "
    "check data.transactions.columns",
    "amount_unreadable": "say how numbers are written in data.transactions.format, "
    "check data.transactions.columns",
    "currency_unknown": "add its worth to data.rates",
}


def _rows_by_currency(judged: Frame, engine: Engine) -> dict[str, int]:
    kept = judged.filter(nw.col("_rule").is_null())
    counts = engine.collect(kept.group_by("_currency").agg(rows=nw.len()))
    return {row["_currency"]: row["rows"] for row in counts.to_pylist()}


def _reading(name: str, kind: Kind, factors: Sequence[str]) -> Reading:
    return Reading(name, factors[0], kind, times=factors[1] if len(factors) > 1 else None)


def _first_broken(all_rules: Sequence[Rule]) -> nw.Expr:
    named = nw.lit(None, dtype=nw.String)
    for rule in reversed(all_rules):
        named = nw.when(rule.broken).then(nw.lit(rule.name)).otherwise(named)
    return named


def _split(judged: Frame, engine: Engine, *, has_orders: bool) -> History:
    quarantine = _quarantine(judged, engine)
    order_id = nw.col("_order_id") if has_orders else nw.lit(None, dtype=nw.String)
    lines = engine.keep(
        judged.filter(nw.col("_rule").is_null()).select(
            nw.col("_customer_id").alias("customer_id"),
            nw.col("_timestamp").alias("day"),
            (nw.col("_amount") * MONEY_SCALE).round().cast(nw.Int64).alias("amount"),
            order_id.alias("order_id"),
        )
    )
    days = engine.collect(
        lines.group_by("day")
        .agg(
            lines=nw.len(),
            customers=nw.col("customer_id").n_unique(),
            amount=nw.col("amount").sum().cast(nw.Float64),
        )
        .sort("day")
    )
    return History(lines=lines, days=days, quarantine=quarantine, has_orders=has_orders)


def _quarantine(judged: Frame, engine: Engine) -> pa.Table:
    column, value = nw.lit(None, dtype=nw.String), nw.lit(None, dtype=nw.String)
    for rule in _asked(judged, EARLIEST):
        breaks = nw.col("_rule") == rule.name
        column = nw.when(breaks).then(nw.lit(rule.column)).otherwise(column)
        value = nw.when(breaks).then(nw.col(f"_text_{rule.column}")).otherwise(value)
    refused = judged.filter(~nw.col("_rule").is_null()).select(
        nw.col("_source").alias("source"),
        nw.col("_row").alias("row_number"),
        nw.col("_rule").alias("rule"),
        column.alias("column"),
        value.alias("value"),
    )
    return engine.collect(refused.sort("source", "row_number")).cast(QUARANTINE.arrow)


def _check_share(history: History, settings: Settings, *, where: str) -> None:
    quarantine, read = history.quarantine, history.kept + history.quarantined
    allowed = settings.data.max_quarantined_share
    if read == 0:
        raise DataError(
            "there is not a single row",
            where=where,
            saw="a header only" if where.casefold().endswith(".csv") else "columns without rows",
            do="check the export, or the query behind it",
        )
    if history.kept == 0 or quarantine.num_rows / read > allowed:
        counts = quarantine["rule"].value_counts().to_pylist()
        worst = max(counts, key=lambda count: count["counts"])
        row = quarantine.slice(quarantine["rule"].index(worst["values"]).as_py(), 1).to_pylist()[0]
        value = "no value" if row["value"] is None else repr(row["value"])
        history_is_left = history.kept > 0
        share = "more than the allowed share" if history_is_left else "so none is left"
        raise TooManyRefusedError(
            f"{quarantine.num_rows:,} of {read:,} rows break a rule, {share}",
            where=where,
            saw=f"{worst['counts']:,} x {worst['values']}, such as row {row['row_number']} "
            f"of {row['source']} with {value}",
            do=_ADVICE.get(worst["values"], "check data.transactions.columns")
            + (f", or allow it with data.max_quarantined_share (now {allowed})" * history_is_left),
            quarantine=quarantine,
        )


def chosen_as_of(
    history: History, *, today: date, given: date | None, max_staleness_days: int | None
) -> date:
    """The last day to see: the one given, or the last complete day; never one of a stale load.

    The load is stale where the last complete day lies more than `max_staleness_days` before
    `today`. A given day that lies as far back is a deliberate look at the past, and not refused.

    Raises:
        DataError: There is no line before today, or the given day lies after it.
        TryAgainLaterError: The load is stale.
    """
    if given is not None and given > today:
        raise DataError(
            f"{given} lies in the future",
            where=history.source,
            saw=f"today, {today}",
            do="choose an --as-of up to then",
        )
    is_past = given is not None and (
        max_staleness_days is None or (today - given).days > max_staleness_days
    )
    if given is not None and is_past:
        return given
    last = default_as_of(history, today=today)
    age = (today - last).days
    if max_staleness_days is not None and age > max_staleness_days:
        raise TryAgainLaterError(
            f"the history is stale: its last complete day, {last}, lies {age:,} days before "
            f"today, {today}",
            where=history.source,
            saw=f"more than the {max_staleness_days:,} days of data.max_staleness_days",
            do="load the newer transactions and run it again, or give an --as-of to look at the "
            "past on purpose",
        )
    return given or last


def default_as_of(history: History, *, today: date) -> date:
    """The last complete day: the last day with a line, but not today, which is not over.

    Lines dated after today, as a fast clock makes them, do not count.

    Raises:
        DataError: There is no line before today.
    """
    now, first = to_day(today), history.span.first_day
    if first >= now:
        raise DataError(
            "no day of the history is over yet",
            where=history.source,
            saw=f"the first line on {to_date(first)}",
            do="give an --as-of, or run it again tomorrow",
        )
    last = max(day for day in history.days["day"].to_pylist() if day <= now)
    return to_date(min(last, now - 1))
