"""What is known of each customer: typed, dated, and every refused row accounted for."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml import customers
from portfolio_ml.config import settings_from
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.timeline import to_day

pytestmark = pytest.mark.unit


@pytest.fixture
def load(engine, tmp_path):
    """Loads customers from a CSV file, or a table through a Parquet file."""

    def load(header: str | pa.Table, *rows: str, share: float = 1.0, **how):
        if isinstance(header, pa.Table):
            pq.write_table(header, tmp_path / "people.parquet")
            source = "people.parquet"
        else:
            (tmp_path / "people.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
            source = "people.csv"
        data = {
            "transactions": {"source": "sales.csv"},
            "customers": {"source": source, **how},
            "max_quarantined_share": share,
        }
        settings = settings_from({"name": "shop", "data": data}, base=tmp_path)
        return customers.load(settings, engine)

    return load


def rows(table, engine) -> list[dict]:
    """The kept rows, in order."""
    return engine.collect(table.frame.sort("customer_id", "valid_from")).to_pylist()


def refused(table) -> list[tuple]:
    """Row number, rule, column and value of every refused row."""
    names = ("row_number", "rule", "column", "value")
    return [tuple(row[n] for n in names) for row in table.quarantine.to_pylist()]


class TestTheAttributes:
    def test_are_typed_by_what_they_are(self, load, engine):
        table = load(
            "customer_id,signup_date,ended_at,birthday,income,service_cost,region,shoe_size",
            "007,2020-01-01,2024-01-01,1960-02-29,1000.5,12, north ,42",
        )
        assert rows(table, engine) == [
            {
                "customer_id": "007",
                "valid_from": None,
                "signup_date": to_day(date(2020, 1, 1)),
                "ended_at": to_day(date(2024, 1, 1)),
                "region": "north",
                "birthday": to_day(date(1960, 2, 29)),
                "income": 1000.5,
                "service_cost": 12.0,
                "shoe_size": "42",
            }
        ]
        schema = engine.collect(table.frame).schema
        assert schema.field("valid_from").type == schema.field("birthday").type == pa.int32()

    def test_are_null_where_they_cannot_be_read(self, load, engine):
        table = load("customer_id,birthday,income,region", "a,soon,much,", "b,,inf, ")
        assert [[*row.values()][2:] for row in rows(table, engine)] == [[None] * 3] * 2
        assert table.quarantined == 0

    def test_are_those_of_the_source_in_lower_case(self, load):
        table = load("customer_id,region,Region name,shoe_size,_x", "a,b,c,d,e")
        assert table.columns == {"region", "shoe_size"}

    def test_may_be_called_anything_by_a_mapping(self, load, engine):
        columns = {"customer_id": "Kunde", "region": "Bundesland", "shoe_size": "Schuhgröße"}
        table = load("Kunde;Bundesland;Schuhgröße;Rest", "a;Bayern;42;x", columns=columns)
        assert table.columns == {"region", "shoe_size"}
        assert rows(table, engine)[0]["shoe_size"] == "42"

    def test_may_be_missing_altogether(self, load, engine):
        table = load("customer_id", "a")
        assert table.columns == frozenset()
        assert rows(table, engine) == [{"customer_id": "a", "valid_from": None}]

    def test_keep_ids_without_a_fraction(self, load, engine):
        typed = pa.table({"customer_id": [1.0, 2.0], "representative_id": [7.0, None]})
        found = [(r["customer_id"], r["representative_id"]) for r in rows(load(typed), engine)]
        assert found == [("1", "7"), ("2", None)]


class TestWhatIsDated:
    HEADER = "customer_id,valid_from,region"

    def test_holds_since_a_day(self, load, engine):
        table = load(self.HEADER, "a,2024-01-01,north", "a,2024-02-01,south", "b,,west")
        assert table.is_dated
        assert [(r["customer_id"], r["valid_from"]) for r in rows(table, engine)] == [
            ("a", to_day(date(2024, 1, 1))),
            ("a", to_day(date(2024, 2, 1))),
            ("b", None),
        ]

    def test_is_not_where_the_source_has_no_date(self, load):
        assert not load("customer_id,region", "a,north").is_dated


class TestTheRules:
    def test_refuse_a_row_with_its_number_column_and_value(self, load):
        table = load(
            "customer_id,valid_from,region",
            "a,2024-01-01,x",
            " ,2024-01-01,x",
            "a,soon,x",
            "a,1899-12-31,x",
            "a,2024-01-01 10:00,y",
            "a,,z",
            "a,,z",
            "a,2024-01-02,z",
        )
        assert refused(table) == [
            (2, "customer_id_missing", "customer_id", None),
            (3, "valid_from_unreadable", "valid_from", "soon"),
            (4, "valid_from_before_1900", "valid_from", "1899-12-31"),
            (5, "duplicate_key", "customer_id", "a"),
            (7, "duplicate_key", "customer_id", "a"),
        ]
        assert table.kept == 3

    def test_keep_the_first_of_several_rows_for_a_customer(self, load, engine):
        table = load("customer_id,region", "a,first", "b,other", " a,second", "a,third")
        assert [r["region"] for r in rows(table, engine)] == ["first", "other"]
        assert [number for number, *_ in refused(table)] == [3, 4]

    def test_stop_where_too_many_rows_break_them(self, load):
        with pytest.raises(DataError) as caught:
            load("customer_id,region", "a,x", "a,y", "a,z", share=0.1)
        assert caught.value.exit_code == 65
        assert "2 of 3 rows broke a rule" in str(caught.value)
        assert "Keep one row for each customer, or map valid_from" in str(caught.value)


class TestWhatIsStatic:
    def test_is_told(self, load):
        assert load("customer_id,region,segment", "a,x,y", static=["region"]).static == {"region"}

    @pytest.mark.parametrize("columns", [None, {"customer_id": "customer_id", "region": "region"}])
    def test_must_be_an_attribute_that_is_there(self, load, columns):
        with pytest.raises(ConfigError, match=r"(?i)static.* did you mean 'region'\?"):
            load("customer_id,region", "a,x", static=["regoin"], columns=columns)

    def test_cannot_be_the_key(self, load):
        with pytest.raises(ConfigError, match="'customer_id', and customers have no such"):
            load("customer_id,region", "a,x", static=["customer_id"])


class TestAMapping:
    @pytest.mark.parametrize(
        ("columns", "said"),
        [
            ({"region": "r"}, "'customer_id' must be mapped"),
            ({"customer_id": "c", "Region": "r"}, "did you mean 'region'?"),
            ({"customer_id": "c", "Shoe size": "r"}, "must be in lower case, such as shoe_size"),
            ({"customer_id": "c", "region": "c"}, "'c' must not be mapped more than once"),
        ],
    )
    def test_with_a_fault_is_a_config_error(self, load, columns, said):
        with pytest.raises(ConfigError, match=said):
            load("c,r", "a,x", columns=columns)

    def test_of_a_missing_column_names_the_section(self, load):
        with pytest.raises(DataError, match=r"Map it under data\.customers\.columns"):
            load("kunde,region", "a,x")


def test_a_built_in_data_set_without_customers_says_so(load, tmp_path, engine):
    data = {"transactions": {"source": "cdnow"}, "customers": {"source": "cdnow"}}
    settings = settings_from({"name": "shop", "data": data}, base=tmp_path)
    with pytest.raises(ConfigError, match="data set 'cdnow' has no customers"):
        customers.load(settings, engine)


def test_a_database_is_told_apart_from_that_of_the_transactions(engine, monkeypatch):
    monkeypatch.setattr(
        "portfolio_ml.sources.read_table",
        lambda url, name, **_: pa.table({"customer_id": ["a", "a"]}),
    )
    customers_source = {"source": "postgresql://ann:s3cret@db/crm", "table": "people"}
    data = {
        "transactions": {"source": "x.csv"},
        "customers": customers_source,
        "max_quarantined_share": 1,
    }
    table = customers.load(settings_from({"name": "shop", "data": data}), engine)
    assert table.quarantine["source"].to_pylist() == ["postgresql://ann:***@db/crm (customers)"]
    assert table.kept == 1
