"""What the benchmark of the models' choices computes by itself."""

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.ablations import HEADER, Judged, mean_table, repeat_ticket

pytestmark = pytest.mark.unit


def test_a_repeat_ticket_is_the_mean_of_all_purchase_days_but_the_first_until_the_cutoff():
    days = pa.table(
        {
            "customer": [1, 1, 1, 1, 2, 3, 3],
            "day": [10, 20, 30, 41, 12, 15, 40],
            "spend": [50_000, 100_000, 300_000, 9, 70_000, 10_000, 0],
        }
    )
    assert repeat_ticket(days, 40) == pytest.approx([20.0, np.nan, 0.0], nan_ok=True)


def test_portfolios_count_alike_however_many_cutoffs_they_have():
    of_first = [
        Judged("a", day, "trees", (value, 0, 0, np.nan)) for day, value in (("x", 3), ("y", 5))
    ]
    written = mean_table([*of_first, Judged("b", "x", "trees", (10, 0, 0, np.nan))])
    header, _, row = written.splitlines()
    assert all(name in header for name in HEADER)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "trees", "7.0000", "0.0000", "0.0000", "–",
    ]  # fmt: skip
