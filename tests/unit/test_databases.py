import sqlite3
import sys
import traceback
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa
from tests.servers import postgresql

from portfolio_ml.databases import (
    read,
    read_query,
    read_table,
    redacted,
    rehearsing,
    there_are,
    writing,
)
from portfolio_ml.databases.connections import place
from portfolio_ml.databases.faults import refusal, told
from portfolio_ml.errors import (
    ConfigError,
    DataError,
    PortfolioError,
    ServiceUnavailableError,
    TryAgainLaterError,
)

pytestmark = pytest.mark.unit

URL = "sqlite:///crm.db"


SECRET = "s3cret"
SECRET_URLS = [
    "s3cret",
    "ann:s3cret@127.0.0.1:1/crm",
    "host=127.0.0.1 port=1 password=s3cret",
    "postgresql:ann:s3cret@127.0.0.1:1/crm",
    "postgresql:/ann:s3cret@127.0.0.1:1/crm",
    "jdbc:postgresql://127.0.0.1:1/crm?password=s3cret",
    "postgresql://ann:s3cret",
    "postgresql://ann:s3cret@",
    "postgresql://ann:s3cret@/crm?host=/nowhere",
    "postgresql://:s3cret@127.0.0.1:1/crm",
    "postgresql://ann:s3cret@127.0.0.1:port/crm",
    "postgresql://ann:s3cret@[::1]:1/crm",
    "postgresql://ann:s3cret@[::1/crm",
    "postgresql://ann:s3cret@127.0.0.1:1,127.0.0.1:2/crm",
    "postgresql://ann:x@s3cret@127.0.0.1:1/crm",
    "postgresql://ann:x@s3cret/y@127.0.0.1:1/crm",
    "postgresql://ann:x/s3cret@127.0.0.1:1/crm",
    "postgresql://ann:x?s3cret@127.0.0.1:1/crm",
    "postgresql://ann:x#s3cret@127.0.0.1:1/crm",
    "postgresql://ann:x%40s3cret%2F@127.0.0.1:1/crm",
    "postgresql://ann:%zzs3cret@127.0.0.1:1/crm",
    "postgresql://ann: s3cret @127.0.0.1:1/crm",
    "postgresql://ann:s3cret\n@127.0.0.1:1/crm",
    "postgresql://ann:s3cret\0@127.0.0.1:1/crm",
    "postgresql://ann%3As3cret@127.0.0.1:1/crm",
    "postgresql://127.0.0.1:1/crm?password=s3cret",
    "postgresql://127.0.0.1:1/crm?user=ann&sslpassword=s3cret",
    "postgresql://127.0.0.1:1/crm?options=-c%20my.token%3Ds3cret",
    "postgresql://127.0.0.1:1/crm?sslkey=s3cret&sslmode=require",
    "postgresql://127.0.0.1:1/crm?connect_timeout=s3cret",
    "postgresql://127.0.0.1:1/crm?keepalives=s3cret",
    "postgresql://127.0.0.1:1/crm?sslmode=require&target_session_attrs=s3cret",
    "postgresql://127.0.0.1:1/crm;password=s3cret",
    "postgresql://127.0.0.1:1/crm&password=s3cret",
    "postgresql://127.0.0.1:1/crm#password=s3cret",
    "postgresql+psycopg2://ann:s3cret@127.0.0.1:1/crm",
    "postgres://ann:s3cret@no-such-host.invalid/crm",
    "mysql://ann:s3cret@127.0.0.1:1/crm",
    "sqlite:///no/crm.db?password=s3cret",
    "sqlite://ann:s3cret@/crm.db",
]


def written(url: str, base: Path) -> None:
    with writing(url, base=base):
        pass


@pytest.fixture
def crm(tmp_path):
    """A folder with a database: two tables and a view."""
    connection = sqlite3.connect(tmp_path / "crm.db")
    connection.executescript(
        """
        CREATE TABLE orders (customer TEXT, amount, note TEXT);
        INSERT INTO orders VALUES ('a', 1, NULL), ('b', 2.5, NULL), ('c', NULL, NULL);
        CREATE TABLE empty (x INTEGER, y TEXT);
        CREATE VIEW large AS SELECT * FROM orders WHERE amount > 2;
        """
    )
    connection.close()
    return tmp_path


def count(folder: Path, table: str = "orders") -> int:
    connection = sqlite3.connect(folder / "crm.db")
    [(found,)] = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchall()
    connection.close()
    return found


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "readable"),
        [
            ("sqlite:///crm.db?timeout=3", "sqlite:///crm.db"),
            ("postgresql://ann:s3cret@db/crm?password=other", "postgresql://ann:***@db/crm"),
            ("s3cret", "an unreadable URL"),
            ("postgresql://ann:s3@cret@db:port/crm", "an unreadable URL"),
        ],
    )
    def test_is_shown_without_secrets(self, url, readable):
        assert redacted(url) == readable

    @pytest.mark.parametrize(
        ("url", "part"),
        [
            ("s3cret", "cannot be read"),
            ("postgresql://ann:s3cret@db:port/crm", "cannot be read"),
            ("nosuch://ann:s3cret@db/crm", "saw nosuch"),
            ("sqlite://", "names no file"),
            ("sqlite:///:memory:", "names no file"),
            ("sqlite:///file:crm.db?uri=true", "names no file"),
            ("sqlite:///crm.db?mode=ro", "saw mode"),
            ("sqlite:///crm.db?timeout=long", "saw long"),
            ("postgresql://ann:s3cret@127.0.0.1:1/crm?shoe=1", "shoe"),
        ],
    )
    def test_a_wrong_one_is_a_config_error_without_secrets(self, url, part, tmp_path):
        with pytest.raises(ConfigError, match=part) as caught:
            read_table(url, "orders", base=tmp_path)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize("url", SECRET_URLS)
    def test_no_secret_of_one_is_in_any_message(self, url, tmp_path, caplog):
        caplog.set_level("DEBUG")
        for use in (
            lambda: read_table(url, "orders", base=tmp_path),
            lambda: written(url, tmp_path),
            lambda: place(url, base=tmp_path),
        ):
            try:
                found = repr(use())
            except PortfolioError as error:
                found = "".join(traceback.format_exception(error))
            assert SECRET not in found
        assert SECRET not in redacted(url)
        assert SECRET not in "".join(record.getMessage() for record in caplog.records)

    def test_a_relative_file_is_relative_to_the_base(self, crm):
        assert read_table(URL, "orders", base=crm).num_rows == 3

    def test_an_absolute_file_is_not(self, crm):
        url = f"sqlite:///{crm}/crm.db"
        assert read_table(url, "orders", base=Path("/elsewhere")).num_rows == 3

    def test_a_server_that_refuses_is_unavailable_and_the_password_stays_hidden(self, tmp_path):
        with pytest.raises(ServiceUnavailableError, match="does not answer") as caught:
            read_table("postgres://ann:s3cret@127.0.0.1:1/crm", "orders", base=tmp_path)
        assert "s3cret" not in str(caught.value)

    def test_a_missing_driver_is_a_config_error_that_says_what_to_install(
        self, tmp_path, monkeypatch
    ):
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(ConfigError, match=r"portfolio-ml\[postgres\]"):
            read_table("postgresql://ann@127.0.0.1:1/crm", "orders", base=tmp_path)


class TestReading:
    def test_gives_values_and_nulls(self, crm):
        table = read_table(URL, "orders", base=crm)
        assert table.to_pydict() == {
            "customer": ["a", "b", "c"],
            "amount": [1.0, 2.5, None],
            "note": [None, None, None],
        }

    def test_works_on_a_view(self, crm):
        assert read_table(URL, "large", base=crm)["customer"].to_pylist() == ["b"]

    def test_works_with_a_schema(self, crm):
        assert read_table(URL, "main.orders", base=crm).num_rows == 3

    def test_an_empty_table_keeps_its_columns(self, crm):
        table = read_table(URL, "empty", base=crm)
        assert (table.column_names, table.num_rows) == (["x", "y"], 0)

    @pytest.mark.parametrize("batch", [1, 2, 50_000])
    def test_joins_batches_of_unlike_types(self, crm, monkeypatch, batch):
        monkeypatch.setattr(read, "BATCH_ROWS", batch)
        table = read_table(URL, "orders", base=crm)
        assert table["amount"].to_pylist() == [1.0, 2.5, None]
        assert table["amount"].type == pa.float64()

    @pytest.mark.parametrize("batch", [1, 2, 50_000])
    def test_values_without_a_common_type_become_text(self, crm, monkeypatch, batch):
        monkeypatch.setattr(read, "BATCH_ROWS", batch)
        query = "SELECT amount FROM orders UNION ALL SELECT 'many' UNION ALL SELECT 7"
        amounts = read_query(URL, query, base=crm)["amount"].to_pylist()
        assert amounts == ["1", "2.5", None, "many", "7"]

    @pytest.mark.parametrize("batch", [1, 2, 50_000])
    def test_an_id_is_the_same_text_whatever_number_holds_it(self, crm, monkeypatch, batch):
        monkeypatch.setattr(read, "BATCH_ROWS", batch)
        query = "SELECT 7 AS id UNION ALL SELECT 7.0 UNION ALL SELECT 7.0 UNION ALL SELECT '007'"
        assert read_query(URL, query, base=crm)["id"].to_pylist() == ["7", "7", "7", "007"]

    def test_a_query_is_taken_literally(self, crm):
        query = """SELECT ':x %s ?' AS "a:b%" FROM orders WHERE customer LIKE '%a' -- :y"""
        assert read_query(URL, query, base=crm).to_pylist() == [{"a:b%": ":x %s ?"}]

    def test_a_missing_database_is_unavailable_and_stays_missing(self, tmp_path):
        with pytest.raises(ServiceUnavailableError, match=r"no file .*crm\.db"):
            read_table(URL, "orders", base=tmp_path)
        assert not list(tmp_path.iterdir())

    def test_a_file_that_is_no_database_is_a_config_error(self, tmp_path):
        (tmp_path / "crm.db").write_text("customer,amount\n" * 100)
        with pytest.raises(ConfigError, match="no SQLite database"):
            read_table(URL, "orders", base=tmp_path)

    def test_a_missing_table_lists_those_there_and_the_nearest(self, crm):
        with pytest.raises(ConfigError, match=r"'empty', 'large', 'orders'.*mean 'orders'"):
            read_table(URL, "order", base=crm)

    def test_a_missing_table_in_a_query_lists_those_there(self, crm):
        with pytest.raises(ConfigError, match=r"no such table: sales.*empty, large, orders"):
            read_query(URL, "SELECT * FROM sales", base=crm)

    def test_a_missing_column_in_a_query_lists_the_columns_of_its_tables(self, crm):
        with pytest.raises(ConfigError, match=r"spend.*orders \(customer, amount, note\)"):
            read_query(URL, "SELECT spend FROM orders", base=crm)

    def test_a_query_of_a_view_whose_table_is_gone_says_so(self, crm):
        with closing(sqlite3.connect(crm / "crm.db")) as connection:
            connection.execute("CREATE TABLE gone (x INTEGER)")
            connection.execute("CREATE VIEW stale AS SELECT x FROM gone")
            connection.execute("DROP TABLE gone")
        with pytest.raises(ConfigError, match=r"saw no such table: main.gone.*orders, stale\."):
            read_query(URL, "SELECT * FROM stale", base=crm)

    def test_a_place_where_nobody_may_look_is_unavailable(self, tmp_path):
        url = f"sqlite:///{'x' * 300}/crm.db"
        for look in (
            lambda: read_query(url, "SELECT 1", base=tmp_path),
            lambda: there_are(url, (), base=tmp_path),
            lambda: rehearsing(url, base=tmp_path).__enter__(),
        ):
            with pytest.raises(ServiceUnavailableError, match=r"cannot be opened.*name too long"):
                look()

    def test_a_query_that_gives_no_rows_is_refused_and_changes_nothing(self, crm):
        with pytest.raises(ConfigError, match="gives no rows"):
            read_query(URL, "DELETE FROM orders", base=crm)
        assert count(crm) == 3

    def test_a_query_that_also_writes_changes_nothing(self, crm):
        read_query(URL, "DELETE FROM orders RETURNING customer", base=crm)
        assert count(crm) == 3

    def test_a_column_that_is_there_twice_is_refused(self, crm):
        with pytest.raises(ConfigError, match="'amount' is there twice"):
            read_query(URL, "SELECT amount, amount FROM orders", base=crm)

    def test_text_that_is_not_utf8_is_a_data_error(self, crm):
        with pytest.raises(DataError, match="not UTF-8"):
            read_query(URL, "SELECT CAST(X'ff' AS TEXT) AS t", base=crm)


class TestWriting:
    def test_is_kept_at_the_end(self, crm):
        with writing(URL, base=crm) as database:
            assert database.run("DELETE FROM orders WHERE customer = ?", "a") == 1
        assert count(crm) == 2

    def test_an_error_rolls_everything_back_created_tables_included(self, crm):
        def spoilt() -> None:
            with writing(URL, base=crm) as database:
                database.run("CREATE TABLE fresh (x TEXT)")
                database.run("DELETE FROM orders")
                raise KeyError

        with pytest.raises(KeyError):
            spoilt()
        assert count(crm) == 3
        assert count(crm, "sqlite_master WHERE name = 'fresh'") == 0

    def test_a_locked_database_is_for_later(self, crm):
        other = sqlite3.connect(crm / "crm.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(TryAgainLaterError, match="locked"),
            writing(f"{URL}?timeout=0.05", base=crm),
        ):
            pass
        other.close()

    def test_a_reader_that_stays_too_long_is_for_later_and_rolls_back(self, crm):
        other = sqlite3.connect(crm / "crm.db", isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT * FROM orders").fetchall()
        with (
            pytest.raises(TryAgainLaterError, match="locked"),
            writing(f"{URL}?timeout=0.05", base=crm) as database,
        ):
            database.run("DELETE FROM orders")
        other.close()
        assert count(crm) == 3

    def test_a_missing_folder_is_unavailable(self, tmp_path):
        with pytest.raises(ServiceUnavailableError), writing("sqlite:///no/crm.db", base=tmp_path):
            pass

    def test_a_constraint_is_a_data_error(self, crm):
        with pytest.raises(DataError, match="constraint"), writing(URL, base=crm) as database:
            database.run("CREATE UNIQUE INDEX one ON orders (note IS NULL)")

    def test_the_journal_mode_stays_what_it_was(self, crm):
        connection = sqlite3.connect(crm / "crm.db")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        with writing(URL, base=crm) as database:
            database.run("DELETE FROM orders")
        connection = sqlite3.connect(crm / "crm.db")
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()

    @pytest.mark.parametrize("write", [writing, rehearsing])
    def test_a_database_of_unknown_ways_is_refused_before_it_is_reached(self, tmp_path, write):
        with (
            pytest.raises(ConfigError, match=r"not written to.*saw oracle.*MariaDB"),
            write("oracle+oracledb://ann:s3cret@db/crm", base=tmp_path),
        ):
            pass


class TestRehearsing:
    def test_keeps_nothing(self, crm):
        before = (crm / "crm.db").read_bytes()
        with rehearsing(URL, base=crm) as database:
            database.run("DELETE FROM orders")
        assert (crm / "crm.db").read_bytes() == before

    def test_leaves_a_missing_file_missing(self, tmp_path):
        with rehearsing(URL, base=tmp_path) as database:
            database.run("CREATE TABLE fresh (x TEXT)")
        assert not list(tmp_path.iterdir())

    def test_a_missing_folder_is_unavailable_all_the_same(self, tmp_path):
        with (
            pytest.raises(ServiceUnavailableError),
            rehearsing("sqlite:///no/crm.db", base=tmp_path),
        ):
            pass


@pytest.fixture(scope="module")
def server():
    """The URL of a PostgreSQL server with a table and a view."""
    with postgresql() as (url, _), psycopg.connect(url) as connection:
        connection.execute(
            """
            CREATE TABLE orders (customer text, amount numeric(12, 2), day date, note text);
            INSERT INTO orders SELECT '100% ' || i, i * 1.25, '2024-03-01', NULL
            FROM generate_series(1, 5) AS i;
            CREATE SCHEMA sales;
            CREATE VIEW sales."We:ird %" AS SELECT customer FROM orders;
            """
        )
        connection.commit()
        yield url


class TestReadingFromPostgresql:
    pytestmark = pytest.mark.integration

    @pytest.mark.parametrize("batch", [2, 50_000])
    def test_gives_values_and_nulls(self, server, tmp_path, monkeypatch, batch):
        monkeypatch.setattr(read, "BATCH_ROWS", batch)
        table = read_table(server, "orders", base=tmp_path)
        assert table.num_rows == 5
        assert table.slice(1, 1).to_pylist() == [
            {
                "customer": "100% 2",
                "amount": Decimal("2.50"),
                "day": date(2024, 3, 1),
                "note": None,
            }
        ]

    def test_works_with_a_schema_and_any_name(self, server, tmp_path):
        assert read_table(server, "sales.We:ird %", base=tmp_path).num_rows == 5

    def test_a_query_is_taken_literally(self, server, tmp_path):
        query = """SELECT amount::text AS "a%b" FROM orders WHERE customer LIKE '100% 1' -- :x"""
        assert read_query(server, query, base=tmp_path).to_pylist() == [{"a%b": "1.25"}]

    def test_a_missing_column_lists_the_columns_of_the_querys_tables(self, server, tmp_path):
        with pytest.raises(ConfigError, match=r"spend.*orders \(customer, amount, day, note\)"):
            read_query(server, "SELECT spend FROM orders", base=tmp_path)

    def test_a_missing_table_lists_those_there(self, server, tmp_path):
        with pytest.raises(
            ConfigError, match=r"saw tables (.*, )?'orders'\. Did you mean 'orders'"
        ):
            read_table(server, "order", base=tmp_path)

    def test_a_missing_database_is_unavailable(self, server, tmp_path):
        with pytest.raises(ServiceUnavailableError, match="does not exist"):
            read_table(server.replace("/postgres?", "/nowhere?"), "orders", base=tmp_path)

    def test_times_are_read_whatever_the_style_of_the_server(self, server, tmp_path, monkeypatch):
        monkeypatch.setenv("PGDATESTYLE", "German")
        query = "SELECT TIMESTAMPTZ '2024-03-01 12:00+00' AS moment, DATE '2024-03-01' AS day"
        [row] = read_query(server, query, base=tmp_path).to_pylist()
        assert (row["moment"].isoformat()[:4], row["day"]) == ("2024", date(2024, 3, 1))

    def test_dates_that_python_has_not_are_told_as_they_are_written(self, server, tmp_path):
        query = """
            SELECT day, day + TIME '09:30' AS moment, day + TIMETZ '09:30+00' AS instant
            FROM unnest(ARRAY['2024-03-01', 'infinity', '12000-01-01', '0044-03-15 BC']::date[])
            WITH ORDINALITY AS t (day, place) ORDER BY place
            """
        found = read_query(server, query, base=tmp_path)
        days, moments, instants = (column.to_pylist() for column in found.columns)
        assert days == ["2024-03-01", "infinity", "12000-01-01", "0044-03-15 BC"]
        assert moments[:2] == ["2024-03-01 09:30:00", "infinity"]
        assert instants[0].startswith("2024-03-01 09:30:00+")

    @pytest.mark.parametrize("batch", [1, 50_000])
    def test_values_without_a_type_of_their_own_become_text(
        self, server, tmp_path, monkeypatch, batch
    ):
        monkeypatch.setattr(read, "BATCH_ROWS", batch)
        query = """SELECT * FROM (VALUES (1.5::numeric, '{"a": 1}'::json), ('NaN', '"x"')) AS t"""
        rows = read_query(server, query, base=tmp_path)
        assert [column.to_pylist() for column in rows.columns] == [
            ["1.5", "NaN"],
            ["{'a': 1}", "x"],
        ]

    def test_a_row_that_another_needs_or_a_trigger_keeps_is_a_data_error(self, server, tmp_path):
        with psycopg.connect(server) as connection:
            connection.execute(
                """
                CREATE TABLE kept (customer text PRIMARY KEY);
                CREATE TABLE needing (customer text REFERENCES kept);
                INSERT INTO kept VALUES ('needed'), ('guarded');
                INSERT INTO needing VALUES ('needed');
                CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN RAISE EXCEPTION 'not %', OLD.customer; END $$;
                CREATE TRIGGER guard BEFORE DELETE ON kept FOR EACH ROW
                WHEN (OLD.customer = 'guarded') EXECUTE FUNCTION guard();
                """
            )
        for customer, what in {"needed": "a constraint", "guarded": "a trigger"}.items():
            with (
                pytest.raises(DataError, match=f"(?i){what} refuses a row") as caught,
                writing(server, base=tmp_path) as database,
            ):
                database.run("DELETE FROM kept WHERE customer = ?", customer)
            assert customer not in str(caught.value)

    def test_a_locked_table_is_for_later(self, server, tmp_path):
        psycopg = pytest.importorskip("psycopg")
        url = f"{server}&options=-c%20lock_timeout%3D50"
        with psycopg.connect(server) as other:
            other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(TryAgainLaterError, match="table is locked"):
                read_table(url, "orders", base=tmp_path)


class TestFaults:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("08006", ServiceUnavailableError),
            ("28P01", ServiceUnavailableError),
            ("3D000", ServiceUnavailableError),
            ("42501", ServiceUnavailableError),
            ("25006", ServiceUnavailableError),
            ("25P03", TryAgainLaterError),
            ("3F000", ConfigError),
            ("42846", ConfigError),
            ("53200", ServiceUnavailableError),
            ("53400", ServiceUnavailableError),
            ("55000", ConfigError),
            ("58030", ServiceUnavailableError),
            ("53100", ServiceUnavailableError),
            ("57P01", ServiceUnavailableError),
            ("40001", TryAgainLaterError),
            ("40P01", TryAgainLaterError),
            ("53300", TryAgainLaterError),
            ("55P03", TryAgainLaterError),
            ("57014", TryAgainLaterError),
            ("22P02", DataError),
        ],
    )
    def test_postgresql_codes_have_their_place_in_the_tree(self, code, kind):
        with pytest.raises(kind), told("here"):
            raise sa.exc.OperationalError("SELECT 1", {}, driver_error(code))

    @pytest.mark.parametrize("code", ["22021", "23505", "44000", "45000", "54000", "P0001"])
    def test_what_is_wrong_with_one_row_refuses_that_row(self, code):
        assert refusal(sa.exc.DBAPIError("INSERT", {}, driver_error(code))) is not None

    @pytest.mark.parametrize("code", ["08006", "40001", "42501", "53100", "54001", "57014"])
    def test_what_is_wrong_with_more_refuses_no_row(self, code):
        assert refusal(sa.exc.DBAPIError("INSERT", {}, driver_error(code))) is None

    @pytest.mark.parametrize(
        "words",
        [
            "sorry, too many clients already",
            "remaining connection slots are reserved",
            "the database system is starting up",
        ],
    )
    def test_a_server_that_takes_nobody_now_is_for_later(self, words):
        with pytest.raises(TryAgainLaterError), told("here"):
            raise sa.exc.OperationalError("SELECT 1", {}, Exception(f"FATAL: {words}"))

    def test_secrets_in_what_the_driver_says_are_hidden_with_their_cause(self):
        error = sa.exc.OperationalError("SELECT 1", {}, Exception(f'bad option "{SECRET}"'))
        with (
            pytest.raises(ServiceUnavailableError, match=r'bad option "\*\*\*"') as caught,
            told("here", {SECRET}),
        ):
            raise error
        assert SECRET not in "".join(traceback.format_exception(caught.value))

    def test_a_message_that_may_hold_a_customers_values_is_not_shown(self):
        with pytest.raises(DataError) as caught, told("here"):
            raise sa.exc.DataError("SELECT 1", {}, driver_error("22P02"))
        assert "customer 17" not in str(caught.value)

    def test_what_is_not_expected_stays_as_it_is(self):
        with pytest.raises(sa.exc.ProgrammingError), told("here"):
            raise sa.exc.ProgrammingError("SELECT 1", {}, driver_error("42601"))

    def test_an_expected_error_passes(self):
        with pytest.raises(PortfolioError, match="As it was"), told("here"):
            raise DataError("as it was")


def driver_error(sqlstate: str) -> Exception:
    error = Exception("customer 17 is wrong")
    error.sqlstate = sqlstate
    return error
