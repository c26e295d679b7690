"""Health: whether more value flows into the portfolio than out of it, and how sure that is.

Recruited value / lost value is the classic measure. Where customers pause and return, most of what
is lost comes back without anybody being recruited, so the verdict rests on recruited and
reactivated value / lost value, and on whether the value of all has moved the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.flow.flow import Flow, flow_of, short_then
from portfolio_ml.portfolio.flow.lifecycle import moves
from portfolio_ml.portfolio.flow.spells import active_on, spells
from portfolio_ml.portfolio.stock import YEAR_DAYS
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.wording import counted

LEVEL = 0.9
TOO_LITTLE = "too little history"
STABLE = (0.8, 1.25)
"""Between these ratios of what comes to what goes a portfolio is called stable."""

_OF_90 = f"of the {LEVEL:.0%} interval"

HEALTH: Table = contract_of(
    "health",
    grain="one portfolio",
    key=("verdict",),
    columns=(
        Column(
            "verdict", pa.string(), "growing, stable, shrinking, unclear (too few customers, or "
            "signs that disagree), or too little history",
        ),
        Column("reasons", pa.string(), "why, in sentences"),
        Column("value_recruited", pa.float64(), "as in flow, currency units", decimals=2),
        Column("value_reactivated", pa.float64(), "likewise", decimals=2),
        Column("value_lost", pa.float64(), "likewise", decimals=2),
        Column("recruited_to_lost", pa.float64(), "value_recruited / value_lost",
               null="no value was lost, or too little history", decimals=3),
        Column("recruited_to_lost_low", pa.float64(), f"lower end {_OF_90}",
               null="nothing came and nothing went, or likewise", decimals=3),
        Column("recruited_to_lost_high", pa.float64(), f"upper end {_OF_90}", null="likewise",
               decimals=3),
        Column("inflow_to_lost", pa.float64(), "(value_recruited + value_reactivated) / "
               "value_lost", null="no value was lost, or too little history", decimals=3),
        Column("inflow_to_lost_low", pa.float64(), f"lower end {_OF_90}",
               null="nothing came and nothing went, or likewise", decimals=3),
        Column("inflow_to_lost_high", pa.float64(), f"upper end {_OF_90}", null="likewise",
               decimals=3),
        Column("value_change", pa.float64(), "value of the active now / that of then - 1",
               null="there was none then, or the history "
               "holds less than a year before it", decimals=4),
        Column("new_customers", pa.int64(), "who first bought in the year before the last "
               "lifecycle.new_days"),
        Column("reached_developing", pa.int64(), "of them, those active on the day on which they "
               "passed lifecycle.new_days"),
        Column("developing_share", pa.float64(), "reached_developing / new_customers",
               null="there were none", decimals=4),
        Column("developing_share_low", pa.float64(), f"lower end {_OF_90}", null="likewise",
               decimals=4),
        Column("developing_share_high", pa.float64(), f"upper end {_OF_90}", null="likewise",
               decimals=4),
    ),
)  # fmt: skip

TITLE = "Whether the portfolio is healthy"


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much came for each unit that went, with its interval; NaN where undefined."""

    value: float
    low: float
    high: float


def ratio_of(came: NDArray[np.float64], went: NDArray[np.float64]) -> Ratio:
    """The sum of some customers' values over that of others, with its 90 % interval.

    Each sum is taken as a weighted Poisson count, whose rate is about gamma (Fay & Feuer 1997), of
    half an average customer more (the Jeffreys prior); the ratio of two gammas follows an F.

    Args:
        came: What each of those who came is worth; below 0 counts as 0 in the interval, which
            reaches as far as the ratio itself where that lies beyond it.
        went: What each of those who went is worth.

    Example:
        >>> one = np.ones(100)
        >>> found = ratio_of(one, one)
        >>> found.value, round(found.low, 2), round(found.high, 2)
        (1.0, 0.79, 1.26)
    """
    value = float(came.sum() / went.sum()) if went.sum() > 0 else np.nan
    sums = [np.maximum(values, 0.0) for values in (came, went)]
    both = np.concatenate(sums)
    if not both.sum() > 0:
        return Ratio(value, np.nan, np.nan)
    typical = float((both**2).sum() / both.sum())
    rates = [_rate(values, typical) for values in sums]
    (mean, shape), (other_mean, other_shape) = rates
    tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = np.asarray(stats.f.ppf(tails, 2 * shape, 2 * other_shape))
    least = 0.0 if not sums[0].sum() > 0 else float(low * mean / other_mean)
    ends = (least, float(high * mean / other_mean), *([] if np.isnan(value) else [value]))
    return Ratio(value, min(ends), max(ends))


def _rate(values: NDArray[np.float64], typical: float) -> tuple[float, float]:
    """The mean and the shape of the gamma of a weighted Poisson count's rate."""
    total, squares = float(values.sum()), float((values**2).sum())
    weight = squares / total if total > 0 else typical
    total, squares = total + weight / 2, squares + weight**2 / 2
    return total, total**2 / squares


def health(book: Book) -> Figure:
    """What came and went within the year, with a verdict on it."""
    if book.then is None:
        return absent(HEALTH, TITLE, book.no_then)
    of = flow_of(moves(book.now, book.then))
    now, then = of.went.revenue / MONEY_SCALE, of.went.revenue_then / MONEY_SCALE
    lost = then[of.lost]
    recruited = ratio_of(now[of.recruited], lost)
    inflow = ratio_of(now[of.recruited | of.reactivated], lost)
    before, after = then[of.went.was_active].sum(), now[of.went.is_active].sum()
    change = after / before - 1 if before > 0 else np.nan
    new, reached = _developing(book)
    low, high = _binomial(reached, new)
    told = verdict(inflow, change, is_short=book.days_before_then < _needed(book))
    if told == TOO_LITTLE:
        recruited = inflow = Ratio(np.nan, np.nan, np.nan)
    if book.days_before_then < YEAR_DAYS:
        change = np.nan
    row = {
        "verdict": told,
        "reasons": ". ".join(_reasons(book, of, inflow, change, new=new, reached=reached)) + ".",
        "value_recruited": now[of.recruited].sum(),
        "value_reactivated": now[of.reactivated].sum(),
        "value_lost": lost.sum(),
        "recruited_to_lost": recruited.value,
        "recruited_to_lost_low": recruited.low,
        "recruited_to_lost_high": recruited.high,
        "inflow_to_lost": inflow.value,
        "inflow_to_lost_low": inflow.low,
        "inflow_to_lost_high": inflow.high,
        "value_change": change,
        "new_customers": new,
        "reached_developing": reached,
        "developing_share": reached / new if new else np.nan,
        "developing_share_low": low,
        "developing_share_high": high,
    }
    columns = {name: [value] for name, value in row.items()}
    return present(HEALTH, TITLE, columns, as_of=book.as_of, notes=short_then(book))


def verdict(inflow: Ratio, change: float, *, is_short: bool) -> str:
    """What is said of the flow.

    A history too short to hold the value and the customers of then makes too little of what was
    lost and too much of what was recruited: *shrinking* is safe to say, nothing else is.

    Args:
        inflow: What came for each unit of value lost.
        change: By how much the value of the active changed; NaN where there was none.
        is_short: Whether the history holds less than a year, or an activity window, before then.

    Example:
        >>> verdict(Ratio(1.5, 1.2, 1.9), 0.1, is_short=False)
        'growing'
        >>> verdict(Ratio(1.5, 0.4, 4.9), 0.1, is_short=False)
        'unclear'
    """
    if np.isnan(inflow.low):
        return TOO_LITTLE if is_short else "unclear"
    if inflow.high < 1 and not change > 0:
        return "shrinking"
    if is_short:
        return TOO_LITTLE
    if inflow.low > 1 and change > 0:
        return "growing"
    if STABLE[0] < inflow.low and inflow.high < STABLE[1] and abs(change) < STABLE[1] - 1:
        return "stable"
    return "unclear"


def _needed(book: Book) -> int:
    """How many days before then the history must hold."""
    return max(YEAR_DAYS, book.frozen.activity_days)


def _developing(book: Book) -> tuple[int, int]:
    """Those who became customers in the year before the last `new_days`, and who stayed on."""
    engine, after = book.inputs.engine, book.lifecycle.new_days + 1
    spell = spells(book)
    came = nw.col("first_day").is_between(
        book.as_of_day - after - YEAR_DAYS, book.as_of_day - after, closed="right"
    )
    firsts = engine.keep(
        spell.filter(nw.col("is_first") & came).select(
            "customer", passed=nw.col("first_day") + after
        )
    )
    on = active_on(spell.join(firsts, on="customer", how="inner"), nw.col("passed"))
    new, reached = (
        engine.collect(frame.select(customers=nw.len()))["customers"][0].as_py()
        for frame in (firsts, on)
    )
    return new, reached


def _truncated(book: Book) -> bool:
    """Whether customers from before the history may pass for the new ones of the year before."""
    came = book.as_of_day - book.lifecycle.new_days - 1 - YEAR_DAYS
    return came < book.inputs.span.first_day + book.frozen.activity_days


def _binomial(part: int, whole: int) -> tuple[float, float]:
    """The 90 % Jeffreys interval of a share (Brown, Cai & DasGupta 2001)."""
    if not whole:
        return np.nan, np.nan
    ends = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = stats.beta.ppf(ends, part + 0.5, whole - part + 0.5)
    return (0.0 if part == 0 else float(low)), (1.0 if part == whole else float(high))


def _reasons(
    book: Book, of: Flow, inflow: Ratio, change: float, *, new: int, reached: int
) -> Sequence[str]:
    came = counted(int((of.recruited | of.reactivated).sum()), "customer")
    gone = counted(int(of.lost.sum()), "customer")
    told = [f"{came} came or came back and {gone} went within {book.settings.compare_days} days"]
    if not np.isnan(inflow.value):
        told.append(
            f"For each unit of value lost, {inflow.value:.2f} came in or back ({inflow.low:.2f} to "
            f"{inflow.high:.2f})"
        )
    if book.days_before_then < _needed(book):
        told.append(
            f"The history holds {counted(book.days_before_then, 'day')} before then, and "
            f"{_needed(book)} are needed to weigh what was lost"
        )
    elif not np.isnan(change):
        told.append(f"The value of the active customers changed by {change:+.1%}")
    if new:
        low, high = _binomial(reached, new)
        told.append(
            f"Of {counted(new, 'new customer')} of the year before, {reached / new:.0%} were still "
            f"active after {book.lifecycle.new_days} days ({low:.0%} to {high:.0%})"
            + (", though some of them may be older than the history" if _truncated(book) else "")
        )
    return told
