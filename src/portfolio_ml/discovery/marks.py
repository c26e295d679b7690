"""How a file writes its numbers and dates, and whether the values leave that open."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from portfolio_ml.discovery.profiles import NATIVE, NUMBERS, Profile

_AS_COMMA = re.compile(r"\d,\d{1,2}(?!\d)|\d,\d{4,}|\d[. '’\xa0\u202f]\d{3},|\.\d{3}\.\d{3}")
_AS_POINT = re.compile(r"\d\.\d{1,2}(?!\d)|\d\.\d{4,}|\d[, '’]\d{3}\.|,\d{3},\d{3}")
_OPEN = re.compile(r"(?<!\d)[1-9]\d{0,2}[.,]\d{3}(?!\d)")


@dataclass(frozen=True, slots=True)
class Decided:
    """A way of writing, and what speaks against being sure of it."""

    form: str
    doubt: str = ""


def number_form(columns: Sequence[Profile], *, is_european: bool) -> Decided:
    """How the numbers of these columns are written: `plain`, `comma` or `grouped`."""
    values = [v for c in columns if c.type == "text" for v in c.values]
    commas, points = (sum(bool(p.search(v)) for v in values) for p in (_AS_COMMA, _AS_POINT))
    both = commas and points and min(commas, points) > 0.02 * len(values)
    doubt = "some numbers have a decimal comma, others a decimal point" if both else ""
    if commas > points:
        return Decided("comma", doubt)
    if points:
        return Decided(_most_read(("plain", "grouped", "apostrophe"), columns), doubt)
    undecided = [v for v in values if _OPEN.search(v)]
    if undecided:
        form = "comma" if is_european else "grouped" if "," in undecided[0] else "plain"
        said = {"comma": "a decimal comma", "plain": "a decimal point"}.get(form, "thousands")
        return Decided(form, f"{undecided[0]!r} may be thousands or a fraction; read with {said}")
    return Decided(_most_read(NUMBERS, columns))


def _most_read(forms: Iterable[str], columns: Sequence[Profile]) -> str:
    return max(forms, key=lambda form: sum(c.numbers.get(form, 0.0) for c in columns))


def date_form(column: Profile, *, is_european: bool) -> Decided:
    """The format of a column's dates; the order of day and month is a doubt where both fit."""
    best = column.date_share
    fitting = [form for form, share in column.dates.items() if share >= best - 1e-9]
    if len(fitting) == 1 or NATIVE in fitting:
        doubt = f"only {best:.0%} of its values are dates" if best < 0.98 else ""
        return Decided(NATIVE if NATIVE in fitting else fitting[0], doubt)
    return _by_order(column, fitting, is_european=is_european)


def _by_order(column: Profile, fitting: Sequence[str], *, is_european: bool) -> Decided:
    """Day or month first, where every value can be read both ways."""
    example = next((v for v in column.values if _parts(v)[0] != _parts(v)[1]), column.values[0])
    parts = [_parts(v)[:2] for v in column.values]
    varied = [len({p[i] for p in parts}) for i in (0, 1)]
    day_first, month_first = fitting[0], fitting[1]
    if varied[0] == 1 < varied[1] or varied[1] == 1 < varied[0]:
        first = varied[0] == 1
        why = f"every value has {parts[0][0 if first else 1]:02} {'first' if first else 'second'}"
    elif (rises := _rising(column)) is not None:
        first, why = rises, "only so do the rows follow time"
    else:
        first = is_european or "." in example
        why = "as the file's other marks suggest" if first else "as is usual in the United States"
    form = day_first if first else month_first
    order = "the day comes first" if first else "the month comes first"
    return Decided(
        form, f"no day is over 12, so {example!r} can be read both ways; taken as {order}, {why}"
    )


def _rising(column: Profile) -> bool | None:
    """Whether the values rise through the file with the day first; None where neither does."""
    shares = []
    for day, month in ((0, 1), (1, 0)):
        keys = [(p[2], p[month], p[day]) for p in map(_parts, column.values)]
        steps = list(pairwise(keys))
        shares.append(sum(a <= b for a, b in steps) / max(1, len(steps)))
    if max(shares) < 0.95 or abs(shares[0] - shares[1]) < 0.1:
        return None
    return shares[0] > shares[1]


def _parts(value: str) -> tuple[int, int, int]:
    found = [int(n) for n in re.findall(r"\d+", value)[:3]]
    if len(found) == 1:  # 01032024
        digits = f"{found[0]:08}"
        return int(digits[:2]), int(digits[2:4]), int(digits[4:8])
    first, second, third = (*found, 0, 0, 0)[:3]
    return first, second, third
