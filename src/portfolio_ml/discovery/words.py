"""What columns are called, in many languages: words, and how well a name fits a role.

A name is folded (no case, no accents, `ue` as `u`) and cut into known words, so that `KundenNr`,
`kunden_nummer` and `Kundennummer` are the same two.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

from portfolio_ml.discovery.vocabulary import KINDS

Role = Literal[
    "customer_id",
    "timestamp",
    "amount",
    "price",
    "quantity",
    "order_id",
    "product_id",
    "category",
    "cost",
    "discount",
    "channel",
    "currency",
]

_LETTERS = {ord("ß"): "ss", ord("ł"): "l", ord("ø"): "o", ord("æ"): "ae"}


def folded(text: str) -> str:
    """A text without case, accents and umlauts, so that spellings of a word are one.

    Example:
        >>> folded("Käufer") == folded("KAEUFER")
        True
    """
    plain = text.casefold().translate(_LETTERS)
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return re.sub("([aou])e", r"\1", plain)


_WORDS = {kind: frozenset(map(folded, words.split())) for kind, words in KINDS.items()}
_ALL_WORDS = frozenset().union(*_WORDS.values())
_SHORTEST_PART = 2


@functools.cache
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, folded; a compound is cut where all its parts are known.

    Example:
        >>> words_of("KundenNr"), words_of("bestelldatum")
        (('kunden', 'nr'), ('bestell', 'datum'))
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(p for token in re.findall(r"[^\W_]+", spaced) for p in _parts(folded(token)))


def _parts(token: str) -> tuple[str, ...]:
    if token in _ALL_WORDS:
        return (token,)
    return next(_cuts(token), (token,))


def _cuts(token: str) -> Iterator[tuple[str, ...]]:
    for end in range(len(token) - _SHORTEST_PART, _SHORTEST_PART, -1):
        if token[:end] in _ALL_WORDS:
            for rest in dict.fromkeys((token[end:], re.sub("^(s|en|n|e)", "", token[end:]))):
                if rest in _ALL_WORDS and len(rest) >= _SHORTEST_PART:
                    yield (token[:end], rest)
                else:
                    yield from ((token[:end], *more) for more in _cuts(rest))


def fit(role: Role, name: str) -> float:
    """How well a name fits a role, from 0 to 1.

    Example:
        >>> fit("customer_id", "Kundennummer"), fit("customer_id", "Kundenname")
        (1.0, 0.2)
        >>> fit("amount", "UnitPrice"), fit("price", "UnitPrice")
        (0.0, 1.0)
    """
    words = words_of(name)
    return _FITS[role](words)


def _has(words: tuple[str, ...], *kinds: str) -> bool:
    return any(word in _WORDS[kind] for kind in kinds for word in words)


def _knows(words: tuple[str, ...], *kinds: str) -> bool:
    return all(any(w in _WORDS[k] for k in (*kinds, "neutral")) or w.isdigit() for w in words)


def _customer(words: tuple[str, ...]) -> float:
    strong = _has(words, "customer")
    if not strong and not _has(words, "weak_customer"):
        return 0.0
    if _has(words, "attribute", "date", "bad_date", "amount", "price", "bad_money", "quantity"):
        return 0.2
    base = 1.0 if _has(words, "id") else 0.9
    return base * (1.0 if strong else 0.7) * (1.0 if _known_customer(words) else 0.8)


def _known_customer(words: tuple[str, ...]) -> bool:
    return _knows(words, "customer", "weak_customer", "id")


def _order(words: tuple[str, ...]) -> float:
    other = _has(words, "date", "amount", "price", "quantity", "bad_money", "currency")
    is_sales = words and words[0] in {"sales", "sale"} and _has(words, "id")
    if not _has(words, "order") or (other and not is_sales) or _has(words, "customer", "product"):
        return 0.0
    if _has(words, "attribute", "bad_date", "weak_customer"):
        return 0.2
    return (1.0 if _has(words, "id") else 0.8) * (1.0 if _knows(words, "order", "id") else 0.8)


def _product(words: tuple[str, ...]) -> float:
    other = ("date", "amount", "price", "quantity", "bad_money", "customer", "currency")
    if not _has(words, "product") or _has(words, *other):
        return 0.0
    if _has(words, "title"):
        return 0.4
    if _has(words, "attribute", "category", "group"):
        return 0.0
    return 1.0 if _has(words, "id", "code") else 0.8


def is_title(name: str) -> bool:
    """Whether a name says that the column holds names or descriptions.

    Example:
        >>> is_title("Artikelbezeichnung"), is_title("Artikelnummer")
        (True, False)
    """
    return _has(words_of(name), "title")


def _category(words: tuple[str, ...]) -> float:
    is_category = _has(words, "category") or (_has(words, "product") and _has(words, "group"))
    if not is_category or _has(words, "customer", "date", "amount", "quantity", "bad_money"):
        return 0.0
    return 1.0 if _knows(words, "category", "product", "group", "id", "title") else 0.6


def _cost(words: tuple[str, ...]) -> float:
    """The cost of the line: that of a unit, of shipping or of service is another."""
    other = ("overhead", "unit", "share", "discount", "date", "customer", "currency")
    if not _has(words, "cost") or _has(words, *other):
        return 0.0
    return 1.0 if _knows(words, "cost", "all", "product", "order", "amount") else 0.6


def _discount(words: tuple[str, ...]) -> float:
    """The discount on the line in money: a share or a unit's is another."""
    if not _has(words, "discount") or _has(words, "share", "unit", "date", "customer", "id"):
        return 0.0
    return 1.0 if _knows(words, "discount", "amount", "all", "order", "currency") else 0.6


def _channel(words: tuple[str, ...]) -> float:
    if not _has(words, "channel"):
        return 0.0
    return 1.0 if _knows(words, "channel", "selling", "title", "id") else 0.6


def _timestamp(words: tuple[str, ...]) -> float:
    if not _has(words, "date"):
        return 0.0
    if _has(words, "bad_date") or _has(words, "customer"):
        return 0.2
    if _has(words, "trade"):
        return 1.0
    return 0.9 if _knows(words, "date") else 0.6


def _amount(words: tuple[str, ...]) -> float:
    if _has(words, "bad_money", "date", "id", "attribute") and not _has(words, "all"):
        return 0.2 if _has(words, "amount", "price") else 0.0
    if _has(words, "bad_money", "date", "id"):
        return 0.2
    if _has(words, "price"):
        return 0.95 if _has(words, "all") and not _has(words, "unit") else 0.0
    if not _has(words, "amount") or (_has(words, "unit") and not _has(words, "all")):
        return 0.0
    is_known = _knows(words, "amount", "all", "order", "trade", "currency")
    return 1.0 if is_known else 0.7


def _price(words: tuple[str, ...]) -> float:
    if not _has(words, "price") or _has(words, "bad_money", "date", "all", "attribute"):
        return 0.6 if _has(words, "unit") and _has(words, "amount", "value") else 0.0
    return 1.0 if _has(words, "unit") else 0.8


def _quantity(words: tuple[str, ...]) -> float:
    if not _has(words, "quantity") or _has(words, "price", "bad_money", "date", "id", "currency"):
        return 0.0
    rest = _knows(words, "quantity", "order", "product", "unit")
    return (1.0 if rest else 0.7) * (0.3 if _has(words, "attribute") else 1.0)


def _currency(words: tuple[str, ...]) -> float:
    return 1.0 if _has(words, "currency") else 0.0


_WORDS["value"] = frozenset({folded("value")})
_FITS = {
    "customer_id": _customer,
    "timestamp": _timestamp,
    "amount": _amount,
    "price": _price,
    "quantity": _quantity,
    "order_id": _order,
    "product_id": _product,
    "category": _category,
    "cost": _cost,
    "discount": _discount,
    "channel": _channel,
    "currency": _currency,
}
