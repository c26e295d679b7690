"""LightGBM: fitted with regularisation that suits customer data, stored as its text format.

Its text parser is native code that a crafted file can crash: it trusts the header's byte counts
and every index. So `load` parses only a text laid out as LightGBM lays it out, line by line, and
hands over nothing of what follows the trees.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from portfolio_ml.errors import DataError

Floats = NDArray[np.float64]
Objective = Literal["binary", "tweedie"]

MAX_TEXT_BYTES = 200_000_000
MAX_LEAVES = 1024  # native code walks a tree by recursion
FOLDS = 3
LEARNING_RATE = 0.08
MAX_ROUNDS = 300
MIN_ROUNDS = 20
PATIENCE = 20
LEAVES = 7
L2 = 10.0

_HEADER = (
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "feature_names",
    "feature_infos",
    "tree_sizes",
)
# A tree's fields in LightGBM's order, and what each holds a number of.
_FIELDS: Mapping[str, Literal["tree", "node", "leaf"]] = {
    "num_leaves": "tree",
    "num_cat": "tree",
    "split_feature": "node",
    "split_gain": "node",
    "threshold": "node",
    "decision_type": "node",
    "left_child": "node",
    "right_child": "node",
    "leaf_value": "leaf",
    "leaf_weight": "leaf",
    "leaf_count": "leaf",
    "internal_value": "node",
    "internal_weight": "node",
    "internal_count": "node",
    "is_linear": "tree",
    "shrinkage": "tree",
}
_END = "end of trees\n"
_TREE_END = "\n\n\n"
_NUMERICAL_SPLITS = {"0", "2", "4", "6", "8", "10"}
_OBJECTIVE = re.compile(
    "regression|regression_l1|huber|fair|poisson|quantile|mape|gamma|tweedie|cross_entropy"
    "|cross_entropy_lambda|binary sigmoid:1"
)
_COUNT = re.compile("[0-9]{1,6}")
_INDEX = re.compile("-?[0-9]{1,6}")
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?|inf|nan)")
_UNPRINTED = re.compile(r"[\x00-\x09\x0b-\x1f]")


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


def is_learnable(outcome: NDArray[np.bool_], customer: NDArray[np.int64], seed: int) -> bool:
    """Whether the outcome is met among the rows to learn from, whichever fold is held out.

    Args:
        outcome: Shape (rows,).
        customer: A number per customer, shape (rows,).
        seed: What the folds are drawn with.

    Example:
        >>> is_learnable(np.array([True, False, False]), np.array([1, 2, 3]), seed=7)
        False
    """
    if np.unique(customer).size < FOLDS:
        return False
    return np.unique(customer_folds(customer, seed)[outcome]).size > 1


def load(text: str, *, names: tuple[str, ...] | None = None) -> Trees:
    """The ensemble in a text that passes `check`; what follows its trees is dropped.

    Args:
        text: What LightGBM wrote.
        names: The features that it must expect, in order; any where not given.

    Raises:
        DataError: The text is no model that LightGBM could have written for these features.
    """
    check(text)
    trees = text.partition(f"\n{_END}")[0] + f"\n{_END}"
    try:
        booster = lgb.Booster(model_str=trees)
    except lgb.basic.LightGBMError as error:
        raise DataError("the model file cannot be parsed", saw=str(error)) from None
    if names is not None and tuple(booster.feature_name()) != names:
        raise DataError("the model file expects other features than its description names")
    return Trees(text=trees, booster=booster)


def check(text: str) -> None:
    """Refuse a text whose header or trees would lead the native parser or predictor astray.

    Raises:
        DataError: Naming the first part that is wrong.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise DataError("the model file is too large", saw=f"{len(text):,} characters")
    head, _, trees = text.partition("\n\n")
    header = _header(head)
    start = 0
    for number, size in enumerate(map(int, header["tree_sizes"].split(" "))):
        tree = trees[start : start + size]
        if fault := _tree_fault(tree, number, int(header["max_feature_idx"])):
            raise DataError(f"tree {number} of the model file is broken", saw=fault)
        start += size
    if not trees.startswith(_END, start):
        raise DataError("the model file's trees do not match its header")


def _header(head: str) -> dict[str, str]:
    """The header's values by key.

    Raises:
        DataError: It is no header of a model with one output.
    """
    kind, *lines = head.split("\n")
    header = _fields(lines)
    if kind != "tree" or tuple(header) != _HEADER or _UNPRINTED.search(head):
        raise DataError("the model file is no LightGBM text")
    fixed = (header["version"], header["num_class"], header["num_tree_per_iteration"])
    features = [header[key].split(" ") for key in ("feature_names", "feature_infos")]
    if not (
        fixed == ("v4", "1", "1")
        and _OBJECTIVE.fullmatch(header["objective"])
        and _are(_COUNT, [header["label_index"], header["max_feature_idx"]])
        and _are(_COUNT, header["tree_sizes"].split(" "))
        and all(len(tokens) == int(header["max_feature_idx"]) + 1 for tokens in features)
        and not any("" in tokens for tokens in features)
    ):
        raise DataError("the model file's header is not that of a model with one output")
    return header


def _tree_fault(tree: str, number: int, max_feature: int) -> str | None:
    title, *lines = tree.removesuffix(_TREE_END).split("\n")
    fields = {name: values.split(" ") for name, values in _fields(lines).items()}
    if title != f"Tree={number}" or not tree.endswith(_TREE_END) or tuple(fields) != (*_FIELDS,):
        return "a text that is not laid out as a tree"
    if not _are(_COUNT, fields["num_leaves"]) or not tree.isascii() or _UNPRINTED.search(tree):
        return "an unreadable number of leaves"
    if fields["num_cat"] != ["0"] or fields["is_linear"] != ["0"]:
        return "a categorical split or a linear leaf"
    leaves = int(fields["num_leaves"][0])
    if not 1 <= leaves <= MAX_LEAVES:
        return "an unexpected number of leaves"
    if leaves == 1:  # nothing else is read, and LightGBM leaves it empty
        return _numbers_fault(fields, leaves, ("num_leaves", "leaf_value", "shrinkage"))
    fault = _numbers_fault(fields, leaves, (*_FIELDS,))
    return fault or _nodes_fault(fields, leaves, max_feature)


def _numbers_fault(
    fields: Mapping[str, list[str]], leaves: int, names: tuple[str, ...]
) -> str | None:
    """What is wrong with the numbers, whatever they mean."""
    lengths = {"tree": 1, "node": leaves - 1, "leaf": leaves}
    if any(len(fields[name]) != lengths[_FIELDS[name]] for name in names):
        return "fields of unequal length"
    if not all(_are(_NUMBER, fields[name]) for name in names):
        return "a field that is no number"
    finite = (*fields["leaf_value"], *fields["shrinkage"])
    return None if all(isfinite(float(part)) for part in finite) else "a leaf without a value"


def _nodes_fault(fields: Mapping[str, list[str]], leaves: int, max_feature: int) -> str | None:
    """What is wrong with the tree's shape, where every field has its length."""
    if not all(_are(_INDEX, fields[k]) for k in ("split_feature", "left_child", "right_child")):
        return "an index that is no whole number"
    if not _NUMERICAL_SPLITS.issuperset(fields["decision_type"]):
        return "a categorical split"
    if not all(0 <= int(feature) <= max_feature for feature in fields["split_feature"]):
        return "a feature that does not exist"
    left, right = ([int(child) for child in fields[k]] for k in ("left_child", "right_child"))
    if sorted(left + right) != [*range(-leaves, 0), *range(1, leaves - 1)]:
        return "nodes that do not form a tree"
    if any(0 <= child <= node for side in (left, right) for node, child in enumerate(side)):
        return "a node that leads back"
    return None


def _fields(lines: Sequence[str]) -> dict[str, str]:
    """The values by key; a line that has none, or a key once more, leaves nothing to find."""
    pairs = [tuple(line.split("=", 1)) for line in lines]
    fields = dict(pair for pair in pairs if len(pair) == 2)
    return fields if len(fields) == len(lines) else {}


def _are(pattern: re.Pattern[str], parts: Sequence[str]) -> bool:
    return all(pattern.fullmatch(part) for part in parts)


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
        "force_col_wise": True,  # row-wise sums depend on the number of threads
        "verbosity": -1,
    }
