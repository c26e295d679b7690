"""What is predicted of one target to be judged, and the judgement: every figure and the winner."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.acting import Advice
from portfolio_ml.metrics import Difference
from portfolio_ml.schema import Measure

Floats = NDArray[np.float64]
Supervised = Literal["churn", "lifetime_value"]
Population = Literal["all", "active"]

PRIMARY = {"churn": "auroc", "lifetime_value": "normalised_gini"}
CHOSEN_BY = {"churn": "log_loss", "lifetime_value": "normalised_gini"}
LEVEL = 0.9
BLEND = "blend"
POPULATIONS: tuple[Population, ...] = ("all", "active")
CURVE_POINTS = 51


@dataclass(frozen=True, slots=True)
class Predictions:
    """What was predicted and what happened, pooled over cutoffs; arrays have shape (rows,).

    Attributes:
        cutoff: The cutoff's day.
        customer: A number per customer.
        is_active: Whether the customer was active at the cutoff.
        actual: Churned (0 or 1), or net spend or margin in currency units.
        candidates: Per candidate, its predictions.
        baselines: Per baseline, its scores; only their order means something.
        intervals: Per candidate, the ends of its intervals, shape (rows, 2); empty for churn.
        sections: Per way of dividing the customers (`value_tier`, ...), each one's part.
    """

    cutoff: NDArray[np.int32]
    customer: NDArray[np.int64]
    is_active: NDArray[np.bool_]
    actual: Floats
    candidates: Mapping[str, Floats]
    baselines: Mapping[str, Floats]
    intervals: Mapping[str, Floats] = field(default_factory=dict)
    sections: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SectionScore:
    """How the winner did on a part of the customers, pooled over cutoffs.

    Attributes:
        section: How the customers are divided, such as `value_tier`.
        part: The part, such as `A`.
        rows: Its customers, counted at each cutoff.
        actual: The mean outcome.
        predicted: The mean prediction.
        primary: The primary metric; None where it is not defined.
        coverage: The share of outcomes inside the intervals; None without intervals.
    """

    section: str
    part: str
    rows: int
    actual: float
    predicted: float
    primary: float | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """One figure: a model, judged by a metric on a population at a cutoff (None: the mean)."""

    model: str
    metric: str
    population: Population
    cutoff: date | None
    value: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """How the candidates of one target did.

    Attributes:
        target: `churn` or `lifetime_value`.
        cutoffs: The evaluation cutoffs, ascending.
        winner: The candidate that is used from here on.
        best_baseline: The baseline with the best primary metric.
        scores: Every figure.
        gains: Per metric and opponent (baselines and other candidates), the winner's gain.
        curves: The winner's calibration and gains (churn) or deciles (value), for drawing.
        predictions: What was judged.
        measure: What value is.
        acting: Whom to act on, for churn; None where the settings do not say what acting costs.
        sections: How the winner did on each part of the customers.
    """

    target: Supervised
    cutoffs: tuple[date, ...]
    winner: str
    best_baseline: str
    scores: tuple[Score, ...]
    gains: Mapping[str, Mapping[str, Difference]]
    curves: Mapping[str, list[dict[str, float]]]
    predictions: Predictions
    measure: Measure = "revenue"
    acting: Advice | None = None
    sections: tuple[SectionScore, ...] = ()

    @property
    def primary(self) -> str:
        """The metric that decides."""
        return PRIMARY[self.target]

    def value(
        self,
        model: str,
        metric: str,
        *,
        population: Population = "all",
        cutoff: date | None = None,
    ) -> float:
        """One of the figures; NaN where it does not exist."""
        wanted = (model, metric, population, cutoff)
        for score in self.scores:
            if (score.model, score.metric, score.population, score.cutoff) == wanted:
                return score.value
        return float("nan")

    def to_dict(self) -> dict[str, Any]:
        """The judgement as plain JSON values, without the predictions."""
        return {
            "target": self.target,
            "cutoffs": [day.isoformat() for day in self.cutoffs],
            "winner": self.winner,
            "best_baseline": self.best_baseline,
            "primary": self.primary,
            "scores": [
                {
                    "model": s.model,
                    "metric": s.metric,
                    "population": s.population,
                    "cutoff": s.cutoff.isoformat() if s.cutoff else None,
                    "value": s.value,
                }
                for s in self.scores
            ],
            "gains": {
                metric: {
                    opponent: {"estimate": d.estimate, "low": d.low, "high": d.high}
                    for opponent, d in gains.items()
                }
                for metric, gains in self.gains.items()
            },
            "curves": {name: list(points) for name, points in self.curves.items()},
            "sections": [asdict(section) for section in self.sections],
            **({} if self.measure == "revenue" else {"measure": self.measure}),
            **({} if self.acting is None else {"acting": self.acting.to_dict()}),
        }


def unjudged(target: str) -> dict[str, Any]:
    """What stands instead of `Judgement.to_dict` where no outcome could judge: nothing but names.

    Example:
        >>> unjudged("churn")["cutoffs"]
        []
    """
    return {
        "target": target,
        "cutoffs": [],
        "winner": "customer_base",
        "best_baseline": None,
        "primary": PRIMARY[target],
        "scores": [],
        "gains": {},
        "curves": {},
        "sections": [],
    }
