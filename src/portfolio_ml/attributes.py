"""What is known of customers and prospects alike: how each attribute is read and held."""

from collections.abc import Iterable, Mapping

import narwhals as nw

from portfolio_ml.engine import Kind
from portfolio_ml.validation import LARGEST_NUMBER, value, within

_KINDS: Mapping[str, Kind] = {
    "signup_date": "day",
    "ended_at": "day",
    "birthday": "day",
    "income": "number",
    "service_cost": "number",
}


def kinds_of(attributes: Iterable[str]) -> dict[str, Kind]:
    """The kind of each attribute: dates, numbers, and all else as text.

    Example:
        >>> kinds_of(["birthday", "income", "shoe_size"])
        {'birthday': 'day', 'income': 'number', 'shoe_size': 'text'}
    """
    return {name: _KINDS.get(name, "text") for name in attributes}


def held(attributes: Iterable[str]) -> dict[str, nw.Expr]:
    """What is kept of each attribute, by name; null where it is unknown or cannot be read."""
    return {
        name: within(value(name), LARGEST_NUMBER) if kind == "number" else value(name)
        for name, kind in kinds_of(attributes).items()
    }
