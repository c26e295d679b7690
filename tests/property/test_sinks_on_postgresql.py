"""Whatever the values and names are, PostgreSQL gives back what was delivered to it."""

import itertools
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from tests.crm import Crm, postgresql_crm, quoted
from tests.examples import shown
from tests.property.test_sinks import CONTRACT, DAY, NOW, arrow, one_row

from portfolio_ml.databases import read_table
from portfolio_ml.schema import Column
from portfolio_ml.sinks.receipts import Run
from portfolio_ml.sinks.rows import prepare
from portfolio_ml.sinks.sql import deliver_sql

pytestmark = pytest.mark.property

numbers = itertools.count()
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
hostile = st.sampled_from(["'", '"', ";", "%", "%s", ":x", "?", "\\", "--", "$1", "🙂", "é", " "])
names = (
    st.lists(hostile | st.text(characters, min_size=1, max_size=3), min_size=1, max_size=6)
    .map("".join)
    .map(lambda name: name.encode()[:40].decode(errors="ignore"))
    .filter(lambda name: name and not name.casefold().startswith(("portfolio_", "sqlite_")))
)
few = shown(
    15, HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large
)


@pytest.fixture(scope="module")
def crm(postgresql_server, tmp_path_factory) -> Crm:
    return postgresql_crm(postgresql_server, tmp_path_factory.mktemp("crm"))


def deliver(crm: Crm, rows: pa.Table, *, table: str, contract, day=DAY):
    run = Run(run_id="r", as_of=day, model_versions={}, now=lambda: NOW)
    return deliver_sql(rows, url=crm.url, table=table, base=Path(), run=run, contract=contract)


@few
@given(st.lists(one_row, max_size=30))
def test_what_arrives_is_what_was_prepared(crm, rows):
    table = f"values_{next(numbers)}"
    receipt = deliver(crm, arrow(rows), table=table, contract=CONTRACT)
    kept = prepare(arrow(rows), CONTRACT, as_of=DAY).rows.to_pylist()
    nul = [row for row in kept if any("\0" in v for v in row.values() if isinstance(v, str))]
    kept = [row for row in kept if row not in nul]
    held = read_table(crm.url, table, base=Path()).to_pylist()
    assert sorted(held, key=lambda row: row["customer_id"].encode()) == kept
    assert receipt.sent == len(kept)
    again = deliver(crm, arrow(rows), table=table, contract=CONTRACT)
    assert (again.sent, again.unchanged, again.rejected) == (0, len(kept), receipt.rejected)


@few
@given(
    names.map(lambda name: name.replace(".", "_")),
    names,
    st.lists(names, min_size=25, max_size=40, unique_by=str.casefold),
    st.lists(st.text(characters, max_size=8), min_size=40, max_size=40),
)
@example("excluded", "held", ["fresh", "TRUE", "%(x)s", "order", "as_of ", "table"], ["'"] * 6)
def test_any_name_will_do_for_a_schema_a_table_or_a_column(crm, table, schema, columns, values):
    columns = [name for name in columns if name.casefold() not in {"customer_id", "as_of", "ltv"}]
    schema = f"{next(numbers)}{schema}"
    crm.change(f"CREATE SCHEMA {quoted(schema)}")
    others = tuple(Column(name, pa.string(), "text", null="none") for name in columns)
    contract = replace(CONTRACT, columns=(*CONTRACT.columns[:2], *others, CONTRACT.columns[3]))
    row = {"customer_id": "a", "as_of": DAY, "ltv": 1.0} | dict(zip(columns, values, strict=False))
    name = f"{schema}.{table}"
    assert deliver(crm, arrow([row], contract), table=name, contract=contract).sent == 1
    assert deliver(crm, arrow([row], contract), table=name, contract=contract).sent == 0
    late = DAY - timedelta(1)
    past = arrow([row | {"as_of": late, "ltv": 2.0}], contract)
    back = deliver(crm, past, table=name, contract=contract, day=late)
    assert (back.status, back.sent) == ("history_only", 1)
    [held] = read_table(crm.url, name, base=Path()).to_pylist()
    assert held == row
