"""The daily list: whom to contact today, why, what to do, and how much is in it.

Each customer is on it once, with the occasion that has most in it. A representative gets as many
lines as contacts can be made; who was contacted lately is left out. With a holdout, some of those
who would be on the list are to be left alone, so that it can be told later what contacts bring:
who these are is drawn by customer and quarter, so that nobody changes sides from day to day.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.features.table import at
from portfolio_ml.models.reasons.codes import sentences
from portfolio_ml.portfolio.book import NO_SCORES, Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.today.occasions import NEEDS, OCCASIONS, Found, occasions
from portfolio_ml.schema import Column, Table
from portfolio_ml.timeline import in_window

AT_RISK = "at_risk"
REPRESENTATIVE = "representative_id"
NOBODY = ""
"""Stands for no representative where lines are counted."""
HIGH_SHARE, MEDIUM_SHARE = 0.5, 0.8
COLOURS: Mapping[str, str] = MappingProxyType(
    {"high": "#b3261e", "medium": "#b26a00", "low": "#2e6b3a"}
)
"""A colour for each band; legible on white (WCAG AA)."""
_HELD_OUT_DIGITS = 12  # hexadecimal, of the draw

DAILY_LIST: Table = contract_of(
    "daily_list",
    grain="one customer to contact today, or to leave alone for comparison",
    key=("customer_id",),
    columns=(
        Column("rank", pa.int64(), "1 for the line with most in it"),
        Column("customer_id", pa.string(), "who"),
        Column("representative_id", pa.string(), "who makes the contact", null="nobody does"),
        Column(
            "occasion", pa.string(), f"why, as a code: {', '.join(OCCASIONS)}",
        ),
        Column("reason", pa.string(), "why, in words"),
        Column("action", pa.string(), "what to do"),
        Column(
            "amount", pa.float64(),
            "what is expected to be lost or gained within the churn horizon, currency units",
            decimals=2,
        ),
        Column(
            "band", pa.string(),
            "high for the lines that make up the first half of the amounts, medium up to four "
            "fifths, else low",
        ),
        Column("colour", pa.string(), "of the band, as #rrggbb"),
        Column("due", pa.date32(), "the day of the occasion", null="it has none"),
        Column("also", pa.string(), "further occasions, as codes", null="there is none"),
        Column(
            "held_out", pa.bool_(),
            "true: leave alone, and record it as a contact with held_out, for comparison",
        ),
    ),
)  # fmt: skip
TITLE = "Whom to contact today"


def daily_list(book: Book, found: Found) -> Figure:
    """The lines of today, the one with most in it first.

    Args:
        book: What the figures are computed from.
        found: The figures that `occasions.NEEDS` names.
    """
    everything = occasions(book, found)
    if everything.empty and not book.has_scores:
        return absent(DAILY_LIST, TITLE, f"there is no occasion, and {NO_SCORES}")
    rested = everything[~everything["customer_id"].isin(_contacted(book))]
    first = rested.drop_duplicates("customer_id")
    first = first.assign(representative_id=_representatives(book, first["customer_id"]))
    lines = _within_budget(first, book)
    lines = lines.assign(
        rank=np.arange(1, len(lines) + 1),
        action=[OCCASIONS[name].action for name in lines["occasion"]],
        band=bands(lines["amount"].to_numpy()),
        also=_also(lines, rested),
        due=lines["due"].astype(object).where(lines["due"].notna(), None),
        reason=_with_churn_reasons(lines, book),
    )
    lines = lines.assign(
        colour=[COLOURS[band] for band in lines["band"]],
        representative_id=lines[REPRESENTATIVE].where(lines[REPRESENTATIVE] != NOBODY, None),
    )
    columns = {name: [*lines[name]] for name in DAILY_LIST.names if name != "as_of"}
    columns["due"] = [None if pd.isna(day) else day.date() for day in columns["due"]]
    return present(DAILY_LIST, TITLE, columns, as_of=book.as_of, notes=_notes(book, found))


def bands(amounts: NDArray[np.float64]) -> list[str]:
    """The band of each line of a list that descends by amount.

    Example:
        >>> bands(np.array([60.0, 25.0, 15.0]))
        ['high', 'medium', 'low']
    """
    total = amounts.sum()
    if total <= 0:
        return ["low"] * amounts.size
    before = (np.cumsum(amounts) - amounts) / total
    found = np.select([before < HIGH_SHARE, before < MEDIUM_SHARE], ["high", "medium"], "low")
    return [str(band) for band in found]


def held_out(customer_ids: Sequence[str], as_of: date, share: float) -> NDArray[np.bool_]:
    """Who is left alone in the quarter of a date, shape (customers,).

    A draw by customer and quarter: the same on every day of it, and independent of everything
    else that is known of the customer.

    Example:
        >>> held_out(["ann", "bob"], date(2024, 6, 30), 0.0).tolist()
        [False, False]
    """
    quarter = f"{as_of.year}Q{(as_of.month + 2) // 3}"
    ceiling = float(16**_HELD_OUT_DIGITS)

    def drawn(customer_id: str) -> float:
        text = hashlib.sha256(f"{quarter}|{customer_id}".encode()).hexdigest()
        return float(int(text[:_HELD_OUT_DIGITS], 16) / ceiling)

    return np.array([drawn(each) < share for each in customer_ids], bool)


def _within_budget(first: pd.DataFrame, book: Book) -> pd.DataFrame:
    """So many lines for each representative as contacts can be made, and who is held out."""
    settings = book.settings.daily_list
    # Enough to find the contacts among them, however many of them are held out.
    enough = first.groupby(REPRESENTATIVE).head(settings.contacts * 4 + 50)
    is_out = held_out(enough["customer_id"].tolist(), book.as_of, settings.holdout)
    drawn = enough.assign(held_out=is_out)
    contacts = (~drawn["held_out"]).astype(int).groupby(drawn[REPRESENTATIVE]).cumsum()
    made = contacts - (~drawn["held_out"]).astype(int)
    return drawn[made < settings.contacts].reset_index(drop=True)


def _with_churn_reasons(lines: pd.DataFrame, book: Book) -> list[str]:
    """Why each line is on the list; who is at risk, with the churn reasons in words."""
    told = [*lines["reason"]]
    if not book.has_scores:  # then nobody is known to be at risk
        return told
    who = pa.array(lines.loc[lines["occasion"] == AT_RISK, "customer_id"], pa.string())
    scores = book.now.rows.select(["customer_id", "churn_reasons"])
    codes = scores.filter(pc.is_in(scores["customer_id"], who)).to_pylist()
    known = {row["customer_id"]: row["churn_reasons"] for row in codes if row["churn_reasons"]}
    if not known:
        return told
    features = _features(book, [*known])
    place = {name: at for at, name in enumerate(features["customer_id"].to_pylist())}
    named = zip(lines["customer_id"], lines["occasion"], strict=True)
    for line, (customer, occasion) in enumerate(named):
        if occasion == AT_RISK and customer in known:
            row = features.slice(place[customer], 1)
            if found := sentences(known[customer], row):
                told[line] += f": {'; '.join(found)}"
    return told


def _features(book: Book, customers: Sequence[str]) -> pa.Table:
    """The features of some customers, under what the book's champion froze."""
    day, frozen = book.as_of_day, book.frozen
    inputs = book.inputs.only(customers)
    return at(inputs, [day], horizons=frozen.horizons, references={day: frozen.reference}).rows


def _contacted(book: Book) -> pd.Series:
    """Who was contacted within the cool-down."""
    if book.inputs.contacts is None:
        return pd.Series([], dtype=object)
    age = nw.lit(book.as_of_day) - nw.col("day")
    recent = book.inputs.contacts.filter(in_window(age, book.settings.daily_list.cool_down_days))
    named = recent.join(book.inputs.customers, on="customer", how="inner")
    found = book.inputs.engine.collect(named.select("customer_id"))
    return pd.Series(found["customer_id"].to_pandas())


def _representatives(book: Book, customer_ids: pd.Series) -> NDArray[np.object_]:
    if not book.now.has(REPRESENTATIVE):
        return np.full(len(customer_ids), NOBODY, object)
    rows = book.now.rows.select(["customer_id", REPRESENTATIVE]).to_pandas()
    known = rows.set_index("customer_id")[REPRESENTATIVE]
    return np.asarray(known.reindex(customer_ids).fillna(NOBODY), object)


def _also(lines: pd.DataFrame, rested: pd.DataFrame) -> pd.Series:
    """The other occasions of the listed customers."""
    mine = rested[rested["customer_id"].isin(lines["customer_id"])]
    kinds = mine.drop_duplicates(["customer_id", "occasion"])
    others = kinds[kinds.duplicated("customer_id")]
    joined = others.groupby("customer_id")["occasion"].agg(", ".join)
    return pd.Series(lines["customer_id"].map(joined))


def _notes(book: Book, found: Found) -> list[str]:
    notes = [
        f"no {name.replace('_', ' ')} on the list: {found[need].absent}"
        for name, kind in OCCASIONS.items()
        for need in kind.needs
        if need in found and found[need].absent
    ]
    if not book.has_scores:
        notes.append(f"nobody at risk on the list: {NO_SCORES}")
    if book.inputs.contacts is None:
        notes.append("nobody rests after a contact: there is no table of contacts")
    return notes


__all__ = ["DAILY_LIST", "NEEDS", "bands", "daily_list", "held_out"]
