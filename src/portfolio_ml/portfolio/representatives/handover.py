"""The handover: customers who changed hands within a year, and what was taken over with them."""

from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Frame
from portfolio_ml.features.cut import seen_at
from portfolio_ml.portfolio.book import NO_SCORES, Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.representatives.track_records import NOBODY, REPRESENTATIVE
from portfolio_ml.portfolio.stock import YEAR_DAYS
from portfolio_ml.schema import MONEY_SCALE, Column, Table
from portfolio_ml.timeline import in_history, in_window, to_date

_FROM = Column("from_representative_id", pa.string(), "who had it; nobody for no one")
_TO = Column("to_representative_id", pa.string(), "who has it since; nobody for no one")
_DEALS = (
    Column("open_deals", pa.int64(), "deals that are neither won nor lost",
           null="no opportunities are configured"),
    Column("open_amount", pa.float64(), "what they are about, currency units",
           null="no opportunities are configured", decimals=2),
)  # fmt: skip
_MONEY = (
    Column("revenue_before", pa.float64(), "net, currency units, in as many days before the day of "
           "the handover as have passed since", decimals=2),
    Column("revenue_after", pa.float64(), "net, currency units, from the day of the handover on, "
           "until the next one or the as-of date", decimals=2),
)  # fmt: skip
_YEAR = Column(
    "revenue_taken_over", pa.float64(), "net, currency units, in the 365 days before the handover",
    decimals=2,
)  # fmt: skip
HANDOVERS: Table = contract_of(
    "handovers",
    grain="one customer and the day on which it changed hands",
    key=("customer_id", "handed_over_on"),
    columns=(
        Column("customer_id", pa.string(), "who changed hands"),
        Column("handed_over_on", pa.date32(), "the first day with the new representative"),
        _FROM,
        _TO,
        _YEAR,
        Column("days", pa.int64(), "length of each of the two windows that are compared: from the "
               "handover to the next one or the as-of date"),
        *_MONEY,
        Column("orders_before", pa.int64(), "orders in the days of revenue_before"),
        Column("orders_after", pa.int64(), "orders in the days of revenue_after"),
        Column("is_active", pa.bool_(), "within the activity window at the as-of date"),
        Column("recency_days", pa.float64(), "since the last purchase, at the as-of date",
               decimals=0),
        Column("p_churn", pa.float64(), "probability of no purchase within the churn horizon",
               null="no scores, or inactive", decimals=4),
        Column("value_at_risk", pa.float64(), "p_churn x value if the customer buys",
               null="no scores, or inactive", decimals=2),
        *_DEALS,
    ),
)  # fmt: skip
TITLE = "Customers who changed hands"
BY_PAIR: Table = contract_of(
    "handovers_by_pair",
    grain="one representative who gave and one who took",
    key=("from_representative_id", "to_representative_id"),
    columns=(
        _FROM,
        _TO,
        Column("handovers", pa.int64(), "how many customers passed from one to the other"),
        Column("active", pa.int64(), "of them, those within the activity window now"),
        _YEAR,
        *_MONEY,
        Column("change", pa.float64(), "revenue_after / revenue_before - 1",
               null="no revenue before", decimals=4),
        Column("value_at_risk", pa.float64(), "sum over the active", null="no scores", decimals=2),
        *_DEALS,
    ),
)  # fmt: skip
TITLE_BY_PAIR = "Handovers by representatives"
NO_CAUSE = (
    "revenue after a handover follows the season and the customer, not only who took over; where "
    "the day is that of an order, that order counts as after"
)
_SUMS = ("revenue_taken_over", "revenue_before", "revenue_after", "open_deals", "open_amount")


def handovers(book: Book, deals: pa.Table | None = None) -> Figure:
    """The customers who changed hands within 365 days, those who brought the most first.

    Args:
        book: The portfolio.
        deals: The opportunities as known on its date: customer_id, is_won (null while open) and
            amount; None where none are configured.
    """
    known = book.customers
    if known is None or REPRESENTATIVE not in known.columns:
        return absent(
            HANDOVERS, TITLE, "customers tell no representative_id: map it in data.customers"
        )
    if not known.is_dated:
        why = "nothing tells when customers changed hands: map valid_from in data.customers"
        return absent(HANDOVERS, TITLE, why)
    changes = _changes(book, known)
    columns = _columns(book, changes, deals)
    order = np.lexsort(
        (changes["day"].to_numpy(), changes["customer"].to_numpy(), -columns["revenue_taken_over"])
    )
    rows = {
        name: pa.array(values, from_pandas=True).take(order) for name, values in columns.items()
    }
    notes = [NO_CAUSE]
    if not changes.num_rows:
        notes = [f"no customer changed hands in the last {YEAR_DAYS} days"]
    if not book.has_scores:
        notes.append(f"churn and value at risk are missing: {NO_SCORES}")
    return present(HANDOVERS, TITLE, rows, as_of=book.as_of, notes=notes)


def handovers_by_pair(book: Book, found: Figure) -> Figure:
    """Who gave how many customers to whom, the largest revenue taken over first.

    Args:
        book: The portfolio.
        found: Its handovers.
    """
    if found.absent:
        return absent(BY_PAIR, TITLE_BY_PAIR, found.absent)
    rows = found.rows
    active = rows["is_active"].cast(pa.int64())
    summed = (
        rows.set_column(rows.column_names.index("is_active"), "active", active)
        .group_by(["from_representative_id", "to_representative_id"])
        .aggregate([(name, "sum") for name in (*_SUMS, "active")] + [("customer_id", "count")])
    )
    at_risk = _at_risk_of(rows, summed, has_scores=book.has_scores)
    before, after = (
        summed[f"{name}_sum"].to_numpy() for name in ("revenue_before", "revenue_after")
    )
    change = np.divide(after, before, out=np.full(before.size, np.nan), where=before > 0) - 1
    columns: dict[str, pa.ChunkedArray | pa.Array] = {
        "from_representative_id": summed["from_representative_id"],
        "to_representative_id": summed["to_representative_id"],
        "handovers": summed["customer_id_count"],
        "active": summed["active_sum"],
        **{name: summed[f"{name}_sum"] for name in _SUMS},
        "change": pa.array(change, from_pandas=True),
        "value_at_risk": at_risk,
    }
    order = pc.sort_indices(
        pa.table(columns),
        sort_keys=[
            ("revenue_taken_over", "descending"),
            ("from_representative_id", "ascending"),
            ("to_representative_id", "ascending"),
        ],
    )
    taken = {name: values.take(order) for name, values in columns.items()}
    return present(BY_PAIR, TITLE_BY_PAIR, taken, as_of=book.as_of, notes=found.notes)


def _at_risk_of(rows: pa.Table, summed: pa.Table, *, has_scores: bool) -> pa.Array:
    """The value at risk of each pair; null without scores, and 0 where nobody is active."""
    if not has_scores:
        return pa.nulls(summed.num_rows, pa.float64())
    pairs = rows.group_by(["from_representative_id", "to_representative_id"])
    totals = pairs.aggregate([("value_at_risk", "sum")])["value_at_risk_sum"]
    return pc.fill_null(totals, 0.0).combine_chunks()


def _changes(book: Book, known: CustomerTable) -> pa.Table:
    """One row per change of hands within the year: customer, day, until, from and to.

    Until is the day of the next change, or the one after the as-of date.
    """
    since, person = nw.col("valid_from"), nw.col(REPRESENTATIVE)
    rows = known.frame.select("customer_id", "valid_from", REPRESENTATIVE)
    rows = rows.with_columns(since.fill_null(-1_000_000), person.fill_null(NOBODY))
    rows = rows.filter(in_history(since, book.as_of_day))

    def beside(value: nw.Expr, steps: int) -> nw.Expr:
        return value.shift(steps).over("customer_id", order_by="valid_from")

    changed = rows.with_columns(before=beside(person, 1)).filter(nw.col("before") != person)
    changed = changed.with_columns(until=beside(since, -1).fill_null(book.as_of_day + 1))
    recent = changed.filter(in_window(book.as_of_day - since, YEAR_DAYS))
    found = book.inputs.engine.collect(recent)
    place = pc.index_in(found["customer_id"], book.now.rows["customer_id"].combine_chunks())
    found = found.append_column("place", place).filter(pc.is_valid(place))
    return pa.table(
        {
            "place": found["place"],
            "customer": book.now.rows["customer"].take(found["place"]),
            "day": found["valid_from"].cast(pa.int32()),
            "until": found["until"].cast(pa.int32()),
            "from": found["before"],
            "to": found[REPRESENTATIVE],
        }
    ).sort_by([("customer", "ascending"), ("day", "ascending")])


def _columns(
    book: Book, changes: pa.Table, deals: pa.Table | None
) -> dict[str, NDArray[Any] | pa.ChunkedArray]:
    now, place = book.now.rows, changes["place"]
    empty = pa.nulls(book.now.count, pa.float64())
    scores = {
        name: (now[name] if book.has_scores else empty).take(place)
        for name in ("p_churn", "value_at_risk")
    }
    days = pc.subtract(changes["until"], changes["day"])
    return {
        "customer_id": now["customer_id"].take(place),
        "handed_over_on": np.array([to_date(day) for day in changes["day"].to_pylist()], object),
        "from_representative_id": changes["from"],
        "to_representative_id": changes["to"],
        "days": days,
        **_brought(book, changes),
        "is_active": now["is_active"].take(place),
        "recency_days": now["recency_days"].take(place),
        **scores,
        **_open_deals(book, changes, deals),
    }


def _brought(book: Book, changes: pa.Table) -> dict[str, NDArray[Any]]:
    """What each customer brought before and after it changed hands."""
    engine = book.inputs.engine
    keys = changes.select(["customer", "day", "until"]).rename_columns(["customer", "on", "until"])
    days: Frame = seen_at(book.inputs, [book.as_of_day])
    joined = days.join(engine.from_arrow(keys), on="customer", how="inner")
    day, on, until = nw.col("day"), nw.col("on"), nw.col("until")
    ago = on - 1 - day
    is_after = in_window(day - on, YEAR_DAYS) & (day < until)
    is_before = in_window(ago, YEAR_DAYS) & (ago < until - on)
    net = nw.col("spend") - nw.col("returned")
    parts = {
        "revenue_taken_over": (net, in_window(ago, YEAR_DAYS)),
        "revenue_before": (net, is_before),
        "revenue_after": (net, is_after),
        "orders_before": (nw.col("orders"), is_before),
        "orders_after": (nw.col("orders"), is_after),
    }
    sums = {n: nw.when(where).then(of).otherwise(0).sum() for n, (of, where) in parts.items()}
    found = engine.collect(joined.group_by("customer", "on").agg(**sums).sort("customer", "on"))
    scale = {name: MONEY_SCALE if name.startswith("revenue") else 1 for name in parts}
    return {name: np.asarray(found[name].to_numpy()) / by for name, by in scale.items()}


def _open_deals(
    book: Book, changes: pa.Table, deals: pa.Table | None
) -> dict[str, NDArray[np.float64]]:
    """The deals of each customer that are still open."""
    if deals is None:
        return dict.fromkeys(("open_deals", "open_amount"), np.full(changes.num_rows, np.nan))
    still = deals.filter(pc.is_null(deals["is_won"]))
    found = pc.index_in(still["customer_id"], book.now.rows["customer_id"].combine_chunks())
    known = pc.fill_null(found, -1).to_numpy()
    amount = pc.fill_null(still["amount"], 0).to_numpy()[known >= 0]
    place, size = changes["place"].to_numpy(), book.now.count
    count = np.bincount(known[known >= 0], minlength=size)
    total = np.bincount(known[known >= 0], weights=amount, minlength=size)
    return {
        "open_deals": count[place].astype(np.float64),
        "open_amount": total[place] / MONEY_SCALE,
    }
