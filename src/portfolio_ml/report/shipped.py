"""What the page's script is given: the facts of customers and the charts, as one JSON text."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from portfolio_ml.report import phrases
from portfolio_ml.report.charts.exhibit import Exhibit
from portfolio_ml.report.charts.theme import DARK, LIGHT
from portfolio_ml.report.facts import Facts
from portfolio_ml.report.number import decimals
from portfolio_ml.report.people import People, Person
from portfolio_ml.report.purchases import Purchases
from portfolio_ml.report.words import value_word

_UNSAFE = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}
"""What could end the element that holds the text; all beyond ASCII is escaped anyway."""


def shipped(facts: Facts, exhibits: Iterable[Exhibit]) -> str:
    """The text for a `<script type="application/json">`: it holds no sign that HTML reads.

    Args:
        facts: The facts.
        exhibits: What is drawn.
    """
    given = {
        "as_of": facts.as_of.isoformat(),
        "currency": facts.currency,
        "churn_days": facts.churn_days,
        "value_days": facts.value_days,
        "coverage": facts.coverage,
        "value": value_word(facts.measure),
        "places": places_of(facts.people),
        "bands": {band: {"name": m.name, "symbol": m.symbol} for band, m in phrases.BANDS.items()},
        "people": _people(facts.people),
        "charts": {shown.name: shown.spec for shown in exhibits if shown.chart},
        "themes": {"light": LIGHT, "dark": DARK},
    }
    return safe(given)


def safe(values: Mapping[str, Any]) -> str:
    r"""Plain values as JSON that is safe within an HTML element.

    Example:
        >>> safe({"name": "</script>"})
        '{"name":"\\u003c/script\\u003e"}'
    """
    return json.dumps(values, allow_nan=False, separators=(",", ":")).translate(_UNSAFE)


def places_of(people: People | None) -> int:
    """How many decimals the customers' money needs."""
    return decimals(p.worth for p in people.shown) if people else 2


def _people(people: People | None) -> dict[str, Any]:
    """One row per customer, and what its places mean."""
    rows = [_person(person) for person in people.shown] if people else []
    return {"columns": list(rows[0]) if rows else [], "rows": [[*row.values()] for row in rows]}


def _person(person: Person) -> dict[str, Any]:
    line, bought = person.listed, person.purchases
    return {
        "id": person.customer_id,
        "rank": line and line.rank,
        "action": line and phrases.sentence(line.action),
        "occasion": line and phrases.occasion(line.occasion),
        "reason": line and phrases.sentence(line.reason),
        "amount": line and _money(line.amount),
        "priority": line and line.band,
        "due": line and line.due and line.due.isoformat(),
        "also": [phrases.occasion(code) for code in line.also] if line else [],
        "held": bool(line and line.held_out),
        "worth": _money(person.worth),
        "stage": person.lifecycle_stage,
        "tier": person.value_tier,
        "segment": person.segment_name,
        "rfm": person.rfm_segment,
        "band": person.churn_band,
        "risk": _share(person.p_churn),
        "back": _share(person.p_return),
        "reasons": [phrases.sentence(reason) for reason in person.reasons],
        "value": _money(person.ltv),
        "low": _money(person.ltv_low),
        "high": _money(person.ltv_high),
        "next": _day(person.expected_next_order_date),
        "representative": person.representative,
        "best": person.best_representative,
        "gap": _money(person.potential_gap),
        "category": person.next_category,
        "because": person.next_because,
        "payment": person.payment_term,
        "delivery": person.delivery_term,
        "policy": person.contact_policy,
        "rests": " ".join(phrases.rests_on(person.abstention)) or None,
        "spend": _money(person.spend_365d),
        "changed": list(person.changed),
        **_purchases(bought),
    }


def _purchases(bought: Purchases | None) -> dict[str, Any]:
    return {
        "first": bought and _day(bought.first_day),
        "last": bought and _day(bought.last_day),
        "days": bought and bought.purchase_days,
        "total": bought and _money(bought.spend),
        "from": bought and _day(bought.next_from),
        "to": bought and _day(bought.next_to),
        "months": [
            [_day(month.first_day), _money(month.spend), month.purchase_days]
            for month in (bought.months if bought else ())
        ],
    }


def _money(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _day(value: Any) -> str | None:  # noqa: ANN401 - a date, or none
    return None if value is None else value.isoformat()
