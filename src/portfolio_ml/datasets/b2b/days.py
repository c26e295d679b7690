"""Moments on a grid of accounts and days: when something is reached, and chance among days."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def day_reached(clocks: Floats, rows: Ints, marks: Floats) -> Ints:
    """The first day on which the clock of a row reaches a mark; the number of days if never.

    Args:
        clocks: What has passed by the end of each day: a row per account, never falling.
        rows: The row of each mark.
        marks: What is to be reached, above 0.

    Example:
        >>> day_reached(np.array([[1.0, 1.0, 2.0]]), np.array([0, 0, 0]), np.array([0.5, 1.5, 9.0]))
        array([0, 2, 3])
    """
    days = clocks.shape[1]
    apart = float(max(clocks.max(), marks.max(initial=0.0))) + 1.0
    ends = (clocks + apart * np.arange(len(clocks))[:, None]).ravel()
    found = np.searchsorted(ends, marks + apart * rows, side="left")
    reached: Ints = np.minimum(found - rows * days, days)
    return reached


def days_at_random(
    chance: np.random.Generator, likely: Floats, per_day: Floats | float
) -> tuple[Ints, Ints]:
    """Events that come about by chance, as rows and days, in order.

    Args:
        chance: The random numbers.
        likely: How likely each day of each account is, beside its others: a row per account.
        per_day: How many events to expect on a day of likelihood 1; one for all accounts, or each.
    """
    clocks = np.cumsum(likely, axis=1)
    counts = chance.poisson(clocks[:, -1] * per_day)
    rows = np.repeat(np.arange(len(likely)), counts)
    marks = clocks[rows, -1] * (1.0 - chance.random(len(rows)))
    days = day_reached(clocks, rows, marks)
    order = np.lexsort((days, rows))
    return rows[order], np.minimum(days[order], likely.shape[1] - 1)


def workday(days: Ints, first_day: int) -> Ints:
    """The days, those of a weekend moved to the Monday after; 1970-01-01 was a Thursday."""
    weekday = (days + first_day + 3) % 7
    return days + np.where(weekday >= 5, 7 - weekday, 0)


def moments(days: Ints, first_day: int, chance: np.random.Generator) -> NDArray[np.datetime64]:
    """The days as timestamps within office hours."""
    minutes = (60 * (7 + 11 * chance.beta(2.0, 2.2, len(days)))).astype(np.int64)
    begin = (days + first_day).astype("datetime64[D]").astype("datetime64[us]")
    stamped: NDArray[np.datetime64] = begin + minutes.astype("timedelta64[m]")
    return stamped


def dates(days: Floats | Ints, first_day: int) -> NDArray[np.datetime64]:
    """The days as dates; NaT for what is not finite."""
    told = np.isfinite(days)
    found = np.full(np.shape(days), np.datetime64("NaT", "D"))
    found[told] = (np.floor(np.asarray(days)[told]).astype(np.int64) + first_day).astype(
        "datetime64[D]"
    )
    return found
