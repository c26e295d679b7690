"""What the page says of customers and of the day's list: codes in words, and short sentences."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from portfolio_ml.report.facts import Facts
from portfolio_ml.report.number import percent, plain
from portfolio_ml.report.people import People
from portfolio_ml.report.today import Today
from portfolio_ml.scoring import CUSTOMER_BASE, EXTENDED
from portfolio_ml.wording import TARGET_NAMES, counted


@dataclass(frozen=True, slots=True)
class Mark:
    """A band's name, and a symbol that tells it without a colour."""

    name: str
    symbol: str


BANDS: Mapping[str, Mark] = MappingProxyType(
    {"high": Mark("High", "▲"), "medium": Mark("Medium", "◆"), "low": Mark("Low", "▽")}
)
_OCCASIONS: Mapping[str, str] = MappingProxyType(
    {
        "at_risk": "at risk of leaving",
        "win_back": "worth winning back",
        "reorder": "reorder due",
        "potential": "room to grow",
        "key_date": "key date",
    }
)


def occasion(code: str) -> str:
    """An occasion in words.

    Example:
        >>> occasion("win_back"), occasion("fair_week")
        ('worth winning back', 'fair week')
    """
    return _OCCASIONS.get(code, code.replace("_", " "))


def sentence(text: str) -> str:
    """A text that begins like a sentence.

    Example:
        >>> sentence("no purchase for 62 days"), sentence("")
        ('No purchase for 62 days', '')
    """
    return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Since:
    """How a number changed: with an arrow and its sign, so that it needs no colour.

    Attributes:
        change: Such as `▲ +1.6 %`; empty where it is the same, or nothing can be divided by.
        before: What it was; empty where it is the same.
        when: On which day.
    """

    change: str
    before: str
    when: str


def since(now: float | None, then: float | None, facts: Facts, *, places: int = 0) -> Since | None:
    """How a number changed since the day that it is compared with; None where nothing tells.

    Args:
        now: It, now.
        then: It, on that day.
        facts: Which day that is.
        places: Its decimals.
    """
    if facts.then is None or now is None or then is None:
        return None
    day = f"{facts.then.as_of:%Y-%m-%d}"
    if round(now - then, places) == 0:
        return Since("", "", f"as on {day}")
    arrow, sign = ("▲", "+") if now > then else ("▼", "−")
    change = percent(abs(now / then - 1)) if then > 0 else ""
    signed = f"{sign}{change}" if change[:1].isdigit() else change  # not "+<0.1 %"
    return Since(f"{arrow} {signed}".rstrip(), plain(then, places), f"on {day}")


def list_in_short(today: Today, facts: Facts) -> str:
    """How much is on the list, and what it is about."""
    unit = f" {facts.currency}" if facts.currency else ""
    told = (
        f"{counted(today.lines - today.held_out, 'customer')} to contact, with "
        f"{plain(today.amount)}{unit} to be lost or gained within {facts.churn_days} days in all"
    )
    if today.held_out:
        told += f"; {today.held_out:,} more are left alone, to tell later what contacts bring"
    first = len(today.first)
    is_head = 0 < first < today.lines - today.held_out
    return f"{told}. The first {first}:" if is_head else f"{told}."


def who_is_shown(people: People) -> str:
    """Which customers can be looked at one by one."""
    shown, worthy = len(people.shown), people.worth_attention
    count = plain(shown) if shown == worthy else f"{plain(shown)} of {plain(worthy)}"
    others = (
        " The others have less at stake; report.customers of the config sets how many are shown."
    )
    order = "" if shown == worthy else others
    whose, is_ = ("customer", "is") if worthy == 1 else ("customers", "are")
    return (
        f"{count} {whose} {is_} on the day’s list, {is_} active with value at risk, or {is_} worth "
        f"winning back, among {plain(people.customers)} in all.{order}"
    )


def rests_on(abstention: str | None) -> Iterator[str]:
    """What a customer's scores rest on where no trained model stands behind them."""
    for code in filter(None, (abstention or "").split(", ")):
        model, _, targets = code.partition(":")
        about = " and ".join(TARGET_NAMES.get(t, t).lower() for t in targets.split("+"))
        if model == CUSTOMER_BASE:
            yield f"Its {about} figures rest on the customer-base model alone."
        elif model == EXTENDED:
            yield f"Its {about} figures were learnt over a shorter time, and stretched."
        else:
            yield f"Something was held back: {code}."
