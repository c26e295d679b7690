"""Every table that is configured is opened with the portfolio; the others are not there."""

from datetime import date

import pytest

from portfolio_ml import pipeline
from portfolio_ml.config import settings_from

pytestmark = pytest.mark.unit

TODAY = date(2024, 3, 10)
MERGED_FIRST = ("customer_merges", "transactions", "customers")
FILES = {
    "transactions": ("customer_id,timestamp,amount", "a,2024-03-01,10", "b,2024-03-05,10"),
    "customers": ("customer_id,region", "a,north", "z,south"),
    "interactions": ("customer_id,timestamp,kind", "a,2024-03-01,call"),
    "contacts": ("customer_id,timestamp,action", "a,2024-03-01,letter"),
    "opportunities": ("opportunity_id,representative_id,stage", "1,r,won", "2,r,lost"),
    "points": ("customer_id,timestamp,points", "a,2024-03-01,5"),
    "prospects": ("prospect_id,region", "p,north"),
    "customer_merges": ("old_id,new_id", "x,a"),
}


@pytest.fixture
def settings(tmp_path):
    """Settings with these tables."""

    def settings(*names: str):
        for name, lines in FILES.items():
            (tmp_path / f"{name}.csv").write_text("\n".join(lines))
        data = {name: {"source": f"{name}.csv"} for name in ("transactions", *names)}
        return settings_from({"name": "shop", "data": data}, base=tmp_path)

    return settings


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("customers",),
        ("interactions", "contacts"),
        ("points",),
        ("opportunities", "prospects"),
        ("customers", "interactions", "contacts", "opportunities", "points", "prospects"),
    ],
)
def test_a_portfolio_is_opened_with_the_tables_that_are_configured(settings, names):
    said: list[str] = []
    with pipeline.opened(settings(*names), today=TODAY, as_of=None, say=said.append) as portfolio:
        tables = {
            "customers": portfolio.customers,
            "interactions": portfolio.interactions,
            "contacts": portfolio.contacts,
            "opportunities": portfolio.opportunities,
            "points": portfolio.points,
            "prospects": portfolio.prospects,
        }
        assert {name for name, table in tables.items() if table is not None} == {*names}
        assert [t.kept for t in tables.values() if t] == [len(FILES[n]) - 1 for n in names]
    assert said == [f"loading and validating {name}" for name in ("transactions", *names)]


def test_merges_are_loaded_before_the_tables_that_they_are_for(settings):
    said: list[str] = []
    names = ("customers", "customer_merges")
    with pipeline.opened(settings(*names), today=TODAY, as_of=None, say=said.append) as portfolio:
        assert portfolio.merged.to_pylist() == [{"old_id": "x", "new_id": "a"}]
    assert said == [f"loading and validating {name}" for name in MERGED_FIRST]


def test_customers_who_buy_and_are_not_listed_are_counted_and_no_error(settings):
    found = pipeline.validate(settings("customers"), today=TODAY, say=lambda text: None)
    assert found.unlisted == 1


def test_without_a_customers_table_nobody_is_missing(settings):
    found = pipeline.validate(settings("contacts"), today=TODAY, say=lambda text: None)
    assert found.unlisted is None
