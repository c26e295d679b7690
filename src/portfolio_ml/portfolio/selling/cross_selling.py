"""What similar customers add next, learnt of the history: which category, how likely, how large.

What a customer owns already is left out. Recommendations are judged in the history first: where
what similar customers added does not beat popularity there, popularity recommends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.samples import sample
from portfolio_ml.portfolio.selling.adding import (
    Active,
    Chance,
    active_at,
    active_of,
    chance_of_adding,
)
from portfolio_ml.portfolio.selling.additions import Additions, additions
from portfolio_ml.portfolio.selling.first_purchases import (
    NO_CATEGORY,
    FirstPurchases,
    first_amounts,
    first_purchases,
)
from portfolio_ml.portfolio.selling.recommending import (
    MOST_ADDED,
    YEAR_DAYS,
    Choice,
    chosen,
    shares,
)
from portfolio_ml.schema import MONEY_SCALE

CUTOFFS = 8
"""The recommendations are judged from so many days in the history at most."""
ONE_CATEGORY = "there is only one category: nothing can be added to it"
_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class CrossSelling:
    """What was learnt of what customers add, up to the as-of day.

    Attributes:
        firsts: Who bought what first when.
        active: Today's active customers, by their rows in `firsts`.
        found: What was added to what, by period.
        choice: How categories are recommended.
        chance: How likely active customers are to add one.
        amounts: What a first purchase of each category is of the customer's spend per purchase
            day, in the middle; NaN where nobody added it.
        expected: The share of the recommendations at the cutoffs of which the category was
            expected to be added, and the share of which it was; None without cutoffs.
        horizon_days: How far ahead is looked.
        notes: What to say of whom it was learnt from.
    """

    firsts: FirstPurchases
    active: Active
    found: Additions
    choice: Choice
    chance: Chance
    amounts: NDArray[np.float64]
    expected: tuple[float, float] | None
    horizon_days: int
    notes: tuple[str, ...]


def cross_selling(book: Book) -> CrossSelling | str:
    """What is learnt of what customers add; or why nothing can be."""
    if "category" not in book.inputs.columns:
        return NO_CATEGORY
    firsts = first_purchases(book)
    if len(firsts.categories) < 2:
        return ONE_CATEGORY
    horizon, today = book.frozen.horizons.churn_days, book.as_of_day
    some = book.once(sample)
    of_some = firsts if some.is_all else firsts.of(some.numbers)
    found = additions(of_some, as_of_day=today, period_days=horizon)
    cutoffs = found.ends[1:-1][-CUTOFFS:]
    choice = chosen(of_some, found, cutoffs, horizon_days=horizon)
    activity_days = book.frozen.activity_days
    at = active_at(some.inputs, of_some, cutoffs, activity_days=activity_days)
    looks = [
        _look(of_some, found, choice, day=day, active=at[day], until=day + horizon)
        for day in cutoffs
    ]
    return CrossSelling(
        firsts=firsts,
        active=active_of(book.now, firsts),
        found=found,
        choice=choice,
        chance=_chance(of_some, looks, today, horizon_days=horizon),
        amounts=_first_amount(book, some.numbers, firsts.categories),
        expected=_expected(of_some, looks, horizon_days=horizon),
        horizon_days=horizon,
        notes=tuple(some.notes),
    )


def recommended(
    active: Active, found: Additions, choice: Choice, day: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The category to recommend, its share of what each adds, and its share by popularity."""
    best, share, popular = [], [], []
    for start in range(0, max(len(active.owned), 1), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        has = active.owned[part], active.late[part]
        told = shares(*has, found, day=day, method=choice.method, strength=choice.strength)
        place = told.argmax(axis=1)[:, None]
        alone = shares(*has, found, day=day, method=MOST_ADDED)
        best.append(place[:, 0])
        share.append(np.take_along_axis(told, place, axis=1)[:, 0])
        popular.append(np.take_along_axis(alone, place, axis=1)[:, 0])
    return np.concatenate(best), np.concatenate(share), np.concatenate(popular)


def ticket(book: Book) -> NDArray[np.float64]:
    """Each customer's net spend per purchase day, currency units; NaN where it is not above 0."""
    spend = book.now.money("revenue_ever") / MONEY_SCALE / book.now.column("purchase_days")
    return np.where(spend > 0, spend, np.nan)


@dataclass(frozen=True, slots=True)
class _Look:
    """What would have been recommended on a day, and what came of it."""

    day: int
    active: Active
    share: NDArray[np.float64]
    came: NDArray[np.bool_]


def _look(
    firsts: FirstPurchases,
    found: Additions,
    choice: Choice,
    *,
    day: int,
    active: Active,
    until: int,
) -> _Look:
    best, share, _ = recommended(active, found, choice, day)
    return _Look(day, active, share, (firsts.days[active.rows, best] <= until) & (share > 0))


def _chance(
    firsts: FirstPurchases, looks: Sequence[_Look], day: int, *, horizon_days: int
) -> Chance:
    """The chance to add on a day, from the looks of the year before it, or else the last one."""
    recent = [look for look in looks if look.day >= day - YEAR_DAYS] or looks[-1:]
    at = {look.day: look.active for look in recent}
    chance = chance_of_adding(firsts, at, horizon_days=horizon_days)
    expected = sum(float(chance.of(look.active, look.share).sum()) for look in recent)
    came = sum(int(look.came.sum()) for look in recent)
    return replace(chance, correction=came / expected if expected > 0 else 1.0)


def _expected(
    firsts: FirstPurchases, looks: Sequence[_Look], *, horizon_days: int
) -> tuple[float, float] | None:
    """What was expected of each look by those before it, and what came, over all looks."""
    expected, came, count = 0.0, 0, 0
    for number, look in enumerate(looks[1:], start=1):
        chance = _chance(firsts, looks[:number], look.day, horizon_days=horizon_days)
        expected += float(chance.of(look.active, look.share).sum())
        came += int(look.came.sum())
        count += int((look.share > 0).sum())
    return (expected / count, came / count) if count else None


def _first_amount(
    book: Book, some: NDArray[np.int64], categories: Sequence[str]
) -> NDArray[np.float64]:
    """What a first purchase of each category is of the customer's ticket, in the middle."""
    rows = first_amounts(book, some)
    numbers = book.now.rows["customer"].to_numpy()
    usual_spend = ticket(book)[np.searchsorted(numbers, rows["customer"].to_numpy())]
    ratio = rows["amount"].to_numpy() / usual_spend / MONEY_SCALE
    place = pc.fill_null(pc.index_in(rows["category"], pa.array(categories)), -1).to_numpy()
    usual = np.full(len(categories), np.nan)
    for number in range(usual.size):
        known = ratio[(place == number) & ~np.isnan(ratio)]
        usual[number] = np.median(known) if known.size else np.nan
    return usual
