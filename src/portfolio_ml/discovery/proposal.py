"""What the history says once it is read: horizons that fit, and how many rows may be refused."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from math import ceil
from pathlib import Path

import numpy as np

from portfolio_ml.backtesting import evaluation_days
from portfolio_ml.config import settings_from
from portfolio_ml.discovery.guess import Guess
from portfolio_ml.duplicates import repeated_lines
from portfolio_ml.engine import Reader, distinct
from portfolio_ml.errors import DataError
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.table import Horizons
from portfolio_ml.freshness import default_as_of
from portfolio_ml.standing import repurchase_at
from portfolio_ml.timeline import Span, to_date, to_day
from portfolio_ml.training import Recipe
from portfolio_ml.transactions import History, load
from portfolio_ml.wording import counted

WEEK = 7
SHORTEST_DAYS, LONGEST_DAYS = 28, 364
USUAL_SHARE = 0.05
_CUTOFFS = (3, 2, 1)
_STEPS = (30, 14, 7)
_ENOUGH_SNAPSHOTS = 4


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far to look ahead, and why.

    Attributes:
        days: A whole number of weeks.
        cutoffs: How many cutoffs the backtest has.
        step_days: The days between training snapshots.
        median_gap: Half of those who return do so within that many days; None if nobody does.
        usual_gap: Three of four do.
        doubts: What is unsure about it.
    """

    days: int
    cutoffs: int
    step_days: int
    median_gap: int | None
    usual_gap: int | None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What goes into the config beside the mapping.

    Attributes:
        read: The rows of the files.
        kept: Those that are valid.
        refused: The others, by rule, the most frequent first.
        customers: Different customers among the kept rows.
        repeated: The kept rows that repeat an earlier one.
        span: The days of the history.
        horizon: How far to look ahead.
        max_quarantined_share: The share of rows that may be refused.
        doubts: What a person should look at.
    """

    read: int
    kept: int
    refused: Mapping[str, int]
    customers: int
    repeated: int
    span: Span
    horizon: Horizon
    max_quarantined_share: float
    doubts: tuple[str, ...]


def propose(source: str, guessed: Guess, engine: Reader, *, base: Path, today: date) -> Proposal:
    """Read the whole history with the guessed mapping and propose what fits it.

    Raises:
        DataError: No row is valid with this mapping, or no day is over.
    """
    values = {
        "name": "proposal",
        "data": {
            "transactions": {
                "source": source,
                "format": guessed.written.model_dump(exclude_defaults=True),
                "columns": guessed.columns,
            },
            "max_quarantined_share": 1.0,
        },
    }
    settings = settings_from(values, base=base)
    history = load(settings, engine, today=today)
    last_day = to_day(default_as_of(history, today=today))
    first_day, doubts = _first_day(history)
    span = Span(first_day, last_day)
    times = repurchase_at(inputs_of(history, engine), [last_day])[last_day]
    half, usual = (times.percentile(share) for share in (0.5, 0.75))
    horizon = fitting_horizon(span, Recipe.of(settings), median_gap=half, usual_gap=usual)
    rules = history.quarantine["rule"].value_counts().to_pylist()
    refused = {r["values"]: r["counts"] for r in sorted(rules, key=lambda r: -r["counts"])}
    read = history.kept + history.quarantined
    share = history.quarantined / read
    if share > 0.5:
        doubts = (*doubts, f"{share:.0%} of the rows break a rule: is the mapping right?")
    lines = history.lines
    customers = engine.collect(distinct(lines.select("customer_id"))).num_rows
    return Proposal(
        read=read,
        kept=history.kept,
        refused=refused,
        customers=customers,
        repeated=repeated_lines(history, engine),
        span=Span(history.span.first_day, last_day),
        horizon=horizon,
        max_quarantined_share=USUAL_SHARE if share < 0.8 * USUAL_SHARE else _with_room(share),
        doubts=doubts,
    )


def fitting_horizon(
    span: Span, recipe: Recipe, *, median_gap: float | None, usual_gap: float | None
) -> Horizon:
    """A horizon in whole weeks that suits the customers' rhythm and leaves cutoffs to judge by.

    It is the time within which three of four of those who return have done so, at least four
    weeks, shortened until the backtest has three cutoffs, but not below the median gap: rather
    than that, there are two cutoffs or one.
    """
    least = _whole_weeks(median_gap or WEEK)
    wanted = min(LONGEST_DAYS, max(SHORTEST_DAYS, _whole_weeks(usual_gap or 0), least))
    days, found = WEEK, 0
    for count in _CUTOFFS:
        longest = _longest(span, recipe, count, at_most=wanted)
        if longest and (longest >= least or not found or count == _CUTOFFS[-1]):
            days, found = longest, count
        if found and days >= least:
            break
    doubts = []
    if not found:
        doubts.append(
            f"the history of {span.days} days is too short for a backtest even with a horizon of "
            f"{WEEK} days: train will refuse it"
        )
    elif days < least:
        doubts.append(
            f"half of those who return take over {median_gap:.0f} days, but the history is too "
            f"short for a horizon of more than {days} days"
        )
    elif found < _CUTOFFS[0]:
        doubts.append(
            f"the history leaves {counted(found, 'cutoff')} to judge by; three are better"
        )
    if median_gap is None:
        doubts.append("nobody buys on a second day, so there is no rhythm to learn: wrong column?")
    chosen = _with(recipe, days)
    return Horizon(
        days=days,
        cutoffs=max(1, found),
        step_days=_step(span, chosen, max(1, found)),
        median_gap=None if median_gap is None else round(median_gap),
        usual_gap=None if usual_gap is None else round(usual_gap),
        doubts=tuple(doubts),
    )


def _first_day(history: History) -> tuple[int, tuple[str, ...]]:
    """The first day of the history proper: not that of a few lines long before all others."""
    days, lines = history.days["day"].to_numpy(), history.days["lines"].to_numpy()
    start = int(days[np.searchsorted(np.cumsum(lines), 0.001 * lines.sum())])
    first, last = int(days[0]), int(days[-1])
    if start - first <= max(180, last - start):
        return first, ()
    doubt = (
        f"the first line is of {to_date(first)}, but 99.9 % are of {to_date(start)} or later: "
        "are the early dates real?"
    )
    return start, (doubt,)


def _longest(span: Span, recipe: Recipe, count: int, *, at_most: int) -> int | None:
    for days in range(at_most, WEEK - 1, -WEEK):
        try:
            if len(evaluation_days(span, _with(recipe, days), count)) >= count:
                return days
        except DataError:
            continue
    return None


def _step(span: Span, recipe: Recipe, cutoffs: int) -> int:
    """Days between snapshots, so that the earliest cutoff has several to learn from."""
    try:
        first = evaluation_days(span, recipe, cutoffs)[0]
    except DataError:
        return _STEPS[-1]
    for step in _STEPS:
        known = replace(recipe, step_days=step).snapshot_days(span.first_day, first)
        if len(known) >= _ENOUGH_SNAPSHOTS:
            return step
    return _STEPS[-1]


def _with(recipe: Recipe, days: int) -> Recipe:
    return replace(recipe, horizons=Horizons(churn_days=days, value_days=days))


def _whole_weeks(days: float) -> int:
    return WEEK * ceil(days / WEEK)


def _with_room(share: float) -> float:
    return min(1.0, ceil(100 * share * 1.1) / 100)
