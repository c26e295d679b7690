"""The package from Python."""

import doctest
import subprocess
import sys

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import portfolio_ml
from portfolio_ml import html_table, notebook
from portfolio_ml.errors import ConfigError, DataError

pytestmark = pytest.mark.unit

PURCHASES = {
    "customer_id": ["007", "007", "8"],
    "timestamp": ["2024-01-05", "2024-02-09", "2024-02-11"],
    "amount": [20.0, 10.0, 5.0],
}


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


def test_a_date_that_is_none_is_told():
    with pytest.raises(ConfigError, match="as_of given is no date"):
        portfolio_ml.build_features(pd.DataFrame(PURCHASES), as_of="yesterday")


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
    shown = html_table.html_table("<b>", ["<i>"], [["<script>"]])
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


@pytest.mark.parametrize("module", [notebook, html_table])
def test_the_examples_in_the_docstrings_hold(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
