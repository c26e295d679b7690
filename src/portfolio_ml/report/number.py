"""Numbers as facts and as text: what is not defined is absent, never invented."""

import math
from collections.abc import Iterable
from datetime import date

ABSENT = "–"
WHOLE_FROM = 1000


def finite(value: float | None) -> float | None:
    """The number, or None where it is missing, NaN or infinite.

    Example:
        >>> finite(0.5), finite(float("nan")), finite(None)
        (0.5, None, None)
    """
    return float(value) if value is not None and math.isfinite(value) else None


def share(part: float | None, whole: float | None) -> float | None:
    """The part over the whole, or None where that says nothing.

    Example:
        >>> share(1, 4), share(1, 0)
        (0.25, None)
    """
    return None if part is None or not whole or whole < 0 else part / whole


def decimals(values: Iterable[float | None]) -> int:
    """How many decimals a column of money needs: none from a thousand on, else 2.

    Example:
        >>> decimals([12.5, None]), decimals([12.5, 4000.0])
        (2, 0)
    """
    return 0 if any(v is not None and abs(v) >= WHOLE_FROM for v in values) else 2


def plain(value: float | None, places: int = 0) -> str:
    """A number with thousands separated.

    Example:
        >>> plain(1234.5, 2), plain(None), plain(-0.001, 2)
        ('1,234.50', '–', '0.00')
    """
    return ABSENT if value is None else f"{value:z,.{places}f}"


def signed(value: float | None, places: int = 3) -> str:
    """A difference, with its sign.

    Example:
        >>> signed(0.0214), signed(-0.2, 1)
        ('+0.021', '−0.2')
    """
    return ABSENT if value is None else f"{value:+z,.{places}f}".replace("-", "−")


def percent(value: float | None, places: int = 1) -> str:
    """A share in percent; what is not nothing and not all is not rounded to it.

    Example:
        >>> percent(0.125), percent(0.99999), percent(0.0001)
        ('12.5 %', '>99.9 %', '<0.1 %')
    """
    if value is None:
        return ABSENT
    step = 10.0**-places
    if 0 < value * 100 < step / 2:
        return f"<{step:.{places}f} %"
    if 100 - step / 2 <= value * 100 < 100:
        return f">{100 - step:.{places}f} %"
    return f"{value * 100:z,.{places}f} %"


def day(value: date | None) -> str:
    """A date, year first.

    Example:
        >>> day(date(1998, 6, 30)), day(None)
        ('1998-06-30', '–')
    """
    return ABSENT if value is None else f"{value:%Y-%m-%d}"
