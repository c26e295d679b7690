"""Which column plays which role, with the evidence."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from portfolio_ml.discovery.profiles import Profile
from portfolio_ml.discovery.words import Role, fit, is_title
from portfolio_ml.wording import counted

Confidence = Literal["sure", "likely", "unsure"]
REQUIRED: tuple[Role, ...] = ("timestamp", "customer_id", "amount")
_ORDER: tuple[Role, ...] = (
    "timestamp", "customer_id", "amount", "price", "quantity", "order_id", "category",
    "product_id", "cost", "discount", "channel", "currency",
)  # fmt: skip
_NUMBERS = ("amount", "price", "quantity", "cost", "discount")
_ONLY_IF_CLEAR = ("category", "cost", "discount", "channel")
_CLEAR_NAME = 0.8
_NAME_WEIGHT = 0.65
_LEAST_NAME = 0.35
_CLOSE = 0.06
_FEW_REPEATS = 0.2
_RARELY = 0.001


@dataclass(frozen=True, slots=True)
class Finding:
    """The column that plays a role.

    Attributes:
        role: One of our columns of the table, or `price`.
        column: The file's column, or two joined by ` * `.
        confidence: How sure that is.
        evidence: What speaks for it.
        doubts: What speaks against it.
        others: The next best columns.
    """

    role: str
    column: str
    confidence: Confidence
    evidence: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def doubted(self, *doubts: str) -> "Finding":
        """The same finding, unsure for these reasons."""
        return replace(self, confidence="unsure", doubts=(*self.doubts, *doubts))


def assigned(
    profiles: Sequence[Profile], chosen: Mapping[str, str] | None = None
) -> dict[str, Finding]:
    """The roles that the columns play, each column one at most.

    Args:
        profiles: What is in the columns.
        chosen: Columns that a person has given roles to.
    """
    by_hand = chosen or {}
    taken = {c for column in by_hand.values() for c in (column, *column.split(" * "))}
    found: dict[str, Finding] = {}
    for role in _ORDER:
        if role in by_hand:
            others = _others(role, profiles, by_hand[role])
            found[role] = Finding(role, by_hand[role], "sure", ("chosen by you",), others=others)
            continue
        free = [p for p in profiles if p.name not in taken]
        finding = _best(role, free)
        if finding is not None:
            found[role] = finding
            taken.add(finding.column)
    return found if "amount" in by_hand else _with_amount(found, profiles)


def _best(role: Role, free: Sequence[Profile]) -> Finding | None:
    ranked = _ranked(role, free)
    least = _CLEAR_NAME if role in _ONLY_IF_CLEAR else _LEAST_NAME
    named = [(score, name, p) for score, name, p in ranked if name >= least]
    if not named and role not in ("timestamp", "customer_id"):
        return None
    if not (named or ranked):
        return None
    score, name, profile = (named or ranked)[0]
    others = [(s, p.name) for s, _, p in ranked if p.name != profile.name]
    close = [other for s, other in others if s > score - _CLOSE]
    doubts = [f"{other!r} fits about as well" for other in close[:2]]
    if not named:
        doubts.append("its name says nothing known; only its values speak for it")
    doubts += _doubts(role, profile)
    confidence: Confidence = "unsure" if doubts else "sure" if name >= 0.8 else "likely"
    return Finding(
        role,
        profile.name,
        confidence,
        tuple(_evidence(role, profile, name)),
        tuple(doubts),
        tuple(other for _, other in others[:3]),
    )


def _others(role: Role, profiles: Sequence[Profile], column: str) -> tuple[str, ...]:
    return tuple(p.name for _, _, p in _ranked(role, profiles) if p.name != column)[:3]


def _ranked(role: Role, free: Iterable[Profile]) -> list[tuple[float, float, Profile]]:
    """Score, fit of the name, profile: the best first, those that cannot be it left out."""
    scored = [(fit(role, p.name), _value(role, p), p) for p in free]
    ranked = [
        (_NAME_WEIGHT * name + (1 - _NAME_WEIGHT) * value, name, p)
        for name, value, p in scored
        if value > 0
    ]
    return sorted(ranked, key=lambda row: -row[0])


def _value(role: Role, column: Profile) -> float:
    """How well the values fit the role, from 0 (they cannot) to 1."""
    if not column.filled:
        return 0.0
    if role == "timestamp":
        return column.date_share if column.date_share >= 0.5 else 0.0
    if role == "discount" and (column.smallest < 0 or column.largest <= 1):
        return 0.0  # a share, or written with a minus
    if role in _NUMBERS:
        is_number = column.number_share >= 0.5 and column.date_share < 0.9
        least = 1.0 if role == "quantity" or column.has_fraction else 0.8
        return column.number_share * least if is_number else 0.0
    return 0.0 if _is_date(column) else _as_id(role, column)


def _as_id(role: Role, column: Profile) -> float:
    if role == "customer_id":
        return _as_customer(column)
    if role == "currency":
        return 1.0 if all(v.isalpha() and len(v) == 3 for v in column.values) else 0.0
    return 0.3 if column.has_fraction and column.type != "number" else 0.8


def _is_date(column: Profile) -> bool:
    is_marked = any(mark in v for mark in "-/.:" for v in column.values[:20])
    return column.type == "day" or (column.date_share > 0.9 and is_marked)


def _as_customer(column: Profile) -> float:
    if column.distinct < 2 or (column.has_fraction and column.number_share > 0.9):
        return 0.0
    is_group = column.distinct < 12 and column.rows > 400
    longest = max(map(len, column.values))
    return (0.4 + 0.6 * min(1.0, 2 * column.repeats)) * (0.4 if is_group or longest > 80 else 1.0)


def _doubts(role: Role, column: Profile) -> list[str]:
    missing = 1 - column.filled / column.rows
    doubts = []
    if role == "customer_id" and column.repeats < _FEW_REPEATS:
        doubts.append(
            f"only {column.repeats:.0%} of its values are repeats: hardly anyone would buy twice"
        )
    if role in REQUIRED and missing > 0.5:
        doubts.append(f"{missing:.0%} of the rows have none")
    if role == "product_id" and _reads_like_names(column):
        doubts.append("it reads like names: two products may share one, and a name may change")
    if role == "amount" and column.number_share < 0.95:
        doubts.append(f"only {column.number_share:.0%} of its values are numbers")
    return doubts


def _reads_like_names(column: Profile) -> bool:
    with_blanks = sum(" " in value for value in column.values)
    return is_title(column.name) or with_blanks > 0.5 * len(column.values)


def _evidence(role: Role, column: Profile, name: float) -> list[str]:
    said = [f"name fits {name:.0%}" if name else "name unknown"]
    if role == "timestamp":
        said.append(f"{column.date_share:.1%} are dates")
    elif role in _NUMBERS:
        said.append(f"{column.number_share:.1%} are numbers")
    else:
        said.append(f"{counted(column.distinct, 'different value')}, {column.repeats:.0%} repeats")
    if missing := column.rows - column.filled:
        is_few = missing / column.rows < _RARELY
        told = f"{missing:,}" if is_few else f"{missing / column.rows:.1%}"
        said.append(f"no value in {told} of {counted(column.rows, 'row')}")
    return said


def _with_amount(found: dict[str, Finding], profiles: Sequence[Profile]) -> dict[str, Finding]:
    """The amount itself, or unit price times quantity, or whatever number there is."""
    price, quantity = found.get("price"), found.get("quantity")
    if "amount" in found:
        return found
    if price and quantity:
        both = f"{price.column} * {quantity.column}"
        doubts = (*price.doubts, *quantity.doubts)
        if fit("price", price.column) < 1:
            doubts = (*doubts, f"{price.column!r} is taken as the price of one unit")
        confidence: Confidence = "unsure" if doubts else "likely"
        evidence = ("no column holds a total", *price.evidence)
        others = tuple(dict.fromkeys((price.column, *price.others)))
        found["amount"] = Finding("amount", both, confidence, evidence, doubts, others)
    elif price:
        doubt = f"{price.column!r} is a price, and there is no quantity to multiply it by"
        found["amount"] = replace(price, role="amount").doubted(doubt)
    else:
        taken = {f.column for f in found.values()}
        free = [p for p in profiles if p.name not in taken and p.has_fraction]
        if ranked := _ranked("amount", free):
            _, name, profile = ranked[0]
            doubt = "its name says nothing known; only its values speak for it"
            evidence = tuple(_evidence("amount", profile, name))
            others = tuple(p.name for _, _, p in ranked[1:4])
            found["amount"] = Finding("amount", profile.name, "unsure", evidence, (doubt,), others)
    return found
