"""Prospects: one row each, with the attributes that customers have."""

from datetime import date

import pytest

from portfolio_ml import prospects
from portfolio_ml.config import settings_from
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.schema import CUSTOMERS, PROSPECTS
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.unit


@pytest.fixture
def load(engine, tmp_path):
    """Loads prospects from a CSV file."""

    def load(header: str, *rows: str, share: float = 1.0, **how):
        (tmp_path / "leads.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        data = {
            "transactions": {"source": "sales.csv"},
            "prospects": {"source": "leads.csv", **how},
            "max_quarantined_share": share,
        }
        settings = settings_from({"name": "shop", "data": data}, base=tmp_path)
        return prospects.load(settings, engine)

    return load


def test_prospects_have_the_attributes_of_customers():
    assert PROSPECTS.names == ("prospect_id", *CUSTOMERS.names[2:])


def test_attributes_are_typed_as_those_of_customers_are(load, engine):
    table = load(
        "prospect_id,signup_date,birthday,income,region,shoe_size,Name",
        "007,2020-01-01,soon,1000.5, north ,42,x",
        "b,,1960-02-29,inf,,,",
    )
    assert engine.collect(table.frame.sort("prospect_id")).to_pylist() == [
        {
            "prospect_id": "007",
            "signup_date": to_day(date(2020, 1, 1)),
            "birthday": None,
            "income": 1000.5,
            "region": "north",
            "shoe_size": "42",
        },
        {
            "prospect_id": "b",
            "signup_date": None,
            "birthday": to_day(date(1960, 2, 29)),
            "income": None,
            "region": None,
            "shoe_size": None,
        },
    ]
    assert table.columns == {"signup_date", "birthday", "income", "region", "shoe_size"}


def test_attributes_may_be_missing_altogether(load, engine):
    table = load("prospect_id", "a")
    assert engine.collect(table.frame).to_pylist() == [{"prospect_id": "a"}]
    assert table.columns == frozenset()


def test_the_rules_refuse_rows_without_an_id_and_those_that_repeat_one(load):
    table = load("prospect_id,region", "a,x", " ,x", "b,y", " a,z")
    found = [(r["row_number"], r["rule"], r["value"]) for r in table.quarantine.to_pylist()]
    assert found == [(2, "prospect_id_missing", None), (4, "duplicate_key", "a")]
    assert (table.kept, table.quarantined) == (2, 2)


def test_a_fault_says_what_to_do(load):
    with pytest.raises(DataError, match="Keep one row for each prospect"):
        load("prospect_id,region", "a,x", "a,y", share=0.1)
    with pytest.raises(DataError, match=r"Map it under data\.prospects\.columns"):
        load("lead,region", "a,x")
    with pytest.raises(ConfigError, match="'prospect_id' must be mapped"):
        load("p,r", "a,x", columns={"region": "r"})
