"""Load -> what customers earned and redeemed of a loyalty programme."""

from dataclasses import dataclass
from datetime import date

import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import Settings
from portfolio_ml.engine import Frame, Kind, Reader
from portfolio_ml.schema import POINTS, POINTS_SCALE
from portfolio_ml.sources import unread
from portfolio_ml.timeline import in_history, to_day
from portfolio_ml.validation import (
    LARGEST_NUMBER,
    Refusing,
    Rule,
    before_1900,
    customer_rules,
    parsed,
    scaled,
    shown,
    timestamp_rules,
    unreadable_date,
    validated,
    value,
)

_KINDS: dict[str, Kind] = {
    "customer_id": "text",
    "timestamp": "day",
    "points": "number",
    "reason": "text",
    "expires_at": "day",
}


@dataclass(frozen=True, slots=True)
class Points(Refusing):
    """The validated entries of a loyalty ledger, and what became of the other rows.

    Attributes:
        frame: One row per entry: customer_id, day (number, in the portfolio's zone), points
            (whole 1/10,000 of a point, as `schema.POINTS_SCALE` says, so that balances do not
            depend on an order; negative is redeemed), reason (text; null where unknown) and
            expires_day (the last day on which they count; null where they never expire). Computed
            once.
        kept: Rows kept.
        quarantine: The refused rows, as in `schema.QUARANTINE`.
        columns: Those of reason and expires_at that the source has; the frame has both.
        source: What the rows' source is called, for people.
    """

    frame: Frame
    kept: int
    quarantine: pa.Table
    columns: frozenset[str]
    source: str

    def known_on(self, as_of: date) -> Frame:
        """The entries up to and including a day."""
        return self.frame.filter(in_history(nw.col("day"), to_day(as_of)))


def load(settings: Settings, engine: Reader, *, today: date) -> Points:
    """The portfolio's loyalty points, validated row by row.

    Args:
        settings: Where the points are and what their columns are called; the section is there.
        engine: Where the rows are kept.
        today: The wall clock's date; rows dated later than tomorrow are refused.

    Raises:
        ConfigError: The source or its mapping is wrong.
        DataError: A column is missing, nothing is left, or too many rows break a rule.
    """
    raw = unread(settings, engine, of=POINTS)
    rows = parsed(raw, _KINDS, engine, of=POINTS, settings=settings)
    there = frozenset({"reason", "expires_at"} & {*raw.columns})
    never, untold = nw.lit(None, dtype=nw.Int32), nw.lit(None, dtype=nw.String)
    split = validated(
        rows,
        rules(today, may_expire="expires_at" in there),
        {
            "customer_id": value("customer_id"),
            "day": value("timestamp"),
            "points": scaled(value("points"), POINTS_SCALE),
            "reason": value("reason") if "reason" in there else untold,
            "expires_day": value("expires_at") if "expires_at" in there else never,
        },
        engine,
        of=POINTS,
        settings=settings,
        where=raw.label,
    )
    return Points(
        frame=split.kept,
        kept=split.rows,
        quarantine=split.quarantine,
        columns=there,
        source=raw.label,
    )


def rules(today: date, *, may_expire: bool) -> tuple[Rule, ...]:
    """The rules a row must keep, in the order in which they are tried.

    An expiry that cannot be read is no lack of one: points that never expire would be owed for
    ever. The expiry of points that are taken away tells nothing, and is not compared.

    Example:
        >>> [rule.name for rule in rules(date(2024, 3, 1), may_expire=False)][-2:]
        ['points_unreadable', 'points_out_of_range']
    """
    points = value("points")
    is_no_number = points.is_null() | points.is_nan()
    of_points = (
        Rule("points_missing", "points", is_no_number & shown("points").is_null()),
        Rule(
            "points_unreadable",
            "points",
            is_no_number,
            advice="say how numbers are written in data.points.format, check data.points.columns",
        ),
        Rule("points_out_of_range", "points", points.abs() > LARGEST_NUMBER),
    )
    return (
        *customer_rules(),
        *timestamp_rules(POINTS, today),
        *of_points,
        *(_rules_of_expiry() if may_expire else ()),
    )


def _rules_of_expiry() -> tuple[Rule, ...]:
    is_late = (value("points") > 0) & (value("expires_at") < value("timestamp"))
    return (
        unreadable_date("expires_at", POINTS),
        before_1900("expires_at"),
        Rule("expired_before_earned", "expires_at", is_late),
    )
