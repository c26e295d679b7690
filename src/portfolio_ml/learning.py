"""What a portfolio's history teaches: labelled rows, and how the recipe did on them in the past.

Where the history is too short for either, why that is so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from portfolio_ml import backtesting
from portfolio_ml.backtesting import evaluation_days, is_enough_unjudged, needed_days
from portfolio_ml.errors import HistoryTooShortError
from portfolio_ml.judgement import Judgement, Supervised
from portfolio_ml.opening import Opened, Say
from portfolio_ml.snapshots import Snapshots, labelled
from portfolio_ml.standing import activity_windows
from portfolio_ml.timeline import to_day
from portfolio_ml.training import demand_history, few_note


@dataclass(frozen=True, slots=True)
class Learned:
    """Judgements and labelled rows to learn from; or neither, and why.

    Attributes:
        judgements: How the recipe did in the backtest, per supervised target; empty without any.
        snapshots: The rows of every snapshot whose outcomes are known; None without a backtest.
        unjudged: Why there was no backtest, in a sentence; None where there was one.
        notes: Per target, what its model rests on where history says too little, in sentences.
        evaluated: The rows of every cutoff of the backtest; None without one.
    """

    judgements: Mapping[Supervised, Judgement]
    snapshots: Snapshots | None
    unjudged: str | None
    notes: Mapping[str, Sequence[str]]
    evaluated: Snapshots | None = None


def judgeable(portfolio: Opened, say: Say) -> Opened:
    """The portfolio with a recipe that its history can judge, as far as there is one."""
    cutoffs = portfolio.settings.backtest.cutoffs
    recipe = backtesting.judgeable(portfolio.span, portfolio.recipe, cutoffs)
    if recipe.extension_note:
        say(recipe.extension_note)
    return replace(portfolio, recipe=recipe)


def learned(portfolio: Opened, say: Say) -> Learned:
    """What history teaches, or why it is too short to; see `backtesting.is_enough_unjudged`.

    Raises:
        DataError: The history is too short even for a model that nothing judges.
    """
    recipe, span = portfolio.recipe, portfolio.span
    try:
        judgements, snapshots = judged(portfolio, say)
    except HistoryTooShortError as error:
        if not is_enough_unjudged(span, recipe):
            raise
        say(f"falling back to the customer-base model: {error}")
        return Learned({}, None, str(error).rstrip("."), _notes(portfolio, None))
    rows = snapshots.on(recipe.snapshot_days(span.first_day, span.last_day))
    evaluated = snapshots.on([to_day(day) for day in judgements["churn"].cutoffs])
    return Learned(judgements, rows, None, _notes(portfolio, rows), evaluated)


def judged(portfolio: Opened, say: Say) -> tuple[dict[Supervised, Judgement], Snapshots]:
    """How the recipe would have done at rolling cutoffs, and the labelled rows of every date.

    Raises:
        DataError: The history is too short for a backtest.
    """
    settings, recipe, span = portfolio.settings, portfolio.recipe, portfolio.span
    demand_history(span, recipe)
    evaluated = evaluation_days(span, recipe, settings.backtest.cutoffs)
    needed = needed_days(span, recipe, evaluated)
    say(f"computing features and outcomes at {len(needed)} dates")
    snapshots = labelled(portfolio.inputs, needed, horizons=recipe.horizons, measure=recipe.measure)
    judgements = backtesting.backtest(
        snapshots,
        recipe,
        first_day=span.first_day,
        evaluated=evaluated,
        activity_days=activity_days(portfolio, evaluated),
        bootstrap=settings.backtest.bootstrap,
        progress=say,
    )
    return judgements, snapshots


def activity_days(portfolio: Opened, as_of_days: Sequence[int]) -> dict[int, int]:
    """The activity window as known at each as-of day, in days."""
    configured = portfolio.settings.activity.window_days
    if configured == "auto":
        return activity_windows(portfolio.inputs, as_of_days)
    return dict.fromkeys(as_of_days, configured)


def _notes(portfolio: Opened, rows: Snapshots | None) -> dict[str, list[str]]:
    few = None if rows is None else few_note(rows)
    told = {"churn": [few], "lifetime_value": [few, portfolio.recipe.extension_note]}
    return {target: [note for note in notes if note] for target, notes in told.items()}
