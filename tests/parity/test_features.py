"""DuckDB and a real local Spark give the same features, outcomes and fitted parameters."""

import os
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.histories import HORIZONS, OPTIONAL, Line, after, day_of
from tests.portfolios import KINDS, Contact, Interaction, Known, Portfolio

from portfolio_ml.config import settings_from
from portfolio_ml.engine import Engine
from portfolio_ml.features import sample
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.reference import Reference
from portfolio_ml.features.table import FeatureTable, at
from portfolio_ml.season import seasons
from portfolio_ml.snapshots import with_outcomes
from portfolio_ml.standing import activity_windows
from portfolio_ml.tables import Tables, load_all
from portfolio_ml.transactions import History

pytestmark = [pytest.mark.parity, pytest.mark.xdist_group("spark")]

FEATURES_AGREE = 1e-6  # relative, after float32
PARAMETERS_AGREE = 1e-5
NOTHING = 1e-9
EARLIER, AS_OF = (day_of(after(days)) for days in (300, 700))
FOLDER = os.environ.get("PORTFOLIO_ML_DATA")

KNOWN = {
    "order_id": (None, "o-1", "o-2", "o-3"),
    "product_id": (None, "p-1", "p-2", "p-3"),
    "category": (None, "food", "toys", "books"),
    "channel": (None, "shop", "web"),
    "quantity": (None, 0.0, 1.0, 2.5, -3.0),
    "cost": (None, 0.0, 1.25, 12.5, -4.0),
    "discount": (None, 0.0, 0.5, 10.0),
    "minute": (None, 0, 359, 360, 719, 720, 1079, 1080, 1439),
}
"""What may be known of a line."""


@pytest.fixture
def engines(duckdb, local_spark):
    return duckdb, local_spark


def random_portfolio(*, with_recorded: bool = False, is_dated: bool = True) -> Portfolio:
    """Customers who buy, return, call and are called at random; of all columns something is known.

    Days and values coincide often, and of everything some is unknown.
    """
    rng = np.random.default_rng(7)

    def of(values: Any) -> Any:
        return values[rng.integers(len(values))]

    def on(first: int = 0) -> date:
        return after(int(rng.integers(first, 1_000)))

    def line(customer: str) -> Line:
        known = {name: of(values) for name, values in KNOWN.items()}
        day = on() if rng.random() < 0.7 else after(90 * int(rng.integers(12)))
        recorded = on() if with_recorded and rng.random() < 0.5 else None
        amount = of((0.0, 9.99, 10.0, 10.0, 20.0, 1234.5678, -10.0, -0.01))
        return Line(customer, day, amount, **known, recorded=recorded)

    names = ["ä", "0042", "o'Brien; --", "Łukasz", "Z", *(f"c{n}" for n in range(50))]
    lines = [line(name) for name in names for _ in range(int(rng.integers(1, 30)))]
    return Portfolio(
        lines=lines,
        customers=[
            Known(
                name,
                after(since) if is_dated and since else None,
                signup_date=of((None, after(-400), after(900))),
                ended_at=of((None, after(600), after(1_500))),
                birthday=of((None, date(1980, 2, 29), date(1999, 12, 31), after(800))),
                income=of((None, 0.0, 30_000.0, 45_000.5)),
                service_cost=of((None, 0.0, 2.5)),
                region=of((None, "north", "south", "ost")),
            )
            for name in names[3:]
            for since in ((0, 200, 650) if is_dated else (0,))
        ],
        interactions=[
            Interaction(of(names), on(), of((*KINDS, "fax")), of((None, 1.0, 2.5, 5.0)))
            for _ in range(300)
        ],
        contacts=[Contact(of(names), on(), of((None, True, False))) for _ in range(200)],
        columns=[name for name in OPTIONAL if with_recorded or name != "known_day"],
        is_dated=is_dated,
    )


@pytest.fixture(scope="module")
def dated(duckdb, local_spark):
    """What both compute from: a random history, customers whose rows are dated, and all tables."""
    return [random_portfolio().inputs(engine) for engine in (duckdb, local_spark)]


@pytest.fixture(scope="module")
def tables(dated):
    """The feature tables of both."""
    return [at(inputs, [EARLIER, AS_OF], horizons=HORIZONS) for inputs in dated]


def test_all_features_of_a_random_history_agree(tables):
    expected, found = tables
    assert_agree(found, expected)


@pytest.mark.parametrize(
    "portfolio",
    [
        pytest.param(
            random_portfolio(is_dated=False), id="static customers", marks=pytest.mark.long
        ),
        pytest.param(
            random_portfolio(with_recorded=True), id="lines recorded later", marks=pytest.mark.long
        ),
        pytest.param(
            Portfolio([Line("a", after(3), 5.0), Line("a", after(9), -1.0)]),
            id="a customer",
            marks=pytest.mark.long,
        ),
    ],
)
def test_all_features_agree_with_other_tables(engines, portfolio):
    expected, found = (at(portfolio.inputs(e), [AS_OF], horizons=HORIZONS) for e in engines)
    assert_agree(found, expected)


def test_outcomes_agree(dated, tables):
    days = [EARLIER, AS_OF]
    expected, found = (
        with_outcomes(tables[0].rows, inputs, days, horizons=HORIZONS) for inputs in dated
    )
    assert_rows_agree(found, expected)


def test_activity_windows_agree(dated):
    expected, found = (activity_windows(inputs, [EARLIER, AS_OF]) for inputs in dated)
    assert found == expected


def test_seasons_agree(engines):
    lines = [
        Line(f"{customer}", after(7 * week), 10.0)
        for customer in range(60)
        for week in range(2 * customer, 120)
        if week == 2 * customer or week % 52 < 26 or week % 3 == 0
    ]
    days = [day_of(after(7 * week)) for week in (60, 115, 120)]
    expected, found = (seasons(Portfolio(lines).inputs(engine), days) for engine in engines)
    assert found == expected
    assert set(found) == set(days[1:])


@pytest.mark.long  # `test_scoring` has Spark score under what is frozen
def test_customers_scored_under_a_frozen_reference_agree(dated, tables):
    expected, found = (
        at(inputs, [AS_OF], horizons=HORIZONS, references=tables[0].references).rows
        for inputs in dated
    )
    assert_rows_agree(found, expected)


def test_the_same_customers_are_drawn(dated, monkeypatch):
    monkeypatch.setattr(sample, "FEWEST", 5)
    expected, found = (
        inputs.engine.collect(
            sample.drawn(inputs, [AS_OF], most=10, seed=7).inputs.customers.sort("customer_id")
        )["customer_id"].to_pylist()
        for inputs in dated
    )
    assert found == expected
    assert 0 < len(found) < dated[0].count()


@pytest.mark.long
def test_cdnow_agrees(engines):
    compare_data_set({"source": "cdnow"}, engines)


def test_merged_customers_are_taken_over_as_one(engines, tmp_path):
    merged = {"old_id": [f"{n:05}" for n in range(4, 2_000, 5)]}
    merged["new_id"] = [f"{n + 5:05}" for n in range(4, 2_000, 5)]
    pq.write_table(pa.table(merged), tmp_path / "merges.parquet")
    merges = {"source": str(tmp_path / "merges.parquet")}
    history = tables_of(engines[0], {"source": "cdnow"}, customer_merges=merges).history
    expected, found = (spend_of_customers(history, engine) for engine in engines)
    assert found == expected
    assert len(expected) == 23_570 - 400


@pytest.mark.long
@pytest.mark.skipif(
    FOLDER is None, reason="PORTFOLIO_ML_DATA names no folder with the public data sets"
)
def test_online_retail_agrees(engines):
    columns = {
        "customer_id": "CustomerID",
        "timestamp": "InvoiceDate",
        "amount": "Quantity * UnitPrice",
        "order_id": "InvoiceNo",
        "product_id": "StockCode",
        "quantity": "Quantity",
    }
    source = str(Path(FOLDER or "") / "online_retail" / "onlineretail.parquet")
    compare_data_set({"source": source, "columns": columns}, engines)


def tables_of(reader: Any, transactions: Mapping[str, Any], **others: Any) -> Tables:
    """Whatever is in the files, with merged customers as one."""
    data = {"transactions": transactions, "max_quarantined_share": 0.5, **others}
    settings = settings_from({"name": "data_set", "data": data})
    return load_all(settings, reader, today=date(2026, 1, 1), say=lambda _: None)


def compare_data_set(transactions: Mapping[str, Any], engines: Any) -> None:
    """Read it once, and compare the features on its last day."""
    tables = tables_of(engines[0], transactions)
    expected, found = (
        at(inputs_of(tables.history, e), [tables.history.span.last_day], horizons=HORIZONS)
        for e in engines
    )
    assert found.rows.num_rows > 2_000
    assert_agree(found, expected)


def spend_of_customers(history: History, engine: Engine) -> dict[str, int]:
    """What each customer's lines add up to, where the engine has taken them over."""
    lines, customers = engine.taken(history.numbered), engine.taken(history.customers)
    sums = lines.group_by("customer").agg(spend=nw.col("amount").sum())
    rows = engine.collect(sums.join(customers, on="customer", how="inner"))
    return dict(zip(rows["customer_id"].to_pylist(), rows["spend"].to_pylist(), strict=True))


def assert_agree(found: FeatureTable, expected: FeatureTable) -> None:
    assert_rows_agree(found.rows, expected.rows)
    assert found.references.keys() == expected.references.keys()
    for day, reference in expected.references.items():
        theirs = parameters(found.references[day])
        assert theirs == pytest.approx(parameters(reference), rel=PARAMETERS_AGREE)
    assert found.hash == expected.hash


def assert_rows_agree(found: pa.Table, expected: pa.Table) -> None:
    """Same customers, in the same order; same nulls; same values."""
    assert found.schema == expected.schema
    for name in ("as_of", "customer_id"):
        assert found[name].to_pylist() == expected[name].to_pylist()
    differing = {}
    for name in expected.column_names[2:]:
        theirs, ours = found[name], expected[name]
        assert theirs.is_null().equals(ours.is_null()), f"{name}: other nulls"
        values = [np.asarray(c.drop_null().to_numpy(), np.float64) for c in (theirs, ours)]
        is_other = ~np.isclose(*values, rtol=FEATURES_AGREE, atol=NOTHING, equal_nan=True)
        if is_other.any():
            differing[name] = [v[is_other][:3].tolist() for v in values]
    assert differing == {}


def parameters(reference: Reference) -> dict[str, float]:
    """The numbers of a reference, by their path; an edge below everybody is none."""
    return dict(numbers("", reference.to_dict()))


def numbers(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from numbers(f"{path}.{key}", inner)
    elif isinstance(value, list | tuple):
        yield from numbers(path, dict(enumerate(value)))
    elif isinstance(value, int | float):
        yield path, value
