"""What is done to what the package wrote, beside delivering."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml import upkeep
from portfolio_ml.config import settings_from
from portfolio_ml.schema import QUARANTINE

pytestmark = pytest.mark.unit

NOW = datetime(2024, 3, 10, tzinfo=UTC)


def test_an_erased_customers_refused_rows_go_with_the_lines_that_name_them(tmp_path):
    told = {
        "duplicate_key": ("customer_id", ["0.30", "0130", "0.301", None]),
        "line_unreadable": ("line", ['0.30,"Ann",5', "x;0.30", "10.30,5", "0130,5"]),
        "amount_unreadable": ("amount", ["0,30", "5 for 0.30"]),
    }
    rows = [
        {"source": "a.csv", "row_number": number, "rule": rule, "column": column, "value": value}
        for rule, (column, values) in told.items()
        for number, value in enumerate(values)
    ]
    file = tmp_path / "quarantine.parquet"
    pq.write_table(pa.Table.from_pylist(rows, QUARANTINE.arrow), file)
    data = {"transactions": {"source": "a.csv"}, "quarantine": file.name}
    settings = settings_from({"name": "shop", "data": data}, base=tmp_path)

    done, _ = upkeep.erase(settings, "0.30", now=lambda: NOW)

    assert {each.rows for each in done if each.place == str(file)} == {3}
    left = pq.read_table(file)["value"].to_pylist()
    assert left == ["0130", "0.301", None, "10.30,5", "0130,5", "0,30", "5 for 0.30"]
