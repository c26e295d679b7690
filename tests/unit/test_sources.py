"""Every way in which transactions are kept gives the same history."""

import sqlite3
from datetime import date, datetime

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml import pipeline, transactions
from portfolio_ml.config import settings_from
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.timeline import to_day

from .test_databases import server  # noqa: F401 - a fixture
from .test_transactions import HEADER, TODAY, lines, refused

pytestmark = pytest.mark.unit

BY_DAY = {"customer_id": "customer_id", "timestamp": "day", "amount": "amount"}
KINDS = {
    "arrow": lambda table: table,
    "record batch reader": lambda table: pa.Table.from_batches(table.to_batches()),
    "pandas": lambda table: table.to_pandas(),
    "pandas with an index": lambda table: table.to_pandas().set_index("amount", drop=False),
    "pandas of categories": lambda table: table.to_pandas().astype({"customer_id": "category"}),
    "polars": pl.from_arrow,
    "polars, lazy": lambda table: pl.from_arrow(table).lazy(),
}
ROWS = [("7", "2024-03-01", 10.0), ("b", "2024-03-02", -2.5), ("b", "2024-03-05", 0.1)]


@pytest.fixture
def load(engine, tmp_path):
    """Loads transactions from the test's folder, or from a table."""

    def load(source="sales", *, given=None, delivery=(), share=1.0, **how):
        data = {"transactions": {"source": source, **how}, "max_quarantined_share": share}
        values = {"name": "shop", "data": data, "delivery": list(delivery)}
        settings = settings_from(values, base=tmp_path)
        return transactions.load(settings, engine, today=TODAY, table=given)

    return load


def expected(rows=ROWS) -> list[tuple]:
    found = [(c, to_day(date.fromisoformat(d)), round(a * 10_000)) for c, d, a in rows]
    return sorted(found, key=lambda line: (line[1], line[0], line[2]))


def write_csv(path, *rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *(",".join(map(str, r)) for r in rows), ""]))


def arrow(rows=ROWS) -> pa.Table:
    customers, days, amounts = zip(*rows, strict=True)
    moments = pa.array([datetime.fromisoformat(d) for d in days], pa.timestamp("us"))
    return pa.table({"customer_id": customers, "timestamp": moments, "amount": amounts})


class TestAFolder:
    def test_gives_all_its_csv_files_at_any_depth(self, load, engine, tmp_path):
        write_csv(tmp_path / "sales/b.csv", ROWS[0])
        write_csv(tmp_path / "sales/2024/03/a.CSV", *ROWS[1:])
        assert lines(load(), engine) == expected()

    def test_gives_all_its_parquet_files_at_any_depth(self, load, engine, tmp_path):
        (tmp_path / "sales/deep").mkdir(parents=True)
        pq.write_table(arrow(ROWS[:1]), tmp_path / "sales/a.parquet")
        pq.write_table(arrow(ROWS[1:]), tmp_path / "sales/deep/a.parquet")
        assert lines(load(), engine) == expected()

    @pytest.mark.parametrize(
        "other", ["notes.txt", ".hidden.csv", "_temporary/0.csv", "_SUCCESS", ".git/x.parquet"]
    )
    def test_may_hold_what_is_no_data(self, load, tmp_path, other):
        write_csv(tmp_path / "sales/a.csv", *ROWS)
        write_csv(tmp_path / "sales" / other, ("x", "y", "z"))
        assert load().kept == 3

    def test_may_be_the_configs_own_with_what_runs_write_into_it(self, load, tmp_path):
        pq.write_table(arrow(), tmp_path / "sales.parquet")
        for written in ("quarantine.parquet", "scores.parquet"):
            pq.write_table(pa.table({"x": [1]}), tmp_path / written)
        delivery = [{"kind": "parquet", "path": "scores.parquet"}]
        for source in (".", "*.parquet", "**/*.parquet"):
            assert load(source, delivery=delivery).kept == 3

    @pytest.mark.parametrize(
        ("target", "written"),
        [
            ({"kind": "parquet", "path": "scores.parquet"}, "scores.history/2024-01-01.parquet"),
            ({"kind": "csv", "path": "scores.csv"}, "scores.history/2024-01-01.parquet"),
            ({"kind": "csv", "path": "scores.csv"}, "scores.csv"),
            (
                {"kind": "parquet", "path": "scores", "partitioned": True},
                "scores/as_of=2024-01-01/part-0.parquet",
            ),
        ],
    )
    def test_may_hold_the_folders_that_runs_write(self, load, tmp_path, target, written):
        pq.write_table(arrow(), tmp_path / "sales.parquet")
        (tmp_path / written).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"x": [1]}), tmp_path / written)
        for source in (".", "**/*"):
            assert load(source, delivery=[target]).kept == 3

    def test_of_both_kinds_is_a_config_error_that_says_what_to_do(self, load, tmp_path):
        write_csv(tmp_path / "sales/a.csv", *ROWS)
        pq.write_table(arrow(), tmp_path / "sales/a.parquet")
        with pytest.raises(ConfigError, match=r"saw \.csv, \.parquet\. Name those of one kind"):
            load()

    def test_numbers_its_rows_by_file(self, load, tmp_path):
        write_csv(tmp_path / "sales/a.csv", ROWS[0], ("a", "soon", 1))
        write_csv(tmp_path / "sales/b/a.csv", ("a", "never", 1), ROWS[0])
        assert refused(load()) == [
            (2, "timestamp_unreadable", "soon"),
            (1, "timestamp_unreadable", "never"),
        ]

    def test_with_nothing_but_what_runs_write_says_so(self, load, tmp_path):
        (tmp_path / "sales").mkdir()
        pq.write_table(pa.table({"x": [1]}), tmp_path / "sales/scores.parquet")
        for source in ("sales", "sales/*.parquet"):
            with pytest.raises(ConfigError, match="saw only files that runs write themselves"):
                load(source, delivery=[{"kind": "parquet", "path": "sales/scores.parquet"}])

    def test_without_data_is_a_config_error(self, load, tmp_path):
        (tmp_path / "sales").mkdir()
        with pytest.raises(ConfigError, match=r"saw a folder without \.csv and \.parquet files"):
            load()


@pytest.mark.parametrize("pattern", ["sales/**", "sales/**/*", "sales/**/*.csv", "sales/*/*.csv"])
@pytest.mark.parametrize("hidden", ["03/._a.csv", "03/.a.csv", ".ipynb_checkpoints/a.csv"])
def test_a_pattern_means_what_is_hidden_only_where_it_says_so(load, tmp_path, pattern, hidden):
    write_csv(tmp_path / "sales/03/a.csv", *ROWS)
    write_csv(tmp_path / "sales" / hidden, *ROWS)
    assert load(pattern).kept == 3
    assert load(f"sales/{hidden.replace('a.csv', '*.csv')}").kept == 3


def test_everything_below_a_hidden_folder_is_found_where_the_folder_is_named(load, tmp_path):
    write_csv(tmp_path / ".sales/03/a.csv", *ROWS)
    for source in (".sales", ".sales/**", ".sales/**/*.csv"):
        assert load(source).kept == 3


@pytest.mark.parametrize("pattern", ["sales/**", "sales/**/*", "sales/**/*.csv", "s*/*/*.csv"])
def test_a_pattern_may_span_folders(load, tmp_path, pattern):
    write_csv(tmp_path / "sales/2023/a.csv", ROWS[0])
    write_csv(tmp_path / "sales/2024/a.csv", *ROWS[1:])
    assert load(pattern).kept == 3


class TestFoldersThatTellAColumn:
    def test_can_have_it_mapped_in_csv(self, load, engine, tmp_path):
        for customer, day, amount in ROWS:
            file = tmp_path / f"sales/day={day}/0.csv"
            file.parent.mkdir(parents=True)
            file.write_text(f"customer_id,amount\n{customer},{amount}\n")
        assert lines(load(columns=BY_DAY), engine) == expected()

    def test_can_have_it_mapped_in_parquet(self, load, engine, tmp_path):
        pq.write_to_dataset(
            arrow().set_column(1, "day", pa.array([d for _, d, _ in ROWS])),
            tmp_path / "sales",
            partition_cols=["day"],
        )
        assert lines(load(columns=BY_DAY), engine) == expected()

    def test_have_it_by_our_name_without_a_mapping(self, load, tmp_path):
        write_csv(tmp_path / "sales/currency=EUR/year=2023/a.csv", ROWS[0])
        write_csv(tmp_path / "sales/currency=EUR/year=2024/a.csv", ROWS[1])
        assert load("sales/*/year=*/*.csv").currency == "EUR"

    def test_keep_row_numbers_and_sources(self, load, tmp_path):
        write_csv(tmp_path / "sales/currency=EUR/a.csv", ROWS[0], ("a", "soon", 1))
        [row] = load().quarantine.to_pylist()
        assert row["source"] == str(tmp_path / "sales/currency=EUR/a.csv")
        assert row["row_number"] == 2

    def test_tell_escaped_and_missing_values(self, load, tmp_path):
        (tmp_path / "sales").mkdir()
        for day in ("2024-03-01 10%3A30", "__HIVE_DEFAULT_PARTITION__"):
            file = tmp_path / f"sales/day={day}/0.csv"
            file.parent.mkdir()
            file.write_text("customer_id,amount\na,1\n")
        history = load(columns=BY_DAY)
        assert history.kept == 1
        assert refused(history) == [(1, "timestamp_missing", None)]

    def test_do_not_hide_a_column_of_the_files(self, load, engine, tmp_path):
        write_csv(tmp_path / "sales/amount=99/a.csv", *ROWS)
        assert lines(load(), engine) == expected()


class TestATableInMemory:
    @pytest.mark.parametrize("kind", KINDS)
    def test_gives_the_same_lines(self, load, engine, kind):
        table = KINDS[kind](arrow())
        assert lines(load("not looked at", given=table), engine) == expected()

    def test_names_itself_in_the_quarantine(self, load):
        table = pd.DataFrame({"customer_id": ["a", None], "timestamp": ["2024-03-01"] * 2})
        history = load("cdnow", given=table.assign(amount=1))
        assert [(r["source"], r["row_number"]) for r in history.quarantine.to_pylist()] == [
            ("a table in memory", 2)
        ]

    def test_names_itself_where_a_column_is_missing(self, load):
        with pytest.raises(DataError, match=r"'amount' is missing \(in a table in memory\)"):
            load("cdnow", given=arrow().drop_columns("amount"))

    def test_may_be_mapped(self, load):
        columns = {"customer_id": "c", "timestamp": "t", "amount": "a"}
        assert load(given=arrow().rename_columns([*"cta"]), columns=columns).kept == 3

    @pytest.mark.parametrize("table", [[1, 2], {"customer_id": ["a"]}, 7, "sales.csv"])
    def test_that_is_none_says_what_to_give(self, load, table):
        with pytest.raises(DataError, match="Give a pandas, Polars or Arrow table"):
            load(given=table)

    def test_of_mixed_types_in_one_column_says_so(self, load):
        table = pd.DataFrame({"customer_id": [7, "a"], "timestamp": "2024-03-01", "amount": 1})
        with pytest.raises(DataError, match="one type each"):
            load(given=table)

    def test_walks_through_the_pipeline(self, tmp_path):
        values = {"name": "shop", "data": {"transactions": {"source": "elsewhere"}}}
        settings = settings_from(values, base=tmp_path)
        with pipeline.opened(
            settings, today=TODAY, as_of=None, say=lambda text: None, table=arrow()
        ) as portfolio:
            assert portfolio.as_of == date(2024, 3, 5)
            assert pipeline.features(portfolio, say=lambda text: None).rows.num_rows == 2


class TestOneCustomer:
    def test_may_be_written_with_blanks(self, load, engine, tmp_path):
        write_csv(tmp_path / "sales/a.csv", (" 7", "2024-03-01", 1), ("7 ", "2024-03-01", 1))
        assert {customer for customer, _, _ in lines(load(), engine)} == {"7"}

    @pytest.mark.parametrize("other", [pa.int64(), pa.int16(), pa.large_string()])
    def test_may_be_a_number_in_one_file_and_a_text_in_another(self, load, engine, tmp_path, other):
        (tmp_path / "sales").mkdir()
        table = arrow([("7", "2024-03-01", 1.0)])
        pq.write_table(table, tmp_path / "sales/a.parquet")
        typed = table["customer_id"].cast(other)
        pq.write_table(table.set_column(0, "customer_id", typed), tmp_path / "sales/b.parquet")
        assert {customer for customer, _, _ in lines(load(), engine)} == {"7"}


class TestADatabase:
    @pytest.mark.parametrize("how", [{"table": "sales"}, {"query": "SELECT * FROM sales"}])
    def test_of_sqlite_gives_the_same_lines(self, load, engine, tmp_path, how):
        connection = sqlite3.connect(tmp_path / "crm.db")
        connection.execute("CREATE TABLE sales (customer_id, timestamp, amount)")
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?)", ROWS)
        connection.commit()
        connection.close()
        assert lines(load("sqlite:///crm.db", **how), engine) == expected()

    @pytest.mark.integration
    @pytest.mark.parametrize(
        "how",
        [
            {"table": "orders"},
            {"table": "public.orders"},
            {"query": "SELECT customer, day, amount FROM orders"},
        ],
    )
    def test_of_postgresql_gives_its_lines(self, load, engine, server, how):  # noqa: F811
        history = load(server, columns=BY_DAY | {"customer_id": "customer"}, **how)
        rows = [(f"100% {n}", "2024-03-01", n * 1.25) for n in range(1, 6)]
        assert lines(history, engine) == expected(rows)
