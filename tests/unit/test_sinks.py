import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from portfolio_ml.databases import SqlColumn
from portfolio_ml.errors import ConfigError
from portfolio_ml.results import receipt_line
from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.files.csv_rows import read_for_machines
from portfolio_ml.sinks.ledger import as_date
from portfolio_ml.sinks.receipts import REJECTS, RUNS, Receipt, Run
from portfolio_ml.sinks.rows import prepare, rejected_rows
from portfolio_ml.sinks.sql import deliver_sql
from portfolio_ml.sinks.tables import differences

pytestmark = pytest.mark.unit

DAY = date(2024, 3, 1)
NOW = datetime(2024, 3, 2, 6, 30, tzinfo=UTC)

SCORES = Table(
    name="scores",
    grain="one customer and as-of date",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        Column("as_of", pa.date32(), "the as-of date"),
        Column("ltv", pa.float64(), "value", decimals=2),
        Column("p_churn", pa.float64(), "probability", null="inactive", decimals=6),
        Column("tier", pa.int8(), "tier"),
        Column("due", pa.date32(), "next order", null="no purchase"),
        Column("run_id", pa.string(), "the run", lineage=True),
    ),
)
GOOD = {
    "customer_id": "a",
    "as_of": DAY,
    "ltv": 10.0,
    "p_churn": 0.5,
    "tier": 1,
    "due": DAY,
    "run_id": "r1",
}


def rows(*changes: dict[str, object]) -> pa.Table:
    """One row for each change to the good one; ids a, b, c ... where not given."""
    names = [{"customer_id": chr(ord("a") + n)} for n in range(len(changes))]
    found = [GOOD | name | change for name, change in zip(names, changes, strict=True)]
    return pa.Table.from_pylist(found, schema=pa.schema([(c.name, c.type) for c in SCORES.columns]))


def run(run_id: str = "r1", as_of: date = DAY) -> Run:
    return Run(run_id=run_id, as_of=as_of, model_versions={"churn": "3"}, now=lambda: NOW)


class TestPreparedRows:
    @pytest.mark.parametrize(
        ("given", "delivered"),
        [
            (1.004, 1.0),
            (1.006, 1.01),
            (0.125, 0.12),
            (0.375, 0.38),
            (5.9399999999999995, 5.94),
            (-0.001, 0.0),
            (-0.0, 0.0),
            (1e17, 1e17),
            (-1.7e308, -1.7e308),
            (5e-324, 0.0),
        ],
    )
    def test_values_are_rounded_half_to_even_at_the_delivered_decimals(self, given, delivered):
        [value] = prepare(rows({"ltv": given}), SCORES, as_of=DAY).rows["ltv"].to_pylist()
        assert repr(value) == repr(delivered)

    def test_not_a_number_becomes_null_where_null_means_something(self):
        delivery = prepare(rows({"p_churn": float("nan")}), SCORES, as_of=DAY)
        assert delivery.rows["p_churn"].to_pylist() == [None]
        assert not delivery.rejects

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"ltv": float("nan")}, "no ltv"),
            ({"ltv": None}, "no ltv"),
            ({"customer_id": None}, "no customer_id"),
            ({"as_of": None}, "no as_of"),
            ({"ltv": float("inf")}, "infinite ltv"),
            ({"p_churn": float("-inf")}, "infinite p_churn"),
            ({"ltv": None, "tier": None}, "no ltv; no tier"),
        ],
    )
    def test_a_bad_row_is_rejected_with_its_reason_and_stops_no_other(self, change, reason):
        delivery = prepare(rows({}, change, {}), SCORES, as_of=DAY)
        assert delivery.rows["customer_id"].to_pylist() == ["a", "c"]
        [reject] = delivery.rejects
        assert (reject.reason, reject.row_number) == (reason, 2)

    def test_a_date_that_no_calendar_has_is_rejected(self):
        far = rows({}, {}).set_column(5, "due", pa.array([2**31 - 1, 0], pa.int32()))
        far = far.set_column(5, "due", far["due"].cast(pa.date32()))
        delivery = prepare(far, SCORES, as_of=DAY)
        [reject] = delivery.rejects
        assert reject.reason == "due outside the years 1 to 9999"
        assert delivery.rows["customer_id"].to_pylist() == ["b"]

    def test_rows_with_the_same_key_are_all_rejected(self):
        twice = rows({"customer_id": "x", "ltv": 1.0}, {}, {"customer_id": "x", "ltv": 2.0})
        delivery = prepare(twice, SCORES, as_of=DAY)
        assert delivery.rows["customer_id"].to_pylist() == ["b"]
        assert [(r.row_number, r.reason) for r in delivery.rejects] == [
            (1, "duplicate key"),
            (3, "duplicate key"),
        ]

    def test_a_rejected_row_is_kept_as_json_as_it_came(self):
        delivery = prepare(rows({"ltv": float("inf"), "p_churn": 0.1234567891}), SCORES, as_of=DAY)
        row = json.loads(delivery.rejects[0].row)
        assert row["ltv"] == "inf"
        assert row["p_churn"] == 0.1234567891
        assert row["due"] == "2024-03-01"

    def test_rows_are_sorted_by_key(self):
        given = rows({"customer_id": "b"}, {"customer_id": "B"}, {"customer_id": "a"})
        assert prepare(given, SCORES, as_of=DAY).rows["customer_id"].to_pylist() == ["B", "a", "b"]

    def test_no_rows_make_an_empty_delivery(self):
        delivery = prepare(rows(), SCORES, as_of=DAY)
        assert (delivery.rows.num_rows, delivery.rejects) == (0, ())

    def test_rows_of_another_date_are_a_bug(self):
        with pytest.raises(ValueError, match="not all as of 2024-03-01"):
            prepare(rows({}, {"as_of": date(2024, 2, 29)}), SCORES, as_of=DAY)

    @pytest.mark.parametrize("names", [["tier"], ["tier", "shoe_size"]])
    def test_rows_of_another_table_are_a_bug(self, names):
        other = rows({}).rename_columns({"tier": names[-1]})
        other = other.drop_columns(names[0]) if len(names) == 1 else other
        with pytest.raises(ValueError, match="tier"):
            prepare(other, SCORES, as_of=DAY)


class TestDigest:
    def test_does_not_depend_on_the_order_of_rows_or_on_their_lineage(self):
        forth = prepare(rows({"run_id": "x"}, {}), SCORES, as_of=DAY)
        back = prepare(rows({}, {}).take(pa.array([1, 0])), SCORES, as_of=DAY)
        assert forth.digest == back.digest

    @pytest.mark.parametrize("change", [{"ltv": 10.01}, {"due": None}, {"customer_id": "z"}])
    def test_depends_on_every_figure(self, change):
        before = prepare(rows({}), SCORES, as_of=DAY)
        assert prepare(rows(change), SCORES, as_of=DAY).digest != before.digest

    def test_tells_a_null_from_an_empty_text(self):
        note = Column("note", pa.string(), "a note", null="none")
        contract = replace(SCORES, columns=(*SCORES.columns, note))
        noted = [rows({}).append_column("note", pa.array([v], pa.string())) for v in ("", None)]
        assert len({prepare(given, contract, as_of=DAY).digest for given in noted}) == 2

    def test_is_the_same_on_every_machine(self):
        text = (
            '["customer_id", "as_of", "ltv", "p_churn", "tier", "due"]'
            '"a",2024-03-01,10,0.5,1,2024-03-01\n'
            '"b",2024-03-01,0.1,,1,2024-03-01\n'
        )
        delivery = prepare(rows({}, {"p_churn": None, "ltv": 0.1}), SCORES, as_of=DAY)
        assert delivery.digest == hashlib.sha256(text.encode()).hexdigest()


class TestReceipts:
    RECEIPT = Receipt(
        run_id="r1",
        target="sqlite:///crm.db",
        table="scores",
        as_of=DAY,
        mode="upsert",
        rows=3,
        sent=1,
        unchanged=1,
        rejected=1,
        unknown=0,
        digest="d",
        status="delivered",
        started_at=NOW,
        finished_at=NOW,
        model_versions={"ltv": "2", "churn": "3"},
    )

    def test_are_a_row_of_their_table(self):
        table = self.RECEIPT.as_table()
        assert table.schema == RUNS.arrow
        assert table["table_name"].to_pylist() == ["scores"]
        assert table["model_versions"].to_pylist() == ['{"churn": "3", "ltv": "2"}']

    def test_tell_of_rows_that_were_removed_where_nothing_else_changed(self):
        same = replace(self.RECEIPT, sent=0, unchanged=3, rejected=0)
        told = receipt_line(replace(same, retired=1))
        assert told == "sqlite:///crm.db scores: 3 unchanged, 1 removed"
        assert receipt_line(same) == "sqlite:///crm.db scores: nothing changed (3 rows)"

    def test_rejects_are_rows_of_theirs(self):
        delivery = prepare(rows({"tier": None}), SCORES, as_of=DAY)
        table = rejected_rows(delivery.rejects, run=run(), table="scores")
        assert table.schema == REJECTS.arrow
        assert table["customer_id"].to_pylist() == ["a"]


class TestTableNames:
    @pytest.mark.parametrize(
        "name",
        [
            *("", "a\0b", "sqlite_x"),
            *("portfolio_runs", "Portfolio_Tables", "portfolio_staging", "portfolio_rejects"),
            *("portfolio_outbox", "portfolio_leases", "portfolio_suppressed"),
        ],
    )
    def test_that_cannot_be_are_refused(self, name, tmp_path):
        told = r"cannot have this name.*\. Choose another, such as customer_scores\.$"
        with pytest.raises(ConfigError, match=told):
            deliver_sql(
                rows({}),
                url="sqlite:///crm.db",
                table=name,
                base=tmp_path,
                run=run(),
                contract=SCORES,
            )
        assert not list(tmp_path.iterdir())


def test_only_nothing_at_all_is_read_back_as_no_value(tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text('"customer_id","ltv"\r\n"NA",\r\n')
    assert read_for_machines(file, SCORES).to_pylist() == [{"customer_id": "NA", "ltv": None}]
    file.write_text('"customer_id","ltv"\r\n"a",NA\r\n')
    with pytest.raises(ValueError, match="NA"):
        read_for_machines(file, SCORES)


def test_differences_between_columns_are_named_one_by_one():
    expected = (SqlColumn("id", "TEXT", False, 1), SqlColumn("ltv", "REAL", True, 0))
    found = (SqlColumn("id", "text", False, 0), SqlColumn("age", "INTEGER", True, 0))
    assert differences(expected, found) == [
        "ltv is missing",
        "age is not known",
        "id is TEXT NOT NULL instead of TEXT NOT NULL (key, 1)",
    ]


@pytest.mark.parametrize("value", [DAY, "2024-03-01", datetime(2024, 3, 1, tzinfo=UTC)])
def test_a_date_is_one_however_a_database_gives_it(value):
    found = as_date(value)
    assert (found, type(found)) == (DAY, date)
