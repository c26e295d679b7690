"""Fit a recipe on labelled snapshots -> fitted models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.config import Settings
from portfolio_ml.errors import DataError, HistoryTooShortError
from portfolio_ml.features.table import Horizons
from portfolio_ml.models.churn import ChurnModel, churn_candidates, fit_churn_trees
from portfolio_ml.models.grown import Grow, Outcome
from portfolio_ml.models.hurdle import fit_amount_trees, fit_silence_trees, hurdle_of
from portfolio_ml.models.lifetime_value import LifetimeValueModel, value_candidates
from portfolio_ml.models.seasonality import Seasonality
from portfolio_ml.models.trees import DEFAULTS, Fit, TreeParameters
from portfolio_ml.models.unlabelled import unlabelled_churn, unlabelled_value
from portfolio_ml.schema import Measure
from portfolio_ml.snapshots import Snapshots
from portfolio_ml.timeline import Span, snapshots, to_date, to_day
from portfolio_ml.wording import counted

HALF_LIFE_DAYS = 365.0
FEWEST_CUSTOMERS = 50

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How models are fitted, whatever the data: everything that a refit repeats.

    Attributes:
        horizons: How far the targets look ahead.
        coverage: The share of outcomes meant to lie inside the value interval.
        segments: The number of segments, or `auto`.
        snapshots: How many snapshots to learn from, at most.
        step_days: The days between them.
        max_rows: How many rows to learn from, at most.
        seed: Makes everything reproducible.
        excluded: Periods that no outcome window may touch.
        churn_trees: How the trees of churn are held back.
        value_trees: How those of lifetime value are.
        measure: What value is.
        extended_days: The value horizon that is asked for, where history can only label the
            shorter one in `horizons`; values are stretched to it by the customer-base model.
    """

    horizons: Horizons
    coverage: float
    segments: int | Literal["auto"]
    snapshots: int
    step_days: int
    max_rows: int
    seed: int
    excluded: tuple[Span, ...] = ()
    churn_trees: TreeParameters = DEFAULTS
    value_trees: TreeParameters = DEFAULTS
    measure: Measure = "revenue"
    extended_days: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Recipe":
        """The recipe that the settings describe."""
        targets, training = settings.targets, settings.training
        return cls(
            horizons=Horizons(
                churn_days=targets.churn.horizon_days,
                value_days=targets.lifetime_value.horizon_days,
            ),
            coverage=targets.lifetime_value.coverage,
            segments=targets.segments.count,
            snapshots=training.snapshots,
            step_days=training.step_days,
            max_rows=training.max_rows,
            seed=training.seed,
            excluded=tuple(
                Span(to_day(p.first), to_day(p.last)) for p in settings.excluded_periods
            ),
            churn_trees=TreeParameters(**training.trees.churn.model_dump()),
            value_trees=TreeParameters(**training.trees.lifetime_value.model_dump()),
            measure=targets.lifetime_value.measure,
        )

    @property
    def longest_days(self) -> int:
        """The longer of the horizons."""
        return max(self.horizons.churn_days, self.horizons.value_days)

    @property
    def extension_note(self) -> str | None:
        """What the value over a longer horizon rests on, in a sentence; None without one."""
        if self.extended_days is None:
            return None
        return extension_note(self.horizons.value_days, self.extended_days)

    @property
    def shares_trees(self) -> bool:
        """Whether the value model's chance of a purchase is the churn model's."""
        horizons = self.horizons
        return horizons.churn_days == horizons.value_days and self.churn_trees == self.value_trees

    @property
    def min_history_days(self) -> int:
        """The history that a snapshot needs before it: half the horizon, at least 28 days."""
        return history_before(self.longest_days)

    def snapshot_days(self, first_day: int, known_until: int) -> tuple[int, ...]:
        """The snapshot days whose outcomes are known on `known_until`, ascending."""
        return snapshots(
            first_day,
            known_until,
            self.longest_days,
            count=self.snapshots,
            step_days=self.step_days,
            min_history_days=self.min_history_days,
            excluded=self.excluded,
        )


def history_before(horizon_days: int) -> int:
    """The history that a snapshot needs before it: half the horizon, at least 28 days."""
    return max(28, horizon_days // 2)


def history_to_judge(horizon_days: int) -> int:
    """The history that a backtest needs: a past, an outcome to learn from, one to be judged by.

    Example:
        >>> history_to_judge(90)
        225
    """
    return 2 * horizon_days + history_before(horizon_days)


def extension_note(learned_days: int, extended_days: int) -> str:
    """What the value over a longer horizon than history can label rests on.

    Example:
        >>> print(extension_note(168, 365))
        value over 365 days was learnt over 168 days, the most that the history can judge, and stretched by the customer-base model; 912 days of history would let it be learnt outright
    """  # noqa: E501 - one sentence
    return (
        f"value over {extended_days} days was learnt over {learned_days} days, the most that the "
        "history can judge, and stretched by the customer-base model; "
        f"{history_to_judge(extended_days)} days of history would let it be learnt outright"
    )


@dataclass(frozen=True, slots=True)
class Candidates:
    """Every candidate model, fitted on the same snapshots."""

    churn: Mapping[str, ChurnModel]
    lifetime_value: Mapping[str, LifetimeValueModel]


def fit_candidates(
    snapshots: Snapshots,
    recipe: Recipe,
    *,
    tier_edges: tuple[float, ...],
    seasonality: Seasonality | None = None,
    grow: Grow | None = None,
) -> Candidates:
    """Every candidate of the supervised targets, fitted on labelled snapshots.

    Args:
        snapshots: Rows whose outcome windows lie within the history.
        recipe: How to fit.
        tier_edges: The net spend that parts the value tiers.
        seasonality: The season that the history shows, if any.
        grow: Fits the trees themselves, where they are to learn from more rows than these; the
            rest still rests on these.
    """
    rows = snapshots.at_most(recipe.max_rows, recipe.seed)
    weight, seed = recency_weight(rows.day), recipe.seed
    fits = {} if is_few(rows) else _fitted_trees(rows, weight, recipe, grow)
    return Candidates(
        churn=churn_candidates(
            rows,
            weight,
            fits.get("churn"),
            horizon_days=recipe.horizons.churn_days,
            seed=seed,
            seasonality=seasonality,
        ),
        lifetime_value=value_candidates(
            rows,
            hurdle_of(fits.get("silence", fits.get("churn")), fits.get("amount")),
            horizon_days=recipe.horizons.value_days,
            coverage=recipe.coverage,
            tier_edges=tier_edges,
            seasonality=seasonality,
        ),
    )


def unlabelled_candidates(
    features: NDArray[np.float32], names: tuple[str, ...], recipe: Recipe
) -> Candidates:
    """The customer-base model alone, for a history that holds no outcome to learn from.

    Args:
        features: Today's features, shape (customers, names).
        names: What they are.
        recipe: How far to look ahead.
    """
    horizons = recipe.horizons
    value = unlabelled_value(
        features,
        names,
        horizon_days=horizons.value_days,
        coverage=recipe.coverage,
        measure=recipe.measure,
    )
    churn = unlabelled_churn(features, names, horizon_days=horizons.churn_days)
    return Candidates(churn={churn.candidate: churn}, lifetime_value={value.candidate: value})


def is_few(rows: Snapshots) -> bool:
    """Whether the customers are too few for trees, whose folds would hold a handful each."""
    return np.unique(rows.customer).size < FEWEST_CUSTOMERS


def few_note(rows: Snapshots) -> str | None:
    """What the customers are too few for, in a sentence; None where they are enough."""
    if not is_few(rows):
        return None
    seen = counted(np.unique(rows.customer).size, "customer")
    return f"boosted trees need at least {FEWEST_CUSTOMERS} customers to learn from: saw {seen}"


def _fitted_trees(
    rows: Snapshots, weight: Floats, recipe: Recipe, grow: Grow | None
) -> dict[str, Fit | None]:
    churn_trees, value_trees = recipe.churn_trees, recipe.value_trees
    kinds: list[tuple[Outcome, Callable[..., Fit | None], TreeParameters]] = [
        ("churn", fit_churn_trees, churn_trees),
        ("amount", fit_amount_trees, value_trees),
    ]
    if not recipe.shares_trees:
        kinds.append(("silence", fit_silence_trees, value_trees))
    return {
        outcome: fit(
            rows,
            weight,
            seed=recipe.seed,
            parameters=parameters,
            final=None if grow is None else partial(grow, outcome, parameters),
        )
        for outcome, fit, parameters in kinds
    }


def recency_weight(day: NDArray[np.int32]) -> Floats:
    """Row weights that halve with each year before the latest snapshot.

    Example:
        >>> recency_weight(np.array([365, 730], np.int32)).tolist()
        [0.5, 1.0]
    """
    age = (day.max() - day).astype(np.float64)
    weight: Floats = 0.5 ** (age / HALF_LIFE_DAYS)
    return weight


def demand_history(span: Span, recipe: Recipe) -> None:
    """Refuse a history in which no snapshot has both a past and an outcome.

    Raises:
        DataError: With the horizon that would fit, or with the excluded periods in the way.
    """
    if recipe.snapshot_days(span.first_day, span.last_day):
        return
    if span.days >= recipe.longest_days + recipe.min_history_days:
        raise all_excluded("snapshot to learn from", recipe)
    raise HistoryTooShortError(
        f"the history is too short to learn from: a horizon of {recipe.longest_days} days needs "
        f"at least {recipe.longest_days + recipe.min_history_days} days",
        saw=counted(span.days, "day"),
        do=remedy(span),
    )


def remedy(span: Span) -> str:
    """What to do where a history is too short for a backtest: shorter horizons, or more of it.

    Example:
        >>> remedy(Span(1, 100)), remedy(Span(1, 40))
        ('set the horizons to 36 days or fewer', 'wait for more history')
    """
    fits = min((span.days - 28) // 2, int(span.days / 2.5))  # as `history_to_judge` has it
    return f"set the horizons to {fits} days or fewer" if fits >= 7 else "wait for more history"


def all_excluded(what: str, recipe: Recipe) -> DataError:
    """The error for a history in which every outcome window touches an excluded period."""
    periods = (f"{to_date(p.first_day)} to {to_date(p.last_day)}" for p in recipe.excluded)
    return DataError(
        f"there is no {what}: the {recipe.longest_days} days after each touch an excluded period",
        where="excluded_periods",
        saw=", ".join(periods),
        do="exclude less, set shorter horizons, or wait for more history",
    )
