"""Unread rows -> kept and quarantined, each row by the first rule that it breaks.

read = kept + quarantined, always. What one table means by its rules stands in that table's module;
what all tables share stands here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import Settings, TableSource
from portfolio_ml.engine import Engine, Frame, Kind, Reader, Reading
from portfolio_ml.errors import DataError, TryAgainLaterError
from portfolio_ml.schema import MONEY_SCALE, QUARANTINE, Table
from portfolio_ml.sources import Unread
from portfolio_ml.timeline import to_day
from portfolio_ml.wording import counted

EARLIEST = date(1900, 1, 1)
CLOCK_SLACK_DAYS = 1
LARGEST_NUMBER = 1e12

_RULE = "_rule"

_NESTED = (nw.List, nw.Array, nw.Struct, nw.Map)
_UNFIT = {
    "text": _NESTED,
    "number": (*_NESTED, nw.Boolean, nw.Binary, nw.Date, nw.Datetime, nw.Time, nw.Duration),
    "day": (*_NESTED, nw.Boolean, nw.Binary, nw.Time, nw.Duration),
    "minute": (),
}
_CALLED = {"text": "text", "number": "numbers", "day": "dates"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a row must not be.

    Attributes:
        name: What the quarantine calls it.
        column: Our column whose value is shown.
        broken: True for a row that breaks it.
        advice: What to do where many rows break it; empty for a look at the mapping.
    """

    name: str
    column: str
    broken: nw.Expr
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Validated:
    """The rows of a table, validated.

    Attributes:
        kept: The rows that break no rule; computed once.
        quarantine: The others, as in `schema.QUARANTINE`, by source and row number; in a file
            that the table maps, so that many of them take no memory.
        read: How many there were together.
    """

    kept: Frame
    quarantine: pa.Table
    read: int


class TooManyRefusedError(DataError):
    """More rows break a rule than the config allows; `quarantine` holds them."""

    def __init__(self, what: str, *, quarantine: pa.Table, **more: str) -> None:
        super().__init__(what, **more)
        self.quarantine = quarantine

    def with_rows_in(self, place: str) -> "TooManyRefusedError":
        """The same error, which also says where the refused rows are."""
        do = f"look at the refused rows in {place}" + (f"; {self.do}" if self.do else "")
        return self._again(self.quarantine, do=do)

    def after(self, others: pa.Table) -> "TooManyRefusedError":
        """The same error, whose quarantine holds the refused rows of other tables before it."""
        return self._again(pa.concat_tables([others, self.quarantine]), do=self.do)

    def _again(self, quarantine: pa.Table, *, do: str | None) -> "TooManyRefusedError":
        more = {"where": self.where, "saw": self.saw, "do": do}
        given = {name: text for name, text in more.items() if text is not None}
        return TooManyRefusedError(self.what, quarantine=quarantine, **given)


_LINE_UNREADABLE = Rule(
    "line_unreadable",
    "line",
    ~nw.col("_line").is_null(),
    advice="write each row on a line, with one value for each column, quoted where need be",
)


def value(name: str) -> nw.Expr:
    """What one of our columns says, read as its kind; null where it cannot be read."""
    return nw.col(f"_{name}")


def shown(name: str) -> nw.Expr:
    """What stands in the source for one of our columns, as text; null where nothing does."""
    return nw.col("_line" if name == "line" else f"_{name}:text")


def parsed(
    raw: Unread,
    kinds: Mapping[str, Kind],
    engine: Reader,
    *,
    of: Table,
    settings: Settings,
) -> Frame:
    """The rows with what each mapped column says as its kind, and what stands there.

    Args:
        raw: The rows.
        kinds: The kind of each column to read; `minute` is read from the timestamp.
        engine: Where they are computed.
        of: Which table it is.
        settings: Its format and the time zone.
    """
    readings = [
        reading
        for name, kind in kinds.items()
        if name in raw.columns or (kind == "minute" and not _is_date(raw, "timestamp"))
        for reading in _readings(name, kind, raw.factors("timestamp" if kind == "minute" else name))
    ]
    _demand_plain(raw, kinds, engine, of=of)
    source: TableSource = getattr(settings.data, of.name)
    return engine.parsed(raw.frame, readings, timezone=settings.timezone, written=source.format)


def values_of(name: str, raw: Unread, engine: Reader, *, of: Table, settings: Settings) -> Frame:
    """What one of our columns says in any row, as text, each once and without null.

    Args:
        name: Our column, which the frame has under its own name.
        raw: The rows.
        engine: Where they are computed.
        of: Which table it is.
        settings: Its format.
    """
    source: TableSource = getattr(settings.data, of.name)
    [reading, _] = _readings(name, "text", raw.factors(name))
    written = source.format
    found = engine.values(raw.frame, [reading], timezone=settings.timezone, written=written)
    return found.select(value(name).alias(name)).filter(~nw.col(name).is_null())


def _demand_plain(raw: Unread, kinds: Mapping[str, Kind], engine: Reader, *, of: Table) -> None:
    """Refuse columns whose type can hold no such values, whatever the row: lists, or true as 1."""
    types = engine.types(raw.frame)
    needed = {column.name for column in of.columns}
    for name in (name for name in kinds if name in raw.columns and name in needed):
        for column in raw.factors(name):
            if types[column] in _UNFIT[kinds[name]]:
                raise DataError(
                    f"column {column!r} can hold no {_CALLED[kinds[name]]}",
                    where=raw.label,
                    saw=f"the type {types[column]}",
                    do=f"export plain values, or map another under data.{of.name}.columns",
                )


def _readings(name: str, kind: Kind, columns: Sequence[str]) -> tuple[Reading, Reading]:
    column, times = columns[0], columns[1] if len(columns) > 1 else None
    return (
        Reading(f"_{name}", column, kind, times=times),
        Reading(f"_{name}:text", column, "text", times=times),
    )


def _is_date(raw: Unread, name: str) -> bool:
    return raw.frame.collect_schema()[raw.columns[name]] == nw.Date


def within(number: nw.Expr, largest: float) -> nw.Expr:
    """The number, or null where it is none to reckon with: not finite, or beyond `largest`."""
    # NaN is asked for by name: a Parquet file's statistics do not count it, and DuckDB trusts them.
    return nw.when(~number.is_nan() & (number.abs() <= largest)).then(number)


def scaled(number: nw.Expr, scale: int) -> nw.Expr:
    """The number in whole parts of 1 / `scale`; null where there is none to reckon with."""
    return (within(number, LARGEST_NUMBER) * scale).round().cast(nw.Int64)


def money(amount: nw.Expr) -> nw.Expr:
    """Currency units in 1/10,000 of them; null where there is no number to reckon with."""
    return scaled(amount, MONEY_SCALE)


def tells_minutes(kept: Frame, engine: Engine) -> bool:
    """Whether the rows' `minute` tells a time of day, which it does not at midnight throughout."""
    if "minute" not in kept.collect_schema().names():
        return False
    latest = engine.collect(kept.select(nw.col("minute").max()))["minute"][0].as_py()
    return bool(latest)


def customer_rules() -> tuple[Rule, ...]:
    """The rule for a row's customer.

    Example:
        >>> [rule.name for rule in customer_rules()]
        ['customer_id_missing']
    """
    return (Rule("customer_id_missing", "customer_id", value("customer_id").is_null()),)


def timestamp_rules(of: Table, today: date) -> tuple[Rule, ...]:
    """The rules for the moment of something that has happened; tomorrow is a fast clock."""
    day = value("timestamp")
    latest = to_day(today) + CLOCK_SLACK_DAYS
    return (
        missing("timestamp"),
        unreadable_date("timestamp", of),
        before_1900("timestamp"),
        Rule("timestamp_in_the_future", "timestamp", day > latest),
    )


def missing(column: str) -> Rule:
    """The rule for a column that must say something."""
    return Rule(f"{column}_missing", column, value(column).is_null() & shown(column).is_null())


def unreadable_date(column: str, of: Table) -> Rule:
    """The rule for a date that stands there and cannot be read."""
    return Rule(
        f"{column}_unreadable",
        column,
        value(column).is_null() & ~shown(column).is_null(),
        advice=f"say how dates are written in data.{of.name}.format.date_format, "
        f"check data.{of.name}.columns",
    )


def before_1900(column: str) -> Rule:
    """The rule for a date that is too early to be one."""
    return Rule(f"{column}_before_1900", column, value(column) < to_day(EARLIEST))


def once(rows: Frame, key: str, rules: Sequence[Rule], *, advice: str) -> tuple[Frame, Rule]:
    """The rows, and the rule that refuses those that repeat the key of an earlier one.

    Nothing says which of several rows holds: the first of the source is kept, of those that break
    no other rule.

    Args:
        rows: What `parsed` gave.
        key: Our column whose values must differ.
        rules: The other rules.
        advice: What to do where many rows repeat a key.
    """
    broken = nw.any_horizontal(*(rule.broken for rule in rules), ignore_nulls=True)
    told = rows.with_columns(_is_broken=broken)
    nth = nw.col("_row").cum_count().over(f"_{key}", "_is_broken", order_by=["_source", "_row"])
    is_repeated = ~nw.col("_is_broken") & (nw.col("_nth") > 1)
    return told.with_columns(_nth=nth), Rule("duplicate_key", key, is_repeated, advice=advice)


def validated(
    rows: Frame,
    rules: Sequence[Rule],
    columns: Mapping[str, nw.Expr],
    engine: Engine,
    *,
    of: Table,
    settings: Settings,
    where: str,
) -> Validated:
    """The rows, kept or quarantined.

    Args:
        rows: What `parsed` gave.
        rules: What a row must not be, in the order in which the rules are tried.
        columns: What is kept of a row, by name.
        engine: Where the kept rows are held, once; the refused ones are read a second time.
        of: Which table it is.
        settings: The share of rows that may be refused.
        where: What the source is called.

    Raises:
        DataError: There is not a single row, and the table may not be empty.
        TooManyRefusedError: More rows than allowed break a rule.
        TryAgainLaterError: The rows changed between the first reading and the second.
    """
    if "_line" in rows.collect_schema().names():
        rules = (_LINE_UNREADABLE, *rules)
    judged = rows.with_columns(_first_broken(rules).alias(_RULE))
    held = engine.keep(judged.select(_RULE, **columns))
    count = held.select(read=nw.len().cast(nw.Int64), refused=nw.col(_RULE).count().cast(nw.Int64))
    [[read, refused]] = [row.values() for row in engine.collect(count).to_pylist()]
    quarantine = QUARANTINE.arrow.empty_table()
    if refused:
        quarantine = _quarantine(judged, rules, engine)
        _demand_same(quarantine, refused, where=where)
        held = held.filter(nw.col(_RULE).is_null())
    split = Validated(held.select(*columns), quarantine, read)
    _check_share(split, rules, of=of, settings=settings, where=where)
    return split


def _first_broken(rules: Sequence[Rule]) -> nw.Expr:
    """The number of the first rule that a row breaks; null where there is none."""
    number = nw.lit(None, dtype=nw.Int8)
    for n in reversed(range(len(rules))):
        number = nw.when(rules[n].broken).then(nw.lit(n, dtype=nw.Int8)).otherwise(number)
    return number


def _quarantine(judged: Frame, rules: Sequence[Rule], engine: Engine) -> pa.Table:
    name, column, text = (nw.lit(None, dtype=nw.String) for _ in range(3))
    for n, rule in enumerate(rules):
        breaks = nw.col(_RULE) == n
        name = nw.when(breaks).then(nw.lit(rule.name)).otherwise(name)
        column = nw.when(breaks).then(nw.lit(rule.column)).otherwise(column)
        text = nw.when(breaks).then(shown(rule.column)).otherwise(text)
    refused = judged.filter(~nw.col(_RULE).is_null()).select(
        nw.col("_source").alias("source"),
        nw.col("_row").alias("row_number"),
        name.alias("rule"),
        column.alias("column"),
        text.alias("value"),
    )
    return engine.stored(refused.sort("source", "row_number"), QUARANTINE.arrow)


def _demand_same(quarantine: pa.Table, refused: int, *, where: str) -> None:
    """Refuse what changed while it was read: read = kept + quarantined, always."""
    if quarantine.num_rows != refused:
        raise TryAgainLaterError(
            "the rows changed while they were read",
            where=where,
            saw=f"{quarantine.num_rows:,} refused rows where there were {refused:,} before",
            do="run it again once nothing writes there",
        )


def _check_share(
    split: Validated, rules: Sequence[Rule], *, of: Table, settings: Settings, where: str
) -> None:
    quarantine, read = split.quarantine, split.read
    refused, allowed = quarantine.num_rows, settings.data.max_quarantined_share
    if read == 0 and of.may_be_empty:
        return
    if read == 0:
        raise DataError(
            "there is not a single row",
            where=where,
            saw="a header only" if where.casefold().endswith(".csv") else "columns without rows",
            do="check the export, or the query behind it",
        )
    if refused < read and refused / read <= allowed:
        return
    counts = quarantine["rule"].value_counts().to_pylist()
    worst = max(counts, key=lambda count: count["counts"])
    advice = next(rule.advice for rule in rules if rule.name == worst["values"])
    row = quarantine.slice(quarantine["rule"].index(worst["values"]).as_py(), 1).to_pylist()[0]
    told = "no value" if row["value"] is None else repr(row["value"])
    such = f"such as row {row['row_number']} of {row['source']}"  # a whole line is no message
    is_some_left = refused < read
    share = "more than the allowed share" if is_some_left else "so none is left"
    raise TooManyRefusedError(
        f"{refused:,} of {counted(read, 'row')} broke a rule, {share}",
        where=where,
        saw=f"{worst['counts']:,} x {worst['values']}, {such}"
        + ("" if row["column"] == "line" else f" with {told}"),
        do=(advice or f"check data.{of.name}.columns")
        + (f", or allow it with data.max_quarantined_share (now {allowed})" * is_some_left),
        quarantine=quarantine,
    )
