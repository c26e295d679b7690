"""Occasions: what speaks for contacting a customer today, and how much is in it.

Amounts are comparable: currency units that are expected to be lost or gained within the churn
horizon. A yearly gain counts for the horizon's part of the year.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.selling.key_dates import CONTRACT_ENDS
from portfolio_ml.portfolio.stock import YEAR_DAYS

COLUMNS = ("customer_id", "occasion", "reason", "amount", "due")

Found = Mapping[str, Figure]
"""Figures that were computed before, by name."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """One kind of occasion.

    Attributes:
        action: What to do.
        needs: The figures that it is read from.
        read: Its rows: the columns `COLUMNS` but `occasion`; due is a date or missing.
    """

    action: str
    needs: tuple[str, ...]
    read: Callable[[Book, Found], pd.DataFrame]


def at_risk(book: Book, found: Found) -> pd.DataFrame:
    """Active customers who may leave, with the value at risk; none where there are no scores."""
    del found
    if not book.has_scores:
        return _nobody()
    rows = book.now.rows.select(["customer_id", "p_churn", "churn_band", "value_at_risk"])
    is_likely = pc.is_in(rows["churn_band"], value_set=pa.array(["medium", "high"]))
    some = rows.filter(pc.fill_null(is_likely, fill_value=False)).to_pandas()
    chance = (some["p_churn"] * 100).round().astype(int).astype(str)
    horizon = book.frozen.horizons.churn_days
    reason = chance + f" % likely not to buy within {horizon} days"
    return _rows(some["customer_id"], reason, some["value_at_risk"])


def _win_back(book: Book, found: Found) -> pd.DataFrame:
    del book
    rows = _table(found, "winback")
    reason = "last bought on " + rows["last_purchase"].astype(str).astype(object)
    return _rows(rows["customer_id"], reason + ": " + rows["words"], rows["winback_value"])


def _potential(book: Book, found: Found) -> pd.DataFrame:
    rows = _table(found, "potential")
    share = book.frozen.horizons.churn_days / YEAR_DAYS
    peers = rows["peer_p75"].map("{:,.0f}".format).astype(object)
    reason = "spends less than most of its peers, whose 75th percentile is " + peers
    return _rows(rows["customer_id"], reason, rows["expected_gain"].fillna(0) * share)


def _reorder(book: Book, found: Found) -> pd.DataFrame:
    """Reorders that are due, with what is lost if the customer never orders again.

    Most would come unasked, so that what is at stake is the usual amount x the chance of churn.
    """
    rows = _table(found, "reorders")
    lost = pd.Series(np.zeros(len(rows)), index=rows.index)
    if book.has_scores:
        scored = book.now.rows.select(["customer_id", "p_churn"]).to_pandas()
        p_churn = rows["customer_id"].map(scored.set_index("customer_id")["p_churn"])
        lost = p_churn.astype(float).fillna(0) * rows["usual_amount"]
    return _rows(rows["customer_id"], rows["reason"], lost, due=rows["due_date"])


def _key_date(book: Book, found: Found) -> pd.DataFrame:
    """Key dates: with a contract that ends, its revenue of a horizon is at stake; else nothing."""
    rows = _table(found, "key_dates")
    share = book.frozen.horizons.churn_days / YEAR_DAYS
    at_stake = rows["revenue"].where(rows["kind"] == CONTRACT_ENDS, 0.0) * share
    return _rows(rows["customer_id"], rows["reason"], at_stake, due=rows["date"])


def _table(found: Found, name: str) -> pd.DataFrame:
    return pd.DataFrame(found[name].rows.to_pandas())


def _rows(
    customer_id: pd.Series, reason: pd.Series, amount: pd.Series, due: pd.Series | None = None
) -> pd.DataFrame:
    columns = {"customer_id": customer_id, "reason": reason, "amount": amount.astype(float)}
    dates = pd.Series(pd.NaT, index=customer_id.index) if due is None else pd.to_datetime(due)
    return pd.DataFrame({**columns, "due": dates.astype("datetime64[s]")})


def _nobody() -> pd.DataFrame:
    none = pd.Series([], dtype=object)
    return _rows(none, none, none)


OCCASIONS: Mapping[str, Occasion] = MappingProxyType(
    {
        "at_risk": Occasion("keep", (), at_risk),
        "win_back": Occasion("win back", ("winback",), _win_back),
        "reorder": Occasion("remind of the reorder", ("reorders",), _reorder),
        "potential": Occasion("offer more", ("potential",), _potential),
        "key_date": Occasion("greet", ("key_dates",), _key_date),
    }
)
"""The kinds, in the order that decides between equal amounts."""

NEEDS = tuple(name for occasion in OCCASIONS.values() for name in occasion.needs)
"""The figures that occasions are read from."""


def occasions(book: Book, found: Found) -> pd.DataFrame:
    """Every occasion of every customer: customer_id, occasion, reason, amount, due.

    The largest amount comes first. Of equal amounts, as where no scores tell what is at stake, the
    kinds come in their order, and those of a kind as their own figure has them.

    Args:
        book: What the figures are computed from.
        found: The figures that `NEEDS` names.
    """
    parts = [
        kind.read(book, found).assign(occasion=name)
        for name, kind in OCCASIONS.items()
        if all(name in found and not found[name].absent for name in kind.needs)
    ]
    order = {name: place for place, name in enumerate(OCCASIONS)}
    rows = pd.concat(parts, ignore_index=True)[list(COLUMNS)]
    rows["amount"] = rows["amount"].fillna(0.0).clip(lower=0.0)
    place = rows["occasion"].map(order)
    ranked = rows.assign(place=place, row=np.arange(len(rows))).sort_values(
        ["amount", "place", "row"], ascending=[False, True, True]
    )
    return ranked.drop(columns=["place", "row"]).reset_index(drop=True)
