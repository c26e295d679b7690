"""What `train` makes of a portfolio as of a day: the candidates, and the one that it chooses.

The steps are those of `pipeline.train` up to where it logs to MLflow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from portfolio_ml.backtesting import backtest, evaluation_days, needed_days
from portfolio_ml.features.reference import Reference
from portfolio_ml.features.table import at
from portfolio_ml.judgement import Supervised
from portfolio_ml.models.seasonality import seasonality_of
from portfolio_ml.opening import Opened
from portfolio_ml.season import seasons
from portfolio_ml.snapshots import Snapshots, labelled
from portfolio_ml.standing import activity_windows
from portfolio_ml.timeline import to_date
from portfolio_ml.training import Candidates, Recipe, demand_history, fit_candidates


@dataclass(frozen=True, slots=True)
class Package:
    """The package's models as of a day, and what they were made from.

    Attributes:
        recipe: How the candidates were fitted.
        candidates: All of them, fitted on `learned`.
        winners: Per target, the candidate that its own backtest chose.
        cutoffs: The days of that backtest.
        learned: The labelled rows of every snapshot.
        rows: The features of every customer at the as-of day.
        reference: What was fitted across customers on that day.
        activity_days: The activity window on that day.
    """

    recipe: Recipe
    candidates: Candidates
    winners: Mapping[Supervised, str]
    cutoffs: tuple[str, ...]
    learned: Snapshots
    rows: pa.Table
    reference: Reference
    activity_days: int


def trained(portfolio: Opened, say: Callable[[str], None]) -> Package:
    """The package's models, from a history that ends on the as-of day.

    Raises:
        DataError: `train` would refuse this history, as too short.
    """
    recipe, span, inputs = portfolio.recipe, portfolio.span, portfolio.inputs
    demand_history(span, recipe)
    evaluated = evaluation_days(span, recipe, portfolio.settings.backtest.cutoffs)
    snapshots = labelled(inputs, needed_days(span, recipe, evaluated), horizons=recipe.horizons)
    activity_days = activity_windows(inputs, [*evaluated, portfolio.as_of_day])
    found = seasons(inputs, [*evaluated, portfolio.as_of_day])
    judged = backtest(
        snapshots,
        recipe,
        first_day=span.first_day,
        evaluated=evaluated,
        activity_days=activity_days,
        seasons=found,
        bootstrap=portfolio.settings.backtest.bootstrap,
        progress=say,
    )
    say("fitting the final models")
    table = at(inputs, [portfolio.as_of_day], horizons=recipe.horizons)
    reference = table.references[portfolio.as_of_day]
    learned = snapshots.on(recipe.snapshot_days(span.first_day, span.last_day))
    return Package(
        recipe=recipe,
        candidates=fit_candidates(
            learned,
            recipe,
            tier_edges=reference.tier_edges,
            seasonality=seasonality_of(found.get(portfolio.as_of_day), reference.purchase_model),
        ),
        winners={target: each.winner for target, each in judged.items()},
        cutoffs=tuple(str(to_date(day)) for day in evaluated),
        learned=learned,
        rows=table.rows,
        reference=reference,
        activity_days=activity_days[portfolio.as_of_day],
    )
