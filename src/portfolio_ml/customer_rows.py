"""Predictions + standing -> the contract with the CRM: one row per customer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portfolio_ml.bands import churn_bands
from portfolio_ml.config import Bands
from portfolio_ml.rfm_segments import rfm_segments
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.scoring import Predictions
from portfolio_ml.standing import Standing


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where rows come from.

    Attributes:
        versions: Per target, the champion's registered version.
        features_hash: The digest of the feature definitions.
        run_id: The scoring run.
        scored_at: When it ran, in UTC.
    """

    versions: Mapping[str, str]
    features_hash: str
    run_id: str
    scored_at: datetime


def customer_rows(
    features: pa.Table,
    predictions: Predictions,
    standing: Standing,
    *,
    as_of: date,
    lineage: Lineage,
    bands: Bands,
    bands_before: pa.Table,
) -> pa.Table:
    """The rows of `schema.CUSTOMER_ROWS`, sorted by customer.

    Args:
        features: One row per customer under the churn champion's frozen portfolio.
        predictions: Of the same customers, in the same order.
        standing: Of the same customers, in the same order.
        as_of: The last day of the history.
        lineage: Where the rows come from.
        bands: Where a churn probability is called low, medium or high.
        bands_before: customer_id and churn_band, as delivered last before `as_of`.
    """
    p_churn = _only(predictions.p_churn, standing.is_active)
    count, is_active = features.num_rows, standing.is_active
    scores = {name: features[name].to_numpy().astype(np.int8) for name in _SCORES}
    columns: dict[str, object] = {
        "customer_id": features["customer_id"],
        "as_of": _repeated(as_of, count),
        "is_active": is_active,
        "lifecycle_stage": standing.lifecycle_stage,
        "value_tier": standing.value_tier,
        **scores,
        "rfm_segment": rfm_segments(**scores),
        "p_churn": p_churn,
        "p_return": _only(1 - predictions.p_churn, ~is_active),
        "churn_band": churn_bands(p_churn, _beside(features, bands_before), bands),
        "churn_reasons": predictions.churn_reasons,
        "expected_orders": predictions.expected_orders,
        "ltv": predictions.ltv,
        "ltv_low": predictions.ltv_low,
        "ltv_high": predictions.ltv_high,
        "value_if_buys": predictions.value_if_buys,
        "value_at_risk": _only(predictions.p_churn * predictions.value_if_buys, is_active),
        "expected_next_order_date": _dates(features["expected_next_order_day"]),
        "missed_cycles": _counts(features["missed_cycles"]),
        "segment_id": predictions.segment_id.astype(np.int32),
        "segment_name": predictions.segment_name,
        **{name: pa.nulls(count) for name in CUSTOMER_FIGURES},
        "abstention": _repeated(predictions.abstention, count),
        "churn_model_version": _repeated(lineage.versions["churn"], count),
        "ltv_model_version": _repeated(lineage.versions["lifetime_value"], count),
        "segment_model_version": _repeated(lineage.versions["segments"], count),
        "features_hash": _repeated(lineage.features_hash, count),
        "run_id": _repeated(lineage.run_id, count),
        "scored_at": _repeated(lineage.scored_at, count),
    }
    arrays = [_array(columns[c.name], c.type) for c in CUSTOMER_ROWS.columns]
    return pa.Table.from_arrays(arrays, schema=CUSTOMER_ROWS.arrow)


CUSTOMER_FIGURES = (
    "potential_gap", "winback_value", "next_category", "best_representative", "priority_rank",
    "action", "payment_term", "delivery_term", "contact_policy",
)  # fmt: skip
"""The columns that the portfolio's figures give; null until `with_figures`."""


def with_figures(rows: pa.Table, figures: pa.Table) -> pa.Table:
    """The customer rows with what the portfolio's figures say of each.

    Args:
        rows: The rows of `customer_rows`.
        figures: customer_id and `CUSTOMER_FIGURES`, in any order; null for those who are not there.
    """
    place = pc.index_in(rows["customer_id"], figures["customer_id"].combine_chunks())
    for name in CUSTOMER_FIGURES:
        column = rows.schema.get_field_index(name)
        values = figures[name].combine_chunks().take(place).cast(rows.schema.field(name).type)
        rows = rows.set_column(column, rows.schema.field(name), values)
    return rows


_SCORES = ("rfm_r", "rfm_f", "rfm_m")


def _array(values: object, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks().cast(kind)
    if isinstance(values, pa.Array):
        return values.cast(kind)
    return pa.array(values, type=kind)


def _repeated(value: object, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)


def _only(values: NDArray[np.float64], where: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=~where)


def _beside(features: pa.Table, bands_before: pa.Table) -> pa.Array:
    """Each customer's band before; null where there is none."""
    places = pc.index_in(features["customer_id"], bands_before["customer_id"].combine_chunks())
    return bands_before["churn_band"].combine_chunks().take(places.combine_chunks())


def _counts(values: pa.ChunkedArray) -> pa.Array:
    numbers = values.combine_chunks()
    return pc.if_else(pc.is_nan(numbers), None, numbers).cast(pa.int32())


def _dates(day_number: pa.ChunkedArray) -> pa.Array:
    days = pc.cast(pc.round(day_number), pa.int32())
    return days.combine_chunks().cast(pa.date32())
