"""One line of the benchmark: train on the history of its day, judge on what followed.

Run it as `python -m benchmarks.models_line NAME OUT [--seed 7] [--bootstrap 200]`; OUT is a JSON
file.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from threadpoolctl import threadpool_limits

from benchmarks.models_figures import (
    RESIDUALS,
    TARGETS,
    Figures,
    Gain,
    Outcomes,
    Tier,
    figures,
    gains,
    interval_figures,
    plain_interval,
    tiers,
)
from benchmarks.models_lines import LINES, Line
from benchmarks.models_opponents import Contender, Kind, customer_base, one_snapshot, rules
from benchmarks.models_package import Package, trained
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.judgement import PRIMARY, Population, Supervised
from portfolio_ml.opening import opened
from portfolio_ml.snapshots import matrix, with_outcomes
from portfolio_ml.standing import standing_of
from portfolio_ml.timeline import to_day

Floats = NDArray[np.float64]
Say = Callable[[str], None]

PACKAGE = "package "


@dataclass(frozen=True, slots=True)
class Result:
    """A line, judged.

    Attributes:
        line: Its name.
        customers: Those with a purchase in history.
        active: How many of them were active.
        history_days: The days of the history.
        cutoffs: The days at which the package's own backtest judged.
        coverage: What intervals promise.
        kinds: What each contender is, by name.
        winners: Per target, the package's choice among its candidates.
        customer_base: Per target, the customer-base model that did best in hindsight.
        figures: Per target, population and contender, by the metric's name.
        gains: Per target, population and opponent, what the winner is better by.
        intervals: Of the winner, and of its training residuals' plain quantiles.
        tiers: The coverage of the winner's intervals, the most valuable first.
        seconds: What it took.
    """

    line: str
    customers: int
    active: int
    history_days: int
    cutoffs: tuple[str, ...]
    coverage: float
    kinds: Mapping[str, Kind]
    winners: Mapping[Supervised, str]
    customer_base: Mapping[Supervised, str]
    figures: Mapping[Supervised, Mapping[Population, Mapping[str, Figures]]]
    gains: Mapping[Supervised, Mapping[Population, Mapping[str, Gain]]]
    intervals: Mapping[str, Figures]
    tiers: Mapping[str, Tier]
    seconds: Mapping[str, float]

    def to_json(self) -> str:
        """The result as JSON, with NaN where a figure does not exist."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Result":
        """The result that `to_json` gave, read."""
        return TypeAdapter(cls).validate_python(values)

    def value(self, name: str, metric: str, population: Population = "all") -> float:
        """One figure of a contender, or of `winner` or `customer_base`; NaN where there is none."""
        target = next(t for t in TARGETS if metric in self._metrics(t))
        chosen = {"winner": self.winners[target], "customer_base": self.customer_base[target]}
        of_population = self.figures[target][population]
        return of_population.get(chosen.get(name, name), {}).get(metric, float("nan"))

    def _metrics(self, target: Supervised) -> set[str]:
        return {m for each in self.figures[target]["all"].values() for m in each}


class Clock:
    """Tells what each step takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = time.perf_counter()

    def lap(self, step: str) -> None:
        """A step is done."""
        now = time.perf_counter()
        self.seconds[step], self._begun = round(now - self._begun, 2), now


def result_of(line: Line, *, seed: int, bootstrap: int, say: Say) -> Result:
    """A line, judged.

    Raises:
        DataError: `train` would refuse the line's history.
    """
    clock, settings = Clock(), line.settings(seed=seed)
    today = datetime.now(tz=UTC).date()
    with opened(settings, today=today, as_of=line.as_of, say=say) as portfolio:
        clock.lap("open")
        package = trained(portfolio, say)
        history_days = portfolio.span.days
        clock.lap("train")
    with opened(settings, today=today, as_of=line.until, say=say) as later:
        outcomes = _outcomes(later.inputs, package, to_day(line.as_of))
        clock.lap("outcomes")
    names, horizons = package.learned.names, package.recipe.horizons
    features = matrix(package.rows, names)
    contenders = [*_candidates(package), *customer_base(package.rows, horizons)]
    clock.lap("customer base")
    contenders += one_snapshot(package.learned, features, seed=seed)
    clock.lap("lightgbm")
    contenders += rules(package.rows, horizons)
    by_target = {t: [c for c in contenders if t in c.predicted] for t in TARGETS}
    found = {t: figures(by_target[t], outcomes, t) for t in TARGETS}
    winners = {t: f"{PACKAGE}{package.winners[t]}" for t in TARGETS}
    best = {t: _best_customer_base(by_target[t], found[t]["all"], t) for t in TARGETS}
    clock.lap("figures")
    compared = {
        t: gains(
            next(c for c in by_target[t] if c.name == winners[t]).of(t),
            [
                c
                for c in by_target[t]
                if c.name != winners[t] and (c.kind != "customer_base" or c.name == best[t])
            ],
            outcomes,
            t,
            seed=seed,
            n=bootstrap,
        )
        for t in TARGETS
    }
    clock.lap("bootstrap")
    coverage = package.recipe.coverage
    intervals = _intervals(package)
    return Result(
        line=line.name,
        customers=len(features),
        active=int(outcomes.is_active.sum()),
        history_days=history_days,
        cutoffs=package.cutoffs,
        coverage=coverage,
        kinds={c.name: c.kind for c in contenders},
        winners=winners,
        customer_base=best,
        figures=found,
        gains=compared,
        intervals=interval_figures(intervals, outcomes.actual["lifetime_value"], coverage=coverage),
        tiers=tiers(intervals["package"], outcomes),
        seconds=clock.seconds,
    )


def _outcomes(inputs: Inputs, package: Package, day: int) -> Outcomes:
    """What the customers of `package.rows` did after the day, in their order."""
    known = with_outcomes(package.rows, inputs, [day], horizons=package.recipe.horizons)
    if known["customer_id"] != package.rows["customer_id"]:
        raise AssertionError("outcomes and features must be of the same customers")
    spend, returned = (known[f"future_{name}"].to_numpy() for name in ("spend", "returned"))
    standing = standing_of(
        package.rows,
        activity_days=package.activity_days,
        tier_edges=package.reference.tier_edges,
    )
    return Outcomes(
        actual={
            "churn": (known["future_purchase_days"].to_numpy() == 0).astype(np.float64),
            "lifetime_value": np.asarray(spend - returned, dtype=np.float64),
        },
        is_active=standing.is_active,
        tier=standing.value_tier,
    )


def _candidates(package: Package) -> list[Contender]:
    """Every candidate of the package; one may be there for both targets or for one."""
    found: dict[str, dict[Supervised, Floats]] = {}
    for name, churn in package.candidates.churn.items():
        found.setdefault(name, {})["churn"] = churn.predict(matrix(package.rows, churn.names))
    for name, value in package.candidates.lifetime_value.items():
        found.setdefault(name, {})["lifetime_value"] = value.predict(
            matrix(package.rows, value.names)
        )
    return [Contender(f"{PACKAGE}{name}", "package", each) for name, each in found.items()]


def _intervals(package: Package) -> dict[str, Floats]:
    """The winner's intervals, and those that its errors in training would give."""
    model = package.candidates.lifetime_value[package.winners["lifetime_value"]]
    learned, features = package.learned, matrix(package.rows, model.names)
    residuals = learned.net - model.predict(learned.inputs(model.names))
    return {
        "package": np.column_stack(model.interval(features)),
        RESIDUALS: plain_interval(
            model.predict(features), residuals, coverage=package.recipe.coverage
        ),
    }


def _best_customer_base(
    contenders: Iterable[Contender], found: Mapping[str, Figures], target: Supervised
) -> str:
    """The customer-base model with the best measure on the outcomes themselves."""
    names = [c.name for c in contenders if c.kind == "customer_base"]
    return max(names, key=lambda name: found[name][PRIMARY[target]])


def main() -> None:
    """Judge one line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("line", choices=[line.name for line in LINES])
    parser.add_argument("out", type=Path, help="the JSON file to write")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bootstrap", type=int, default=200)
    given = parser.parse_args()
    line = next(line for line in LINES if line.name == given.line)
    with threadpool_limits(1, user_api="blas"):  # short sums: threads only wait for each other
        result = result_of(line, seed=given.seed, bootstrap=given.bootstrap, say=print)
    given.out.write_text(result.to_json())


if __name__ == "__main__":
    main()
