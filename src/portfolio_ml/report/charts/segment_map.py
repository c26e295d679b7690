"""The map of segments: where their usual customers stand, and how much value they hold."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import altair as alt

from portfolio_ml.report.charts.drawing import FLUID, Chart, values
from portfolio_ml.report.charts.exhibit import Exhibit, Numbers, missing
from portfolio_ml.report.customers import Group, Profile
from portfolio_ml.report.number import decimals, percent, plain

NAME, TITLE = "segment-map", "The map of segments"
HEIGHT = 330
SIZES = (30, 1600)
"""Square pixels of a circle without value, and of the one with the most."""
LINE = 15
"""Pixels between two labels."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to tell customers apart: a field of the profile, and what it is called."""

    field: str
    title: str


WAYS = (
    Way("recency_days", "days since the last purchase"),
    Way("purchase_days", "purchase days so far"),
    Way("ticket", "spend per order"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A segment on the map."""

    name: str
    across: float
    up: float
    value: float
    customers: int


def segment_map(
    groups: Sequence[Group], profiles: Sequence[Profile], *, currency: str = ""
) -> Exhibit:
    """Segments by the two of three ways that tell them best apart; the size is expected value.

    Args:
        groups: The segments, with their expected value.
        profiles: What is usual in them, in medians.
        currency: What amounts are in.
    """
    value = {group.name: group.ltv_total for group in groups}
    told = [p for p in profiles if all(_log(p, way) is not None for way in WAYS)]
    if len(told) < 2:
        return missing(NAME, TITLE, "a map needs two segments of which medians are known")
    across, up = _apart(told)
    places = [
        Place(p.name, getattr(p, across.field), getattr(p, up.field),
              max(0.0, value.get(p.name) or 0.0), p.customers)
        for p in told
    ]  # fmt: skip
    most = max(places, key=lambda p: p.value)
    whole = sum(p.value for p in places)
    holds = f", which hold {percent(most.value / whole, 0)} of the expected value" if whole else ""
    return Exhibit(
        name=NAME,
        title=TITLE,
        says=f"The most value lies with the {plain(most.customers)} customers called "
        f"“{most.name}”{holds}; usual among them: {_usual(most, across, up, currency)}.",
        how="A circle stands at the segment's medians, on logarithmic axes; its area is the "
        "segment's expected value.",
        numbers=_numbers(told, value, currency),
        chart=_map(places, across, up, currency),
    )


def _usual(place: Place, across: Way, up: Way, currency: str) -> str:
    told = []
    for way, value in ((across, place.across), (up, place.up)):
        unit = f" {currency}" if way.field == "ticket" and currency else ""
        told.append(f"{plain(value, decimals([value]) if unit else 0)}{unit} {_noun(way)}")
    return " and ".join(told)


def _noun(way: Way) -> str:
    return {"ticket": "an order"}.get(way.field, way.title)


def _log(profile: Profile, way: Way) -> float | None:
    """A median on the logarithmic scale; the day of a purchase itself stands at half a day."""
    value: float | None = getattr(profile, way.field)
    return None if value is None or value < 0 else math.log(max(value, 0.5))


def _apart(profiles: Sequence[Profile]) -> tuple[Way, Way]:
    """The two ways on which the nearest two segments are the furthest apart; first ways win."""

    def nearest(ways: tuple[Way, Way]) -> float:
        spots = [[_log(p, way) or 0.0 for p in profiles] for way in ways]
        wide = [max(max(axis) - min(axis), 1e-9) for axis in spots]
        pairs = itertools.combinations(range(len(profiles)), 2)
        return min(
            math.hypot(*((axis[a] - axis[b]) / w for axis, w in zip(spots, wide, strict=True)))
            for a, b in pairs
        )

    return max(itertools.combinations(WAYS, 2), key=nearest)


def _map(places: Sequence[Place], across: Way, up: Way, currency: str) -> Chart:
    most = max(p.value for p in places) or 1.0
    rows = [
        {
            "name": p.name,
            "across": max(p.across, 0.5),
            "up": max(p.up, 0.5),
            "value": p.value,
            "label": y,
            "side": side,
            "away": (1 if side == "right" else -1) * (_radius(p.value / most) + 4),
        }
        for p, (y, side) in zip(places, _labels(places), strict=True)
    ]
    base = alt.Chart(values(rows))
    x_domain, y_domain = _domain([p.across for p in places]), _domain([p.up for p in places])
    x_title, y_title = _title(across, currency), _title(up, currency)
    x = alt.X("across:Q", scale=_log_scale(x_domain), axis=_ticks(x_domain), title=x_title)
    y = alt.Y("up:Q", scale=_log_scale(y_domain), axis=_ticks(y_domain), title=y_title)
    size = alt.Size("value:Q", scale=alt.Scale(domain=[0, most], range=[*SIZES]), legend=None)
    layers: list[alt.Chart] = [base.mark_point(opacity=0.55).encode(x, y, size)]
    place = "scale('x', datum.across) + datum.away"  # a name ends where the map does
    sides: list[tuple[str, Literal["left", "right"], str]] = [
        ("right", "left", f"width - ({place})"),
        ("left", "right", place),
    ]
    for side, align, room in sides:
        names = base.transform_filter(alt.datum.side == side).mark_text(
            align=align,
            baseline="middle",
            dx=alt.ExprRef("datum.away"),
            limit=alt.ExprRef(f"max(40, {room})"),
        )
        layers.append(names.encode(x, alt.Y("label:Q", scale=_log_scale(y_domain)), text="name:N"))
    return alt.layer(*layers).properties(width=FLUID, height=HEIGHT)


def _title(way: Way, currency: str) -> str:
    unit = f" ({currency})" if way.field == "ticket" and currency else ""
    return f"{way.title}{unit}, median"


def _domain(found: Sequence[float]) -> tuple[float, float]:
    low, high = max(min(found), 0.5), max(*found, 0.5)
    room = max((high / low) ** 0.15, 1.25)
    return low / room, high * room


def _ticks(domain: tuple[float, float]) -> alt.Axis:
    """Ones, twos and fives."""
    powers = range(math.floor(math.log10(domain[0])), math.ceil(math.log10(domain[1])) + 1)
    steps = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    return alt.Axis(values=[s for s in steps if domain[0] <= s <= domain[1]], format="~s")


def _radius(part: float) -> float:
    """Pixels, of a circle that holds a part of the most value."""
    low, high = SIZES
    return math.sqrt((low + (high - low) * part) / math.pi)


def _log_scale(domain: tuple[float, float]) -> alt.Scale:
    return alt.Scale(type="log", domain=list(domain), nice=False)


def _labels(places: Sequence[Place]) -> list[tuple[float, str]]:
    """Where each name stands: beside its circle, moved up where names would overlap."""
    low, high = (math.log(end) for end in _domain([p.up for p in places]))
    middle = sum(math.log(end) for end in _domain([p.across for p in places])) / 2
    per_pixel = (high - low) / HEIGHT
    found: dict[int, tuple[float, str]] = {}
    taken = low - per_pixel * LINE
    for number in sorted(range(len(places)), key=lambda n: (places[n].up, places[n].across)):
        place = places[number]
        at = max(math.log(max(place.up, 0.5)), taken + per_pixel * LINE)
        side = "right" if math.log(max(place.across, 0.5)) < middle else "left"
        taken = at
        found[number] = (math.exp(at), side)
    return [found[n] for n in range(len(places))]


def _numbers(profiles: Sequence[Profile], value: dict[str, float | None], currency: str) -> Numbers:
    unit = f" ({currency})" if currency else ""
    money = decimals(p.ticket for p in profiles)
    columns = (
        "Segment", "Customers", "Days since last purchase", "Purchase days", f"Ticket{unit}",
        f"Expected value{unit}",
    )  # fmt: skip
    rows = tuple(
        (
            p.name, plain(p.customers), plain(p.recency_days), plain(p.purchase_days),
            plain(p.ticket, money), plain(value.get(p.name)),
        )
        for p in profiles
    )  # fmt: skip
    return Numbers(columns, rows)
