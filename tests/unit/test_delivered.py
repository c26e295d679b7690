"""Delivered scores, read back as they were on past dates."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml.errors import DataError
from portfolio_ml.schema import CUSTOMER_ROWS
from portfolio_ml.sinks.delivered import (
    p_no_purchase,
)
from portfolio_ml.sinks.files.kept import deliveries_in_files, keep_scores, scores_in_files
from portfolio_ml.sinks.past_sql import Place
from portfolio_ml.sinks.receipts import Run
from portfolio_ml.sinks.sql import deliver_sql

pytestmark = pytest.mark.unit

FIRST, SECOND, THIRD = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)
NOW = datetime(2024, 2, 1, tzinfo=UTC)
URL = "sqlite:///crm.db"
DEFAULTS = {
    pa.string(): "x",
    pa.bool_(): True,
    pa.int8(): 1,
    pa.int32(): 1,
    pa.int64(): 1,
    pa.float64(): 1.0,
    pa.date32(): FIRST,
    pa.timestamp("us", tz="UTC"): NOW,
}


def rows(as_of, version="1", **chances):
    """A row per customer: active with p_churn, or inactive with p_return where it is negative."""
    found = []
    for customer, chance in chances.items():
        row = {column.name: DEFAULTS[column.type] for column in CUSTOMER_ROWS.columns}
        row |= {
            "customer_id": customer,
            "as_of": as_of,
            "p_churn": chance if chance >= 0 else None,
            "p_return": None if chance >= 0 else -chance,
            "churn_model_version": version,
            "ltv_model_version": version,
        }
        found.append(row)
    return pa.Table.from_pylist(found, schema=CUSTOMER_ROWS.arrow)


def delivered(folder, table, as_of, version, **chances):
    versions = {"churn": version, "lifetime_value": version}
    run = Run(run_id=f"r{as_of}", as_of=as_of, model_versions=versions, now=lambda: NOW)
    deliver_sql(rows(as_of, version, **chances), url=URL, table=table, base=folder, run=run)


def place_of(folder, table):
    return Place(URL, table, f"{table}_history", folder)


def chances(batches):
    table = pa.Table.from_batches(batches)
    found = p_no_purchase(table).to_pylist()
    return dict(zip(table["customer_id"].to_pylist(), found, strict=True))


@pytest.mark.parametrize("table", ["customer_scores", 'it"s'])
def test_scores_are_read_as_of_each_date(tmp_path, table):
    """The history holds a row only where figures changed: the last one before a date counts."""
    delivered(tmp_path, table, FIRST, "1", ann=0.25, bob=-0.75)
    delivered(tmp_path, table, SECOND, "2", ann=0.25, bob=0.5, cay=0.125)
    delivered(tmp_path, table, THIRD, "2", ann=0.75, bob=0.5, cay=0.125)
    place = place_of(tmp_path, table)
    found = place.deliveries()
    assert [(d.as_of, d.versions["churn"]) for d in found] == [
        (FIRST, "1"),
        (SECOND, "2"),
        (THIRD, "2"),
    ]
    read = [chances(place.scores(d.as_of)) for d in found]
    assert read == [
        {"ann": 0.25, "bob": 0.25},
        {"ann": 0.25, "bob": 0.5, "cay": 0.125},
        {"ann": 0.75, "bob": 0.5, "cay": 0.125},
    ]


def test_before_the_first_delivery_there_is_nothing(tmp_path):
    assert place_of(tmp_path, "customer_scores").deliveries() == ()
    assert not (tmp_path / "crm.db").exists()
    assert deliveries_in_files(tmp_path / "scores.parquet") == ()


def test_another_tables_deliveries_are_not_its_own(tmp_path):
    delivered(tmp_path, "others", FIRST, "1", ann=0.25)
    assert place_of(tmp_path, "customer_scores").deliveries() == ()


def test_scores_kept_beside_a_file_are_read_as_of_their_dates(tmp_path):
    path, history = tmp_path / "scores.parquet", tmp_path / "scores.history"
    keep_scores(rows(SECOND, "2", bob=0.5, ann=0.25), history, as_of=SECOND)
    keep_scores(rows(FIRST, "1", ann=-0.75), history, as_of=FIRST)
    found = deliveries_in_files(path)
    assert [(d.as_of, d.versions["lifetime_value"]) for d in found] == [(FIRST, "1"), (SECOND, "2")]
    assert chances(scores_in_files(path, FIRST)) == {"ann": 0.25}
    assert chances(scores_in_files(path, SECOND)) == {"ann": 0.25, "bob": 0.5}


def test_a_damaged_file_is_named(tmp_path):
    history = tmp_path / "scores.history"
    keep_scores(rows(FIRST, ann=0.25), history, as_of=FIRST)
    kept = history / f"{FIRST}.parquet"
    kept.write_bytes(kept.read_bytes()[:40])
    with pytest.raises(DataError, match=str(FIRST)):
        deliveries_in_files(tmp_path / "scores.parquet")


def test_the_same_scores_again_leave_what_is_kept_alone(tmp_path):
    history = tmp_path / "scores.history"
    keep_scores(rows(FIRST, bob=0.5, ann=0.25), history, as_of=FIRST)
    before = (history / f"{FIRST}.parquet").stat()
    keep_scores(rows(FIRST, ann=0.25, bob=0.5), history, as_of=FIRST)
    assert (history / f"{FIRST}.parquet").stat().st_ino == before.st_ino


def test_the_churn_band_is_kept_where_the_rows_have_one(tmp_path):
    history, given = tmp_path / "scores.history", rows(FIRST, ann=0.25)
    if "churn_band" not in given.column_names:
        given = given.append_column("churn_band", pa.array(["high"]))
    keep_scores(given, history, as_of=FIRST)
    keep_scores(given.drop_columns("churn_band"), history, as_of=SECOND)
    kept = [pq.read_table(history / f"{day}.parquet") for day in (FIRST, SECOND)]
    assert kept[0]["churn_band"].to_pylist() == given["churn_band"].to_pylist()
    assert "churn_band" not in kept[1].column_names
    assert [chances(scores_in_files(tmp_path / "scores.csv", d)) for d in (FIRST, SECOND)] == [
        {"ann": 0.25},
        {"ann": 0.25},
    ]
