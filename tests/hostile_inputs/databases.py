"""Databases whose tables, types or files are odd."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.hostile_inputs.case import Case, read, told

TABLE = "CREATE TABLE sales (customer_id TEXT, timestamp TEXT, amount REAL)"
ROW = "INSERT INTO sales VALUES ('a', '2024-03-05', 10)"
URL = "sqlite:///crm.db"


def sqlite(*statements: str) -> Callable[[Path], None]:
    """A database after these statements."""

    def made(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return made


def _from(url: str = URL, **how: Any) -> dict[str, Any]:
    return {"data.transactions": {"source": url, **(how or {"table": "sales"})}}


def _asked(query: str) -> dict[str, Any]:
    return {"files": {"crm.db": sqlite(TABLE, ROW)}, "config": _from(query=query)}


def _values(name: str, kept: int, rules: dict[str, int], *rows: str, **how: Any) -> Case:
    """A read of rows of SQL values."""
    statements = [f"INSERT INTO sales VALUES ({row})" for row in (*rows,)]
    return read(name, kept, rules, files={"crm.db": sqlite(TABLE, *statements)},
                config=_from(), **how)  # fmt: skip


def _overwritten(start: int) -> Callable[[Path], None]:
    """A database of many rows with noise from a place on."""

    def made(path: Path) -> None:
        sqlite(TABLE, *[ROW] * 500)(path)
        content = path.read_bytes()
        path.write_bytes(content[:start] + b"\xff" * (len(content) - start))

    return made


CASES = [
    read("a view", 1, config=_from(table="seen"),
         files={"crm.db": sqlite(TABLE, ROW, "CREATE VIEW seen AS SELECT * FROM sales")}),
    told("a view of what is gone", 2, "seen", config=_from(table="seen"),
         files={"crm.db": sqlite("CREATE VIEW seen AS SELECT * FROM gone")}),
    read("a table whose name is a word of SQL", 1, config=_from(table="select"),
         files={"crm.db": sqlite(TABLE.replace("sales", '"select"'),
                                 ROW.replace("sales", '"select"'))}),
    told("a table whose name is SQL", 2, "is missing",
         config=_from(table="sales; DROP TABLE sales"),
         files={"crm.db": sqlite(TABLE, ROW)}),
    read("a table with names in quotes", 1, config=_from(table='my "sales"'),
         files={"crm.db": sqlite(TABLE.replace("sales", '"my ""sales"""'),
                                 ROW.replace("sales", '"my ""sales"""'))}),
    told("an empty table's name", 2, "table", config=_from(table=""),
         files={"crm.db": sqlite(TABLE, ROW)}),
    told("a table and a query", 2, "either table or query",
         config=_from(table="sales", query="SELECT 1")),
    told("an empty query", 2, "query", **_asked("")),
    told("no SQL", 2, "the query cannot be run", **_asked("give me the sales")),
    told("two statements", 2, "query", **_asked("SELECT * FROM sales; SELECT 1")),
    told("a query that drops the table", 2, "query", **_asked("DROP TABLE sales")),
    read("a query that returns what it wrote", 1,
         **_asked("INSERT INTO sales VALUES ('b', '2024-03-05', 1) RETURNING *")),
    told("a query that reads another file", 2, "query", **_asked("ATTACH 'other.db' AS other")),
    told("a query of one name twice", 2, "there twice",
         **_asked("SELECT *, 1 AS amount FROM sales")),
    read("a query with a parameter's sign", 1,
         **_asked("SELECT * FROM sales WHERE timestamp NOT LIKE '%:x%' AND customer_id <> ':y'")),
    read("a query with a comment", 1, **_asked("SELECT * FROM sales -- all of them")),
    told("a pragma", 65, "column 'customer_id' is missing", **_asked("PRAGMA table_info(sales)")),
    told("a database cut off", 69, "is damaged", files={"crm.db": _overwritten(2_000)},
         config=_from()),
    told("a database with pages of noise", 69, "is damaged", files={"crm.db": _overwritten(6_000)},
         config=_from()),
    told("an empty file as a database", 2, "table 'sales' is missing", files={"crm.db": b""},
         config=_from()),
    told("a folder as a database", 69, "crm.db", files={"crm.db": None}, config=_from()),
    told("a database without a file", 2, "names no file", config=_from("sqlite://")),
    told("a database with an unknown option", 2, "frob", config=_from(URL + "?frob=1"),
         files={"crm.db": sqlite(TABLE, ROW)}),
    told("a database whose driver is not there", 2, "oracle", "install",
         config=_from("oracle+cx_oracle://ann:s3cret@db/crm")),
    told("a database of another language", 2, "mongodb",
         config=_from("mongodb://ann:s3cret@db/crm")),
    told("a port beyond all ports", 69, "does not answer",
         config=_from("postgresql://ann:s3cret@127.0.0.1:99999/crm")),
    _values("text where a number was declared", 1, {"amount_unreadable": 1},
            "'a', '2024-03-05', 'ten'", "'a', '2024-03-05', '10'"),
    _values("nulls", 1, {"customer_id_missing": 1, "timestamp_missing": 1, "amount_missing": 1},
            "NULL, '2024-03-05', 1", "'a', NULL, 1", "'a', '2024-03-05', NULL",
            "'a', '2024-03-05', 1"),
    _values("numbers of three types in one column", 3, {},
            "'a', '2024-03-05', 1", "'a', '2024-03-05', 1.5", "'a', '2024-03-05', '2'", total=4.5),
    _values("whole numbers beyond 64 bits", 1, {"amount_out_of_range": 1},
            "'a', '2024-03-05', 99999999999999999999", "'a', '2024-03-05', 1"),
    _values("endless numbers", 1, {"amount_out_of_range": 2},
            "'a', '2024-03-05', 9e999", "'a', '2024-03-05', -9e999", "'a', '2024-03-05', 1"),
    _values("bytes as ids", 2, {}, "x'ff00', '2024-03-05', 1", "'a', '2024-03-05', 1"),
    _values("numbers and text as ids", 2, {}, "1, '2024-03-05', 1", "'1', '2024-03-05', 1",
            customers=("1",)),
    _values("dates of several kinds in one column", 1, {"timestamp_unreadable": 2},
            "'a', 1709640000, 1", "'a', 2460374.5, 1", "'a', '2024-03-05', 1"),
    read("columns without a type", 2, customers=("1", "a"), config=_from(), files={"crm.db": sqlite(
        "CREATE TABLE sales (customer_id, timestamp, amount)",
        "INSERT INTO sales VALUES (1, '2024-03-05', 1)",
        "INSERT INTO sales VALUES ('a', '2024-03-05', '2')")}),
    read("a table of 1,000 columns", 1, config=_from(), files={"crm.db": sqlite(
        "CREATE TABLE sales (customer_id, timestamp, amount, "
        + ", ".join(f"c{n}" for n in range(1_000)) + ")",
        "INSERT INTO sales (customer_id, timestamp, amount) VALUES ('a', '2024-03-05', 1)")}),
]  # fmt: skip
