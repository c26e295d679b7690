"""From a likelihood to a fitted model: the maximum, its standard errors, and what to know of it.

Everything happens in the logarithms of the parameters, with times in multiples of a typical one,
so that the search is equally well conditioned in any unit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import OptimizeResult, minimize

from portfolio_ml.customer_base.purchases import Array

Mask = npt.NDArray[np.bool_]

Objective = Callable[[Array], tuple[float, Array]]
"""Log parameters -> the mean log-likelihood a customer, and its gradient."""

_BOUND = 12.0
"""Log parameters are searched within 12 of 0: parameters within a factor of 160,000 of 1."""

_EDGE = 10.0
"""Beyond this a log parameter has run away: the likelihood hardly changes there any more."""

_EXACT, _ROUGH = 1e-14, 1e-6
"""Steps that gain less end the search for the maximum, and that for a start to find it from."""

_VAGUE = 3.0
"""A standard error of a log parameter that leaves open a factor of 20 either way."""


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """The parameters of a model, named by the subclass, and how they were found.

    Attributes:
        log_likelihood: Of all customers, in the unit of the input, without the terms that no
            parameter changes; None where the model was not fitted.
        standard_errors: By parameter, from the curvature at the maximum (delta method); None
            where the parameter ran to its bound or the curvature is singular.
        at_boundary: Whether a parameter ran to its bound, or nothing would have kept it from it.
            Predictions stay usable.
        warnings: What a reader of the parameters should know, one sentence each.

    Raises:
        ValueError: A parameter is not a finite number above 0.
    """

    kind: ClassVar[str]
    parameter_names: ClassVar[tuple[str, ...]]

    log_likelihood: float | None = None
    standard_errors: Mapping[str, float | None] = field(default_factory=dict, hash=False)
    at_boundary: bool = False
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.parameters.items():
            if not 0 < value < float("inf"):
                raise ValueError(f"{self.kind}: {name} must be finite and above 0, saw {value}")

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters by name."""
        return {name: float(getattr(self, name)) for name in self.parameter_names}

    def to_dict(self) -> dict[str, Any]:
        """The model in JSON's types; `from_dict` reads it back."""
        facts = {each.name: getattr(self, each.name) for each in fields(self)}
        lists = {"standard_errors": dict(self.standard_errors), "warnings": list(self.warnings)}
        return {"kind": self.kind, **facts, **lists}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """The model that `to_dict` described.

        Raises:
            ValueError: The facts describe another kind of model.
        """
        if facts["kind"] != cls.kind:
            raise ValueError(f"these are the facts of a {facts['kind']}, not of a {cls.kind}")
        rest = {name: value for name, value in facts.items() if name != "kind"}
        parameters = {name: float(facts[name]) for name in cls.parameter_names}
        return cls(**{**rest, **parameters, "warnings": tuple(facts["warnings"])})


Model = TypeVar("Model", bound=FittedModel)


def promising(objective: Objective, starts: Sequence[Array]) -> Array:
    """The log parameters near the best of the maxima that the starts lead to."""
    runs = [_climbed(objective, start, tolerance=_ROUGH) for start in starts]
    return np.asarray(min(runs, key=lambda run: float(run.fun)).x)


def maximise(objective: Objective, start: Array) -> Array:
    """The log parameters of the maximum that a start leads to."""
    return np.asarray(_climbed(objective, start, tolerance=_EXACT).x)


def _climbed(objective: Objective, start: Array, *, tolerance: float) -> OptimizeResult:
    """SciPy's search, until a step changes the mean log-likelihood by less than the tolerance.

    By SLSQP within bounds: as exact as L-BFGS-B here, it reaches runaway parameters in fewer
    steps, and does not wake a pool of threads for each of them.
    """

    def loss(theta: Array) -> tuple[float, Array]:
        value, slopes = objective(theta)
        return -value, -slopes

    return minimize(
        loss,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(-_BOUND, _BOUND)] * start.size,
        options={"maxiter": 500, "ftol": tolerance},
    )


def fitted(
    model: type[Model],
    objective: Objective,
    theta: Array,
    *,
    units: Sequence[float],
    customers: float,
    log_unit: float,
) -> Model:
    """The model at a maximum, with the evidence for it.

    Args:
        model: Which model.
        objective: See `Objective`.
        theta: The maximum's log parameters, scaled.
        units: What a scaled parameter of 1 is in the unit of the input.
        customers: How many customers the mean is taken over.
        log_unit: What the change of unit adds to the log-likelihood of all customers.
    """
    values = dict(zip(model.parameter_names, (np.exp(theta) * units).tolist(), strict=True))
    free = np.abs(theta) < _EDGE
    errors = _log_errors(objective, theta, free, customers)
    by_name = zip(values.items(), errors.tolist(), strict=True)
    evidence: dict[str, Any] = {
        "log_likelihood": float(customers * objective(theta)[0] + log_unit),
        "standard_errors": {
            name: value * error if np.isfinite(error) else None for (name, value), error in by_name
        },
        "at_boundary": bool((~free | np.isnan(errors)).any()),
        "warnings": tuple(_remarks(model.parameter_names, theta, free, errors)),
    }
    return model(**values, **evidence)


def _log_errors(objective: Objective, theta: Array, free: Mask, customers: float) -> Array:
    """Standard errors of the log parameters that are free; NaN where there is none."""
    errors = np.full(theta.shape, np.nan)
    if not free.any():
        return errors
    step = 1e-4
    slopes = [
        (objective(theta - move)[1] - objective(theta + move)[1])[free]
        for move in step * np.eye(theta.size)[free]
    ]
    curvature = np.array(slopes) / (2 * step)
    curvature = (curvature + curvature.T) / 2
    if np.linalg.eigvalsh(curvature)[0] > 1e-9:
        errors[free] = np.sqrt(np.diag(np.linalg.inv(curvature)) / customers)
    return errors


def _remarks(names: Sequence[str], theta: Array, free: Mask, errors: Array) -> list[str]:
    ends = zip(names, theta.tolist(), free.tolist(), strict=True)
    remarks = [
        f"{name} ran to its {'upper' if end > 0 else 'lower'} bound: the data do not hold it back"
        for name, end, is_free in ends
        if not is_free
    ]
    if np.isnan(errors[free]).any():
        remarks.append("the likelihood is flat around its maximum: no standard errors")
    vague = [name for name, error in zip(names, errors.tolist(), strict=True) if error > _VAGUE]
    if vague:
        remarks.append(f"the data say little about {', '.join(vague)}")
    return remarks
