"""The time from the first offer to the decision, by representative and section.

Offers that are still open have waited at least so long: leaving them out would make decisions look
quicker than they are. Quartiles are those of Kaplan and Meier (1958), which count them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import stats

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.stock import UNKNOWN
from portfolio_ml.schema import Column, Table

NO_OPPORTUNITIES = "there are no opportunities: name their table under data.opportunities"
NO_OFFERS = "no opportunity tells when it was offered: map data.opportunities.columns.offered_at"
EVERYBODY = "everybody"
_REPRESENTATIVE = "representative_id"
_QUARTILES = {"first_quartile_days": 0.25, "median_days": 0.5, "third_quartile_days": 0.75}

DECISION_TIMES: Table = contract_of(
    "decision_times",
    grain="one value of one dimension: everybody, a representative, a section, or both crossed",
    key=("dimension", "value"),
    columns=(
        Column("dimension", pa.string(), "such as representative_id, or that x region"),
        Column("value", pa.string(), "the value of it, such as 17 / North"),
        Column("decided", pa.int64(), "opportunities with an offer that were won or lost"),
        Column("won", pa.int64(), "of them, those won"),
        Column("still_open", pa.int64(), "opportunities with an offer and no decision yet"),
        Column(
            "first_quartile_days", pa.float64(), "days from the first offer until a quarter was "
            "decided", null="less than that is decided", decimals=1,
        ),
        Column(
            "median_days", pa.float64(), "until half was decided", null="likewise", decimals=1
        ),
        Column(
            "third_quartile_days", pa.float64(), "until three quarters were decided",
            null="likewise", decimals=1,
        ),
        Column("is_thin", pa.bool_(), "whether it rests on fewer decisions than "
               "portfolio.representatives.fewest_deals"),
    ),
)  # fmt: skip

TITLE = "From the first offer to the decision"


def decision_times(book: Book) -> Figure:
    """How long decisions take, everybody first, then each dimension with the most decided first.

    Sections are the values of `portfolio.representatives.section`: as the opportunity tells it, or
    else as it is known of its customer.
    """
    if book.opportunities is None:
        return absent(DECISION_TIMES, TITLE, NO_OPPORTUNITIES)
    deals = book.inputs.engine.collect(
        book.opportunities.known_on(book.as_of).sort("opportunity_id")
    )
    is_offered = pc.is_valid(deals["offered_day"])
    offered = deals.filter(is_offered)
    if not offered.num_rows:
        return absent(DECISION_TIMES, TITLE, NO_OFFERS)
    days = pc.fill_null(offered["closed_day"], book.as_of_day).to_numpy()
    waited = days.astype(np.int64) - offered["offered_day"].to_numpy()
    # A decision of which no date is told came after an unknown time.
    is_usable = np.asarray(
        pc.or_(pc.is_null(offered["is_won"]), pc.is_valid(offered["closed_day"])).to_numpy()
    )
    rows = _rows(book, offered.filter(pa.array(is_usable)), waited[is_usable])
    columns = {name: [row[name] for row in rows] for name in DECISION_TIMES.names[1:]}
    left_out = deals.num_rows - int(is_usable.sum())
    notes = [f"{left_out} of {deals.num_rows} opportunities tell no offer, or no day of decision"]
    return present(DECISION_TIMES, TITLE, columns, as_of=book.as_of, notes=notes)


def quartiles(waited: NDArray[np.int64], is_decided: NDArray[np.bool_]) -> Mapping[str, float]:
    """The days until a quarter, half and three quarters are decided; NaN where less is.

    Args:
        waited: Days from the offer to the decision, or to the as-of date where it is open.
        is_decided: Which of them were decided.

    Example:
        >>> found = quartiles(np.array([10, 20, 30, 40]), np.array([True, True, True, False]))
        >>> [float(days) for days in found.values()]
        [10.0, 20.0, 30.0]
    """
    if not is_decided.any():
        return dict.fromkeys(_QUARTILES, np.nan)
    times = waited.astype(np.float64)
    sample = stats.CensoredData(uncensored=times[is_decided], right=times[~is_decided])
    left = stats.ecdf(sample).sf
    found = {}
    for name, share in _QUARTILES.items():
        reached = np.flatnonzero(left.probabilities <= 1 - share + 1e-12)
        found[name] = float(left.quantiles[reached[0]]) if reached.size else np.nan
    return found


def _rows(book: Book, deals: pa.Table, waited: NDArray[np.int64]) -> list[dict[str, Any]]:
    section = book.settings.representatives.section
    representative = _texts(deals[_REPRESENTATIVE])
    dimensions: dict[str, Sequence[str]] = {
        EVERYBODY: [EVERYBODY] * deals.num_rows,
        _REPRESENTATIVE: representative,
    }
    sections = _sections(book, deals, section)
    if sections is not None:
        dimensions[section] = sections
        crossed = [" / ".join(pair) for pair in zip(representative, sections, strict=True)]
        dimensions[f"{_REPRESENTATIVE} x {section}"] = crossed
    is_won = np.asarray(pc.fill_null(deals["is_won"], False).to_numpy(), bool)
    is_decided = np.asarray(pc.is_valid(deals["is_won"]).to_numpy(), bool)
    found: list[dict[str, Any]] = []
    for dimension, values in dimensions.items():
        names, place = np.unique(np.asarray(values, str), return_inverse=True)
        rows = []
        for number, name in enumerate(names.tolist()):
            of = place == number
            decided = int((of & is_decided).sum())
            rows.append(
                {
                    "dimension": dimension,
                    "value": name,
                    "decided": decided,
                    "won": int((of & is_won).sum()),
                    "still_open": int((of & ~is_decided).sum()),
                    **quartiles(waited[of], is_decided[of]),
                    "is_thin": decided < book.settings.representatives.fewest_deals,
                }
            )
        found += sorted(rows, key=lambda row: (-row["decided"], row["value"]))
    return found


def _sections(book: Book, deals: pa.Table, section: str) -> Sequence[str] | None:
    """The section of each deal; None where neither deals nor customers tell it."""
    told = pa.nulls(deals.num_rows, pa.string())
    if section in deals.column_names:
        told = deals[section].combine_chunks().cast(pa.string())
    if book.now.has(section):
        ids = book.now.rows["customer_id"].combine_chunks()
        place = pc.index_in(deals["customer_id"].combine_chunks(), ids)
        of_customer = book.now.rows[section].combine_chunks().cast(pa.string()).take(place)
        told = pc.coalesce(told, of_customer)
    return _texts(told) if pc.count(told).as_py() else None


def _texts(values: pa.Array | pa.ChunkedArray) -> list[str]:
    found: list[str] = pc.fill_null(values, UNKNOWN).to_pylist()
    return found
