"""Interactions and contacts: validated like transactions, each under its own section."""

from datetime import date

import pyarrow as pa
import pytest

from portfolio_ml import events
from portfolio_ml.config import settings_from
from portfolio_ml.errors import DataError
from portfolio_ml.schema import CONTACTS, INTERACTIONS
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.unit

TODAY = date(2024, 3, 10)
CALL = "a,2024-03-01,call"


@pytest.fixture
def load(engine, tmp_path):
    """Loads events of a table from a CSV file."""

    def load(of, header: str, *rows: str, share: float = 1.0, **how):
        (tmp_path / "events.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        data = {
            "transactions": {"source": "sales.csv"},
            of.name: {"source": "events.csv", **how},
            "max_quarantined_share": share,
        }
        values = {"name": "shop", "timezone": "Europe/Berlin", "data": data}
        return events.load(of, settings_from(values, base=tmp_path), engine, today=TODAY)

    return load


def test_interactions_have_a_kind_and_perhaps_a_value(load, engine):
    header = "customer_id,timestamp,kind,value,channel"
    table = load(INTERACTIONS, header, "a,2024-02-29T23:30:00Z,call,4.5,phone", f"{CALL},nan,")
    assert table.columns == {"minute", "value", "channel"}
    names = ("customer_id", "day", "minute", "kind", "value", "channel")
    first_of_march = to_day(date(2024, 3, 1))
    rows = engine.collect(table.frame.select(*names)).to_pylist()
    assert {tuple(row.values()) for row in rows} == {
        ("a", first_of_march, 30, "call", 4.5, "phone"),
        ("a", first_of_march, None, "call", None, None),
    }


def test_contacts_have_an_action_and_perhaps_a_control_group(load, engine):
    header = "customer_id,timestamp,action,campaign,held_out"
    told = ["true", "FALSE", "1", "0", "yes", "No", "", "perhaps"]
    table = load(CONTACTS, header, *(f"{CALL},c{n},{said}" for n, said in enumerate(told)))
    assert table.columns == {"campaign", "held_out"}
    held = engine.collect(table.frame.sort("campaign"))["held_out"]
    assert held.type == pa.bool_()
    assert held.to_pylist() == [True, False, True, False, True, False, None, None]


@pytest.mark.parametrize(("of", "said"), [(INTERACTIONS, "kind"), (CONTACTS, "action")])
def test_the_rules_refuse_what_cannot_be_used(load, tmp_path, of, said):
    bad = {
        "customer_id_missing": ",2024-03-01,call",
        "timestamp_missing": "a,,call",
        "timestamp_unreadable": "a,soon,call",
        "timestamp_before_1900": "a,1899-12-31,call",
        "timestamp_in_the_future": "a,2024-03-12,call",
        f"{said}_missing": "a,2024-03-01, ",
    }
    assert [rule.name for rule in events.rules(of, TODAY)] == [*bad]
    table = load(of, f"customer_id,timestamp,{said}", CALL, *bad.values())
    found = [(r["row_number"], r["rule"]) for r in table.quarantine.to_pylist()]
    assert found == [*enumerate(bad, start=2)]
    assert {*table.quarantine["source"].to_pylist()} == {str(tmp_path / "events.csv")}
    assert (table.kept, table.quarantined) == (1, 6)


@pytest.mark.parametrize("of", [INTERACTIONS, CONTACTS])
class TestAFault:
    def test_in_many_rows_names_the_section(self, load, of):
        said = of.names[2]
        with pytest.raises(DataError, match=rf"data\.{of.name}\.format\.date_format"):
            load(of, f"customer_id,timestamp,{said}", CALL, "a,soon,x", share=0.1)

    def test_in_the_columns_names_the_section(self, load, of):
        with pytest.raises(DataError, match=rf"'{of.names[2]}' is missing .*data\.{of.name}\.col"):
            load(of, "customer_id,timestamp,x", CALL)
