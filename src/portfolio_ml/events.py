"""Load -> what customers did beside buying, and what was done to win or keep them."""

from dataclasses import dataclass
from datetime import date

import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import Settings
from portfolio_ml.engine import Frame, Kind, Reader
from portfolio_ml.schema import Table
from portfolio_ml.sources import unread
from portfolio_ml.validation import (
    LARGEST_NUMBER,
    Refusing,
    Rule,
    customer_rules,
    missing,
    parsed,
    tells_minutes,
    timestamp_rules,
    validated,
    value,
    within,
)

_KINDS: dict[str, Kind] = {
    "customer_id": "text",
    "timestamp": "day",
    "minute": "minute",
    "kind": "text",
    "action": "text",
    "value": "number",
    "channel": "text",
    "campaign": "text",
    "held_out": "text",
}
_YES = ("true", "t", "yes", "y", "1")
_NO = ("false", "f", "no", "n", "0")


@dataclass(frozen=True, slots=True)
class Events(Refusing):
    """The validated rows of a table of events, and what became of the others.

    Attributes:
        frame: One row per event: customer_id, day (number, in the portfolio's zone), `kind` of an
            interaction or `action` of a contact, then `columns`: minute (of the day), value
            (float64), channel, campaign (text), held_out (boolean); null where unknown or
            unreadable. Computed once.
        kept: Rows kept.
        quarantine: The refused rows, as in `schema.QUARANTINE`.
        columns: The optional columns that the source has.
        source: What the rows' source is called, for people.
    """

    frame: Frame
    kept: int
    quarantine: pa.Table
    columns: frozenset[str]
    source: str


def load(of: Table, settings: Settings, engine: Reader, *, today: date) -> Events:
    """The portfolio's interactions or contacts, validated row by row.

    Args:
        of: Which of the two, as `schema.INTERACTIONS` or `schema.CONTACTS`; its section of the
            config is there.
        settings: Where the rows are and what their columns are called.
        engine: Where the rows are kept.
        today: The wall clock's date; rows dated later than tomorrow are refused.

    Raises:
        ConfigError: The source or its mapping is wrong.
        DataError: A column is missing, nothing is left, or too many rows break a rule.
    """
    raw = unread(settings, engine, of=of)
    rows = parsed(raw, _KINDS, engine, of=of, settings=settings)
    held = _held(rows)
    split = validated(
        rows, rules(of, today), held, engine, of=of, settings=settings, where=raw.label
    )
    has_minutes = tells_minutes(split.kept, engine)
    names = [name for name in held if name != "minute" or has_minutes]
    always = {"day", *(c.name for c in of.columns if c.required)}
    return Events(
        frame=split.kept.select(*names),
        kept=split.rows,
        quarantine=split.quarantine,
        columns=frozenset(names) - always,
        source=raw.label,
    )


def rules(of: Table, today: date) -> tuple[Rule, ...]:
    """The rules a row must keep, in the order in which they are tried.

    Example:
        >>> from portfolio_ml.schema import CONTACTS
        >>> rules(CONTACTS, date(2024, 3, 1))[-1].name
        'action_missing'
    """
    said = [c.name for c in of.columns if c.required][-1]
    return (*customer_rules(), *timestamp_rules(of, today), missing(said))


def _held(rows: Frame) -> dict[str, nw.Expr]:
    there = {name.removeprefix("_") for name in rows.collect_schema().names()}
    held = {name: value(name) for name in _KINDS if name in there}
    held = {"day" if name == "timestamp" else name: expr for name, expr in held.items()}
    if "value" in held:
        held["value"] = within(value("value"), LARGEST_NUMBER)
    if "held_out" in held:
        said = value("held_out").str.to_lowercase()
        is_told = said.is_in([*_YES, *_NO])
        held["held_out"] = nw.when(is_told).then(said.is_in(_YES))
    return held
