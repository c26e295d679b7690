import hashlib
import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml.databases import SqlColumn
from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.files import deliver_parquet
from portfolio_ml.sinks.receipts import REJECTS, RUNS, Receipt, Run
from portfolio_ml.sinks.rows import prepare
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
    def test_are_a_row_of_their_table(self):
        receipt = Receipt(
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
        table = receipt.as_table()
        assert table.schema == RUNS.arrow
        assert table["table_name"].to_pylist() == ["scores"]
        assert table["model_versions"].to_pylist() == ['{"churn": "3", "ltv": "2"}']

    def test_rejects_are_rows_of_theirs(self):
        delivery = prepare(rows({"tier": None}), SCORES, as_of=DAY)
        table = delivery.rejected_rows(run=run(), table="scores")
        assert table.schema == REJECTS.arrow
        assert table["customer_id"].to_pylist() == ["a"]


class TestTableNames:
    @pytest.mark.parametrize(
        "name", ["", "a\0b", "portfolio_runs", "Portfolio_Tables", "portfolio_staging", "sqlite_x"]
    )
    def test_that_cannot_be_are_refused(self, name, tmp_path):
        with pytest.raises(ConfigError, match="cannot have this name"):
            deliver_sql(
                rows({}),
                url="sqlite:///crm.db",
                table=name,
                base=tmp_path,
                run=run(),
                contract=SCORES,
            )
        assert not list(tmp_path.iterdir())


class TestParquet:
    def test_holds_the_delivered_rows(self, tmp_path):
        given = rows({"customer_id": "b", "ltv": 1.006}, {"customer_id": "a"}, {"tier": None})
        receipt = deliver_parquet(given, tmp_path / "s.parquet", run=run(), contract=SCORES)
        held = pq.read_table(tmp_path / "s.parquet")
        assert held["customer_id"].to_pylist() == ["a", "b"]
        assert held["ltv"].to_pylist() == [10.0, 1.01]
        assert (receipt.rows, receipt.sent, receipt.rejected) == (3, 2, 1)
        assert (receipt.mode, receipt.status) == ("replace", "delivered")

    def test_equal_rows_give_equal_bytes(self, tmp_path):
        forth, back = tmp_path / "forth.parquet", tmp_path / "back.parquet"
        deliver_parquet(rows({}, {}), forth, run=run(), contract=SCORES)
        deliver_parquet(
            rows({}, {}).take(pa.array([1, 0])), back, run=run("other"), contract=SCORES
        )
        assert forth.read_bytes() == back.read_bytes()

    def test_the_same_rows_again_leave_the_file_alone(self, tmp_path):
        path = tmp_path / "s.parquet"
        deliver_parquet(rows({}), path, run=run(), contract=SCORES)
        before = path.stat()
        receipt = deliver_parquet(rows({"run_id": "r2"}), path, run=run("r2"), contract=SCORES)
        assert (receipt.sent, receipt.unchanged) == (0, 1)
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    @pytest.mark.parametrize("held", [b"", b"half a file", None])
    def test_whatever_else_is_there_is_replaced(self, tmp_path, held):
        path = tmp_path / "s.parquet"
        if held is None:
            deliver_parquet(rows({"ltv": 0.0}), path, run=run(), contract=SCORES)
        else:
            path.write_bytes(held)
        receipt = deliver_parquet(rows({}), path, run=run(), contract=SCORES)
        assert receipt.sent == 1
        assert pq.read_table(path)["ltv"].to_pylist() == [10.0]

    @pytest.mark.parametrize("part", ["header", "pages", "footer"])
    def test_a_damaged_file_is_replaced(self, tmp_path, part):
        path = tmp_path / "s.parquet"
        deliver_parquet(rows(*[{}] * 20), path, run=run(), contract=SCORES)
        whole = path.read_bytes()
        middle = {"header": 0, "pages": 40, "footer": len(whole) - 40}[part]
        path.write_bytes(whole[:middle] + b"\xff" * 30 + whole[middle + 30 :])
        deliver_parquet(rows(*[{}] * 20), path, run=run(), contract=SCORES)
        assert path.read_bytes() == whole

    def test_rejected_rows_are_kept_beside_it_while_there_are_any(self, tmp_path):
        path, beside = tmp_path / "s.parquet", tmp_path / "s.rejects.jsonl"
        deliver_parquet(rows({}, {"tier": None}), path, run=run(), contract=SCORES)
        [line] = beside.read_text().splitlines()
        assert json.loads(line)["customer_id"] == "b"
        assert json.loads(line)["reason"] == "no tier"
        deliver_parquet(rows({}), path, run=run(), contract=SCORES)
        assert not beside.exists()

    def test_a_failed_write_leaves_the_old_file_and_nothing_else(self, tmp_path, monkeypatch):
        path = tmp_path / "s.parquet"
        deliver_parquet(rows({"ltv": 0.0}), path, run=run(), contract=SCORES)

        def full(handle):
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ServiceUnavailableError, match="No space left"):
            deliver_parquet(rows({}), path, run=run(), contract=SCORES)
        assert pq.read_table(path)["ltv"].to_pylist() == [0.0]
        assert [p.name for p in tmp_path.iterdir()] == ["s.parquet"]

    def test_a_missing_folder_is_unavailable(self, tmp_path):
        with pytest.raises(ServiceUnavailableError, match=r"No such file.*folder exists"):
            deliver_parquet(rows({}), tmp_path / "no" / "s.parquet", run=run(), contract=SCORES)

    def test_a_folder_in_its_place_is_unavailable(self, tmp_path):
        with pytest.raises(ServiceUnavailableError, match="Is a directory"):
            deliver_parquet(rows({}), tmp_path, run=run(), contract=SCORES)
        assert not list(tmp_path.iterdir())

    def test_the_file_has_the_permissions_that_the_user_gives_new_files(self, tmp_path):
        deliver_parquet(rows({}), tmp_path / "s.parquet", run=run(), contract=SCORES)
        (plain := Path(tmp_path / "plain")).touch()
        assert (tmp_path / "s.parquet").stat().st_mode == plain.stat().st_mode


def test_differences_between_columns_are_named_one_by_one():
    expected = (SqlColumn("id", "TEXT", False, 1), SqlColumn("ltv", "REAL", True, 0))
    found = (SqlColumn("id", "text", False, 0), SqlColumn("age", "INTEGER", True, 0))
    assert differences(expected, found) == [
        "ltv is missing",
        "age is not known",
        "id is TEXT NOT NULL instead of TEXT NOT NULL (key, 1)",
    ]
