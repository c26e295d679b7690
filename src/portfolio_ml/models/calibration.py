"""A strictly increasing map from a model's probabilities to calibrated ones.

Platt (1999) on the log-odds, with the intercept and slope shrunk towards leaving things as they
are, so that few or unrepresentative rows cannot do harm. Where there is no outcome to calibrate
with, Laplace's rule of succession keeps probabilities as far from 0 and 1 as what was seen demands.
"""

from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Floats = NDArray[np.float64]

PRIOR_ROWS = 200.0
SMALLEST_SLOPE = 0.2
_CLIP = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """log-odds -> intercept + slope x log-odds; the slope is positive.

    Attributes:
        intercept: What is added to the log-odds.
        slope: What they are multiplied by, above 0.
        trials: How many observations the probabilities rest on where no outcome has confirmed
            them: they count for as many, beside one of each outcome, so that none is below
            1 / (trials + 2). None where outcomes have.

    Example:
        >>> Calibration(intercept=0.0, slope=0.5)(np.array([0.1, 0.5, 0.9])).round(3)
        array([0.25, 0.5 , 0.75])
        >>> Calibration(trials=8)(np.array([0.0, 0.5, 0.9])).round(3)
        array([0.1 , 0.5 , 0.82])
    """

    intercept: float = 0.0
    slope: float = 1.0
    trials: float | None = None

    def __post_init__(self) -> None:
        has_trials = self.trials is None or 0 < self.trials < inf
        if not (isfinite(self.intercept) and 0 < self.slope < inf and has_trials):
            raise ValueError(f"a calibration must increase: saw {self.to_dict()}")

    def __call__(self, probability: Floats) -> Floats:
        """Calibrated probabilities, shape (rows,)."""
        values: Floats = expit(self.intercept + self.slope * log_odds(probability))
        return values if self.trials is None else (self.trials * values + 1) / (self.trials + 2)

    def to_dict(self) -> dict[str, float]:
        """The map as plain JSON values; without trials where outcomes have confirmed it."""
        trials = {} if self.trials is None else {"trials": self.trials}
        return {"intercept": self.intercept, "slope": self.slope, **trials}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Calibration":
        """The map that `to_dict` gave."""
        return cls(
            intercept=float(values["intercept"]),
            slope=float(values["slope"]),
            trials=float(values["trials"]) if "trials" in values else None,
        )


def log_odds(probability: Floats) -> Floats:
    """Log-odds, with probabilities kept a millionth away from 0 and 1.

    Example:
        >>> log_odds(np.array([0.0, 0.5])).round(2)
        array([-13.82,   0.  ])
    """
    values: Floats = logit(np.clip(probability, _CLIP, 1 - _CLIP))
    return values


def fit_calibration(
    probability: Floats, outcome: NDArray[np.bool_], weight: Floats | None = None
) -> Calibration:
    """The map under which `outcome` is most likely, shrunk towards the identity.

    Args:
        probability: Held-out predictions, shape (rows,).
        outcome: What happened, shape (rows,).
        weight: Row weights; all 1 where not given.

    Example:
        >>> import numpy as np
        >>> fit_calibration(np.array([0.2, 0.8]), np.array([False, True])).slope > 0
        True
    """
    odds, one = log_odds(probability), np.ones(len(probability))
    weights = one if weight is None else weight
    # The coefficients are departures from the identity, so the prior shrinks them towards 0.
    shift, tilt = _most_likely(np.column_stack([one, odds]), odds, outcome, weights)
    if 1 + tilt >= SMALLEST_SLOPE:
        return Calibration(intercept=shift, slope=1 + tilt)
    (shift,) = _most_likely(one[:, None], SMALLEST_SLOPE * odds, outcome, weights)
    return Calibration(intercept=shift, slope=SMALLEST_SLOPE)


def _most_likely(
    design: Floats, offset: Floats, outcome: NDArray[np.bool_], weight: Floats
) -> tuple[float, ...]:
    """Coefficients of a logistic regression with a fixed offset, by Newton's steps."""
    penalty = PRIOR_ROWS * 0.25
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        fitted = expit(offset + design @ beta)
        gradient = design.T @ (weight * (outcome - fitted)) - penalty * beta
        curvature = (design * (weight * fitted * (1 - fitted))[:, None]).T @ design
        step = np.linalg.solve(curvature + penalty * np.eye(beta.size), gradient)
        beta = beta + step / max(1.0, float(np.abs(step).max()))
        if float(np.abs(step).max()) < 1e-9:
            break
    return tuple(beta.tolist())
