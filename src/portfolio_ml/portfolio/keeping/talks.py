"""What interactions say of customers: how satisfied they are, how often they get in touch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from portfolio_ml.config import Satisfaction
from portfolio_ml.engine import Frame
from portfolio_ml.features.cut import KEYS, dates
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.feelings import Kinds, kinds_of
from portfolio_ml.portfolio.stock import YEAR_DAYS, Stock
from portfolio_ml.timeline import in_history, in_window

RECENT_DAYS = 180
"""What is recent in satisfaction and interactions."""
CHANCE = 0.05
"""A change that chance brings about so often, or less, is told."""
FIVE_POINTS = 5.0
SATISFIED_OF_FIVE = 4.0
VALUE_SCALE = 1_000_000.0
# Values are added up in whole millionths, so that the sum does not depend on the order of rows.

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Talks:
    """What interactions say of the customers of a stock; every array has shape (customers,).

    Attributes:
        kinds: Which interactions say how customers feel.
        satisfaction: Mean value of the last 365 days; NaN without one.
        satisfaction_recent: Of the last 180 days; NaN without one.
        satisfaction_earlier: Of all before; NaN without one.
        is_less_satisfied: Whether it fell by more than the scatter of a customer's values explains.
        satisfied_from: The value from which on customers are satisfied; NaN where none is there.
        recent: Interactions of the last 180 days.
        expected: How many there would be at the customer's own rate before; NaN for those whose
            first one lies within the 180 days, or who have none.
        is_quieter: Whether there are so few by chance in 5 % of cases at most.
        complaint_age_days: Days since the last complaint; NaN without one.
    """

    kinds: Kinds
    satisfaction: Floats
    satisfaction_recent: Floats
    satisfaction_earlier: Floats
    is_less_satisfied: Flags
    satisfied_from: float
    recent: Floats
    expected: Floats
    is_quieter: Flags
    complaint_age_days: Floats


def talks_of(
    inputs: Inputs, stocks: Sequence[Stock], *, settings: Satisfaction
) -> Mapping[int, Talks]:
    """What interactions say of the customers of some stocks, by their day.

    Nothing, where there is no table of interactions.
    """
    if inputs.interactions is None:
        return {}
    kinds = kinds_of(inputs.interactions, inputs, settings)
    days = [stock.as_of_day for stock in stocks]
    sums = inputs.engine.collect(_sums(inputs.interactions, kinds, inputs, days))
    return {stock.as_of_day: _talks(stock.beside(sums), kinds, settings) for stock in stocks}


def talks_today(book: Book) -> Talks | None:
    """What interactions say of today's customers; ask for it by `Book.once`."""
    found = talks_of(book.inputs, [book.now], settings=book.settings.satisfaction)
    return found.get(book.as_of_day)


def _sums(events: Frame, kinds: Kinds, inputs: Inputs, days: Sequence[int]) -> Frame:
    as_of, age = nw.col("as_of"), nw.col("age_days")
    seen = events.join(dates(days, inputs.engine), how="cross")
    seen = seen.filter(in_history(nw.col("day"), as_of))
    seen = seen.with_columns(age_days=as_of - nw.col("day"))
    is_recent = in_window(age, RECENT_DAYS)
    is_complaint = nw.col("kind").is_in(list(kinds.complaints)) if kinds.complaints else _never()
    sums = {
        "recent": is_recent.cast(nw.Float64).sum(),
        "events": nw.len().cast(nw.Float64),
        "first_age": age.max(),
        "complaint_age": nw.when(is_complaint).then(age).min(),
    }
    if kinds.values:
        value = (nw.col("value") * VALUE_SCALE).round()
        tells = nw.col("kind").is_in(list(kinds.values)) & ~nw.col("value").is_null()
        parts = {
            "recent": tells & is_recent,
            "earlier": tells & ~is_recent,
            "year": tells & in_window(age, YEAR_DAYS),
        }
        for part, where in parts.items():
            sums[f"value_{part}_count"] = where.cast(nw.Float64).sum()
            sums[f"value_{part}_sum"] = nw.when(where).then(value).sum()
        sums["value_sd"] = nw.when(tells).then(value).std()
        sums["value_least"] = nw.when(tells).then(value).min()
        sums["value_most"] = nw.when(tells).then(value).max()
    return seen.group_by(*KEYS).agg(**sums).sort(*KEYS)


def _never() -> nw.Expr:
    return nw.col("kind").is_null() & ~nw.col("kind").is_null()


def _talks(sums: Mapping[str, Floats], kinds: Kinds, settings: Satisfaction) -> Talks:
    unknown = np.full(sums["events"].shape, np.nan)

    def mean(part: str) -> Floats:
        if not kinds.values:
            return unknown
        count, total = sums[f"value_{part}_count"], sums[f"value_{part}_sum"]
        found = np.full(unknown.shape, np.nan)
        np.divide(total, count, out=found, where=count > 0)
        return found / VALUE_SCALE

    year, recent, earlier = mean("year"), mean("recent"), mean("earlier")
    count, expected = np.nan_to_num(sums["recent"]), _expected(sums)
    by_chance = stats.poisson.cdf(count, np.nan_to_num(expected))
    return Talks(
        kinds=kinds,
        satisfaction=year,
        satisfaction_recent=recent,
        satisfaction_earlier=earlier,
        is_less_satisfied=_fell(sums, recent - earlier) if kinds.values else np.isfinite(unknown),
        satisfied_from=_satisfied_from(sums, year, settings) if kinds.values else float("nan"),
        recent=count,
        expected=expected,
        is_quieter=np.isfinite(expected) & (by_chance <= CHANCE),
        complaint_age_days=sums["complaint_age"],
    )


def _expected(sums: Mapping[str, Floats]) -> Floats:
    """How many interactions 180 days would have at the rate before, since the first of them."""
    days = sums["first_age"] + 1 - RECENT_DAYS
    earlier = sums["events"] - sums["recent"]
    rate = np.full(days.shape, np.nan)
    np.divide(earlier, np.maximum(days, RECENT_DAYS), out=rate, where=days > 0)
    return rate * RECENT_DAYS


def _fell(sums: Mapping[str, Floats], change: Floats) -> Flags:
    """Whether satisfaction fell by more than one customer's values usually scatter."""
    count = np.nan_to_num(sums["value_recent_count"] + sums["value_earlier_count"])
    spread = sums["value_sd"] / VALUE_SCALE
    is_told = (count > 1) & np.isfinite(spread)
    if not is_told.any():
        return np.zeros(count.shape, np.bool_)
    freedom = count[is_told] - 1
    usual = np.sqrt((freedom * spread[is_told] ** 2).sum() / freedom.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = usual * np.sqrt(1 / sums["value_recent_count"] + 1 / sums["value_earlier_count"])
        return np.asarray(change <= -stats.norm.isf(CHANCE) * noise) & (change < 0)


def _satisfied_from(sums: Mapping[str, Floats], year: Floats, settings: Satisfaction) -> float:
    """From which mean on a customer is satisfied: configured, 4 of 5, or the upper quartile."""
    if settings.satisfied_from is not None:
        return settings.satisfied_from
    if not np.isfinite(year).any():
        return float("nan")
    least, most = np.nanmin(sums["value_least"]), np.nanmax(sums["value_most"])
    if least >= 0 and most <= FIVE_POINTS * VALUE_SCALE:
        return SATISFIED_OF_FIVE
    return float(np.nanquantile(year, 0.75))
