"""Net spend, or margin, within the horizon, with an interval.

Candidates model gross purchases: boosted trees (a hurdle model), the customer-base model
(Pareto/NBD x Gamma-Gamma), and a blend of both. A shrunk return rate is subtracted; where margin
is measured, what is left is multiplied by a shrunk margin share.

Where years repeat a season, values follow it (`seasonality`). Nothing else is scaled to the level
of recent outcomes. In `make bench-ablations` (`docs/reference/ablations.md`) the totals of the
blend are off by 16 % on average, of the trees by 18 %, and of trees scaled to the latest
snapshot's total by 21 %: how far one window's total lies off says little of the next one's.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
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
from portfolio_ml.models.returns import Returns, prior_spend_of, returns_of
from portfolio_ml.models.seasonality import AS_OF, Seasonality, learned_names
from portfolio_ml.schema import Measure
from portfolio_ml.snapshots import Snapshots

Floats = NDArray[np.float64]

KIND = "lifetime_value"
CUSTOMER_BASE = "expected_spend"
COLUMNS = (CUSTOMER_BASE, "spend", "net_spend")


@dataclass(frozen=True, slots=True)
class LifetimeValueModel:
    """A fitted lifetime value model.

    Attributes:
        candidate: Which of the candidates it is.
        names: The features it expects, in order; the as-of day is the last where it knows a season.
        horizon_days: The horizon that it learnt.
        returns: The return rate that is subtracted.
        intervals: The intervals around its predictions.
        trees: The ensembles; None for the customer-base model.
        margins: The margin share; None where value is revenue.
        extension: What stretches values to a longer horizon than history could label, if any.
        seasonality: What the time of the year does to its values, if anything.
    """

    candidate: Candidate
    names: tuple[str, ...]
    horizon_days: int
    returns: Returns
    intervals: Intervals
    trees: Hurdle | None
    margins: Margins | None = None
    extension: Extension | None = None
    seasonality: Seasonality | None = None

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
        if (self.seasonality is not None) != (self.names[-1] == AS_OF):
            raise ValueError("a season and the as-of day go together")

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
        net = self._net(features, self._boosted(features), self.predicted_days)
        return self._valued(net, features) * self.stretch(features)

    def interval(self, features: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """The ends of the interval around `predict`, each of shape (rows,).

        Those of an extended value are stretched like it; no outcome has shown their coverage.
        """
        _, low, high = self.forecast(features)
        return low, high

    def forecast(self, features: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
        """`predict` and the ends of `interval`, from one run of the trees."""
        return self._forecast(features, self._boosted(features))

    def learned(self, features: NDArray[np.float32]) -> Floats:
        """Value expected within `horizon_days`, currency units, shape (rows,)."""
        return self._learned(features, self._boosted(features))

    def forecast_and_learned(
        self, features: NDArray[np.float32], *, silence: Floats | None = None
    ) -> tuple[tuple[Floats, Floats, Floats], Floats]:
        """What `forecast` and `learned` give, from one run of the trees.

        Args:
            features: Shape (rows, len(names)); NaN is null.
            silence: What the trees' first part predicts, where that is known.
        """
        boosted = self._boosted(features, silence)
        return self._forecast(features, boosted), self._learned(features, boosted)

    def _forecast(
        self, features: NDArray[np.float32], boosted: Floats
    ) -> tuple[Floats, Floats, Floats]:
        net, stretch = self._net(features, boosted, self.predicted_days), self.stretch(features)
        value = self._valued(net, features)
        low, high = self.intervals.around(net, self._column(features, "net_spend"))
        shift = value - net  # where margin is measured; 0 otherwise
        return value * stretch, (low + shift) * stretch, (high + shift) * stretch

    def _learned(self, features: NDArray[np.float32], boosted: Floats) -> Floats:
        return self._valued(self._net(features, boosted, self.horizon_days), features)

    def stretch(self, features: NDArray[np.float32]) -> Floats:
        """By how much the extension makes values grow, shape (rows,); 1 without one."""
        if self.extension is None:
            return np.ones(len(features))
        tenure = self._column(features, TENURE)
        return self.extension.stretch(tenure, learned_days=self.horizon_days)

    def seasonal(self, features: NDArray[np.float32], days: int) -> Floats:
        """By how much the season changes purchases within `days`, shape (rows,); 1 without one."""
        if self.seasonality is None:
            return np.ones(len(features))
        return self.seasonality.stretch(features, self.names, horizon_days=days)

    def _boosted(self, features: NDArray[np.float32], silence: Floats | None = None) -> Floats:
        """Gross spend within `horizon_days` by the trees; by the customer base without any."""
        if self.trees is None:
            return self._column(features, CUSTOMER_BASE)
        learned = features[:, : len(learned_names(self.names))]
        return self.trees.predict(learned, silence=silence)

    def _net(self, features: NDArray[np.float32], boosted: Floats, days: int) -> Floats:
        """Net spend within `horizon_days`, in the season of the next `days`."""
        base = self._column(features, CUSTOMER_BASE)
        if self.seasonality is not None:
            stretch = self.seasonal(features, days)
            boosted, base = self.seasonality.stretched(boosted, base, stretch)
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

    def pace_ahead(self, day: int) -> float | None:
        """The season's pace within `predicted_days` after a day; None where it knows none."""
        if self.seasonality is None:
            return None
        return self.seasonality.season.ahead(day, self.predicted_days)

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
        if self.seasonality is not None:
            values["seasonality"] = self.seasonality.to_dict()
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
                trees=(
                    Hurdle.from_files(files, names=learned_names(names))
                    if AMOUNT in files
                    else None
                ),
                margins=Margins(**numbers(values["margins"])) if "margins" in values else None,
                extension=(
                    Extension.from_dict(values["extension"]) if "extension" in values else None
                ),
                seasonality=(
                    Seasonality.from_dict(values["seasonality"])
                    if "seasonality" in values
                    else None
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
    seasonality: Seasonality | None = None,
) -> dict[str, LifetimeValueModel]:
    """Every candidate, fitted on labelled snapshots.

    Args:
        snapshots: The rows.
        fit: The trees fitted on them; without any, only the customer-base model comes back.
        horizon_days: How far the values look ahead.
        coverage: The share of outcomes meant to lie inside an interval.
        tier_edges: The net spend that parts the value tiers.
        seasonality: The season that the history shows, if any.
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
            seasonality=seasonality,
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
    seasonality: Seasonality | None,
) -> LifetimeValueModel:
    base = snapshots.column(CUSTOMER_BASE).astype(np.float64)
    boosted, names = fit.held_out if fit else base, snapshots.names
    if seasonality is not None:
        names = (*names, AS_OF)
        stretch = seasonality.stretch(snapshots.inputs(names), names, horizon_days=horizon_days)
        learned = _learned_stretch(stretch, boosted)
        seasonality = replace(seasonality, learned=learned)
        boosted, base = seasonality.stretched(boosted, base, stretch)
    gross = of_values(candidate, boosted, base)
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
        names=names,
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
        seasonality=seasonality,
    )


def _learned_stretch(stretch: Floats, values: Floats) -> float:
    """The logarithm of the mean stretch, each row counting as much as its value."""
    total = float(values.sum())
    return float(np.log((stretch * values).sum() / total)) if total > 0 else 0.0


def _latest_row(snapshots: Snapshots) -> NDArray[np.int64]:
    """The row of each customer's latest snapshot."""
    order = np.lexsort((-snapshots.day, snapshots.customer))
    first = np.unique(snapshots.customer[order], return_index=True)[1]
    rows: NDArray[np.int64] = order[first]
    return rows
