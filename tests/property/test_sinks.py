"""Whatever the rows and names are: what arrives is what was prepared, and only what differs."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from tests.examples import shown

from portfolio_ml.config import settings_from
from portfolio_ml.databases import read_table
from portfolio_ml.schema import Column, Table
from portfolio_ml.sinks.files import deliver_file, held
from portfolio_ml.sinks.receipts import Receipt, Run
from portfolio_ml.sinks.rows import prepare
from portfolio_ml.sinks.sql import deliver_sql

pytestmark = pytest.mark.property

DAY = date(2024, 3, 1)
NOW = datetime(2024, 3, 2, 6, 30, tzinfo=UTC)
URL = "sqlite:///crm.db"
SHOP = {"name": "shop", "data": {"transactions": {"source": "cdnow"}}}

CONTRACT = Table(
    name="scores",
    grain="one customer and as-of date",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        Column("as_of", pa.date32(), "the as-of date"),
        Column("name", pa.string(), "text", null="unknown"),
        Column("ltv", pa.float64(), "value", decimals=2),
        Column("p_churn", pa.float64(), "probability", null="inactive", decimals=6),
        Column("raw", pa.float64(), "as it is", null="unknown"),
        Column("is_active", pa.bool_(), "truth", null="unknown"),
        Column("tier", pa.int8(), "tier"),
        Column("number", pa.int64(), "number", null="unknown"),
        Column("due", pa.date32(), "next order", null="no purchase"),
        Column("run_id", pa.string(), "the run", lineage=True),
        Column("scored_at", pa.timestamp("us", tz="UTC"), "when", lineage=True),
    ),
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
identifiers = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
).filter(lambda name: not name.casefold().startswith(("portfolio_", "sqlite_")))
one_row = st.fixed_dictionaries(
    {
        "customer_id": texts,
        "as_of": st.just(DAY),
        "name": st.none() | texts,
        "ltv": st.floats(),
        "p_churn": st.none() | st.floats(),
        "raw": st.none() | st.floats(),
        "is_active": st.none() | st.booleans(),
        "tier": st.integers(-128, 127),
        "number": st.none() | st.integers(-(2**63), 2**63 - 1),
        "due": st.none() | st.dates(),
        "run_id": texts,
        "scored_at": st.datetimes(timezones=st.just(UTC)),
    }
)
many_rows = st.lists(one_row, max_size=5)

few = shown(25, HealthCheck.too_slow)


def arrow(rows: list[dict[str, object]], contract: Table = CONTRACT) -> pa.Table:
    schema = pa.schema([(column.name, column.type) for column in contract.columns])
    return pa.Table.from_pylist(rows, schema=schema)


def deliver(
    rows: pa.Table,
    folder: str,
    *,
    table: str = "scores",
    contract: Table = CONTRACT,
    day: date = DAY,
    run_id: str = "r",
) -> Receipt:
    run = Run(run_id=run_id, as_of=day, model_versions={}, now=lambda: NOW)
    return deliver_sql(rows, url=URL, table=table, base=Path(folder), run=run, contract=contract)


def everything(folder: str) -> list[str]:
    with closing(sqlite3.connect(Path(folder) / "crm.db")) as connection:
        return list(connection.iterdump())


def as_stored(rows: pa.Table) -> list[dict[str, object]]:
    """The rows as SQLite gives them back: dates as text, truth as 0 and 1."""
    columns = [
        column.cast(pa.string()) if pa.types.is_temporal(column.type) else column
        for column in rows.columns
    ]
    return pa.table(columns, names=rows.column_names).to_pylist()


@few
@given(many_rows)
def test_what_arrives_is_what_was_prepared(rows):
    with TemporaryDirectory() as folder:
        receipt = deliver(arrow(rows), folder)
        kept = prepare(arrow(rows), CONTRACT, as_of=DAY).rows
        held = read_table(URL, "scores", base=Path(folder)).to_pylist()
        history = read_table(URL, "scores_history", base=Path(folder)).to_pylist()
    assert sorted(held, key=lambda row: row["customer_id"].encode()) == as_stored(kept)
    assert history == held
    assert (receipt.rows, receipt.sent) == (len(rows), kept.num_rows)
    assert receipt.rows == receipt.sent + receipt.unchanged + receipt.rejected + receipt.unknown


@few
@given(many_rows)
def test_the_same_delivery_again_changes_nothing_but_its_receipt(rows):
    with TemporaryDirectory() as folder:
        first = deliver(arrow(rows), folder)
        before = everything(folder)
        again = deliver(arrow(rows), folder)
        after = everything(folder)
    assert (again.sent, again.unchanged) == (0, first.sent)
    assert again.digest == first.digest
    changed = set(before) ^ set(after)
    assert all(line.startswith('INSERT INTO "portfolio_runs"') for line in changed)


PLAIN = {
    **dict.fromkeys(("name", "p_churn", "raw", "is_active", "number", "due")),
    "customer_id": "",
    "as_of": DAY,
    "ltv": 0.0,
    "tier": 0,
    "run_id": "",
    "scored_at": NOW,
}


@few
@example(  # both reject their second row: each run has such a one of its own
    [PLAIN, PLAIN | {"customer_id": "0", "ltv": float("inf")}], [PLAIN, PLAIN]
)
@given(many_rows, many_rows)
def test_only_what_differs_is_written(rows, others):
    with TemporaryDirectory() as folder:
        deliver(arrow(rows), folder)
        receipt = deliver(arrow(others), folder, run_id="another")
    figures = [c.name for c in CONTRACT.columns if not c.lineage]
    before, after = (
        {
            repr(row)
            for row in prepare(arrow(r), CONTRACT, as_of=DAY).rows.select(figures).to_pylist()
        }
        for r in (rows, others)
    )
    assert receipt.sent == len(after - before)
    assert receipt.unchanged == len(after & before)


@few
@given(
    st.lists(
        st.tuples(
            st.integers(-(10**9), 10**9),
            st.integers(0, 10**6),
            st.floats(-0.49, 0.49),
            st.floats(-0.49, 0.49),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_noise_below_the_delivered_precision_writes_nothing(values):
    good = {"tier": 1, "run_id": "r", "scored_at": NOW}
    exact = [
        good
        | {"customer_id": str(n), "as_of": DAY, "ltv": cents / 100, "p_churn": millionths / 1e6}
        for n, (cents, millionths, _, _) in enumerate(values)
    ]
    noisy = [
        row | {"ltv": row["ltv"] + more / 100, "p_churn": row["p_churn"] + less / 1e6}
        for row, (_, _, more, less) in zip(exact, values, strict=True)
    ]
    with TemporaryDirectory() as folder:
        deliver(arrow(noisy), folder)
        receipt = deliver(arrow(exact), folder)
    assert (receipt.sent, receipt.unchanged) == (0, len(values))


@few
@given(
    identifiers,
    st.lists(identifiers, min_size=1, max_size=4, unique_by=str.casefold).filter(
        lambda names: not {"customer_id", "as_of", "ltv"} & {name.casefold() for name in names}
    ),
    texts,
)
@example("0", ["TRUE", "held", "rowid"], "")
@example("excluded", ['"; --', "order", "?", ":x", "%s"], "'")
def test_any_name_will_do_for_a_table_or_a_column(table, names, value):
    others = tuple(Column(name, pa.string(), "text", null="none") for name in names)
    contract = replace(CONTRACT, columns=(*CONTRACT.columns[:2], *others, CONTRACT.columns[3]))
    row = {"customer_id": "a", "as_of": DAY, "ltv": 1.0} | dict.fromkeys(names, value)
    with TemporaryDirectory() as folder:
        deliver(arrow([row], contract), folder, table=table, contract=contract)
        again = deliver(arrow([row], contract), folder, table=table, contract=contract)
        late = DAY - timedelta(1)
        back = deliver(
            arrow([row | {"as_of": late, "ltv": 2.0}], contract),
            folder,
            table=table,
            contract=contract,
            day=late,
        )
        [held] = read_table(URL, table, base=Path(folder)).to_pylist()
    assert held == row | {"as_of": DAY.isoformat()}
    assert again.sent == 0
    assert (back.status, back.sent) == ("history_only", 1)


@few
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.lists(st.integers(0, 2), min_size=2, max_size=2)),
        min_size=1,
        max_size=8,
    )
)
def test_the_history_knows_the_figures_of_every_delivered_date_in_whatever_order(deliveries):
    contract = replace(CONTRACT, columns=(*CONTRACT.columns[:2], CONTRACT.columns[7]))
    with TemporaryDirectory() as folder:
        for day, tiers in deliveries:
            as_of = DAY + timedelta(day)
            rows = [
                {"customer_id": str(customer), "as_of": as_of, "tier": tier}
                for customer, tier in enumerate(tiers)
            ]
            deliver(arrow(rows, contract), folder, contract=contract, day=as_of)
        current = read_table(URL, "scores", base=Path(folder)).to_pylist()
        history = read_table(URL, "scores_history", base=Path(folder)).to_pylist()
    last = {DAY + timedelta(day): tiers for day, tiers in deliveries}
    for as_of, tiers in last.items():
        for customer, tier in enumerate(tiers):
            known = [
                (row["as_of"], row["tier"])
                for row in history
                if row["customer_id"] == str(customer) and row["as_of"] <= as_of.isoformat()
            ]
            assert max(known)[1] == tier
    assert {row["customer_id"]: row["tier"] for row in current} == {
        str(customer): tier for customer, tier in enumerate(last[max(last)])
    }


@pytest.mark.parametrize(
    "target",
    [
        {"kind": "parquet", "path": "scores.parquet"},
        {"kind": "parquet", "path": "scores", "partitioned": True},
        {"kind": "csv", "path": "scores.csv"},
        {"kind": "csv", "path": "scores.csv", "readers": "machines"},
    ],
    ids=["parquet", "by date", "people", "machines"],
)
@few
@given(rows=many_rows)
def test_a_file_holds_what_was_prepared(target, rows):
    run = Run(run_id="r", as_of=DAY, model_versions={}, now=lambda: NOW)
    with TemporaryDirectory() as folder:
        settings = settings_from(SHOP | {"delivery": [target]}, base=folder)
        (place,) = settings.delivery
        order = {"settings": settings, "contract": CONTRACT}
        deliver_file(arrow(rows), place, run=run, **order)
        again = deliver_file(arrow(rows), place, run=run, **order)
        found = held(place, **order)
    assert found.equals(prepare(arrow(rows), CONTRACT, as_of=DAY).rows)
    assert again.sent == 0


rounded = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(rounded, min_size=1, max_size=20), st.integers(0, 8))
def test_rounding_is_near_and_rounded_values_stay(values, decimals):
    contract = replace(
        CONTRACT,
        columns=(*CONTRACT.columns[:2], Column("ltv", pa.float64(), "value", decimals=decimals)),
    )

    def delivered(given_values: list[float]) -> list[float]:
        rows = [
            {"customer_id": f"{n:04}", "as_of": DAY, "ltv": value}
            for n, value in enumerate(given_values)
        ]
        return prepare(arrow(rows, contract), contract, as_of=DAY).rows["ltv"].to_pylist()

    once = delivered(values)
    for before, after in zip(values, once, strict=True):
        assert abs(before - after) <= 0.5000001 * 10.0**-decimals or before == after
    assert list(map(repr, delivered(once))) == list(map(repr, once))
