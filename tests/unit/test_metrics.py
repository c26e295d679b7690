"""Metrics on numbers small enough to work out by hand."""

import math
import pkgutil

import numpy as np
import pytest

from portfolio_ml import metrics
from portfolio_ml.metrics.inputs import mean, vectors, weights
from portfolio_ml.metrics.metric import mean_of_defined, rows_of

pytestmark = pytest.mark.unit

MODULES = [
    f"portfolio_ml.metrics.{module.name}" for module in pkgutil.iter_modules(metrics.__path__)
]


# Rank of churn scores


def test_auroc_counts_the_pairs_in_the_right_order():
    # churners 0.9 and 0.4, stayers 0.6, 0.4 and 0.1: (1 + 1 + 1) + (0 + 1/2 + 1) of 6 pairs
    assert metrics.auroc([1, 0, 1, 0, 0], [0.9, 0.6, 0.4, 0.4, 0.1]) == pytest.approx(4.5 / 6)


def test_auroc_of_one_constant_score_is_a_half():
    assert metrics.auroc([1, 0, 0], [0.3, 0.3, 0.3]) == 0.5


def test_average_precision_takes_tied_rows_in_together():
    # thresholds 0.9, 0.5, 0.1: precision 1/1, 2/3, 2/4 with recall steps 1/2, 1/2, 0
    expected = 1 / 2 * 1 + 1 / 2 * 2 / 3
    assert metrics.average_precision([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1]) == pytest.approx(expected)


def test_lift_divides_the_rate_at_the_top_by_the_overall_rate():
    y, p = [1, 1, 0, 0, 1, 0, 0, 0, 0, 0], np.arange(10)[::-1]
    assert metrics.lift_at(y, p, share=0.2) == pytest.approx(1.0 / 0.3)


def test_lift_shares_out_a_tie_at_the_border():
    # the top 1 of 4 is one of the two tied rows, of which one churned: expected rate 1/2
    assert metrics.lift_at([1, 0, 1, 0], [0.8, 0.8, 0.2, 0.1], share=0.25) == pytest.approx(1.0)


@pytest.mark.parametrize("share", [0, -0.1, 1.5])
def test_lift_refuses_a_share_outside_its_range(share):
    with pytest.raises(ValueError, match="share lies in"):
        metrics.lift_at([1, 0], [0.8, 0.2], share=share)


# Likelihood and calibration


def test_log_loss_of_a_certain_error_is_finite():
    assert metrics.log_loss([1], [0]) == pytest.approx(-math.log(np.finfo(float).eps))


def test_brier_is_the_mean_squared_error():
    assert metrics.brier([1, 0, 1], [1, 0.5, 0.2]) == pytest.approx((0 + 0.25 + 0.64) / 3)


def test_a_weight_counts_a_row_as_often():
    assert metrics.brier([1, 0], [0.5, 1], weight=[3, 1]) == pytest.approx((3 * 0.25 + 1) / 4)


def test_the_calibration_line_passes_through_the_two_observed_rates():
    # 1 of 4 churned where 0.2 was said, 3 of 4 where 0.6 was
    y, p = [1, 0, 0, 0, 1, 1, 1, 0], [0.2] * 4 + [0.6] * 4
    logit = {q: math.log(q / (1 - q)) for q in (0.2, 0.25, 0.6, 0.75)}
    slope = (logit[0.75] - logit[0.25]) / (logit[0.6] - logit[0.2])

    line = metrics.calibration_line(y, p)

    assert line.slope == pytest.approx(slope)
    assert line.intercept == pytest.approx(logit[0.25] - slope * logit[0.2])


def test_the_calibration_line_is_found_from_extreme_probabilities():
    y = [1, 1, 1, 0, 1, 0, 0, 0]
    p = [1.0] * 4 + [0.0] * 4

    line = metrics.calibration_line(y, p)

    clipped = math.log((1 - np.finfo(float).eps) / np.finfo(float).eps)
    assert line.slope == pytest.approx(math.log(3) / clipped)
    assert line.intercept == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([1, 1], [0.2, 0.8]),
        ([0, 1, 0], [0.3, 0.3, 0.3]),
        ([0, 0, 1], [0.1, 0.2, 0.9]),
        ([1, 1, 0], [0.1, 0.2, 0.2]),
        ([], []),
    ],
    ids=["one class", "one probability", "parted", "parted the other way", "no rows"],
)
def test_there_is_no_calibration_line_without_overlap(y, p):
    line = metrics.calibration_line(y, p)

    assert math.isnan(line.slope)
    assert math.isnan(line.intercept)


def test_calibration_error_subtracts_the_noise_of_each_bin():
    # 1 of 4 churned where 0.8 was said, 4 of 4 where 0.9 was
    y, p = [1, 0, 0, 0, 1, 1, 1, 1], [0.8] * 4 + [0.9] * 4
    first = (0.25 - 0.8) ** 2 - 0.25 * 0.75 / 3
    second = (1 - 0.9) ** 2 - 0
    assert metrics.calibration_error(y, p, bins=2) == pytest.approx(math.sqrt((first + second) / 2))


def test_calibration_error_leaves_out_bins_of_one_row():
    assert math.isnan(metrics.calibration_error([0, 1], [0.1, 0.9], bins=2))


def test_the_calibration_curve_keeps_equal_probabilities_together():
    curve = metrics.calibration_curve([0, 1, 0, 1, 1], [0.2, 0.2, 0.2, 0.2, 0.7], bins=5)

    assert curve.rows.tolist() == [4, 1]
    assert curve.predicted.tolist() == pytest.approx([0.2, 0.7])
    assert curve.observed.tolist() == [0.5, 1.0]


# Value


def test_the_gini_of_equal_amounts_is_0():
    assert metrics.gini([5, 5, 5]) == pytest.approx(0.0)


def test_the_gini_of_one_owner_among_four_is_three_quarters():
    assert metrics.gini([0, 0, 8, 0]) == pytest.approx(0.75)


def test_the_normalised_gini_of_the_reverse_order_is_minus_1():
    assert metrics.normalised_gini([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


def test_the_normalised_gini_of_a_constant_prediction_is_0():
    assert metrics.normalised_gini([1, 2, 3], [7, 7, 7]) == pytest.approx(0)


def test_the_normalised_gini_floors_outcomes_at_0():
    assert metrics.normalised_gini([-50, 2, 3], [1, 3, 2]) == pytest.approx(
        metrics.normalised_gini([0, 2, 3], [1, 3, 2])
    )


def test_spearman_gives_ties_their_average_rank():
    # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: covariance 4.5 over sqrt(4.5 x 5)
    expected = 4.5 / math.sqrt(4.5 * 5)
    assert metrics.spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(expected)


def test_predicting_zero_may_win_the_mean_absolute_error():
    actual = [0, 0, 0, 0, 100]
    assert metrics.mae(actual, [0] * 5) < metrics.mae(actual, [30, 10, 20, 30, 60])


def test_rmse_weighs_large_errors_more():
    assert metrics.rmse([0, 0], [1, 7]) == pytest.approx(5)


def test_total_bias_of_twice_too_much_is_1():
    assert metrics.total_bias([10, 30], [50, 30]) == pytest.approx(1)


def test_decile_table_shares_out_rows_on_a_border():
    deciles = metrics.decile_table([15, 0, 0, 0, 0], [5, 4, 3, 2, 1])

    assert [decile.customers for decile in deciles] == pytest.approx([0.5] * 10)
    assert [decile.actual for decile in deciles] == pytest.approx([7.5, 7.5] + [0] * 8)
    assert deciles[9].predicted == pytest.approx(0.5)


def test_decile_table_shares_out_equal_predictions():
    deciles = metrics.decile_table([100] + [0] * 19, [3] * 20)

    assert [decile.actual for decile in deciles] == pytest.approx([10] * 10)


def test_decile_mape_weighs_deciles_with_their_money():
    # the first decile is wrong by 10 of 90, the second by 5 of 10, a third by 4 of 0
    actual = [90, 10, 0, 0, 0, 0, 0, 0, 0, 0]
    predicted = [100, 15, 4, 0, 0, 0, 0, 0, 0, 0]
    assert metrics.decile_mape(actual, predicted) == pytest.approx((10 + 5 + 4) / 100)


# Intervals


def test_coverage_includes_both_ends():
    assert metrics.coverage([1, 2, 3, 4], [1, 0, 0, 0], [2, 2, 2, 9]) == 0.75


def test_interval_score_charges_what_sticks_out_on_either_side():
    # widths 2; one undershoot by 1, one overshoot by 3; 2 / 0.5 = 4 a unit
    score = metrics.interval_score([0, 2, 6], [1, 1, 1], [3, 3, 3], coverage=0.5)
    assert score == pytest.approx((6 + 4 * (1 + 3)) / 3)


@pytest.mark.parametrize("coverage", [0, 1])
def test_interval_score_refuses_a_coverage_outside_its_range(coverage):
    with pytest.raises(ValueError, match="coverage lies in"):
        metrics.interval_score([1], [0], [2], coverage=coverage)


def test_an_interval_upside_down_is_refused():
    with pytest.raises(ValueError, match="low is above its high in 1 rows"):
        metrics.coverage([1, 1], [0, 2], [2, 0])


# Curves


def test_the_gains_curve_runs_straight_through_a_tie():
    curve = metrics.gains_curve([4, 0, 0, 4], [2, 1, 1, 0])

    assert curve.share.tolist() == [0, 0.25, 0.75, 1]
    assert curve.value.tolist() == [0, 0.5, 0.5, 1]
    assert curve.at([0.125, 0.5]).tolist() == [0.25, 0.5]


def test_the_lift_curve_ends_at_1():
    curve = metrics.lift_curve([4, 0, 0, 4], [3, 2, 1, 0], points=4)

    assert curve.value.tolist() == pytest.approx([2, 1, 2 / 3, 1])


def test_the_lorenz_curve_begins_with_the_smallest():
    assert metrics.lorenz_curve([6, 1, 3]).value.tolist() == pytest.approx([0, 0.1, 0.4, 1])


# Undefined and refused


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(metrics.auroc([1, 1], [0.1, 0.2]), id="auroc of one class"),
        pytest.param(metrics.average_precision([0, 0], [0.1, 0.2]), id="average precision"),
        pytest.param(metrics.lift_at([0, 0], [0.1, 0.2]), id="lift without churners"),
        pytest.param(metrics.gini([0, 0]), id="gini of nothing"),
        pytest.param(metrics.normalised_gini([0, -1], [1, 2]), id="no outcome above 0"),
        pytest.param(metrics.normalised_gini([2, 2], [1, 2]), id="equal outcomes"),
        pytest.param(metrics.spearman([1, 2], [1, 1]), id="spearman of equal predictions"),
        pytest.param(metrics.total_bias([0, 0], [1, 2]), id="bias of nothing"),
        pytest.param(metrics.decile_mape([0, 0], [1, 2]), id="decile MAPE of nothing"),
        pytest.param(metrics.lift_curve([0, 0], [1, 2]).area, id="lift curve of nothing"),
    ],
)
def test_what_is_undefined_is_nan(value):
    assert math.isnan(value)


@pytest.mark.parametrize("metric", metrics.METRICS.values(), ids=lambda metric: metric.name)
def test_no_rows_give_nan(metric):
    assert math.isnan(metric.value([], []))


@pytest.mark.parametrize("metric", metrics.METRICS.values(), ids=lambda metric: metric.name)
def test_rows_without_weight_give_nan(metric):
    assert math.isnan(metric.value([0, 1, 1], [0.1, 0.5, 0.2], weight=[0, 0, 0]))


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], [0.1], "one length"),
        ([[0, 1]], [[0.1, 0.2]], "one length"),
        ([0, 1], [0.1, math.nan], "finite"),
        ([0, 2], [0.1, 0.2], "0 or 1"),
        ([0, 1], [0.1, 1.2], r"in \[0, 1\]"),
    ],
)
def test_what_is_no_outcome_and_probability_is_refused(y, p, message):
    with pytest.raises(ValueError, match=message):
        metrics.log_loss(y, p)


def test_a_score_need_not_be_a_probability_for_its_rank():
    assert metrics.auroc([0, 1], [-5, 40]) == 1


@pytest.mark.parametrize("weight", [[1], [1, -1], [1, math.nan]])
def test_what_is_no_weight_is_refused(weight):
    with pytest.raises(ValueError, match="weight"):
        weights(weight, 2)


def test_inputs_of_any_number_type_become_floats():
    (column,) = vectors(np.array([True, False]))
    assert column.dtype == np.float64


def test_the_mean_under_no_weight_is_nan():
    assert math.isnan(mean(np.ones(2), np.zeros(2)))


# The metrics by name


def test_every_metric_has_a_name_and_a_label_of_its_own():
    listed = [*metrics.CHURN_METRICS, *metrics.VALUE_METRICS, *metrics.interval_metrics(0.8)]

    assert len({metric.name for metric in listed}) == len(listed)
    assert len({metric.label for metric in listed}) == len(listed)


def test_a_metric_is_averaged_over_the_cutoffs():
    # the order within each cutoff is perfect; pooled, the stayer at 0.8 stands above a churner
    y, p, cutoff = [1, 0, 1, 0], [0.9, 0.8, 0.2, 0.1], [1, 1, 2, 2]
    auroc = metrics.METRICS["auroc"]

    assert auroc.value(y, p, strata=cutoff) == 1.0
    assert auroc.value(y, p) == 0.75


def test_a_cutoff_without_both_classes_is_left_out():
    assert metrics.METRICS["auroc"].value([1, 0, 1], [0.9, 0.8, 0.1], strata=[1, 1, 2]) == 1.0


def test_strata_must_match_the_rows():
    with pytest.raises(ValueError, match="one stratum a row"):
        rows_of([1, 2], 3)


def test_the_mean_of_nothing_defined_is_nan():
    assert math.isnan(mean_of_defined(np.array([math.nan])))


@pytest.mark.parametrize(
    ("name", "candidate", "baseline", "gain"),
    [
        ("auroc", 0.8, 0.7, 0.1),
        ("log_loss", 0.4, 0.5, 0.1),
        ("calibration_slope", 1.3, 0.8, -0.1),
        ("total_bias", -0.1, 0.3, 0.2),
    ],
)
def test_a_gain_is_positive_where_the_candidate_is_better(name, candidate, baseline, gain):
    assert metrics.METRICS[name].gain(candidate, baseline) == pytest.approx(gain)


def test_interval_metrics_read_low_and_high_from_two_columns():
    share, width, score = metrics.interval_metrics(0.5)
    actual, interval = [0, 2, 6], [[1, 3]] * 3

    assert share.value(actual, interval) == pytest.approx(1 / 3)
    assert width.value(actual, interval) == pytest.approx(2)
    assert score.value(actual, interval) == pytest.approx(22 / 3)
    assert share.gain(0.45, 0.7) == pytest.approx(0.15)


# The bootstrap


def noisy(rows, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    return y, y + rng.normal(size=rows), y / 2 + rng.normal(size=rows)


def test_a_prediction_is_no_better_than_itself():
    y, score, _ = noisy(60, 1)
    difference = metrics.paired_bootstrap(
        metrics.METRICS["auroc"], y, candidate=score, baseline=score, groups=range(60), seed=1, n=50
    )

    assert difference == metrics.Difference(estimate=0.0, low=0.0, high=0.0, level=0.9, n=50)


def test_the_same_seed_gives_the_same_interval():
    y, candidate, baseline = noisy(60, 1)

    def interval(seed):
        return metrics.paired_bootstrap(
            metrics.METRICS["auroc"],
            y,
            candidate=candidate,
            baseline=baseline,
            groups=range(60),
            seed=seed,
            n=50,
        )

    assert interval(1) == interval(1)
    assert interval(1) != interval(2)


def test_the_estimate_is_the_gain_on_the_rows_as_they_are():
    y, candidate, baseline = noisy(60, 1)
    cutoff = np.arange(60) % 2
    auroc = metrics.METRICS["auroc"]
    difference = metrics.paired_bootstrap(
        auroc,
        y,
        candidate=candidate,
        baseline=baseline,
        groups=np.arange(60) // 2,
        strata=cutoff,
        seed=1,
        n=20,
    )

    assert difference.estimate == pytest.approx(
        auroc.value(y, candidate, strata=cutoff) - auroc.value(y, baseline, strata=cutoff)
    )
    assert difference.low < difference.estimate < difference.high


def test_several_baselines_get_the_answers_that_each_would_get_alone():
    y, candidate, first = noisy(60, 1)
    _, second, _ = noisy(60, 2)
    shared = {"candidate": candidate, "groups": range(60), "seed": 3, "n": 40}
    auroc = metrics.METRICS["auroc"]

    both = metrics.paired_bootstraps(
        auroc, y, baselines={"first": first, "second": second}, **shared
    )

    assert both["first"] == metrics.paired_bootstrap(auroc, y, baseline=first, **shared)
    assert both["second"] == metrics.paired_bootstrap(auroc, y, baseline=second, **shared)


def test_a_customer_comes_with_all_rows():
    # ten copies of each row tell no more than one: the interval may not shrink
    y, candidate, baseline = noisy(40, 4)
    auroc = metrics.METRICS["auroc"]
    once = metrics.paired_bootstrap(
        auroc, y, candidate=candidate, baseline=baseline, groups=range(40), seed=5, n=100
    )
    copied = metrics.paired_bootstrap(
        auroc,
        np.repeat(y, 10),
        candidate=np.repeat(candidate, 10),
        baseline=np.repeat(baseline, 10),
        groups=np.repeat([f"customer {k:02}" for k in range(40)], 10),
        seed=5,
        n=100,
    )

    assert copied.low == pytest.approx(once.low)
    assert copied.high == pytest.approx(once.high)


def test_draws_without_both_classes_are_left_out_and_counted():
    # the only churner is missing from about (7/8)^8 = 34 % of the draws
    difference = metrics.paired_bootstrap(
        metrics.METRICS["auroc"],
        [1] + [0] * 7,
        candidate=range(8),
        baseline=range(8)[::-1],
        groups=range(8),
        seed=1,
        n=200,
    )

    assert 110 < difference.n < 155
    assert (difference.low, difference.high) == (-1.0, -1.0)


def test_an_undefined_metric_has_no_interval():
    difference = metrics.paired_bootstrap(
        metrics.METRICS["auroc"],
        [1, 1],
        candidate=[1, 2],
        baseline=[2, 1],
        groups=[1, 2],
        seed=1,
        n=10,
    )

    assert difference.n == 0
    assert math.isnan(difference.estimate)
    assert math.isnan(difference.low)


def test_intervals_can_be_compared():
    *_, score = metrics.interval_metrics(0.8)
    difference = metrics.paired_bootstrap(
        score,
        [1, 2, 3],
        candidate=[[0, 4]] * 3,
        baseline=[[0, 6]] * 3,
        groups=[1, 2, 3],
        seed=1,
        n=10,
    )

    assert difference.low == pytest.approx(2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"groups": [1]}, "one length"),
        ({"baseline": [1, 2, 3]}, "one length"),
        ({"strata": [1]}, "one stratum a row"),
        ({"level": 1.0}, "level lies in"),
    ],
)
def test_a_bootstrap_of_columns_that_do_not_fit_is_refused(changed, message):
    fitting = {"candidate": [1, 2], "baseline": [2, 1], "groups": [1, 2], "seed": 1, "n": 5}
    with pytest.raises(ValueError, match=message):
        metrics.paired_bootstrap(metrics.METRICS["auroc"], [0, 1], **(fitting | changed))
