"""The table of valuations: what is kept of it, and what is refused."""

from datetime import date
from pathlib import Path

import pytest

from portfolio_ml import opening, valuations
from portfolio_ml.config import settings_from
from portfolio_ml.engine import reading
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.timeline import to_day

TODAY = date(2024, 3, 10)


@pytest.fixture
def load(tmp_path: Path):
    """Loads a CSV file of valuations."""

    def load(*lines: str, **how: object) -> valuations.Valuations:
        (tmp_path / "values.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        data = {
            "transactions": {"source": "x.csv"},
            "valuations": {"source": "values.csv", **how},
            "max_quarantined_share": 0.9,
        }
        settings = settings_from({"name": "fund", "data": data}, base=tmp_path)
        with reading(settings.engine) as engine:
            return valuations.load(settings, engine, today=TODAY)

    return load


def test_valuations_come_in_the_order_of_their_dates(load) -> None:
    found = load("date,value,flow", "2024-01-31,155,50", "2023-12-31,100,")

    assert found.rows.to_pylist() == [
        {"day": to_day(date(2023, 12, 31)), "value": 100.0, "flow": 0.0},
        {"day": to_day(date(2024, 1, 31)), "value": 155.0, "flow": 50.0},
    ]
    assert (found.kept, found.quarantined) == (2, 0)
    assert found.until(to_day(date(2024, 1, 30))).num_rows == 1


def test_without_flows_nothing_was_put_in(load) -> None:
    found = load("when,worth", "2024-01-31,155", columns={"date": "when", "value": "worth"})

    assert found.rows["flow"].to_pylist() == [0.0]


def test_what_is_no_valuation_is_refused_by_the_first_rule_it_breaks(load) -> None:
    found = load(
        "date,value,flow",
        ",1,",
        "soon,1,",
        "1899-12-31,1,",
        "2024-03-12,1,",
        "2024-01-01,,",
        "2024-01-01,much,",
        "2024-01-01,1e13,",
        "2024-01-01,1,some",
        "2024-01-01,2,0",
        "2024-01-01,3,0",
    )

    assert [(r["row_number"], r["rule"]) for r in found.quarantine.to_pylist()] == [
        (1, "date_missing"),
        (2, "date_unreadable"),
        (3, "date_before_1900"),
        (4, "date_in_the_future"),
        (5, "value_missing"),
        (6, "value_unreadable"),
        (7, "value_out_of_range"),
        (8, "flow_unreadable"),
        (10, "duplicate_key"),
    ]
    assert found.rows["value"].to_pylist() == [2.0]


def test_a_column_that_is_not_there_is_named(load) -> None:
    with pytest.raises(DataError, match=r"'value' is missing .* under data\.valuations\.columns"):
        load("date,worth", "2024-01-31,155")
    with pytest.raises(ConfigError, match="'flows' is no column of valuations"):
        load("date,value", columns={"date": "date", "value": "value", "flows": "x"})


def test_a_portfolio_is_opened_with_its_valuations(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("customer_id,timestamp,amount\na,2024-01-05,3\n")
    (tmp_path / "values.csv").write_text("date,value\n2024-01-31,155\nsoon,1\n")
    data = {
        "transactions": {"source": "sales.csv"},
        "valuations": {"source": "values.csv"},
        "max_quarantined_share": 0.5,
    }
    settings = settings_from({"name": "fund", "data": data}, base=tmp_path)

    with opening.opened(settings, today=TODAY, as_of=None, say=lambda _: None) as portfolio:
        assert portfolio.valuations is not None
        assert portfolio.valuations.rows["value"].to_pylist() == [155.0]
    checked = opening.validate(settings, today=TODAY, say=lambda _: None)
    assert checked.tables.quarantine["rule"].to_pylist() == ["date_unreadable"]
    assert checked.tables.others["valuations"].kept == 1
