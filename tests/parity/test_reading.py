"""DuckDB and a real local Spark keep and refuse the same rows, and Spark brings none home."""

import os
import signal
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml.config import settings_from
from portfolio_ml.engine import Frame, pieces, spark, spark_files
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.tables import Tables, load_all

pytestmark = [pytest.mark.parity, pytest.mark.xdist_group("spark")]

TODAY = date(2024, 6, 30)
SALES = {
    "2023/b.csv": (
        "Kunde;Datum;Betrag;Währung;Bon;Menge;Kosten;Gebucht\n"
        "0042;31.12.2023 23:59;1.234,50;eur;B-1;1;3,5;02.01.2024\n"
        " 0042 ;31.12.2023;(9,99);EUR;;-1;;\n"
        "Łuk;01.02.2023;€ 5;usd;B-2;2,5;-1;\n".replace("Łuk", "Žan")
        + '"O\'Brien; ""x""\nin zwei Zeilen";03.03.2023;7;EUR;B-3;;;\n'
        "zu;wenig\n"
        "zu;01.01.2023;viel;EUR;B;1;1;;mehr\n"
        '"offen;01.01.2023;1;EUR;B;1;1;\n'
        ";01.01.2023;1;EUR;B;1;1;\n"
        "neu;31.02.2023;1;EUR;B;1;1;\n"
        "neu;01.01.1899;1;EUR;B;1;1;\n"
        "neu;01.01.2030;1;EUR;B;1;1;\n"
        "neu;;1;EUR;B;1;1;\n"
    ).encode("windows-1252"),
    "2024/a.csv": (
        "Betrag;Kunde;Datum;Währung;Bon;Menge;Kosten;Gebucht\r\n"
        "12;neu;05.05.2024 08:00;EUR;B-4;1;1;\r\n"
        "12;neu;05.05.2024 08:00;EUR;B-4;1;1;\r\n"
        "viel;neu;05.05.2024;EUR;B-4;1;1;\r\n"
        ";neu;05.05.2024;EUR;B-4;1;1;\r\n"
        "1e300;neu;05.05.2024;EUR;B-4;1;1;\r\n"
        "3;neu;05.05.2024;;B-4;1;1;\r\n"
        "3;alt;05.05.2024;GBP;B-4;1;1;\r\n"
        "4;alt;04.05.2024;EUR;B-5;nan;inf;\r\n"
    ).encode("windows-1252"),
    "2024/empty.csv": (
        "Betrag;Kunde;Datum;Währung;Bon;Menge;Kosten;Gebucht\n".encode("windows-1252")
    ),
}
"""An export as offices write them: every rule is broken, and some lines are none."""

CONFIG = {
    "transactions": {
        "source": "sales",
        "columns": {
            "customer_id": "Kunde",
            "timestamp": "Datum",
            "amount": "Betrag",
            "currency": "Währung",
            "order_id": "Bon",
            "quantity": "Menge",
            "cost": "Kosten",
            "recorded_at": "Gebucht",
            "category": "year",
        },
        "format": {
            "encoding": "windows-1252",
            "decimal": ",",
            "thousands": ".",
            "date_format": "%d.%m.%Y",
        },
    },
    "rates": {"EUR": 1.0, "USD": 0.92},
}
BESIDE = {
    "customer_merges": "old_id,new_id,merged_at\nalt,mid,2024-01-01\nmid,neu,2024-02-01\n"
    "alt,0042,2024-03-01\nx,x,2024-01-01\n,neu,2024-01-01\nlater,neu,2024-06-30\n",
    "customers": "customer_id,valid_from,region,income\nneu,,north,30000\nneu,2024-01-01,south,x\n"
    "neu,,east,1\nalt,2023-05-01,west,inf\n0042,soon,west,1\n0042,2024-05-05,ost,\n,,n,1\n",
    "opportunities": "opportunity_id,representative_id,outcome,opened_at,closed_at,amount\n"
    "1,ann,won,2024-01-01,2024-02-01,100\n1,bob,lost,2024-01-01,2024-02-01,100\n"
    "2,ann,lost,2024-03-01,2024-02-01,1\n3,ann,,2024-03-01,,x\n,ann,won,2024-01-01,,1\n",
}


@pytest.fixture
def engines(duckdb, local_spark):
    return duckdb, local_spark


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, duckdb, local_spark) -> tuple[Tables, Tables]:
    """Tables in which every rule is broken, as both engines load them; Spark loses a worker."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, text in SALES.items():
        file = folder / "sales" / f"year={name}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
    beside = {}
    for name, text in BESIDE.items():
        (folder / f"{name}.csv").write_text(text)
        beside[name] = {"source": str(folder / f"{name}.csv")}
    data = {**CONFIG, **beside}
    data["transactions"] |= {"source": str(folder / "sales" / "**" / "*.csv")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "BYTES", 1)  # each file is a piece
        expected = load(data, duckdb)
        patch.setattr(spark_files, "rows_of", killed_once(folder / "killed"))
        found = load(data, local_spark)
    assert (folder / "killed").exists()
    return expected, found


def killed_once(marker: Path) -> Any:
    """Reads pieces, and kills the first worker that has given rows of one."""
    read = spark_files.rows_of

    def dying(batches: Any, **given: Any) -> Any:  # in here, so that it goes to workers as it is
        for rows in read(batches, **given):
            yield rows
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)

    return dying


def load(data: Mapping[str, Any], engine: Any, **more: Any) -> Tables:
    shop = {"name": "shop", "timezone": "Europe/Berlin", "currency": "EUR"}
    settings = settings_from(shop | {"data": {"max_quarantined_share": 0.9, **data}})
    return load_all(settings, engine, today=TODAY, say=lambda _: None, **more)


def rows_of(engine: Any, frame: Frame) -> list[dict[str, Any]]:
    rows = engine.collect(frame).to_pylist()
    return sorted(rows, key=lambda row: [(v is None, str(v)) for v in row.values()])


def assert_same(engines: Any, expected: Tables, found: Tables) -> None:
    duckdb, local_spark = engines
    assert found.quarantine.to_pylist() == expected.quarantine.to_pylist()
    ours, theirs = expected.history, found.history
    assert theirs.days == ours.days
    assert (theirs.columns, theirs.currency, theirs.digest) == (
        ours.columns,
        ours.currency,
        ours.digest,
    )
    assert rows_of(local_spark, theirs.customers) == rows_of(duckdb, ours.customers)
    assert rows_of(local_spark, theirs.lines) == rows_of(duckdb, ours.lines)


def test_the_same_rows_are_kept_and_refused_though_a_worker_is_killed(engines, hostile):
    expected, found = hostile
    assert_same(engines, expected, found)
    assert {*found.quarantine["rule"].to_pylist()} > {"line_unreadable", "currency_unknown"}
    for name, table in expected.others.items():
        assert found.others[name].kept == table.kept, name


@pytest.mark.parametrize("name", BESIDE)
def test_the_tables_beside_the_transactions_are_the_same(engines, hostile, name):
    ours, theirs = (tables.others[name] for tables in hostile)
    assert rows_of(engines[1], theirs.frame) == rows_of(engines[0], ours.frame)
    if name == "opportunities":
        assert (theirs.outcomes, theirs.undecided) == (ours.outcomes, ours.undecided)


def test_read_is_kept_and_quarantined_on_both(hostile):
    lines = sum(text.decode("windows-1252").count("\n") for text in SALES.values())
    within_quotes, headers = 1, len(SALES)
    for tables in hostile:
        assert tables.history.kept + tables.history.quarantined == lines - within_quotes - headers


def odd_types() -> pa.Table:
    """Rows whose columns have the types that tools write."""
    moments = [datetime(2024, 1, n, 23, 30, tzinfo=UTC) for n in (1, 2, 3, 4)]
    return pa.table(
        {
            "customer_id": pa.array(["b", "a", None, "b"]).dictionary_encode(),
            "timestamp": pa.array(moments, pa.timestamp("ns", "Asia/Tokyo")),
            "amount": pa.array(
                [Decimal("1.25"), Decimal(-2), Decimal(3), None], pa.decimal128(9, 3)
            ),
            "order_id": pa.array([2**64 - 1, 1, 2, None], pa.uint64()),
            "product_id": pa.array([1.0, 2.5, float("nan"), None]),
            "category": pa.array([b"x", b"\xff", None, b""]),
            "channel": pa.array([True, False, None, True]),
            "quantity": pa.array([1, 2, 3, 4], pa.int8()),
            "recorded_at": pa.array([date(2024, 2, n) for n in (1, 2, 3, 4)]),
        }
    )


def test_parquet_files_of_odd_and_differing_types_are_read_alike(engines, tmp_path, monkeypatch):
    table = odd_types()
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1)
    place = table.column_names.index("quantity")
    fractions = table.set_column(place, "quantity", pa.array([0.5, 1.0, float("inf"), None]))
    pq.write_table(fractions, tmp_path / "b.parquet")
    monkeypatch.setattr(pieces, "BYTES", 1)
    data = {"transactions": {"source": str(tmp_path)}}
    expected, found = (load(data, engine) for engine in engines)
    assert_same(engines, expected, found)
    assert found.history.quarantined == 4


@pytest.mark.parametrize(("name", "values"), [("amount", [True, None]), ("channel", [[1, 2], []])])
def test_a_column_that_can_hold_no_such_values_is_refused_on_both(engines, tmp_path, name, values):
    rows = {"customer_id": ["a", "b"], "timestamp": [date(2024, 1, 1)] * 2, "amount": [1.0, 2.0]}
    pq.write_table(pa.table(rows | {name: values}), tmp_path / "a.parquet")
    told = []
    for engine in engines:
        with pytest.raises(DataError, match="can hold no") as raised:
            load({"transactions": {"source": str(tmp_path)}}, engine)
        told.append(str(raised.value))
    assert told[0] == told[1]


def test_whole_ids_are_alike_where_only_some_files_have_them_as_numbers(engines, tmp_path):
    rows = {"timestamp": [date(2024, 1, 1)] * 2, "amount": [1.0, 2.0]}
    for name, ids in {"a": [7.0, None], "b": ["7", "x"]}.items():
        pq.write_table(pa.table({"customer_id": ids, **rows}), tmp_path / f"{name}.parquet")
    data = {"transactions": {"source": str(tmp_path)}}
    expected, found = (load(data, engine) for engine in engines)
    assert_same(engines, expected, found)
    assert found.history.kept == 3


def test_a_table_in_memory_is_read_alike(engines):
    data = {"transactions": {"source": "in memory"}}
    expected, found = (load(data, engine, table=odd_types()) for engine in engines)
    assert_same(engines, expected, found)


def test_what_a_worker_cannot_read_is_told_as_without_spark(engines, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"customer_id,timestamp,amount\nM\xfcller,2024-01-01,5\n")
    told = []
    for engine in engines:
        with pytest.raises(DataError) as raised:
            load({"transactions": {"source": str(tmp_path / "a.csv")}}, engine)
        told.append(str(raised.value))
    assert told[0] == told[1]
    assert "windows-1252" in told[0]


def test_a_file_that_workers_do_not_see_is_named(local_spark, tmp_path):
    (tmp_path / "a.csv").write_text("customer_id\na\n")
    frame = local_spark.scan([tmp_path / "a.csv"])
    (tmp_path / "a.csv").unlink()
    with pytest.raises(ConfigError, match=r"workers do not see .*a\.csv"):
        local_spark.collect(frame)


def shop_of(folder: Path, customers: int) -> dict[str, Any]:
    """A shop whose customers buy thrice within 60 days; a few lines cannot be read."""
    count = 3 * customers
    day = pa.array([date(2024, 1 + n % 2, 1 + n % 28) for n in range(count)])
    lines = {
        "customer_id": [f"c{n % customers:05}" for n in range(count)],
        "timestamp": day,
        "amount": [None if n % 1_000 == 0 else float(n % 50) for n in range(count)],
        "order_id": [f"o{n}" for n in range(count)],
    }
    ids = [f"c{n:05}" for n in range(customers)]
    pq.write_table(pa.table(lines), folder / "lines.parquet", row_group_size=1_000)
    pq.write_table(pa.table({"customer_id": ids, "region": ids}), folder / "customers.parquet")
    return {
        "transactions": {"source": str(folder / "lines.parquet")},
        "customers": {"source": str(folder / "customers.parquet"), "static": ["region"]},
    }


def test_no_table_of_rows_comes_to_the_driver(local_spark, tmp_path, monkeypatch):
    customers, home = 3_000, []
    collect, batches = spark.SparkEngine.collect, spark.SparkEngine.batches

    def collected(self: Any, frame: Frame) -> pa.Table:
        rows = collect(self, frame)
        home.append(rows.num_rows)
        return rows

    def streamed(self: Any, frame: Frame) -> Any:
        for batch in batches(self, frame):
            home.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pieces, "BYTES", 1)
    monkeypatch.setattr(spark.SparkEngine, "collect", collected)
    monkeypatch.setattr(spark.SparkEngine, "batches", streamed)
    tables = load(shop_of(tmp_path, customers), local_spark)
    inputs = inputs_of(tables.history, local_spark, customers=tables.customers)
    assert inputs.count() == customers
    spent = inputs.days.select(nw.col("spend").sum())
    assert local_spark.collect(spent)["spend"][0].as_py() > 0
    assert tables.history.quarantined == 9
    assert 0 < sum(home) < customers / 10
