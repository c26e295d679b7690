"""What a row must not be: the rules that tables share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import narwhals as nw

from portfolio_ml.engine import Frame
from portfolio_ml.schema import Table
from portfolio_ml.timeline import to_day
from portfolio_ml.validation.reading import shown, value

EARLIEST = date(1900, 1, 1)
CLOCK_SLACK_DAYS = 1


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
