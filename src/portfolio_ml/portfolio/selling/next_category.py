"""The next category: what each active customer may add, because similar customers added it next.

What a customer owns already is left out. Recommendations are judged in the history first: where
what similar customers added does not beat popularity there, popularity recommends, and the notes
say so.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.selling.cross_selling import (
    CrossSelling,
    cross_selling,
    recommended,
    ticket,
)
from portfolio_ml.portfolio.selling.recommending import SIMILAR
from portfolio_ml.schema import Column, Table

SPEAKS_FROM = 1.2
"""A category that is owned is named as the reason where it lifts the other at least so much."""

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
    best, share, popular = recommended(active, learnt.found, choice, book.as_of_day)
    told = np.flatnonzero(share > 0)
    rows = active.rows[told]
    place = np.searchsorted(book.now.rows["customer"].to_numpy(), learnt.firsts.customers)
    amount = learnt.amounts[best[told]] * ticket(book)[place[rows]]
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
