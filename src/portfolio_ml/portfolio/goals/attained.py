"""What is attained of each goal: now, when it began, and at the pace so far by its day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.config import Goal
from portfolio_ml.errors import nearest
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.stock import UNKNOWN, Stock, stocks_at, stocks_without_standing
from portfolio_ml.schema import MONEY_SCALE
from portfolio_ml.timeline import to_date, to_day

MONTH_DAYS = 365.25 / 12
STANDING = ("lifecycle_stage", "value_tier")
"""Sections that are no attributes: where a customer stands by its own history."""


@dataclass(frozen=True)
class Attained:
    """How a goal stands.

    Attributes:
        goal: The goal.
        since: The day from which its pace is told.
        as_of: The day of today's stock.
        now: What is attained today; NaN where that is not known.
        then: What was attained on `since`, likewise.
        among: Which of today's customers it is about, shape (customers,); nobody where its section
            is not known.
        why: Why something of it is not known; empty where all is.
    """

    goal: Goal
    since: date
    as_of: date
    now: float
    then: float
    among: NDArray[np.bool_]
    why: str = ""

    @property
    def gap(self) -> float:
        """How much is missing; 0 where the goal is reached."""
        return np.nan if np.isnan(self.now) else max(self.goal.target - self.now, 0.0)

    @property
    def is_open(self) -> bool:
        """Whether something is missing, and time is left."""
        return self.gap > 0 and self.months_left > 0

    @property
    def months_so_far(self) -> float:
        """From `since` to today; at most 0 where the goal has not begun."""
        return (self.as_of - self.since).days / MONTH_DAYS

    @property
    def months_left(self) -> float:
        """From today to its day; below 0 where that has passed."""
        return (self.goal.by - self.as_of).days / MONTH_DAYS

    @property
    def pace(self) -> float:
        """The change a month so far; NaN where that is not known."""
        return (self.now - self.then) / self.months_so_far if self.months_so_far > 0 else np.nan

    @property
    def needed_pace(self) -> float:
        """The change a month that would reach it; NaN where no time is left."""
        return self.gap / self.months_left if self.months_left > 0 else np.nan

    @property
    def planned(self) -> float:
        """What would be attained today on a straight line from `since` to the target."""
        whole = self.months_so_far + self.months_left
        share = min(max(self.months_so_far / whole, 0.0), 1.0)
        return self.then + share * (self.goal.target - self.then)

    @property
    def projected(self) -> float:
        """What will be attained by its day at the pace so far; NaN where no time is left."""
        return self.now + self.pace * self.months_left if self.months_left > 0 else np.nan

    @property
    def status(self) -> str:
        """Reached, missed, on track, behind; or unknown.

        Example:
            >>> goal = Goal(figure="customers", target=120, by=date(2024, 12, 31))
            >>> Attained(goal, date(2024, 1, 1), date(2024, 7, 1), now=110, then=100,
            ...          among=np.ones(200, bool)).status
            'on track'
        """
        if np.isnan(self.now):
            return "unknown"
        if self.now >= self.goal.target:
            return "reached"
        if self.months_left <= 0:
            return "missed"
        if np.isnan(self.projected):
            return "unknown"
        return "on track" if self.projected >= self.goal.target else "behind"


def attained(book: Book) -> tuple[Attained, ...]:
    """How each goal of the config stands, in its order."""
    goals = book.settings.goals
    since = [goal.since or goal.by - timedelta(days=365) for goal in goals]
    first, last = book.inputs.span.first_day, book.as_of_day
    stocks = {} if book.then is None else {book.then.as_of_day: book.then}
    wanted = {to_day(day) for day in since if first <= to_day(day) < last} - {*stocks}
    if wanted:
        stocks |= _stocks(book, sorted(wanted))
    return tuple(
        _attained(book, goal, day, stocks.get(to_day(day)))
        for goal, day in zip(goals, since, strict=True)
    )


def _stocks(book: Book, days: Sequence[int]) -> Mapping[int, Stock]:
    """The stock at each of some days; where a goal asks for it, with where customers stood."""
    inputs, frozen, customers = book.inputs, book.frozen, book.customers
    if any(goal.section in STANDING for goal in book.settings.goals):
        lifecycle = book.lifecycle
        return stocks_at(inputs, days, frozen=frozen, customers=customers, lifecycle=lifecycle)
    return stocks_without_standing(inputs, days, frozen=frozen, customers=customers)


def measured(stock: Stock, goal: Goal, among: NDArray[np.bool_]) -> float:
    """The figure of a goal among some customers of a stock; NaN where it has none."""
    if goal.figure == "customers":
        return float(np.count_nonzero(stock.is_active & among))
    revenue = stock.money("revenue") / MONEY_SCALE
    part = float(revenue[among].sum())
    whole = stock.money("orders_365d")[among] if goal.figure == "average_ticket" else revenue
    return part / float(whole.sum()) if whole.sum() > 0 else np.nan


def _attained(book: Book, goal: Goal, since: date, stock: Stock | None) -> Attained:
    among, why = _among(book.now, goal)
    if why:
        return Attained(goal, since, book.as_of, np.nan, np.nan, among, why)
    reasons = [_of_time(book, goal, since)]
    then = np.nan
    if stock is not None and goal.section is not None and not stock.has(goal.section):
        reasons.append(f"{goal.section} is known of today only, so that no pace is told")
    elif stock is not None:
        then = measured(stock, goal, _in_section(stock, goal))
    now = measured(book.now, goal, among)
    if np.isnan(now):
        reasons.append("there was no revenue in the last 365 days to tell it from")
    why = "; ".join(reason for reason in reasons if reason)
    return Attained(goal, since, book.as_of, now, then, among, why)


def _of_time(book: Book, goal: Goal, since: date) -> str:
    """What of a goal's days keeps something from being told."""
    if goal.by < book.as_of:
        return f"its day, {goal.by}, has passed: what is attained is that of {book.as_of}"
    if since >= book.as_of:
        return f"it begins on {since}: there is no pace yet"
    if to_day(since) < book.inputs.span.first_day:
        first = to_date(book.inputs.span.first_day)
        return (
            f"it begins on {since}, before the history, which begins on {first}: no pace is told; "
            "set since to a later day"
        )
    return ""


def _among(stock: Stock, goal: Goal) -> tuple[NDArray[np.bool_], str]:
    """Whom a goal is about; or nobody, and why."""
    nobody = np.zeros(stock.count, bool)
    if goal.section is None or goal.value is None:
        return ~nobody, ""
    if not stock.has(goal.section):
        guess = _guess(goal.section, stock.rows.column_names)
        return nobody, f"customers have no attribute {goal.section!r}: {guess}"
    among = _in_section(stock, goal)
    if among.any():
        return among, ""
    there = pc.unique(pc.fill_null(stock.rows[goal.section].cast(pa.string()), UNKNOWN))
    values = sorted(there.to_pylist())
    return nobody, f"no customer's {goal.section} is {goal.value!r}: {_guess(goal.value, values)}"


def _guess(name: str, there: Sequence[str]) -> str:
    guess = nearest(name, there)
    return f"did you mean {guess!r}?" if guess else "see the sections for those that there are"


def _in_section(stock: Stock, goal: Goal) -> NDArray[np.bool_]:
    if goal.section is None:
        return np.ones(stock.count, bool)
    values = pc.fill_null(stock.rows[goal.section].cast(pa.string()), UNKNOWN)
    found = pc.equal(values, goal.value).combine_chunks()
    return np.asarray(found.to_numpy(zero_copy_only=False), bool)
