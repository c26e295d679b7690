"""Looks back: what the chain of purchase weeks would have said in the past, and what came.

From past weeks of which the outcome is known it stands beside two plain guesses: that the changes
of the year before are repeated, and that all stays as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.flow.outlook import STAGES, Outlook, outlook
from portfolio_ml.portfolio.flow.purchase_weeks import YEAR_WEEKS, PurchaseWeeks
from portfolio_ml.portfolio.flow.renewal import Floats

HORIZONS = (13, 26, 39, 52)
LEVEL = 0.8
LEAST_WEEKS = 26
MOST_LOOKS = 8
SEED = 7
CHECK_DRAWS = 100
NORMAL = 1.2816
"""Half the width of the normal distribution's 80 % interval, in standard deviations."""

MEASURES = ("active", "revenue")
"""What is checked against the past."""
GUESSES = ("chain", "repeated", "unchanged")
"""The chain of purchase weeks, and the plain guesses."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was expected of one measure at one horizon from one past week, and what came.

    Attributes:
        origin: The week, counted back from the as-of day, from whose end it looks.
        measure: active or revenue.
        horizon: How many weeks ahead.
        guesses: What the chain expected, and what the plain guesses said; NaN where not made.
        low: The lower end of the chain's own 80 % interval.
        high: Its upper end.
        outcome: What came.
    """

    origin: int
    measure: str
    horizon: int
    guesses: Mapping[str, float]
    low: float
    high: float
    outcome: float


def looked_back(book: Book, of: PurchaseWeeks) -> Iterator[Look]:
    """Looks from past weeks, a quarter apart, the latest first, each with half a year before it."""
    step = HORIZONS[0]
    origins = range(step, of.weeks - LEAST_WEEKS + 1, step)
    for origin in list(origins)[:MOST_LOOKS]:
        if not of.has_purchases(origin):
            continue
        horizons = [weeks for weeks in HORIZONS if weeks <= origin]
        found = outlook_at(book, of, origin, horizons, draws=CHECK_DRAWS)
        for measure in MEASURES:
            for k, weeks in enumerate(horizons):
                drawn = drawn_of(found, measure, k)
                low, high = ends_of(drawn)
                yield Look(
                    origin,
                    measure,
                    weeks,
                    {"chain": float(drawn[0]), **guesses_at(of, measure, origin, weeks)},
                    low,
                    high,
                    _outcome(of, measure, origin, weeks),
                )


def outlook_at(
    book: Book, of: PurchaseWeeks, origin: int, horizons: Sequence[int], *, draws: int
) -> Outlook:
    """What the chain says at a week's end; the same whenever it is asked."""
    return outlook(
        of,
        origin,
        as_of_day=book.as_of_day,
        horizons=horizons,
        lifecycle=book.lifecycle,
        seed=SEED,
        draws=draws,
    )


def drawn_of(found: Outlook, measure: str, horizon: int) -> Floats:
    """The draws of one measure at one of the horizons, by its place; the first is the mean."""
    if measure == "revenue":
        return np.asarray(found.revenue[horizon])
    active = np.asarray(found.active[:, horizon].sum(axis=0))
    if measure == "active":
        return active
    if measure == "lapsed":  # the luck of both is drawn apart, so that few might be less than none
        return np.asarray(np.maximum(found.everyone[horizon] - active, 0.0))
    return np.asarray(found.active[STAGES.index(measure), horizon])


def ends_of(drawn: Floats) -> tuple[float, float]:
    """The ends of the draws' central 80 %, the mean included."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(min(low, drawn[0])), float(max(high, drawn[0]))


def guesses_at(of: PurchaseWeeks, measure: str, origin: int, weeks: int) -> dict[str, float]:
    """What plain guesses say at a week's end; NaN where the history holds no year before it."""
    if measure == "active":
        now, repeated = of.active(origin), np.nan
        if origin + YEAR_WEEKS + of.window <= of.weeks:
            ended, began = of.active(origin + YEAR_WEEKS - weeks), of.active(origin + YEAR_WEEKS)
            repeated = max(now + ended - began, 0.0)
        return {"repeated": repeated, "unchanged": now}
    last = min(origin + YEAR_WEEKS, of.weeks) - 1
    mean = of.revenue(origin, last) / (last - origin + 1)
    repeated = of.revenue(origin + YEAR_WEEKS - weeks, origin + YEAR_WEEKS - 1)
    has_year = origin + YEAR_WEEKS <= of.weeks
    return {"repeated": repeated if has_year else np.nan, "unchanged": mean * weeks}


def _outcome(of: PurchaseWeeks, measure: str, origin: int, weeks: int) -> float:
    if measure == "active":
        return of.active(origin - weeks)
    return of.revenue(origin - weeks, origin - 1)


def missed_a_week(looks: Sequence[Look], measure: str) -> float:
    """The variance a week by which outcomes missed the chain beyond its own, of their logarithm."""
    beyond, weeks = 0.0, 0
    for look in looks:
        chain = look.guesses["chain"]
        if look.measure != measure or not min(look.low, look.outcome) > 0:
            continue
        own = (np.log(look.high) - np.log(look.low)) / (2 * NORMAL)
        beyond += float(np.log(look.outcome / chain) ** 2 - own**2)
        weeks += look.horizon
    return max(beyond, 0.0) / weeks if weeks else 0.0


def widened(expected: float, ends: tuple[float, float], variance: float) -> tuple[float, float]:
    """The ends of an interval with a variance more, of the logarithm.

    Where it reaches down to 0 it has no logarithm, and stays.

    Example:
        >>> low, high = widened(100.0, (100.0, 100.0), 0.01)
        >>> round(low, 1), round(high, 1)
        (88.0, 113.7)
    """
    if not (variance > 0 and ends[0] > 0):
        return ends
    beside = [np.sqrt(np.log(end / expected) ** 2 + NORMAL**2 * variance) for end in ends]
    return expected * float(np.exp(-beside[0])), expected * float(np.exp(beside[1]))


def covers(look: Look, looks: Sequence[Look]) -> bool:
    """Whether the outcome lay in the interval, widened by what looks from other weeks missed."""
    others = [of for of in looks if of.origin != look.origin]
    variance = missed_a_week(others, look.measure) * look.horizon
    low, high = widened(look.guesses["chain"], (look.low, look.high), variance)
    return low <= look.outcome <= high


def compared(looks: Sequence[Look]) -> Sequence[Look]:
    """The looks that all guesses have; all, where none has a year before it."""
    return [of for of in looks if not np.isnan(of.guesses["repeated"])] or looks


def errors_of(looks: Sequence[Look]) -> dict[str, float]:
    """The mean absolute error of each guess over the mean outcome.

    NaN where the guess was not made at each look, or nothing above 0 came.

    Example:
        >>> guesses = {"chain": 9, "repeated": 5, "unchanged": 12}
        >>> errors_of([Look(26, "active", 13, guesses, low=8, high=11, outcome=10)])
        {'chain': 0.1, 'repeated': 0.5, 'unchanged': 0.2}
    """
    outcome = np.array([of.outcome for of in looks])
    mean = outcome.mean() if outcome.mean() > 0 else np.nan
    guessed = {name: np.array([of.guesses[name] for of in looks]) for name in GUESSES}
    return {name: float(np.abs(of - outcome).mean() / mean) for name, of in guessed.items()}


def best_of(errors: Mapping[str, float]) -> str | None:
    """What was the least off; None where no error is known.

    Example:
        >>> best_of({"chain": 0.2, "repeated": float("nan"), "unchanged": 0.1})
        'unchanged'
    """
    known = {name: error for name, error in errors.items() if not np.isnan(error)}
    return min(known, key=lambda name: (known[name], name)) if known else None
