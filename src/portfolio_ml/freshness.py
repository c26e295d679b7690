"""How far a history goes: the last complete day, and whether yesterday's load has come."""

from datetime import date

from portfolio_ml.errors import DataError, TryAgainLaterError
from portfolio_ml.timeline import to_date, to_day
from portfolio_ml.transactions import History
from portfolio_ml.wording import counted


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
            saw=f"today, {today}, and {history.told_span}",
            do="choose an --as-of within the history",
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
            f"the history is stale: its last complete day, {last}, lies {counted(age, 'day')} "
            f"before today, {today}",
            where=history.source,
            saw=f"more than the {counted(max_staleness_days, 'day')} of data.max_staleness_days",
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
