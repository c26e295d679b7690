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
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from portfolio_ml.customer_base import (
    BetaGeo,
    GammaGamma,
    ParetoNBD,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_pareto_nbd,
    group_purchases,
    representatives,
)
from portfolio_ml.engine import Engine, Frame
from portfolio_ml.errors import DataError
from portfolio_ml.features.account import KNOWN_SHARE
from portfolio_ml.features.catalogue import Catalogue
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.features.rfm import SCORED
from portfolio_ml.steps import Progress, unheard
from portfolio_ml.timeline import to_date

QUINTILES = (0.2, 0.4, 0.6, 0.8)
TIERS = (0.4, 0.7, 0.9)
FACTS = ("repeat_days", "purchase_span_days", "tenure_days", "monetary")

# More histories than these change the parameters by less than their own uncertainty.
BG_NBD_ROWS = 20_000
PARETO_NBD_ROWS = 4_000
MOST_VALUES = 1_000

Floats = NDArray[np.float64]

# What a reference is fitted on, beside the attributes.
READ = ("as_of", *FACTS, "purchase_days", "recency_days", "net_spend", "gap_median_days")


@dataclass(frozen=True, slots=True)
class Reference:
    """The portfolio as it was known at the end of `day`.

    Attributes:
        day: The last day of the history it was fitted on.
        score_edges: Per score (`rfm_r`, ...) the four values that part the quintiles, ascending.
        tier_edges: The three values of net spend that part the tiers D, C, B and A, ascending.
        gap_days: Median over repeat customers of their median gap.
        purchase_model: Pareto/NBD, in days.
        bg_nbd_model: BG/NBD, in days.
        spend_model: Gamma-Gamma, in currency units per purchase day.
        known_shares: Per attribute that is a text, the share of customers with each value; of
            many values the most frequent ones.
    """

    day: int
    score_edges: Mapping[str, tuple[float, ...]]
    tier_edges: tuple[float, ...]
    gap_days: float
    purchase_model: ParetoNBD
    bg_nbd_model: BetaGeo
    spend_model: GammaGamma
    known_shares: Mapping[str, Mapping[str, float]]

    def expectations(self, facts: Floats, *, churn_days: int, value_days: int) -> dict[str, Floats]:
        """What the customer-base models expect of customers.

        Args:
            facts: Their `FACTS`, shape (4, customers); times in days, money in currency units.
            churn_days: The horizon of the chance of no purchase.
            value_days: The horizon of the expected purchase days and spend.
        """
        x, t_x, age, monetary = facts
        alive, expected = self.purchase_model.forecast(x, t_x, age, horizon=value_days)
        alive_bg, expected_bg = self.bg_nbd_model.forecast(x, t_x, age, horizon=value_days)
        ticket = self.spend_model.expected_spend(x + 1, monetary)
        return {
            "p_alive": alive,
            "p_no_purchase": self.purchase_model.p_no_purchase(x, t_x, age, churn_days),
            "expected_purchase_days": expected,
            "p_alive_bg_nbd": alive_bg,
            "expected_purchase_days_bg_nbd": expected_bg,
            "expected_ticket": ticket,
            "expected_spend": expected * ticket,
        }

    def to_dict(self) -> dict[str, Any]:
        """The reference as plain JSON values; an edge below everybody is null."""
        return {
            "day": self.day,
            "score_edges": {name: _to_json(edges) for name, edges in self.score_edges.items()},
            "tier_edges": _to_json(self.tier_edges),
            "gap_days": self.gap_days,
            "purchase_model": self.purchase_model.to_dict(),
            "bg_nbd_model": self.bg_nbd_model.to_dict(),
            "spend_model": self.spend_model.to_dict(),
            "known_shares": {name: {**shares} for name, shares in self.known_shares.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Reference":
        """The reference that `to_dict` gave.

        Raises:
            ValueError: A value is out of range; KeyError or TypeError where the shape is another.
        """
        edges, spend_model = values["score_edges"], GammaGamma.from_dict(values["spend_model"])
        gap_days = float(values["gap_days"])
        if not 0 < gap_days < inf or not 0 <= float(spend_model.population_mean) < inf:
            raise ValueError(
                "the typical gap must be above 0, the mean spend at least 0, both finite"
            )
        return cls(
            day=int(values["day"]),
            score_edges={name: _from_json(edges[name], len(QUINTILES)) for name in SCORED},
            tier_edges=_from_json(values["tier_edges"], len(TIERS)),
            gap_days=gap_days,
            purchase_model=ParetoNBD.from_dict(values["purchase_model"]),
            bg_nbd_model=BetaGeo.from_dict(values["bg_nbd_model"]),
            spend_model=spend_model,
            known_shares={
                name: {value: float(share) for value, share in shares.items()}
                for name, shares in values["known_shares"].items()
            },
        )


def fit_references(
    parts: Sequence[Frame],
    as_of_days: Sequence[int],
    inputs: Inputs,
    *,
    progress: Progress = unheard,
) -> dict[int, Reference]:
    """One reference per as-of day, from the customers' own features on that day.

    Args:
        parts: One row per customer and as-of day, with the features of the stages up to
            `CUSTOMER`.
        as_of_days: The days; one on which nobody had bought yet gets no reference.
        inputs: What they were computed from.
        progress: Told which share of the days is done.

    Raises:
        DataError: Nobody had bought on any of the days.
    """
    names = _shared(inputs.catalogue)
    customers = nw.concat([part.select(*READ, *names) for part in parts])
    found: dict[int, Reference | None] = {}
    days = sorted({*as_of_days})
    for done, day in enumerate(days, start=1):
        found[day] = _fitted(customers.filter(nw.col("as_of") == day), day, names, inputs.engine)
        progress(done / len(days))
    if references := {day: each for day, each in found.items() if each is not None}:
        return references
    raise DataError(
        f"nobody has bought anything up to {to_date(max(as_of_days))}",
        saw="no amount of 0 or more",
        do="choose a later --as-of, or check the sign of the amounts",
    )


def _fitted(
    customers: Frame, day: int, attributes: Sequence[str], engine: Engine
) -> Reference | None:
    rows = engine.collect(customers.select(*READ[1:]))
    if not rows.num_rows:
        return None
    values = {n: rows[n].to_numpy().astype(np.float64) for n in rows.column_names}
    counts = group_purchases(
        values["repeat_days"], values["purchase_span_days"], values["tenure_days"]
    )
    with threadpool_limits(1, user_api="blas"):  # short sums: threads only wait for each other
        return Reference(
            day=day,
            score_edges={name: edges(values[source], QUINTILES) for name, source in SCORED.items()},
            tier_edges=edges(values["net_spend"], TIERS),
            gap_days=_typical_gap(values["gap_median_days"], values["tenure_days"]),
            purchase_model=fit_pareto_nbd(counts.represented(PARETO_NBD_ROWS)),
            bg_nbd_model=fit_bg_nbd(counts.represented(BG_NBD_ROWS)),
            spend_model=_spend_model(values["purchase_days"], values["monetary"]),
            known_shares={name: _shares(customers, name, engine) for name in attributes},
        )


def reference_tables(references: Mapping[int, Reference], inputs: Inputs) -> dict[str, Frame]:
    """`references`, one row per as-of day, and the known shares as `shares_` and the attribute."""
    tables = {"references": reference_table(references)}
    for name in _shared(inputs.catalogue):
        tables[f"shares_{name}"] = _shares_table(references, name)
    return {name: inputs.engine.from_arrow(table) for name, table in tables.items()}


def with_references(tables: Mapping[str, Frame], catalogue: Catalogue) -> Frame:
    """The customers of the references' as-of days with their values, as columns `reference_*`.

    Args:
        tables: `part`, with the features of the stages up to `CUSTOMER`, and `reference_tables`.
        catalogue: The features.
    """
    joined = tables["part"].join(tables["references"], on="as_of", how="inner")
    for name in _shared(catalogue):
        joined = joined.join(tables[f"shares_{name}"], on=["as_of", name], how="left")
    return joined


def _shares_table(references: Mapping[int, Reference], attribute: str) -> pa.Table:
    """The known shares of one attribute: one row per as-of day and value."""
    rows = [
        (day, value, share)
        for day, reference in references.items()
        for value, share in reference.known_shares.get(attribute, {}).items()
    ]
    types = {"as_of": pa.int32(), attribute: pa.string(), f"reference_{attribute}": pa.float64()}
    return pa.Table.from_pylist(
        [dict(zip(types, row, strict=True)) for row in rows], schema=pa.schema([*types.items()])
    )


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


def edges(values: Floats, shares: Sequence[float]) -> tuple[float, ...]:
    """The largest value that lies within each share of customers; -inf where none does.

    A value lies at the share of customers below it plus half of those who tie with it, so that
    the scores of many equal customers, or of a single one, are the middle ones.

    Example:
        >>> edges(np.array([1.0, 2.0, 2.0, 9.0]), (0.2, 0.5, 0.9))
        (1.0, 2.0, 9.0)
    """
    found, counts = np.unique(values, return_counts=True)
    share = (np.cumsum(counts) - counts / 2) / values.size
    within = np.searchsorted(share, shares, side="right")
    return tuple(float(found[n - 1]) if n else -inf for n in within)


def _shares(customers: Frame, attribute: str, engine: Engine) -> dict[str, float]:
    """The share of customers with each value of an attribute, of those where it is known."""
    known = customers.filter(~nw.col(attribute).is_null())
    counts = engine.collect(known.group_by(attribute).agg(count=nw.len())).to_pylist()
    ranked = sorted(counts, key=lambda row: (-row["count"], row[attribute]))
    total = sum(row["count"] for row in counts)
    return {row[attribute]: row["count"] / total for row in ranked[:MOST_VALUES]}


def _shared(catalogue: Catalogue) -> tuple[str, ...]:
    """The attributes of whose values the customers' shares are features."""
    names = (name for name in catalogue.names if name.endswith(KNOWN_SHARE))
    return tuple(name.removesuffix(KNOWN_SHARE) for name in names)


def _typical_gap(gaps: Floats, tenures: Floats) -> float:
    """The median of the customers' median gaps; half the median tenure without any."""
    known = gaps[~np.isnan(gaps)]
    return float(np.median(known)) if known.size else max(1.0, float(np.median(tenures)) / 2)


def _spend_model(purchase_days: Floats, monetary: Floats) -> GammaGamma:
    """The spend per purchase day.

    A single purchase day of each customer cannot tell how much customers differ from how much
    their purchases do: where nobody bought again, a customer's own counts as much as the mean.
    """
    if ((purchase_days > 1) & (monetary > 0)).any():
        order = np.lexsort((monetary, purchase_days))
        chosen, weight = representatives(np.ones(order.size), BG_NBD_ROWS)
        rows = order[chosen]
        return fit_gamma_gamma(purchase_days[rows], monetary[rows], weight=weight)
    mean = float(np.sort(monetary).mean())  # the same in whatever order the rows come
    remark = "nobody has bought again at a price above 0: own spend and the mean count alike"
    return GammaGamma(p=1.0, q=2.0, v=mean or 1.0, fallback_mean=mean, warnings=(remark,))


def _to_json(edges: Sequence[float]) -> list[float | None]:
    return [None if edge == -inf else edge for edge in edges]


def _from_json(edges: Sequence[float | None], count: int) -> tuple[float, ...]:
    read = tuple(-inf if edge is None else float(edge) for edge in edges)
    if len(read) != count or not all(edge < inf for edge in read) or list(read) != sorted(read):
        raise ValueError(f"{count} ascending edges are needed")
    return read
