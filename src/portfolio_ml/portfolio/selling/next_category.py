"""The next category: what each active customer may add, because similar customers added it next.

What a customer owns already is left out. Recommendations are judged in the history first: where
what similar customers added does not beat popularity there, popularity recommends, and the notes
say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
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
    SIMILAR,
    YEAR_DAYS,
    Choice,
    chosen,
    shares,
)
from portfolio_ml.schema import MONEY_SCALE, Column, Table

CUTOFFS = 8
"""The recommendations are judged from so many days in the history at most."""
ONE_CATEGORY = "there is only one category: nothing can be added to it"
SPEAKS_FROM = 1.2
"""A category that is owned is named as the reason where it lifts the other at least so much."""
_AT_ONCE = 50_000

NEXT_CATEGORY: Table = contract_of(
    "next_category",
    grain="one active customer with a category to recommend",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        Column("category", pa.string(), "what it may add next; it never bought it"),
        Column(
            "because", pa.string(), "the owned category that speaks most for it, owned at all or "
            "begun within half a year",
            null="it is recommended because it is popular",
        ),
        Column(
            "lift", pa.float64(), "its share among what the customer may add, over the share by "
            "popularity alone", null="popularity recommends", decimals=2,
        ),
        Column(
            "support", pa.int64(), "customers who owned `because`, or had begun it within half a "
            "year, and then added it",
            null="popularity recommends, or nothing owned speaks for it",
        ),
        Column(
            "probability", pa.float64(), "that the customer adds it within the churn horizon",
            decimals=4,
        ),
        Column(
            "amount_if_added", pa.float64(), "its first purchase of it, currency units: the "
            "customer's spend per purchase day times what others' first purchase was of theirs",
            null="the customer's net spend is not above 0", decimals=2,
        ),
        Column(
            "expected_amount", pa.float64(), "probability x amount_if_added", null="likewise",
            decimals=2,
        ),
        Column("reason", pa.string(), "why, in words"),
    ),
)  # fmt: skip

TITLE = "The next category of each customer"


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
    best, share, _ = _best(active, found, choice, day)
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


def next_category(book: Book, learnt: CrossSelling | str | None = None) -> Figure:
    """The category that each active customer may add next, the largest expected amount first.

    Args:
        book: The portfolio.
        learnt: What `cross_selling` says of it, where that is at hand.
    """
    learnt = cross_selling(book) if learnt is None else learnt
    if isinstance(learnt, str):
        return absent(NEXT_CATEGORY, TITLE, learnt)
    active, choice = learnt.active, learnt.choice
    best, share, popular = _best(active, learnt.found, choice, book.as_of_day)
    told = np.flatnonzero(share > 0)
    rows = active.rows[told]
    place = np.searchsorted(book.now.rows["customer"].to_numpy(), learnt.firsts.customers)
    ticket = _ticket(book)
    amount = learnt.amounts[best[told]] * ticket[place[rows]]
    probability = learnt.chance.of(active, share)[told]
    columns = {
        "customer_id": book.now.rows["customer_id"].take(pa.array(place[rows])),
        **_why(learnt, best, share, popular, told),
        "probability": probability,
        "amount_if_added": amount,
        "expected_amount": probability * amount,
    }
    figure = present(NEXT_CATEGORY, TITLE, columns, as_of=book.as_of, notes=_notes(learnt))
    return _largest_first(figure)


def _best(
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


def _ticket(book: Book) -> NDArray[np.float64]:
    """Each customer's net spend per purchase day, currency units; NaN where it is not above 0."""
    spend = book.now.money("revenue_ever") / MONEY_SCALE / book.now.column("purchase_days")
    return np.where(spend > 0, spend, np.nan)


def _first_amount(
    book: Book, some: NDArray[np.int64], categories: Sequence[str]
) -> NDArray[np.float64]:
    """What a first purchase of each category is of the customer's ticket, in the middle."""
    rows = first_amounts(book, some)
    numbers = book.now.rows["customer"].to_numpy()
    ticket = _ticket(book)[np.searchsorted(numbers, rows["customer"].to_numpy())]
    ratio = rows["amount"].to_numpy() / ticket / MONEY_SCALE
    place = pc.fill_null(pc.index_in(rows["category"], pa.array(categories)), -1).to_numpy()
    usual = np.full(len(categories), np.nan)
    for number in range(usual.size):
        known = ratio[(place == number) & ~np.isnan(ratio)]
        usual[number] = np.median(known) if known.size else np.nan
    return usual


def _why(
    learnt: CrossSelling,
    best: NDArray[np.int64],
    share: NDArray[np.float64],
    popular: NDArray[np.float64],
    told: NDArray[np.int64],
) -> dict[str, object]:
    """The category, and what speaks for it: what is owned, or what was begun of late."""
    names, active, choice = np.array(learnt.firsts.categories, object), learnt.active, learnt.choice
    end, best = learnt.found.ends[-1], best[told]
    senses = [
        (active.owned[told], learnt.found.until(end), choice.strength.owned, "with"),
        (active.late[told], learnt.found.late_until(end), choice.strength.late, "new to"),
    ]
    speaks = np.concatenate(
        [
            np.where(has & (pairs.observed.T[best] > 0) & (strength > 0), pairs.lift.T[best], 0.0)
            for has, pairs, strength, _ in senses
        ],
        axis=1,
    )
    sense, first = np.divmod(speaks.argmax(axis=1), names.size)
    lift = speaks.max(axis=1, initial=0.0)
    is_why = lift >= SPEAKS_FROM
    support, had = (
        np.choose(sense, [getattr(pairs, name)[first, best] for _, pairs, _, _ in senses])
        for name in ("observed", "had")
    )
    reasons = [
        f"customers {senses[how][3]} {names[a]} added {names[b]} {up:.1f} times as often as by "
        f"popularity ({n:.0f} of {of:.0f} times that one of them added something)"
        if why
        else f"{names[b]} is what customers without it add most often"
        if choice.method != SIMILAR
        else f"{names[b]} is added often; no single category that is owned speaks for it"
        for how, a, b, up, n, of, why in zip(
            sense, first, best, lift, support, had, is_why, strict=True
        )
    ]
    is_similar = choice.method == SIMILAR
    return {
        "category": names[best].tolist(),
        "because": [names[a] if why else None for a, why in zip(first, is_why, strict=True)],
        "lift": share[told] / popular[told] if is_similar else np.full(best.size, np.nan),
        "support": [int(n) if why else None for n, why in zip(support, is_why, strict=True)],
        "reason": reasons,
    }


def _largest_first(figure: Figure) -> Figure:
    rows = figure.rows.sort_by([("expected_amount", "descending"), ("customer_id", "ascending")])
    return Figure(figure.contract, figure.title, rows, notes=figure.notes)


def _notes(learnt: CrossSelling) -> list[str]:
    notes = [_chosen(learnt)]
    if learnt.expected is not None:
        expected, came = learnt.expected
        notes.append(
            f"on earlier days it would have expected {expected:.1%} of the active customers to add "
            f"what was recommended within {learnt.horizon_days} days; {came:.1%} did"
        )
    if learnt.firsts.left_out:
        notes.append(
            f"{learnt.firsts.left_out} categories with fewer customers than the "
            f"{len(learnt.firsts.categories)} largest are not looked at"
        )
    notes += learnt.notes
    return notes


def _chosen(learnt: CrossSelling) -> str:
    choice = learnt.choice
    if not choice.judged:
        return "popularity recommends: the history is too short to tell whether lifts do better"
    similar = next(each for each in choice.judged if each.method == SIMILAR and each.k == 1)
    popular = next(each for each in choice.judged if each.gain is None)
    told = (
        f"in the history {similar.hit_rate:.0%} of those who added a category added the one that "
        f"similar customers had added, {popular.hit_rate:.0%} the one that is {popular.method}"
    )
    if choice.method == SIMILAR:
        return told
    return f"{told}: no better beyond chance, so popularity recommends"
