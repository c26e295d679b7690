"""LightGBM: fitted with regularisation that suits customer data, stored as its text format.

Its text parser is native code that a crafted file can crash, so `load` checks every tree's
indices in Python before the text is parsed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from portfolio_ml.errors import DataError

Floats = NDArray[np.float64]
Objective = Literal["binary", "tweedie"]

MAX_TEXT_BYTES = 200_000_000
MAX_LEAVES = 131_072
FOLDS = 3
LEARNING_RATE = 0.08
MAX_ROUNDS = 300
MIN_ROUNDS = 20
PATIENCE = 20
LEAVES = 7
L2 = 10.0


@dataclass(frozen=True, slots=True)
class Trees:
    """A fitted ensemble.

    Attributes:
        text: LightGBM's text format.
        booster: The ensemble, ready to predict.
    """

    text: str
    booster: lgb.Booster

    def predict(self, features: NDArray[np.float32]) -> Floats:
        """Predictions on the scale of the outcome, shape (rows,)."""
        values: Floats = np.asarray(self.booster.predict(features), dtype=np.float64)
        return values


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
    """
    fold = customer_folds(customer, seed)
    parameters = _parameters(objective, len(outcome), seed)
    weights = np.ones(len(outcome)) if weight is None else weight
    data = lgb.Dataset(
        features, outcome, weight=weights, feature_name=list(names), params=parameters,
        free_raw_data=False,
    ).construct()  # fmt: skip
    boosters = [_fold_booster(data, fold, k, parameters) for k in range(FOLDS)]
    rounds = max(MIN_ROUNDS, round(float(np.mean([b.best_iteration for b in boosters]))))
    held_out = np.empty(len(outcome))
    for k, booster in enumerate(boosters):
        rows = fold == k
        held_out[rows] = np.asarray(
            booster.predict(features[rows], num_iteration=min(rounds, booster.current_iteration()))
        )
    final = lgb.train(parameters, data, num_boost_round=rounds)
    text = final.model_to_string(num_iteration=rounds)
    return Fit(trees=load(text), held_out=held_out, rounds=rounds)


def customer_folds(customer: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The fold of each row, in [0, FOLDS); all rows of a customer share one."""
    customers, position = np.unique(customer, return_inverse=True)
    fold = np.arange(customers.size) % FOLDS
    np.random.default_rng(seed).shuffle(fold)
    return fold[position]


def load(text: str) -> Trees:
    """The ensemble in a text that passes `check`.

    Raises:
        DataError: The text is no model that LightGBM could have written.
    """
    check(text)
    return Trees(text=text, booster=lgb.Booster(model_str=text))


def check(text: str) -> None:
    """Refuse a text whose tree indices would lead the native parser or predictor astray.

    Raises:
        DataError: Naming the first tree that is wrong.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise DataError("the model file is too large", saw=f"{len(text):,} characters")
    header = re.search(r"^max_feature_idx=(\d{1,6})$", text, re.MULTILINE)
    if not text.startswith("tree\n") or header is None or "\nend of trees" not in text:
        raise DataError("the model file is no LightGBM text")
    trees = re.split(r"^Tree=", text.split("\nend of trees", maxsplit=1)[0], flags=re.MULTILINE)[1:]
    sizes = re.search(r"^tree_sizes=([\d ]*)$", text, re.MULTILINE)
    if not trees or sizes is None or len(sizes[1].split()) != len(trees):
        raise DataError("the model file's trees do not match its header")
    for number, tree in enumerate(trees):
        if fault := _tree_fault(tree, number, int(header[1])):
            raise DataError(f"tree {number} of the model file is broken", saw=fault)


def _tree_fault(tree: str, number: int, max_feature: int) -> str | None:
    lines = tree.splitlines()
    fields = dict(line.split("=", 1) for line in lines[1:] if "=" in line)
    try:
        leaves = int(fields["num_leaves"])
        if lines[0] != str(number) or not 1 <= leaves <= MAX_LEAVES:
            return "an unexpected tree number or leaf count"
        if len(_floats(fields["leaf_value"])) != leaves:
            return "a leaf without a value"
        if int(fields["num_cat"]) != 0 or fields.get("is_linear", "0") != "0":
            return "a categorical split or a linear leaf"
        return None if leaves == 1 else _nodes_fault(fields, leaves, max_feature)
    except (KeyError, ValueError, IndexError):
        return "a field that is missing or no number"


def _nodes_fault(fields: Mapping[str, str], leaves: int, max_feature: int) -> str | None:
    used, decisions = _integers(fields["split_feature"]), _integers(fields["decision_type"])
    left, right = _integers(fields["left_child"]), _integers(fields["right_child"])
    thresholds = _floats(fields["threshold"])
    if any(len(field) != leaves - 1 for field in (used, decisions, left, right, thresholds)):
        return "fields of unequal length"
    if any(not 0 <= feature <= max_feature for feature in used):
        return "a feature that does not exist"
    if any(decision & 1 for decision in decisions):
        return "a categorical split"
    if sorted(left + right) != [*range(-leaves, 0), *range(1, leaves - 1)]:
        return "nodes that do not form a tree"
    if any(0 <= child <= node for side in (left, right) for node, child in enumerate(side)):
        return "a node that leads back"
    return None


def _integers(field: str) -> list[int]:
    return [int(part) for part in field.split()]


def _floats(field: str) -> list[float]:
    return [float(part) for part in field.split()]


def _fold_booster(
    data: lgb.Dataset, fold: NDArray[np.int64], k: int, parameters: dict[str, Any]
) -> lgb.Booster:
    return lgb.train(
        parameters,
        data.subset(np.flatnonzero(fold != k).tolist()),
        num_boost_round=MAX_ROUNDS,
        valid_sets=[data.subset(np.flatnonzero(fold == k).tolist())],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False)],
    )


def _parameters(objective: Objective, rows: int, seed: int) -> dict[str, Any]:
    return {
        "objective": objective,
        "metric": "binary_logloss" if objective == "binary" else "tweedie",
        "learning_rate": LEARNING_RATE,
        "num_leaves": LEAVES,
        "min_data_in_leaf": int(np.clip(rows // 200, 20, 1000)),
        "lambda_l2": L2,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "max_bin": 127,
        "num_threads": max(1, cpu_count() // 2),  # the other target is fitted beside
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
