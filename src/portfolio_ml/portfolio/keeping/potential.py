"""Potential: what active customers would spend more if they spent as much as good peers do.

A gap is no forecast. So the second figure tells, from the portfolio's own past, how many customers
who stood as far below that level as they do now had reached it some time later.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.keeping.proportions import Proportion
from portfolio_ml.portfolio.stock import YEAR_DAYS, Stock
from portfolio_ml.portfolio.sums import grouped
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.wording import counted

FEWEST_PEERS = 20
"""Fewer customers are no peer group: it is widened."""
LEVELS = (0.75, 0.9)
TENURE_BANDS = (
    (90, "up to 90 days"),
    (180, "91 to 180 days"),
    (365, "181 to 365 days"),
    (730, "1 to 2 years"),
)
"""The longest tenure of each band, and its name. The first year has three: spend of the last 365
days grows with every day that there was to spend on, so a newcomer's peers are newcomers."""
OLDEST_BAND = "over 2 years"
PLACES = (0.25, 0.5)
"""Where those below the 75th percentile are parted: the further below, the fewer reach it."""
PLACE_NAMES = ("lowest quarter", "second quarter", "third quarter")
PREFERRED = ("segment", "region", "relationship_type")

POTENTIAL: Table = contract_of(
    "potential",
    grain="one active customer below the 75th percentile of its peers",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "who"),
        Column("peer_group", pa.string(), "the active customers to compare with"),
        Column("peers", pa.int64(), "how many they are, this customer included"),
        Column(
            "widened", pa.string(),
            "whether there were fewer than 20 in the same section and tenure band, and what they "
            "were widened to: no, tenure (the tenure band alone) or all (all active customers)",
        ),
        Column("revenue", pa.float64(), "net, last 365 days, currency units", decimals=2),
        Column("place", pa.float64(), "share of the peers with less revenue", decimals=4),
        Column("peer_p75", pa.float64(), "75th percentile of the peers' revenue", decimals=2),
        Column("peer_p90", pa.float64(), "90th percentile of the peers' revenue", decimals=2),
        Column("potential_gap", pa.float64(), "peer_p75 minus revenue, currency units",
               decimals=2),
        Column("potential_gap_p90", pa.float64(), "peer_p90 minus revenue, currency units",
               decimals=2),
        Column(
            "reached_share", pa.float64(),
            "the share of customers at such a place who had reached the 75th percentile later, as "
            "in the figure potential_reach",
            null="tenure up to one year, or the history tells of fewer than 20 such customers",
            decimals=4,
        ),
        Column(
            "expected_gain", pa.float64(),
            "reached_share x potential_gap, currency units: what may come, whoever brings it about",
            null="reached_share is", decimals=2,
        ),
    ),
)  # fmt: skip

REACH: Table = contract_of(
    "potential_reach",
    grain="one place among peers",
    key=("place",),
    columns=(
        Column("place", pa.string(), "where customers stood among their peers then, by revenue"),
        Column("then", pa.date32(), "when they stood there"),
        Column("days", pa.int64(), "how long ago that is"),
        Column("customers", pa.int64(),
               "customers with over a year of tenure who were active then and stood there"),
        Column("reached", pa.int64(),
               "of them, those whose revenue of the last 365 days is now at the 75th percentile of "
               "their peers of then, or above"),
        Column("reached_share", pa.float64(), "reached / customers", null="no customer",
               decimals=4),
        Column("reached_low", pa.float64(), "its 90 % interval, lower end", decimals=4),
        Column("reached_high", pa.float64(), "its 90 % interval, upper end", decimals=4),
        Column("active_now", pa.int64(), "of the customers, those who are still active"),
        Column(
            "revenue_change", pa.float64(),
            "median over the customers of revenue now / revenue then, minus 1",
            null="no customer with revenue then", decimals=4,
        ),
    ),
)  # fmt: skip

TITLE = "Active customers who spend less than good peers"
REACH_TITLE = "How many reached what good peers spend"

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Peers:
    """The active customers of a stock among their peers; every array has shape (active,).

    Attributes:
        where: Their places in the stock.
        group: The peer group's name.
        count: How many peers there are.
        widened: `no`, `tenure` or `all`.
        revenue: Of the last 365 days, currency units.
        place: The share of the peers with less revenue.
        levels: The 75th and the 90th percentile of the peers' revenue, shape (2, active).
    """

    where: Places
    group: NDArray[np.object_]
    count: Places
    widened: NDArray[np.object_]
    revenue: Floats
    place: Floats
    levels: Floats


def potential(book: Book) -> tuple[Figure, Figure]:
    """The customers with a gap, and how many such customers closed theirs in the past.

    Customers with the largest expected gain come first; where none is known, those with the largest
    gap x share of the peers they are ahead of: the largest gaps are those of the smallest
    customers, and those of the best are pennies. Peers are the active customers of the same section
    (the first attribute by which the portfolio is parted, else segment, region or relationship
    type) and tenure band.
    """
    section = peer_section(book)
    peers = peers_of(book.now, section)
    reach, shares = _reach(book, section)
    gap = peers.levels - peers.revenue
    quarter = np.searchsorted(PLACES, peers.place, side="right")
    has_year = book.now.column("tenure_days")[peers.where] > YEAR_DAYS
    share = np.where(has_year, shares[quarter], np.nan)
    names = book.now.texts("customer_id")[peers.where]
    gain = share * gap[0]
    below = np.flatnonzero(gap[0] > 0)
    within_reach = gap[0] * peers.place
    order = np.lexsort((below, -within_reach[below], -np.nan_to_num(gain[below])))
    columns = {
        "customer_id": names,
        "peer_group": peers.group,
        "peers": peers.count,
        "widened": peers.widened,
        "revenue": peers.revenue,
        "place": peers.place,
        "peer_p75": peers.levels[0],
        "peer_p90": peers.levels[1],
        "potential_gap": gap[0],
        "potential_gap_p90": gap[1],
        "reached_share": share,
        "expected_gain": gain,
    }
    rows = {name: values[below][order] for name, values in columns.items()}
    notes = _notes(book, rows["potential_gap"], rows["expected_gain"], peers)
    return present(POTENTIAL, TITLE, rows, as_of=book.as_of, notes=notes), reach


def peer_section(book: Book) -> str | None:
    """The attribute by which customers have peers: as configured, or as usual; None without one."""
    chosen = [names[0] for names in book.sections if len(names) == 1]
    if book.settings.sections is None:
        chosen = [*PREFERRED]
    return next((name for name in chosen if name in book.now.attributes), None)


def peers_of(stock: Stock, section: str | None) -> Peers:
    """The active customers among their peers: same section and tenure band, widened where few."""
    where = np.flatnonzero(stock.is_active)
    revenue = stock.money("revenue")[where] / MONEY_SCALE
    tenure = "tenure " + _bands(stock.column("tenure_days")[where])
    groups = {"tenure": tenure, "all": np.full(where.size, "all active customers", object)}
    if section is None:
        groups = {"no": tenure, "all": groups["all"]}
    else:
        own = np.array([f"{section} "], object) + stock.section(section)[where]
        groups = {"no": own + ", " + tenure, **groups}
    compared = {width: _compared(revenue, group) for width, group in groups.items()}
    widest = "all"
    found = [groups[widest].copy(), np.full(where.size, widest, object), compared[widest].copy()]
    for width in [*groups][-2::-1]:
        is_enough = compared[width][0] >= FEWEST_PEERS
        found[0][is_enough] = groups[width][is_enough]
        found[1][is_enough] = width
        found[2][:, is_enough] = compared[width][:, is_enough]
    group, widened, (count, place, *levels) = found
    return Peers(where, group, count.astype(np.int64), widened, revenue, place, np.stack(levels))


def _bands(tenure: Floats) -> NDArray[np.object_]:
    """The name of each customer's tenure band."""
    names = np.array([*(name for _, name in TENURE_BANDS), OLDEST_BAND], object)
    return names[np.searchsorted([longest for longest, _ in TENURE_BANDS], tenure, side="left")]


def _compared(revenue: Floats, group: NDArray[np.object_]) -> Floats:
    """Each customer's peers by group, shape (4, customers).

    How many they are, the share of them with less revenue, and the 75th and 90th percentile of
    theirs (linear between two customers).
    """
    _, number = grouped(group)
    size = np.bincount(number)
    start = np.cumsum(size) - size
    order = np.lexsort((revenue, number))
    ordered = revenue[order]
    is_new = np.ones(order.size, np.bool_)
    is_new[1:] = (np.diff(ordered) != 0) | (np.diff(number[order]) != 0)
    first = np.maximum.accumulate(np.where(is_new, np.arange(order.size), 0))
    less = np.empty(order.size)
    less[order] = first - start[number[order]]
    levels = []
    for level in LEVELS:
        at = start + (size - 1) * level
        low, high = ordered[np.floor(at).astype(np.int64)], ordered[np.ceil(at).astype(np.int64)]
        levels.append((low + (high - low) * (at % 1))[number])
    return np.stack([size[number], less / size[number], *levels])


def _reach(book: Book, section: str | None) -> tuple[Figure, Floats]:
    """The figure of who reached the level since then, and the share of each place; NaN if few."""
    shares = np.full(len(PLACE_NAMES), np.nan)
    then, now = book.then, book.now
    if then is None or not then.is_active.any():
        why = f"the history begins less than {book.settings.compare_days} days before {book.as_of}"
        return absent(REACH, REACH_TITLE, why), shares
    peers = peers_of(then, section)
    place = pc.index_in(then.rows["customer"], now.rows["customer"].combine_chunks()).to_numpy()
    later = place[peers.where]
    revenue = now.money("revenue")[later] / MONEY_SCALE
    has_year = then.column("tenure_days")[peers.where] > YEAR_DAYS
    below = has_year & (peers.revenue < peers.levels[0])
    if not below.any():
        why = f"no active customer of over a year was below the 75th percentile on {then.as_of}"
        return absent(REACH, REACH_TITLE, why), shares
    quarter = np.searchsorted(PLACES, peers.place, side="right")
    rows = []
    for number, name in enumerate(PLACE_NAMES):
        some = below & (quarter == number)
        reached = Proportion(int((revenue >= peers.levels[0])[some].sum()), int(some.sum()))
        if reached.whole >= FEWEST_PEERS:
            shares[number] = reached.share
        before = peers.revenue[some & (peers.revenue > 0)]
        after = revenue[some & (peers.revenue > 0)]
        rows.append(
            {
                "place": name,
                "then": then.as_of,
                "days": now.as_of_day - then.as_of_day,
                "customers": reached.whole,
                "reached": reached.part,
                "reached_share": reached.share,
                "reached_low": reached.interval[0],
                "reached_high": reached.interval[1],
                "active_now": int(now.is_active[later][some].sum()),
                "revenue_change": np.median(after / before) - 1 if before.size else np.nan,
            }
        )
    columns = {name: [row[name] for row in rows] for name in REACH.names if name != "as_of"}
    return present(REACH, REACH_TITLE, columns, as_of=book.as_of), shares


def _notes(book: Book, gap: Floats, gain: Floats, peers: Peers) -> list[str]:
    whole = book.now.money("revenue").sum() / MONEY_SCALE
    unit = f" {book.currency}" if book.currency else ""
    beside = f", {gap.sum() / whole:.0%} of the portfolio's revenue" if whole > 0 else ""
    whole_gap = f"the gaps add up to {gap.sum():,.0f}{unit}{beside}"
    notes = [
        f"{whole_gap}: three quarters of all are below a 75th percentile, and most will stay there"
    ]
    if np.isfinite(gain).any():
        notes.append(
            f"at the rate at which such customers reached it before, {np.nansum(gain):,.0f}{unit} "
            "of it come; some of that would come without anybody's doing"
        )
    wider = int((peers.widened != "no").sum())
    if wider:
        customers = counted(wider, "active customer")
        notes.append(f"{customers} had fewer than {FEWEST_PEERS} peers, who were widened")
    return notes
