"""Lines that are there more than once."""

from datetime import date

import pyarrow as pa
import pytest

from portfolio_ml.config import settings_from
from portfolio_ml.duplicates import repeated_lines
from portfolio_ml.transactions import load

pytestmark = pytest.mark.unit

LINE = {
    "customer_id": "ann",
    "timestamp": "2024-01-05 10:00",
    "amount": 5.0,
    "order_id": "7",
    "product_id": "tea",
}


def repeated(engine, lines) -> int:
    settings = settings_from({"name": "shop", "data": {"transactions": {"source": "table"}}})
    table = pa.Table.from_pylist(lines)
    history = load(settings, engine, today=date(2024, 3, 1), table=table)
    return repeated_lines(history, engine)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_every_line_after_the_first_of_its_kind_is_counted(engine, times):
    assert repeated(engine, [LINE] * times + [LINE | {"customer_id": "bob"}]) == times - 1


@pytest.mark.parametrize(
    "other",
    [
        {"customer_id": "bob"},
        {"timestamp": "2024-01-06 10:00"},
        {"timestamp": "2024-01-05 10:01"},
        {"amount": 5.01},
        {"order_id": "8"},
        {"product_id": "milk"},
    ],
)
def test_lines_that_differ_in_anything_are_not(engine, other):
    assert repeated(engine, [LINE, LINE | other]) == 0


def test_what_is_unknown_in_both_tells_them_not_apart(engine):
    assert repeated(engine, [LINE | {"order_id": None}] * 2) == 1
