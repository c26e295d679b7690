"""Response: how much likelier a contact makes a purchase, measured against who was left alone.

Some buy without being asked. So what a contact brings is told only by customers who were held out
by chance; without them, or a configured uplift, it is unknown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from portfolio_ml.engine import Frame
from portfolio_ml.events import Events
from portfolio_ml.features.cut import seen_at
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.keeping.proportions import UNKNOWN, Estimate, Proportion, difference
from portfolio_ml.schema import Column, Table
from portfolio_ml.timeline import in_history, in_outcome
from portfolio_ml.wording import counted

FEWEST = 20
"""With fewer on either side no uplift is told."""
ANY = "any action"
AUDIENCES = ("all", "active", "inactive")
MEASURED, CONFIGURED = "measured", "configured"

RESPONSE: Table = contract_of(
    "response",
    grain="one action and audience",
    key=("action", "audience", "source"),
    columns=(
        Column("action", pa.string(), "what was done, as in contacts; or any action: all together"),
        Column(
            "audience", pa.string(),
            "which customers: all, or those who were active or inactive on the day of the contact",
        ),
        Column("source", pa.string(), "measured, or configured in portfolio.response.uplift"),
        Column("horizon_days", pa.int64(), "a purchase so many days after the contact counts"),
        Column("contacted", pa.int64(),
               "contacts, none of them within the horizon after another one of the same action",
               null="configured"),
        Column("contacted_bought", pa.int64(),
               "of them, those after which the customer bought within the horizon",
               null="configured"),
        Column("contacted_share", pa.float64(), "the share of them",
               null="configured, or nobody was contacted", decimals=4),
        Column("held_out", pa.int64(), "times that a customer was left alone instead, likewise",
               null="configured"),
        Column("held_out_bought", pa.int64(), "of them, those after which the customer bought",
               null="configured"),
        Column("held_out_share", pa.float64(), "the share of them",
               null="configured, or nobody was held out", decimals=4),
        Column(
            "uplift", pa.float64(),
            "by how much a contact raised the chance of a purchase; like is compared with like: "
            "within the same action, campaign and standing",
            null="fewer than 20 on either side", decimals=4,
        ),
        Column("uplift_low", pa.float64(), "its 90 % interval, lower end",
               null="configured, or no uplift", decimals=4),
        Column("uplift_high", pa.float64(), "its 90 % interval, upper end",
               null="configured, or no uplift", decimals=4),
    ),
)  # fmt: skip

TITLE = "What contacts brought"


@dataclass(frozen=True, slots=True)
class Uplift:
    """By how much a contact raises the chance that an inactive customer returns.

    Attributes:
        estimate: The uplift; the bounds of a configured one are the uplift itself.
        source: `configured` or `measured`.
    """

    estimate: Estimate
    source: str


def response(book: Book) -> Figure:
    """What contacts brought, by action and by who was active.

    Only contacts whose horizon is over count, and none that followed another one of the same action
    within the horizon, for what comes of two cannot be told apart. That next ones follow is no
    reason to leave one out: who has bought is asked no more. A configured uplift has a row of its
    own, and goes before the measured one.
    """
    configured = book.settings.response.uplift
    rows = [] if configured is None else [_configured(book, configured)]
    contacts, lacking = book.contacts, _lacking(book.contacts)
    if contacts is None or lacking:
        if not rows:
            return absent(RESPONSE, TITLE, lacking)
        return _figure(book, rows, notes=[f"nothing was measured: {lacking}"])
    counts = _counts(book, contacts)
    if not counts:
        why = f"no contact was made {book.frozen.horizons.churn_days} days or more ago"
        return absent(RESPONSE, TITLE, why) if not rows else _figure(book, rows, notes=[why])
    rows += _measured(book, counts)
    few = [r for r in rows if r["source"] == MEASURED and np.isnan(r["uplift"])]
    notes = [f"no uplift in {counted(len(few), 'row')}: fewer than {FEWEST} on either side"]
    return _figure(book, rows, notes=notes if few else [])


def uplift_of(figure: Figure) -> Uplift | None:
    """The uplift among inactive customers that a response figure tells; None where it tells none.

    The configured one, where there is one, otherwise the measured one of all actions together.
    """
    for source in (CONFIGURED, MEASURED):
        for row in figure.rows.to_pylist():
            is_it = (row["source"], row["audience"], row["action"]) == (source, "inactive", ANY)
            if is_it and row["uplift"] is not None:
                value = row["uplift"]
                low = row["uplift_low"] if source == MEASURED else value
                high = row["uplift_high"] if source == MEASURED else value
                return Uplift(Estimate(value, low, high), source)
    return None


def _lacking(contacts: Events | None) -> str:
    """What is missing to measure an uplift; empty where nothing is."""
    if contacts is None:
        return "there is no table of contacts: configure data.contacts, with held_out"
    if "held_out" not in contacts.columns:
        return (
            "contacts do not tell who was held out: map held_out, true for customers who were left "
            "alone for comparison"
        )
    return ""


def _counts(book: Book, contacts: Events) -> list[dict[str, Any]]:
    """How many were contacted or held out and bought, by action, campaign and standing."""
    engine, horizon = book.inputs.engine, book.frozen.horizons.churn_days
    is_over = in_history(nw.col("contact_day") + horizon, book.as_of_day)
    has_campaign = "campaign" in contacts.columns
    campaign = nw.col("campaign").fill_null("") if has_campaign else nw.lit("")
    assigned = (
        engine.taken(contacts.frame)
        .join(book.inputs.customers, on="customer_id", how="inner")
        .select("customer", "action", "held_out", contact_day="day", campaign=campaign)
        .filter(is_over & ~nw.col("held_out").is_null())
    )
    ties = ["contact_day", "campaign", "held_out"]
    before = nw.col("contact_day").shift(1).over("customer", "action", order_by=ties)
    apart = assigned.with_columns(_since=nw.col("contact_day") - before).filter(
        nw.col("_since").is_null() | (nw.col("_since") > horizon)
    )
    keys = ["action", "campaign", "is_inactive", "held_out"]
    bought = nw.col("bought").cast(nw.Int64).sum().cast(nw.Int64)
    told = _outcomes(book, apart).group_by(keys).agg(contacts=nw.len(), bought=bought)
    found: list[dict[str, Any]] = engine.collect(told.sort(*keys)).to_pylist()
    return found


def _outcomes(book: Book, contacts: Frame) -> Frame:
    """The contacts with whether the customer was inactive then, and bought within the horizon.

    Those who had never bought by then are left out: nobody can be won back who was not there.
    """
    day, contact = nw.col("day"), nw.col("contact_day")
    seen = seen_at(book.inputs, [book.as_of_day]).filter(nw.col("is_purchase"))
    purchases = contacts.join(seen.select("customer", "day"), on="customer", how="inner")
    keys = ["customer", "contact_day", "action", "campaign", "held_out"]
    bought = in_outcome(day, contact, book.frozen.horizons.churn_days)
    found = purchases.group_by(keys).agg(
        last_day=nw.when(in_history(day, contact)).then(day).max(),
        bought=bought.cast(nw.Int32).max() == 1,
    )
    recency = contact - nw.col("last_day")
    return found.filter(~nw.col("last_day").is_null()).with_columns(
        is_inactive=recency >= book.frozen.activity_days
    )


def _measured(book: Book, counts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of what was measured: all actions together first, then each."""
    scopes = [ANY, *dict.fromkeys(row["action"] for row in counts)]
    chosen = {"all": (True, False), "active": (False,), "inactive": (True,)}
    return [
        _row(book, scope, audience, [
            row for row in counts
            if scope in (ANY, row["action"]) and row["is_inactive"] in chosen[audience]
        ])
        for scope in scopes
        for audience in AUDIENCES
    ]  # fmt: skip


def _row(book: Book, scope: str, audience: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    strata: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for row in rows:
        key = (row["action"], row["campaign"], row["is_inactive"])
        strata.setdefault(key, []).append(row)
    pairs = [(_side(rows, held_out=False), _side(rows, held_out=True)) for rows in strata.values()]
    treated, held_out = _side(rows, held_out=False), _side(rows, held_out=True)
    compared = [(a, b) for a, b in pairs if a.whole and b.whole]
    fewest = min((sum(pair[side].whole for pair in compared) for side in (0, 1)), default=0)
    found = difference(compared) if fewest >= FEWEST else UNKNOWN
    return {
        "action": scope,
        "audience": audience,
        "source": MEASURED,
        "horizon_days": book.frozen.horizons.churn_days,
        "contacted": treated.whole,
        "contacted_bought": treated.part,
        "contacted_share": treated.share,
        "held_out": held_out.whole,
        "held_out_bought": held_out.part,
        "held_out_share": held_out.share,
        "uplift": found.value,
        "uplift_low": found.low,
        "uplift_high": found.high,
    }


def _side(rows: Iterable[dict[str, Any]], *, held_out: bool) -> Proportion:
    of = [row for row in rows if row["held_out"] == held_out]
    return Proportion(sum(row["bought"] for row in of), sum(row["contacts"] for row in of))


def _configured(book: Book, uplift: float) -> dict[str, Any]:
    return {
        **dict.fromkeys(RESPONSE.names),
        "action": ANY,
        "audience": "inactive",
        "source": CONFIGURED,
        "horizon_days": book.frozen.horizons.churn_days,
        "uplift": uplift,
    }


def _figure(book: Book, rows: Sequence[dict[str, Any]], *, notes: Sequence[str]) -> Figure:
    columns = {name: [row[name] for row in rows] for name in RESPONSE.names if name != "as_of"}
    return present(RESPONSE, TITLE, columns, as_of=book.as_of, notes=notes)
