"""Pre-churn signs: active customers who behave otherwise than they used to.

Every sign compares a customer with that customer's own past. Whether a sign tells anything in this
portfolio is found in its history: the same signs one churn horizon ago, and who of those customers
did not buy since.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.keeping.proportions import Proportion, lift
from portfolio_ml.portfolio.keeping.signs import ANY, Sign, Signs, in_words, signs_of, signs_today
from portfolio_ml.portfolio.keeping.texts import Texts, joined, only
from portfolio_ml.portfolio.samples import sample
from portfolio_ml.portfolio.stock import stocks_at
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.timeline import to_date
from portfolio_ml.wording import counted

FEWEST = 20
"""Of fewer customers with a sign nothing is said of how good it is."""

PRE_CHURN: Table = contract_of(
    "pre_churn_signs",
    grain="one active customer with a sign",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "who"),
        Column(
            "signs", pa.string(),
            "codes, joined by a comma and a space, those that told most in the history first",
        ),
        Column("sign_count", pa.int64(), "how many signs there are"),
        Column(
            "proven_signs", pa.int64(),
            "how many of them told of churn in this portfolio's history: the lift's interval lies "
            "above 1",
        ),
        Column("words", pa.string(), "the signs in words, in the same order, joined by '; '"),
        Column(
            "missed_cycles", pa.int64(), "whole typical gaps since the last purchase day, minus 1",
            null="fewer than three purchase days",
        ),
        Column("recency_days", pa.int64(), "days since the last purchase day"),
        Column("typical_gap_days", pa.float64(), "the customer's usual time between purchase days",
               decimals=1),
        Column(
            "gap_90_days", pa.float64(), "the 90th percentile of the customer's own gaps",
            null="away for no longer than usual, or fewer than three purchase days", decimals=1,
        ),
        Column(
            "ticket_change", pa.float64(),
            "spend per purchase day, the last three against all earlier ones (geometric means), "
            "minus 1", null="fewer than six purchase days", decimals=4,
        ),
        Column(
            "lines_change", pa.float64(), "the same of lines per purchase day",
            null="fewer than six purchase days", decimals=4,
        ),
        Column(
            "satisfaction_change", pa.float64(),
            "mean satisfaction of the last 180 days minus that before, in its own points",
            null="not told in both", decimals=2,
        ),
        Column(
            "interactions_change", pa.float64(),
            "interactions of the last 180 days / those expected at the customer's own rate before, "
            "minus 1", null="no interactions before", decimals=4,
        ),
        Column("revenue", pa.float64(), "net, last 365 days, currency units", decimals=2),
    ),
)  # fmt: skip

QUALITY: Table = contract_of(
    "pre_churn_quality",
    grain="one sign",
    key=("sign",),
    columns=(
        Column("sign", pa.string(), "its code; any_sign is at least one of them"),
        Column("meaning", pa.string(), "what the sign is"),
        Column("cutoff", pa.date32(), "the day on which the signs were looked for"),
        Column("horizon_days", pa.int64(), "how long the customers had to buy again"),
        Column("customers", pa.int64(), "active customers at the cutoff with the sign"),
        Column("churned", pa.int64(), "of them, those who did not buy within the horizon"),
        Column("churn", pa.float64(), "churned / customers", null="no customer", decimals=4),
        Column(
            "customers_without", pa.int64(),
            "active customers at the cutoff without the sign, in whom it could be told: most signs "
            "need some purchase days",
        ),
        Column("churned_without", pa.int64(), "of them, those who did not buy"),
        Column("churn_without", pa.float64(), "the share of them", null="no customer", decimals=4),
        Column(
            "lift", pa.float64(), "churn / churn_without",
            null="no customer with the sign, or nobody without it churned", decimals=3,
        ),
        Column("lift_low", pa.float64(), "its 90 % interval, lower end", null="no lift",
               decimals=3),
        Column("lift_high", pa.float64(), "its 90 % interval, upper end",
               null="no lift, or it is 0", decimals=3),
        Column(
            "verdict", pa.string(),
            "tells (the interval lies above 1), tells the opposite (below 1), tells nothing "
            "(neither), or too few (fewer than 20 customers with the sign)",
        ),
    ),
)  # fmt: skip

TITLE = "Active customers with signs of leaving"
QUALITY_TITLE = "How good the signs of leaving were"

Floats = NDArray[np.float64]


def pre_churn(book: Book) -> tuple[Figure, Figure]:
    """The active customers with a sign, and how good each sign was one churn horizon ago.

    Customers with most proven signs come first, then those with the largest revenue. A sign that
    proved to tell nothing in this portfolio is shown all the same, and said to be one. Without a
    history to check the signs in, the second figure is absent, and no sign is proven.
    """
    quality = _quality(book)
    return _listed(book, signs_today(book), quality), quality


def _quality(book: Book) -> Figure:
    """How good the signs were a churn horizon ago, of customers who are enough to tell."""
    cutoff = book.as_of_day - book.frozen.horizons.churn_days
    if cutoff >= book.inputs.span.first_day:
        some = book.once(sample)
        past = stocks_at(some.inputs, [cutoff], frozen=book.frozen)[cutoff]
        if past.is_active.any():
            signs = signs_of(some.inputs, past, settings=book.settings.satisfaction)
            return _checked(book, signs, some.notes)
    why = f"the history begins less than a churn horizon before {book.as_of}"
    return absent(QUALITY, QUALITY_TITLE, f"{why}: nothing tells how good the signs are")


def _checked(book: Book, signs: Signs, notes: Sequence[str]) -> Figure:
    """Who churned since the cutoff, with and without each sign; the largest lift first."""
    horizon = book.frozen.horizons.churn_days
    # Today's recency tells who bought after the cutoff: all have bought before it.
    place = pc.index_in(signs.stock.rows["customer"], book.now.rows["customer"].combine_chunks())
    churned = book.now.column("recency_days")[place.to_numpy()] >= horizon
    found = {sign: (signs.found[sign], signs.told[sign]) for sign in signs.found}
    found[ANY] = np.any([*signs.found.values()], axis=0), np.any([*signs.told.values()], axis=0)
    rows: list[dict[str, Any]] = [
        {
            "sign": sign.code,
            "meaning": sign.meaning,
            "cutoff": to_date(signs.stock.as_of_day),
            "horizon_days": horizon,
            **_lifted(_churned(churned, shown), _churned(churned, told & ~shown)),
        }
        for sign, (shown, told) in found.items()
    ]
    rows.sort(key=lambda row: (row["sign"] != ANY.code, -np.nan_to_num(row["lift"]), row["sign"]))
    columns = {name: [row[name] for row in rows] for name in QUALITY.names if name != "as_of"}
    notes = [*_quality_notes(book), *notes]
    return present(QUALITY, QUALITY_TITLE, columns, as_of=book.as_of, notes=notes)


def _churned(churned: NDArray[np.bool_], some: NDArray[np.bool_]) -> Proportion:
    return Proportion(int((churned & some).sum()), int(some.sum()))


def _lifted(with_sign: Proportion, without: Proportion) -> dict[str, Any]:
    found = lift(with_sign, without)
    return {
        "customers": with_sign.whole,
        "churned": with_sign.part,
        "churn": with_sign.share,
        "customers_without": without.whole,
        "churned_without": without.part,
        "churn_without": without.share,
        "lift": found.value,
        "lift_low": found.low,
        "lift_high": found.high,
        "verdict": _verdict(with_sign.whole, found.low, found.high),
    }


def _verdict(customers: int, low: float, high: float) -> str:
    if customers < FEWEST:
        return "too few"
    if low > 1:
        return "tells"
    return "tells the opposite" if high < 1 else "tells nothing"


def _quality_notes(book: Book) -> list[str]:
    return [
        "checked at one date: a season may be in it",
        f"the activity window of {book.frozen.activity_days} days is today's",
    ]


def _listed(book: Book, signs: Signs, quality: Figure) -> Figure:
    """The customers with a sign, as a figure."""
    table = quality.rows.to_pylist()
    lifts = {row["sign"]: row["lift"] or 0.0 for row in table}
    proven = {row["sign"] for row in table if row["verdict"] == "tells"}
    order = sorted(signs.found, key=lambda sign: (-lifts.get(sign.code, 0.0), sign.code))
    found = [signs.found[sign] for sign in order]
    proofs = np.sum([signs.found[s] & (s.code in proven) for s in order], axis=0)
    stock, some = signs.stock, np.flatnonzero(np.any(found, axis=0))
    some = some[np.lexsort((some, -stock.money("revenue")[some], -proofs[some]))]
    columns = {
        "customer_id": stock.rows["customer_id"].take(pa.array(some)),
        "signs": joined([_coded(sign, signs) for sign in order], ", ")[some],
        "sign_count": np.sum(found, axis=0)[some],
        "proven_signs": proofs[some],
        "words": joined([_worded(sign, signs) for sign in order], "; ")[some],
        **{name: values[some] for name, values in _strengths(signs).items()},
    }
    return present(PRE_CHURN, TITLE, columns, as_of=book.as_of, notes=_notes(book, some, quality))


def _coded(sign: Sign, signs: Signs) -> Texts:
    """The code of a sign for those who show it, None for the others; shape (customers,)."""
    return only(np.full(signs.stock.count, sign.code, object), signs.found[sign])


def _worded(sign: Sign, signs: Signs) -> Texts:
    """The words of a sign for those who show it, None for the others; shape (customers,)."""
    words = np.full(signs.stock.count, None, object)
    where = np.flatnonzero(signs.found[sign])
    words[where] = in_words(sign, signs, where)
    return words


def _strengths(signs: Signs) -> dict[str, Floats]:
    """How strong each sign is, shape (customers,)."""
    stock, habits, talks = signs.stock, signs.habits, signs.talks
    unknown = np.full(stock.count, np.nan)
    fallen, fewer = unknown, unknown
    if talks is not None:
        fallen = talks.satisfaction_recent - talks.satisfaction_earlier
        fewer = talks.recent / talks.expected - 1
    return {
        "missed_cycles": stock.column("missed_cycles"),
        "recency_days": stock.column("recency_days"),
        "typical_gap_days": stock.column("typical_gap_days"),
        "gap_90_days": signs.gap_90_days,
        "ticket_change": habits.ticket.ratio,
        "lines_change": habits.lines.ratio,
        "satisfaction_change": fallen,
        "interactions_change": fewer,
        "revenue": stock.money("revenue") / MONEY_SCALE,
    }


def _notes(book: Book, some: NDArray[np.int64], quality: Figure) -> list[str]:
    active = counted(int(book.now.is_active.sum()), "active customer")
    notes = [f"{some.size:,} of {active} show a sign"]
    if quality.absent:
        return [*notes, f"no sign is proven: {quality.absent}"]
    by = {row["sign"]: row["verdict"] for row in quality.rows.to_pylist()}
    by.pop(ANY.code)
    for verdict in ("tells", "tells the opposite", "tells nothing", "too few"):
        names = [sign for sign, found in by.items() if found == verdict]
        if names:
            notes.append(f"{_VERDICTS[verdict]}: {', '.join(names)}")
    return notes


_VERDICTS = {
    "tells": "in this portfolio's history these told of churn",
    "tells the opposite": "these told that a customer stays",
    "tells nothing": "these told nothing",
    "too few": "too few customers showed these to tell",
}
