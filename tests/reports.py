"""Facts of a report for tests: tame ones, those of many customers, and hostile ones."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pyarrow as pa

from portfolio_ml.portfolio.concentration import CONCENTRATION, LORENZ
from portfolio_ml.portfolio.figure import Figure, absent, present
from portfolio_ml.portfolio.keeping.potential import POTENTIAL
from portfolio_ml.portfolio.sections import SECTIONS
from portfolio_ml.portfolio.selling.next_category import NEXT_CATEGORY
from portfolio_ml.portfolio.today.daily_list import COLOURS, DAILY_LIST
from portfolio_ml.report.facts import Facts, HistoryFacts, Refused
from portfolio_ml.report.gathered import gather, with_figures
from portfolio_ml.report.people import People, Person
from portfolio_ml.report.purchases import Month, Purchases
from portfolio_ml.schema import CUSTOMER_ROWS

AS_OF, THEN = date(2024, 6, 30), date(2023, 7, 1)
BANDS = ("high", "medium", "low")
STAGES = ("new", "developing", "mature", "veteran")
ACTIONS = ("keep", "win back", "offer more")

Word = Callable[[], str]


def tame() -> Word:
    """Plain words, each another one."""
    number = count()
    return lambda: f"word {next(number)}"


def hostile() -> Word:
    """Texts that would be markup, script, style, a formula or a template, each another one."""
    number = count()

    def word() -> str:
        place = next(number)
        return f"{HOSTILE[place % len(HOSTILE)]} {place // len(HOSTILE) or ''}".rstrip(" ")

    return word


def _hostile() -> Iterator[str]:
    script = ("<script>alert(1)</script>", "</script><script>alert(1)</script>", "<!--<script>")
    markup = (
        "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<iframe src=//evil.example>",
        "<b>bold", "</td></tr></table>", "</title><h1>", "<style>*{display:none}</style>",
        '<a href="javascript:alert(1)">', "<base href=//evil.example>", "<math><mtext>",
        "<plaintext>", "<template>", "]]><![CDATA[", "<?php echo 1 ?>", "<!-- ", "--><p>",
    )  # fmt: skip
    quotes = ('"', "'", "`", "\\", '" onmouseover="alert(1)', "' style='x", "&quot;&#39;&amp;")
    templates = ("{{ 7 * 7 }}", "{% raw %}", "${alert(1)}", "#{7*7}", "{# gone #}", "%s %(x)s {0}")
    formulas = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("//evil.example")')
    signs = (
        "\u202egnp.exe", "שלום <b>", "مرحبا", "\u2028\u2029", "\x00NUL", "a\nb\r\nc", "🙂👩‍👩‍👧",
        "e\u0301" * 40,
        "\ufeff", "x" * 3000, "<" * 400, "__proto__", "constructor", "toString", "null",
        "NaN", "-0",
        "javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "../../etc/passwd",
        "%3Cscript%3E", "&lt;script&gt;", "\\u003cscript\\u003e", "#customer=../x", "?a=b&c=d#e",
    )  # fmt: skip
    alone = (*script, *markup, *quotes, *templates, *formulas, *signs)
    yield from alone
    yield from (f"A & {text} Ltd" for text in alone)
    yield from (f"{text}\"'>{other}" for text, other in zip(alone, reversed(alone), strict=True))
    yield from (text.upper() for text in markup)


HOSTILE: tuple[str, ...] = tuple(dict.fromkeys(_hostile()))
"""Some two hundred texts that nobody should be called by."""


def facts_of(word: Word, *, customers: int = 12, most: int | None = None) -> Facts:
    """The facts of a small portfolio all of whose names are such words.

    All its customers but one are told of one by one, or as many as are asked for.
    """
    rows = _rows(word, customers)
    facts = gather(
        rows,
        _features(rows),
        name=word(),
        currency=word(),
        as_of=AS_OF,
        churn_days=90,
        value_days=90,
        coverage=0.8,
        history=HistoryFacts(date(2021, 1, 1), AS_OF, 990, 10, (Refused(word(), word(), 10),)),
        judgements={},
        decisions={"churn": {"is_promoted": False, "reasons": [word(), word()]}},
        versions={"churn": word(), "lifetime_value": word()},
        tracking=word(),
        now=datetime(2024, 7, 1, 5, tzinfo=UTC),
    )
    representatives = {"customer_id": rows["customer_id"], "representative_id": [
        word() for _ in range(customers)
    ]}  # fmt: skip
    return with_figures(
        facts,
        _figures(word, rows),
        rows=rows,
        features=_features(rows),
        then=rows.slice(0, customers // 2),
        day_then=THEN,
        representatives=pa.table(representatives),
        purchases=lambda ids: dict.fromkeys(ids, PURCHASES),
        most=customers - 1 if most is None else most,
    )


PURCHASES = Purchases(
    first_day=date(2022, 3, 4),
    last_day=date(2024, 5, 20),
    purchase_days=9,
    spend=1234.5,
    months=(
        Month(date(2022, 3, 1), 200.0, 1),
        Month(date(2023, 11, 1), 700.0, 4),
        Month(date(2024, 5, 1), -20.0, 0),
    ),
    next_from=date(2024, 6, 10),
    next_to=date(2024, 8, 1),
)


def many(facts: Facts, customers: int) -> Facts:
    """The same with so many customers one by one, all of them different."""
    first = facts.people.shown[0]
    shown = tuple(_like(first, number) for number in range(customers))
    return replace(facts, people=People(customers, customers, shown))


def _like(person: Person, number: int) -> Person:
    risk = (number * 37 % 1000) / 1000
    return replace(
        person,
        customer_id=f"C{number:05}",
        listed=None if number >= 100 else replace(
            person.listed,
            rank=number + 1,
            action=ACTIONS[number % 3],
            reason=f"reason number {number}",
            held_out=False,
        ),
        worth=10_000.0 - number,
        churn_band=BANDS[0 if risk > 0.66 else 1 if risk > 0.33 else 2],
        p_churn=risk,
        lifecycle_stage=STAGES[number % 4],
        value_tier="ABCD"[number % 4],
        segment_name=f"segment {number % 5}",
        representative=f"R{number % 7}",
        reasons=(f"no purchase for {number} days",),
        ltv=float(number * 7919 % 10_007),
        expected_next_order_date=AS_OF + timedelta(days=number % 60 - 30),
    )  # fmt: skip


def _rows(word: Word, customers: int) -> pa.Table:
    """Active customers, but for the last two."""
    rows = []
    for number in range(customers):
        is_active = number < customers - 2
        rows.append({
            "customer_id": word(),
            "as_of": AS_OF,
            "is_active": is_active,
            "lifecycle_stage": STAGES[number % 4] if is_active else "lapsed",
            "value_tier": "ABCD"[number % 4],
            **dict.fromkeys(("rfm_r", "rfm_f", "rfm_m"), 3),
            "rfm_segment": word(),
            "p_churn": (number + 1) / (customers + 2) if is_active else None,
            "p_return": None if is_active else 0.1,
            "churn_band": BANDS[number % 3] if is_active else None,
            "churn_reasons": "LONG_SILENCE",
            "expected_orders": 1.0,
            "ltv": 100.0 + number,
            "ltv_low": 10.0,
            "ltv_high": 300.0,
            "value_if_buys": 50.0,
            "value_at_risk": 20.0 + number if is_active else None,
            "expected_next_order_date": AS_OF - timedelta(days=5 - number),
            "missed_cycles": 2,
            "segment_id": number % 3,
            "segment_name": word(),
            "next_category": word(),
            "priority_rank": number + 1 if number < 4 else None,
            "winback_value": None if is_active else 15.0,
            "best_representative": word(),
            "action": word() if number < 4 else None,
            "payment_term": word(),
            "delivery_term": word(),
            "contact_policy": word(),
            "abstention": "customer_base_model:churn" if number == 0 else None,
            **dict.fromkeys(
                ("churn_model_version", "ltv_model_version", "segment_model_version"), "1"
            ),
            "features_hash": "f00d",
            "run_id": "r1",
            "scored_at": datetime(2024, 7, 1, 4, tzinfo=UTC),
        })  # fmt: skip
    return pa.Table.from_pylist(rows, schema=CUSTOMER_ROWS.arrow)


def _features(rows: pa.Table) -> pa.Table:
    size = rows.num_rows
    return pa.table(
        {
            "customer_id": rows["customer_id"],
            "recency_days": pa.array(range(60, 60 + size), pa.float32()),
            "overdue_ratio": [2.0] * size,
            "purchase_days": pa.array(range(1, size + 1), pa.float32()),
            "net_spend": pa.array([10.0 * k for k in range(1, size + 1)], pa.float32()),
            "ticket": pa.array(range(2, size + 2), pa.float32()),
            "tenure_days": [900.0] * size,
            "spend_365d": [60.0] * size,
            "spend_365_to_730d": [120.0] * size,
        }
    )


def _figures(word: Word, rows: pa.Table) -> list[Figure]:
    ids = rows["customer_id"].to_pylist()
    return [
        _daily_list(word, ids[:4]),
        _sections(word),
        _potential(word, ids[:5]),
        _next_category(word, ids[:5]),
        absent(CONCENTRATION, word(), word()),
        absent(LORENZ, word(), word()),
    ]


def _daily_list(word: Word, ids: list[str]) -> Figure:
    bands = ["high", "high", "medium", "low"]
    columns = {
        "rank": [1, 2, 3, 4],
        "customer_id": ids,
        "representative_id": [word() for _ in ids],
        "occasion": ["at_risk", "reorder", "win_back", "key_date"],
        "reason": [word() for _ in ids],
        "action": [word() for _ in ids],
        "amount": [90.0, 40.0, 20.0, 10.0],
        "band": bands,
        "colour": [COLOURS[band] for band in bands],
        "due": [None, AS_OF, None, AS_OF],
        "also": ["potential, key_date", None, None, None],
        "held_out": [False, False, True, False],
    }
    return present(DAILY_LIST, "Whom to contact today", columns, as_of=AS_OF, notes=[word()])


def _sections(word: Word) -> Figure:
    size, dimension = 3, word()
    columns = {
        "dimension": [dimension] * size,
        "section": [word() for _ in range(size)],
        "customers": [5, 4, 3],
        "active": [4, 4, 2],
        "active_share": [0.8, 1.0, 0.7],
        "inactive_share": [0.2, 0.0, 0.3],
        "revenue": [100.0, 50.0, 25.0],
        "revenue_share": [0.57, 0.29, 0.14],
        "orders": [10, 5, 4],
        "average_ticket": [10.0, 10.0, 6.0],
        "repurchase_days": [30.0, 40.0, 50.0],
        **dict.fromkeys(("margin", "margin_share"), [None] * size),
        "churn": [0.2, 0.3, 0.4],
        "value_at_risk": [50.0, 30.0, 20.0],
    }
    return present(SECTIONS, "Sections", columns, as_of=AS_OF)


def _potential(word: Word, ids: list[str]) -> Figure:
    size = len(ids)
    columns = {
        "customer_id": ids,
        "peer_group": [word() for _ in ids],
        "peers": [30] * size,
        "widened": ["no"] * size,
        "revenue": [10.0 * k for k in range(size)],
        "place": [0.2] * size,
        "peer_p75": [100.0] * size,
        "peer_p90": [200.0] * size,
        "potential_gap": [90.0 - k for k in range(size)],
        "potential_gap_p90": [190.0] * size,
        "reached_share": [0.1] * size,
        "expected_gain": [9.0] * size,
    }
    return present(POTENTIAL, "Potential", columns, as_of=AS_OF)


def _next_category(word: Word, ids: list[str]) -> Figure:
    size = len(ids)
    columns = {
        "customer_id": ids,
        "category": [word() for _ in ids],
        "because": [word() for _ in ids],
        "lift": [1.5] * size,
        "support": [20] * size,
        "probability": [0.2] * size,
        "amount_if_added": [30.0] * size,
        "expected_amount": [6.0] * size,
        "reason": [word() for _ in ids],
    }
    return present(NEXT_CATEGORY, "What to offer next", columns, as_of=AS_OF)
