"""Net spend within the horizon, with an interval.

Candidates model gross purchases: boosted trees with a Tweedie deviance, the customer-base model
(BG/NBD x Gamma-Gamma), and the mean of both. Each is scaled to the level of the held-out
outcomes; a shrunk return rate is subtracted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.models.files import (
    DESCRIPTION,
    TREES,
    ModelFiles,
    described,
    description,
    understood,
)
from portfolio_ml.models.intervals import Intervals, fit_intervals
from portfolio_ml.models.trees import (
    DEFAULTS,
    Fit,
    TreeParameters,
    Trees,
    fit_trees,
    is_learnable,
    load,
)
from portfolio_ml.snapshots import Snapshots

Floats = NDArray[np.float64]
Candidate = Literal["boosted", "blend", "customer_base"]

KIND = "lifetime_value"
CUSTOMER_BASE = "expected_spend"
COLUMNS = (CUSTOMER_BASE, "spend", "net_spend")
CANDIDATES: tuple[Candidate, ...] = ("blend", "boosted", "customer_base")
PRIOR_TICKETS = 5.0
PRIOR_BUYERS = 200.0


@dataclass(frozen=True, slots=True)
class Returns:
    """The share of spend that comes back, shrunk from a customer's own to the portfolio's.

    Attributes:
        rate: The portfolio's returned share.
        prior_spend: The spend, currency units, that the portfolio's rate counts for.

    Example:
        >>> Returns(rate=0.2, prior_spend=100).of(np.array([0.0, 300.0]), np.array([0.0, 150.0]))
        array([0.2  , 0.425])
    """

    rate: float
    prior_spend: float

    def of(self, spend: Floats, net_spend: Floats) -> Floats:
        """The expected returned share per customer, in [0, 1], shape (rows,)."""
        returned = np.maximum(0.0, spend - net_spend)
        share = (returned + self.rate * self.prior_spend) / np.maximum(
            1e-9, spend + self.prior_spend
        )
        return np.clip(share, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class LifetimeValueModel:
    """A fitted lifetime value model.

    Attributes:
        candidate: Which of the candidates it is.
        names: The features it expects, in order.
        horizon_days: The horizon of its values.
        level: The factor that scales gross predictions.
        returns: The return rate that is subtracted.
        intervals: The intervals around its predictions.
        trees: The ensemble; None for the customer-base model.
    """

    candidate: Candidate
    names: tuple[str, ...]
    horizon_days: int
    level: float
    returns: Returns
    intervals: Intervals
    trees: Trees | None

    def __post_init__(self) -> None:
        if self.candidate not in CANDIDATES or not {*COLUMNS}.issubset(self.names):
            raise ValueError(f"no value model: {self.candidate} on {len(self.names)} features")
        if (self.trees is None) != (self.candidate == "customer_base"):
            raise ValueError(f"trees and a {self.candidate} model do not go together")

    def predict(self, features: NDArray[np.float32]) -> Floats:
        """Net spend expected within the horizon, currency units, at least 0, shape (rows,)."""
        base = self._column(features, CUSTOMER_BASE)
        boosted = base if self.trees is None else self.trees.predict(features)
        gross = self.level * _combined(self.candidate, boosted, base)
        spend, net_spend = self._column(features, "spend"), self._column(features, "net_spend")
        kept: Floats = gross * (1 - self.returns.of(spend, net_spend))
        return kept

    def interval(self, features: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """The ends of the interval around `predict`, each of shape (rows,)."""
        return self.intervals.around(self.predict(features), self._column(features, "net_spend"))

    def to_files(self) -> ModelFiles:
        """The model as data."""
        values = {
            "candidate": self.candidate,
            "names": self.names,
            "horizon_days": self.horizon_days,
            "level": self.level,
            "returns": {"rate": self.returns.rate, "prior_spend": self.returns.prior_spend},
            "intervals": self.intervals.to_dict(),
        }
        files = {DESCRIPTION: described(KIND, values)}
        return files | ({TREES: self.trees.text.encode()} if self.trees else {})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "LifetimeValueModel":
        """The model in files that `to_files` gave.

        Raises:
            DataError: They are no lifetime value model of this format.
        """
        values: dict[str, Any] = description(files, KIND)
        with understood():
            names = tuple(values["names"])
            return cls(
                candidate=values["candidate"],
                names=names,
                horizon_days=int(values["horizon_days"]),
                level=float(values["level"]),
                returns=Returns(**values["returns"]),
                intervals=Intervals.from_dict(values["intervals"]),
                trees=load(files[TREES].decode(), names=names) if TREES in files else None,
            )

    def _column(self, features: NDArray[np.float32], name: str) -> Floats:
        return features[:, self.names.index(name)].astype(np.float64)


def fit_lifetime_value(
    snapshots: Snapshots,
    weight: Floats,
    *,
    horizon_days: int,
    coverage: float,
    tier_edges: tuple[float, ...],
    seed: int,
    parameters: TreeParameters = DEFAULTS,
) -> dict[str, LifetimeValueModel]:
    """Every candidate, fitted on labelled snapshots.

    Where some fold's rows to learn from hold no spend, only the customer-base model comes back.
    """
    fit = fit_value_trees(snapshots, weight, seed=seed, parameters=parameters)
    returns = _fit_returns(snapshots)
    candidates: tuple[Candidate, ...] = CANDIDATES if fit else ("customer_base",)
    return {
        candidate: _fitted(
            candidate,
            fit=fit,
            snapshots=snapshots,
            weight=weight,
            returns=returns,
            horizon_days=horizon_days,
            coverage=coverage,
            tier_edges=tier_edges,
        )
        for candidate in candidates
    }


def fit_value_trees(
    snapshots: Snapshots, weight: Floats, *, seed: int, parameters: TreeParameters
) -> Fit | None:
    """The trees of gross spend alone; None where some fold's rows to learn from hold no spend."""
    if not is_learnable(snapshots.spend > 0, snapshots.customer, seed):
        return None
    return fit_trees(
        snapshots.features,
        snapshots.spend,
        names=snapshots.names,
        customer=snapshots.customer,
        objective="tweedie",
        seed=seed,
        weight=weight,
        parameters=parameters,
    )


def _fitted(
    candidate: Candidate,
    *,
    fit: Fit | None,
    snapshots: Snapshots,
    weight: Floats,
    returns: Returns,
    horizon_days: int,
    coverage: float,
    tier_edges: tuple[float, ...],
) -> LifetimeValueModel:
    base = snapshots.column(CUSTOMER_BASE).astype(np.float64)
    gross = _combined(candidate, fit.held_out if fit else base, base)
    level = _level(gross, snapshots.spend, weight)
    spend = snapshots.column("spend").astype(np.float64)
    net_spend = snapshots.column("net_spend").astype(np.float64)
    predicted = level * gross * (1 - returns.of(spend, net_spend))
    latest = _latest_row(snapshots)
    return LifetimeValueModel(
        candidate=candidate,
        names=snapshots.names,
        horizon_days=horizon_days,
        level=level,
        returns=returns,
        intervals=fit_intervals(
            predicted[latest],
            snapshots.net[latest],
            net_spend[latest],
            tier_edges=tier_edges,
            coverage=coverage,
        ),
        trees=fit.trees if fit and candidate != "customer_base" else None,
    )


def _combined(candidate: Candidate, boosted: Floats, base: Floats) -> Floats:
    if candidate == "boosted":
        return boosted
    if candidate == "customer_base":
        return base
    combined: Floats = (boosted + base) / 2
    return combined


def _level(gross: Floats, spend: Floats, weight: Floats) -> float:
    """The factor to the outcomes' total, shrunk to 1 as if 200 buyers had been met exactly."""
    buyers = spend > 0
    if not buyers.any():
        return 1.0
    prior = PRIOR_BUYERS * float(np.average(spend[buyers], weights=weight[buyers]))
    actual, expected = float((weight * spend).sum()), float((weight * gross).sum())
    return (actual + prior) / (expected + prior)


def _fit_returns(snapshots: Snapshots) -> Returns:
    total = float(snapshots.spend.sum())
    rate = min(1.0, float(snapshots.returned.sum()) / total) if total else 0.0
    ticket = float(np.median(snapshots.column("ticket")))
    return Returns(rate=rate, prior_spend=PRIOR_TICKETS * max(ticket, 1e-6))


def _latest_row(snapshots: Snapshots) -> NDArray[np.int64]:
    """The row of each customer's latest snapshot."""
    order = np.lexsort((-snapshots.day, snapshots.customer))
    first = np.unique(snapshots.customer[order], return_index=True)[1]
    rows: NDArray[np.int64] = order[first]
    return rows
