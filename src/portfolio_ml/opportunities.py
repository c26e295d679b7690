"""Load -> the deals of each representative, and what became of them by when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import narwhals as nw
import pyarrow as pa

from portfolio_ml.config import OpportunitiesSource, Settings
from portfolio_ml.engine import Frame, Kind, Reader
from portfolio_ml.schema import OPPORTUNITIES
from portfolio_ml.sources import unread
from portfolio_ml.timeline import in_history, to_day
from portfolio_ml.validation import (
    CLOCK_SLACK_DAYS,
    Refusing,
    Rule,
    before_1900,
    money,
    once,
    parsed,
    unreadable_date,
    validated,
    value,
)

_KINDS: Mapping[str, Kind] = {
    "opportunity_id": "text",
    "representative_id": "text",
    "outcome": "text",
    "stage": "text",
    "opened_at": "day",
    "offered_at": "day",
    "closed_at": "day",
    "customer_id": "text",
    "amount": "number",
    "category": "text",
    "segment": "text",
    "region": "text",
    "recorded_at": "day",
}
_TYPES = {"text": nw.String(), "day": nw.Int32(), "number": nw.Float64()}
_TEXTS = ("customer_id", "category", "segment", "region")
_MANY = 5


@dataclass(frozen=True, slots=True)
class Opportunities(Refusing):
    """The validated deals, as they stand today, and what became of the other rows.

    Attributes:
        frame: One row per deal: opportunity_id, representative_id, is_won (null where it is
            open), opened_day, offered_day (of the first offer), closed_day (when it was won or
            lost; null where it is open), all day numbers in the portfolio's zone, known_day (from
            which on the deal is known; null where no date is told), amount (1/10,000 currency
            unit), customer_id, category, segment and region; null where unknown, unreadable or
            not in the source. Computed once.
        kept: Rows kept.
        quarantine: The refused rows, as in `schema.QUARANTINE`.
        columns: The optional columns that the source has, by their names in
            `schema.OPPORTUNITIES`; the frame has all of them.
        outcomes: How many deals are won, lost and open.
        undecided: Where not a single deal is won or lost, the commonest of their values.
        source: What the rows' source is called, for people.
    """

    frame: Frame
    kept: int
    quarantine: pa.Table
    columns: frozenset[str]
    outcomes: Mapping[str, int]
    undecided: tuple[str, ...]
    source: str

    def known_on(self, as_of: date) -> Frame:
        """The deals as they were known by the end of a day.

        One that began later is not there, and one that was closed later is open: its is_won and
        closed_day are null, and so is the offered_day of a later offer. A decision without a date
        counts from the day on which the deal is known.
        """
        day = to_day(as_of)
        since, offered, closed = map(nw.col, ("known_day", "offered_day", "closed_day"))
        is_closed = closed.is_null() | in_history(closed, day)
        return self.frame.filter(since.is_null() | in_history(since, day)).with_columns(
            is_won=nw.when(is_closed).then(nw.col("is_won")),
            offered_day=nw.when(in_history(offered, day)).then(offered),
            closed_day=nw.when(in_history(closed, day)).then(closed),
        )


def load(settings: Settings, engine: Reader, *, today: date) -> Opportunities:
    """The portfolio's opportunities, validated row by row.

    Args:
        settings: Where the opportunities are, what their columns are called and which values mean
            won and lost; the section is there.
        engine: Where the rows are kept.
        today: The wall clock's date; what began or was decided later than tomorrow is refused.

    Raises:
        ConfigError: The source or its mapping is wrong.
        DataError: A column is missing, nothing is left, or too many rows break a rule.
    """
    source = settings.data.opportunities
    assert source is not None  # noqa: S101 - whoever calls has looked
    raw = unread(settings, engine, of=OPPORTUNITIES)
    read = parsed(raw, _KINDS, engine, of=OPPORTUNITIES, settings=settings)
    advice = "keep one row for each opportunity: how it stands today"
    own = rules(today)
    rows, repeated = once(_judged(read, source), "opportunity_id", own, advice=advice)
    split = validated(
        rows,
        [*own, repeated],
        _held() | {"_told": nw.coalesce(*map(value, OPPORTUNITIES.one_of))},
        engine,
        of=OPPORTUNITIES,
        settings=settings,
        where=raw.label,
    )
    outcomes = _outcomes(split.kept, engine)
    is_decided = outcomes["won"] or outcomes["lost"]
    return Opportunities(
        frame=split.kept.drop("_told"),
        kept=split.rows,
        quarantine=split.quarantine,
        columns=frozenset(c.name for c in OPPORTUNITIES.columns if not c.required) & {*raw.columns},
        outcomes=outcomes,
        undecided=() if is_decided else _commonest(split.kept, engine),
        source=raw.label,
    )


def rules(today: date) -> tuple[Rule, ...]:
    """The rules a row must keep before it is asked whether its id was there already.

    What an open deal says of its closing is an expectation, and not looked at.

    Example:
        >>> [rule.name for rule in rules(date(2024, 3, 1)) if rule.column == "opened_at"]
        ['opened_at_unreadable', 'opened_at_before_1900', 'opened_at_in_the_future']
    """
    is_decided = ~value("is_won").is_null()
    is_early = value("closed_at") < value("opened_at")
    return (
        *(
            Rule(f"{name}_missing", name, value(name).is_null())
            for name in ("opportunity_id", "representative_id")
        ),
        *_dated("opened_at", today),
        *(
            Rule(rule.name, rule.column, is_decided & rule.broken, rule.advice)
            for rule in (
                *_dated("closed_at", today),
                Rule("closed_before_opened", "closed_at", is_early),
            )
        ),
    )


def _dated(column: str, today: date) -> tuple[Rule, ...]:
    """The rules for the date of something that has happened, if it is told."""
    latest = to_day(today) + CLOCK_SLACK_DAYS
    return (
        unreadable_date(column, OPPORTUNITIES),
        before_1900(column),
        Rule(f"{column}_in_the_future", column, value(column) > latest),
    )


def _judged(rows: Frame, source: OpportunitiesSource) -> Frame:
    """The rows with every column that the source lacks as nulls, and `_is_won`."""
    there = {*rows.collect_schema().names()}
    lacking = {f"_{n}": _TYPES[kind] for n, kind in _KINDS.items() if f"_{n}" not in there}
    nulls = {name: nw.lit(None, dtype=dtype) for name, dtype in lacking.items()}
    texts = {f"{name}:text": nw.lit(None, dtype=nw.String) for name in lacking}
    verdicts = (_verdict(value(name), source) for name in OPPORTUNITIES.one_of)
    return rows.with_columns(**nulls, **texts).with_columns(_is_won=nw.coalesce(*verdicts))


def _verdict(said: nw.Expr, source: OpportunitiesSource) -> nw.Expr:
    plain = said.str.to_lowercase()
    is_decided = plain.is_in([*source.won, *source.lost])
    return nw.when(is_decided).then(plain.is_in([*source.won]))


def _held() -> dict[str, nw.Expr]:
    """What is kept of a row, by name.

    An offer that followed the decision was not the first, and is taken as unknown.
    """
    opened, offered, closed = map(value, ("opened_at", "offered_at", "closed_at"))
    decided = nw.when(~value("is_won").is_null()).then(closed)
    began = nw.coalesce(opened, offered, decided)
    return {
        "opportunity_id": value("opportunity_id"),
        "representative_id": value("representative_id"),
        "is_won": value("is_won"),
        "opened_day": opened,
        "offered_day": nw.when(decided.is_null() | (offered <= decided)).then(offered),
        "closed_day": decided,
        "known_day": nw.max_horizontal(began, value("recorded_at")),
        "amount": money(value("amount")),
        **{name: value(name) for name in _TEXTS},
    }


def _outcomes(kept: Frame, engine: Reader) -> Mapping[str, int]:
    won = nw.col("is_won").cast(nw.Int64)
    counts = kept.select(
        won=won.sum().fill_null(0), decided=won.count(), deals=nw.len().cast(nw.Int64)
    )
    [row] = engine.collect(counts).to_pylist()
    won_count, decided, deals = (int(row[name]) for name in ("won", "decided", "deals"))
    return {"won": won_count, "lost": decided - won_count, "open": deals - decided}


def _commonest(kept: Frame, engine: Reader) -> tuple[str, ...]:
    told = kept.filter(~nw.col("_told").is_null()).group_by("_told").agg(deals=nw.len())
    first = told.sort("deals", "_told", descending=[True, False]).head(_MANY)
    return tuple(engine.collect(first)["_told"].to_pylist())
