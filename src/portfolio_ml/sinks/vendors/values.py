"""A row's values as a CRM's text, and whether a CRM holds what was wanted."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa


def rendered(value: object, kind: pa.DataType) -> str | None:
    """The value as text: the shortest decimal, `true`, `2024-06-30`; None where there is none.

    Args:
        value: As the contract's type has it, or as a database gives it back: SQLite has 0 and 1
            for booleans, and text for dates and times.
        kind: The type that the contract gives its column.

    Example:
        >>> rendered(1e-07, pa.float64()), rendered(12.0, pa.float64()), rendered(1, pa.bool_())
        ('0.0000001', '12', 'true')
    """
    if value is None:
        return None
    if pa.types.is_boolean(kind):
        return "true" if value else "false"
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return _plain(Decimal(repr(value)))
    if pa.types.is_date(kind):
        return value.isoformat()[:10] if isinstance(value, date) else str(value)[:10]
    if pa.types.is_timestamp(kind):
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return _in_utc(moment).isoformat().replace("+00:00", "Z")
    return str(value)


def canonical(properties: Mapping[str, str | None]) -> str:
    """The properties as JSON that is equal where they are.

    Example:
        >>> canonical({"tier": "2", "ltv": None})
        '{"ltv":null,"tier":"2"}'
    """
    return json.dumps(properties, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def parsed(text: str) -> dict[str, str | None]:
    """The properties that `canonical` wrote."""
    found: dict[str, str | None] = json.loads(text)
    return found


def holds(record: Mapping[str, Any], wanted: Mapping[str, str | None]) -> bool:
    """Whether a CRM's record holds what is wanted; it may write the same value another way.

    Example:
        >>> holds({"ltv": "12.50", "tier": None}, {"ltv": "12.5", "tier": None})
        True
    """
    return all(_same(record.get(name), value) for name, value in wanted.items())


def _same(found: object, wanted: str | None) -> bool:
    text = "" if found is None else str(found)
    if wanted is None or text == wanted:
        return text == (wanted or "")
    numbers = _number(text), _number(wanted)
    if None not in numbers:
        return numbers[0] == numbers[1]
    if wanted in {"true", "false"}:
        return text.casefold() == wanted
    moments = _moment(text), _moment(wanted)
    return None not in moments and moments[0] == moments[1]


def _number(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _moment(text: str) -> datetime | None:
    try:
        return _in_utc(datetime.fromisoformat(text))
    except ValueError:
        return None


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _plain(number: Decimal) -> str:
    """Without an exponent, and without a sign or zeros that say nothing."""
    text = f"{number:f}" if number else "0"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
