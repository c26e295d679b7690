"""The stock: a portfolio's customers at a date, with where each stands and what each brought.

Revenue is net: purchases minus returns. Money is in whole 1/10,000 currency units
(`schema.MONEY_SCALE`), so that sections add up to the portfolio to the last digit.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.config import Lifecycle
from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine, Frame
from portfolio_ml.features.cut import KEYS, seen_at
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.features.table import Horizons, at, computed, definitions_hash
from portfolio_ml.frozen import Frozen
from portfolio_ml.standing import USUAL_LIFECYCLE, activity_windows, standing_of
from portfolio_ml.timeline import in_history, in_window, is_among_last, to_date, to_day

YEAR_DAYS = 365
UNKNOWN = "unknown"
"""The section of customers of whom an attribute is not known."""

_STANDING = (
    "recency_days", "tenure_days", "purchase_days", "orders", "net_spend", "repeat_days",
    "monetary", "purchase_span_days", "gap_median_days", "typical_gap_days", "overdue_ratio",
    "missed_cycles", "expected_next_order_day", "spend_365d", "spend_365_to_730d", "spend_trend",
    "spend", "ticket",
)  # fmt: skip
_KEPT = (
    "recency_days", "tenure_days", "purchase_days", "typical_gap_days", "missed_cycles",
    "expected_next_order_day", "spend_trend",
)  # fmt: skip
SCORES = (
    "p_churn", "p_return", "churn_band", "churn_reasons", "expected_orders", "ltv", "ltv_low",
    "ltv_high", "value_if_buys", "value_at_risk", "segment_name",
)  # fmt: skip
"""The columns of the customer rows that today's stock has where there are champions."""
_OWN = frozenset({*_KEPT, *SCORES, "margin", "is_active", "lifecycle_stage", "value_tier"})
"""What the package says of customers, now or where more is known: no attribute goes by its name."""
_ALWAYS = -1_000_000


@dataclass(frozen=True)
class Stock:
    """The customers of a portfolio at a date.

    Attributes:
        as_of: The last day of the history that was used.
        rows: One row per customer with a purchase by then, sorted by customer_id: customer (its
            number in the inputs), customer_id; recency_days, tenure_days, purchase_days,
            typical_gap_days, missed_cycles, expected_next_order_day, spend_trend as in the
            catalogue of features; is_active, lifecycle_stage, value_tier as in `standing`;
            revenue and revenue_before (net, of the last 365 days and of the 365 before),
            revenue_ever, orders_365d and purchase_days_365d, and where lines tell their cost
            margin (of the last 365 days), all money in 1/10,000 unit; the attributes of the
            customers table as they were known then, texts or numbers, days as day numbers; and
            in the stock of today, where there are scores, the columns `SCORES` of the customer
            rows.
        attributes: Which columns are attributes of the customers table. One that is called as
            what the package says of customers is left out.
    """

    as_of: date
    rows: pa.Table
    attributes: frozenset[str] = frozenset()

    @property
    def as_of_day(self) -> int:
        """The day number of `as_of`."""
        return to_day(self.as_of)

    @property
    def count(self) -> int:
        """How many customers there are."""
        customers: int = self.rows.num_rows
        return customers

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.rows.column_names

    def column(self, name: str) -> NDArray[np.float64]:
        """A column of numbers, shape (customers,); null is NaN."""
        values = self.rows[name].cast(pa.float64()).combine_chunks()
        return np.asarray(pc.fill_null(values, np.nan).to_numpy(zero_copy_only=False))

    def money(self, name: str) -> NDArray[np.int64]:
        """A column of money in 1/10,000 currency unit, shape (customers,)."""
        return np.asarray(self.rows[name].combine_chunks().to_numpy(), np.int64)

    def texts(self, name: str) -> NDArray[np.object_]:
        """A column of texts, shape (customers,); null is None."""
        values = self.rows[name].cast(pa.string()).combine_chunks()
        return np.asarray(values.to_numpy(zero_copy_only=False), np.object_)

    @cached_property
    def is_active(self) -> NDArray[np.bool_]:
        """Who is active, shape (customers,)."""
        return np.asarray(self.rows["is_active"].combine_chunks().to_numpy(zero_copy_only=False))

    def section(self, *names: str) -> NDArray[np.object_]:
        """The section of each customer by one column, or by several crossed, shape (customers,).

        Example:
            >>> rows = pa.table({"region": ["North", None], "value_tier": ["A", "B"]})
            >>> Stock(date(2024, 6, 30), rows).section("region", "value_tier").tolist()
            ['North / A', 'unknown / B']
        """
        parts = [pc.fill_null(self.rows[name].cast(pa.string()), UNKNOWN) for name in names]
        joined = pc.binary_join_element_wise(*parts, " / ").combine_chunks()
        return np.asarray(joined.to_numpy(zero_copy_only=False), np.object_)

    def is_known(self, *names: str) -> NDArray[np.bool_]:
        """Of whom all of some columns are known, shape (customers,)."""
        told = [self.rows[name].is_valid().combine_chunks() for name in names]
        return np.asarray(np.all([each.to_numpy(zero_copy_only=False) for each in told], axis=0))

    def beside(self, found: pa.Table) -> dict[str, NDArray[np.float64]]:
        """The number columns of a table of customers and days, one value per customer of this one.

        Args:
            found: At most one row per `customer` and `as_of` day, with columns of numbers.

        Returns:
            Per column an array of shape (customers,); NaN for a customer without a row on the
            stock's day, and where the table has a null.
        """
        there = Stock(self.as_of, found.filter(pc.equal(found["as_of"], self.as_of_day)))
        own, theirs = (rows["customer"].to_numpy() for rows in (self.rows, there.rows))
        # Customers are numbered from 0: their places fit in an array, which is quicker than a hash.
        place = np.full(1 + max(own.max(initial=-1), theirs.max(initial=-1)), self.count)
        place[own] = np.arange(self.count)
        beside = {}
        for name in found.column_names:
            if name not in KEYS:
                values = np.full(self.count + 1, np.nan)  # the last is for others' customers
                values[place[theirs]] = there.column(name)
                beside[name] = values[:-1]
        return beside

    def with_scores(self, scores: pa.Table, names: Collection[str]) -> "Stock":
        """The same with some columns of the customer rows; null for customers who have none."""
        place = pc.index_in(self.rows["customer_id"], scores["customer_id"].combine_chunks())
        rows = self.rows
        for name in names:
            rows = rows.append_column(name, scores[name].combine_chunks().take(place))
        return replace(self, rows=rows)


def stocks_at(
    inputs: Inputs,
    days: Sequence[int],
    *,
    frozen: Frozen,
    customers: CustomerTable | None = None,
    lifecycle: Lifecycle = USUAL_LIFECYCLE,
) -> Mapping[int, Stock]:
    """The stock at each of some days, in one query; one at which nobody had bought is empty.

    Args:
        inputs: The portfolio's tables.
        days: Day numbers.
        frozen: The activity window, the tiers and the typical gap that hold at all of them.
        customers: What is known of the customers; None where no table is configured. An attribute
            without a date is taken to have held always.
        lifecycle: The tenures and the trend that part the stages.
    """
    known = replace(inputs, catalogue=inputs.catalogue.only(_STANDING))
    references = dict.fromkeys(days, frozen.reference)
    features = at(known, days, horizons=frozen.horizons, references=references)
    money = inputs.engine.collect(_money(inputs, days))
    found = {}
    for day in days:
        rows = _with_money(features.on(day), money.filter(pc.equal(money["as_of"], day)))
        rows = _with_standing(rows, frozen, lifecycle)
        attributes: frozenset[str] = frozenset()
        if customers is not None:
            attributes = customers.columns - _OWN - {*rows.column_names}
            rows = _with_attributes(rows, customers, sorted(attributes), day, inputs.engine)
        found[day] = Stock(to_date(day), rows, attributes)
    return found


def stocks_without_standing(
    inputs: Inputs,
    days: Sequence[int],
    *,
    frozen: Frozen,
    customers: CustomerTable | None = None,
) -> Mapping[int, Stock]:
    """The same with fewer columns, at half the cost: for figures that count and sum.

    Beside customer and customer_id, the rows have is_active, the money columns and the attributes.

    Args:
        inputs: The portfolio's tables.
        days: Day numbers.
        frozen: The activity window.
        customers: What is known of the customers; None where no table is configured.
    """
    money = inputs.engine.collect(_money(inputs, days))
    found = {}
    for day in days:
        rows = money.filter(pc.equal(money["as_of"], day))
        rows = rows.filter(pc.is_valid(rows["recency_days"])).sort_by("customer_id")
        is_active = pc.less(rows["recency_days"], frozen.activity_days)
        rows = rows.drop_columns(["as_of", "recency_days"]).append_column("is_active", is_active)
        attributes: frozenset[str] = frozenset()
        if customers is not None:
            attributes = customers.columns - _OWN - {*rows.column_names}
            rows = _with_attributes(rows, customers, sorted(attributes), day, inputs.engine)
        found[day] = Stock(to_date(day), rows, attributes)
    return found


def frozen_at(
    inputs: Inputs, day: int, *, horizons: Horizons, activity_days: int | None = None
) -> Frozen:
    """What holds across the customers at a day, where no champion froze anything.

    Args:
        inputs: The portfolio's tables.
        day: The last day to see.
        horizons: How far the targets look ahead.
        activity_days: The configured activity window; found in the history where it is `auto`.

    Raises:
        DataError: Nobody had bought by then.
    """
    known = replace(inputs, catalogue=inputs.catalogue.only(_STANDING))
    return Frozen(
        reference=computed(known, [day], horizons=horizons).references[day],
        activity_days=activity_days or activity_windows(inputs, [day])[day],
        horizons=horizons,
        features=known.catalogue.names,
        features_hash=definitions_hash(known.catalogue, horizons),
    )


def _money(inputs: Inputs, days: Sequence[int]) -> Frame:
    """What each customer brought by each of the days, in whole units; sorted by customer.

    Beside it recency_days, null without a purchase.
    """
    net, age = nw.col("spend") - nw.col("returned"), nw.col("age_days")
    is_recent = in_window(age, YEAR_DAYS)
    is_before = in_window(age - YEAR_DAYS, YEAR_DAYS)

    def summed(value: nw.Expr, where: nw.Expr) -> nw.Expr:
        return nw.when(where).then(value).otherwise(0).sum()

    sums = {
        "revenue": summed(net, is_recent),
        "revenue_before": summed(net, is_before),
        "revenue_ever": net.sum(),
        "orders_365d": summed(nw.col("orders"), is_recent),
        "purchase_days_365d": summed(nw.col("is_purchase").cast(nw.Float64), is_recent),
    }
    if "cost" in inputs.columns:
        sums["margin"] = summed(nw.col("margin"), is_recent)
    recency = nw.when(nw.col("is_purchase")).then(age).min()
    totals = seen_at(inputs, days).group_by(*KEYS).agg(**sums, recency_days=recency)
    whole = totals.with_columns(nw.col(*sums).cast(nw.Int64))
    return whole.join(inputs.customers, on="customer", how="inner").sort("as_of", "customer")


def _with_money(features: pa.Table, money: pa.Table) -> pa.Table:
    """The customers with a purchase, with what they brought."""
    place = pc.index_in(features["customer_id"], money["customer_id"].combine_chunks())
    beside = money.take(place)
    rows = features.select(["customer_id", *_KEPT])
    rows = rows.add_column(0, "customer", beside["customer"])
    beside_money = ("customer", "customer_id", "as_of", "recency_days")
    names = [n for n in money.column_names if n not in beside_money]
    for name in names:
        rows = rows.append_column(name, beside[name])
    return rows.append_column("net_spend", features["net_spend"])


def _with_standing(rows: pa.Table, frozen: Frozen, lifecycle: Lifecycle) -> pa.Table:
    standing = standing_of(
        rows,
        activity_days=frozen.activity_days,
        tier_edges=frozen.reference.tier_edges,
        lifecycle=lifecycle,
    )
    rows = rows.drop_columns("net_spend")
    for name in ("is_active", "lifecycle_stage", "value_tier"):
        rows = rows.append_column(name, pa.array(getattr(standing, name)))
    return rows


def _with_attributes(
    rows: pa.Table, customers: CustomerTable, names: Sequence[str], day: int, engine: Engine
) -> pa.Table:
    """The rows with what was known of the customers on a day."""
    since = nw.col("valid_from").fill_null(_ALWAYS)
    dated = customers.frame.with_columns(_since=since).filter(in_history(nw.col("_since"), day))
    until = nw.col("_since").shift(-1).over("customer_id", order_by="_since")
    known = dated.with_columns(_until=until).filter(is_among_last(nw.col("_until"), day))
    found = engine.collect(known.select("customer_id", *names))
    place = pc.index_in(rows["customer_id"], found["customer_id"].combine_chunks())
    for name in names:
        rows = rows.append_column(name, found[name].combine_chunks().take(place))
    return rows
