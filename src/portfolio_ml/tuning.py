"""Tree parameters for one portfolio: searched on early snapshots, advised only where they gain.

Only snapshots that the first of the backtest's refits would learn from are looked at, so no outcome
that a cutoff is judged on decides anything. Every trial predicts customers whom its trees have not
seen. The best of many trials owes some of its lead to chance; so the search looks at one half of
the customers, and the gain over the defaults is measured on the other.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from portfolio_ml.backtesting import evaluation_days
from portfolio_ml.errors import DataError
from portfolio_ml.judgement import CHOSEN_BY, LEVEL, Supervised
from portfolio_ml.metrics import METRICS, Difference, Metric, paired_bootstrap
from portfolio_ml.models.churn import fit_churn_trees
from portfolio_ml.models.hurdle import HurdleFit, fit_value_trees
from portfolio_ml.models.trees import DEFAULTS, Fit, TreeParameters, default_min_leaf_rows
from portfolio_ml.search import Dimension, Search, Trial, Values
from portfolio_ml.snapshots import Snapshots
from portfolio_ml.steps import Step
from portfolio_ml.timeline import Span
from portfolio_ml.training import Recipe, recency_weight
from portfolio_ml.wording import TARGET_NAMES, counted

Floats = NDArray[np.float64]
Stopwatch = Callable[[], float]
OpenSearch = Callable[["Question"], AbstractContextManager[Search]]

TARGETS: tuple[Supervised, ...] = ("churn", "lifetime_value")
_FIT: Mapping[Supervised, Callable[..., Fit | HurdleFit | None]] = {
    "churn": fit_churn_trees,
    "lifetime_value": fit_value_trees,
}


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to search.

    Attributes:
        minutes: No trial is begun after so many.
        trials: Nor where a target has so many, those of earlier runs included; None: no limit.
        stopwatch: Seconds since some moment.
    """

    minutes: float
    trials: int | None
    stopwatch: Stopwatch


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the search found for one target.

    Attributes:
        target: `churn` or `lifetime_value`.
        metric: What the trials were judged by.
        trials: How many there are, those of earlier runs included.
        best: The parameters of the best one.
        gain: Theirs over the defaults, on customers whom the search did not look at; None where
            no trial did better than the defaults.
    """

    target: Supervised
    metric: str
    trials: int
    best: TreeParameters
    gain: Difference | None

    @property
    def is_advised(self) -> bool:
        """Whether the gain's 90 % interval lies above 0."""
        return self.gain is not None and self.gain.low > 0


@dataclass(frozen=True, slots=True)
class Question:
    """Which parameters suit one target on some rows.

    Attributes:
        target: `churn` or `lifetime_value`.
        rows: Labelled snapshots.
        seed: What folds, halves and proposals follow from.
    """

    target: Supervised
    rows: Snapshots
    seed: int

    @property
    def metric(self) -> Metric:
        """What a winner is chosen by."""
        return METRICS[CHOSEN_BY[self.target]]

    @property
    def outcome(self) -> Floats:
        """What the trees predict: churned, 0 or 1, or gross spend."""
        rows = self.rows
        return rows.churned.astype(np.float64) if self.target == "churn" else rows.spend

    @property
    def space(self) -> dict[str, Dimension]:
        """What is searched: around the defaults, and nowhere without restraint."""
        most = min(5_000, max(100, len(self.rows) // 25))
        return {
            "leaves": Dimension(3, 15, is_whole=True),
            "learning_rate": Dimension(0.04, 0.2),
            "l2": Dimension(1.0, 100.0),
            "min_leaf_rows": Dimension(10, most, is_whole=True),
            "feature_fraction": Dimension(0.3, 1.0, is_log=False),
            "bagging_fraction": Dimension(0.5, 1.0, is_log=False),
        }

    @property
    def defaults(self) -> Values:
        """The defaults as a trial, which is the first."""
        return asdict(DEFAULTS) | {"min_leaf_rows": default_min_leaf_rows(len(self.rows))}

    @property
    def digest(self) -> str:
        """Changes with whatever a trial's score depends on: trials of two digests do not mix."""
        rows = self.rows
        digest = blake2b(digest_size=8)
        digest.update(repr((self.target, self.seed, rows.names, self.space)).encode())
        for column in (rows.features, rows.customer, rows.day, self.outcome):
            digest.update(np.ascontiguousarray(column).data)
        return digest.hexdigest()

    def held_out(self, values: Values) -> Floats:
        """Per row, the prediction of trees with these parameters that saw not its customer.

        Raises:
            DataError: The outcome is too rare to learn from.
        """
        parameters = _parameters(values)
        weight = recency_weight(self.rows.day)
        fit = _FIT[self.target](self.rows, weight, seed=self.seed, parameters=parameters)
        if fit is None:
            raise DataError(
                f"{TARGET_NAMES[self.target].lower()} is met too rarely to tune on",
                saw=f"{counted(len(self.rows), 'row')} before the backtest's first cutoff",
                do="keep the defaults, or wait for more history",
            )
        return fit.held_out


def tuning_days(span: Span, recipe: Recipe, cutoffs: int) -> tuple[int, ...]:
    """The snapshot days to tune on: those that the backtest's first refit learns from, ascending.

    Raises:
        DataError: The history is too short for a backtest, and so for this.
    """
    first, *_ = evaluation_days(span, recipe, cutoffs)
    return recipe.snapshot_days(span.first_day, first)


def tune(
    snapshots: Snapshots,
    recipe: Recipe,
    *,
    targets: Sequence[Supervised],
    budget: Budget,
    bootstrap: int,
    opened: OpenSearch,
    say: Callable[[str], None],
) -> tuple[Tuned, ...]:
    """Search each target in turn, and measure what its best trial gains over the defaults.

    Args:
        snapshots: Labelled rows of `tuning_days`.
        recipe: How models are fitted.
        targets: What to tune for.
        budget: How long to search; targets share what is left of it evenly.
        bootstrap: Replicates of the paired bootstrap.
        opened: Opens the search that belongs to a question.
        say: Told of each trial.

    Raises:
        DataError: The outcome is too rare to learn from.
    """
    rows = snapshots.at_most(recipe.max_rows, recipe.seed)
    end = budget.stopwatch() + 60 * budget.minutes
    found = []
    for place, target in enumerate(targets):
        question = Question(target, rows, recipe.seed)
        now = budget.stopwatch()
        until = now + (end - now) / (len(targets) - place)
        with opened(question) as search:
            _searched(question, search, budget, begun=now, until=until, say=say)
            say(f"{_name(question)}: measuring the best trial on the other customers")
            found.append(_tuned(question, search.trials, bootstrap))
    return tuple(found)


def _searched(
    question: Question,
    search: Search,
    budget: Budget,
    *,
    begun: float,
    until: float,
    say: Callable[[str], None],
) -> None:
    """Try on, within the budget; the defaults are tried in any case."""
    metric, rows, now = question.metric, _searched_rows(question), begun
    label = metric.label.lower()
    if done := len(search.trials):
        say(f"{_name(question)}: going on after {counted(done, 'trial')}")
    while not (done := len(search.trials)) or (
        (now := budget.stopwatch()) < until and (budget.trials is None or done < budget.trials)
    ):
        values = search.proposed() if done else question.defaults
        held_out = question.held_out(values)
        value = metric.value(question.outcome[rows], held_out[rows], strata=question.rows.day[rows])
        if np.isnan(value):
            raise DataError(
                f"the {label} of these rows cannot be told", do="keep the default parameters"
            )
        search.add(values, metric.gain(value, 0.0))
        gains = [trial.score - search.trials[0].score for trial in search.trials]
        text = (
            f"{_name(question)}: trial {done + 1}, {label} {value:.4f}; "
            f"over the defaults {gains[-1]:+.4f}, at best {max(gains):+.4f}"
        )
        of_trials = (done + 1) / budget.trials if budget.trials else 0.0
        share = max(of_trials, (now - begun) / max(until - begun, 1.0))
        say(Step(text, min(share, 1.0), work=_name(question)))


def _tuned(question: Question, trials: Sequence[Trial], bootstrap: int) -> Tuned:
    """The best trial, measured on the customers whom the search did not look at."""
    best = max(trials, key=lambda trial: trial.score)  # of equals, the first
    gain = None
    if best.values != question.defaults:
        rows = ~_searched_rows(question)
        gain = paired_bootstrap(
            question.metric,
            question.outcome[rows],
            candidate=question.held_out(best.values)[rows],
            baseline=question.held_out(question.defaults)[rows],
            groups=question.rows.customer[rows],
            strata=question.rows.day[rows],
            seed=question.seed,
            n=bootstrap,
            level=LEVEL,
        )
    return Tuned(
        target=question.target,
        metric=question.metric.name,
        trials=len(trials),
        best=_parameters(best.values),
        gain=gain,
    )


def _searched_rows(question: Question) -> NDArray[np.bool_]:
    """Which rows the search looks at: all of one half of the customers, apart from the folds."""
    customers, position = np.unique(question.rows.customer, return_inverse=True)
    is_searched = np.arange(customers.size) % 2 == 0
    np.random.default_rng([question.seed, 1]).shuffle(is_searched)
    chosen: NDArray[np.bool_] = is_searched[position]
    return chosen


def _parameters(values: Values) -> TreeParameters:
    return TreeParameters(
        leaves=int(values["leaves"]),
        learning_rate=values["learning_rate"],
        l2=values["l2"],
        min_leaf_rows=int(values["min_leaf_rows"]),
        feature_fraction=values["feature_fraction"],
        bagging_fraction=values["bagging_fraction"],
    )


def _name(question: Question) -> str:
    return TARGET_NAMES[question.target].lower()
