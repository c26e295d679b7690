"""Names of segments in plain words, from what sets each apart; no two alike.

A name says how often a segment's customers buy, how much they spend, and whether they are still
here: "frequent big spenders, cooling". Where two would be alike, the trait in which they differ
most is added in words: "..., longer with us". A segment that continues one of the champion's keeps
its name for as long as the words are not plainly wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from portfolio_ml.models.segments import INPUTS

EVERYBODY = "all customers"

# How far beyond the bounds of its word a kept name's value may lie, in the word's own unit.
SLACK = 0.25


@dataclass(frozen=True, slots=True)
class Portrait:
    """What a segment's name is made from.

    Attributes:
        place: Per input, the segment's mean in steps from the portfolio's.
        median_purchase_days: Of its customers.
        median_overdue_ratio: Of its customers.
        name_before: The name of the champion's segment that it continues.
    """

    place: Mapping[str, float]
    median_purchase_days: float
    median_overdue_ratio: float
    name_before: str = ""


@dataclass(frozen=True, slots=True)
class Band:
    """The word for values up to a limit; an empty one says nothing."""

    limit: float
    word: str


_REST = float("inf")
_TENURE = (Band(-1.0, "new"), Band(1.0, ""), Band(_REST, "longstanding"))
_BUYING = (Band(-0.6, "rare"), Band(0.6, "occasional"), Band(_REST, "frequent"))
_SPENDING = (Band(-0.6, "small spenders"), Band(0.6, "buyers"), Band(_REST, "big spenders"))
# In doublings of the customer's typical gap.
_PRESENCE = (
    Band(0.0, "here lately"),
    Band(1.0, "cooling"),
    Band(2.3, "quiet"),
    Band(_REST, "long gone"),
)
_ONE_TIME = "one-time"

# What is said of the lower and of the higher of two that are otherwise alike.
_RELATIVE = {
    "monetary": ("smaller tickets", "larger tickets"),
    "purchase_days": ("fewer purchases", "more purchases"),
    "tenure_days": ("newer", "longer with us"),
    "overdue_ratio": ("less overdue", "more overdue"),
    "recency_days": ("seen more recently", "away for longer"),
}
_ORDINALS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
)


def segment_names(portraits: Sequence[Portrait]) -> tuple[str, ...]:
    """A name per segment, in plain words; no two alike.

    Example:
        >>> place = dict.fromkeys(INPUTS, 0.0)
        >>> segment_names([
        ...     Portrait(place | {"purchase_days": 1.0, "monetary": 1.0}, 9, 1.5),
        ...     Portrait(place | {"tenure_days": 0.9}, 1, 7.0),
        ...     Portrait(place, 1, 8.0),
        ... ])  # doctest: +NORMALIZE_WHITESPACE
        ('frequent big spenders, cooling', 'one-time buyers, long gone, longer with us',
         'one-time buyers, long gone, newer')
    """
    if len(portraits) == 1:
        return (EVERYBODY,)
    described = [_described(portrait) for portrait in portraits]
    names = list(described)
    for name in dict.fromkeys(described):
        alike = [k for k, other in enumerate(described) if other == name]
        for k, added in _told_apart([portraits[k] for k in alike], name):
            names[alike[k]] = f"{name}{added}"
    return tuple(names)


def _described(portrait: Portrait) -> str:
    """How they buy, spend and stay, in absolute words."""
    place, before = portrait.place, portrait.name_before
    tenure = _word(place["tenure_days"], _TENURE, before)
    buying = _word(place["purchase_days"], _BUYING, before)
    if portrait.median_purchase_days <= 1:
        buying = _ONE_TIME
    spending = _word(place["monetary"], _SPENDING, before)
    doublings = float(np.log2(max(portrait.median_overdue_ratio, 1e-9)))
    presence = _word(doublings, _PRESENCE, before)
    return f"{f'{tenure} {buying} {spending}'.strip()}, {presence}"


def _word(value: float, bands: Sequence[Band], before: str) -> str:
    """The word for a value; the one in the name before, where that is nearly as true."""
    said = f" {before.replace(',', ' ')} "
    kept = next((band.word for band in bands if band.word and f" {band.word} " in said), "")
    lower = -_REST
    for band in bands:
        if before and band.word == kept and lower - SLACK < value <= band.limit + SLACK:
            return kept
        lower = band.limit
    return next(band.word for band in bands if value <= band.limit)


def _told_apart(alike: Sequence[Portrait], name: str) -> Iterator[tuple[int, str]]:
    """Per segment of one name its place, and what to add: as before where that is still true."""
    added = [
        portrait.name_before.removeprefix(name) if portrait.name_before.startswith(name) else ""
        for portrait in alike
    ]
    if len({*added}) == len(alike) and all(
        _is_true(k, alike, text) for k, text in enumerate(added)
    ):
        yield from enumerate(added)
    else:
        yield from _split(list(range(len(alike))), alike, tuple(_RELATIVE))


def _is_true(place: int, alike: Sequence[Portrait], added: str) -> bool:
    """Whether relative words hold, beside the others of the name or else the whole portfolio."""
    others = [other.place for k, other in enumerate(alike) if k != place] or [
        dict.fromkeys(INPUTS, 0.0)
    ]
    sides = {
        word: (axis, side) for axis, words in _RELATIVE.items() for side, word in enumerate(words)
    }
    for word in added.split(", ")[1:]:
        if word not in sides:
            return False
        axis, is_higher = sides[word]
        beyond = alike[place].place[axis] - float(np.mean([other[axis] for other in others]))
        if (beyond > 0) != bool(is_higher):
            return False
    return True


def _split(
    places: list[int], alike: Sequence[Portrait], axes: tuple[str, ...]
) -> Iterator[tuple[int, str]]:
    """Halves by the trait in which they differ most, and the halves likewise."""
    if len(places) == 1:
        yield places[0], ""
        return
    spread = {axis: _spread([alike[k].place[axis] for k in places]) for axis in axes}
    axis = max(spread, key=lambda name: spread[name], default=None)
    if axis is None or not spread[axis]:
        yield from ((k, f", the {_ORDINALS[n]} of them") for n, k in enumerate(places))
        return
    ordered = sorted(places, key=lambda k: alike[k].place[axis])
    values = [alike[k].place[axis] for k in ordered]
    cuts = [n for n in range(1, len(ordered)) if values[n] > values[n - 1]]
    cut = min(cuts, key=lambda n: (abs(2 * n - len(ordered)), values[n - 1] - values[n]))
    others = tuple(other for other in axes if other != axis)
    for half, word in zip((ordered[:cut], ordered[cut:]), _RELATIVE[axis], strict=True):
        for k, added in _split(half, alike, others):
            yield k, f", {word}{added}"


def _spread(values: list[float]) -> float:
    return max(values) - min(values)
