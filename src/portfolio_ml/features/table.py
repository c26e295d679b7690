"""The feature table: `at(history, as_of_days)` gives customer x as-of rows, in one query.

Nothing dated after a row's own as-of day can reach it: the history is cut before anything is
aggregated, and what is fitted across customers is fitted on the cut history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.engine import Engine, Frame
from portfolio_ml.features.catalogue import CATALOGUE, of_stage
from portfolio_ml.features.feature import Feature, Stage, features_hash
from portfolio_ml.features.reference import Reference, fit_references, reference_table
from portfolio_ml.timeline import in_history, is_among_last
from portfolio_ml.transactions import History

RECENT_PURCHASE_DAYS = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Horizons:
    """How far the customer-base expectations look ahead, in days."""

    churn_days: int
    value_days: int


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Features of every customer with a purchase in history, at one or more as-of days.

    Attributes:
        rows: customer_id (text), as_of (day number), then one float32 column per feature; sorted
            by as_of and customer_id.
        references: What was fitted across customers, per as-of day.
        hash: The digest of the feature definitions and horizons.
    """

    rows: pa.Table
    references: Mapping[int, Reference]
    hash: str

    def dated_rows(self) -> pa.Table:
        """The rows with as_of as a date, for readers outside the package."""
        position = self.rows.column_names.index("as_of")
        return self.rows.set_column(position, "as_of", self.rows["as_of"].cast(pa.date32()))

    def on(self, as_of_day: int) -> pa.Table:
        """The rows of one as-of day."""
        return self.rows.filter(pc.equal(self.rows["as_of"], as_of_day))


def definitions_hash(horizons: Horizons) -> str:
    """The digest of the catalogue as it is computed for these horizons."""
    marker = Feature(
        name=f"horizons {horizons.churn_days} {horizons.value_days}",
        family="", unit="", window="", null="", formula="", stage=Stage.MODEL,
    )  # fmt: skip
    return features_hash((*CATALOGUE, marker))


def dates(as_of_days: Sequence[int], engine: Engine) -> Frame:
    """The as-of days as a table to join, each once, ascending."""
    days = pa.array(sorted(set(as_of_days)), pa.int32())
    return engine.from_arrow(pa.table({"as_of": days}))


def days_of(history: History, engine: Engine) -> Frame:
    """One row per customer and day with lines, computed once.

    Columns: customer_id, day, is_purchase, orders, spend and returned (1/10,000 currency unit),
    gap_days since the purchase day before, and the days of the purchase days after it that tell
    which ones are the last at an as-of day.
    """
    bought = nw.col("amount") >= 0
    days = history.lines.group_by("customer_id", "day").agg(
        is_purchase=bought.any(),
        orders=_orders(bought, has_orders=history.has_orders),
        spend=nw.when(bought).then(nw.col("amount")).otherwise(0).sum().cast(nw.Int64),
        returned=nw.when(~bought).then(-nw.col("amount")).otherwise(0).sum().cast(nw.Int64),
    )
    day, is_purchase = nw.col("day"), nw.col("is_purchase")
    gap = (day - day.shift(1)).over("customer_id", "is_purchase", order_by="day")
    return engine.keep(
        days.with_columns(
            gap_days=nw.when(is_purchase).then(gap),
            next_day=day.shift(-1).over("customer_id", "is_purchase", order_by="day"),
            third_next_day=day.shift(-RECENT_PURCHASE_DAYS).over(
                "customer_id", "is_purchase", order_by="day"
            ),
        )
    )


def at(
    days: Frame,
    as_of_days: Sequence[int],
    *,
    engine: Engine,
    horizons: Horizons,
    references: Mapping[int, Reference] | None = None,
) -> FeatureTable:
    """The features of every customer with a purchase in history, at each of `as_of_days`.

    Args:
        days: What `days_of` gave.
        as_of_days: Day numbers; a day on which nobody had bought yet has no rows.
        engine: Where the query runs.
        horizons: How far the customer-base expectations look ahead.
        references: What was fitted across customers, per as-of day; fitted here where not given.

    Raises:
        DataError: There is nobody to fit a reference on, on any of the days.
    """
    customers = engine.keep(_customers(seen_at(days, as_of_days, engine)))
    fitted = fit_references(customers, as_of_days, engine) if references is None else references
    joined = customers.join(engine.from_arrow(reference_table(fitted)), on="as_of", how="left")
    frame = _with_features(joined, Stage.PORTFOLIO)
    expressed = [f.name for f in CATALOGUE if f.stage is not Stage.MODEL]
    rows = engine.collect(
        frame.select("customer_id", "as_of", *expressed).sort("as_of", "customer_id")
    )
    return FeatureTable(
        rows=_as_float32(_with_expectations(rows, fitted, horizons)),
        references=fitted,
        hash=definitions_hash(horizons),
    )


def seen_at(days: Frame, as_of_days: Sequence[int], engine: Engine) -> Frame:
    """The days in history at each as-of day: one row per customer, as-of day and day."""
    as_of = nw.col("as_of")
    return (
        days.join(dates(as_of_days, engine), how="cross")
        .filter(in_history(nw.col("day"), as_of))
        .with_columns(
            age_days=as_of - nw.col("day"),
            is_last=nw.col("is_purchase") & is_among_last(nw.col("next_day"), as_of),
            is_recent=nw.col("is_purchase") & is_among_last(nw.col("third_next_day"), as_of),
        )
    )


def _orders(bought: nw.Expr, *, has_orders: bool) -> nw.Expr:
    if not has_orders:
        return bought.cast(nw.Int64).sum().cast(nw.Int64)
    order = nw.when(bought).then(nw.coalesce(nw.col("order_id"), nw.lit("")))
    return order.n_unique() - order.is_null().any().cast(nw.Int64)


def _customers(seen: Frame) -> Frame:
    named = {f.name: f.value for f in of_stage(Stage.HISTORY) if f.value is not None}
    customers = seen.group_by("customer_id", "as_of").agg(**named)
    return _with_features(customers.filter(nw.col("purchase_days") > 0), Stage.CUSTOMER)


def _with_features(frame: Frame, stage: Stage) -> Frame:
    for feature in of_stage(stage):
        if feature.value is not None:
            frame = frame.with_columns(feature.value.alias(feature.name))
    return frame


def _with_expectations(
    rows: pa.Table, references: Mapping[int, Reference], horizons: Horizons
) -> pa.Table:
    as_of = rows["as_of"].to_numpy()
    facts = np.stack([rows[name].to_numpy().astype(np.float64) for name in _FACTS])
    names = [f.name for f in of_stage(Stage.MODEL)]
    values = np.empty((len(names), rows.num_rows))
    for day in np.unique(as_of).tolist():
        on_day = as_of == day
        expected = _expected(facts[:, on_day], references[day], horizons)
        values[:, on_day] = [expected[name] for name in names]
    for name, column in zip(names, values, strict=True):
        rows = rows.append_column(name, pa.array(column))
    return rows


_FACTS = ("repeat_days", "purchase_span_days", "tenure_days", "monetary")


def _expected(facts: Floats, reference: Reference, horizons: Horizons) -> dict[str, Floats]:
    """What the customer-base models expect of customers with these `_FACTS`."""
    x, t_x, age, monetary = facts
    purchases, spend = reference.purchase_model, reference.spend_model
    expected = purchases.expected_purchases(x, t_x, age, horizons.value_days)
    ticket = spend.expected_spend(x, monetary)
    return {
        "p_alive": purchases.p_alive(x, t_x, age),
        "p_no_purchase": purchases.p_no_purchase(x, t_x, age, horizons.churn_days),
        "expected_purchase_days": expected,
        "expected_ticket": ticket,
        "expected_spend": expected * ticket,
    }


def _as_float32(rows: pa.Table) -> pa.Table:
    columns = {f.name: pc.cast(rows[f.name], pa.float32(), safe=False) for f in CATALOGUE}
    return pa.table({"customer_id": rows["customer_id"], "as_of": rows["as_of"], **columns})
