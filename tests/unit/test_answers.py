"""What results give beside the tables that they show: data frames and pictures."""

from dataclasses import replace
from datetime import date
from xml.etree import ElementTree as ET

import altair as alt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.simulated import FIRST_DAY, RECIPE, simulated

import portfolio_ml as pml
from portfolio_ml import backtesting
from portfolio_ml.acting import Economics
from portfolio_ml.advising import advise
from portfolio_ml.answers import BacktestResult, PortfolioResult, TrainResult
from portfolio_ml.cli.show.learnt import judgements, print_judgements
from portfolio_ml.config import settings_from
from portfolio_ml.errors import ConfigError
from portfolio_ml.learning import campaigns_of
from portfolio_ml.models.segment_identity import Migration, Move
from portfolio_ml.pipeline import TrainingResult
from portfolio_ml.portfolio.figure import contract_of, present
from portfolio_ml.reckoned import Reckoned
from portfolio_ml.registry.figures import figures_of
from portfolio_ml.results import NO_COSTS, NOBODY_ACTIVE, acting_lines
from portfolio_ml.schema import Column
from portfolio_ml.timeline import Span

pytestmark = pytest.mark.unit

DAYS = (17_540, 17_630)


@pytest.fixture(scope="module")
def judged():
    """Two targets judged at two cutoffs, nothing said of what acting costs."""
    span = Span(FIRST_DAY, 17_720)
    return backtesting.backtest(
        simulated(150, days=backtesting.needed_days(span, RECIPE, DAYS)),
        RECIPE,
        first_day=FIRST_DAY,
        evaluated=DAYS,
        activity_days=dict.fromkeys(DAYS, 60),
        seasons={},
        bootstrap=20,
        progress=lambda _: None,
    )


@pytest.fixture(scope="module")
def advised(judged):
    """The same, with advice."""
    advice = advise(
        campaigns_of(judged, horizons=RECIPE.horizons),
        Economics(contact_cost=1.0, success_rate=0.5),
        n=20,
        seed=7,
    )
    return judged | {"churn": replace(judged["churn"], acting=advice)}


def test_campaigns_are_of_active_customers_with_what_the_winners_said(judged):
    campaigns = campaigns_of(judged, horizons=RECIPE.horizons)
    churn, value = judged["churn"], judged["lifetime_value"]
    active = churn.predictions.is_active
    p_churn = churn.predictions.candidates[churn.winner][active]
    expected = value.predictions.candidates[value.winner][active]
    np.testing.assert_array_equal(campaigns.customer, churn.predictions.customer[active])
    np.testing.assert_array_equal(campaigns.p_churn, p_churn)
    np.testing.assert_allclose(campaigns.value_if_buys, expected / np.maximum(1 - p_churn, 0.02))
    np.testing.assert_array_equal(campaigns.value, value.predictions.actual[active])


def test_the_value_of_another_horizon_is_no_judge_of_this_one(judged):
    longer = replace(RECIPE.horizons, value_days=180)
    campaigns = campaigns_of(judged, horizons=longer)
    assert np.isnan(campaigns.value).all()
    half = campaigns_of(judged, horizons=RECIPE.horizons).value_if_buys / 2
    np.testing.assert_allclose(campaigns.value_if_buys, half)


class TestABacktest:
    def test_gives_every_figure_a_row(self, judged):
        figures = BacktestResult(judged).figures()
        one = figures[
            (figures["target"] == "churn")
            & (figures["model"] == "recency")
            & (figures["metric"] == "auroc")
            & (figures["population"] == "all")
        ].sort_values("cutoff")
        churn = judged["churn"]
        expected = [churn.value("recency", "auroc", cutoff=c) for c in (*churn.cutoffs, None)]
        assert one["value"].tolist() == expected
        assert one["cutoff"].isna().tolist() == [False, False, True]

    def test_of_a_history_too_young_to_be_judged_has_tables_without_rows(self):
        young = BacktestResult({})
        assert young.figures().columns.tolist()[:2] == ["target", "model"]
        assert young.gains().columns.tolist()[-2:] == ["low", "high"]
        assert len(young.figures()) == len(young.gains()) == 0

    def test_gives_every_gain_a_row(self, judged):
        gains = BacktestResult(judged).gains().set_index(["target", "metric", "opponent"])
        gain = judged["churn"].gains["auroc"]["recency"]
        row = gains.loc[("churn", "auroc", "recency")]
        assert (row["estimate"], row["low"], row["high"]) == (gain.estimate, gain.low, gain.high)

    def test_gives_predictions_beside_what_happened(self, judged):
        result = BacktestResult(judged)
        told = result.predictions("lifetime_value")
        predictions = judged["lifetime_value"].predictions
        assert told["actual"].tolist() == predictions.actual.tolist()
        assert told["cutoff"].nunique() == 2
        assert (told["low"] <= told["high"]).all()
        assert {*predictions.candidates, *predictions.baselines} <= {*told.columns}
        assert "low" not in result.predictions("churn").columns

    def test_gives_the_points_of_its_charts(self, advised):
        result = BacktestResult(advised)
        assert [*result.curve("churn", "calibration").columns] == ["predicted", "observed", "rows"]
        assert result.curve("churn", "profit")["contacts"].is_monotonic_increasing
        assert len(result.curve("lifetime_value", "deciles")) == 10

    def test_says_which_curves_there_are(self, judged):
        with pytest.raises(ConfigError, match=r"no curve 'profit'.*calibration, gains"):
            BacktestResult(judged).curve("churn", "profit")
        with pytest.raises(ConfigError, match="Churn was not judged: saw no judgement"):
            BacktestResult({}).predictions()

    def test_shows_the_advice_where_there_is_one(self, judged, advised):
        assert "Whom to act on" in repr(BacktestResult(advised))
        assert "Whom to act on" not in repr(BacktestResult(judged))
        assert BacktestResult(advised).acting == advised["churn"].acting
        assert BacktestResult(judged).acting is None


class TestWhomToActOn:
    def test_is_told_as_missing_where_no_cost_is_known(self, judged):
        assert acting_lines(judged["churn"]) == [NO_COSTS]
        nobody = replace(
            judged["churn"].predictions,
            is_active=np.zeros_like(judged["churn"].predictions.is_active),
        )
        assert acting_lines(replace(judged["churn"], predictions=nobody)) == [NOBODY_ACTIVE]

    def test_is_printed_and_kept_in_json(self, judged, advised, capsys):
        print_judgements(advised)
        assert "Acting on active customers with a value at risk" in capsys.readouterr().out
        print_judgements(judged)
        assert "No threshold for acting is advised" in capsys.readouterr().out
        told = judgements(advised)["churn"]["acting"]
        assert told["advised"]["threshold"] == advised["churn"].acting.threshold
        assert "acting" not in judgements(judged)["churn"]

    def test_is_logged_as_metrics(self, judged, advised):
        logged = {f.name: f.value for f in figures_of("churn", advised["churn"].to_dict())}
        advice = advised["churn"].acting
        assert logged["acting.advised.threshold"] == advice.threshold
        assert logged["acting.advised.profit.low"] == advice.advised.profit.low
        assert logged["acting.everybody.contacts"] == advice.everybody.contacts
        plain = {f.name for f in figures_of("churn", judged["churn"].to_dict())}
        assert not [name for name in plain if name.startswith("acting")]

    def test_takes_costs_off_only_once(self):
        values = {
            "name": "shop",
            "data": {"transactions": {"source": "cdnow"}},
            "targets": {"lifetime_value": {"measure": "margin"}},
            "acting": {"contact_cost": 2, "success_rate": 0.2},
        }
        assert settings_from(values).acting.margin_share == 1
        values["acting"] = values["acting"] | {"margin_share": 0.3}
        with pytest.raises(ConfigError, match="acting: value is margin already"):
            settings_from(values)


class TestAPicture:
    def test_is_drawn_of_the_reports_charts_and_of_ones_own(self, advised):
        charts = BacktestResult(advised).charts("churn")
        own = alt.Chart(pd.DataFrame({"x": [1, 2]})).mark_bar().encode(alt.X("x:Q"))
        picture = pml.picture(charts["calibration"], charts["profit"], own)
        svg = picture._repr_svg_()
        assert ET.fromstring(svg).tag.endswith("svg")
        assert "observed churn" in svg
        assert "customers contacted" in svg
        assert picture.to_png().startswith(b"\x89PNG")


def trained(migration):
    result = TrainingResult(
        as_of=date(2024, 1, 1),
        judgements={},
        decisions={},
        versions={"churn": "3"},
        run_id="r",
        migration=migration,
    )
    return TrainResult(result)


def test_a_figure_that_is_not_there_is_a_mistake_that_names_the_nearest():
    as_of = date(2024, 3, 1)
    region = Column("region", pa.string(), "where")
    contract = contract_of("flow", grain="one region", key=["region"], columns=[region])
    flow = present(contract, "Flow", {"region": ["North"]}, as_of=as_of)
    found = Reckoned(as_of, (flow,), run_id="r", versions={}, currency="EUR")
    assert PortfolioResult(found, ())["flow"]["region"].tolist() == ["North"]
    with pytest.raises(ConfigError, match=r"no figure 'flows' here.*mean 'flow'"):
        PortfolioResult(found, ())["flows"]


def test_a_migration_counts_customers_by_old_and_new_segment():
    moves = (Move(1, 1, 8), Move(1, 4, 2), Move(2, 2, 5))
    told = trained(Migration(moves, segments_before=2)).migration()
    assert told.to_dict() == {1: {1: 8, 2: 0}, 2: {1: 0, 2: 5}, 4: {1: 2, 2: 0}}


def test_without_a_champion_there_is_no_migration():
    assert trained(None).migration().empty
