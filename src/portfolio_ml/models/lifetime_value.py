"""Net spend, or margin, within the horizon, with an interval.

Candidates model gross purchases: boosted trees (a hurdle model), the customer-base model
(Pareto/NBD x Gamma-Gamma), and a blend of both. A shrunk return rate is subtracted; where margin
is measured, what is left is multiplied by a shrunk margin share.

Nothing is scaled to the level of recent outcomes. In `make bench-ablations` (`docs/ablations.md`)
the totals of the blend are off by 16 % on average, of the trees by 18 %, and of trees scaled to the
latest snapshot's total by 21 %: how far one window's total lies off says little of the next one's.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.models.blend import CANDIDATES, Candidate, of_values
from portfolio_ml.models.extension import TENURE, Extension
from portfolio_ml.models.files import (
    DESCRIPTION,
    ModelFiles,
    days,
    described,
    description,
    numbers,
    texts,
    understood,
)
from portfolio_ml.models.hurdle import AMOUNT, Hurdle, HurdleFit
from portfolio_ml.models.intervals import Intervals, fit_intervals
from portfolio_ml.models.margins import COLUMN as MARGIN
from portfolio_ml.models.margins import Margins, fit_margins
from portfolio_ml.schema import Measure
from portfolio_ml.snapshots import Snapshots

Floats = NDArray[np.float64]

KIND = "lifetime_value"
CUSTOMER_BASE = "expected_spend"
COLUMNS = (CUSTOMER_BASE, "spend", "net_spend")
PRIOR_TICKETS = 5.0


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

    def __post_init__(self) -> None:
        if not (0 <= self.rate <= 1 and 0 < self.prior_spend < np.inf):
            raise ValueError(f"no return rate: {self.rate}, prior spend {self.prior_spend}")

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
        horizon_days: The horizon that it learnt.
        returns: The return rate that is subtracted.
        intervals: The intervals around its predictions.
        trees: The ensembles; None for the customer-base model.
        margins: The margin share; None where value is revenue.
        extension: What stretches values to a longer horizon than history could label, if any.
    """

    candidate: Candidate
    names: tuple[str, ...]
    horizon_days: int
    returns: Returns
    intervals: Intervals
    trees: Hurdle | None
    margins: Margins | None = None
    extension: Extension | None = None

    def __post_init__(self) -> None:
        if self.candidate not in CANDIDATES or not {*COLUMNS}.issubset(self.names):
            raise ValueError(f"no value model: {self.candidate} on {len(self.names)} features")
        if (self.trees is None) != (self.candidate == "customer_base"):
            raise ValueError(f"trees and a {self.candidate} model do not go together")
        if self.margins is not None and MARGIN not in self.names:
            raise ValueError("no margin model without the margin so far")
        if self.extension is not None and (
            self.extension.days <= self.horizon_days or TENURE not in self.names
        ):
            raise ValueError(f"no extension of {self.horizon_days} to {self.extension.days} days")

    @property
    def measure(self) -> Measure:
        """What its values are."""
        return "revenue" if self.margins is None else "margin"

    @property
    def predicted_days(self) -> int:
        """The horizon of its values: the one that it learnt, or the one it is extended to."""
        return self.horizon_days if self.extension is None else self.extension.days

    def predict(self, features: NDArray[np.float32]) -> Floats:
        """Value expected within `predicted_days`, currency units, shape (rows,).

        Net spend is at least 0; margin is below it where cost exceeds what is paid.
        """
        return self.learned(features) * self.stretch(features)

    def interval(self, features: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """The ends of the interval around `predict`, each of shape (rows,).

        Those of an extended value are stretched like it; no outcome has shown their coverage.
        """
        low, high = self._learned_interval(features)
        stretch = self.stretch(features)
        return low * stretch, high * stretch

    def learned(self, features: NDArray[np.float32]) -> Floats:
        """Value expected within `horizon_days`, currency units, shape (rows,)."""
        return self._valued(self._net(features), features)

    def stretch(self, features: NDArray[np.float32]) -> Floats:
        """By how much the extension makes values grow, shape (rows,); 1 without one."""
        if self.extension is None:
            return np.ones(len(features))
        tenure = self._column(features, TENURE)
        return self.extension.stretch(tenure, learned_days=self.horizon_days)

    def _learned_interval(self, features: NDArray[np.float32]) -> tuple[Floats, Floats]:
        net = self._net(features)
        low, high = self.intervals.around(net, self._column(features, "net_spend"))
        if self.margins is None:
            return low, high
        shift = self._valued(net, features) - net
        return low + shift, high + shift

    def _net(self, features: NDArray[np.float32]) -> Floats:
        base = self._column(features, CUSTOMER_BASE)
        boosted = base if self.trees is None else self.trees.predict(features)
        gross = of_values(self.candidate, boosted, base)
        spend, net_spend = self._column(features, "spend"), self._column(features, "net_spend")
        kept: Floats = gross * (1 - self.returns.of(spend, net_spend))
        return kept

    def _valued(self, net: Floats, features: NDArray[np.float32]) -> Floats:
        if self.margins is None:
            return net
        net_spend, margin = self._column(features, "net_spend"), self._column(features, MARGIN)
        value: Floats = net * self.margins.of(net_spend, margin)
        return value

    def to_files(self) -> ModelFiles:
        """The model as data."""
        values: dict[str, Any] = {
            "candidate": self.candidate,
            "names": self.names,
            "horizon_days": self.horizon_days,
            "returns": {"rate": self.returns.rate, "prior_spend": self.returns.prior_spend},
            "intervals": self.intervals.to_dict(),
        }
        if self.margins is not None:
            values["margins"] = asdict(self.margins)
        if self.extension is not None:
            values["extension"] = self.extension.to_dict()
        files = {DESCRIPTION: described(KIND, values)}
        return files | (self.trees.to_files() if self.trees else {})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "LifetimeValueModel":
        """The model in files that `to_files` gave.

        Raises:
            DataError: They are no lifetime value model of this format.
        """
        values: dict[str, Any] = description(files, KIND)
        with understood():
            names = texts(values["names"])
            return cls(
                candidate=values["candidate"],
                names=names,
                horizon_days=days(values["horizon_days"]),
                returns=Returns(**numbers(values["returns"])),
                intervals=Intervals.from_dict(values["intervals"]),
                trees=Hurdle.from_files(files, names=names) if AMOUNT in files else None,
                margins=Margins(**numbers(values["margins"])) if "margins" in values else None,
                extension=(
                    Extension.from_dict(values["extension"]) if "extension" in values else None
                ),
            )

    def _column(self, features: NDArray[np.float32], name: str) -> Floats:
        return features[:, self.names.index(name)].astype(np.float64)


def value_candidates(
    snapshots: Snapshots,
    fit: HurdleFit | None,
    *,
    horizon_days: int,
    coverage: float,
    tier_edges: tuple[float, ...],
) -> dict[str, LifetimeValueModel]:
    """Every candidate, fitted on labelled snapshots.

    Args:
        snapshots: The rows.
        fit: The trees fitted on them; without any, only the customer-base model comes back.
        horizon_days: How far the values look ahead.
        coverage: The share of outcomes meant to lie inside an interval.
        tier_edges: The net spend that parts the value tiers.
    """
    returns = returns_of(
        float(snapshots.spend.sum()),
        float(snapshots.returned.sum()),
        prior_spend_of(snapshots.column("ticket").astype(np.float64)),
    )
    candidates: tuple[Candidate, ...] = CANDIDATES if fit else ("customer_base",)
    return {
        candidate: _fitted(
            candidate,
            fit=fit,
            snapshots=snapshots,
            returns=returns,
            horizon_days=horizon_days,
            coverage=coverage,
            tier_edges=tier_edges,
        )
        for candidate in candidates
    }


def _fitted(
    candidate: Candidate,
    *,
    fit: HurdleFit | None,
    snapshots: Snapshots,
    returns: Returns,
    horizon_days: int,
    coverage: float,
    tier_edges: tuple[float, ...],
) -> LifetimeValueModel:
    base = snapshots.column(CUSTOMER_BASE).astype(np.float64)
    gross = of_values(candidate, fit.held_out if fit else base, base)
    spend = snapshots.column("spend").astype(np.float64)
    net_spend = snapshots.column("net_spend").astype(np.float64)
    predicted = gross * (1 - returns.of(spend, net_spend))
    actual, margins = snapshots.value, fit_margins(snapshots, returns.prior_spend)
    if margins is not None:  # an interval is what net spend would have been, missed by as much
        share = margins.of(net_spend, snapshots.column(MARGIN).astype(np.float64))
        actual = actual + predicted * (1 - share)
    latest = _latest_row(snapshots)
    return LifetimeValueModel(
        candidate=candidate,
        names=snapshots.names,
        horizon_days=horizon_days,
        returns=returns,
        intervals=fit_intervals(
            predicted[latest],
            actual[latest],
            net_spend[latest],
            tier_edges=tier_edges,
            coverage=coverage,
        ),
        trees=fit.hurdle if fit and candidate != "customer_base" else None,
        margins=margins,
    )


def returns_of(spend: float, returned: float, prior_spend: float) -> Returns:
    """The portfolio's returned share of these totals."""
    rate = min(1.0, float(returned) / float(spend)) if spend else 0.0
    return Returns(rate=rate, prior_spend=prior_spend)


def prior_spend_of(tickets: Floats) -> float:
    """The spend that a portfolio's rate counts for, of its customers' mean spend per order."""
    return PRIOR_TICKETS * max(float(np.median(tickets)), 1e-6)


def _latest_row(snapshots: Snapshots) -> NDArray[np.int64]:
    """The row of each customer's latest snapshot."""
    order = np.lexsort((-snapshots.day, snapshots.customer))
    first = np.unique(snapshots.customer[order], return_index=True)[1]
    rows: NDArray[np.int64] = order[first]
    return rows
