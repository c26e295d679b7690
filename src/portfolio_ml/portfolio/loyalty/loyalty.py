"""Loyalty points: each customer's balance and tier, and what the programme owes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.config import Loyalty
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.loyalty.points_balance import balances
from portfolio_ml.portfolio.loyalty.points_ledger import Ledger, PointsTable, ledger_of
from portfolio_ml.schema import MONEY_SCALE, POINTS_SCALE, Column, Table
from portfolio_ml.wording import counted

NO_PROGRAMME = (
    "there is no loyalty programme: give portfolio.loyalty.points_per_unit, or name a table under "
    "data.points"
)
NO_TIER = "none"
_Z90 = 1.6448536269514722
"""The normal quantile of a two-sided 90 % interval."""

_SUMS = (
    Column("earned", pa.float64(), "points earned so far", decimals=2),
    Column("returned", pa.float64(), "points taken back because goods were returned", decimals=2),
    Column("redeemed", pa.float64(), "points used otherwise", decimals=2),
    Column("expired", pa.float64(), "points that expired unused", decimals=2),
    Column("balance", pa.float64(), "earned - returned - redeemed - expired; below 0 where more "
           "was used than there was", decimals=2),
    Column("expiring_90d", pa.float64(), "of the balance, what expires within 90 days", decimals=2),
)  # fmt: skip

LOYALTY_BALANCES: Table = contract_of(
    "loyalty_balances",
    grain="one customer with points earned or used",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        *_SUMS,
        Column("balance_value", pa.float64(), "balance x value per point, currency units",
               decimals=2),
        Column("earned_365d", pa.float64(), "points earned within 365 days, minus those that "
               "returns took back", decimals=2),
        Column("tier", pa.string(), "the highest tier that earned_365d reaches",
               null="it reaches none, or there are no tiers"),
        Column("next_tier", pa.string(), "the tier above", null="there is none"),
        Column("missing_points", pa.float64(), "what earned_365d lacks to the tier above",
               null="there is none", decimals=2),
    ),
)  # fmt: skip

LOYALTY_PROGRAMME: Table = contract_of(
    "loyalty_programme",
    grain="one portfolio",
    key=("programme",),
    columns=(
        Column("programme", pa.string(), "points: the one programme that there is"),
        Column("customers", pa.int64(), "customers with points earned or used"),
        *_SUMS,
        Column("owed_points", pa.float64(), "what customers used beyond their points; at least 0",
               decimals=2),
        Column("value_per_point", pa.float64(), "what a point is worth to its holder, currency "
               "units", decimals=6),
        Column("liability", pa.float64(), "the balances above 0 x value per point, currency units",
               decimals=2),
        Column("breakage_share", pa.float64(), "of the points whose expiry has passed, the share "
               "that expired unused", null="no expiry has passed, or no use is known", decimals=4),
        Column("breakage_low", pa.float64(), "lower end of its 90 % interval",
               null="as for breakage_share, or one customer only", decimals=4),
        Column("breakage_high", pa.float64(), "its upper end",
               null="as for breakage_share, or one customer only", decimals=4),
        Column("breakage_customers", pa.int64(), "the customers whose points it rests on"),
        Column("expected_breakage", pa.float64(), "of the liability, what will expire unused if "
               "that share holds, currency units", null="as for breakage_share", decimals=2),
    ),
)  # fmt: skip

LOYALTY_TIERS: Table = contract_of(
    "loyalty_tiers",
    grain="one tier of the programme",
    key=("tier",),
    columns=(
        Column("tier", pa.string(), "the tier; none below the lowest"),
        Column("from_points", pa.float64(), "points earned within 365 days from which on it is "
               "reached", decimals=2),
        Column("customers", pa.int64(), "customers with points in it"),
        Column("share", pa.float64(), "of the customers with points", null="there are none",
               decimals=4),
        Column("balance", pa.float64(), "their points", decimals=2),
        Column("revenue", pa.float64(), "their net spend, last 365 days, currency units",
               decimals=2),
        Column("near", pa.int64(), "of them, those who lack a tenth of the tier above or less"),
    ),
)  # fmt: skip

BALANCES_TITLE = "Loyalty points by customer"
PROGRAMME_TITLE = "The loyalty programme"
TIERS_TITLE = "The programme's tiers"

Floats = NDArray[np.float64]


def loyalty(book: Book, points: PointsTable | None = None) -> tuple[Figure, Figure, Figure]:
    """The balances by customer, the programme, and its tiers.

    Args:
        book: The portfolio; its settings hold the rule by which points are earned.
        points: The table of points; None where there is none.
    """
    ledger = ledger_of(book, points)
    if ledger is None:
        return (
            absent(LOYALTY_BALANCES, BALANCES_TITLE, NO_PROGRAMME),
            absent(LOYALTY_PROGRAMME, PROGRAMME_TITLE, NO_PROGRAMME),
            absent(LOYALTY_TIERS, TIERS_TITLE, NO_PROGRAMME),
        )
    rows = balances(ledger, book.as_of_day, book.inputs.engine)
    rule = book.settings.loyalty or Loyalty()
    notes = _of_the_ledger(book, ledger, rule)
    return (
        _balances(book, rows, rule, notes),
        _programme(book, rows, rule, notes),
        _tiers(book, rows, rule),
    )


def _of_the_ledger(book: Book, ledger: Ledger, rule: Loyalty) -> list[str]:
    """Where the points come from, and what was taken for granted."""
    notes = []
    if ledger.by_rule and ledger.by_table:
        notes.append("points by the rule and those of the table of points are added together")
    if ledger.by_rule and not ledger.by_table:
        notes.append("by the rule alone nothing is redeemed: no table of points tells of any use")
    if rule.multipliers and not (rule.section and book.now.has(rule.section)):
        notes.append(f"multipliers are left out: there is no column {rule.section}")
    elif rule.multipliers and ledger.by_rule and book.customers and book.customers.is_dated:
        notes.append(f"multipliers are those of the {rule.section} that customers have today")
    if book.settings.loyalty is None or "value_per_point" not in rule.model_fields_set:
        notes.append(
            f"a point is taken to be worth {rule.value_per_point:g}: "
            "portfolio.loyalty.value_per_point says otherwise"
        )
    return notes


def _points(rows: pa.Table, name: str) -> Floats:
    return np.asarray(rows[name].to_numpy() / POINTS_SCALE, np.float64)


def _total(rows: pa.Table, name: str) -> float:
    return float(rows[name].to_numpy().sum() / POINTS_SCALE)


def _sums(rows: pa.Table) -> dict[str, Floats]:
    return {column.name: _points(rows, column.name) for column in _SUMS}


def _balances(book: Book, rows: pa.Table, rule: Loyalty, notes: list[str]) -> Figure:
    """The largest balance first."""
    if not rule.tiers:
        notes = [*notes, "there are no tiers: portfolio.loyalty.tiers names none"]
    ids = rows["customer_id"].combine_chunks()
    order = np.lexsort((np.arange(rows.num_rows), -rows["balance"].to_numpy()))
    sums = _sums(rows)
    columns: dict[str, Any] = {
        **sums,
        "balance_value": sums["balance"] * rule.value_per_point,
        "earned_365d": _points(rows, "earned_365d"),
        **_tier_columns(rows, rule),
    }
    held = {name: values[order] for name, values in columns.items()}
    held["customer_id"] = ids.take(pa.array(order))
    return present(LOYALTY_BALANCES, BALANCES_TITLE, held, as_of=book.as_of, notes=notes)


def _ladder(rule: Loyalty) -> tuple[list[str], NDArray[np.int64]]:
    """The tiers from the lowest on, and the points from which on each is reached, 1/10,000."""
    names = sorted(rule.tiers, key=lambda name: rule.tiers[name])
    return names, np.array([round(rule.tiers[n] * POINTS_SCALE) for n in names], np.int64)


def _tier_columns(rows: pa.Table, rule: Loyalty) -> Mapping[str, Any]:
    names, edges = _ladder(rule)
    earned = rows["earned_365d"].to_numpy()
    reached = np.searchsorted(edges, earned, side="right")
    above = np.array([*names, None], object)
    missing = np.append(edges.astype(np.float64), np.nan)[reached] - earned
    return {
        "tier": np.array([None, *names], object)[reached],
        "next_tier": above[reached],
        "missing_points": missing / POINTS_SCALE,
    }


def _tiers(book: Book, rows: pa.Table, rule: Loyalty) -> Figure:
    """The highest tier first, those below the lowest last."""
    if not rule.tiers:
        why = "there are no tiers: portfolio.loyalty.tiers names none"
        return absent(LOYALTY_TIERS, TIERS_TITLE, why)
    names, edges = _ladder(rule)
    earned, count = rows["earned_365d"].to_numpy(), len(names) + 1
    reached = np.searchsorted(edges, earned, side="right")
    place = pc.index_in(rows["customer_id"], book.now.rows["customer_id"].combine_chunks())
    revenue = pc.fill_null(book.now.rows["revenue"].take(place), 0).to_numpy()
    next_edge = np.append(edges, np.iinfo(np.int64).max)[reached]
    is_near = (reached < len(names)) & (10 * (next_edge - earned) <= next_edge)
    customers = np.bincount(reached, minlength=count)

    def summed(values: NDArray[np.int64], scale: int) -> Floats:
        total = np.zeros(count, np.int64)
        np.add.at(total, reached, values)
        return total[::-1] / scale

    columns = {
        "tier": [*reversed(names), NO_TIER],
        "from_points": np.r_[0, edges][::-1] / POINTS_SCALE,
        "customers": customers[::-1],
        "share": customers[::-1] / rows.num_rows if rows.num_rows else np.full(count, np.nan),
        "balance": summed(rows["balance"].to_numpy(), POINTS_SCALE),
        "revenue": summed(revenue, MONEY_SCALE),
        "near": np.bincount(reached[is_near], minlength=count)[::-1],
    }
    return present(LOYALTY_TIERS, TIERS_TITLE, columns, as_of=book.as_of)


def _programme(book: Book, rows: pa.Table, rule: Loyalty, notes: list[str]) -> Figure:
    balance = rows["balance"].to_numpy()
    held, worth = np.maximum(balance, 0).sum() / POINTS_SCALE, rule.value_per_point
    share, low, high, customers = _breakage(rows)
    # The share is one of points earned, some of which have been used since.
    unused = np.minimum(share * _total(rows, "pending"), _total(rows, "pending_left"))
    columns = {
        "programme": "points",
        "customers": rows.num_rows,
        **{column.name: _total(rows, column.name) for column in _SUMS},
        "owed_points": np.maximum(-balance, 0).sum() / POINTS_SCALE,
        "value_per_point": worth,
        "liability": held * worth,
        "breakage_share": share,
        "breakage_low": low,
        "breakage_high": high,
        "breakage_customers": customers,
        "expected_breakage": unused * worth,
    }
    if not rows["redeemed"].to_numpy().any():
        notes = [*notes, "there is no breakage: no use of points is known, so all would expire"]
    elif not customers:
        notes = [*notes, "there is no breakage: no points have passed their expiry"]
    else:
        notes = [*notes, f"breakage rests on the points of {counted(customers, 'customer')}"]
    single = {name: [value] for name, value in columns.items()}
    return present(LOYALTY_PROGRAMME, PROGRAMME_TITLE, single, as_of=book.as_of, notes=notes)


def _breakage(rows: pa.Table) -> tuple[float, float, float, int]:
    """The share of points past their expiry that expired unused, its 90 % interval, customers.

    A ratio of sums over customers, whose variance is that of its residuals (Cochran, Sampling
    Techniques, 6.4): a customer's points expire or are used together.
    """
    matured, expired = _points(rows, "matured"), _points(rows, "expired")
    expired, matured = expired[matured > 0], matured[matured > 0]
    count = matured.size
    if not count or not rows["redeemed"].to_numpy().any():
        return np.nan, np.nan, np.nan, count
    share = float(expired.sum() / matured.sum())
    if count == 1:
        return share, np.nan, np.nan, count
    residuals = expired - share * matured
    error = np.sqrt(count / (count - 1) * (residuals**2).sum()) / matured.sum()
    low, high = np.clip([share - _Z90 * error, share + _Z90 * error], 0, 1)
    return share, float(low), float(high), count
