"""The month in which a customer spends most, where each of its years has the same one."""

from dataclasses import dataclass
from datetime import date

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import ndtr

from portfolio_ml.engine import Frame
from portfolio_ml.features.cut import seen_at
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.timeline import to_date

FEWEST_YEARS = 2
MOST_YEARS = 5
SIGNIFICANT = 0.025
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class PeakMonths:
    """Customers whose last years all had one peak month, and how many there would be by chance.

    Attributes:
        customer: Their numbers in the inputs, ascending.
        month: The peak month, 1 to 12.
        years: How many years had it; two or more.
        asked: How many customers have as many years.
        by_chance: How many would have one peak month if each year's were any of the months in
            which the customer buys.
        p_value: The chance of as many as there are.
    """

    customer: NDArray[np.int64]
    month: NDArray[np.int64]
    years: NDArray[np.int64]
    asked: int
    by_chance: float
    p_value: float


def peak_months(inputs: Inputs, as_of_day: int) -> PeakMonths:
    """The peak months as they show in whole years of months, back from the last whole month.

    A year counts if the customer bought in it, and had bought before it began or in its first
    month.

    Args:
        inputs: The portfolio's tables.
        as_of_day: The last day to see.
    """
    end = _month_number(to_date(as_of_day + 1))  # the first month that is not whole
    seen = seen_at(inputs, [as_of_day]).filter(nw.col("is_purchase"))
    months = (
        seen.join(_calendar(inputs), on="day", how="inner")
        .group_by("customer", "month_number")
        .agg(spend=nw.col("spend").sum())
    )
    months = inputs.engine.keep(months.filter(nw.col("month_number") < end))
    back = end - 1 - nw.col("month_number")
    years = months.with_columns(year=back // _MONTHS)
    first = months.group_by("customer").agg(first=nw.col("month_number").min())
    years = years.join(first, on="customer", how="inner").filter(
        (nw.col("year") < MOST_YEARS) & (nw.col("first") <= end - _MONTHS * (nw.col("year") + 1))
    )
    return _agreed(_peaks(years, inputs))


def _peaks(years: Frame, inputs: Inputs) -> pa.Table:
    """One row per customer and year with its peak month, and in how many months it ever bought."""
    years = years.with_columns(month=nw.col("month_number") % _MONTHS)
    ever = years.group_by("customer").agg(
        months=nw.col("month").n_unique(), years=nw.col("year").n_unique()
    )
    largest = nw.col("spend").max().over("customer", "year")
    peaks = (
        years.filter(nw.col("spend") == largest)
        .group_by("customer", "year")
        .agg(month=nw.col("month").min())
    )
    enough = ever.filter(nw.col("years") >= FEWEST_YEARS)
    found = peaks.join(enough, on="customer", how="inner")
    return inputs.engine.collect(found.sort("customer", "year"))


def _agreed(peaks: pa.Table) -> PeakMonths:
    numbers = peaks["customer"].to_numpy().astype(np.int64)
    month, months = peaks["month"].to_numpy(), peaks["months"].to_numpy()
    customer, start, years = np.unique(numbers, return_index=True, return_counts=True)
    if not customer.size:
        none = np.empty(0, np.int64)
        return PeakMonths(none, none, none, 0, 0.0, 1.0)
    is_same = np.maximum.reduceat(month, start) == np.minimum.reduceat(month, start)
    among = np.where(months[start] > 1, months[start], _MONTHS).astype(np.float64)
    chance = among ** -(years - 1.0)
    spread = float(np.sqrt((chance * (1 - chance)).sum()))
    above = (is_same.sum() - 0.5 - chance.sum()) / max(spread, 1e-9)
    return PeakMonths(
        customer=customer[is_same],
        month=month[start][is_same].astype(np.int64) + 1,
        years=years[is_same].astype(np.int64),
        asked=customer.size,
        by_chance=float(chance.sum()),
        p_value=float(ndtr(-above)),
    )


def _month_number(day: date) -> int:
    """The months since year 0, whose remainder by 12 is 0 in January."""
    return day.year * _MONTHS + day.month - 1


def _calendar(inputs: Inputs) -> Frame:
    """Each day of the history with the number of its month."""
    days = range(inputs.span.first_day, inputs.span.last_day + 1)
    return inputs.engine.from_arrow(
        pa.table(
            {
                "day": pa.array(days, pa.int32()),
                "month_number": pa.array([_month_number(to_date(d)) for d in days], pa.int32()),
            }
        )
    )
