"""What people get wrong, one row each: the exit code, the sentence, and that nothing is written."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.laid_out import CONFIG, HEADER, TODAY, Content, csv, lay_out, written
from tests.servers import postgresql

from portfolio_ml.cli import app, commands, delivery, options

pytestmark = pytest.mark.integration

LAST = date(2024, 3, 5)
TOO_MANY = "more than the allowed share"


@dataclass(frozen=True)
class Bad:
    """One mistake.

    Attributes:
        name: What is wrong.
        code: The exit code that is promised.
        said: Parts of the sentence on standard error.
        files: What lies in the folder; None is a folder.
        config: What differs from the smallest config, by dotted path; or the file's whole text.
        command: The command and its options.
    """

    name: str
    code: int
    said: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    config: Mapping[str, Any] | str | bytes = field(default_factory=dict)
    command: str = "validate"


def bad(name: str, code: int, *said: str, **how: Any) -> Any:
    return pytest.param(Bad(name, code, said, **how), id=name)


def history(
    days: int = 420,
    *,
    customers: int = 40,
    amount: str = "10",
    gap: int = 20,
    until: date = LAST,
    repeats: bool = True,
) -> str:
    """Customers who start one after the other and buy every so many days, until the last day."""
    rows = []
    for customer in range(customers):
        first = customer * (days - 1) // max(1, customers)
        bought = range(first, days, gap + customer % 5) if repeats else [first]
        rows += [(until - timedelta(days=days - 1 - d), customer) for d in {*bought}]
    rows += [(until, customers - 1)] if repeats else []
    return csv(*(f"c{customer},{day},{amount}" for day, customer in sorted(rows)))


SALES = {"sales.csv": history()}
FEW = {"sales.csv": csv("a,2024-03-01,10", "b,2024-03-05,10")}
SHORT = {"targets": {"churn": {"horizon_days": 14}, "lifetime_value": {"horizon_days": 14}}}
QUICK = {
    "backtest": {"cutoffs": 1, "bootstrap": 100},
    "training": {"snapshots": 2},
    "engine": {"threads": 1},
}
CURRENCY = f"{HEADER},currency"


def sqlite(*statements: str) -> Callable[[Path], None]:
    def made(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return made


TABLE = "CREATE TABLE sales (customer_id TEXT, timestamp TEXT, amount REAL)"


def database(table: str = "sales", url: str = "sqlite:///crm.db") -> dict[str, Any]:
    return {"data.transactions": {"source": url, "table": table}}


CONFIGS = [
    bad("config: not there", 2, "no config to read", "no such file", "portfolio-ml init",
        command="validate -c no.yaml"),
    bad("config: misspelt", 2, "no config to read", "did you mean shop.yaml?",
        command="validate -c shpo.yaml"),
    bad("config: another suffix", 2, "did you mean shop.yaml?", command="validate -c shop.yml"),
    bad("config: a folder", 2, "no config to read", "a folder", command="validate -c ."),
    bad("config: no YAML", 2, "no valid YAML at line 3", config="name: shop\ndata: [\n"),
    bad("config: a tab", 2, "no valid YAML at line 2", config="data:\n\ttransactions: x\n"),
    bad("config: a list", 2, "must be a mapping", config="- name: shop\n"),
    bad("config: empty", 2, "must be a mapping", config=""),
    bad("config: not UTF-8", 2, "no valid YAML", config=b"name: \xff\xfe\n"),
    bad("config: a key twice", 2, "the key 'name' a second time", config="name: a\nname: b\n"),
    bad("config: an alias", 2, "an alias; write the value out", config="a: &x 1\nb: *x\n"),
    bad("config: no data", 2, "data: field required", config="name: shop\n"),
    bad("config: no source", 2, "source: field required", config={"data.transactions": {}}),
    bad("unknown key", 2, "currencyy: unknown key, did you mean 'currency'?",
        config={"currencyy": "EUR"}),
    bad("unknown key inside", 2, "targets.churn.horizon: unknown key", "'horizon_days'",
        config={"targets": {"churn": {"horizon": 90}}}),
    bad("two faults at once", 2, "nmae: unknown key", "gate.max_loss",
        config={"nmae": "x", "gate": {"max_loss": 9}}),
    bad("a text for a number", 2, "targets.churn.horizon_days", "valid integer",
        config={"targets": {"churn": {"horizon_days": "soon"}}}),
    bad("a fraction of a day", 2, "targets.churn.horizon_days", "fractional part",
        config={"targets": {"churn": {"horizon_days": 90.5}}}),
    bad("a switch for a number", 2, "should be a number, not true",
        config={"targets": {"churn": {"horizon_days": True}}}),
    bad("a horizon of no days", 2, "greater than 0",
        config={"targets": {"churn": {"horizon_days": 0}}}),
    bad("a list for a section", 2, "targets: input should be a mapping", config={"targets": [90]}),
    bad("a name with blanks", 2, "name: use letters, digits", config={"name": "my shop"}),
    bad("a measure of no kind", 2, "targets.lifetime_value.measure", "revenue",
        config={"targets": {"lifetime_value": {"measure": "profit"}}}),
    bad("a margin without a cost", 2, "targets.lifetime_value.measure", "no column cost",
        "map cost in data.transactions.columns", files=FEW, command="features --out f.parquet",
        config={"targets": {"lifetime_value": {"measure": "margin"}}}),
    bad("no time zone", 2, "'Berlin' is no time zone", "Europe/Berlin",
        config={"timezone": "Berlin"}),
    bad("an unknown column of ours", 2, "'custmer_id' is no column", "mean 'customer_id'?",
        config={"data.transactions.columns":
                {"custmer_id": "c", "customer_id": "k", "timestamp": "t", "amount": "a"}}),
    bad("a column mapped twice", 2, "'t' must not be mapped more than once",
        config={"data.transactions.columns":
                {"customer_id": "t", "timestamp": "t", "amount": "a"}}),
    bad("a needed column not mapped", 2, "'amount' must be mapped",
        config={"data.transactions.columns": {"customer_id": "c", "timestamp": "t"}}),
    bad("a secret that is not set", 2, "needs the environment variable NO_SUCH_SECRET",
        config=database(url="postgresql://ann:${NO_SUCH_SECRET}@db/crm")),
    bad("a database without a table", 2, "needs either table or query",
        config={"data.transactions.source": "sqlite:///crm.db"}),
    bad("a table of a file", 2, "for a database URL only",
        config={"data.transactions": {"source": "sales.csv", "table": "sales"}}),
    bad("an unknown delivery", 2, "delivery[0]", "'sql', 'parquet'",
        config={"delivery": [{"kind": "fax"}]}),
    bad("a delivery of no kind", 2, "delivery[0]: the key 'kind' must say",
        config={"delivery": [{}]}),
    bad("a coverage above 1", 2, "coverage", "less than 1",
        config={"targets": {"lifetime_value": {"coverage": 1.5}}}),
    bad("a share above 1", 2, "max_quarantined_share", "less than or equal to 1",
        config={"data.max_quarantined_share": 5}),
    bad("no days of staleness", 2, "data.max_staleness_days", "greater than 0",
        config={"data.max_staleness_days": 0}),
    bad("a period that ends before it begins", 2, "excluded_periods[0]: last lies before first",
        config={"excluded_periods": [{"first": "2024-02-01", "last": "2024-01-01"}]}),
    bad("a period that is no date", 2, "excluded_periods[0].first", "a date such as",
        config={"excluded_periods": [{"first": "lockdown", "last": "2024-01-01"}]}),
    bad("a rate of nothing", 2, "data.rates.USD", "greater than 0",
        config={"data.rates": {"USD": 0}}),
    bad("rates without currencies", 2, "no column tells a row's currency", "map currency",
        files=FEW, config={"data.rates": {"EUR": 1.0}}),
    bad("an own rate that is not 1", 2, "EUR must have the rate 1", "saw 1.2",
        files={"sales.csv": csv("a,2024-03-01,10,EUR", header=CURRENCY)},
        config={"currency": "EUR", "data.rates": {"EUR": 1.2}}),
    bad("memory without a unit", 2, "engine.memory_limit", "such as 4GB",
        config={"engine": {"memory_limit": "4"}}),
    bad("a quarantine over the data", 2, "holds something else", "sales.csv",
        files=FEW, config={"data.quarantine": "sales.csv"}),
]  # fmt: skip

COMMANDS = [
    bad("no such command", 2, "No such command 'vaildate'", command="vaildate"),
    bad("no such option", 2, "No such option", command="validate --verbose"),
    bad("an as-of in words", 2, "--as-of is no date", "'yesterday'", "1998-06-30",
        files=FEW, command="features --out f.parquet --as-of yesterday"),
    bad("an as-of that does not exist", 2, "--as-of is no date", "'2024-02-30'",
        files=FEW, command="train --as-of 2024-02-30"),
    bad("an as-of of nothing", 2, "--as-of is no date", "''", files=FEW,
        command="score --as-of="),
]  # fmt: skip

SOURCES = [
    bad("no such file", 2, "no transactions to read", "sales.csv", "no such file", "name a file"),
    bad("a file misspelt", 2, "no such file", "did you mean d/sales_2024.csv?",
        files={"d/sales_2024.csv": "x", "d/notes.txt": "x"},
        config={"data.transactions.source": "d/sale_2024.csv"}),
    bad("no such folder", 2, "no such file", config={"data.transactions.source": "sales/2024/"}),
    bad("a folder without data", 2, "a folder without .csv and .parquet files",
        files={"sales/notes.txt": "x"}, config={"data.transactions.source": "sales"}),
    bad("a pattern that matches nothing", 2, "no file that matches",
        files=SALES, config={"data.transactions.source": "sales_*.csv"}),
    bad("a folder of both kinds", 2, "all of one kind", ".csv, .parquet", "by a pattern",
        files={"d/a.csv": "x", "d/b.parquet": b""}, config={"data.transactions.source": "d"}),
    bad("a spreadsheet", 2, "must be .csv or .parquet files", "saw .xlsx", "export them as",
        files={"a.xlsx": b"PK"}, config={"data.transactions.source": "a.xlsx"}),
    bad("a data set misspelt", 2, "did you mean the built-in data set 'cdnow'?",
        config={"data.transactions.source": "cdnwo"}),
    bad("the whole disk", 2, "the root of the disk", config={"data.transactions.source": "/"}),
    bad("no source", 2, "an empty name", config={"data.transactions.source": ""}),
    bad("another kind of database", 2, "this kind of database is unknown", "frob",
        config=database(url="frob://ann:s3cret@db/crm")),
    bad("an unreadable URL", 2, "the database URL cannot be read", "%40",
        config=database(url="postgresql://ann:s3@cret@db:port/crm")),
    bad("no such table", 2, "table 'slaes' is missing", "did you mean 'sales'?",
        files={"crm.db": sqlite(TABLE)}, config=database("slaes")),
    bad("no such column in a query", 2, "the query cannot be run", "sales (customer_id",
        files={"crm.db": sqlite(TABLE)},
        config={"data.transactions":
                {"source": "sqlite:///crm.db", "query": "SELECT who FROM sales"}}),
    bad("a query that writes", 2, "the query gives no rows", files={"crm.db": sqlite(TABLE)},
        config={"data.transactions":
                {"source": "sqlite:///crm.db", "query": "DELETE FROM sales"}}),
    bad("a file that is no database", 2, "no SQLite database",
        files={"crm.db": "x" * 2_000}, config=database()),
    bad("no such database", 69, "the database is not there", "crm.db", config=database()),
    bad("a server that does not answer", 69, "the database does not answer", "ann:***@",
        config=database(url="postgresql://ann:s3cret@127.0.0.1:1/crm")),
]  # fmt: skip

DATA = [
    bad("an empty file", 65, "there is no header", "an empty file", files={"sales.csv": ""}),
    bad("a blank first line", 65, "there is no header", files={"sales.csv": "\n" + csv()}),
    bad("a header only", 65, "not a single row", "a header only", files={"sales.csv": csv()}),
    bad("an empty Parquet file", 65, "not a single row", "columns without rows",
        files={"sales.parquet": pa.table({n: pa.array([], "string") for n in HEADER.split(",")})},
        config={"data.transactions.source": "sales.parquet"}),
    bad("a missing column", 65, "column 'amount' is missing", "saw columns", "mean 'amuont'?",
        files={"sales.csv": csv("a,2024-03-01,10", header="customer_id,timestamp,amuont")}),
    bad("a mapped column that is missing", 65, "column 'Umsatz' is missing", "columns",
        files=FEW, config={"data.transactions.columns":
            {"customer_id": "customer_id", "timestamp": "timestamp", "amount": "Umsatz"}}),
    bad("the same header twice", 65, "column 'amount' is there twice",
        files={"sales.csv": csv("a,2024-03-01,10,9", header=f"{HEADER},amount")}),
    bad("files with other columns", 65, "the columns are not those of", "'note'",
        files={"d/a.csv": csv("a,2024-03-01,1"), "d/b.csv": csv("a,2024-03-01,1,x",
               header=f"{HEADER},note")}, config={"data.transactions.source": "d"}),
    bad("a row too long", 65, TOO_MANY, "1 x line_unreadable", "row 2",
        files={"sales.csv": csv("a,2024-03-01,10", "a,2024-03-01,1,234.50")}, command="train"),
    bad("rows parted otherwise than the header", 65, "2 of 2 rows", "so none is left",
        "2 x line_unreadable", "row 1", "one value for each column",
        files={"sales.csv": csv("a;2024-03-01;10", "b;2024-03-01;10")}, command="train"),
    bad("a quote that never ends", 65, "2 of 3 rows", "line_unreadable", "row 2",
        files={"sales.csv": csv("a,2024-03-01,10", 'b,"2024-03-01,10', "c,2024-03-01")},
        command="train"),
    bad("a line too long to be read", 65, TOO_MANY, "1 x line_unreadable", "row 2",
        files={"sales.csv": csv("a,2024-03-01,10", "b" * 3_000_000 + ",2024-03-01,10")},
        command="train"),
    bad("another encoding after a broken line", 65, "not UTF-8", "Line: 3003",
        files={"sales.csv": csv("a", *["a,2024-03-01,10"] * 3_000, "M\xfc,2024-03-01,10")
               .encode("cp1252")}),
    bad("a text of another encoding", 65, "not UTF-8", "encoding: windows-1252",
        files={"sales.csv": csv("Müller,2024-03-01,10", header="Käufer,b,c").encode("latin-1")}),
    bad("a text of another encoding, far down", 65, "not UTF-8", "encoding: windows-1252",
        files={"sales.csv": csv(*["a,2024-03-01,10"] * 3_000, "Müller,2024-03-01,10")
               .encode("cp1252")}),
    bad("a Parquet file that is none", 65, "no readable Parquet file",
        files={"sales.parquet": b"PAR1"}, config={"data.transactions.source": "sales.parquet"}),
    bad("many unreadable dates", 65, TOO_MANY, "2 x timestamp_unreadable", "row 1", "'31.12.2023'",
        files={"sales.csv": csv(*["a,31.12.2023,10"] * 2, *["a,2024-03-01,1"] * 5)},
        command="train"),
    bad("many unreadable amounts", 65, TOO_MANY, "amount_unreadable", "'ten'",
        files={"sales.csv": csv("a,2024-03-01,ten", "a,2024-03-01,1")}, command="score"),
    bad("no customer anywhere", 65, "so none is left", "customer_id_missing", "no value",
        files={"sales.csv": csv(" ,2024-03-01,1", ",2024-03-01,1")}, command="report"),
    bad("everything in the future", 65, "so none is left", "timestamp_in_the_future",
        files={"sales.csv": csv("a,2042-03-01,1")}, command="backtest"),
    bad("an empty table", 65, "not a single row", "sqlite:///crm.db",
        files={"crm.db": sqlite(TABLE)}, config=database()),
    bad("a table without amounts", 65, "column 'amount' is missing",
        files={"crm.db": sqlite("CREATE TABLE sales (customer_id, timestamp)")},
        config=database()),
    bad("two currencies", 65, "in 2 currencies", "EUR in 2 rows, USD in 1 row", "data.rates",
        files={"sales.csv": csv(*(f"a,2024-03-01,1,{c}" for c in ("EUR", "USD", "eur")),
               header=CURRENCY)}),
    bad("another currency than the portfolio's", 65, "not in USD", "EUR in 1 row.",
        files={"sales.csv": csv("a,2024-03-01,1,EUR", header=CURRENCY)},
        config={"currency": "USD"}),
    bad("currencies without rates", 65, TOO_MANY, "currency_unknown", "'GBP'",
        files={"sales.csv": csv("a,2024-03-01,1,EUR", "a,2024-03-01,1,GBP", header=CURRENCY)},
        config={"data.rates": {"EUR": 1.0}}, command="features --out f.parquet"),
    bad("an as-of before the first line", 65, "2023-12-31 lies outside the history",
        "from 2024-03-01 to 2024-03-05", files=FEW,
        command="features --out f.parquet --as-of 2023-12-31"),
    bad("an as-of after the last line", 65, "2024-03-08 lies outside the history",
        "from 2024-03-01 to 2024-03-05", files=FEW, command="score --as-of 2024-03-08"),
    bad("an as-of in the future", 65, "2030-01-01 lies in the future", "2024-03-10",
        files=FEW, command="score --as-of 2030-01-01"),
    bad("a first day that is not over", 65, "no day of the history is over yet",
        files={"sales.csv": csv("a,2024-03-10,1")}, command="features --out f.parquet"),
]  # fmt: skip

PEOPLE = "customer_id,region"
EVENTS = {"interactions": "customer_id,timestamp,kind", "contacts": "customer_id,timestamp,action"}
DEALS = "opportunity_id,representative_id,outcome"
POINTS = "customer_id,timestamp,points"
MERGES = "old_id,new_id"


def beside(name: str, source: str = "more.csv", **how: Any) -> dict[str, Any]:
    """A config with one more table."""
    return {f"data.{name}": {"source": source, **how}}


TABLES = [
    bad("no such customers file", 2, "there are no customers to read", "no such file",
        files=FEW, config=beside("customers")),
    bad("customers of a spreadsheet", 2, "customers must be .csv or .parquet files", "saw .xlsx",
        files=FEW | {"people.xlsx": b"PK"}, config=beside("customers", "people.xlsx")),
    bad("customers without an id", 65, "column 'customer_id' is missing", "mean 'custmer_id'?",
        "data.customers.columns", config=beside("customers"),
        files=FEW | {"more.csv": csv("a,x", header="custmer_id,region")}),
    bad("a mapped attribute that is missing", 65, "column 'Land' is missing",
        "data.customers.columns",
        config=beside("customers", columns={"customer_id": "customer_id", "region": "Land"}),
        files=FEW | {"more.csv": csv("a,x", header=PEOPLE)}),
    bad("an attribute in capitals", 2, "data.customers.columns", "did you mean 'region'?",
        config=beside("customers", columns={"customer_id": "c", "Region": "r"})),
    bad("something static that is not mapped", 2, "static names 'regoin'", "mean 'region'?",
        config=beside("customers", columns={"customer_id": "c", "region": "r"},
                      static=["regoin"])),
    bad("something static that is not there", 2, "static names 'regoin'", "mean 'region'?",
        "data.customers.static", config=beside("customers", static=["regoin"]),
        files=FEW | {"more.csv": csv("a,x", header=PEOPLE)}),
    bad("static transactions", 2, "data.transactions.static: unknown key",
        config={"data.transactions.static": ["region"]}),
    bad("customers there twice", 65, TOO_MANY, "1 x duplicate_key", "row 2", "map valid_from",
        files=FEW | {"more.csv": csv("a,x", "a,y", header=PEOPLE)},
        config=beside("customers"), command="train"),
    bad("unreadable valid_from", 65, TOO_MANY, "valid_from_unreadable", "'31.12.2023'",
        "data.customers.format.date_format", config=beside("customers"), command="score",
        files=FEW | {"more.csv": csv("a,31.12.2023", "b,2024-01-01",
                                     header="customer_id,valid_from")}),
    bad("a customers database that is not there", 69, "the database is not there",
        files=FEW, config=beside("customers", "sqlite:///none.db", table="people")),
    bad("a customers table that is not there", 2, "table 'poeple' is missing", "mean 'people'?",
        files=FEW | {"crm.db": sqlite("CREATE TABLE people (customer_id)")},
        config=beside("customers", "sqlite:///crm.db", table="poeple")),
    bad("customers in a database without a table", 2, "data.customers", "either table or query",
        config=beside("customers", "sqlite:///crm.db")),
    bad("an empty customers table", 65, "not a single row", "crm.db (customers)",
        files=FEW | {"crm.db": sqlite("CREATE TABLE people (customer_id)")},
        config=beside("customers", "sqlite:///crm.db", table="people")),
    *(
        case
        for table, header in EVENTS.items()
        for case in (
            bad(f"{table} without what was done", 65, f"column '{header.split(',')[2]}' is missing",
                f"data.{table}.columns", config=beside(table),
                files=FEW | {"more.csv": csv("a,2024-03-01,x", header="customer_id,timestamp,x")}),
            bad(f"{table} of unreadable dates", 65, TOO_MANY, "timestamp_unreadable",
                f"data.{table}.format.date_format", config=beside(table), command="backtest",
                files=FEW | {"more.csv": csv("a,soon,x", "a,2024-03-01,x", header=header)}),
            bad(f"{table} in the future", 65, "none is left", "timestamp_in_the_future",
                config=beside(table), command="features",
                files=FEW | {"more.csv": csv("a,2042-03-01,x", header=header)}),
            bad(f"an unknown column of {table}", 2, f"'knd' is no column of {table}",
                config=beside(table, columns={"knd": "k"})),
            bad(f"{table} of a built-in data set", 2, f"data set 'cdnow' has no {table}",
                f"leave data.{table} out", files=FEW, config=beside(table, "cdnow")),
        )
    ),
    bad("opportunities that do not say what became of them", 65, "column 'outcome' is missing",
        "data.opportunities.columns, or stage", config=beside("opportunities"),
        files=FEW | {"more.csv": csv("1,r", header="opportunity_id,representative_id")}),
    bad("opportunities of which no decision is mapped", 2, "'outcome' or 'stage' must be mapped",
        config=beside("opportunities",
                      columns={"opportunity_id": "i", "representative_id": "r"})),
    bad("an outcome that is both", 2, "'done' must not be both won and lost",
        config=beside("opportunities", won=["done"], lost=["Done"])),
    bad("opportunities there twice", 65, TOO_MANY, "1 x duplicate_key", "row 2", "'1'",
        "keep one row for each opportunity", config=beside("opportunities"), command="train",
        files=FEW | {"more.csv": csv("1,r,won", "1,r,lost", header=DEALS)}),
    bad("opportunities closed before they began", 65, TOO_MANY, "1 x closed_before_opened",
        "row 2", "'2024-01-01'", config=beside("opportunities"), command="score",
        files=FEW | {"more.csv": csv("1,r,won,,", "2,r,won,2024-01-02,2024-01-01",
                                     header=f"{DEALS},opened_at,closed_at")}),
    bad("points that are no numbers", 65, TOO_MANY, "1 x points_unreadable", "row 2", "'many'",
        "data.points.format", config=beside("points"), command="backtest",
        files=FEW | {"more.csv": csv("a,2024-03-01,5", "a,2024-03-01,many", header=POINTS)}),
    bad("prospects without an id", 65, "column 'prospect_id' is missing", "mean 'prospct_id'?",
        "data.prospects.columns", config=beside("prospects"),
        files=FEW | {"more.csv": csv("a,x", header="prospct_id,region")}),
    bad("prospects there twice", 65, TOO_MANY, "1 x duplicate_key", "row 2", "'p'",
        "keep one row for each prospect", config=beside("prospects"), command="score",
        files=FEW | {"more.csv": csv("p,x", "p,y", header="prospect_id,region")}),
    bad("no such merges file", 2, "there are no customer_merges to read", "no such file",
        files=FEW, config=beside("customer_merges")),
    bad("merges without the survivor", 65, "column 'new_id' is missing",
        "saw columns 'into', 'old_id'", "data.customer_merges.columns",
        config=beside("customer_merges"),
        files=FEW | {"more.csv": csv("a,b", header="old_id,into")}),
    bad("merges of which one column is mapped", 2, "'new_id' must be mapped",
        config=beside("customer_merges", columns={"old_id": "a"})),
    bad("merges in a circle", 65, "3 customers were merged in a circle", "more.csv",
        "such as row 2", "take one merge out of each circle", command="score",
        files=FEW | {"more.csv": csv("x,a", "a,b", "b,c", "c,a", header=MERGES)},
        config=beside("customer_merges")),
    bad("merges into themselves", 65, TOO_MANY, "1 x merged_into_itself", "row 2", "'b'",
        "leave out customers who were not merged",
        files=FEW | {"more.csv": csv("a,c", "b,b", header=MERGES)},
        config=beside("customer_merges"), command="train"),
    bad("a customer merged twice", 65, TOO_MANY, "1 x duplicate_key", "row 2", "'a'",
        "keep one row for each old_id: the merge that holds",
        files=FEW | {"more.csv": csv("a,b", "a,c", header=MERGES)},
        config=beside("customer_merges"), command="features --out f.parquet"),
    bad("unreadable dates of merges", 65, TOO_MANY, "merged_at_unreadable", "'31.12.2023'",
        "data.customer_merges.format.date_format", config=beside("customer_merges"),
        files=FEW | {"more.csv": csv("a,b,31.12.2023", "c,b,2024-01-01",
                                     header=f"{MERGES},merged_at")}, command="score"),
]  # fmt: skip

TRAINING = [
    bad("a history of days", 65, "the history is too short to learn from", "saw 5 days", "wait",
        files=FEW, command="train"),
    bad("a horizon longer than the history", 65, "of 365 days", "set the horizons to 168 days",
        files=SALES, config={"targets": {"churn": {"horizon_days": 365}}}, command="backtest"),
    bad("a horizon far beyond the history", 65, "of 1300 days", "set the horizons to 168 days",
        files=SALES, config={"targets": {"churn": {"horizon_days": 1300}}}, command="train"),
    bad("a history too short to judge", 65, "too short for a backtest", "set the horizons to 86",
        files={"sales.csv": history(216)}, command="backtest"),
    bad("everything excluded", 65, "there is no snapshot to learn from", "2020-01-01 to 2024-12-31",
        files=SALES, command="train",
        config={"excluded_periods": [{"first": "2020-01-01", "last": "2024-12-31"}]}),
    bad("nothing but returns", 65, "nobody has bought anything", "the sign of the amounts",
        files={"sales.csv": history(amount="-10")},
        config=QUICK | SHORT, command="train"),
    bad("no champion to score with", 65, "there is no champion",
        "train first: portfolio-ml train --config shop.yaml.",
        files=SALES, command="score"),
    bad("no champion to report on", 65, "there is no champion", "train first",
        files=SALES, command="report"),
]  # fmt: skip

PLACES = [
    bad("features below a file", 69, "the file cannot be written", "folder exists",
        files=FEW, command="features --out sales.csv/f.parquet"),
    bad("features into no folder", 69, "the file cannot be written", "No such file",
        files=FEW, command="features --out none/f.parquet"),
    bad("features over a folder", 69, "the file cannot be written",
        files=FEW | {"f.parquet": None}, command="features --out f.parquet"),
    bad("a quarantine below a file", 69, "the file cannot be written", "refused.parquet",
        files={"sales.csv": csv("a,soon,1", "a,2024-03-01,1")},
        config={"data.quarantine": "sales.csv/refused.parquet"}),
    bad("a stale load", 75, "the history is stale", "2024-03-05", "5 days before today",
        "the 3 days of data.max_staleness_days", "load the newer transactions",
        files=FEW, config={"data.max_staleness_days": 3}, command="features --out f.parquet"),
    bad("a stale load for the day that was asked for", 75, "the history is stale",
        files=FEW, config={"data.max_staleness_days": 3}, command="score --as-of 2024-03-09"),
]  # fmt: skip

OWN = """import narwhals as nw
from portfolio_ml import Feature, Stage
FEATURES = [Feature(name={name!r}, family="own", unit="x", formula="x", value={value}, {more})]
"""


def own_feature(
    case: str, *said: str, value: str = "nw.col('lines').max()", name: str = "mine", more: str = ""
) -> Any:
    text = OWN.format(name=name, value=value, more=more)
    return own_module(case, text, *said)


def own_module(case: str, text: str, *said: str) -> Any:
    return bad(f"own features: {case}", 2, *said, files=FEW | {"mine.py": text},
               config={"features": ["mine.py"]}, command="features --out f.parquet")  # fmt: skip


CUSTOMER_STAGE = "stage=Stage.CUSTOMER"
OWN_FEATURES = [
    bad("own features: no such file", 2, "'mine.py' cannot be imported", "there is no file",
        files=FEW, config={"features": ["mine.py"]}, command="features"),
    own_module("a syntax error", "FEATURES = [", "cannot be imported", "SyntaxError"),
    own_module("an import that fails", "import no_such_thing", "ModuleNotFoundError"),
    own_module("code that fails", "1 / 0", "ZeroDivisionError"),
    own_module("code that exits", "raise SystemExit(0)", "SystemExit"),
    own_module("none", "x = 1", "no list or tuple FEATURES"),
    own_module("something else", "FEATURES = ['spend']", "no Feature", "'spend'"),
    own_feature("a value that is a text", "no value that can be computed", value="'spend'"),
    own_feature("a name in use", "'spend' already", name="spend"),
    own_feature("a name in capitals", "no name for a feature", name="Mine"),
    own_feature("an absent column", "needs cost", more="needs=frozenset({'cost'})"),
    own_feature("an absent table", "needs interactions", more="stage=Stage.INTERACTIONS"),
    own_feature("a column of another stage", "stage DAYS does not offer", "'returned'",
                value="nw.col('spend_90d').max()"),
    own_feature("no aggregate", "does not reduce", "stage DAYS", value="nw.col('lines')"),
    own_feature("an aggregate in a formula", "other rows than its own",
                value="nw.col('spend').sum()", more=CUSTOMER_STAGE),
    own_feature("no number", "is no number", value="nw.col('order_id').max()",
                more="stage=Stage.LINES"),
]  # fmt: skip

SPARK = [
    bad("a Spark master that is not there", 69, "Spark does not answer", "engine.master",
        files=FEW, config={"engine": {"kind": "spark", "master": "spark://127.0.0.1:9"}},
        command="features"),
    bad("a Spark Connect server that is not there", 69, "Spark does not answer", "engine.remote",
        files=FEW, config={"engine": {"kind": "spark", "remote": "sc://127.0.0.1:9/;token=s3cret"}},
        command="features"),
    bad("an address that Spark Connect cannot read", 2, "engine.remote", "sc://host:15002",
        files=FEW, config={"engine": {"kind": "spark", "remote": "sc://127.0.0.1:9/;token"}},
        command="features"),
    bad("a place that is no Spark master", 2, "engine.master: write it as local[4]",
        files=FEW, config={"engine": {"kind": "spark", "master": "here"}}, command="features"),
]  # fmt: skip

THIN = {
    "a single customer": history(customers=1),
    "no repeat purchase": history(repeats=False),
    "nothing but zeros": history(amount="0"),
    "no past before the snapshots": csv(
        "z,2023-01-01,1", *(f"c{n},2024-03-0{1 + n % 5},{n}" for n in range(30))
    ),
}


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The wall stands at the same day in every row."""
    monkeypatch.setattr(options, "now", lambda: datetime.combine(TODAY, time(), UTC))


def laid_out(case: Bad, folder: Path) -> None:
    """The case's files and config, in the folder."""
    text = written(case.config) if isinstance(case.config, Mapping) else case.config
    lay_out(case.files, text, folder)


def listing(folder: Path) -> dict[str, tuple[bool, bytes]]:
    """All that is in the folder."""
    return {
        str(file.relative_to(folder)): (file.is_dir(), b"" if file.is_dir() else file.read_bytes())
        for file in sorted(folder.rglob("*"))
    }


def ran(case: Bad, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and what standard error ends with."""
    name, *options = case.command.split()
    if "-c" not in options and name in {
        c.__name__ for c in (*commands.COMMANDS, *delivery.COMMANDS)
    }:
        options += ["-c", CONFIG]
    code = app.run([name, *options])
    shown = capsys.readouterr()
    assert shown.out == ""
    return code, shown.err


@pytest.mark.parametrize(
    "case",
    [*CONFIGS, *COMMANDS, *SOURCES, *DATA, *TABLES, *TRAINING, *PLACES, *OWN_FEATURES, *SPARK],
)
def test_a_mistake_is_told_in_a_sentence_and_leaves_nothing_behind(
    case, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    laid_out(case, tmp_path)
    before = listing(tmp_path)
    code, told = ran(case, tmp_path, capsys)
    assert "Traceback" not in told
    assert code == case.code, told
    for part in case.said:
        assert part.casefold() in told.casefold()
    assert "s3cret" not in told
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    "config",
    [{}, pytest.param({"targets": {"churn": {"horizon_days": 100}}}, marks=pytest.mark.long)],
)
def test_a_history_too_short_to_judge_is_left_to_the_customer_base_model(
    config, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    delivery = [{"kind": "parquet", "path": "scores.parquet"}]
    files = {"sales.csv": history(42, customers=60, gap=5)}
    light = {"delivery": delivery, "engine": {"threads": 1}, "targets.segments.count": 3}
    light |= {"scoring.portfolio": False}  # `report` reckons the figures
    laid_out(Bad("six weeks", 0, (), files, light | config), tmp_path)
    assert app.run(["train", "-c", CONFIG, "-q"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "the customer-base model was not judged: The history is too short" in told
    assert "Set the horizons to 7 days or fewer" in told
    for command in ("score", "report"):
        assert app.run([command, "-c", CONFIG, "-q"]) == 0
    scores = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    assert {row["abstention"] for row in scores} == {"customer_base_model:churn+lifetime_value"}
    assert all(row["ltv_low"] <= row["ltv"] <= row["ltv_high"] for row in scores)


@pytest.mark.parametrize(
    "name",
    [
        "a single customer",
        *(pytest.param(name, marks=pytest.mark.long) for name in [*THIN][1:-1]),
        "no past before the snapshots",
    ],
)
def test_thin_data_is_trained_on_and_scored_with_what_can_be_known(
    name, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    delivery = [{"kind": "parquet", "path": "scores.parquet"}]
    case = Bad(name, 0, (), {"sales.csv": THIN[name]}, QUICK | SHORT | {"delivery": delivery})
    laid_out(case, tmp_path)
    if name == "a single customer":  # whose training is the cheapest
        assert app.run(["train", "-c", CONFIG, "-q", "--no-promote"]) == 0
        assert "Next:" not in capsys.readouterr().out
    assert app.run(["train", "-c", CONFIG, "-q"]) == 0
    trained = capsys.readouterr()
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db" in trained.out
    assert trained.out.endswith("Next: portfolio-ml score --config shop.yaml\n")
    assert "pareto_nbd" not in trained.out
    assert app.run(["score", "-c", CONFIG, "-q"]) == 0
    scored = capsys.readouterr()
    assert scored.out.endswith("Next: portfolio-ml report --config shop.yaml\n")
    assert trained.err + scored.err == ""
    scores = pq.read_table(tmp_path / "scores.parquet")
    known = [p for n in ("p_churn", "p_return") for p in scores[n].to_pylist() if p is not None]
    assert len(known) == scores.num_rows > 0
    assert all(0 <= p <= 1 for p in known)


class TestAFewBadRows:
    """They are set apart, and the work goes on."""

    def validated(self, folder, capsys, **data) -> dict:
        config = {"data.max_quarantined_share": 0.5} | {f"data.{k}": v for k, v in data.items()}
        (folder / CONFIG).write_text(written(config))
        assert app.run(["validate", "-c", str(folder / CONFIG), "--json", "-q"]) == 0
        return json.loads(capsys.readouterr().out)

    def test_with_unreadable_dates(self, tmp_path, capsys):
        rows = ["a,31.12.2023,1", "a,2024-02-30,1", *["a,2024-03-01,1"] * 5]
        (tmp_path / "sales.csv").write_text(csv(*rows))
        told = self.validated(tmp_path, capsys)
        assert (told["kept"], told["rules"]) == (5, {"timestamp_unreadable": 2})
        assert pq.read_table(tmp_path / "quarantine.parquet")["value"].to_pylist() == [
            "31.12.2023",
            "2024-02-30",
        ]

    def test_with_currencies_that_have_no_rate(self, tmp_path, capsys):
        rows = [f"a,2024-03-01,1,{code}" for code in ("EUR", "usd", "GBP", "EUR")]
        (tmp_path / "sales.csv").write_text(csv(*rows, header=CURRENCY))
        told = self.validated(tmp_path, capsys, rates={"EUR": 1.0, "USD": 0.92})
        assert (told["kept"], told["rules"]) == (3, {"currency_unknown": 1})

    def test_with_customer_ids_of_other_types_and_blanks(self, tmp_path, capsys):
        (tmp_path / "d").mkdir()
        for name, ids in {"a": pa.array([7]), "b": pa.array([" 7", "7 "])}.items():
            days, amounts = ["2024-03-01"] * len(ids), [1.0] * len(ids)
            table = pa.table({"customer_id": ids, "timestamp": days, "amount": amounts})
            pq.write_table(table, tmp_path / f"d/{name}.parquet")
        (tmp_path / CONFIG).write_text(written({"data.transactions.source": "d"}))
        config, out = str(tmp_path / CONFIG), tmp_path / "f.parquet"
        assert app.run(["features", "-c", config, "-o", str(out), "-q"]) == 0
        capsys.readouterr()
        assert pq.read_table(out)["customer_id"].to_pylist() == ["7"]


SEVERAL = {
    "sales.csv": csv("a,2024-03-01,10", "b,soon,10", "c,2024-03-02,5", "d,2024-03-02,5"),
    "people.csv": csv("a,x", "a,y", "c,z", header=PEOPLE),
    "calls.csv": csv("a,2024-03-01,call", ",2024-03-01,call", header=EVENTS["interactions"]),
    "letters.csv": csv("a,2024-03-01,letter", header=EVENTS["contacts"]),
    "deals.csv": csv("1,r,won", "2,r,lost", "3,r,", "3,r,won", header=DEALS),
    "points.csv": csv("a,2024-03-01,5", header=POINTS),
    "leads.csv": csv("p,x", ",y", header="prospect_id,region"),
    "merges.csv": csv("x,a", "x,c", "y,a", header=MERGES),
}
ALL_TABLES = {
    "data.max_quarantined_share": 0.5,
    **beside("customers", "people.csv"),
    **beside("interactions", "calls.csv"),
    **beside("contacts", "letters.csv"),
    **beside("opportunities", "deals.csv"),
    **beside("points", "points.csv"),
    **beside("prospects", "leads.csv"),
    **beside("customer_merges", "merges.csv"),
}


class TestSeveralTables:
    """Refused rows of all of them are counted, and kept in one file."""

    def run(self, folder, config, command="validate -q --json") -> int:
        laid_out(Bad("", 0, (), SEVERAL, config), folder)
        name, *options = command.split()
        return app.run([name, "-c", str(folder / CONFIG), *options])

    def test_are_counted_apart(self, tmp_path, capsys):
        assert self.run(tmp_path, ALL_TABLES) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["read"], told["kept"], told["quarantined"]) == (4, 3, 1)
        assert told["tables"] == {
            "customers": {"read": 3, "kept": 2, "quarantined": 1, "rules": {"duplicate_key": 1}},
            "interactions": {
                "read": 2,
                "kept": 1,
                "quarantined": 1,
                "rules": {"customer_id_missing": 1},
            },
            "contacts": {"read": 1, "kept": 1, "quarantined": 0, "rules": {}},
            "opportunities": {
                "read": 4,
                "kept": 3,
                "quarantined": 1,
                "rules": {"duplicate_key": 1},
                "won": 1,
                "lost": 1,
                "open": 1,
            },
            "points": {"read": 1, "kept": 1, "quarantined": 0, "rules": {}},
            "prospects": {
                "read": 2,
                "kept": 1,
                "quarantined": 1,
                "rules": {"prospect_id_missing": 1},
            },
            "customer_merges": {
                "read": 3,
                "kept": 2,
                "quarantined": 1,
                "rules": {"duplicate_key": 1},
            },
        }

    def test_share_a_quarantine_that_tells_the_source(self, tmp_path, capsys):
        self.run(tmp_path, ALL_TABLES)
        capsys.readouterr()
        rows = pq.read_table(tmp_path / "quarantine.parquet").to_pylist()
        assert [(Path(r["source"]).name, r["row_number"], r["rule"]) for r in rows] == [
            ("sales.csv", 2, "timestamp_unreadable"),
            ("people.csv", 2, "duplicate_key"),
            ("calls.csv", 2, "customer_id_missing"),
            ("deals.csv", 4, "duplicate_key"),
            ("leads.csv", 2, "prospect_id_missing"),
            ("merges.csv", 2, "duplicate_key"),
        ]

    def test_with_too_many_refused_keep_those_of_the_tables_before(self, tmp_path, capsys):
        assert self.run(tmp_path, ALL_TABLES | {"data.max_quarantined_share": 0.4}) == 65
        assert "of 2 rows" in capsys.readouterr().err
        rows = pq.read_table(tmp_path / "quarantine.parquet")["rule"].to_pylist()
        assert rows == [
            "timestamp_unreadable",
            "duplicate_key",  # of the customers
            "duplicate_key",  # of the merges, which are loaded first
            "customer_id_missing",
        ]

    def test_that_lack_customers_say_so(self, tmp_path, capsys):
        self.run(tmp_path, ALL_TABLES)
        note = json.loads(capsys.readouterr().out)["note"]
        assert note == "1 customer with transactions missing from people.csv"

    def test_of_which_no_deal_is_decided_say_what_the_deals_say(self, tmp_path, capsys):
        laid_out(Bad("", 0, (), SEVERAL, beside("opportunities", "deals.csv")), tmp_path)
        config = written(
            {
                **ALL_TABLES,
                **beside("opportunities", "deals.csv", won=["gewonnen"], lost=["verloren"]),
            }
        )
        (tmp_path / CONFIG).write_text(config)
        assert app.run(["validate", "-c", str(tmp_path / CONFIG), "-q"]) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert "no opportunity of deals.csv is won or lost: they say 'lost', 'won'; name" in told
        assert "won: 0 lost: 0 open: 3" in told

    def test_add_features_and_change_none(self, tmp_path, capsys):
        out = tmp_path / "f.parquet"
        assert self.run(tmp_path, ALL_TABLES, f"features -q -o {out}") == 0
        capsys.readouterr()
        with_all = pq.read_table(out)
        no_more = {"data.max_quarantined_share": 0.5}
        assert self.run(tmp_path, no_more, f"features -q -o {out}") == 0
        capsys.readouterr()
        alone = pq.read_table(out)
        assert alone == with_all.select(alone.column_names)


def test_a_locked_database_is_for_later(tmp_path, capsys):
    sqlite(TABLE)(tmp_path / "crm.db")
    (tmp_path / CONFIG).write_text(written(database(url="sqlite:///crm.db?timeout=0.1")))
    with closing(sqlite3.connect(tmp_path / "crm.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert app.run(["validate", "-c", str(tmp_path / CONFIG), "-q"]) == 75
    assert "the database is locked" in capsys.readouterr().err.casefold()


@pytest.fixture(scope="module")
def server():
    """The socket's folder of a PostgreSQL server that asks for passwords."""
    with postgresql() as (url, folder):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE ROLE ann LOGIN PASSWORD 'r1ght'")
            connection.execute("CREATE TABLE sales (customer_id text, timestamp date, amount int)")
            connection.execute("INSERT INTO sales VALUES ('a', '2024-03-01', 1)")
            connection.execute("GRANT SELECT ON sales TO ann")
            rules = folder / "pg_hba.conf"
            rules.write_text("local all ann scram-sha-256\n" + rules.read_text())
            connection.execute("SELECT pg_reload_conf()")
        yield url.partition("?host=")[2]


@pytest.mark.parametrize(
    ("password", "answer"),
    [
        ("r1ght", (0, "")),
        ("s3cret", (69, "check the host, the user and the password")),
    ],
)
def test_a_server_lets_in_who_knows_their_password(server, tmp_path, capsys, password, answer):
    code, said = answer
    url = f"postgresql://ann:{password}@/postgres?host={server}"
    (tmp_path / CONFIG).write_text(written(database(url=url)))
    before = listing(tmp_path)
    assert app.run(["validate", "-c", str(tmp_path / CONFIG), "-q"]) == code
    told = capsys.readouterr().err
    assert said in told.casefold()
    assert "Traceback" not in told
    assert password not in told
    assert listing(tmp_path) == before
