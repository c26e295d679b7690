"""LightGBM's text format, checked before native code parses it.

Its parser trusts the header's byte counts and every index, so that a crafted file can crash the
process. `check` accepts only a text laid out as LightGBM lays it out, line by line.
"""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Literal

from portfolio_ml.errors import DataError
from portfolio_ml.models.files import MAX_TEXT_BYTES

MAX_LEAVES = 1024  # native code walks a tree by recursion

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
END = "end of trees\n"
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
    if not trees.startswith(END, start):
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
    if "nan" in fields["threshold"]:  # infinite ones part the known from the unknown
        return "a threshold that is no number"
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
