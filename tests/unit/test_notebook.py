"""The package from Python."""

import subprocess
import sys
from datetime import UTC, date, datetime

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.simulated import FIRST_DAY, RECIPE, simulated

import portfolio_ml
from portfolio_ml import answers, backtesting, display
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.gate import Decision
from portfolio_ml.pipeline import TrainingResult
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.timeline import Span

pytestmark = pytest.mark.unit

PURCHASES = {
    "customer_id": ["007", "007", "8"],
    "timestamp": ["2024-01-05", "2024-02-09", "2024-02-11"],
    "amount": [20.0, 10.0, 5.0],
}

RECEIPT = Receipt(
    run_id="r",
    target="sqlite:///crm.db",
    table="customer_scores",
    as_of=date(2024, 2, 11),
    mode="upsert",
    rows=9,
    sent=9,
    unchanged=0,
    rejected=0,
    unknown=0,
    digest="d",
    status="delivered",
    started_at=datetime(2024, 2, 12, tzinfo=UTC),
    finished_at=datetime(2024, 2, 12, tzinfo=UTC),
    model_versions={},
)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_features_come_back_as_the_kind_of_table_that_was_given(kind):
    given = kind(PURCHASES)
    built = portfolio_ml.build_features(given)
    assert type(built) is type(given)
    assert str(next(iter(built["customer_id"]))) == "007"


def test_all_kinds_give_the_same_features(tmp_path):
    file = tmp_path / "purchases.csv"
    pd.DataFrame(PURCHASES).to_csv(file, index=False)
    dates = {"date_as_object": False}
    built = [
        portfolio_ml.build_features(pd.DataFrame(PURCHASES)),
        portfolio_ml.build_features(pl.DataFrame(PURCHASES)).to_arrow().to_pandas(**dates),
        portfolio_ml.build_features(pa.table(PURCHASES)).to_pandas(**dates),
        portfolio_ml.build_features(file),
        portfolio_ml.build_features(str(file)),
    ]
    for other in built[1:]:
        pd.testing.assert_frame_equal(built[0], other, check_dtype=False)


def test_columns_may_be_called_anything():
    given = pd.DataFrame(PURCHASES).set_axis(["Kunde", "Datum", "Betrag"], axis=1)
    columns = {"customer_id": "Kunde", "timestamp": "Datum", "amount": "Betrag"}
    built = portfolio_ml.build_features(given, columns=columns)
    assert built["spend"].tolist() == [30.0, 5.0]


def test_real_timestamps_and_an_earlier_date_work():
    given = pd.DataFrame(PURCHASES)
    given["timestamp"] = pd.to_datetime(given["timestamp"])
    built = portfolio_ml.build_features(given, as_of="2024-02-09")
    assert built["customer_id"].tolist() == ["007"]
    assert built["recency_days"].tolist() == [0.0]


@pytest.mark.parametrize(
    "as_of",
    [date(2024, 2, 9), datetime(2024, 2, 9, 14, tzinfo=UTC), pd.Timestamp("2024-02-09 14:00")],
)
def test_a_moment_stands_for_its_date(as_of):
    built = portfolio_ml.build_features(pd.DataFrame(PURCHASES), as_of=as_of)
    assert built["recency_days"].tolist() == [0.0]


def test_the_last_complete_day_is_that_of_the_portfolios_time_zone(monkeypatch):
    monkeypatch.setattr("portfolio_ml.given.now", lambda: datetime(2024, 2, 12, 2, tzinfo=UTC))
    given = pd.DataFrame(PURCHASES)
    days = {
        zone: str(portfolio_ml.build_features(given, timezone=zone)["as_of"].max().date())
        for zone in ("UTC", "America/Los_Angeles")  # where it is the evening of the 11th
    }
    assert days == {"UTC": "2024-02-11", "America/Los_Angeles": "2024-02-10"}


def test_refused_rows_are_warned_of_with_the_main_rule_and_an_example():
    given = pd.DataFrame(PURCHASES)
    bad = pd.DataFrame({"customer_id": ["9"], "timestamp": ["soon"], "amount": [1.0]})
    with pytest.warns(
        portfolio_ml.QuarantineWarning,
        match=r"1 row left out; timestamp_unreadable: 1 row, such as row 31 .* with 'soon'",
    ) as warned:
        built = portfolio_ml.build_features(pd.concat([*[given] * 10, bad], ignore_index=True))
    assert built["customer_id"].tolist() == ["007", "8"]
    assert len(warned) == 1
    assert warned[0].filename == __file__


@pytest.fixture(scope="module")
def judgements():
    span, days = Span(FIRST_DAY, 17_720), (17_630,)
    return backtesting.backtest(
        simulated(150, days=backtesting.needed_days(span, RECIPE, days)),
        RECIPE,
        first_day=FIRST_DAY,
        evaluated=days,
        activity_days={17_630: 60},
        seasons={},
        bootstrap=20,
        progress=lambda _: None,
    )


class TestResultsOnAConsole:
    """They show a readable table, not what they are made of."""

    def test_a_backtest_names_models_as_people_do(self, judgements):
        shown = repr(answers.BacktestResult(judgements))
        assert shown.startswith("Churn: AUROC by cutoff, and the chosen model's gain (90 %)")
        assert "Pareto/NBD + Gamma-Gamma" in shown
        assert "pareto_nbd" not in shown
        assert "Judgement(" not in shown
        assert max(map(len, shown.splitlines())) < 100

    def test_a_training_shows_what_the_gate_decided(self, judgements):
        decision = Decision("churn", is_promoted=True, reasons=("it is ahead",))
        result = TrainingResult(
            as_of=date(2024, 1, 1),
            judgements=judgements,
            decisions={"churn": decision},
            versions={"churn": "3"},
            run_id="r",
        )
        shown = repr(answers.TrainResult(result))
        assert shown.splitlines()[-1].split() == ["Churn", "3", "accepted", "it", "is", "ahead"]

    @pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
    def test_scores_show_receipts_and_the_first_rows(self, kind):
        rows = kind(
            {
                "customer_id": [f"c{n}" for n in range(9)],
                "is_active": [True] * 9,
                "lifecycle_stage": ["new"] * 9,
                "value_tier": ["A"] * 9,
                "p_churn": [0.12345] * 9,
                "p_return": [float("nan")] * 9,
                "ltv": [1234.5] * 9,
                "segment_name": ["frequent buyers"] * 9,
                "run_id": ["r"] * 9,
            }
        )
        shown = repr(answers.ScoreResult(rows, (RECEIPT,), None, "a note"))
        assert "crm.db" in shown
        assert "9 customers, of whom the first, in some columns (a note)" in shown
        assert "1,234.50" in shown
        assert "nan" not in shown
        assert "c4" in shown
        assert "c5" not in shown


@pytest.mark.parametrize("as_of", ["yesterday", 20240209, pd.NaT])
def test_a_date_that_is_none_is_told(as_of):
    with pytest.raises(ConfigError, match="as_of given is no date"):
        portfolio_ml.build_features(pd.DataFrame(PURCHASES), as_of=as_of)


def test_a_missing_column_lists_those_that_are_there():
    with pytest.raises(DataError, match=r"'amount' is missing.*'Amount'"):
        portfolio_ml.build_features(pd.DataFrame(PURCHASES).rename(columns={"amount": "Amount"}))


def test_importing_the_package_is_instant_and_pulls_no_heavy_library():
    program = (
        "import sys, portfolio_ml; "
        "heavy = {'mlflow', 'pyspark', 'lightgbm', 'sklearn', 'pandas', 'duckdb'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


@pytest.mark.parametrize("name", portfolio_ml.__all__)
def test_every_public_name_is_there(name):
    assert getattr(portfolio_ml, name) is not None
    assert name in dir(portfolio_ml)


def test_the_public_functions_stay_functions_whatever_was_imported_before():
    """A module of the same name would take the function's place when it is first imported."""
    program = (
        "import importlib, pkgutil, portfolio_ml as pml; "
        "found = pkgutil.iter_modules(pml.__path__, 'portfolio_ml.'); "
        "[importlib.import_module(module.name) for module in found]; "
        "print(all(callable(getattr(pml, name)) for name in pml.__all__))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "True", done.stderr


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = portfolio_ml.nothing


def test_a_table_in_html_is_escaped():
    shown = display.SmallTable.of("<b>", ["<i>"], [["<script>"]]).to_html()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
