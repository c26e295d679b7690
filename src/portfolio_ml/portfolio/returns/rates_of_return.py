"""Rates of return: what money brought, whatever was put in and taken out meanwhile.

The time-weighted return asks how well the portfolio did: each period counts alike, however much
money was in it. The money-weighted return asks how well the money did: it is the internal rate of
return of what was put in and taken out.

Everywhere here, `values` are those after the cash flow of the same date, and a flow is positive
where money was put in. The first value is what the portfolio begins with, so the first flow is
part of it and changes no return. Returns are shares: 0.05 is 5 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from portfolio_ml.errors import DataError

Floats = NDArray[np.float64]

DAYS_PER_YEAR = 365
_LOG_GROWTH = 50.0
"""Growth over the whole time is looked for from e^-50 to e^50: less and more is no business's."""


@dataclass(frozen=True, slots=True)
class TimeWeighted:
    """The time-weighted return at each of some dates; arrays have shape (dates,).

    Attributes:
        days: Days since the first date, leap days left out.
        period: Of the period that ends on the date; 0 on the first.
        total: Of all periods up to the date, chained.
        annual: The total as a rate for a year of 365 days; NaN where `days` is 0.
    """

    days: NDArray[np.int64]
    period: Floats
    total: Floats
    annual: Floats


@dataclass(frozen=True, slots=True)
class MoneyWeighted:
    """The money-weighted return, or why there is none.

    Attributes:
        annual: The rate for a year of 365 days; NaN where there is none.
        absent: Why there is none; empty where there is one.
    """

    annual: float
    absent: str = ""


def days_without_leap_days(dates: Sequence[date]) -> NDArray[np.int64]:
    """Days since the first of ascending dates where every year has 365, shape (dates,).

    A 29 February has the number of the day before it.

    Example:
        >>> days_without_leap_days([date(2020, 1, 1), date(2020, 6, 30), date(2021, 1, 1)]).tolist()
        [0, 180, 365]
    """
    first = dates[0]
    return np.array([(d - first).days - _leap_days(first, d) for d in dates], np.int64)


def time_weighted(
    dates: Sequence[date], values: Sequence[float] | Floats, flows: Sequence[float] | Floats
) -> TimeWeighted:
    """The time-weighted return of a portfolio, period by period and chained.

    Period n: RP_n = (NAVF_n - CF_n) / NAVI_n - 1, where NAVF is the value after the cash flow CF
    at its end and NAVI the value at its start; in all prod(1 + RP_n) - 1, and a year
    (1 + TWR)^(365/days) - 1 (the Global Investment Performance Standards' true time-weighted rate).

    Args:
        dates: When the portfolio was valued, ascending.
        values: What it was worth then, after the flow of that date.
        flows: What was put in on that date; negative where it was taken out.

    Raises:
        DataError: The three are not of one length, or empty; dates do not ascend; a value at a
            period's start is not above 0; or more was put in than the portfolio was worth after.

    Example:
        >>> year = [date(2021, 1, 1), date(2021, 7, 1), date(2022, 1, 1)]
        >>> found = time_weighted(year, [100.0, 160.0, 176.0], [100.0, 50.0, 0.0])
        >>> found.period.round(4).tolist(), found.total.round(4).tolist()
        ([0.0, 0.1, 0.1], [0.0, 0.1, 0.21])
    """
    value, flow = _checked(dates, values, flows)
    growth = np.ones(value.size)
    growth[1:] = (value[1:] - flow[1:]) / value[:-1]
    if (growth < 0).any():
        worst = int(np.argmin(growth))
        raise DataError(
            "more was put in than the portfolio was worth after it",
            where=f"the value of {dates[worst]}",
            saw=f"a value of {value[worst]:,.2f} after a cash flow of {flow[worst]:,.2f}",
            do="give values after the cash flow of the same date",
        )
    days = days_without_leap_days(dates)
    total: Floats = np.cumprod(growth, dtype=np.float64)
    return TimeWeighted(days=days, period=growth - 1, total=total - 1, annual=_annual(total, days))


def money_weighted(
    dates: Sequence[date], values: Sequence[float] | Floats, flows: Sequence[float] | Floats
) -> MoneyWeighted:
    """The money-weighted return: the internal rate of return for a year, by plain days / 365.

    It is the rate r at which what was put in, the first value included, grows to the last value:
    sum of CF_n (1 + r)^-(days_n / 365) = 0. Where money was taken out and put in again, several
    rates can solve this; one at which the portfolio never owes anything is then the only one
    (Soper 1959), and where there is none such, there is no rate.

    Args:
        dates: As in `time_weighted`.
        values: As in `time_weighted`; only the first and the last count.
        flows: As in `time_weighted`.

    Raises:
        DataError: As in `time_weighted`.

    Example:
        >>> year = [date(2021, 1, 1), date(2022, 1, 1)]
        >>> round(money_weighted(year, [100.0, 160.0], [100.0, 50.0]).annual, 6)
        0.1
    """
    value, flow = _checked(dates, values, flows)
    put_in = np.concatenate([value[:1], flow[1:]])
    put_in[-1] -= value[-1]
    span = (dates[-1] - dates[0]).days
    if len(dates) == 1:
        return MoneyWeighted(np.nan, "there is only one date")
    if put_in[-1] >= 0:
        return MoneyWeighted(np.nan, "nothing is left at the end, so no rate makes up for it")
    moved = np.flatnonzero(put_in)  # of daily values, those with a flow are mostly few
    put_in = put_in[moved]
    left = np.array([(dates[-1] - dates[n]).days for n in moved.tolist()]) / span

    def owed(log_growth: float) -> float:
        return float(put_in @ np.exp(log_growth * left))

    if owed(_LOG_GROWTH) <= 0 or owed(-_LOG_GROWTH) >= 0:
        return MoneyWeighted(np.nan, "no rate in reach solves it")
    found = float(brentq(owed, -_LOG_GROWTH, _LOG_GROWTH, xtol=1e-13, rtol=1e-13))
    if _sign_changes(put_in) > 1 and not _never_owes(put_in, left, found):
        return MoneyWeighted(np.nan, "money went in and out so that several rates may solve it")
    with np.errstate(over="ignore"):
        annual = float(np.expm1(found * DAYS_PER_YEAR / span))
    if not np.isfinite(annual):
        return MoneyWeighted(np.nan, "the time is too short to tell a rate for a year")
    return MoneyWeighted(annual)


def _checked(
    dates: Sequence[date], values: Sequence[float] | Floats, flows: Sequence[float] | Floats
) -> tuple[Floats, Floats]:
    value, flow = np.asarray(values, np.float64), np.asarray(flows, np.float64)
    if not len(dates) == value.size == flow.size or not value.size:
        raise DataError(
            "a return needs one value and one flow for each date",
            saw=f"{len(dates)} dates, {value.size} values and {flow.size} flows",
        )
    if not (np.isfinite(value).all() and np.isfinite(flow).all()):
        raise DataError("values and flows must be finite numbers")
    for before, after in pairwise(dates):
        if before >= after:
            raise DataError("dates must ascend", saw=f"{after} after {before}")
    starts = value[:-1] if value.size > 1 else value
    if (starts <= 0).any():
        worst = int(np.argmin(starts))
        raise DataError(
            "a return needs a value above 0 at the start of each period",
            where=f"the value of {dates[worst]}",
            saw=f"{value[worst]:,.2f}",
        )
    return value, flow


def _annual(total: Floats, days: NDArray[np.int64]) -> Floats:
    years = np.maximum(days, 1) / DAYS_PER_YEAR
    with np.errstate(over="ignore"):
        annual: Floats = total ** (1 / years) - 1
    return np.where((days > 0) & np.isfinite(annual), annual, np.nan)


def _leap_days(first: date, last: date) -> int:
    """How many 29 Februaries lie in (first, last]."""
    return _leap_days_until(last) - _leap_days_until(first)


def _leap_days_until(day: date) -> int:
    year = day.year if (day.month, day.day) >= (2, 29) else day.year - 1
    return year // 4 - year // 100 + year // 400


def _sign_changes(flows: Floats) -> int:
    signs = np.sign(flows[flows != 0])
    return int(np.count_nonzero(signs[1:] != signs[:-1]))


def _never_owes(put_in: Floats, left: Floats, log_growth: float) -> bool:
    """Whether what is in the portfolio at a rate is never below 0 before the end."""
    held = 0.0
    for at, flow in enumerate(put_in[:-1]):
        grown = held * np.exp(log_growth * (left[at - 1] - left[at])) if at else 0.0
        held = grown + flow
        if held < 0:
            return False
    return True
