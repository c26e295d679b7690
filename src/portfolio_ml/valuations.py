"""Load -> what the portfolio was worth at some dates, and what was put in and taken out."""

from dataclasses import dataclass
from datetime import date

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.config import Settings
from portfolio_ml.engine import Kind, Reader
from portfolio_ml.schema import VALUATIONS
from portfolio_ml.sources import unread
from portfolio_ml.timeline import to_day
from portfolio_ml.validation import (
    CLOCK_SLACK_DAYS,
    LARGEST_NUMBER,
    Refusing,
    Rule,
    before_1900,
    missing,
    once,
    parsed,
    shown,
    unreadable_date,
    validated,
    value,
)

_KINDS: dict[str, Kind] = {"date": "day", "value": "number", "flow": "number"}


@dataclass(frozen=True, slots=True)
class Valuations(Refusing):
    """The validated valuations, and what became of the other rows.

    Attributes:
        rows: One row per date, ascending: day (number), value (after the cash flow of that day)
            and flow (put in that day; negative where taken out; 0 where none is told), both
            float64 in currency units.
        quarantine: The refused rows, as in `schema.QUARANTINE`.
        source: What the rows' source is called, for people.
    """

    rows: pa.Table
    quarantine: pa.Table
    source: str

    @property
    def kept(self) -> int:
        """Rows kept."""
        kept: int = self.rows.num_rows
        return kept

    def until(self, day: int) -> pa.Table:
        """The rows up to and including a day."""
        return self.rows.filter(pc.less_equal(self.rows["day"], day))


def load(settings: Settings, engine: Reader, *, today: date) -> Valuations:
    """The portfolio's valuations, validated row by row.

    Args:
        settings: Where they are and what their columns are called; the section is there.
        engine: Where the rows are computed.
        today: The wall clock's date; rows dated later than tomorrow are refused.

    Raises:
        ConfigError: The source or its mapping is wrong.
        DataError: A column is missing, nothing is left, or too many rows break a rule.
    """
    raw = unread(settings, engine, of=VALUATIONS)
    has_flow = "flow" in raw.columns
    own = rules(today, has_flow=has_flow)
    read = parsed(raw, _KINDS, engine, of=VALUATIONS, settings=settings)
    advice = "keep one valuation for each date: that after the cash flows of the day"
    rows, repeated = once(read, "date", own, advice=advice)
    split = validated(
        rows,
        [*own, repeated],
        {
            "day": value("date"),
            "value": value("value"),
            "flow": value("flow").fill_null(0.0) if has_flow else nw.lit(0.0),
        },
        engine,
        of=VALUATIONS,
        settings=settings,
        where=raw.label,
    )
    kept = engine.collect(split.kept.sort("day"))
    return Valuations(rows=kept, quarantine=split.quarantine, source=raw.label)


def rules(today: date, *, has_flow: bool) -> tuple[Rule, ...]:
    """The rules a row must keep, in the order in which they are tried.

    Example:
        >>> [rule.name for rule in rules(date(2024, 3, 1), has_flow=False)][-3:]
        ['value_missing', 'value_unreadable', 'value_out_of_range']
    """
    latest = to_day(today) + CLOCK_SLACK_DAYS
    money = ("value", "flow") if has_flow else ("value",)
    return (
        missing("date"),
        unreadable_date("date", VALUATIONS),
        before_1900("date"),
        Rule("date_in_the_future", "date", value("date") > latest),
        *(rule for name in money for rule in _money_rules(name)),
    )


def _money_rules(name: str) -> tuple[Rule, ...]:
    number, told = value(name), ~shown(name).is_null()
    is_no_number = number.is_null() | number.is_nan()
    unreadable = Rule(
        f"{name}_unreadable",
        name,
        is_no_number & told,
        advice="say how numbers are written in data.valuations.format, "
        "check data.valuations.columns",
    )
    out_of_range = Rule(f"{name}_out_of_range", name, number.abs() > LARGEST_NUMBER)
    if name == "flow":  # without one, nothing was put in
        return unreadable, out_of_range
    return Rule(f"{name}_missing", name, is_no_number & ~told), unreadable, out_of_range
