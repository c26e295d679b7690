"""The customers worth attention, each with all that the page tells of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.models.reasons.codes import sentences
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.report.changes import changes
from portfolio_ml.report.number import finite
from portfolio_ml.report.purchases import Purchases

_PLACE = "_place"
_LIST = "daily_list"

PurchasesOf = Callable[[Sequence[str]], Mapping[str, Purchases]]


@dataclass(frozen=True, slots=True)
class Listed:
    """A customer's line on the daily list; the fields are those of the figure `daily_list`.

    `also` has a code for each further occasion.
    """

    rank: int
    occasion: str
    reason: str
    action: str
    amount: float
    band: str
    due: date | None
    also: tuple[str, ...]
    held_out: bool


@dataclass(frozen=True, slots=True)
class Person:
    """A customer worth attention; fields that are columns of the customer rows mean the same.

    Attributes:
        listed: The line on the daily list; None for who is not on it.
        worth: What is at stake within the churn horizon, currency units: value at risk, or the
            win-back value of who is inactive; None for who is on the list for other reasons.
        reasons: Why it may not buy, in sentences.
        representative: Who looks after it; None where nobody does or nothing tells.
        next_because: Why the next category is recommended; None where none is.
        changed: What changed, in sentences.
        spend_365d: Net spend of the last 365 days.
        purchases: What it bought over time; None where nothing is at hand.
    """

    customer_id: str
    listed: Listed | None
    worth: float | None
    is_active: bool
    lifecycle_stage: str
    value_tier: str
    segment_name: str
    rfm_segment: str
    churn_band: str | None
    p_churn: float | None
    p_return: float | None
    reasons: tuple[str, ...]
    ltv: float | None
    ltv_low: float | None
    ltv_high: float | None
    value_at_risk: float | None
    expected_next_order_date: date | None
    missed_cycles: int | None
    representative: str | None
    best_representative: str | None
    potential_gap: float | None
    winback_value: float | None
    next_category: str | None
    next_because: str | None
    payment_term: str | None
    delivery_term: str | None
    contact_policy: str | None
    abstention: str | None
    spend_365d: float | None
    changed: tuple[str, ...]
    purchases: Purchases | None


@dataclass(frozen=True, slots=True)
class People:
    """Some of the customers worth attention.

    Attributes:
        worth_attention: How many there are: those on the daily list, the active ones with value
            at risk, and the inactive ones with a win-back value.
        customers: How many customers there are at all.
        shown: The first of them: by their place on the daily list, then by what is at stake.
    """

    worth_attention: int
    customers: int
    shown: tuple[Person, ...]


def people(
    rows: pa.Table,
    features: pa.Table,
    *,
    figures: Mapping[str, Figure],
    then: pa.Table | None,
    day_then: date | None,
    representatives: pa.Table | None,
    purchases: PurchasesOf,
    most: int,
) -> People:
    """The customers worth attention.

    Args:
        rows: The customer rows.
        features: The features behind them, of the same customers in the same order.
        figures: The portfolio's figures, by name.
        then: The customer rows of the day that it is compared with; None where there are none.
        day_then: That day; None where the history begins later.
        representatives: customer_id and representative_id; None where nothing tells them.
        purchases: Gives what some customers bought.
        most: So many are shown.
    """
    worthy = _worthy(rows)
    chosen = worthy.slice(0, most)
    ids = chosen["customer_id"].to_pylist()
    bought = purchases(ids) if ids else {}
    before = _by_customer(then, ids, ("customer_id", "lifecycle_stage", "p_churn"))
    looks_after = _by_customer(representatives, ids)
    lines = _by_customer(_rows_of(figures, _LIST), ids)
    categories = _by_customer(_rows_of(figures, "next_category"), ids)
    own = features.take(chosen[_PLACE])
    shown = []
    for number, row in enumerate(chosen.to_pylist()):
        each, one = row["customer_id"], own.slice(number, 1)
        own_figures = {name: _value(one, feature) for name, feature in _FROM_FEATURES.items()}
        shown.append(
            Person(
                listed=_listed(lines.get(each)),
                worth=_worth(row),
                reasons=sentences(row["churn_reasons"], one),
                representative=(looks_after.get(each) or {}).get("representative_id"),
                next_because=(categories.get(each) or {}).get("reason"),
                spend_365d=own_figures["spend"],
                changed=changes(row | own_figures, before.get(each), day_then=day_then),
                purchases=bought.get(each),
                **{name: _plain(row[name]) for name in _OF_THE_ROW},
            )
        )
    return People(worthy.num_rows, rows.num_rows, tuple(shown))


_FROM_FEATURES = {
    "spend": "spend_365d", "spend_before": "spend_365_to_730d", "tenure_days": "tenure_days"
}  # fmt: skip
_OF_THE_ROW = (
    "customer_id", "is_active", "lifecycle_stage", "value_tier", "segment_name", "rfm_segment",
    "churn_band", "p_churn", "p_return", "ltv", "ltv_low", "ltv_high", "value_at_risk",
    "expected_next_order_date", "missed_cycles", "best_representative", "potential_gap",
    "winback_value", "next_category", "payment_term", "delivery_term", "contact_policy",
    "abstention",
)  # fmt: skip


def _worthy(rows: pa.Table) -> pa.Table:
    """The rows of customers worth attention, in the page's order, with their place before."""
    placed = rows.append_column(_PLACE, pa.array(range(rows.num_rows), pa.int64()))
    worth = pc.fill_null(pc.coalesce(rows["value_at_risk"], rows["winback_value"]), 0.0)
    worth = pc.if_else(pc.is_finite(worth), worth, 0.0)
    is_worth = pc.or_(pc.is_valid(rows["priority_rank"]), pc.greater(worth, 0))
    found = placed.append_column("_worth", worth).filter(is_worth)
    order = [("priority_rank", "ascending"), ("_worth", "descending"), ("customer_id", "ascending")]
    return found.sort_by(order)  # nulls come last


def _worth(row: Mapping[str, Any]) -> float | None:
    name = "value_at_risk" if row["is_active"] else "winback_value"
    return finite(row[name])


def _listed(line: Mapping[str, Any] | None) -> Listed | None:
    if line is None:
        return None
    return Listed(
        rank=line["rank"],
        occasion=line["occasion"],
        reason=line["reason"],
        action=line["action"],
        amount=line["amount"],
        band=line["band"],
        due=line["due"],
        also=tuple(filter(None, (line["also"] or "").split(", "))),
        held_out=line["held_out"],
    )


def _rows_of(figures: Mapping[str, Figure], name: str) -> pa.Table | None:
    return figures[name].rows if name in figures else None


def _by_customer(
    table: pa.Table | None, ids: Sequence[str], columns: Sequence[str] | None = None
) -> dict[str, dict[str, Any]]:
    """The rows of some customers, by customer."""
    if table is None or not ids:
        return {}
    some = table.filter(pc.is_in(table["customer_id"], value_set=pa.array(ids, pa.string())))
    found = some if columns is None else some.select(list(columns))
    return {row["customer_id"]: row for row in found.to_pylist()}


def _value(features: pa.Table, name: str) -> float | None:
    return finite(features[name][0].as_py()) if name in features.column_names else None


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    return finite(value) if isinstance(value, float) else value
