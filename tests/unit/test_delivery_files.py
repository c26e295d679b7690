"""Delivery into files: what is written, what is left alone, and what the state database keeps."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from portfolio_ml.config import Settings, settings_from
from portfolio_ml.errors import (
    ConfigError,
    DataError,
    ServiceUnavailableError,
    TryAgainLaterError,
)
from portfolio_ml.replacing import remove_unfinished
from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.files import deliver_file, erase, held, rehearse_file
from portfolio_ml.sinks.files.kept import deliveries_in_files, kept_files, scores_in_files
from portfolio_ml.sinks.receipts import Receipt, Run

pytestmark = pytest.mark.unit

OLD, DAY, NEW = date(2024, 2, 1), date(2024, 3, 1), date(2024, 4, 1)
NOW = datetime(2024, 4, 2, 6, 30, tzinfo=UTC)
SHOP = {"name": "shop", "data": {"transactions": {"source": "cdnow"}}}
STATE = "portfolio_state.db"
LEFTOVER = "0" * 32

PARQUET = {"kind": "parquet", "path": "s.parquet"}
BY_DATE = {"kind": "parquet", "path": "s", "partitioned": True}
PEOPLE = {"kind": "csv", "path": "s.csv"}
MACHINES = {"kind": "csv", "path": "s.csv", "readers": "machines"}
WHOLE = [
    pytest.param(PARQUET, id="parquet"),
    pytest.param(PEOPLE, id="people"),
    pytest.param(MACHINES, id="machines"),
]
ALL = [*WHOLE, pytest.param(BY_DATE, id="by-date")]

SCORES = Table(
    name="scores",
    grain="one customer and as-of date",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        Column("as_of", pa.date32(), "the as-of date"),
        Column("note", pa.string(), "a note", null="none"),
        Column("p_churn", pa.float64(), "probability", null="inactive", decimals=6),
        Column("p_return", pa.float64(), "probability", null="active", decimals=6),
        Column("ltv", pa.float64(), "value", decimals=2),
        Column("ltv_low", pa.float64(), "value", decimals=2),
        Column("ltv_high", pa.float64(), "value", decimals=2),
        Column("tier", pa.int8(), "tier"),
        Column("is_active", pa.bool_(), "truth"),
        Column("due", pa.date32(), "next order", null="no purchase"),
        Column("churn_model_version", pa.string(), "the model", lineage=True),
        Column("ltv_model_version", pa.string(), "the model", lineage=True),
        Column("run_id", pa.string(), "the run", lineage=True),
        Column("scored_at", pa.timestamp("us", tz="UTC"), "when", lineage=True),
    ),
)
GOOD = {
    "note": "fine",
    "p_churn": 0.5,
    "p_return": None,
    "ltv": 10.0,
    "ltv_low": -1.5,
    "ltv_high": 20.0,
    "tier": 1,
    "is_active": True,
    "due": DAY,
    "churn_model_version": "3",
    "ltv_model_version": "4",
    "scored_at": NOW,
}


def rows(*changes: dict[str, object], as_of: date = DAY, run_id: str = "r1") -> pa.Table:
    """One row for each change to the good one; ids a, b, c ... where not given."""
    names = [{"customer_id": chr(ord("a") + n)} for n in range(len(changes))]
    same = GOOD | {"as_of": as_of, "run_id": run_id}
    found = [same | name | change for name, change in zip(names, changes, strict=True)]
    return pa.Table.from_pylist(found, schema=pa.schema([(c.name, c.type) for c in SCORES.columns]))


def settings_of(folder: Path, *targets: dict[str, object], **sections: object) -> Settings:
    return settings_from(SHOP | {"delivery": [*targets], **sections}, base=folder)


def deliver(
    folder: Path,
    target: dict[str, object],
    *changes: dict[str, object],
    as_of: date = DAY,
    run_id: str = "r1",
    through=deliver_file,
    beside: tuple[dict[str, object], ...] = (),
    **sections: object,
) -> Receipt:
    settings = settings_of(folder, target, *beside, **sections)
    return through(
        rows(*changes, as_of=as_of, run_id=run_id),
        settings.delivery[0],
        settings=settings,
        run=Run(
            run_id=run_id,
            as_of=as_of,
            model_versions={"churn": "3", "lifetime_value": "4"},
            now=lambda: NOW,
        ),
        contract=SCORES,
    )


def held_by(folder: Path, target: dict[str, object], as_of: date | None = None) -> pa.Table | None:
    settings = settings_of(folder, target)
    return held(settings.delivery[0], settings=settings, as_of=as_of, contract=SCORES)


def erased(folder: Path, target: dict[str, object], customer: str) -> dict[str, int]:
    settings = settings_of(folder, target)
    found = erase(customer, settings.delivery[0], settings=settings, contract=SCORES)
    return {place.removeprefix(f"{folder}/"): count for place, count in found.items()}


def file_of(folder: Path, target: dict[str, object], as_of: date = DAY) -> Path:
    path = folder / str(target["path"])
    return path / f"as_of={as_of}" / "part-0.parquet" if "partitioned" in target else path


def state(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / STATE)) as connection:
        return connection.execute(query).fetchall()


def listing(folder: Path) -> dict[str, bytes]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.name != STATE}


class TestAnyFile:
    @pytest.mark.parametrize("target", ALL)
    def test_holds_the_delivered_rows(self, tmp_path, target):
        receipt = deliver(
            tmp_path,
            target,
            {"customer_id": "b", "ltv": 1.006},
            {"customer_id": "a"},
            {"ltv": None},
        )
        found = held_by(tmp_path, target)
        assert found["customer_id"].to_pylist() == ["a", "b"]
        assert found["ltv"].to_pylist() == [10.0, 1.01]
        assert found["as_of"].to_pylist() == [DAY, DAY]
        assert found["scored_at"].to_pylist() == [NOW, NOW]
        assert found.column_names == [*SCORES.names]
        assert (receipt.rows, receipt.sent, receipt.rejected) == (3, 2, 1)
        assert (receipt.mode, receipt.status) == ("replace", "delivered")

    @pytest.mark.parametrize("target", ALL)
    def test_equal_rows_give_equal_bytes(self, tmp_path, target):
        (forth := tmp_path / "forth").mkdir()
        (back := tmp_path / "back").mkdir()
        deliver(forth, target, {}, {})
        deliver(back, target, {"customer_id": "b"}, {"customer_id": "a"})
        assert file_of(forth, target).read_bytes() == file_of(back, target).read_bytes()

    @pytest.mark.parametrize("target", ALL)
    def test_the_same_rows_again_leave_the_file_alone(self, tmp_path, target):
        deliver(tmp_path, target, {}, {"note": "=1+1", "p_churn": None, "customer_id": "007"})
        before = file_of(tmp_path, target).stat()
        receipt = deliver(
            tmp_path,
            target,
            {},
            {"note": "=1+1", "p_churn": None, "customer_id": "007"},
            run_id="r2",
        )
        after = file_of(tmp_path, target).stat()
        assert (receipt.sent, receipt.unchanged) == (0, 2)
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert state(tmp_path, "SELECT run_id, sent FROM portfolio_runs ORDER BY 1") == [
            ("r1", 2),
            ("r2", 0),
        ]

    @pytest.mark.parametrize("target", ALL)
    @pytest.mark.parametrize(
        "there",
        [b"", b"half a file", b'customer_id,as_of\r\n"a', b'"a"b,c\r\n', b"x" * 200_000, None],
    )
    def test_whatever_else_is_there_is_replaced(self, tmp_path, target, there):
        deliver(tmp_path, target, {"ltv": 0.0})
        if there is not None:
            file_of(tmp_path, target).write_bytes(there)
            assert held_by(tmp_path, target) is None
        assert deliver(tmp_path, target, {}).sent == 1
        assert held_by(tmp_path, target)["ltv"].to_pylist() == [10.0]

    @pytest.mark.parametrize("target", ALL)
    @pytest.mark.parametrize("part", ["header", "middle", "end"])
    def test_a_damaged_file_is_replaced(self, tmp_path, target, part):
        deliver(tmp_path, target, *[{}] * 20)
        file = file_of(tmp_path, target)
        whole = file.read_bytes()
        place = {"header": 0, "middle": 40, "end": len(whole) - 40}[part]
        file.write_bytes(whole[:place] + b"\xff" * 30 + whole[place + 30 :])
        deliver(tmp_path, target, *[{}] * 20)
        assert file.read_bytes() == whole

    @pytest.mark.parametrize("target", ALL)
    def test_no_rows_make_an_empty_file(self, tmp_path, target):
        for sent in (0, 0):
            assert deliver(tmp_path, target).sent == sent
        assert held_by(tmp_path, target).num_rows == 0
        assert deliveries_in_files(tmp_path / target["path"]) == ()

    @pytest.mark.parametrize("target", ALL)
    def test_a_file_of_other_columns_is_replaced(self, tmp_path, target):
        deliver(tmp_path, target, {})
        settings = settings_of(tmp_path, target)
        narrow = replace(SCORES, columns=tuple(c for c in SCORES.columns if c.name != "note"))
        receipt = deliver_file(
            rows({}).drop_columns("note"),
            settings.delivery[0],
            settings=settings,
            run=Run(run_id="r2", as_of=DAY, model_versions={}, now=lambda: NOW),
            contract=narrow,
        )
        assert receipt.sent == 1
        assert "note" not in held_by(tmp_path, target).column_names

    @pytest.mark.parametrize("target", ALL)
    def test_a_failed_write_leaves_the_old_file_and_no_receipt(self, tmp_path, target, monkeypatch):
        deliver(tmp_path, target, {"ltv": 0.0})
        before = listing(tmp_path)

        def full(handle):
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ServiceUnavailableError, match=r"No space left.*has space"):
            deliver(tmp_path, target, {}, run_id="r2")
        monkeypatch.undo()
        assert listing(tmp_path) == before
        assert state(tmp_path, "SELECT run_id FROM portfolio_runs") == [("r1",)]

    @pytest.mark.parametrize("target", ALL)
    @pytest.mark.parametrize("through", [deliver_file, rehearse_file])
    def test_a_missing_folder_is_unavailable(self, tmp_path, target, through):
        lost = target | {"path": f"no/{target['path']}"}
        with pytest.raises(ServiceUnavailableError, match=r"No such file.*folder exists"):
            deliver(tmp_path, lost, {}, through=through)
        assert not listing(tmp_path)

    @pytest.mark.parametrize("target", ALL)
    def test_a_rehearsal_tells_of_a_folder_that_may_not_be_written(
        self, tmp_path, target, monkeypatch
    ):
        monkeypatch.setattr(os, "access", lambda *_, **__: False)  # root may write everywhere
        with pytest.raises(ServiceUnavailableError, match="Permission denied"):
            deliver(tmp_path, target, {}, through=rehearse_file)
        assert not listing(tmp_path)

    @pytest.mark.parametrize("target", WHOLE)
    @pytest.mark.parametrize("through", [deliver_file, rehearse_file])
    def test_a_folder_in_its_place_is_unavailable(self, tmp_path, target, through):
        (tmp_path / target["path"]).mkdir()
        with pytest.raises(ServiceUnavailableError, match="Is a directory"):
            deliver(tmp_path, target, {}, through=through)
        assert not listing(tmp_path)

    @pytest.mark.parametrize("through", [deliver_file, rehearse_file])
    def test_a_file_in_the_place_of_a_folder_is_unavailable(self, tmp_path, through):
        (tmp_path / "s").write_bytes(b"mine")
        with pytest.raises(ServiceUnavailableError, match=r"exists|Not a directory"):
            deliver(tmp_path, BY_DATE, {}, through=through)
        assert listing(tmp_path) == {"s": b"mine"}

    @pytest.mark.parametrize("target", ALL)
    def test_the_file_has_the_permissions_that_the_user_gives_new_files(self, tmp_path, target):
        deliver(tmp_path, target, {})
        (plain := tmp_path / "plain").touch()
        assert file_of(tmp_path, target).stat().st_mode == plain.stat().st_mode

    @pytest.mark.parametrize("target", ALL)
    def test_what_a_killed_delivery_left_is_removed_by_the_next(self, tmp_path, target):
        deliver(tmp_path, target, {})
        file = file_of(tmp_path, target)
        left = file.with_name(f".{file.name}.{LEFTOVER}.part")
        others = file.with_name(f".other.{LEFTOVER}.part")
        for path in (left, others):
            path.write_bytes(b"half")
        deliver(tmp_path, target, {})
        assert (left.exists(), others.exists()) == (False, True)


class TestOrder:
    @pytest.mark.parametrize("target", WHOLE)
    def test_an_older_run_goes_into_the_history_alone(self, tmp_path, target):
        deliver(tmp_path, target, {"p_churn": 0.25}, as_of=NEW)
        before = (tmp_path / target["path"]).read_bytes()
        late = deliver(tmp_path, target, {}, {}, as_of=OLD, run_id="late")
        assert (tmp_path / target["path"]).read_bytes() == before
        assert (late.status, late.sent, late.unchanged) == ("history_only", 2, 0)
        path = tmp_path / target["path"]
        assert [d.as_of for d in deliveries_in_files(path)] == [OLD, NEW]
        assert pa.Table.from_batches(scores_in_files(path, OLD))["p_churn"].to_pylist() == [
            0.5,
            0.5,
        ]
        again = deliver(tmp_path, target, {}, {}, as_of=OLD, run_id="again")
        assert (again.status, again.sent, again.unchanged) == ("history_only", 0, 2)

    @pytest.mark.parametrize("target", WHOLE)
    def test_the_same_date_and_a_newer_one_replace_the_file(self, tmp_path, target):
        for as_of, value in ((DAY, 1.0), (DAY, 2.0), (NEW, 2.0)):
            receipt = deliver(tmp_path, target, {"ltv": value}, as_of=as_of)
            assert (receipt.status, receipt.sent) == ("delivered", 1)
        assert held_by(tmp_path, target)["as_of"].to_pylist() == [NEW]

    @pytest.mark.parametrize("target", WHOLE)
    def test_where_somebody_removed_the_file_an_older_run_writes_it(self, tmp_path, target):
        deliver(tmp_path, target, {}, as_of=NEW)
        (tmp_path / target["path"]).unlink()
        assert deliver(tmp_path, target, {}, as_of=DAY).status == "delivered"
        assert held_by(tmp_path, target)["as_of"].to_pylist() == [DAY]

    @pytest.mark.parametrize("target", WHOLE)
    def test_where_somebody_spoilt_the_file_the_receipts_tell_how_far_it_had_come(
        self, tmp_path, target
    ):
        deliver(tmp_path, target, {}, as_of=DAY)
        spoilt = b"customer_id;as_of\r\na;01.03.2024\r\n"
        (tmp_path / target["path"]).write_bytes(spoilt)
        assert deliver(tmp_path, target, {}, as_of=OLD).status == "history_only"
        assert (tmp_path / target["path"]).read_bytes() == spoilt
        assert deliver(tmp_path, target, {}, as_of=DAY).status == "delivered"
        assert held_by(tmp_path, target)["as_of"].to_pylist() == [DAY]

    def test_where_its_dates_are_texts_the_receipts_tell_too(self, tmp_path):
        deliver(tmp_path, PARQUET, {}, as_of=DAY)
        file = tmp_path / PARQUET["path"]
        rows = pq.read_table(file)
        place = rows.column_names.index("as_of")
        pq.write_table(rows.set_column(place, "as_of", rows["as_of"].cast(pa.string())), file)
        assert deliver(tmp_path, PARQUET, {}, as_of=OLD).status == "history_only"
        assert deliver(tmp_path, PARQUET, {}, as_of=DAY).sent == 1
        assert held_by(tmp_path, PARQUET)["as_of"].to_pylist() == [DAY]

    @pytest.mark.parametrize("target", WHOLE)
    def test_the_file_counts_where_the_state_database_is_new(self, tmp_path, target):
        deliver(tmp_path, target, {}, as_of=NEW)
        (tmp_path / STATE).unlink()
        assert deliver(tmp_path, target, {}, as_of=DAY).status == "history_only"

    @pytest.mark.parametrize("target", [PEOPLE, MACHINES])
    def test_one_edited_cell_is_put_right_by_the_same_run(self, tmp_path, target):
        deliver(tmp_path, target, {}, {"note": "b"})
        whole = (tmp_path / "s.csv").read_bytes()
        (tmp_path / "s.csv").write_bytes(whole.replace(b'"fine"', b'"oops"'))
        assert deliver(tmp_path, target, {}, {"note": "b"}).sent == 2
        assert (tmp_path / "s.csv").read_bytes() == whole

    def test_beside_a_sql_table_no_history_is_kept(self, tmp_path):
        beside = ({"kind": "sql", "url": "sqlite:///crm.db"},)
        deliver(tmp_path, PARQUET, {}, as_of=NEW, beside=beside)
        late = deliver(tmp_path, PARQUET, {}, as_of=DAY, beside=beside)
        assert (late.status, late.sent, late.unchanged) == ("history_only", 0, 1)
        assert [*listing(tmp_path)] == ["s.parquet"]


class TestByDate:
    def test_every_date_has_its_own_file_in_any_order(self, tmp_path):
        for as_of in (NEW, OLD, DAY):
            receipt = deliver(tmp_path, BY_DATE, {}, {}, as_of=as_of)
            assert (receipt.status, receipt.sent) == ("delivered", 2)
        assert [*listing(tmp_path)] == [f"s/as_of={day}/part-0.parquet" for day in (OLD, DAY, NEW)]
        assert held_by(tmp_path, BY_DATE)["as_of"].to_pylist() == [NEW, NEW]
        assert held_by(tmp_path, BY_DATE, OLD)["as_of"].to_pylist() == [OLD, OLD]
        assert held_by(tmp_path, BY_DATE, date(2024, 1, 1)) is None

    def test_folders_and_files_that_name_no_date_are_left_alone(self, tmp_path):
        deliver(tmp_path, BY_DATE, {})
        for name in ("as_of=2024-13-45", "as_of=__HIVE_DEFAULT_PARTITION__", "as_of=20240301", "x"):
            (tmp_path / "s" / name).mkdir()
            (tmp_path / "s" / name / "part-0.parquet").write_bytes(b"no Parquet")
        deliver(tmp_path, PARQUET, {})
        (tmp_path / "s.history/latest-one.parquet").write_bytes(b"no Parquet")
        for path in (tmp_path / "s", tmp_path / "s.parquet"):
            assert [delivered.as_of for delivered in deliveries_in_files(path)] == [DAY]
        assert set(erased(tmp_path, BY_DATE, "z").values()) == {0}

    def test_the_dates_are_the_history(self, tmp_path):
        for as_of in (NEW, OLD):
            deliver(tmp_path, BY_DATE, {"p_churn": 0.25}, as_of=as_of)
        found = deliveries_in_files(tmp_path / "s")
        assert [(d.as_of, d.versions["churn"]) for d in found] == [(OLD, "3"), (NEW, "3")]
        assert pa.Table.from_batches(scores_in_files(tmp_path / "s", OLD))[
            "p_churn"
        ].to_pylist() == [0.25]

    @pytest.fixture
    def folder(self, tmp_path):
        """Two dates, and what a killed delivery of a third leaves behind."""
        for as_of in (OLD, DAY):
            deliver(tmp_path, BY_DATE, {}, {"p_churn": None}, as_of=as_of)
        half = tmp_path / f"s/as_of={NEW}/.part-0.parquet.{LEFTOVER}.part"
        half.parent.mkdir()
        half.write_bytes(b"PAR1 half a file")
        return tmp_path / "s"

    def test_duckdb_reads_it_with_the_date_as_a_date(self, folder):
        with duckdb.connect() as opened:
            found = opened.sql(
                f"SELECT as_of, count(*), sum(ltv) FROM read_parquet('{folder}/*/*.parquet',"
                " hive_partitioning = true) GROUP BY as_of ORDER BY as_of"
            ).fetchall()
        assert found == [(OLD, 2, 20.0), (DAY, 2, 20.0)]

    def test_pyarrow_reads_it(self, folder):
        found = ds.dataset(folder, partitioning="hive").to_table()
        assert found.num_rows == 4
        assert set(found["as_of"].to_pylist()) == {str(OLD), str(DAY)}
        dated = ds.partitioning(pa.schema([("as_of", pa.date32())]), flavor="hive")
        found = ds.dataset(folder, partitioning=dated).to_table(filter=ds.field("as_of") == DAY)
        assert found["as_of"].to_pylist() == [DAY, DAY]

    def test_pandas_reads_it(self, folder):
        found = pd.read_parquet(folder)
        assert len(found) == 4
        assert sorted(set(found["as_of"])) == [str(OLD), str(DAY)]

    def test_polars_reads_it_with_the_date_as_a_date(self, folder):
        found = pl.read_parquet(f"{folder}/*/*.parquet", hive_partitioning=True)
        assert sorted(set(found["as_of"])) == [OLD, DAY]


class TestState:
    @pytest.mark.parametrize("target", ALL)
    def test_receipts_and_rejected_rows_are_kept_there(self, tmp_path, target):
        deliver(tmp_path, target, {}, {"tier": None})
        runs = "SELECT table_name, target, as_of, mode, status, rows, rejected FROM portfolio_runs"
        path = str(tmp_path / target["path"])
        assert state(tmp_path, runs) == [
            (target["path"], path, "2024-03-01", "replace", "delivered", 2, 1)
        ]
        rejects = "SELECT table_name, customer_id, reason FROM portfolio_rejects"
        assert state(tmp_path, rejects) == [(target["path"], "b", "no tier")]
        deliver(tmp_path, target, {})
        assert state(tmp_path, rejects) == []
        assert len(state(tmp_path, runs)) == 1

    def test_files_of_the_same_name_are_told_apart(self, tmp_path):
        (tmp_path / "out").mkdir()
        other = {"kind": "csv", "path": "out/s.csv"}
        deliver(tmp_path, PEOPLE, {}, beside=(other,))
        deliver(tmp_path, other, {}, beside=(PEOPLE,))
        names = state(tmp_path, "SELECT table_name FROM portfolio_runs ORDER BY 1")
        assert names == [("out/s.csv",), ("s.csv",)]

    @pytest.mark.parametrize("target", ALL)
    def test_locked_it_is_for_later_and_nothing_is_written(self, tmp_path, target):
        short = {"state": {"url": f"sqlite:///{STATE}?timeout=0.1"}}
        deliver(tmp_path, target, {}, **short)
        before = listing(tmp_path)
        with closing(sqlite3.connect(tmp_path / STATE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(TryAgainLaterError, match=r"locked.*portfolio_state.db, state\.url"):
                deliver(tmp_path, target, {"ltv": 1.0}, as_of=NEW, **short)
        assert listing(tmp_path) == before
        assert deliver(tmp_path, target, {"ltv": 1.0}, as_of=NEW, **short).sent == 1

    @pytest.mark.parametrize("target", ALL)
    def test_without_its_folder_it_is_unavailable_and_nothing_is_written(self, tmp_path, target):
        lost = {"state": {"url": "sqlite:///no/state.db"}}
        with pytest.raises(ServiceUnavailableError, match=r"cannot be opened.*state\.url"):
            deliver(tmp_path, target, {}, **lost)
        assert not listing(tmp_path)

    @pytest.mark.parametrize("target", ALL)
    def test_that_is_no_database_is_a_config_error_and_nothing_is_written(self, tmp_path, target):
        (tmp_path / "notes.txt").write_text("no database, " * 100)
        with pytest.raises(ConfigError, match=r"no SQLite database.*state\.url"):
            deliver(tmp_path, target, {}, state={"url": "sqlite:///notes.txt"})
        assert [*listing(tmp_path)] == ["notes.txt"]

    def test_missing_it_is_made(self, tmp_path):
        deliver(tmp_path, PEOPLE, {})
        (tmp_path / STATE).unlink()
        deliver(tmp_path, PEOPLE, {}, run_id="r2")
        assert state(tmp_path, "SELECT run_id, unchanged FROM portfolio_runs") == [("r2", 1)]


class TestRehearsal:
    @pytest.mark.parametrize("target", ALL)
    def test_gives_the_receipt_of_the_delivery_and_writes_nothing(self, tmp_path, target):
        steps = [(DAY, ({}, {"tier": None})), (NEW, ({},)), (NEW, ({},)), (OLD, ({},))]
        for number, (as_of, changes) in enumerate(steps):
            before = listing(tmp_path)
            kept = state(tmp_path, "SELECT * FROM portfolio_runs") if number else None
            order = {"as_of": as_of, "run_id": f"r{number}"}
            rehearsed = deliver(tmp_path, target, *changes, **order, through=rehearse_file)
            assert listing(tmp_path) == before
            assert (tmp_path / STATE).exists() == bool(number)
            if number:
                assert state(tmp_path, "SELECT * FROM portfolio_runs") == kept
            delivered = deliver(tmp_path, target, *changes, **order)
            # The clock stands still here, and a receipt is never as late as the one before.
            assert rehearsed == replace(delivered, finished_at=rehearsed.finished_at)


class TestErasure:
    @pytest.mark.parametrize("target", ALL)
    def test_removes_the_customer_from_everywhere_and_nobody_else(self, tmp_path, target):
        whom = {"customer_id": "=007", "note": 'Zoë "Z"\r\n'}
        for as_of in (OLD, DAY, NEW):
            deliver(tmp_path, target, whom, {}, {"customer_id": "d", "note": ""}, as_of=as_of)
        deliver(tmp_path, target, whom | {"tier": None}, {}, as_of=OLD, run_id="bad")
        removed = erased(tmp_path, target, "=007")
        by_date = "partitioned" in target
        assert removed == {
            target["path"]: 2 if by_date else 1,
            **({} if by_date else {"s.history": 2}),
            "portfolio_rejects": 1,
        }
        held_now = held_by(tmp_path, target)
        assert held_now["customer_id"].to_pylist() == ["b", "d"]
        assert held_now["note"].to_pylist() == ["fine", ""]
        assert not any(b"007" in content for content in listing(tmp_path).values())
        assert state(tmp_path, "SELECT * FROM portfolio_rejects") == []
        assert len(kept_files(tmp_path / target["path"])) == 3

    @pytest.mark.parametrize("target", ALL)
    def test_again_changes_nothing(self, tmp_path, target):
        deliver(tmp_path, target, {}, {})
        erased(tmp_path, target, "a")
        before = listing(tmp_path)
        inode = file_of(tmp_path, target).stat().st_ino
        assert set(erased(tmp_path, target, "a").values()) == {0}
        assert listing(tmp_path) == before
        assert file_of(tmp_path, target).stat().st_ino == inode

    @pytest.mark.parametrize("target", ALL)
    def test_leaves_what_a_delivery_without_the_customer_would_leave(self, tmp_path, target):
        (never := tmp_path / "never").mkdir()
        (once := tmp_path / "once").mkdir()
        deliver(never, target, {"customer_id": "b"}, {"customer_id": "c"})
        deliver(once, target, {"customer_id": "b"}, {"customer_id": "c"}, {"customer_id": "d"})
        erased(once, target, "d")
        assert listing(once) == listing(never)

    @pytest.mark.parametrize("target", ALL)
    def test_before_the_first_delivery_there_is_nobody(self, tmp_path, target):
        assert set(erased(tmp_path, target, "a").values()) == {0}
        assert not listing(tmp_path)

    @pytest.mark.parametrize("target", ALL)
    def test_a_file_that_cannot_be_read_is_told(self, tmp_path, target):
        deliver(tmp_path, target, {})
        file_of(tmp_path, target).write_bytes(b"customer;note\r\na;x\r\n")
        with pytest.raises(DataError, match=r"may still be in it.*deliver|Deliver"):
            erased(tmp_path, target, "a")

    @pytest.mark.parametrize("target", ALL)
    def test_unfinished_files_go_too(self, tmp_path, target):
        deliver(tmp_path, target, {})
        file = file_of(tmp_path, target)
        left = [file.with_name(f".{file.name}.{LEFTOVER}.part")]
        if "partitioned" not in target:
            left.append(tmp_path / f"s.history/.{DAY}.parquet.{LEFTOVER}.part")
        for path in left:
            path.write_bytes(b"customer b")
        erased(tmp_path, target, "b")
        assert not any(path.exists() for path in left)

    @pytest.mark.parametrize("target", [PEOPLE, MACHINES])
    def test_keeps_columns_of_another_version(self, tmp_path, target):
        deliver(tmp_path, target, {}, {})
        file = tmp_path / "s.csv"
        lines = file.read_bytes().decode("utf-8-sig").splitlines()
        wider = [lines[0] + ",extra", *(line + ',"0042"' for line in lines[1:])]
        file.write_bytes("\r\n".join([*wider, ""]).encode())
        assert erased(tmp_path, target, "a")["s.csv"] == 1
        [_, left] = file.read_text("utf-8-sig").splitlines()
        assert left.endswith('0042"')


def test_only_unfinished_files_of_the_name_are_removed(tmp_path):
    mine = tmp_path / f".s[1].csv.{LEFTOVER}.part"
    others = [
        tmp_path / name
        for name in (
            f".s1.csv.{LEFTOVER}.part",
            ".s[1].csv.part",
            "s[1].csv",
            f"s[1].csv.{LEFTOVER}",
        )
    ]
    for path in (mine, *others):
        path.touch()
    remove_unfinished(tmp_path, "s[1].csv")
    assert sorted(tmp_path.iterdir()) == sorted(others)
    remove_unfinished(tmp_path / "missing")
