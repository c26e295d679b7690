"""What is known of a customer beside purchases: attributes, interactions and contacts."""

from collections.abc import Callable, Iterable
from fractions import Fraction

from tests.by_hand.past import YEAR, Number, Past, change, exact, mean, minus
from tests.histories import day_of
from tests.portfolios import KINDS

# Attributes


def _now(past: Past, name: str) -> object:
    row = past.attributes(0)
    return getattr(row, name) if row else None


def _year_ago(past: Past, name: str) -> object:
    row = past.attributes(YEAR)
    return getattr(row, name) if row else None


def _age_of(past: Past, name: str) -> int | None:
    day = _now(past, name)
    return None if day is None or day_of(day) > past.as_of else past.as_of - day_of(day)


def signup_days(past: Past) -> int | None:
    return _age_of(past, "signup_date")


def contract_days_left(past: Past) -> int | None:
    end = _now(past, "ended_at")
    return None if end is None else day_of(end) - past.as_of


def days_to_birthday(past: Past) -> Number | None:
    days = _age_of(past, "birthday")
    return None if days is None else -days % Fraction("365.2425")


def region_changed_365d(past: Past) -> int | None:
    now, before = _now(past, "region"), _year_ago(past, "region")
    return None if now is None or before is None else int(now != before)


def numbers(name: str) -> dict[str, Callable[[Past], Number | None]]:
    def changed(past: Past) -> Number | None:
        now, before = _now(past, name), _year_ago(past, name)
        return None if now is None or before is None else change(exact(now), exact(before))

    return {name: lambda past: _now(past, name), f"{name}_change_365d": changed}


# Interactions and contacts


def touches(
    name: str, ages_of: Callable[[Past], list[int]]
) -> dict[str, Callable[[Past], Number | None]]:
    def within(past: Past, days: int) -> int:
        return len([age for age in ages_of(past) if age <= days - 1])

    return {
        f"{name}_30d": lambda past: within(past, 30),
        f"{name}_90d": lambda past: within(past, 90),
        f"{name}_365d": lambda past: within(past, 365),
        f"last_{name}_days": lambda past: min(ages_of(past), default=None),
    }


def values(name: str, kinds: Iterable[str] | None) -> dict[str, Callable[[Past], Number | None]]:
    def level(past: Past, ages: range) -> Fraction | None:
        return mean(
            exact(event.value)
            for age, event in past.interactions
            if age in ages and event.value is not None and (kinds is None or event.kind in kinds)
        )

    return {
        f"{name}_value_365d": lambda past: level(past, range(365)),
        f"{name}_value_change": lambda past: minus(
            level(past, range(180)), level(past, range(180, 100_000))
        ),
    }


def ages_of_kind(kind: str) -> Callable[[Past], list[int]]:
    return lambda past: [age for age, event in past.interactions if event.kind == kind]


OF_RELATIONS: dict[str, Callable[[Past], Number | None]] = {
    of.__name__: of
    for of in (signup_days, contract_days_left, days_to_birthday, region_changed_365d)
}
OF_RELATIONS |= numbers("income") | numbers("service_cost")
OF_RELATIONS |= touches("interactions", lambda past: [age for age, _ in past.interactions])
OF_RELATIONS |= touches("contacts", lambda past: [age for age, _ in past.contacts])
OF_RELATIONS |= values("interaction", None)
for _kind, _name in zip(KINDS, ("call", "web_chat"), strict=True):
    OF_RELATIONS |= touches(f"{_name}_interactions", ages_of_kind(_kind))
    OF_RELATIONS |= values(_name, {_kind})
