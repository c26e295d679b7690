"""What is fitted across customers, on history up to one date, and frozen with the champion.

With a frozen reference a customer's row is the same scored alone or among all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from portfolio_ml.customer_base import (
    BetaGeo,
    GammaGamma,
    PurchaseCounts,
    fit_bg_nbd,
    fit_gamma_gamma,
)
from portfolio_ml.engine import Engine, Frame
from portfolio_ml.errors import DataError
from portfolio_ml.features.rfm import SCORED
from portfolio_ml.timeline import to_date

QUINTILES = (0.2, 0.4, 0.6, 0.8)
TIERS = (0.4, 0.7, 0.9)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reference:
    """The portfolio as it was known at the end of `day`.

    Attributes:
        day: The last day of the history it was fitted on.
        score_edges: Per score (`rfm_r`, ...) the four values that part the quintiles, ascending.
        tier_edges: The three values of net spend that part the tiers D, C, B and A, ascending.
        gap_days: Median over repeat customers of their median gap.
        purchase_model: BG/NBD, in days.
        spend_model: Gamma-Gamma, in currency units per purchase day.
    """

    day: int
    score_edges: Mapping[str, tuple[float, ...]]
    tier_edges: tuple[float, ...]
    gap_days: float
    purchase_model: BetaGeo
    spend_model: GammaGamma

    def to_dict(self) -> dict[str, Any]:
        """The reference as plain JSON values; an edge below everybody is null."""
        return {
            "day": self.day,
            "score_edges": {name: _to_json(edges) for name, edges in self.score_edges.items()},
            "tier_edges": _to_json(self.tier_edges),
            "gap_days": self.gap_days,
            "purchase_model": self.purchase_model.to_dict(),
            "spend_model": self.spend_model.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Reference":
        """The reference that `to_dict` gave.

        Raises:
            ValueError: A value is out of range; KeyError or TypeError where the shape is another.
        """
        edges, spend_model = values["score_edges"], GammaGamma.from_dict(values["spend_model"])
        gap_days = float(values["gap_days"])
        if not 0 < gap_days < inf or not 0 <= spend_model.population_mean < inf:
            raise ValueError("the typical gap and the mean spend must be finite and above 0")
        return cls(
            day=int(values["day"]),
            score_edges={name: _from_json(edges[name], len(QUINTILES)) for name in SCORED},
            tier_edges=_from_json(values["tier_edges"], len(TIERS)),
            gap_days=gap_days,
            purchase_model=BetaGeo.from_dict(values["purchase_model"]),
            spend_model=spend_model,
        )


def fit_references(
    customers: Frame, as_of_days: Sequence[int], engine: Engine
) -> dict[int, Reference]:
    """One reference per as-of day, from the customers' own features on that day.

    Args:
        customers: One row per customer and as-of day, with the features of the stages `HISTORY`
            and `CUSTOMER`.
        as_of_days: The days; one on which nobody had bought yet gets no reference.
        engine: Where the frame is computed.

    Raises:
        DataError: Nobody had bought on any of the days.
    """
    edges = {source: _edges(customers, source, QUINTILES, engine) for source in SCORED.values()}
    tiers = _edges(customers, "net_spend", TIERS, engine)
    if not tiers:
        raise DataError(
            f"nobody has bought anything up to {to_date(max(as_of_days))}",
            saw="no amount of 0 or more",
            do="choose a later --as-of, or check the sign of the amounts",
        )
    gaps = _typical_gaps(customers, engine)
    purchases = _grouped(customers, ["repeat_days", "purchase_span_days", "tenure_days"], engine)
    spends = _grouped(customers, ["repeat_days", "monetary"], engine)
    with threadpool_limits(1, user_api="blas"):  # short sums: threads only wait for each other
        return {
            day: Reference(
                day=day,
                score_edges={name: edges[source][day] for name, source in SCORED.items()},
                tier_edges=tiers[day],
                gap_days=gaps[day],
                purchase_model=_purchase_model(_on(purchases, day)),
                spend_model=_spend_model(_on(spends, day)),
            )
            for day in sorted({*as_of_days} & {*tiers})
        }


def reference_table(references: Mapping[int, Reference]) -> pa.Table:
    """The references as a table to join: one row per as-of day, columns `reference_*`."""
    rows: list[dict[str, float | int]] = []
    for day, reference in references.items():
        row: dict[str, float | int] = {"as_of": day, "reference_gap_days": reference.gap_days}
        for name, edges in reference.score_edges.items():
            row |= {f"reference_{name}_{k}": edge for k, edge in enumerate(edges, start=1)}
        rows.append(row)
    table = pa.Table.from_pylist(rows)
    return table.set_column(0, "as_of", table["as_of"].cast(pa.int32()))


def _edges(
    customers: Frame, column: str, shares: Sequence[float], engine: Engine
) -> dict[int, tuple[float, ...]]:
    """Per as-of day, the largest value that lies within each share of customers, ascending.

    A value lies at the share of customers below it plus half of those who tie with it, so that
    the scores of many equal customers, or of a single one, are the middle ones.
    """
    share = (nw.col(column).rank("average").over("as_of") - 0.5) / nw.len().over("as_of")
    ranked = customers.select("as_of", column, share=share)
    level = sum(((nw.col("share") > s).cast(nw.Int64) for s in shares), start=nw.lit(0))
    tops = engine.collect(
        ranked.with_columns(level=level)
        .group_by("as_of", "level")
        .agg(top=nw.col(column).max().cast(nw.Float64))
    )
    found: dict[int, dict[int, float]] = {}
    for row in tops.to_pylist():
        found.setdefault(row["as_of"], {})[row["level"]] = row["top"]
    return {
        day: tuple(
            max((top for lv, top in levels.items() if lv <= k), default=-inf)
            for k in range(len(shares))
        )
        for day, levels in found.items()
    }


def _typical_gaps(customers: Frame, engine: Engine) -> dict[int, float]:
    """Per as-of day, the median of the customers' median gaps; half the tenure without any."""
    rows = engine.collect(
        customers.group_by("as_of").agg(
            gap=nw.col("gap_median_days").median(), tenure=nw.col("tenure_days").median()
        )
    ).to_pylist()
    return {
        row["as_of"]: float(row["gap"] if row["gap"] is not None else max(1.0, row["tenure"] / 2))
        for row in rows
    }


def _grouped(customers: Frame, columns: list[str], engine: Engine) -> pa.Table:
    counted = customers.group_by("as_of", *columns).agg(weight=nw.len())
    return engine.collect(counted.sort("as_of", *columns))


def _on(table: pa.Table, day: int) -> dict[str, Floats]:
    rows = table.filter(pc.equal(table["as_of"], day))
    return {name: rows[name].to_numpy().astype(np.float64) for name in rows.column_names}


def _purchase_model(rows: Mapping[str, Floats]) -> BetaGeo:
    return fit_bg_nbd(
        PurchaseCounts(
            frequency=rows["repeat_days"],
            recency=rows["purchase_span_days"],
            age=rows["tenure_days"],
            weight=rows["weight"],
        )
    )


def _spend_model(rows: Mapping[str, Floats]) -> GammaGamma:
    """The spend of repeat customers; where there is none, everybody is expected to spend alike."""
    repeats, monetary, weight = rows["repeat_days"], rows["monetary"], rows["weight"]
    if ((repeats > 0) & (monetary > 0)).any():
        return fit_gamma_gamma(repeats, monetary, weight=weight)
    mean = float(np.average(monetary, weights=weight))
    remark = "nobody has bought again at a price above 0: the mean over all customers stands in"
    return GammaGamma(p=1.0, q=2.0, v=mean or 1.0, fallback_mean=mean, warnings=(remark,))


def _to_json(edges: Sequence[float]) -> list[float | None]:
    return [None if edge == -inf else edge for edge in edges]


def _from_json(edges: Sequence[float | None], count: int) -> tuple[float, ...]:
    read = tuple(-inf if edge is None else float(edge) for edge in edges)
    if len(read) != count or not all(edge < inf for edge in read) or list(read) != sorted(read):
        raise ValueError(f"{count} ascending edges are needed")
    return read
