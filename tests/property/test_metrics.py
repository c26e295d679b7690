"""What holds for every metric, whatever the numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml import metrics

pytestmark = pytest.mark.property

CHURN = pytest.mark.parametrize("metric", metrics.CHURN_METRICS, ids=lambda metric: metric.name)
VALUE = pytest.mark.parametrize("metric", metrics.VALUE_METRICS, ids=lambda metric: metric.name)
BY_RANK = [metric for metric in metrics.METRICS.values() if metric.by_rank]

few_examples = shown(60)


@st.composite
def churn_rows(draw, min_size=2):
    """Outcomes, probabilities on a grid coarse enough for ties, and multiplicities."""
    rows = draw(st.integers(min_size, 30))
    column = {"min_size": rows, "max_size": rows}
    y = draw(st.lists(st.integers(0, 1), **column))
    p = draw(st.lists(st.integers(0, 20), **column))
    weight = draw(st.lists(st.integers(0, 3), **column))
    return np.array(y, float), np.array(p) / 20, np.array(weight)


@st.composite
def value_rows(draw):
    """Outcomes with returns among them, predictions with ties, and multiplicities."""
    rows = draw(st.integers(2, 30))
    column = {"min_size": rows, "max_size": rows}
    actual = draw(st.lists(st.integers(-20, 200), **column))
    predicted = draw(st.lists(st.integers(0, 40), **column))
    weight = draw(st.lists(st.integers(0, 3), **column))
    return np.array(actual, float), np.array(predicted, float), np.array(weight)


def approx(value):
    return pytest.approx(value, rel=1e-6, abs=1e-7, nan_ok=True)


def check_repetition(metric, rows):
    actual, score, weight = rows
    repeated = metric.value(np.repeat(actual, weight), np.repeat(score, weight))
    assert metric.value(actual, score, weight=weight) == approx(repeated)


def check_row_order(metric, rows, seed):
    actual, score, weight = rows
    order = np.random.default_rng(seed).permutation(len(actual))
    shuffled = metric.value(actual[order], score[order], weight=weight[order])
    assert metric.value(actual, score, weight=weight) == approx(shuffled)


@CHURN
@few_examples
@given(rows=churn_rows())
def test_integer_weights_equal_repeated_rows_for_churn(metric, rows):
    check_repetition(metric, rows)


@VALUE
@few_examples
@given(rows=value_rows())
def test_integer_weights_equal_repeated_rows_for_value(metric, rows):
    check_repetition(metric, rows)


@CHURN
@few_examples
@given(rows=churn_rows(), seed=st.integers(0, 9))
def test_the_order_of_rows_does_not_matter_for_churn(metric, rows, seed):
    check_row_order(metric, rows, seed)


@VALUE
@few_examples
@given(rows=value_rows(), seed=st.integers(0, 9))
def test_the_order_of_rows_does_not_matter_for_value(metric, rows, seed):
    check_row_order(metric, rows, seed)


@pytest.mark.parametrize("metric", BY_RANK, ids=lambda metric: metric.name)
@few_examples
@given(rows=churn_rows())
def test_rank_metrics_survive_an_increasing_map_of_the_score(metric, rows):
    actual, score, weight = rows
    mapped = np.exp(3 * score) - 7
    assert metric.value(actual, mapped, weight=weight) == approx(
        metric.value(actual, score, weight=weight)
    )


@pytest.mark.parametrize("name", ["normalised_gini", "spearman", "decile_mape", "total_bias"])
@few_examples
@given(rows=value_rows(), scale=st.sampled_from([0.01, 3.0, 1e6]))
def test_relative_value_metrics_do_not_depend_on_the_currency(name, rows, scale):
    actual, predicted, weight = rows
    metric = metrics.METRICS[name]
    assert metric.value(actual * scale, predicted * scale, weight=weight) == approx(
        metric.value(actual, predicted, weight=weight)
    )


@few_examples
@given(rows=churn_rows())
def test_auroc_of_the_reversed_score_is_the_complement(rows):
    y, p, weight = rows
    assert metrics.auroc(y, 1 - p, weight=weight) == approx(1 - metrics.auroc(y, p, weight=weight))


@few_examples
@given(rows=churn_rows())
def test_auroc_is_the_share_of_pairs_won(rows):
    y, p, _ = rows
    pairs = np.sign(p[y == 1][:, None] - p[y == 0][None, :])
    expected = (pairs.mean() + 1) / 2 if pairs.size else float("nan")
    assert metrics.auroc(y, p) == approx(expected)


@few_examples
@given(rows=churn_rows())
def test_the_gini_of_a_binary_outcome_is_twice_auroc_less_1(rows):
    y, p, _ = rows
    assert metrics.normalised_gini(y, p) == approx(2 * metrics.auroc(y, p) - 1)


@few_examples
@given(rows=churn_rows(), share=st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_lift_is_the_mean_over_the_orders_of_tied_rows(rows, share):
    y, p, _ = rows
    rng = np.random.default_rng(0)
    broken = [metrics.lift_at(y, p + rng.uniform(0, 1e-6, len(p)), share=share) for _ in range(300)]
    spread = np.std(broken) / np.sqrt(300)
    assert metrics.lift_at(y, p, share=share) == pytest.approx(
        float(np.mean(broken)), abs=6 * spread + 1e-9, nan_ok=True
    )


@few_examples
@given(rows=churn_rows())
def test_churn_metrics_stay_within_their_bounds(rows):
    y, p, weight = rows
    for name, low, high in [
        ("auroc", 0, 1),
        ("average_precision", 0, 1),
        ("log_loss", 0, np.inf),
        ("brier", 0, 1),
        ("calibration_error", 0, 1),
        ("lift_at_10pct", 0, 10),
    ]:
        value = metrics.METRICS[name].value(y, p, weight=weight)
        assert np.isnan(value) or low - 1e-9 <= value <= high + 1e-9


@few_examples
@given(rows=value_rows())
def test_value_metrics_stay_within_their_bounds(rows):
    actual, predicted, weight = rows
    for name in ("normalised_gini", "spearman"):
        value = metrics.METRICS[name].value(actual, predicted, weight=weight)
        assert np.isnan(value) or -1 - 1e-9 <= value <= 1 + 1e-9
    absolute = metrics.mae(actual, predicted, weight=weight)
    assert np.isnan(absolute) or absolute <= metrics.rmse(actual, predicted, weight=weight) + 1e-9
    assert np.isnan(g := metrics.gini(actual, weight=weight)) or -1e-9 <= g < 1


@few_examples
@given(rows=value_rows())
def test_a_perfect_prediction_of_value_reaches_the_ideal(rows):
    actual, _, weight = rows
    for metric in metrics.VALUE_METRICS:
        value = metric.value(actual, actual, weight=weight)
        assert np.isnan(value) or value == pytest.approx(metric.ideal, abs=1e-9)


@few_examples
@given(rows=value_rows())
def test_decile_sums_add_up_to_the_totals(rows):
    actual, predicted, weight = rows
    deciles = metrics.decile_table(actual, predicted, weight=weight)
    assert sum(decile.customers for decile in deciles) == approx(weight.sum())
    assert sum(decile.actual for decile in deciles) == approx(weight @ actual)
    assert sum(decile.predicted for decile in deciles) == approx(weight @ predicted)


@few_examples
@given(rows=value_rows())
def test_decile_mape_is_no_less_than_the_total_bias(rows):
    actual, predicted, weight = rows
    bias = metrics.total_bias(actual, predicted, weight=weight)
    assert (
        np.isnan(bias) or abs(bias) <= metrics.decile_mape(actual, predicted, weight=weight) + 1e-9
    )


@few_examples
@given(rows=churn_rows(), bins=st.integers(1, 12))
def test_the_calibration_curve_loses_no_row_and_climbs(rows, bins):
    y, p, weight = rows
    curve = metrics.calibration_curve(y, p, bins=bins, weight=weight)
    assert curve.rows.sum() == weight.sum()
    assert curve.rows @ curve.observed == approx(weight @ y)
    assert (np.diff(curve.predicted) > 0).all()


@few_examples
@given(rows=churn_rows())
def test_the_calibration_line_is_a_stationary_point(rows):
    y, p, weight = rows
    p = 0.01 + 0.98 * p
    line = metrics.calibration_line(y, p, weight=weight)
    if np.isnan(line.slope):
        return
    x = np.log(p / (1 - p))
    error = weight * (y - 1 / (1 + np.exp(-(line.intercept + line.slope * x))))
    assert error.sum() == pytest.approx(0, abs=1e-6)
    assert error @ x == pytest.approx(0, abs=1e-5)


@few_examples
@given(rows=churn_rows(min_size=6), seed=st.integers(0, 9))
def test_a_bootstrap_does_not_depend_on_the_order_of_rows(rows, seed):
    y, candidate, weight = rows
    baseline, customers = candidate[::-1], np.arange(len(y)) // 2
    order = np.random.default_rng(seed).permutation(len(y))
    first, second = (
        metrics.paired_bootstrap(
            metrics.METRICS["auroc"],
            y[taken],
            candidate=candidate[taken],
            baseline=baseline[taken],
            groups=customers[taken],
            strata=weight[taken],
            seed=seed,
            n=20,
        )
        for taken in (np.arange(len(y)), order)
    )
    assert (first.low, first.high) == (approx(second.low), approx(second.high))
    assert first.n == second.n


# --- extremes, and what better predictions do ---

INTERVAL = pytest.mark.parametrize(
    "metric", metrics.interval_metrics(0.8), ids=lambda metric: metric.name
)
certain = st.sampled_from([0.0, 1e-300, 1e-12, 0.5, 1 - 1e-16, 1.0])
money = st.sampled_from([0.0, 1e-4, 1.0, 1e9, 1e12])


@CHURN
@few_examples
@given(rows=st.lists(st.tuples(st.integers(0, 1), certain), max_size=8))
def test_certain_probabilities_give_finite_figures_or_none(metric, rows):
    y, p = np.array(rows, float).reshape(-1, 2).T
    assert not np.isinf(metric.value(y, p))


@VALUE
@few_examples
@given(rows=st.lists(st.tuples(st.one_of(money, st.just(-1e9)), money), max_size=8))
def test_extreme_amounts_give_finite_figures_or_none(metric, rows):
    actual, predicted = np.array(rows, float).reshape(-1, 2).T
    assert not np.isinf(metric.value(actual, predicted))


@few_examples
@given(rows=churn_rows(), share=st.floats(0, 1))
def test_chances_nearer_to_the_outcome_are_no_worse(rows, share):
    y, p, weight = rows
    nearer = p + share * (y - p)
    for name in ("log_loss", "brier", "auroc"):
        metric = metrics.METRICS[name]
        before, after = (metric.value(y, each, weight=weight) for each in (p, nearer))
        assert np.isnan(before) or metric.gain(after, before) >= -1e-9


@few_examples
@given(rows=value_rows(), share=st.floats(0, 1))
def test_amounts_nearer_to_the_outcome_are_no_worse(rows, share):
    actual, predicted, weight = rows
    nearer = predicted + share * (actual - predicted)
    for name in ("mae", "rmse", "total_bias"):
        metric = metrics.METRICS[name]
        before, after = (metric.value(actual, each, weight=weight) for each in (predicted, nearer))
        assert np.isnan(before) or metric.gain(after, before) >= -1e-9


@INTERVAL
@few_examples
@given(rows=value_rows())
def test_integer_weights_equal_repeated_rows_for_intervals(metric, rows):
    actual, middle, weight = rows
    ends = np.column_stack([middle - 5, middle + 10])
    repeated = metric.value(np.repeat(actual, weight), np.repeat(ends, weight, axis=0))
    assert metric.value(actual, ends, weight=weight) == approx(repeated)


@few_examples
@given(rows=value_rows(), more=st.integers(0, 40))
def test_wider_intervals_cover_no_less(rows, more):
    actual, middle, weight = rows
    narrow, wide = (
        metrics.coverage(actual, middle - reach, middle + reach, weight=weight)
        for reach in (5, 5 + more)
    )
    assert np.isnan(narrow) or narrow <= wide
