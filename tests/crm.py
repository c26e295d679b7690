"""CRMs in SQL databases: SQLite, a real PostgreSQL or MariaDB; and what is delivered to them."""

import hashlib
import itertools
import marshal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
from tests.mariadb import MariaDb
from tests.servers import Server

from portfolio_ml.config import SqlTarget
from portfolio_ml.databases import SqlColumn, rehearsing
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.sql import deliver_sql, deliver_to_target, rehearse

MONDAY = date(2024, 3, 4)
TUESDAY = MONDAY + timedelta(1)
WEDNESDAY = MONDAY + timedelta(2)
NOW = datetime(2024, 3, 8, 6, 30, tzinfo=UTC)

GOOD = {
    "is_active": True,
    "lifecycle_stage": "mature",
    "value_tier": "A",
    "rfm_r": 5,
    "rfm_f": 4,
    "rfm_m": 3,
    "rfm_segment": "loyal",
    "p_churn": 0.25,
    "churn_reasons": "OVERDUE, LOW_SPEND",
    "p_return": None,
    "churn_band": "low",
    "missed_cycles": 0,
    "expected_orders": 1.5,
    "ltv": 120.0,
    "ltv_low": 80.0,
    "ltv_high": 200.0,
    "value_if_buys": 60.0,
    "value_at_risk": 15.0,
    "expected_next_order_date": date(2024, 4, 1),
    "segment_id": 2,
    "segment_name": "loyal",
    "abstention": None,
    "churn_model_version": "3",
    "ltv_model_version": "2",
    "segment_model_version": "1",
    "features_hash": "f00d",
}

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Crm:
    """A database that belongs to a CRM.

    Attributes:
        url: As a config names it.
        base: The folder that a relative file is relative to.
    """

    url: str
    base: Path

    @property
    def is_postgresql(self) -> bool:
        return self.url.startswith("postgresql")

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of a query; dates and times as text, as SQLite keeps them."""
        if self.is_postgresql:
            with psycopg.connect(self.url, client_encoding="UTF8") as connection:
                connection.execute("SET DateStyle = ISO")
                return [tuple(map(_plain, row)) for row in connection.execute(sql.encode())]
        with closing(sqlite3.connect(self.base / "crm.db")) as connection:
            return connection.execute(sql).fetchall()

    def change(self, sql: str) -> None:
        """Run statements."""
        if self.is_postgresql:
            with psycopg.connect(self.url, client_encoding="UTF8") as connection:
                connection.execute(sql.encode())
        else:
            with closing(sqlite3.connect(self.base / "crm.db")) as connection:
                connection.executescript(sql)

    def columns(self, table: str) -> tuple[SqlColumn, ...]:
        with rehearsing(self.url, base=self.base) as database:
            return database.columns(table)

    def tables(self) -> list[str]:
        """The names of all tables."""
        where = (
            "pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            if self.is_postgresql
            else "sqlite_master WHERE type = 'table'"
        )
        name = "quote_ident(schemaname) || '.' || quote_ident(tablename)"
        found = self.ask(f"SELECT {name if self.is_postgresql else 'name'} FROM {where} ORDER BY 1")
        return [str(table) for (table,) in found]

    def state(self) -> str:
        """A digest of all rows of all tables, which must also be sound."""
        total = hashlib.sha256()
        if not self.is_postgresql:
            assert self.ask("PRAGMA quick_check") == [("ok",)]
        for table in self.tables():
            total.update(table.encode())
            if self.is_postgresql:  # the server is quicker at it
                rows = self.ask(
                    "SELECT md5(string_agg(md5(t::text), '' ORDER BY md5(t::text)))"
                    f" FROM {table} AS t"
                )
            else:
                found = self.ask(f"SELECT * FROM {quoted(table)}")
                rows = sorted(marshal.dumps(row, 2) for row in found)
            total.update(marshal.dumps(rows, 2))
        return total.hexdigest()

    def places_of_rows(self, table: str) -> list[tuple[object, ...]]:
        """Where the rows of a table lie: each that is written anew lies elsewhere."""
        assert self.is_postgresql
        return self.ask(f"SELECT ctid::text, xmin::text FROM {table} ORDER BY 1")


@dataclass(frozen=True)
class MariaDbCrm(Crm):
    """A fresh database of a MariaDB server."""

    server: MariaDb
    name: str

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        """The rows of the last statement, as the driver gives them."""
        return self.server.ask(*statements, database=self.name)

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        rows = self.run("SET SESSION sql_mode = 'ANSI_QUOTES'", sql)
        return [tuple(map(_plain, row)) for row in rows]

    def change(self, sql: str) -> None:
        self.run(*filter(None, sql.split(";")))

    def tables(self) -> list[str]:
        return sorted(str(name) for (name,) in self.run("SHOW TABLES"))

    def state(self) -> str:
        rows = {name: sorted(map(repr, self.ask(f"SELECT * FROM {quoted(name)}")))
                for name in self.tables()}  # fmt: skip
        return hashlib.sha256(repr(rows).encode()).hexdigest()


def quoted(name: str) -> str:
    """A name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=UTC)
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}Z"
    return value.isoformat() if isinstance(value, date) else value


def sqlite_crm(folder: Path) -> Crm:
    return Crm("sqlite:///crm.db", folder)


def postgresql_crm(server: Server, folder: Path, *, options: str = "") -> Crm:
    """A fresh database of a server."""
    name = f"crm_{next(_numbers)}"
    server.run(f"CREATE DATABASE {name} {options}")
    return Crm(server.url_of(name), folder)


def mariadb_crm(server: MariaDb, folder: Path) -> MariaDbCrm:
    """A fresh database of a server."""
    name = server.fresh()
    return MariaDbCrm(server.url(name), folder, server, name)


def rows(as_of: date, *changes: dict[str, object], run_id: str = "r1") -> pa.Table:
    """One customer row for each change to the good one; ids a, b, c ... where not given."""
    shared = GOOD | {"as_of": as_of, "run_id": run_id, "scored_at": NOW}
    found = [
        shared | {"customer_id": chr(ord("a") + number)} | change
        for number, change in enumerate(changes)
    ]
    schema = pa.schema([(column.name, column.type) for column in CUSTOMER_ROWS.columns])
    return pa.Table.from_pylist(found, schema=schema)


def run_of(as_of: date, run_id: str = "r1", **others: object) -> Run:
    return Run(run_id=run_id, as_of=as_of, model_versions={"churn": "3"}, now=lambda: NOW, **others)


def deliver(
    crm: Crm,
    as_of: date,
    *changes: dict[str, object],
    run_id: str = "r1",
    table: str = "customer_scores",
    url: str | None = None,
    through: Callable[..., Receipt] = deliver_sql,
    retired: frozenset[str] = frozenset(),
) -> Receipt:
    """Deliver rows to a table of the package's own."""
    run = run_of(as_of, run_id, retired=retired)
    given = rows(as_of, *changes, run_id=run_id)
    return through(given, url=url or crm.url, table=table, base=crm.base, run=run)


def rehearsed(given: pa.Table, *, url: str, table: str, base: Path, run: Run) -> Receipt:
    target = SqlTarget(kind="sql", url=url, table=table)
    return rehearse(given, target, base=base, run=run)[0]


def accounts(crm: Crm, columns: dict[str, str], **others: object) -> SqlTarget:
    """The CRM's own table `accounts` as a target."""
    given = {"table": "accounts", "key": "id"} | others
    return SqlTarget(kind="sql", url=crm.url, columns=columns, **given)


def deliver_to(
    crm: Crm, target: SqlTarget, as_of: date, *changes: dict[str, object], run_id: str = "r1"
) -> Receipt:
    """Deliver rows to a target of a config."""
    given = rows(as_of, *changes, run_id=run_id)
    return deliver_to_target(given, target, base=crm.base, run=run_of(as_of, run_id))


def many(as_of: date, count: int, *, first: int = 0) -> pa.Table:
    """Customers `c000000` and so on, whose every figure depends on the day, without a pattern."""
    numbers = pa.array(range(first, first + count), pa.int64())
    day = as_of.toordinal()
    figures = [
        ((number * 7919 + day * 104729) % 1_000_003) for number in range(first, first + count)
    ]
    by_type: dict[pa.DataType, pa.Array] = {
        pa.string(): pa.array([f"t{figure % 97} of {as_of}" for figure in figures]),
        pa.bool_(): pa.array([figure % 2 == 0 for figure in figures]),
        pa.int8(): pa.array([figure % 5 + 1 for figure in figures], pa.int8()),
        pa.int32(): pa.array([figure % 1000 for figure in figures], pa.int32()),
        pa.int64(): pa.array([figure % 100 for figure in figures], pa.int64()),
        pa.float64(): pa.array([figure / 100 for figure in figures]),
        pa.date32(): pa.array([as_of] * count),
        pa.timestamp("us", tz="UTC"): pa.array([NOW] * count, pa.timestamp("us", tz="UTC")),
    }
    ids = [f"c{number.as_py():06}" for number in numbers]
    others = [by_type[column.type] for column in CUSTOMER_ROWS.columns[1:]]
    return pa.table([pa.array(ids), *others], names=CUSTOMER_ROWS.names)
