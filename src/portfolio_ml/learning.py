"""What a portfolio's history teaches: labelled rows, and how the recipe did on them in the past.

Where the history is too short for either, why that is so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from portfolio_ml import backtesting
from portfolio_ml.acting import Advice, Campaigns, Economics, value_if_buys
from portfolio_ml.advising import advise
from portfolio_ml.backtesting import evaluation_days, is_enough_unjudged, needed_days
from portfolio_ml.errors import HistoryTooShortError
from portfolio_ml.features.sample import Sample, drawn
from portfolio_ml.features.table import Horizons
from portfolio_ml.judgement import Judgement, Supervised
from portfolio_ml.opening import Opened, Say
from portfolio_ml.season import Season, seasons
from portfolio_ml.snapshots import Snapshots, TrainingTable, labelled
from portfolio_ml.standing import activity_windows
from portfolio_ml.steps import told, unheard
from portfolio_ml.timeline import to_day
from portfolio_ml.training import Recipe, demand_history, few_note, recency_weight
from portfolio_ml.wording import counted


@dataclass(frozen=True, slots=True)
class Learned:
    """Judgements and labelled rows to learn from; or neither, and why.

    Attributes:
        judgements: How the recipe did in the backtest, per supervised target; empty without any.
        snapshots: The rows of every snapshot whose outcomes are known; None without a backtest.
        unjudged: Why there was no backtest, in a sentence; None where there was one.
        season: The season that the portfolio's years repeat; None without one, or a backtest.
        notes: Per target, what its model rests on beside what it has learnt, in sentences.
        sample: The customers whose rows these are; without a backtest, those of the as-of day.
        evaluated: The rows of every cutoff of the backtest; None without one.
    """

    judgements: Mapping[Supervised, Judgement]
    snapshots: Snapshots | None
    unjudged: str | None
    season: Season | None
    notes: Mapping[str, Sequence[str]]
    sample: Sample
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
        judgements, snapshots, sample = judged(portfolio, say)
    except HistoryTooShortError as error:
        if not is_enough_unjudged(span, recipe):
            raise
        say(f"falling back to the customer-base model: {error}")
        sample = drawn_for(portfolio, [portfolio.as_of_day], say)
        notes = _notes(recipe, None, None, sample)
        return Learned({}, None, str(error).rstrip("."), None, notes, sample)
    rows = snapshots.on(recipe.snapshot_days(span.first_day, span.last_day))
    season = seasons(portfolio.inputs, [portfolio.as_of_day]).get(portfolio.as_of_day)
    evaluated = snapshots.on([to_day(day) for day in judgements["churn"].cutoffs])
    notes = _notes(recipe, rows, season, sample)
    return Learned(judgements, rows, None, season, notes, sample, evaluated)


def judged(portfolio: Opened, say: Say) -> tuple[dict[Supervised, Judgement], Snapshots, Sample]:
    """How the recipe would have done at rolling cutoffs, with the rows of every date, and whose.

    Where all rows would be more than `training.max_rows`, customers are drawn before anything is
    computed of them. What is told of the whole portfolio, the season and the activity window, is
    told by everybody.

    Raises:
        DataError: The history is too short for a backtest.
    """
    settings, recipe, span = portfolio.settings, portfolio.recipe, portfolio.span
    demand_history(span, recipe)
    evaluated = evaluation_days(span, recipe, settings.backtest.cutoffs)
    needed = needed_days(span, recipe, evaluated)
    sample = drawn_for(portfolio, needed, say)
    snapshots = labelled(
        sample.inputs,
        needed,
        horizons=recipe.horizons,
        measure=recipe.measure,
        progress=told(say, f"computing features and outcomes at {counted(len(needed), 'date')}"),
    )
    judgements = backtesting.backtest(
        snapshots,
        recipe,
        first_day=span.first_day,
        evaluated=evaluated,
        activity_days=activity_days(portfolio, evaluated),
        seasons=seasons(portfolio.inputs, evaluated),
        bootstrap=settings.backtest.bootstrap,
        progress=say,
    )
    advice = _advice(portfolio, judgements, sample)
    judgements["churn"] = replace(judgements["churn"], acting=advice)
    return judgements, snapshots, sample


def drawn_for(portfolio: Opened, as_of_days: Sequence[int], say: Say = unheard) -> Sample:
    """The customers whom `training.max_rows` allows to learn from at these days."""
    recipe = portfolio.recipe
    sample = drawn(portfolio.inputs, as_of_days, most=recipe.max_rows, seed=recipe.seed)
    if sample.note:
        say(sample.note)
    return sample


def today(portfolio: Opened, learned: Learned) -> Sample:
    """The customers whose features of the as-of day are fitted to, and what a portfolio is."""
    if learned.snapshots is None:
        return learned.sample
    return drawn_for(portfolio, [portfolio.as_of_day])


def training_table(portfolio: Opened, sample: Sample | None = None) -> TrainingTable:
    """Features and outcomes at the recipe's snapshot days, weighted as the recipe does.

    Args:
        portfolio: The history.
        sample: The customers, each of whom weighs as many as they stand for; everybody if not
            given.
    """
    recipe, span = portfolio.recipe, portfolio.span
    days = recipe.snapshot_days(span.first_day, span.last_day)
    weights = (1.0 if sample is None else sample.weight) * recency_weight(np.array(days, np.int32))
    return TrainingTable(
        inputs=portfolio.inputs if sample is None else sample.inputs,
        weights=dict(zip(days, weights.tolist(), strict=True)),
        horizons=recipe.horizons,
        measure=recipe.measure,
    )


def activity_days(portfolio: Opened, as_of_days: Sequence[int]) -> dict[int, int]:
    """The activity window as known at each as-of day, in days."""
    configured = portfolio.settings.activity.window_days
    if configured == "auto":
        return activity_windows(portfolio.inputs, as_of_days)
    return dict.fromkeys(as_of_days, configured)


def _advice(
    portfolio: Opened, judgements: Mapping[Supervised, Judgement], sample: Sample
) -> Advice | None:
    """Whom it would have paid to act on; None where nothing says what that costs, or nobody was."""
    settings, recipe = portfolio.settings, portfolio.recipe
    campaigns = campaigns_of(judgements, horizons=recipe.horizons)
    if settings.acting is None or not campaigns.customer.size:
        return None
    economics = Economics(**settings.acting.model_dump())
    n, weight = settings.backtest.bootstrap, sample.weight
    return advise(campaigns, economics, n=n, seed=recipe.seed, weight=weight)


def campaigns_of(judgements: Mapping[Supervised, Judgement], *, horizons: Horizons) -> Campaigns:
    """The active customers of every cutoff, with what the winners said of them and what came."""
    churn, value = judgements["churn"], judgements["lifetime_value"]
    active = churn.predictions.is_active
    p_churn = churn.predictions.candidates[churn.winner][active]
    expected = value.predictions.candidates[value.winner][active]
    is_known = horizons.churn_days == horizons.value_days
    return Campaigns(
        cutoff=churn.predictions.cutoff[active],
        customer=churn.predictions.customer[active],
        p_churn=p_churn,
        value_if_buys=value_if_buys(
            expected, p_churn, horizons_ratio=horizons.churn_days / horizons.value_days
        ),
        churned=churn.predictions.actual[active] == 1,
        value=value.predictions.actual[active] if is_known else np.full(active.sum(), np.nan),
    )


def _notes(
    recipe: Recipe, rows: Snapshots | None, season: Season | None, sample: Sample
) -> dict[str, list[str]]:
    some = sample.note
    few = None if rows is None else few_note(rows)
    horizons = recipe.horizons
    churn_season = season and season.note(horizons.churn_days)
    value_season = season and season.note(recipe.extended_days or horizons.value_days)
    told = {
        "churn": [some, few, churn_season],
        "lifetime_value": [some, few, recipe.extension_note, value_season],
    }
    return {target: [note for note in notes if note] for target, notes in told.items()}
