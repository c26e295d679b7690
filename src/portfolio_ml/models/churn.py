"""The probability of no purchase within the horizon.

Three candidates, from the same held-out predictions: boosted trees, the customer-base model, and a
blend of both. Each is calibrated by a strictly increasing map.

No feature is held to a direction: constraints on recency, purchase days and the expectations
change little in `make bench-ablations` (`docs/reference/ablations.md`: mean AUROC .8170 against
.8157, mean log loss .3951 against .3947).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.models.blend import CANDIDATES, Candidate, of_chances
from portfolio_ml.models.calibration import Calibration, fit_calibration
from portfolio_ml.models.files import (
    DESCRIPTION,
    TREES,
    ModelFiles,
    days,
    described,
    description,
    listed,
    texts,
    understood,
)
from portfolio_ml.models.seasonality import AS_OF, Seasonality, learned_names
from portfolio_ml.models.trees import (
    Fit,
    TreeParameters,
    Trees,
    fit_trees,
    is_learnable,
    load,
)
from portfolio_ml.snapshots import Snapshots

Floats = NDArray[np.float64]

KIND = "churn"
CUSTOMER_BASE = "p_no_purchase"

# The mean contributions of more rows than these differ by less than any reason has to be worth.
STAYER_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class ChurnModel:
    """A fitted churn model.

    Attributes:
        candidate: Which of the candidates it is.
        names: The features it expects, in order; the as-of day is the last where it knows a season.
        horizon_days: The horizon of its probabilities.
        calibration: The map that ends it.
        trees: The ensemble; None for the customer-base model.
        stayers: Per feature, its mean contribution to the trees' log-odds among those who bought
            within the horizon, against whom `contributions` are told; empty without trees.
        seasonality: What the time of the year does to its probabilities, if anything.
    """

    candidate: Candidate
    names: tuple[str, ...]
    horizon_days: int
    calibration: Calibration
    trees: Trees | None
    stayers: tuple[float, ...] = ()
    seasonality: Seasonality | None = None

    def __post_init__(self) -> None:
        if self.candidate not in CANDIDATES or CUSTOMER_BASE not in self.names:
            raise ValueError(f"no churn model: {self.candidate} on {len(self.names)} features")
        if (self.trees is None) != (self.candidate == "customer_base"):
            raise ValueError(f"trees and a {self.candidate} model do not go together")
        if len(self.stayers) != (0 if self.trees is None else len(self.learned_names)):
            raise ValueError(f"{len(self.stayers)} contributions of {len(self.names)} features")
        if (self.seasonality is not None) != (self.names[-1] == AS_OF):
            raise ValueError("a season and the as-of day go together")
        if not np.isfinite(self.stayers).all():
            raise ValueError("a mean contribution is not finite")

    def predict(self, features: NDArray[np.float32], *, boosted: Floats | None = None) -> Floats:
        """P(no purchase within the horizon), shape (rows,).

        Args:
            features: Shape (rows, len(names)); NaN is null.
            boosted: What `boosted` gives of them, where that is known.
        """
        base = self._base(features)
        boosted = self.boosted(features) if boosted is None else boosted
        if self.seasonality is not None:
            shift = self.seasonality.shift(features, self.names, horizon_days=self.horizon_days)
            boosted, base = self.seasonality.shifted(boosted, base, shift)
        return self.calibration(of_chances(self.candidate, boosted, base))

    def boosted(self, features: NDArray[np.float32]) -> Floats:
        """The same by the trees alone, not calibrated; by the customer base without any."""
        if self.trees is None:
            return self._base(features)
        return self.trees.predict(self._learned(features))

    def _base(self, features: NDArray[np.float32]) -> Floats:
        return features[:, self.names.index(CUSTOMER_BASE)].astype(np.float64)

    @property
    def learned_names(self) -> tuple[str, ...]:
        """The features that its trees learnt from."""
        return learned_names(self.names)

    def _learned(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return features[:, : len(self.learned_names)]

    def contributions(self, features: NDArray[np.float32]) -> Floats:
        """What each feature adds to the trees' log-odds, against the mean of those who stay.

        Exact SHAP values, shifted: those of a row add up to its log-odds before calibration, minus
        the mean log-odds of those who stay.

        Args:
            features: Shape (rows, len(names)); NaN is null.

        Returns:
            Shape (rows, len(learned_names)).

        Raises:
            ValueError: The model has no trees.
        """
        if self.trees is None:
            raise ValueError("a model without trees has no contributions")
        contributions = self.trees.contributions(self._learned(features))
        against_stayers: Floats = contributions - np.asarray(self.stayers)
        return against_stayers

    def to_files(self) -> ModelFiles:
        """The model as data."""
        values: dict[str, Any] = {
            "candidate": self.candidate,
            "names": self.names,
            "horizon_days": self.horizon_days,
            "calibration": self.calibration.to_dict(),
            "stayers": self.stayers,
        }
        if self.seasonality is not None:
            values["seasonality"] = self.seasonality.to_dict()
        files = {DESCRIPTION: described(KIND, values)}
        return files | ({TREES: self.trees.text.encode()} if self.trees else {})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "ChurnModel":
        """The model in files that `to_files` gave.

        Raises:
            DataError: They are no churn model of this format.
        """
        values = description(files, KIND)
        with understood():
            names = texts(values["names"])
            season = values.get("seasonality")
            seasonality = None if season is None else Seasonality.from_dict(season)
            return cls(
                candidate=values["candidate"],
                names=names,
                horizon_days=days(values["horizon_days"]),
                calibration=Calibration.from_dict(values["calibration"]),
                trees=load(files[TREES].decode(), names=learned_names(names))
                if TREES in files
                else None,
                stayers=listed(values["stayers"]),
                seasonality=seasonality,
            )


def churn_candidates(
    snapshots: Snapshots,
    weight: Floats,
    fit: Fit | None,
    *,
    horizon_days: int,
    seed: int,
    seasonality: Seasonality | None = None,
) -> dict[str, ChurnModel]:
    """Every candidate, fitted on labelled snapshots.

    Args:
        snapshots: The rows.
        weight: What each weighs, shape (rows,).
        fit: The trees fitted on them; without any, only the customer-base model comes back.
        horizon_days: How far the probabilities look ahead.
        seed: Chooses the rows whose contributions stand for those who stay.
        seasonality: The season that the history shows, if any.
    """
    candidates: tuple[Candidate, ...] = CANDIDATES if fit else ("customer_base",)
    stayers = _stayers(fit.trees, snapshots, weight, seed) if fit else ()
    return {
        c: _fitted(
            c,
            fit,
            snapshots,
            weight,
            stayers=stayers,
            horizon_days=horizon_days,
            seasonality=seasonality,
        )
        for c in candidates
    }


def fit_churn_trees(
    snapshots: Snapshots,
    weight: Floats,
    *,
    seed: int,
    parameters: TreeParameters,
    final: Callable[[int], Trees] | None = None,
) -> Fit | None:
    """The trees alone; None where some fold's rows to learn from lack one of the outcomes."""
    outcomes = (snapshots.churned, ~snapshots.churned)
    if not all(is_learnable(outcome, snapshots.customer, seed) for outcome in outcomes):
        return None
    return fit_trees(
        snapshots.features,
        snapshots.churned.astype(np.float64),
        names=snapshots.names,
        customer=snapshots.customer,
        objective="binary",
        seed=seed,
        weight=weight,
        parameters=parameters,
        final=final,
    )


def _fitted(
    candidate: Candidate,
    fit: Fit | None,
    snapshots: Snapshots,
    weight: Floats,
    *,
    stayers: tuple[float, ...],
    horizon_days: int,
    seasonality: Seasonality | None,
) -> ChurnModel:
    base = snapshots.column(CUSTOMER_BASE).astype(np.float64)
    boosted, names = fit.held_out if fit else base, snapshots.names
    if seasonality is not None:
        names = (*names, AS_OF)
        shift = seasonality.shift(snapshots.inputs(names), names, horizon_days=horizon_days)
        learned = float(np.average(shift, weights=weight * boosted * (1 - boosted)))
        seasonality = replace(seasonality, learned=learned)
        boosted, base = seasonality.shifted(boosted, base, shift)
    held_out = of_chances(candidate, boosted, base)
    trees = fit.trees if fit and candidate != "customer_base" else None
    return ChurnModel(
        candidate=candidate,
        names=names,
        horizon_days=horizon_days,
        calibration=fit_calibration(held_out, snapshots.churned, weight),
        trees=trees,
        stayers=stayers if trees else (),
        seasonality=seasonality,
    )


def _stayers(trees: Trees, snapshots: Snapshots, weight: Floats, seed: int) -> tuple[float, ...]:
    """Each feature's mean contribution among those who bought within the horizon."""
    rows = np.flatnonzero(~snapshots.churned)
    if rows.size > STAYER_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, STAYER_ROWS, replace=False))
    contributions = trees.contributions(snapshots.features[rows])
    return tuple(np.average(contributions, axis=0, weights=weight[rows]).tolist())
