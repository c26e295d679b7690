"""The portfolio's figures in a database and in files: whole, once, gone when they are no more."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml import figure_delivery, upkeep
from portfolio_ml.config import Settings, settings_from
from portfolio_ml.delivering import Deliveries
from portfolio_ml.errors import ServiceUnavailableError
from portfolio_ml.figure_delivery import deliver_figures, erase_from_figures
from portfolio_ml.pipeline.figures import delivered_figures
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.reckoned import Reckoned
from portfolio_ml.schema import Column

pytestmark = pytest.mark.unit

REGIONS = contract_of(
    "regions",
    grain="one region",
    key=("region",),
    columns=(
        Column("region", pa.string(), "where"),
        Column("revenue", pa.float64(), "currency units", null="unknown", decimals=2),
    ),
)
PEOPLE = contract_of(
    "people",
    grain="one customer",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "who"),
        Column("orders", pa.int64(), "how many"),
    ),
)
MONDAY, TUESDAY = date(2024, 7, 1), date(2024, 7, 2)
NOW = datetime(2024, 7, 2, tzinfo=UTC)


def settings_with(folder: Path, *targets: dict[str, object]) -> Settings:
    values = {
        "name": "shop",
        "data": {"transactions": {"source": "sales.csv"}},
        "portfolio": {"delivery": targets},
    }
    return settings_from(values, base=folder)


def regions(as_of: date, **revenue: float) -> Figure:
    columns = {"region": [*revenue], "revenue": [*revenue.values()]}
    return present(REGIONS, "Regions", columns, as_of=as_of)


def people(as_of: date, *names: str) -> Figure:
    return present(
        PEOPLE, "People", {"customer_id": [*names], "orders": [1] * len(names)}, as_of=as_of
    )


def delivered(settings: Settings, as_of: date, *figures: Figure) -> Deliveries:
    found = Reckoned(as_of, figures, run_id=f"run of {as_of}", versions={}, currency="EUR")
    return deliver_figures(found, settings, now=lambda: NOW)


def rows_of(file: Path, query: str) -> Sequence[tuple[object, ...]]:
    database = sqlite3.connect(file)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def test_a_row_that_a_figure_has_no_more_leaves_its_table_and_stays_in_the_history(
    tmp_path: Path,
) -> None:
    settings = settings_with(tmp_path, {"kind": "sql", "url": "sqlite:///crm.db"})
    delivered(settings, MONDAY, regions(MONDAY, North=10.0, South=5.0))

    done = delivered(settings, TUESDAY, regions(TUESDAY, North=12.0))

    assert [(r.sent, r.retired) for r in done.receipts] == [(1, 1)]
    table = "SELECT region, as_of, revenue FROM portfolio_regions"
    history = "SELECT region, as_of FROM portfolio_regions_history ORDER BY 1, 2"
    assert rows_of(tmp_path / "crm.db", table) == [("North", "2024-07-02", 12.0)]
    assert rows_of(tmp_path / "crm.db", history) == [
        ("North", "2024-07-01"),
        ("North", "2024-07-02"),
        ("South", "2024-07-01"),
    ]


def test_figures_that_nobody_wants_are_written_nowhere(tmp_path: Path) -> None:
    figures = (regions(MONDAY, North=10.0),)
    found = Reckoned(MONDAY, figures, run_id="r1", versions={}, currency="EUR")

    done = delivered_figures(found, settings_with(tmp_path), now=lambda: NOW, say=pytest.fail)

    assert done == Deliveries(())
    assert not [*tmp_path.iterdir()]


def test_figures_again_write_nothing(tmp_path: Path) -> None:
    settings = settings_with(
        tmp_path,
        {"kind": "sql", "url": "sqlite:///crm.db"},
        {"kind": "parquet", "path": "figures"},
        {"kind": "parquet", "path": "dates", "partitioned": True},
    )
    delivered(settings, MONDAY, regions(MONDAY, North=10.0))

    done = delivered(settings, MONDAY, regions(MONDAY, North=10.0))

    assert [(r.sent, r.unchanged) for r in done.receipts] == [(0, 1)] * 3
    assert pq.read_table(tmp_path / "figures" / "regions.parquet")["region"].to_pylist() == [
        "North"
    ]
    assert [p.name for p in (tmp_path / "dates" / "regions").iterdir()] == ["as_of=2024-07-01"]


def test_an_absent_figure_leaves_its_table_as_it_was(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"kind": "sql", "url": "sqlite:///crm.db"})
    delivered(settings, MONDAY, regions(MONDAY, North=10.0))

    done = delivered(settings, TUESDAY, absent(REGIONS, "Regions", "no region is known"))

    assert done.receipts == ()
    assert len(rows_of(tmp_path / "crm.db", "SELECT * FROM portfolio_regions")) == 1


def test_figures_of_an_older_date_go_into_the_history_alone(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"kind": "sql", "url": "sqlite:///crm.db"})
    delivered(settings, TUESDAY, regions(TUESDAY, North=10.0))

    done = delivered(settings, MONDAY, regions(MONDAY, South=5.0))

    assert [r.status for r in done.receipts] == ["history_only"]
    assert rows_of(tmp_path / "crm.db", "SELECT region FROM portfolio_regions") == [("North",)]


def test_a_customer_is_erased_from_every_figure_that_names_customers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure_delivery, "contracts", lambda: (REGIONS, PEOPLE))
    settings = settings_with(
        tmp_path,
        {"kind": "sql", "url": "sqlite:///crm.db"},
        {"kind": "parquet", "path": "figures"},
    )
    delivered(settings, MONDAY, people(MONDAY, "ann", "bob"), regions(MONDAY, North=1.0))

    removed = [
        each
        for target in settings.portfolio.delivery
        for each in erase_from_figures(target, settings, "ann")
    ]

    assert sum(each.rows for each in removed) == 3  # the table, its history, the file
    assert rows_of(tmp_path / "crm.db", "SELECT customer_id FROM portfolio_people") == [("bob",)]
    kept = pq.read_table(tmp_path / "figures" / "people.parquet")
    assert kept["customer_id"].to_pylist() == ["bob"]


def test_a_target_that_cannot_be_reached_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "no folder").write_text("a file")
    settings = settings_with(
        tmp_path,
        {"kind": "parquet", "path": "no folder"},
        {"kind": "sql", "url": "sqlite:///crm.db"},
    )

    done = delivered(settings, MONDAY, regions(MONDAY, North=10.0))

    assert [type(fault) for fault in done.faults] == [ServiceUnavailableError]
    assert [r.sent for r in done.receipts] == [1]


def test_a_figure_of_an_older_version_gets_its_new_columns_by_migrate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure_delivery, "contracts", lambda: (REGIONS, PEOPLE))
    settings = settings_with(tmp_path, {"kind": "sql", "url": "sqlite:///crm.db"})
    delivered(settings, MONDAY, regions(MONDAY, North=10.0))
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database, database:
        for table in ("portfolio_regions", "portfolio_regions_history"):
            database.execute(f"ALTER TABLE {table} DROP COLUMN revenue")
        database.execute("UPDATE portfolio_tables SET schema_version = 1")

    [refused] = delivered(settings, TUESDAY, regions(TUESDAY, North=10.0)).faults
    added = upkeep.migrate(settings)
    done = delivered(settings, TUESDAY, regions(TUESDAY, North=12.0))

    assert "portfolio-ml migrate" in str(refused)
    assert {*added["portfolio_regions"]} == {
        "portfolio_regions.revenue",
        "portfolio_regions_history.revenue",
    }
    assert [r.sent for r in done.receipts] == [1]
