"""As-of dates, horizons and windows: the only place where times are compared.

A *day* is an integer, days since 1970-01-01 in the portfolio's time zone. History is every event
up to and including the as-of day; the outcome window is the `horizon_days` days after it. An
*age* is `as_of - day`: 0 on the as-of day itself, and never negative in history.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import narwhals as nw

EPOCH = date(1970, 1, 1)


def to_day(value: date) -> int:
    """The day number of a date.

    Example:
        >>> to_day(date(1998, 6, 30))
        10407
    """
    return (value - EPOCH).days


def to_date(day: int) -> date:
    """The date of a day number.

    Example:
        >>> to_date(10407)
        datetime.date(1998, 6, 30)
    """
    return EPOCH + timedelta(days=int(day))


def date_at(moment: datetime, timezone: str) -> date:
    """The date on which a moment falls in a time zone.

    Args:
        moment: With its own offset.
        timezone: The zone whose days count, such as `Europe/Berlin`.

    Example:
        >>> from datetime import UTC
        >>> date_at(datetime(2024, 3, 2, 2, tzinfo=UTC), "America/Los_Angeles")
        datetime.date(2024, 3, 1)
    """
    return moment.astimezone(ZoneInfo(timezone)).date()


def in_history(day: nw.Expr, as_of: nw.Expr | int) -> nw.Expr:
    """Whether an event is visible at `as_of`: on that day or before."""
    return day <= as_of


def in_window(age_days: nw.Expr, window_days: int) -> nw.Expr:
    """Whether an event lies in the last `window_days` days, the as-of day included."""
    return (age_days >= 0) & (age_days < window_days)


def in_outcome(day: nw.Expr, as_of: nw.Expr | int, horizon_days: int) -> nw.Expr:
    """Whether an event lies in (as_of, as_of + horizon]."""
    return (day > as_of) & (day <= as_of + horizon_days)


def is_among_last(kth_later_day: nw.Expr, as_of: nw.Expr | int) -> nw.Expr:
    """Whether an event is one of its customer's last k in history at `as_of`.

    It is, where the k-th event after it is not in history: on a later day, or not there at all.
    """
    return kth_later_day.is_null() | (kth_later_day > as_of)


@dataclass(frozen=True, slots=True)
class Span:
    """The first and the last day of a history or a period, both included.

    Example:
        >>> Span(first_day=0, last_day=9).days
        10
    """

    first_day: int
    last_day: int

    @property
    def days(self) -> int:
        """Length in days."""
        return self.last_day - self.first_day + 1


def touched(day: int, horizon_days: int, excluded: Sequence[Span]) -> tuple[Span, ...]:
    """The excluded periods that the outcome window (day, day + horizon] touches.

    Example:
        >>> touched(10, 5, [Span(1, 10), Span(15, 20), Span(16, 20)])
        (Span(first_day=15, last_day=20),)
    """
    return tuple(
        period
        for period in excluded
        if period.last_day > day and period.first_day <= day + horizon_days
    )


def cutoffs(
    span: Span,
    horizon_days: int,
    count: int,
    *,
    min_history_days: int,
    excluded: Sequence[Span] = (),
) -> tuple[int, ...]:
    """Evaluation cutoffs, ascending and one horizon apart, the last one horizon before the end.

    A cutoff whose outcome window would touch an excluded period steps back until it is clear, and
    those before it follow. Those with fewer than `min_history_days` days of history are left out,
    so fewer than `count` may come back.

    Example:
        >>> cutoffs(Span(0, 365), 90, 3, min_history_days=120)
        (185, 275)
        >>> cutoffs(Span(0, 365), 90, 3, min_history_days=120, excluded=[Span(350, 352)])
        (169, 259)
    """
    found: list[int] = []
    day = span.last_day
    for _ in range(count):
        day -= horizon_days
        while periods := touched(day, horizon_days, excluded):
            day = min(period.first_day for period in periods) - horizon_days - 1
        found.append(day)
    return tuple(d for d in reversed(found) if Span(span.first_day, d).days >= min_history_days)


def snapshots(
    first_day: int,
    known_until: int,
    horizon_days: int,
    *,
    count: int,
    step_days: int,
    min_history_days: int,
    excluded: Sequence[Span] = (),
) -> tuple[int, ...]:
    """Training snapshot days, ascending, whose outcomes are known on `known_until`.

    A snapshot at `s` may be used at `e` only if `s + horizon <= e` (the embargo). One whose
    outcome window touches an excluded period is skipped, and an earlier one takes its place.
    Snapshots with fewer than `min_history_days` days before them are left out.

    Example:
        >>> snapshots(0, 300, 90, count=3, step_days=30, min_history_days=60)
        (150, 180, 210)
        >>> snapshots(0, 300, 90, count=3, step_days=30, min_history_days=60,
        ...           excluded=[Span(295, 400)])
        (120, 150, 180)
    """
    earliest = first_day + min_history_days - 1
    days = range(known_until - horizon_days, earliest - 1, -step_days)
    clear = (day for day in days if not touched(day, horizon_days, excluded))
    return tuple(sorted(itertools.islice(clear, count)))
