"""What holds for every customer-base model, whatever the parameters and histories."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml.customer_base import (
    PURCHASE_FITS,
    PURCHASE_MODELS,
    GammaGamma,
    fit_gamma_gamma,
    group_purchases,
)
from portfolio_ml.customer_base.integrals import mean_purchases

pytestmark = pytest.mark.property

ANY_KIND = pytest.mark.parametrize("model", PURCHASE_MODELS.values(), ids=PURCHASE_MODELS.keys())
ANY_FIT = pytest.mark.parametrize("fit", PURCHASE_FITS.values(), ids=PURCHASE_FITS.keys())

examples = shown(60)
few_examples = shown(5)

parameters = st.lists(st.floats(-11, 11).map(np.exp), min_size=4, max_size=4)
horizons = st.lists(st.floats(0, 1e4), min_size=2, max_size=6).map(
    lambda days: np.sort(days)[:, None]
)


@st.composite
def histories(draw, max_x=1000):
    """A few histories, from just acquired to long silent."""
    rows = draw(st.integers(1, 8))
    x = draw(st.lists(st.integers(0, max_x), min_size=rows, max_size=rows))
    share = draw(st.lists(st.integers(1, 20), min_size=rows, max_size=rows))
    T = draw(st.lists(st.integers(0, 2000), min_size=rows, max_size=rows))
    x, T = np.where(np.array(T) == 0, 0, x).astype(float), np.array(T, float)
    return x, np.where(x > 0, T * np.array(share) / 20, 0), T


@ANY_KIND
@examples
@given(values=parameters, rows=histories(), horizon=horizons)
def test_predictions_are_finite_and_chances_are_chances(model, values, rows, horizon):
    fitted = model(*values)
    p_alive, quiet = fitted.p_alive(*rows), fitted.p_no_purchase(*rows, horizon)
    expected = fitted.expected_purchases(*rows, horizon)
    assert np.isfinite(fitted.row_log_likelihood(*rows)).all()
    assert np.isfinite(expected).all()
    assert (expected >= 0).all()
    assert ((p_alive >= 0) & (p_alive <= 1)).all()
    assert ((quiet >= 0) & (quiet <= 1)).all()


@ANY_KIND
@examples
@given(values=parameters, rows=histories(), horizon=horizons)
def test_a_longer_horizon_brings_more_purchases_and_less_silence(model, values, rows, horizon):
    fitted = model(*values)
    expected = fitted.expected_purchases(*rows, horizon)
    assert (np.diff(expected, axis=0) >= -1e-6 * expected[1:]).all()
    assert (np.diff(fitted.p_no_purchase(*rows, horizon), axis=0) <= 1e-6).all()
    assert (fitted.expected_purchases(*rows, 0) == 0).all()
    assert (fitted.p_no_purchase(*rows, 0) == 1).all()


@ANY_KIND
@examples
@given(values=parameters, rows=histories(), horizon=horizons)
def test_purchases_lie_between_the_chance_of_one_and_those_of_the_immortal(
    model, values, rows, horizon
):
    fitted = model(*values)
    expected = fitted.expected_purchases(*rows, horizon)
    rate = (fitted.r + rows[0]) / (fitted.alpha + rows[2])
    assert (expected <= rate * horizon * (1 + 1e-6) + 1e-12).all()
    assert (expected >= (1 - fitted.p_no_purchase(*rows, horizon)) * (1 - 1e-5) - 1e-12).all()


@ANY_KIND
@examples
@given(values=parameters, rows=histories(max_x=50), horizon=st.floats(0, 1e4))
def test_silence_ahead_is_the_ratio_of_two_likelihoods(model, values, rows, horizon):
    fitted = model(*values)
    x, t_x, T = rows
    ratio = fitted.row_log_likelihood(x, t_x, T + horizon) - fitted.row_log_likelihood(x, t_x, T)
    assert fitted.p_no_purchase(x, t_x, T, horizon) == pytest.approx(
        np.exp(ratio), rel=1e-4, abs=1e-6
    )


@ANY_KIND
@examples
@given(values=parameters, rows=histories(), silence=horizons)
def test_silence_never_speaks_for_being_alive(model, values, rows, silence):
    x, t_x, _ = rows
    p_alive = model(*values).p_alive(x, t_x, t_x + silence)
    assert (np.diff(p_alive, axis=0) <= 1e-6).all()


@ANY_KIND
@examples
@given(values=parameters, rows=histories(), horizon=horizons)
def test_days_and_weeks_tell_the_same_story(model, values, rows, horizon):
    daily = model(*values)
    times = {name: getattr(daily, name) / 7 for name in model.times}
    weekly = model(**{**daily.parameters, **times})
    x, t_x, T = rows
    per_unit = daily.row_log_likelihood(x, t_x, T) + x * np.log(7)
    assert weekly.row_log_likelihood(x, t_x / 7, T / 7) == pytest.approx(
        per_unit, rel=1e-9, abs=1e-6
    )
    assert weekly.expected_purchases(x, t_x / 7, T / 7, horizon / 7) == pytest.approx(
        daily.expected_purchases(x, t_x, T, horizon), rel=1e-6, abs=1e-12
    )


@ANY_KIND
@examples
@given(values=parameters, rows=histories(), repeats=st.integers(1, 4))
def test_grouped_customers_are_as_likely_as_all_of_them(model, values, rows, repeats):
    fitted = model(*values)
    counts = group_purchases(*(np.tile(column, repeats) for column in rows))
    grouped = fitted.row_log_likelihood(counts.frequency, counts.recency, counts.age)
    assert counts.customers == repeats * len(rows[0])
    assert counts.weight @ grouped == pytest.approx(
        repeats * fitted.row_log_likelihood(*rows).sum(), rel=1e-9, abs=1e-6
    )


@ANY_KIND
@examples
@given(values=parameters, rows=histories(), horizon=st.floats(0, 1e4))
def test_a_customer_is_scored_alone_as_among_others(model, values, rows, horizon):
    fitted = model(*values)
    together = fitted.expected_purchases(*rows, horizon)
    alone = [fitted.expected_purchases(*row, horizon) for row in zip(*rows, strict=True)]
    assert together == pytest.approx(np.array(alone), rel=1e-12)


@ANY_FIT
@few_examples
@given(rows=histories(max_x=30))
def test_a_fit_of_any_customers_predicts(fit, rows):
    counts = group_purchases(*rows)
    model = fit(counts)
    assert np.isfinite(model.log_likelihood)
    assert np.isfinite(model.expected_purchases(*rows, 90)).all()
    assert model.at_boundary == (None in model.standard_errors.values())


@ANY_FIT
@few_examples
@given(rows=histories(max_x=30))
def test_a_fit_does_not_depend_on_the_unit_of_time(fit, rows):
    x, t_x, T = rows
    daily, weekly = fit(group_purchases(x, t_x, T)), fit(group_purchases(x, t_x / 7, T / 7))
    gained = weekly.log_likelihood - daily.log_likelihood
    assert gained == pytest.approx(x.sum() * np.log(7), rel=1e-6, abs=1e-4)


spends = st.lists(
    st.tuples(st.integers(0, 50), st.floats(0.01, 1e4)), min_size=1, max_size=12
).filter(lambda rows: any(x for x, _ in rows))


@few_examples
@given(rows=spends)
def test_expected_spend_is_finite_and_above_zero(rows):
    x, z = np.array(rows).T
    model = fit_gamma_gamma(x, z)
    expected = model.expected_spend(x, z)
    assert np.isfinite(expected).all()
    assert (expected > 0).all()


@examples
@given(
    values=st.lists(st.floats(-8, 8).map(np.exp), min_size=3, max_size=3),
    x=st.integers(0, 1000),
    z=st.floats(0.01, 1e4),
)
def test_expected_spend_lies_between_the_customers_mean_and_everybodys(values, x, z):
    p, q, v = values
    model = GammaGamma(p=p, q=1 + q, v=v)
    ends = sorted([z, model.population_mean])
    assert ends[0] * (1 - 1e-9) <= model.expected_spend(x, z) <= ends[1] * (1 + 1e-9)


@few_examples
@given(rows=spends, unit=st.sampled_from([1e-6, 100.0, 1e9]))
def test_a_spend_fit_does_not_depend_on_the_currency(rows, unit):
    x, z = np.array(rows).T
    one, other = fit_gamma_gamma(x, z), fit_gamma_gamma(x, z * unit)
    lost = one.log_likelihood - other.log_likelihood
    assert lost == pytest.approx((x >= 1).sum() * np.log(unit), rel=1e-6, abs=1e-3)


# --- the ends of the world ---

magnitudes = st.floats(-6, 100).map(lambda exponent: 10.0**exponent)


def mean_of(shape, reach, a, c):
    return mean_purchases(*(np.array([each]) for each in (shape, reach)), a, np.array([c]))[0]


@examples
@given(
    shape=st.floats(1e-3, 1e3),
    reach=st.floats(1e-6, 1e3),
    leaving=st.floats(10, 100).map(lambda exponent: 10.0**exponent),
    odds=st.floats(-8, 8).map(lambda exponent: 10.0**exponent),
)
def test_where_all_leave_with_one_probability_the_mean_is_taken_at_it(shape, reach, leaving, odds):
    """A Beta whose shapes are vast is as good as a point."""
    a, c = leaving * max(1.0, odds), leaving * max(1.0, 1 / odds)
    p = a / (a + c)
    expected = -np.expm1(-shape * np.log1p(p * reach)) / p
    assert mean_of(shape, reach, a, c) == pytest.approx(expected, rel=1e-9)


@examples
@given(
    shape=st.floats(1e-3, 1e3),
    reach=st.just(0.0) | st.floats(1e-9, 1e3),
    a=magnitudes,
    c=magnitudes,
)
def test_purchases_until_one_leaves_lie_between_leaving_at_once_and_never(shape, reach, a, c):
    least, most = -np.expm1(-shape * np.log1p(reach)), shape * reach
    assert least <= mean_of(shape, reach, a, c) <= most * (1 + 1e-12)


vast = st.sampled_from([0.0, 1e-6, 1.0, 3e4, 1e9])


@st.composite
def extreme_histories(draw):
    """A few customers at most: of a day or a century, with up to a purchase on every day."""
    rows = draw(st.integers(1, 4))
    T = np.array(draw(st.lists(st.sampled_from([0, 1, 400, 36_500]), min_size=rows, max_size=rows)))
    x = np.array(draw(st.lists(st.sampled_from([0, 1, 365, 36_500]), min_size=rows, max_size=rows)))
    x = np.minimum(x, T).astype(float)
    share = draw(st.sampled_from([0.0, 0.5, 1.0]))
    return x, np.where(x > 0, np.maximum(1, T * share), 0.0), T.astype(float)


def check_forecasts(model, rows):
    """Chances are chances, all is finite, and both are monotone in the horizon."""
    horizon = np.array([0.0, 1e-6, 1.0, 90.0, 3_650.0])[:, None]
    quiet, expected = model.p_no_purchase(*rows, horizon), model.expected_purchases(*rows, horizon)
    assert np.isfinite([quiet, expected]).all()
    assert ((quiet >= 0) & (quiet <= 1)).all()
    assert (np.diff(quiet, axis=0) <= 1e-6).all()
    assert (np.diff(expected, axis=0) >= -1e-6 * expected[1:]).all()
    assert (quiet[0] == 1).all()
    assert (expected[0] == 0).all()
    p_alive = model.p_alive(*rows)
    assert ((p_alive >= 0) & (p_alive <= 1)).all()


@ANY_KIND
@examples
@given(
    values=st.lists(st.floats(-6, 6).map(np.exp), min_size=4, max_size=4), rows=extreme_histories()
)
def test_extreme_customers_get_finite_forecasts(model, values, rows):
    check_forecasts(model(*values), rows)


@ANY_FIT
@few_examples
@given(rows=extreme_histories())
def test_a_fit_of_extreme_customers_forecasts(fit, rows):
    model = fit(group_purchases(*rows))
    assert np.isfinite(model.log_likelihood)
    check_forecasts(model, rows)


@ANY_KIND
@examples
@given(values=parameters, rows=histories(), silence=vast)
def test_a_century_of_silence_leaves_no_more_hope(model, values, rows, silence):
    fitted, (x, t_x, T) = model(*values), rows
    now, later = fitted.p_alive(x, t_x, T), fitted.p_alive(x, t_x, T + silence)
    assert (later <= now + 1e-6).all()


@examples
@given(
    values=st.lists(st.floats(-8, 8).map(np.exp), min_size=3, max_size=3),
    x=st.sampled_from([1, 3, 10**6]),
    spends=st.lists(st.floats(1e-4, 1e9), min_size=2, max_size=6).map(sorted),
)
def test_who_spent_more_is_expected_to_spend_no_less(values, x, spends):
    p, q, v = values
    expected = GammaGamma(p=p, q=1 + q, v=v).expected_spend(x, spends)
    assert np.isfinite(expected).all()
    assert (np.diff(expected) >= -1e-9 * expected[1:]).all()


@few_examples
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([1, 2, 10**6]), st.sampled_from([1e-4, 1.0, 1e9])),
        min_size=1,
        max_size=4,
    )
)
def test_a_spend_fit_of_extreme_amounts_stays_within_reason(rows):
    x, z = np.array(rows, float).T
    model = fit_gamma_gamma(x, z)
    expected = model.expected_spend([0, *x], [0, *z])
    assert np.isfinite(expected).all()
    assert (expected > 0).all()
    assert expected.max() <= 1.02 * z.max()
