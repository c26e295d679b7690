"""Lifetime value models: net spend with an interval, from three candidates, stored as data."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.histories import REFERENCE
from tests.simulated import simulated

from portfolio_ml.errors import DataError
from portfolio_ml.metrics import coverage, normalised_gini
from portfolio_ml.models.extension import Extension
from portfolio_ml.models.files import DESCRIPTION, described
from portfolio_ml.models.hurdle import AMOUNT, SILENCE, fit_value_trees, hurdle_of
from portfolio_ml.models.lifetime_value import (
    CANDIDATES,
    LifetimeValueModel,
    value_candidates,
)
from portfolio_ml.models.margins import Margins
from portfolio_ml.models.returns import PRIOR_TICKETS, Returns
from portfolio_ml.models.trees import DEFAULTS
from portfolio_ml.training import recency_weight

pytestmark = pytest.mark.unit


def fitted(snapshots, seed=7, tier_edges=REFERENCE.tier_edges):
    weight = recency_weight(snapshots.day)
    return value_candidates(
        snapshots,
        fit_value_trees(snapshots, weight, seed=seed, parameters=DEFAULTS),
        horizon_days=90,
        coverage=0.8,
        tier_edges=tier_edges,
    )


@pytest.fixture(scope="module")
def learned():
    return simulated(seed=1)


@pytest.fixture(scope="module")
def later():
    return simulated(seed=2)


@pytest.fixture(scope="module")
def models(learned):
    return fitted(learned)


@pytest.fixture(params=CANDIDATES)
def model(request, models):
    return models[request.param]


def test_predictions_are_values_that_tell_spenders(model, later):
    predicted = model.predict(later.features)
    assert predicted.shape == (len(later),)
    assert (predicted >= 0).all()
    assert normalised_gini(later.net, predicted) > 0.6


def test_the_total_is_that_of_other_customers_outcomes(model, later):
    total = model.predict(later.features).sum()
    assert total == pytest.approx(later.net.sum(), rel=0.2)


def test_the_interval_contains_the_prediction(model, later):
    low, high = model.interval(later.features)
    predicted = model.predict(later.features)
    assert ((low <= predicted) & (predicted <= high)).all()


def test_a_forecast_is_the_prediction_with_its_interval(model, later):
    value, *ends = model.forecast(later.features)

    assert np.array_equal(value, model.predict(later.features))
    assert np.array_equal(ends, model.interval(later.features))


def test_both_horizons_at_once_are_each_alone(model, later):
    forecast, learned = model.forecast_and_learned(later.features)
    assert np.array_equal(forecast, model.forecast(later.features))
    assert np.array_equal(learned, model.learned(later.features))


def test_the_interval_covers_other_customers_outcomes(model, later):
    low, high = model.interval(later.features)
    assert coverage(later.net, low, high) > 0.75
    assert np.median(high - low) < 10 * np.median(later.net[later.net > 0])


def test_negative_outcomes_survive(learned):
    """What comes back may be more than what is bought: the net outcome is not floored."""
    rng = np.random.default_rng(5)
    returned = np.where(rng.random(len(learned)) < 0.5, 2 * learned.spend, 0.0)
    snapshots = replace(learned, returned=returned)
    assert snapshots.net.min() < 0
    for model in fitted(snapshots).values():
        low, _ = model.interval(snapshots.features)
        assert low.min() < 0
        assert (model.predict(snapshots.features) >= 0).all()


# Returns


def test_a_customer_without_history_returns_as_the_portfolio_does():
    returns = Returns(rate=0.2, prior_spend=100)
    assert returns.of(np.zeros(1), np.zeros(1)) == pytest.approx([0.2])


def test_a_customers_own_returns_are_shrunk_to_the_portfolios():
    # returned 150 of 300, and 20 of the 100 that the portfolio counts for
    returns = Returns(rate=0.2, prior_spend=100)
    assert returns.of(np.array([300.0]), np.array([150.0])) == pytest.approx([170 / 400])


def test_the_returned_share_stays_a_share():
    returns = Returns(rate=0.5, prior_spend=10)
    share = returns.of(np.array([0.0, 5, 5, 5]), np.array([0.0, -900, 5, 900]))
    assert ((share >= 0) & (share <= 1)).all()
    assert share[1] == 1


def test_the_portfolios_return_rate_is_the_share_of_spend(models, learned):
    returns = models["boosted"].returns
    assert returns.rate == pytest.approx(learned.returned.sum() / learned.spend.sum())
    assert returns.prior_spend == pytest.approx(PRIOR_TICKETS * np.median(learned.column("ticket")))


def test_returns_are_subtracted(models, later):
    model = models["customer_base"]
    none = replace(model, returns=replace(model.returns, rate=0.0))
    assert (model.predict(later.features) < none.predict(later.features)).all()


# Falling back


def test_no_spend_leaves_the_customer_base(learned):
    nothing = np.zeros(len(learned))
    models = fitted(replace(learned, spend=nothing, returned=nothing))
    assert set(models) == {"customer_base"}
    low, high = models["customer_base"].interval(learned.features)
    assert np.isfinite([low, high]).all()


def test_one_buyer_leaves_the_customer_base(learned):
    """Holding the buyer out would leave nobody to learn an amount from."""
    spend = np.where(learned.customer == 11, learned.spend + 10, 0.0)
    assert set(fitted(replace(learned, spend=spend, returned=0 * spend))) == {"customer_base"}


def test_a_portfolio_in_which_everybody_buys_has_every_candidate(learned, later):
    models = fitted(replace(learned, spend=learned.spend + 1))
    assert set(models) == set(CANDIDATES)
    boosted = models["boosted"]
    assert boosted.trees.silence is None
    assert set(boosted.to_files()) == {DESCRIPTION, AMOUNT}
    again = LifetimeValueModel.from_files(boosted.to_files())
    assert np.array_equal(again.predict(later.features), boosted.predict(later.features))


# The hurdle


def test_the_hurdle_is_a_chance_times_an_amount(models, later):
    hurdle = models["boosted"].trees
    chance = 1 - hurdle.silence.predict(later.features)
    amount = hurdle.amount.predict(later.features)
    assert hurdle.predict(later.features) == pytest.approx(chance * amount)
    buys = later.spend > 0
    assert chance.mean() == pytest.approx(buys.mean(), abs=0.05)
    assert amount[buys].mean() == pytest.approx(later.spend[buys].mean(), rel=0.2)


def test_a_customer_who_surely_leaves_is_worth_next_to_nothing(models, later):
    """Churn and value tell one story."""
    hurdle = models["boosted"].trees
    p_no_purchase = hurdle.silence.predict(later.features)
    leaving = p_no_purchase > np.quantile(p_no_purchase, 0.9)
    value = hurdle.predict(later.features)
    assert value[leaving] == pytest.approx(
        (1 - p_no_purchase[leaving]) * hurdle.amount.predict(later.features)[leaving]
    )
    assert value[leaving].mean() < 0.5 * value[~leaving].mean()


def test_amounts_are_learnt_from_buyers_alone(learned):
    """What stands in the rows without a purchase changes nothing of the amounts."""
    weight = recency_weight(learned.day)
    silent = learned.spend <= 0
    features = learned.features.copy()
    features[silent] = 0
    with_other_silent = replace(learned, features=features)
    amounts = [
        fit_value_trees(rows, weight, seed=7, parameters=DEFAULTS).hurdle.amount.text
        for rows in (learned, with_other_silent)
    ]
    assert amounts[0] == amounts[1]


def test_without_amounts_there_is_no_hurdle():
    assert hurdle_of(None, None) is None


def test_both_parts_are_files(models):
    assert set(models["blend"].to_files()) == {DESCRIPTION, SILENCE, AMOUNT}
    assert set(models["customer_base"].to_files()) == {DESCRIPTION}


@pytest.mark.parametrize("customers", [1, 2, 3, 4, 10])
def test_a_handful_of_customers_is_no_error(customers):
    snapshots = simulated(customers, seed=3)
    for model in fitted(snapshots).values():
        ends = model.interval(snapshots.features)
        assert np.isfinite([model.predict(snapshots.features), *ends]).all()


# Files


def test_a_model_survives_its_files(model, later):
    again = LifetimeValueModel.from_files(model.to_files())
    assert np.array_equal(again.predict(later.features), model.predict(later.features))
    assert np.array_equal(again.interval(later.features), model.interval(later.features))
    assert again.to_files() == model.to_files()


def test_two_fits_of_one_seed_are_the_same_files(models, learned):
    again = fitted(learned)
    assert {c: m.to_files() for c, m in again.items()} == {
        c: m.to_files() for c, m in models.items()
    }


def test_edges_below_everybody_survive(learned, later):
    """Where the lower tiers are empty, their edge is minus infinity, which JSON does not know."""
    model = fitted(learned, tier_edges=(-np.inf, -np.inf, 80.0))["customer_base"]
    again = LifetimeValueModel.from_files(model.to_files())
    assert np.array_equal(again.interval(later.features), model.interval(later.features))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("candidate", "unheard of"),
        ("candidate", "customer_base"),
        ("names", ["expected_spend", "spend"]),
        ("returns", {"rate": 0.1}),
        ("returns", {"rate": 0.1, "prior_spend": 1, "more": 2}),
        ("intervals", None),
        ("intervals", {}),
    ],
)
def test_a_description_with_another_value_is_refused(models, key, value):
    files = models["boosted"].to_files()
    values = json.loads(files[DESCRIPTION]) | {key: value}
    with pytest.raises(DataError, match="description"):
        LifetimeValueModel.from_files(files | {DESCRIPTION: described("lifetime_value", values)})


def test_intervals_of_another_shape_are_refused(models):
    files = models["boosted"].to_files()
    values = json.loads(files[DESCRIPTION])
    values["intervals"]["low"].pop()
    with pytest.raises(DataError, match="bounds of each of their groups"):
        LifetimeValueModel.from_files(files | {DESCRIPTION: described("lifetime_value", values)})


@pytest.fixture(scope="module")
def sold():
    """Customers of odd number are served below cost, others keep a half."""
    snapshots = simulated(seed=1)
    share = np.where(snapshots.customer % 2, -0.25, 0.5)
    margin = (snapshots.column("net_spend") * share).astype(np.float32)
    return replace(
        snapshots,
        names=(*snapshots.names, "margin"),
        features=np.column_stack([snapshots.features, margin]),
        margin=snapshots.net * share,
    )


@pytest.fixture(scope="module")
def margin_models(sold):
    return fitted(sold)


class TestMargin:
    """What is left of net spend after the cost of the goods."""

    def test_is_net_spend_times_a_shrunk_share(self, sold, margin_models):
        model = margin_models["customer_base"]
        net = replace(model, margins=None).predict(sold.features)
        margins = model.margins
        assert margins.share == pytest.approx(sold.margin.sum() / sold.net.sum())
        first = sold.column("net_spend")[0].astype(float), sold.column("margin")[0].astype(float)
        share = (first[1] + margins.share * margins.prior_spend) / (first[0] + margins.prior_spend)
        assert model.predict(sold.features)[0] == pytest.approx(net[0] * share)

    @pytest.mark.parametrize("candidate", CANDIDATES)
    def test_is_in_total_what_followed_and_below_zero_where_it_was(
        self, sold, margin_models, candidate
    ):
        predicted = margin_models[candidate].predict(sold.features)
        assert predicted.sum() == pytest.approx(sold.margin.sum(), rel=0.25)
        regular = sold.column("purchase_days") > 5
        assert (predicted[regular & (sold.customer % 2 == 1)] <= 0).mean() > 0.7
        assert (predicted[regular & (sold.customer % 2 == 0)] >= 0).all()

    @pytest.mark.parametrize("candidate", CANDIDATES)
    def test_lies_in_its_interval_which_covers_what_followed(self, sold, margin_models, candidate):
        model = margin_models[candidate]
        low, high = model.interval(sold.features)
        predicted = model.predict(sold.features)
        assert (low <= predicted).all()
        assert (predicted <= high).all()
        assert coverage(sold.margin, low, high) > 0.72

    def test_survives_its_files(self, sold, margin_models):
        model = margin_models["blend"]
        again = LifetimeValueModel.from_files(model.to_files())
        assert again.measure == "margin"
        assert np.array_equal(again.predict(sold.features), model.predict(sold.features))

    def test_leaves_no_mark_on_a_model_of_revenue(self, learned):
        model = fitted(learned)["customer_base"]
        assert model.measure == "revenue"
        assert "margins" not in json.loads(model.to_files()[DESCRIPTION])

    def test_of_customers_who_are_unknown_is_the_portfolios(self):
        margins = Margins(share=0.2, prior_spend=50.0)
        shares = margins.of(np.array([0.0, -80.0, 1e9]), np.array([0.0, 0.0, -5e9]))
        assert shares.tolist() == [0.2, 0.2, -1.0]

    @pytest.mark.parametrize("values", [(1.5, 1.0), (float("nan"), 1.0), (0.2, 0.0)])
    def test_refuses_shares_that_are_none(self, values):
        with pytest.raises(ValueError, match="no margin share"):
            Margins(*values)


class TestExtension:
    """A value over a longer horizon than history could label."""

    LONG = Extension(365, REFERENCE.purchase_model)

    def test_stretches_by_the_ratio_of_expected_spend(self, models):
        x, t_x, age = (np.array(v, float) for v in ((0, 2, 7), (0, 10, 200), (20, 310, 310)))
        facts = np.stack([x, t_x, age, np.full(3, 25.0)])
        short, long = (
            REFERENCE.expectations(facts, churn_days=90, value_days=days)["expected_spend"]
            for days in (90, 365)
        )
        assert self.LONG.stretch(age, learned_days=90) == pytest.approx(long / short)
        assert replace(models["blend"], extension=self.LONG).predicted_days == 365

    def test_lies_between_no_growth_and_that_of_the_horizons(self):
        found = self.LONG.stretch(np.array([0.0, 30.0, 310.0]), learned_days=90)
        assert (found > 1).all()
        assert (found < 365 / 90).all()
        assert (np.diff(found) > 0).all()  # who has stayed for long leaves late

    @pytest.mark.parametrize("candidate", CANDIDATES)
    def test_stretches_interval_and_value_alike(self, later, models, candidate):
        model = models[candidate]
        long = replace(model, extension=self.LONG)
        stretch = long.stretch(later.features)
        assert np.array_equal(long.predict(later.features), model.predict(later.features) * stretch)
        assert np.array_equal(long.learned(later.features), model.predict(later.features))
        for end, learned in zip(
            long.interval(later.features), model.interval(later.features), strict=True
        ):
            assert np.array_equal(end, learned * stretch)

    def test_survives_its_files(self, later, models):
        long = replace(models["blend"], extension=self.LONG)
        again = LifetimeValueModel.from_files(long.to_files())
        assert again.extension == long.extension
        assert np.array_equal(again.predict(later.features), long.predict(later.features))

    def test_leads_to_no_shorter_horizon(self, models):
        with pytest.raises(ValueError, match="no extension of 90 to 90 days"):
            replace(models["blend"], extension=Extension(90, REFERENCE.purchase_model))
