"""Boosted trees: folds by customer, files that threads cannot change, texts that cannot crash."""

import lightgbm as lgb
import numpy as np
import pytest
from tests.model_texts import loaded_apart, resized, trees_of, with_field, with_header

from portfolio_ml.errors import DataError
from portfolio_ml.models import tree_text, trees

pytestmark = pytest.mark.unit

NAMES = tuple(f"f{k}" for k in range(4))


@pytest.fixture(scope="module")
def rows():
    """Features, a binary outcome that they tell, and customers with three rows each."""
    rng = np.random.default_rng(0)
    features = rng.gamma(1, 10, (900, len(NAMES))).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    outcome = np.nan_to_num(features[:, 0]) > np.nan_to_num(features[:, 1])
    return features, outcome.astype(np.float64), np.repeat(np.arange(300), 3)


@pytest.fixture(scope="module")
def fit(rows):
    features, outcome, customer = rows
    return trees.fit_trees(
        features, outcome, names=NAMES, customer=customer, objective="binary", seed=1
    )


@pytest.fixture(scope="module")
def text(rows):
    """A small ensemble as LightGBM writes it, with what follows its trees."""
    return _written("binary", *rows[:2])


@pytest.fixture(scope="module")
def stump(rows):
    """An ensemble whose only tree has one leaf."""
    return _written("regression", rows[0], np.ones(len(rows[0])))


def _written(objective, features, outcome, *, rounds=3, **parameters):
    data = lgb.Dataset(features, outcome, feature_name=list(NAMES))
    given = {"objective": objective, "num_leaves": 5, "verbosity": -1, "num_threads": 1}
    return lgb.train(given | parameters, data, rounds).model_to_string()


# Folds


def test_all_rows_of_a_customer_share_a_fold():
    customer = np.random.default_rng(3).integers(0, 50, 400)
    fold = trees.customer_folds(customer, seed=7)
    assert all(np.unique(fold[customer == c]).size == 1 for c in np.unique(customer))


def test_folds_hold_as_many_customers():
    customer = np.repeat(np.arange(30), 4)
    fold = trees.customer_folds(customer, seed=7)
    sizes = [np.unique(customer[fold == k]).size for k in range(trees.FOLDS)]
    assert sizes == [10] * trees.FOLDS


def test_the_seed_decides_the_folds():
    customer = np.arange(60)
    first, again, other = (trees.customer_folds(customer, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_held_out_predictions_do_not_know_the_customers_own_rows(rows, monkeypatch):
    """The rounds are held fixed: they are chosen on the held-out rows, and are all that may move.

    Turning one customer's outcomes round changes what is predicted for others, but not for them.
    """
    monkeypatch.setattr(trees, "MAX_ROUNDS", trees.MIN_ROUNDS)
    features, outcome, customer = rows
    own = customer == 17
    turned = np.where(own, 1 - outcome, outcome)
    before, after = (
        trees.fit_trees(features, y, names=NAMES, customer=customer, objective="binary", seed=1)
        for y in (outcome, turned)
    )
    fold = trees.customer_folds(customer, 1)
    same_fold = fold == fold[own][0]
    assert np.array_equal(before.held_out[same_fold], after.held_out[same_fold])
    assert not np.array_equal(before.held_out[~same_fold], after.held_out[~same_fold])


def test_held_out_predictions_cannot_learn_a_customer_by_heart():
    """The outcome is drawn per customer, and the feature names the customer: nothing to learn."""
    rng = np.random.default_rng(5)
    customer = np.repeat(np.arange(200), 8)
    outcome = rng.integers(0, 2, 200)[customer].astype(np.float64)
    features = np.column_stack([customer, rng.random(1600)]).astype(np.float32)
    fit = trees.fit_trees(
        features, outcome, names=("who", "noise"), customer=customer, objective="binary", seed=1
    )
    seen = np.corrcoef(fit.trees.predict(features), outcome)[0, 1]
    held_out = np.corrcoef(fit.held_out, outcome)[0, 1]
    assert seen > 0.3
    assert held_out < 0.1


@pytest.mark.parametrize(
    ("outcome", "customer", "is_learnable"),
    [
        ([True] * 9, range(9), True),
        ([False] * 9, range(9), False),
        ([True, True, False, False, False], [0, 0, 1, 2, 3], False),
        ([True, True], [0, 1], False),
        ([True, True, True, False], [0, 1, 2, 3], True),
    ],
    ids=["all", "none", "one customer's", "fewer customers than folds", "three customers'"],
)
def test_an_outcome_is_learnable_if_no_fold_can_hold_all_of_it(outcome, customer, is_learnable):
    met = trees.is_learnable(np.array(outcome), np.array(customer), seed=7)
    assert met is is_learnable


# Fitting


def test_two_fits_of_one_seed_are_the_same_file(rows, fit):
    features, outcome, customer = rows
    again = trees.fit_trees(
        features, outcome, names=NAMES, customer=customer, objective="binary", seed=1
    )
    assert again.trees.text == fit.trees.text
    assert np.array_equal(again.held_out, fit.held_out)


def test_the_number_of_threads_changes_no_byte(monkeypatch):
    """Outcomes and weights over many orders of magnitude: a sum would show its order."""
    monkeypatch.setattr(trees, "MAX_ROUNDS", trees.MIN_ROUNDS)
    rng = np.random.default_rng(0)
    features = rng.lognormal(0, 3, (30_000, len(NAMES))).astype(np.float32)
    spend = (rng.random(30_000) < 0.4) * rng.lognormal(0, 3.5, 30_000) * features[:, 2] ** 0.5
    weight = 0.5 ** (20 * rng.random(30_000))
    texts = []
    monkeypatch.setattr(trees, "ROWS_PER_THREAD", 1_000)
    for cores in (2, 6):
        monkeypatch.setattr(trees, "cpu_count", lambda cores=cores: cores)
        fit = trees.fit_trees(
            features,
            spend,
            names=NAMES,
            customer=np.repeat(np.arange(10_000), 3),
            objective="tweedie",
            seed=1,
            weight=weight,
        )
        texts.append(fit.trees.text)
    assert texts[0] == texts[1]


def test_the_rounds_lie_within_their_bounds(fit):
    assert trees.MIN_ROUNDS <= fit.rounds <= trees.MAX_ROUNDS
    assert fit.trees.booster.num_trees() <= fit.rounds


def test_the_stored_text_holds_nothing_but_the_model(fit):
    """No paths, threads or other parameters of the machine that fitted it."""
    assert fit.trees.text.endswith("\nend of trees\n")
    assert "parameters" not in fit.trees.text


def test_a_stored_text_predicts_as_the_fitted_ensemble_does(rows, fit):
    again = trees.load(fit.trees.text, names=NAMES)
    assert again.text == fit.trees.text
    assert np.array_equal(again.predict(rows[0]), fit.trees.predict(rows[0]))


# What LightGBM writes is accepted


@pytest.mark.parametrize(
    "objective",
    [
        "regression",
        "regression_l1",
        "huber",
        "fair",
        "poisson",
        "quantile",
        "mape",
        "gamma",
        "tweedie",
        "cross_entropy",
        "cross_entropy_lambda",
        "binary",
    ],
)
def test_a_text_of_each_objective_is_accepted(rows, objective):
    features, outcome, _ = rows
    written = _written(objective, features, outcome + (objective == "gamma"))
    loaded = trees.load(written, names=NAMES)
    native = lgb.Booster(model_str=written).predict(features)
    assert np.array_equal(loaded.predict(features), native)


def test_a_split_between_known_and_unknown_is_accepted(rows):
    """LightGBM writes its threshold as infinite."""
    features, outcome, _ = rows
    features = np.ones_like(features) * np.arange(len(features))[:, None] % 10
    features[outcome == 1, 0] = np.nan
    written = _written("binary", features, outcome)
    assert "threshold=inf" in written
    assert np.array_equal(trees.load(written).predict(features) > 0.5, outcome == 1)


def test_trees_of_one_leaf_are_accepted(rows, stump):
    assert "num_leaves=1\n" in stump
    assert np.allclose(trees.load(stump).predict(rows[0]), 1.0)


def test_a_tree_of_many_leaves_is_accepted(rows):
    features, outcome, _ = rows
    written = _written("regression", features, outcome, num_leaves=200, min_data_in_leaf=1)
    trees.check(written)


def test_features_that_never_split_are_accepted(rows):
    features, outcome, _ = rows
    constant = features.copy()
    constant[:, 2] = 4
    written = _written("binary", constant, outcome)
    assert " none " in written
    trees.check(written)


def test_names_beyond_ascii_are_accepted(rows):
    features, outcome, _ = rows
    written = _written("binary", features, outcome).replace(" f2 ", " größe ")
    assert trees.load(written).booster.feature_name()[2] == "größe"


def test_what_follows_the_trees_is_never_parsed(rows, text):
    loaded = trees.load(
        text[: text.index("end of trees")] + "end of trees\n\0\npandas_categorical:["
    )
    assert np.array_equal(loaded.predict(rows[0]), trees.load(text).predict(rows[0]))


# What it does not write is refused


CHANGED_TREES = {
    "child out of range": ("left_child", "7 2 -1 -2"),
    "leaf out of range": ("left_child", "1 2 -1 -9"),
    "cycle": ("left_child", "1 0 -1 -2"),
    "child of two parents": ("left_child", "1 1 -1 -2"),
    "feature out of range": ("split_feature", "0 1 4 0"),
    "negative feature": ("split_feature", "0 1 -1 0"),
    "too few thresholds": ("threshold", "1 2 3"),
    "too many thresholds": ("threshold", "1 2 3 4 5"),
    "too few children": ("right_child", "-3"),
    "too few leaf values": ("leaf_value", "1 2 3 4"),
    "too few counts": ("leaf_count", "1"),
    "huge number of leaves": ("num_leaves", "2000000000"),
    "more leaves than values": ("num_leaves", "131072"),
    "no leaf": ("num_leaves", "0"),
    "negative number of leaves": ("num_leaves", "-5"),
    "a word for the number of leaves": ("num_leaves", "five"),
    "no number of leaves": ("num_leaves", ""),
    "a digit of another script": ("num_leaves", "\u0665"),
    "part of an index": ("left_child", "1 2 -1 -1.5"),
    "underscore in a number": ("left_child", "1 2 -1 -0_2"),
    "number beyond 32 bits": ("left_child", "1 2 -1 -4294967298"),
    "infinite leaf": ("leaf_value", "1 2 3 4 inf"),
    "overflowing leaf": ("leaf_value", "1 2 3 4 1e999"),
    "leaf without a value": ("leaf_value", "1 2 3 4 nan"),
    "hexadecimal": ("threshold", "0x10 2 3 4"),
    "words for numbers": ("split_gain", "a b c d"),
    "categorical split": ("decision_type", "2 2 1 2"),
    "categorical split beyond 8 bits": ("decision_type", "2 2 257 2"),
    "number of categorical splits": ("num_cat", "1"),
    "linear leaves": ("is_linear", "1"),
    "field in a field": ("leaf_weight", "1 1 1 1 1\rnum_leaves=90"),
    "end of text in a field": ("leaf_weight", "1 1 1 1\0"),
    "field once more": ("shrinkage", "1\nnum_leaves=90"),
    "unknown field": ("shrinkage", "1\ncat_boundaries=0 900"),
    "line without a value": ("shrinkage", "1\nnum_leaves"),
    "blank line": ("num_cat", "0\n"),
    "other number": ("Tree", "7"),
}
CHANGED_HEADERS = {
    "several classes": ("num_class", "3"),
    "no class": ("num_class", "0"),
    "several trees an iteration": ("num_tree_per_iteration", "3"),
    "no tree an iteration": ("num_tree_per_iteration", "0"),
    "no features": ("max_feature_idx", "-1"),
    "fewer features than names": ("max_feature_idx", "2"),
    "more features than names": ("max_feature_idx", "900000"),
    "features beyond 32 bits": ("max_feature_idx", "4294967299"),
    "names missing": ("feature_names", "f0"),
    "name empty": ("feature_names", "f0 f1  f3"),
    "ranges missing": ("feature_infos", "none"),
    "sizes beyond the text": ("tree_sizes", "900000 900000 900000"),
    "sizes of nothing": ("tree_sizes", "0 0 0"),
    "one tree in three places": ("tree_sizes", "0 0 700"),
    "sizes that overflow": ("tree_sizes", "18446744073709551615 1 1"),
    "negative size": ("tree_sizes", "-700 700 700"),
    "no sizes": ("tree_sizes", ""),
    "fewer sizes than trees": ("tree_sizes", "700"),
    "other version": ("version", "v9"),
    "several outputs": ("objective", "multiclass num_class:1000000"),
    "unknown objective": ("objective", "custom"),
    "parameter of the objective": ("objective", "binary sigmoid:0"),
    "key once more": ("label_index", "0\nnum_class=1000000"),
    "unknown key": ("label_index", "0\naverage_output"),
    "key behind a carriage return": ("label_index", "0\rnum_class=1000000"),
    "number of the label": ("label_index", "x"),
}


@pytest.mark.parametrize(("field", "value"), CHANGED_TREES.values(), ids=CHANGED_TREES)
def test_a_changed_tree_is_refused(text, field, value):
    with pytest.raises(DataError, match="Tree 1 of the model file is broken"):
        trees.check(with_field(text, field, value))


@pytest.mark.parametrize(("key", "value"), CHANGED_HEADERS.values(), ids=CHANGED_HEADERS)
def test_a_changed_header_is_refused(text, key, value):
    with pytest.raises(DataError, match="model file"):
        trees.check(with_header(text, key, value))


def test_a_text_cut_anywhere_is_refused(text):
    whole = text.index("end of trees\n") + len("end of trees\n")
    for length in range(0, whole, 7):
        with pytest.raises(DataError):
            trees.check(text[:length])


def test_a_missing_tree_is_refused(text):
    with pytest.raises(DataError, match="Tree 1 of the model file is broken"):
        trees.check(text.replace(trees_of(text)[1], ""))
    with pytest.raises(DataError, match="Tree 1 of the model file is broken"):
        trees.check(resized(text.replace(trees_of(text)[1], "")))


def test_an_unannounced_tree_is_refused(text):
    more = text.replace(
        "end of trees", trees_of(text)[1].replace("Tree=1", "Tree=3") + "end of trees"
    )
    with pytest.raises(DataError, match="do not match"):
        trees.check(more)


@pytest.mark.parametrize("other", ["", "tree", "tree\n", "{}", "\0" * 100, "Tree=0\n" * 100])
def test_another_text_is_refused(other):
    with pytest.raises(DataError, match="no LightGBM text"):
        trees.check(other)


def test_a_huge_text_is_refused(text, monkeypatch):
    monkeypatch.setattr(tree_text, "MAX_TEXT_BYTES", 100)
    with pytest.raises(DataError, match="too large"):
        trees.check(text)


def test_a_model_of_other_features_is_refused(text):
    with pytest.raises(DataError, match="other features"):
        trees.load(text, names=("f0", "f1", "f3", "f2"))


def test_what_the_native_parser_refuses_is_an_expected_error(text):
    with pytest.raises(DataError, match="cannot be parsed"):
        trees.load(with_header(text, "feature_infos", "a=b=c none none none"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("shrinkage", "x"), ("shrinkage", ""), ("leaf_value", "1 2"), ("leaf_value", "x"),
     ("num_leaves", "1 1"), ("leaf_weight", "\0")],
)  # fmt: skip
def test_a_changed_tree_of_one_leaf_is_refused(stump, field, value):
    with pytest.raises(DataError, match="Tree 0 of the model file is broken"):
        trees.check(with_field(stump, field, value, tree=0))


def test_no_changed_text_crashes_the_process(text):
    """The native parser hangs, ends the process or reads elsewhere on most of these."""
    fields = [with_field(text, field, value) for field, value in CHANGED_TREES.values()]
    headers = [with_header(text, key, value) for key, value in CHANGED_HEADERS.values()]
    assert loaded_apart([text, *fields, *headers]) == [
        "loaded",
        *["refused"] * len(fields),
        *["refused"] * len(headers),
    ]
