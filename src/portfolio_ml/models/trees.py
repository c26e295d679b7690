"""LightGBM: fitted with regularisation that suits customer data, stored as its text format.

`load` parses only a text that passes `tree_text.check`, and hands over nothing of what follows
the trees.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from typing import Any, Literal

# LightGBM's threads spin while they wait for each other: where another process has one of the
# cores, that made a fit 20 times as long. The policy is read when the library is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import lightgbm as lgb
import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray

from portfolio_ml.errors import DataError
from portfolio_ml.models.tree_shares import TreeShares, contributions, raw_scores, shares_of
from portfolio_ml.models.tree_text import END, check

Floats = NDArray[np.float64]
Objective = Literal["binary", "tweedie"]

FOLDS = 3
MAX_ROUNDS = 400
MIN_ROUNDS = 20
PATIENCE = 30
ROWS_PER_THREAD = 50_000  # on fewer, threads wait for each other longer than they work
_LARGEST_POWER = 709.78  # of e that a float64 holds, but for a hair
MANY_ROWS = 20_000  # on fewer, to make the tables of `tree_shares` takes longer than to predict


@dataclass(frozen=True, slots=True)
class TreeParameters:
    """How trees are held back from learning what is chance; the defaults suit customer data.

    Learning four times as fast costs some AUROC and log loss in `make bench-ablations`
    (`docs/reference/ablations.md`: means of .8129 and .3977 against .8157 and .3947).

    Attributes:
        leaves: The leaves of a tree, at most.
        learning_rate: The share of its correction that a tree is let make.
        l2: How strongly the values of the leaves are pulled to 0.
        min_leaf_rows: The rows in a leaf, at least; None: one row in 200, from 20 to 1000.
        feature_fraction: The share of the features that a tree sees.
        bagging_fraction: The share of the rows that a tree sees.
    """

    leaves: int = 7
    learning_rate: float = 0.05
    l2: float = 10.0
    min_leaf_rows: int | None = None
    feature_fraction: float = 0.4
    bagging_fraction: float = 0.8


DEFAULTS = TreeParameters()


def _logistic(raw: Floats) -> Floats:
    chances: Floats = 1 / (1 + _exponential(-raw))
    return chances


def _exponential(raw: Floats) -> Floats:
    """Powers of e by the C library, as LightGBM has them; numpy's may differ in a bit."""
    is_endless = raw > _LARGEST_POWER
    found = np.where(is_endless, np.inf, 0.0)
    found[~is_endless] = [exp(power) for power in raw[~is_endless].tolist()]
    return found


_LINKS = {"binary sigmoid:1": _logistic, "tweedie": _exponential}
"""From raw scores to predictions, of the objectives that are fitted here."""


@dataclass(frozen=True, slots=True)
class Trees:
    """A fitted ensemble.

    Attributes:
        text: LightGBM's text format, up to the end of the trees.
        booster: The ensemble, ready to predict.
    """

    text: str
    booster: lgb.Booster

    def predict(self, features: NDArray[np.float32]) -> Floats:
        """Predictions on the scale of the outcome, shape (rows,)."""
        link = _LINKS.get(self._objective)
        if link is None:
            return np.asarray(self.booster.predict(features), dtype=np.float64)
        return link(self._raw_scores(features))

    def _raw_scores(self, features: NDArray[np.float32]) -> Floats:
        """The predictions before their link; either way gives the same to the last bit."""
        if len(features) >= MANY_ROWS and (shares := _shares(self.booster)) is not None:
            return raw_scores(shares, features)
        return np.asarray(self.booster.predict(features, raw_score=True), dtype=np.float64)

    @property
    def _objective(self) -> str:
        """What was fitted, as LightGBM writes it."""
        _, _, after = self.text.partition("\nobjective=")
        return after.partition("\n")[0]

    def contributions(self, features: NDArray[np.float32]) -> Floats:
        """What each feature adds to the prediction before its link, shape (rows, features).

        They are exact SHAP values: with the ensemble's mean, which is the same for every row, they
        add up to the raw score, such as the log-odds.
        """
        if (shares := _shares(self.booster)) is not None:
            return contributions(shares, features)
        values = np.asarray(self.booster.predict(features, pred_contrib=True), dtype=np.float64)
        of_features: Floats = values[:, :-1]
        return of_features

    def gains(self) -> dict[str, float]:
        """What the splits on each feature took away of the loss, by name."""
        gains = self.booster.feature_importance(importance_type="gain")
        return dict(zip(self.booster.feature_name(), map(float, gains), strict=True))


@dataclass(frozen=True, slots=True)
class Fit:
    """An ensemble on all rows, and what it predicts for customers it has not seen.

    Attributes:
        trees: Fitted on all rows.
        held_out: Per row, the prediction of an ensemble that saw no row of its customer.
        rounds: The number of trees, chosen by early stopping on held-out customers.
    """

    trees: Trees
    held_out: Floats
    rounds: int


def fit_trees(
    features: NDArray[np.float32],
    outcome: Floats,
    *,
    names: tuple[str, ...],
    customer: NDArray[np.int64],
    objective: Objective,
    seed: int,
    weight: Floats | None = None,
    among: NDArray[np.bool_] | None = None,
    parameters: TreeParameters = DEFAULTS,
    final: Callable[[int], Trees] | None = None,
) -> Fit:
    """Trees for `outcome`, with the number of rounds chosen on customer-grouped folds.

    Args:
        features: Shape (rows, features); NaN is null.
        outcome: 0 or 1 for `binary`; at least 0 for `tweedie`.
        names: The feature names.
        customer: A number per customer; all rows of one lie on the same side of a fold.
        objective: What is fitted.
        seed: Makes folds and trees reproducible.
        weight: Row weights; all 1 where not given.
        among: The rows to learn from, whose outcomes alone matter; held-out predictions are of
            all rows. All where not given.
        parameters: How the trees are held back.
        final: Gives the ensemble itself, of so many trees, where it is not fitted here on the same
            rows.
    """
    fold = customer_folds(customer, seed)
    learned = slice(None) if among is None else among
    labels = outcome[learned]
    options = options_of(parameters, objective, len(labels), seed)
    weights = np.ones(len(labels)) if weight is None else weight[learned]
    cores = cpu_count()
    threads = min(cores, 1 + len(labels) // ROWS_PER_THREAD)
    data = lgb.Dataset(
        features[learned], labels, weight=weights, feature_name=list(names),
        params={**options, "num_threads": threads},
    ).construct()  # fmt: skip
    # Folds side by side: LightGBM's own threads wait for each other where the machine is shared.
    # All at once, even on fewer cores, so that none is idle while the last fold is fitted.
    boosters = Parallel(n_jobs=FOLDS, prefer="threads")(
        delayed(_fold_booster)(
            data, fold[learned], k, {**options, "num_threads": max(1, cores // FOLDS)}
        )
        for k in range(FOLDS)
    )
    rounds = max(MIN_ROUNDS, round(float(np.mean([b.best_iteration for b in boosters]))))
    held_out = np.empty(len(outcome))
    for k, booster in enumerate(boosters):
        rows = fold == k
        held_out[rows] = np.asarray(
            booster.predict(features[rows], num_iteration=min(rounds, booster.current_iteration()))
        )
    if final is not None:
        return Fit(trees=final(rounds), held_out=held_out, rounds=rounds)
    whole = lgb.train({**options, "num_threads": threads}, data, num_boost_round=rounds)
    text = whole.model_to_string(num_iteration=rounds)
    return Fit(trees=load(text), held_out=held_out, rounds=rounds)


def customer_folds(customer: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The fold of each row, in [0, FOLDS); all rows of a customer share one.

    Example:
        >>> fold = customer_folds(np.array([8, 8, 3, 3, 5]), seed=7)
        >>> bool(fold[0] == fold[1]), len(set(fold.tolist()))
        (True, 3)
    """
    customers, position = np.unique(customer, return_inverse=True)
    fold = np.arange(customers.size) % FOLDS
    np.random.default_rng(seed).shuffle(fold)
    return fold[position]


def is_learnable(
    outcome: NDArray[np.bool_],
    customer: NDArray[np.int64],
    seed: int,
    *,
    in_each_fold: bool = False,
) -> bool:
    """Whether the outcome is met among the rows to learn from, whichever fold is held out.

    Args:
        outcome: Shape (rows,).
        customer: A number per customer, shape (rows,).
        seed: What the folds are drawn with.
        in_each_fold: Whether it is to be met among those held out, too.

    Example:
        >>> is_learnable(np.array([True, False, False]), np.array([1, 2, 3]), seed=7)
        False
    """
    if np.unique(customer).size < FOLDS:
        return False
    folds = np.unique(customer_folds(customer, seed)[outcome]).size
    return folds == FOLDS if in_each_fold else folds > 1


def load(text: str, *, names: tuple[str, ...] | None = None) -> Trees:
    """The ensemble in a text that passes `check`; what follows its trees is dropped.

    Args:
        text: What LightGBM wrote.
        names: The features that it must expect, in order; any where not given.

    Raises:
        DataError: The text is no model that LightGBM could have written for these features.
    """
    check(text)
    trees = text.partition(f"\n{END}")[0] + f"\n{END}"
    try:
        booster = lgb.Booster(model_str=trees)
    except lgb.basic.LightGBMError as error:
        raise DataError("the model file cannot be parsed", saw=str(error)) from None
    if names is not None and tuple(booster.feature_name()) != names:
        raise DataError("the model file expects other features than its description names")
    return Trees(text=trees, booster=booster)


@lru_cache(maxsize=4)  # rows come a part at a time
def _shares(booster: lgb.Booster) -> tuple[TreeShares, ...] | None:
    return shares_of(booster.dump_model()["tree_info"])


def _fold_booster(
    data: lgb.Dataset, fold: NDArray[np.int64], k: int, options: dict[str, Any]
) -> lgb.Booster:
    return lgb.train(
        options,
        data.subset(np.flatnonzero(fold != k).tolist()),
        num_boost_round=MAX_ROUNDS,
        valid_sets=[data.subset(np.flatnonzero(fold == k).tolist())],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False)],
    )


def default_min_leaf_rows(rows: int) -> int:
    """The rows in a leaf, at least, where the parameters do not say.

    Example:
        >>> [default_min_leaf_rows(rows) for rows in (1_000, 50_000, 1_000_000)]
        [20, 250, 1000]
    """
    return int(np.clip(rows // 200, 20, 1000))


def options_of(
    parameters: TreeParameters, objective: Objective, rows: int, seed: int
) -> dict[str, Any]:
    """What LightGBM is told, but for the threads and the number of trees."""
    return {
        "objective": objective,
        "metric": "binary_logloss" if objective == "binary" else "tweedie",
        "learning_rate": parameters.learning_rate,
        "num_leaves": parameters.leaves,
        "min_data_in_leaf": parameters.min_leaf_rows or default_min_leaf_rows(rows),
        "lambda_l2": parameters.l2,
        "feature_fraction": parameters.feature_fraction,
        "bagging_fraction": parameters.bagging_fraction,
        "bagging_freq": 1,
        "max_bin": 127,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,  # row-wise sums depend on the number of threads
        "verbosity": -1,
    }
